"""Systems A and B in MXNet's operators, written from the descriptions of their sources.

A network is a function of the images and a `Net`, which holds the variables by Keras' names.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import mxnet as mx
import numpy as np
from layout import Arrays, channels_first, filters_first, filters_last

STATISTICS = ("moving_mean", "moving_variance")


def tensor(array: np.ndarray) -> mx.nd.NDArray:
    """Convert an array and keep its dtype, which `mx.nd.array` alone does not."""
    return mx.nd.array(array, dtype=array.dtype)


class Net:
    """The variables of a network, with its layers as methods."""

    def __init__(self, weights: Arrays, slopes: Arrays) -> None:
        self.variables = {name: tensor(_theirs(name, w)) for name, w in weights.items()}
        self.slopes = {name: tensor(channels_first(s)) for name, s in slopes.items()}
        for _, variable in self.trainable():
            variable.attach_grad()
        self.used: set[str] = set()

    def trainable(self) -> Iterator[tuple[str, mx.nd.NDArray]]:
        """Yield the variables that have a gradient, with their names."""
        for name, variable in self.variables.items():
            if not name.endswith(STATISTICS):
                yield name, variable

    def values(self) -> Arrays:
        """Return the values of the variables in Keras' layout."""
        # MXNet writes moving statistics asynchronously.
        mx.nd.waitall()
        return {name: _ours(name, v.asnumpy()) for name, v in self.variables.items()}

    def gradients(self) -> Arrays:
        """Return the gradients of the last backward pass in Keras' layout."""
        return {name: _ours(name, v.grad.asnumpy()) for name, v in self.trainable()}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Assert that every variable is used inside the context."""
        self.used.clear()
        yield
        unused = set(self.variables) - self.used
        assert not unused, f"the reference does not use {sorted(unused)}"

    def get(self, name: str) -> mx.nd.NDArray:
        """Return the variable of this name."""
        self.used.add(name)
        return self.variables[name]

    def conv(
        self, x: mx.nd.NDArray, name: str, size: int, stride: int, bias: bool
    ) -> mx.nd.NDArray:
        """Apply a convolution, padded on all sides by half the kernel size."""
        kernel = self.get(f"{name}/kernel")
        inputs = (x, kernel, self.get(f"{name}/bias")) if bias else (x, kernel)
        return mx.nd.Convolution(
            *inputs,
            num_filter=kernel.shape[0],
            kernel=(size, size),
            stride=(stride, stride),
            pad=(size // 2, size // 2),
            no_bias=not bias,
        )

    def batch_norm(
        self, x: mx.nd.NDArray, name: str, epsilon: float, momentum: float, gamma: bool = True
    ) -> mx.nd.NDArray:
        """Apply batch norm; without gamma, use MXNet's `fix_gamma`."""
        beta = self.get(f"{name}/beta")
        return mx.nd.BatchNorm(
            x,
            self.get(f"{name}/gamma") if gamma else mx.nd.ones_like(beta),
            beta,
            *(self.get(f"{name}/{each}") for each in STATISTICS),
            eps=epsilon,
            momentum=momentum,
            fix_gamma=not gamma,
        )

    def dense(self, x: mx.nd.NDArray, name: str) -> mx.nd.NDArray:
        """Apply a fully connected layer with a bias."""
        kernel, bias = self.get(f"{name}/kernel"), self.get(f"{name}/bias")
        return mx.nd.FullyConnected(x, kernel, bias, num_hidden=kernel.shape[0])


def _theirs(name: str, value: np.ndarray) -> np.ndarray:
    return filters_first(value) if name.endswith("/kernel") else value


def _ours(name: str, value: np.ndarray) -> np.ndarray:
    return filters_last(value) if name.endswith("/kernel") else value


