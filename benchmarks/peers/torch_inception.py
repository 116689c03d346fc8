"""System A in PyTorch, as ordinary modules."""

import torch
from torch import nn

from benchmarks.peers.shapes import INCEPTION_MODULES, RRELU
from benchmarks.peers.torch_networks import Network


class Unit(nn.Sequential):
    """A convolution with batch norm and RReLU."""

    def __init__(self, maps: int, filters: int, size: int, stride: int = 1) -> None:
        # PyTorch's momentum is the weight of the new statistic.
        norm = nn.BatchNorm2d(filters, eps=1e-10, momentum=0.9)
        super().__init__(
            nn.Conv2d(maps, filters, size, stride, size // 2), norm, nn.RReLU(*RRELU, inplace=True)
        )


class Module(nn.Module):
    """Three or four parallel branches."""

    def __init__(
        self,
        maps: int,
        single: int,
        triple: tuple[int, int],
        double: tuple[int, int],
        pool: str,
        projection: int,
    ) -> None:
        super().__init__()
        stride = 1 if single else 2
        branches: list[nn.Module] = [Unit(maps, single, 1)] if single else []
        branches.append(nn.Sequential(Unit(maps, triple[0], 1), Unit(*triple, 3, stride)))
        first = [Unit(maps, double[0], 1), Unit(*double, 3)]
        branches.append(nn.Sequential(*first, Unit(double[1], double[1], 3, stride)))
        # Windows are clipped at the border, and averages do not count the padding.
        places = {"kernel_size": 3, "stride": stride, "padding": 2 - stride, "ceil_mode": True}
        if pool == "average":
            pooled: nn.Module = nn.AvgPool2d(**places, count_include_pad=False)
        else:
            pooled = nn.MaxPool2d(**places)
        branches.append(nn.Sequential(pooled, Unit(maps, projection, 1)) if projection else pooled)
        self.branches = nn.ModuleList(branches)
        self.maps = single + triple[1] + double[1] + (projection or maps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Inception(Network):
    """System A (the CIFAR-100 notebook of apache/mxnet@011bde4d)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        maps, modules = 3, []
        for _, *shape in INCEPTION_MODULES:
            modules.append(Module(maps, *shape))
            maps = modules[-1].maps
        self.modules_ = nn.Sequential(*modules)
        self.logits = nn.Linear(maps, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(self.modules_(x).mean((2, 3)))
