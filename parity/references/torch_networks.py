"""Systems C, D, G and H in PyTorch's modules, written from the descriptions of their sources.

Modules have the names of our layers, so that variables can be matched by name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from layout import Arrays, filters_first, filters_last
from torch import nn
from torch.nn import functional

# PyTorch's names -> Keras' names of variables, for batch norms and for all other layers.
NAMES = {"weight": "kernel", "bias": "bias"}
BATCH_NORM_NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


class Net(nn.Module):
    """A network that creates each layer at its first call, from the given weights."""

    def __init__(self, weights: Arrays) -> None:
        super().__init__()
        self.weights = weights
        self.layers = nn.ModuleDict()
        self.used: set[str] = set()

    def variables(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield parameters and statistics by Keras' names, if our network has them."""
        for name, layer in self.layers.items():
            for theirs, ours in _names(layer).items():
                if f"{name}/{ours}" in self.weights:
                    yield f"{name}/{ours}", getattr(layer, theirs)

    def values(self) -> Arrays:
        """Return all variables in Keras' layout."""
        return {name: _ours(name, variable.detach()) for name, variable in self.variables()}

    def gradients(self) -> Arrays:
        """Return the gradients of the last backward pass in Keras' layout."""
        return {
            name: _ours(name, variable.grad)
            for name, variable in self.variables()
            if variable.grad is not None
        }

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Assert that every given variable is used inside the context."""
        yield
        unused = set(self.weights) - {name for name, _ in self.variables()}
        assert not unused, f"the reference does not use {sorted(unused)}"

    def layer(self, name: str, kind: type[nn.Module], *arguments: Any, **more: Any) -> nn.Module:
        """Return the layer of this name, created at the first call with the given weights."""
        if name not in self.layers:
            made = self.layers[name] = kind(*arguments, **more).train(self.training)
            with torch.no_grad():
                for theirs, ours in _names(made).items():
                    key, variable = f"{name}/{ours}", getattr(made, theirs)
                    if key in self.weights:
                        variable.copy_(torch.from_numpy(_theirs(key, self.weights[key])))
                    else:
                        # Ours has no variable for it: a fixed gamma of 1.
                        assert ours == "gamma", f"{key} is not given"
                        variable.requires_grad_(False)
        return self.layers[name]

    def conv(
        self,
        x: torch.Tensor,
        name: str,
        filters: int,
        size: int,
        stride: int = 1,
        padding: int | str = "same",
        bias: bool = False,
    ) -> torch.Tensor:
        """Apply a convolution."""
        arguments = (x.shape[1], filters, size, stride, padding)
        return self.layer(name, nn.Conv2d, *arguments, bias=bias)(x)

    def dense(self, x: torch.Tensor, name: str, units: int, bias: bool) -> torch.Tensor:
        """Apply a linear layer."""
        return self.layer(name, nn.Linear, x.shape[1], units, bias)(x)


class NeonBatchNorm(nn.BatchNorm2d):
    """Batch norm with the biased running variance, as in neon (and MXNet)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        kept = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        values = x.numel() // x.shape[1]
        self.running_var = kept + (self.running_var - kept) * (values - 1) / values
        return y


def _names(layer: nn.Module) -> dict[str, str]:
    names = BATCH_NORM_NAMES if isinstance(layer, nn.BatchNorm2d) else NAMES
    return {theirs: ours for theirs, ours in names.items() if getattr(layer, theirs) is not None}


def _theirs(name: str, value: np.ndarray) -> np.ndarray:
    return filters_first(value) if name.endswith("/kernel") else value


def _ours(name: str, value: torch.Tensor) -> np.ndarray:
    array = value.numpy().copy()
    return filters_last(array) if name.endswith("/kernel") else array