# The CIFAR-100 notebook of apache/mxnet@011bde4d: filters of the 1x1, of (3x3 reduction, 3x3), of
# (double reduction, double), pooling, and filters of its projection.
INCEPTION = [
    ("3a", 64, (64, 64), (64, 96), "avg", 32),
    ("3b", 64, (64, 96), (64, 96), "avg", 64),
    ("3c", None, (128, 160), (64, 96), "max", None),
    ("4a", 224, (64, 96), (96, 128), "avg", 128),
    ("4b", 192, (96, 128), (96, 128), "avg", 128),
    ("4c", 160, (128, 160), (128, 160), "avg", 128),
    ("4d", 96, (128, 192), (160, 192), "avg", 128),
    ("4e", None, (128, 192), (192, 256), "max", None),
    ("5a", 352, (192, 320), (160, 224), "avg", 128),
    ("5b", 352, (192, 320), (192, 224), "max", 128),
]


def inception(net: Net, x: mx.nd.NDArray) -> mx.nd.NDArray:
    """Return system A's logits; in training, negative values get the slopes of the net."""

    def unit(x: mx.nd.NDArray, name: str, filters: int, size: int, stride: int) -> mx.nd.NDArray:
        x = net.conv(x, f"{name}_conv", size, stride, bias=True)
        assert x.shape[1] == filters, name
        x = net.batch_norm(x, f"{name}_bn", epsilon=1e-10, momentum=0.1)
        if mx.autograd.is_training():
            return mx.nd.where(x > 0, x, x * net.slopes[f"{name}_rrelu"])
        # It returns a mask too, which is empty.
        return mx.nd.LeakyReLU(x, act_type="rrelu", lower_bound=0.125, upper_bound=0.334)[0]

    for place, single, triple, double, pool, projection in INCEPTION:
        name, stride = f"module{place}", 1 if single else 2
        branches = [unit(x, f"{name}_single", single, 1, 1)] if single else []
        y = unit(x, f"{name}_triple_reduce", triple[0], 1, 1)
        branches.append(unit(y, f"{name}_triple", triple[1], 3, stride))
        y = unit(x, f"{name}_double_reduce", double[0], 1, 1)
        y = unit(y, f"{name}_double_1", double[1], 3, 1)
        branches.append(unit(y, f"{name}_double_2", double[1], 3, stride))
        y = pooling(x, pool, stride)
        branches.append(unit(y, f"{name}_projection", projection, 1, 1) if projection else y)
        x = mx.nd.concat(*branches, dim=1)
    return net.dense(mx.nd.Pooling(x, pool_type="avg", kernel=(7, 7)), "logits")


def resnet(net: Net, x: mx.nd.NDArray, depth: int) -> mx.nd.NDArray:
    """Return the logits of system B without pretraining (resnext.py of apache/mxnet@703e8eeb)."""

    def norm(x: mx.nd.NDArray, name: str, gamma: bool = True) -> mx.nd.NDArray:
        return net.batch_norm(x, name, epsilon=2e-5, momentum=0.9, gamma=gamma)

    x = net.conv(norm(x, "input_bn", gamma=False), "stem_conv", 3, 1, bias=False)
    for stage in (1, 2, 3):
        for block in range(1, (depth - 2) // 6 + 1):
            name = f"stage{stage}_block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            side = x
            if block == 1:
                side = net.conv(x, f"{name}_shortcut_conv", 1, stride, bias=False)
                side = norm(side, f"{name}_shortcut_bn")
            y = norm(net.conv(x, f"{name}_1_conv", 3, stride, bias=False), f"{name}_1_bn")
            y = net.conv(mx.nd.relu(y), f"{name}_2_conv", 3, 1, bias=False)
            x = mx.nd.relu(norm(y, f"{name}_2_bn") + side)
    return net.dense(mx.nd.Pooling(x, pool_type="avg", kernel=(8, 8)), "logits")


def pooling(x: mx.nd.NDArray, kind: str, stride: int) -> mx.nd.NDArray:
    """Apply 3x3 pooling as in September 2015: sizes rounded up, averages without the padding."""
    return mx.nd.Pooling(
        x,
        pool_type=kind,
        kernel=(3, 3),
        stride=(stride, stride),
        pad=(1, 1) if stride == 1 else (0, 0),
        pooling_convention="full",
        count_include_pad=False,
    )


NETWORKS = {"inception": inception, "resnet": resnet}
