"""MXNet 1.9.1, for system A: hybridized Gluon, with crop and flip in the batch loop.

    python -m benchmarks.peers.mxnet_peer inception_rrelu FOLDER

MXNet's RReLU crashes in training on CPUs (apache/mxnet, issues 12894 and 14447), so other operators
draw and apply the slopes.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, loss, nn

from benchmarks.families import EVALUATED_AT_ONCE, FAMILIES, Family
from benchmarks.peers.arrays import Arrays, read
from benchmarks.peers.service import Case, serve, timed
from benchmarks.peers.shapes import INCEPTION_MODULES, RRELU

# Batch size for the test images: the fastest, and 500 would take 14 GiB.
AT_A_TIME = 50


class RReLU(HybridBlock):
    """Draw a slope for every element in training; use the mean slope at test time.

    A hybrid block is traced once, so the mode is an argument of the constructor.
    """

    def __init__(self, training: bool) -> None:
        super().__init__()
        self.training = training

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Multiply the negative values of the maps by their slopes."""
        slope: Any = sum(RRELU) / 2
        if self.training:
            low, high = RRELU
            slope = F.random.uniform_like(x, low=low, high=high)
        # Slopes are below 1, so this equals F.where and is faster.
        return F.maximum(x, x * slope)


class Module(HybridBlock):
    """Three or four parallel branches."""

    def __init__(
        self,
        single: int,
        triple: tuple[int, int],
        double: tuple[int, int],
        pool: str,
        projection: int,
        training: bool,
    ) -> None:
        super().__init__()
        stride = 1 if single else 2
        unit = partial(_unit, training)
        with self.name_scope():
            self.branches = [unit(single, 1)] if single else []
            self.branches.append(_stack(unit(triple[0], 1), unit(triple[1], 3, stride)))
            last = unit(double[1], 3, stride)
            self.branches.append(_stack(unit(double[0], 1), unit(double[1], 3), last))
            places = {"pool_size": 3, "strides": stride, "padding": 2 - stride, "ceil_mode": True}
            pooled = (
                nn.AvgPool2D(**places, count_include_pad=False)
                if pool == "average"
                else nn.MaxPool2D(**places)
            )
            self.branches.append(_stack(pooled, unit(projection, 1)) if projection else pooled)
            for branch in self.branches:
                self.register_child(branch)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Concatenate the maps of all branches."""
        return F.concat(*(branch(x) for branch in self.branches), dim=1)


def _stack(*blocks: HybridBlock) -> HybridBlock:
    stack = nn.HybridSequential()
    stack.add(*blocks)
    return stack


def _unit(training: bool, filters: int, size: int, stride: int = 1) -> HybridBlock:
    conv = nn.Conv2D(filters, size, stride, size // 2)
    return _stack(conv, nn.BatchNorm(momentum=0.1, epsilon=1e-10), RReLU(training))


def inception(num_classes: int, training: bool) -> HybridBlock:
    """Return system A (CIFAR-100 notebook of apache/mxnet@011bde4d), initialized and hybridized."""
    modules = [Module(*shape, training) for _, *shape in INCEPTION_MODULES]
    net = _stack(*modules, nn.GlobalAvgPool2D(), nn.Dense(num_classes))
    net.initialize(mx.init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def main() -> None:
    """Serve the family."""
    name, folder = sys.argv[1:]
    serve(lambda: _made(FAMILIES[name], read(Path(folder))))


def _made(family: Family, arrays: Arrays) -> tuple[Mapping[str, Case], dict[str, Any]]:
    peer = Peer(family, arrays)
    cases = {
        "train": timed(peer.train),
        "evaluate": timed(peer.evaluate),
        "pipeline": timed(peer.batches_alone),
    }
    return cases, {"versions": {"mxnet": mx.__version__, "numpy": np.__version__}}


class Peer:
    """The network, its optimizer and its batches, prepared in NumPy."""

    def __init__(self, family: Family, arrays: Arrays) -> None:
        self.family, self.arrays = family, arrays
        self.mean, self.deviation = arrays.mean, arrays.deviation
        self.draw = np.random.default_rng(1)
        self.net = inception(family.num_classes, training=True)
        # Only its speed matters, so it has its own weights.
        self.tested = inception(family.num_classes, training=False)
        rule = {"learning_rate": 0.05, "momentum": 0.9, "wd": 1e-4}
        self.trainer = mx.gluon.Trainer(self.net.collect_params(), "sgd", rule)
        self.loss = loss.SoftmaxCrossEntropyLoss()

    def batch(self) -> tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """Return a batch of training images, each cropped and flipped independently."""
        size, crop = self.family.batch_size, self.family.crop
        chosen = self.draw.integers(len(self.arrays.train_labels), size=size)
        corners = self.draw.integers(
            self.arrays.train_images.shape[1] - crop + 1, size=(2, size, 1)
        )
        forth = np.arange(crop)
        flipped = self.draw.random((size, 1)) < 0.5
        rows, across = corners[0] + forth, corners[1] + np.where(flipped, forth[::-1], forth)
        pixels = self.arrays.train_images[
            chosen[:, None, None], rows[:, :, None], across[:, None, :]
        ]
        return self._prepared(pixels), mx.nd.array(self.arrays.train_labels[chosen])

    def _prepared(self, pixels: np.ndarray) -> mx.nd.NDArray:
        images = (pixels.astype(np.float32) - self.mean) / self.deviation
        return mx.nd.array(images.transpose(0, 3, 1, 2))

    def train(self, steps: int) -> None:
        """Make steps, and read the loss after each."""
        for _ in range(steps):
            images, labels = self.batch()
            with mx.autograd.record():
                losses = self.loss(self.net(images), labels)
            losses.backward()
            self.trainer.step(self.family.batch_size)
            losses.mean().asscalar()
        mx.nd.waitall()

    def evaluate(self, steps: int) -> None:
        """Evaluate batches of test images."""
        crop = self.family.crop
        margin = (self.arrays.test_images.shape[1] - crop) // 2
        inner = slice(margin, margin + crop)
        for place in range(steps):
            first = place * EVALUATED_AT_ONCE % len(self.arrays.test_labels)
            for start in range(first, first + EVALUATED_AT_ONCE, AT_A_TIME):
                pixels = self.arrays.test_images[start : start + AT_A_TIME, inner, inner]
                self.tested(self._prepared(pixels)).argmax(axis=1).sum().asscalar()

    def batches_alone(self, steps: int) -> None:
        """Prepare batches without using them."""
        for _ in range(steps):
            self.batch()
        mx.nd.waitall()


if __name__ == "__main__":
    main()
