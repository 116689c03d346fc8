"""PyTorch: a plain training loop that crops and flips batches held in memory.

python -m benchmarks.peers.pytorch FAMILY FOLDER [--nchw] [--compile] [--autocast | --products]
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

# Parity's reference optimizers, which are on the path.
from torch_optimizers import muon_of_speedrun, sgd_of_airbench, sgd_of_vgg

from benchmarks.families import EVALUATED_AT_ONCE, FAMILIES, Family
from benchmarks.peers.arrays import Arrays, read
from benchmarks.peers.service import Case, serve, timed
from benchmarks.peers.torch_inception import Inception
from benchmarks.peers.torch_networks import Airbench, Network, ResNet, Speedrun, Vgg

Step = Callable[[float], None]


def sgd(net: Network) -> Step:
    """Return SGD with a weight decay of 1e-4, for systems A and C."""
    rule = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def step(rate: float) -> None:
        rule.param_groups[0]["lr"] = rate
        rule.step()

    return step


# Network, optimizer, learning rate, and the reduction of the loss.
TRAINED: dict[str, tuple[Callable[[int], Network], Callable[[Any], Step], float, str]] = {
    "resnet20": (partial(ResNet, depth=20), sgd, 0.1, "mean"),
    "resnet110": (partial(ResNet, depth=110), sgd, 0.01, "mean"),
    "airbench94": (Airbench, sgd_of_airbench, 3e-4, "sum"),
    "speedrun100": (Speedrun, muon_of_speedrun, 0.1, "mean"),
    "vgg_bn_dropout": (Vgg, sgd_of_vgg, 0.01, "mean"),
    "inception_rrelu": (Inception, sgd, 0.05, "mean"),
}
SMOOTHING = {"airbench94": 0.2, "speedrun100": 0.25}


def main() -> None:
    """Serve one family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nchw", action="store_true")
    parser.add_argument("--compile", action="store_true")
    bfloat16 = parser.add_mutually_exclusive_group()
    bfloat16.add_argument("--autocast", action="store_true", help="bfloat16 maps and products")
    bfloat16.add_argument("--products", action="store_true", help="bfloat16 products only")
    options = parser.parse_args()
    serve(lambda: _made(options))


def _made(options: argparse.Namespace) -> tuple[Mapping[str, Case], dict[str, Any]]:
    torch.manual_seed(1)
    if options.products:
        for operators in (torch.backends.mkldnn.conv, torch.backends.mkldnn.matmul):
            operators.fp32_precision = "bf16"
    family = FAMILIES[options.family]
    layout = torch.contiguous_format if options.nchw else torch.channels_last
    batches = Batches(family, read(options.folder), layout)
    trainer = Trainer(family, layout, options.compile, options.autocast)
    cases: dict[str, Case] = {}
    for size in family.sizes:
        cases[family.case(size)] = timed(lambda n, s=size: trainer.train(batches, s, n))
    cases["evaluate"] = timed(lambda n: trainer.evaluate(batches, n))
    cases["pipeline"] = timed(lambda n: [batches.next(family.crop) for _ in range(n)])
    return cases, {
        "versions": {"torch": torch.__version__},
        "threads": torch.get_num_threads(),
        "mkldnn": torch.backends.mkldnn.is_available(),
    }


class Batches:
    """Shuffled images, each cropped and flipped independently, and test images in order."""

    def __init__(self, family: Family, arrays: Arrays, layout: torch.memory_format) -> None:
        self.family, self.layout = family, layout
        side = [(0, 0), (family.pad, family.pad), (family.pad, family.pad), (0, 0)]
        images = np.pad(arrays.train_images, side, mode="reflect") if family.pad else None
        self.images = torch.from_numpy(arrays.train_images if images is None else images)
        self.labels = torch.from_numpy(arrays.train_labels)
        margin = (arrays.test_images.shape[1] - family.crop) // 2
        inner = slice(margin, margin + family.crop)
        self.tests = torch.from_numpy(arrays.test_images[:, inner, inner].copy())
        self.mean, self.deviation = map(torch.from_numpy, (arrays.mean, arrays.deviation))
        self.order, self.place = torch.randperm(len(self.labels)), 0

    def next(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next batch at this size."""
        family = self.family
        if self.place + family.batch_size > len(self.order):
            self.order, self.place = torch.randperm(len(self.labels)), 0
        chosen = self.order[self.place : self.place + family.batch_size]
        self.place += family.batch_size
        freedom = self.images.shape[1] - family.crop + 1
        corners = torch.randint(freedom, (len(chosen), 2, 1))
        forth = torch.arange(family.crop)
        flipped = torch.rand(len(chosen), 1) < 0.5
        across = corners[:, 1] + torch.where(flipped, family.crop - 1 - forth, forth)
        rows = corners[:, 0] + forth
        pixels = self.images[chosen[:, None, None], rows[:, :, None], across[:, None, :]]
        images = self._prepared(pixels)
        if size != family.crop:
            images = functional.interpolate(
                images, (size, size), mode="bilinear", antialias=True, align_corners=False
            ).contiguous(memory_format=self.layout)
        return images, self.labels[chosen]

    def test(self, place: int) -> torch.Tensor:
        """Return the batch of test images at index `place`."""
        first = place * EVALUATED_AT_ONCE % len(self.tests)
        return self._prepared(self.tests[first : first + EVALUATED_AT_ONCE])

    def _prepared(self, pixels: torch.Tensor) -> torch.Tensor:
        images = (pixels.float() - self.mean) / self.deviation
        return images.permute(0, 3, 1, 2).contiguous(memory_format=self.layout)


class Trainer:
    """A network with its optimizer. Its parameters are float32 in any precision."""

    def __init__(
        self, family: Family, layout: torch.memory_format, compile_it: bool, autocast: bool = False
    ) -> None:
        network, optimizer, self.rate, reduction = TRAINED[family.name]
        net = network(family.num_classes).to(memory_format=layout)
        self.step = optimizer(net)
        self.net = torch.compile(net, dynamic=False) if compile_it else net
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=autocast)
        smoothing = SMOOTHING.get(family.name, 0.0)
        self.loss = torch.nn.CrossEntropyLoss(reduction=reduction, label_smoothing=smoothing)

    def train(self, batches: Batches, size: int, steps: int) -> None:
        """Make steps, and read the loss after each."""
        self.net.train()
        for _ in range(steps):
            images, labels = batches.next(size)
            self.net.zero_grad()
            with self.autocast:
                loss = self.loss(self.net(images), labels)
            loss.backward()
            self.step(self.rate)
            loss.item()

    def evaluate(self, batches: Batches, steps: int) -> None:
        """Evaluate batches of test images."""
        self.net.eval()
        with torch.inference_mode(), self.autocast:
            for place in range(steps):
                self.net(batches.test(place)).argmax(1).sum().item()


if __name__ == "__main__":
    main()
