# The same weights and batches must give the same steps with the recipe's network, loss and
# optimizer together. The tests compare the change of each variable: three steps without weight
# decay would hardly show in the weights themselves. They use float64, like the gradients in
# test_networks.py.
from dataclasses import dataclass

import numpy as np
import pytest

from parity import ours
from parity.exchange import ask
from parity.references.layout import prefixed

MXNET_SGD = {"momentum": 0.9, "wd": 1e-4, "rescale_grad": 1 / 8}
PEAK_OF_G = 11.5 / 1024 * 0.15 / 1.15


@dataclass(frozen=True)
class Case:
    """A recipe with learning rates and the settings of its reference."""

    system: str
    what: str
    recipe: str
    framework: str
    batch: int
    deviation: float
    rates: tuple[float, ...]
    settings: dict
    overrides: tuple[str, ...] = ()


CASES = {
    "A": Case(
        "A",
        "SGD, momentum 0.9, weight decay on all variables",
        "inception_rrelu",
        "mxnet",
        8,
        64,
        (0.05, 0.05, 0.01),
        {"name": "inception", "optimizer": "sgd", "options": MXNET_SGD},
    ),
    "B": Case(
        "B",
        "Adadelta, depth 20",
        "resnet110_adadelta",
        "mxnet",
        32,
        64,
        (1.0, 1.0, 1.0),
        {
            "name": "resnet",
            "depth": 20,
            "optimizer": "adadelta",
            "options": {"rho": 0.9, "epsilon": 1e-5, "wd": 0.0, "rescale_grad": 1 / 32},
        },
        ("model.depth=20",),
    ),
    "D": Case(
        "D",
        "SGD, torch form",
        "vgg_bn_dropout",
        "torch",
        32,
        0.5,
        (0.01, 0.01, 0.005),
        {
            "name": "vgg",
            "batch_norm": True,
            "shared": False,
            "optimizer": "sgd_of_vgg",
            "smoothing": 0.0,
            "reduction": "mean",
            "trained": {},
        },
    ),
    # The whitening bias is trained for three epochs; the fourth step comes after them.
    "G": Case(
        "G",
        "Nesterov, three groups, summed loss, whitening bias frozen at the end",
        "airbench94",
        "torch",
        32,
        1,
        (0.2 * PEAK_OF_G, 0.6 * PEAK_OF_G, PEAK_OF_G, 0.9 * PEAK_OF_G),
        {
            "name": "airbench",
            "optimizer": "sgd_of_airbench",
            "smoothing": 0.2,
            "reduction": "sum",
            "trained": {"whitening/kernel": 0, "whitening/bias": 3},
        },
        ("optimizer.loss_factor=32",),
    ),
    "H": Case(
        "H",
        "Muon and Nesterov",
        "speedrun100",
        "torch",
        16,
        1,
        (0.1, 0.5, 1.0),
        {
            "name": "speedrun",
            "optimizer": "muon_of_speedrun",
            "smoothing": 0.25,
            "reduction": "mean",
            "trained": {"whitening/kernel": 0},
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_variables_change_as_in_the_original(name, agree):
    case = CASES[name]
    recipe = ours.recipe(case.recipe, *case.overrides)
    images, labels = batches(case, recipe)
    with ours.precision("float64"):
        model = ours.made(recipe)
        ours.set_alive(model, images[0])
        slopes, before = ours.slopes(model, case.batch), ours.values(model)
        question = {
            "images": images,
            "labels": labels,
            "rates": np.array(case.rates),
            **prefixed("weights", before),
            **prefixed("slopes", slopes),
        }
        theirs = ask(case.framework, "steps", question, **case.settings)
        with ours.injected(model, slopes):
            mine = ours.steps(model, images, labels, case.rates)

    what = f"{case.what}: changes of the variables in {len(case.rates)} steps, float64"
    changes = [{key: after[key] - before[key] for key in before} for after in (mine, theirs)]
    agree(case.system, what, case.framework, *changes)


def batches(case, recipe):
    draw = np.random.default_rng(3)
    side, count = recipe.data.crop, len(case.rates)
    images = case.deviation * draw.standard_normal((count, case.batch, side, side, 3))
    return images, draw.integers(0, recipe.num_classes, (count, case.batch))
