"""The networks in PyTorch, as ordinary modules that are fast to run.

Parity's references are not used here: they create layers during the call to take our weights by
name, turn dropout off and have no system A.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers.shapes import (
    AIRBENCH_WIDTHS,
    RESNET_FILTERS,
    SPEEDRUN_GROUPS,
    VGG_DROPOUT,
    VGG_GROUPS,
)


class Network(nn.Module):
    """A network that names its parameters as parity's optimizers expect."""

    def variables(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the parameters, named layer/variable."""
        for path, module in self.named_modules():
            norm = isinstance(module, nn.BatchNorm2d)
            names = {"weight": "gamma" if norm else "kernel", "bias": "beta" if norm else "bias"}
            for name, parameter in module.named_parameters(recurse=False):
                yield f"{path}/{names[name]}", parameter


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut."""

    def __init__(self, maps: int, filters: int, stride: int) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        self.conv1, self.bn1 = conv(maps, filters, stride=stride), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = conv(filters, filters), nn.BatchNorm2d(filters)
        self.shortcut = nn.Identity()
        if stride == 2:
            self.shortcut = nn.Conv2d(maps, filters, 1, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return functional.relu(y + self.shortcut(x))


class ResNet(Network):
    """System C (cifar10_msra.py of apark263/cfmz)."""

    def __init__(self, num_classes: int, depth: int) -> None:
        super().__init__()
        maps = RESNET_FILTERS[0]
        self.stem, self.stem_bn = nn.Conv2d(3, maps, 3, padding=1, bias=False), nn.BatchNorm2d(maps)
        blocks = []
        for stage, filters in enumerate(RESNET_FILTERS):
            for block in range((depth - 2) // 6):
                blocks.append(Block(maps, filters, 2 if stage and not block else 1))
                maps = filters
        self.blocks = nn.Sequential(*blocks)
        self.logits = nn.Linear(maps, num_classes, bias=False)
        self.logits_bn = nn.BatchNorm1d(num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(functional.relu(self.stem_bn(self.stem(x)), inplace=True))
        return self.logits_bn(self.logits(x.mean((2, 3))))


class Vgg(Network):
    """System D with batch norm and dropout (Vgg.py of chenjz13/CIFAR-10_Pytorch)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        maps, layers = 3, []
        for (filters, convolutions), rate in zip(VGG_GROUPS, VGG_DROPOUT, strict=True):
            for place in range(convolutions):
                layers += [nn.Conv2d(maps, filters, 3, padding=1), nn.BatchNorm2d(filters)]
                layers.append(nn.ReLU(inplace=True))
                if place + 1 < convolutions:
                    layers.append(nn.Dropout2d(rate))
                maps = filters
            layers.append(nn.MaxPool2d(2))
        head = [nn.Flatten(), nn.Dropout(0.5), nn.Linear(maps, 512), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, *head, nn.Dropout(0.5), nn.Linear(512, num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Airbench(Network):
    """System G, for 94 % (airbench94.py)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad_(False)
        maps, layers = 24, []
        for filters in AIRBENCH_WIDTHS:
            for conv, pool in ((maps, True), (filters, False)):
                layers.append(nn.Conv2d(conv, filters, 3, padding="same", bias=False))
                layers += [nn.MaxPool2d(2)] if pool else []
                norm = nn.BatchNorm2d(filters, eps=1e-12, momentum=0.4)
                norm.weight.requires_grad_(False)
                layers += [norm, nn.GELU()]
            maps = filters
        self.layers = nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten())
        self.logits = nn.Linear(maps, num_classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(self.layers(functional.gelu(self.whitening(x)))) / 9


class SpeedrunGroup(nn.Module):
    """A convolution and max pooling, then two convolutions with a shortcut."""

    def __init__(self, maps: int, width: int, middle: int, sizes: tuple[int, int, int]) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, padding="same", bias=False)
        self.conv1, self.bn1 = conv(maps, width, sizes[0]), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, middle, sizes[1]), nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = conv(middle, width, sizes[2]), nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.silu(self.bn1(functional.max_pool2d(self.conv1(x), 2)))
        y = functional.silu(self.bn2(self.conv2(x)))
        return x + functional.silu(self.bn3(self.conv3(y)))


class Speedrun(Network):
    """System H (model.py of NAVIER-STOKED)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad_(False)
        maps, groups = 24, []
        for width, middle, sizes in SPEEDRUN_GROUPS:
            groups.append(SpeedrunGroup(maps, width, middle, sizes))
            maps = width
        self.groups = nn.Sequential(*groups)
        self.logits = nn.Linear(maps, num_classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.groups(functional.silu(self.whitening(x)))
        return self.logits(x.amax((2, 3)) + x.mean((2, 3))) * (1.25 / 9)