def resnet_neon(net: Net, x: torch.Tensor, depth: int) -> torch.Tensor:
    """Return system C's logits (cifar10_msra.py of apark263/cfmz)."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return net.layer(name, NeonBatchNorm, x.shape[1], eps=1e-3, momentum=0.1)(x)

    x = functional.relu(norm(net.conv(x, "stem_conv", 16, 3, padding=1), "stem_bn"))
    for stage, filters in enumerate((16, 32, 64), start=1):
        for block in range(1, (depth - 2) // 6 + 1):
            name = f"stage{stage}_block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            side = x
            if stride == 2:
                side = net.conv(x, f"{name}_shortcut_conv", filters, 1, 2, padding=0)
            y = net.conv(x, f"{name}_1_conv", filters, 3, stride, padding=1)
            y = functional.relu(norm(y, f"{name}_1_bn"))
            y = norm(net.conv(y, f"{name}_2_conv", filters, 3, padding=1), f"{name}_2_bn")
            x = functional.relu(y + side)
    x = functional.avg_pool2d(x, 8).flatten(1)
    x = net.dense(x, "logits", 10, bias=False)
    return norm(x[:, :, None, None], "logits_bn").flatten(1)


def vgg(net: Net, x: torch.Tensor, batch_norm: bool, shared: bool) -> torch.Tensor:
    """Return system D's logits (Vgg.py of chenjz13/CIFAR-10_Pytorch), without dropout."""

    def block(x: torch.Tensor, conv: str, name: str, filters: int) -> torch.Tensor:
        x = net.conv(x, conv, filters, 3, padding=1, bias=True)
        if batch_norm:
            x = net.layer(f"{name}_bn", nn.BatchNorm2d, filters)(x)
        return functional.relu(x)

    for group, (filters, convs) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1
    ):
        for place in range(1, convs + 1):
            conv = f"group{group}_{place}_conv"
            if shared and group == 3 and place in (2, 3):
                conv = "group3_shared_conv"
            if shared and (group == 5 or (group == 4 and place in (2, 3))):
                conv = "group4_5_shared_conv"
            x = block(x, conv, f"group{group}_{place}", filters)
        x = functional.max_pool2d(x, 2)
    x = functional.relu(net.dense(x.flatten(1), "head_dense", 512, bias=True))
    return net.dense(x, "logits", 10, bias=True)


def airbench(net: Net, x: torch.Tensor) -> torch.Tensor:
    """Return system G's logits, from the network for 94 % (airbench94.py)."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return net.layer(name, nn.BatchNorm2d, x.shape[1], eps=1e-12, momentum=0.4)(x)

    x = functional.gelu(net.conv(x, "whitening", 24, 2, padding=0, bias=True))
    for group, filters in enumerate((64, 256, 256), start=1):
        name = f"group{group}"
        x = functional.max_pool2d(net.conv(x, f"{name}_1_conv", filters, 3), 2)
        x = functional.gelu(norm(x, f"{name}_1_bn"))
        x = net.conv(x, f"{name}_2_conv", filters, 3)
        x = functional.gelu(norm(x, f"{name}_2_bn"))
    x = functional.max_pool2d(x, 3).flatten(1)
    return net.dense(x, "logits", 10, bias=False) / 9


# model.py of NAVIER-STOKED: width, middle width, and kernel sizes of conv k1, conv_a and conv_b.
SPEEDRUN = ((64, 64, 3, 1, 1), (256, 192, 3, 3, 1), (768, 512, 2, 3, 3))


def speedrun(net: Net, x: torch.Tensor) -> torch.Tensor:
    """Return system H's logits (model.py of NAVIER-STOKED)."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.silu(net.layer(name, nn.BatchNorm2d, x.shape[1])(x))

    x = functional.silu(net.conv(x, "whitening", 24, 2, padding=0, bias=True))
    for group, (width, middle, size, size_a, size_b) in enumerate(SPEEDRUN, start=1):
        name = f"group{group}"
        x = functional.max_pool2d(net.conv(x, f"{name}_1_conv", width, size), 2)
        x = norm(x, f"{name}_1_bn")
        y = norm(net.conv(x, f"{name}_2_conv", middle, size_a), f"{name}_2_bn")
        x = x + norm(net.conv(y, f"{name}_3_conv", width, size_b), f"{name}_3_bn")
    x = x.amax((2, 3)) + x.mean((2, 3))
    return net.dense(x, "logits", 100, bias=False) * (1.25 / 9)


NETWORKS = {"resnet_neon": resnet_neon, "vgg": vgg, "airbench": airbench, "speedrun": speedrun}
