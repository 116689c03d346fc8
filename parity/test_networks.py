# The same weights and images must give the same logits, gradients and moving statistics.
from dataclasses import dataclass, field

import numpy as np
import pytest

from parity import ours
from parity.exchange import ask
from parity.references.layout import prefixed, under


@dataclass(frozen=True)
class Case:
    """A recipe with the name and settings of its reference network."""

    system: str
    recipe: str
    framework: str
    network: str
    batch: int
    # About the standard deviation of the pixels after the recipe's normalization.
    deviation: float
    settings: dict = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    side: int | None = None
    # Suffix of the biases that a batch norm right after the convolution cancels.
    redundant: str = "no bias"


CASES = {
    "A": Case(
        "A",
        "inception_rrelu",
        "mxnet",
        "inception",
        batch=8,
        deviation=64,
        redundant="_conv/bias",
    ),
    "B": Case(
        "B (depth 20)",
        "resnet110_adadelta",
        "mxnet",
        "resnet",
        32,
        64,
        {"depth": 20},
        ("model.depth=20",),
    ),
    "C": Case("C", "resnet20", "torch", "resnet_neon", 32, 64, {"smoothing": 0.0, "depth": 20}),
    "D": Case(
        "D",
        "vgg_bn_dropout",
        "torch",
        "vgg",
        32,
        0.5,
        {"smoothing": 0.0, "batch_norm": True, "shared": False},
        redundant="_conv/bias",
    ),
    "D shared": Case(
        "D (plain, shared)",
        "vgg_plain",
        "torch",
        "vgg",
        32,
        0.5,
        {"smoothing": 0.0, "batch_norm": False, "shared": True},
    ),
    "G": Case("G", "airbench94", "torch", "airbench", 32, 1, {"smoothing": 0.2}),
    "H": Case("H", "speedrun100", "torch", "speedrun", 32, 1, {"smoothing": 0.25}),
    "H 20": Case(
        "H (20x20)", "speedrun100", "torch", "speedrun", 32, 1, {"smoothing": 0.25}, side=20
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def answers(case):
    """Return our results and the reference's for the same weights and batch."""
    return both(case, "float32")


def both(case, precision):
    recipe = ours.recipe(case.recipe, *case.overrides)
    draw = np.random.default_rng(2)
    side = case.side or recipe.data.crop
    images = case.deviation * draw.standard_normal((case.batch, side, side, 3))
    images = images.astype(precision)
    labels = draw.integers(0, recipe.num_classes, case.batch)
    with ours.precision(precision):
        model = ours.made(recipe)
        ours.set_alive(model, images)
        slopes = ours.slopes(model, case.batch)
        question = {
            "images": images,
            "labels": labels,
            **prefixed("weights", ours.values(model)),
            **prefixed("slopes", slopes),
        }
        theirs = ask(case.framework, "network", question, name=case.network, **case.settings)
        with ours.injected(model, slopes):
            return ours.passes(model, images, labels), theirs


@pytest.mark.parametrize("mode", ["test", "training"])
def test_logits_are_the_originals(case, answers, mode, agree):
    mine, theirs = answers

    agree(case.system, f"logits, {mode}", case.framework, mine[mode], theirs[mode])


# In float64, because in float32 some of a million values after a batch norm are so close to zero
# that their sign, and so a gradient, depends on rounding.
def test_gradients_are_the_originals(case, agree):
    mine, theirs = (under("gradients", each) for each in both(case, "float64"))

    # In exact arithmetic the gradient of a redundant bias is zero, so its rounding error is
    # compared with the gradient of its kernel.
    scales = {
        name: np.abs(theirs[name.replace("/bias", "/kernel")]).max()
        for name in theirs
        if name.endswith(case.redundant)
    }
    theirs = {name: theirs[name] for name in mine}
    agree(case.system, "gradients, float64", case.framework, mine, theirs, scales)


def test_moving_statistics_are_the_originals(case, answers, agree):
    mine, theirs = (
        {name: value for name, value in under("after", each).items() if "/moving_" in name}
        for each in answers
    )
    if not mine:
        pytest.skip("no batch norm")

    agree(case.system, "moving statistics after a step", case.framework, mine, theirs)
