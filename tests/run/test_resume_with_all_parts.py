from dataclasses import replace
from itertools import pairwise

import pytest

from cifar_keras.errors import Interrupted
from cifar_keras.recipe import load_recipe, recipes_folder


@pytest.fixture
def elaborate(job):
    """Muon beside groups, lookahead, images that grow, flips that alternate, squares cut out."""
    sgd = (
        "{name: sgd, form: torch, momentum: 0.9, nesterov: true, weight_decay: 1.0e-4,"
        " decayed: kernels, loss_factor: 16, groups: ["
        "{variables: bn/beta, rate: 3, weight_decay: 0, schedule: {kind: until, epochs: 1.5}},"
        "{variables: logits/bias, rate: 1, weight_decay: 0,"
        " schedule: {kind: inverse, gamma: 0.1, power: 0.75}}]}"
    )
    overrides = [
        "dataset=synthetic10",
        "model={name: noisy, width: 8}",
        "data.batch_size=16",
        "data.last_batch=drop",
        "data.flip=alternating",
        "data.cutout=8",
        "data.sizes=[[0.3, 20], [0.6, 24], [1, 32]]",
        "optimizer={name: muon, variables: conv/kernel, rate: 5, momentum: 0.6,"
        f" newton_schulz_steps: 3, others: {sgd}}}",
        "lookahead={every: 3, decay: 0.9, power: 2}",
        "stages=[{epochs: 2.5, start: scratch, frozen: [], schedule: {kind: linear,"
        " learning_rate: 0.005, knots: [[0, 0], [0.25, 1], [1, 0]]}}]",
        "reference=null",
    ]
    return replace(job, recipe=load_recipe(recipes_folder() / "resnet20.yaml", overrides))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Where the uninterrupted run of both tests goes, made by the first."""
    return tmp_path_factory.mktemp("whole") / "noisy" / "seed-3"


# 5 steps an epoch, 13 in all: sizes change at steps 4 and 8, copies meet every third step.
@pytest.mark.slow
@pytest.mark.parametrize("stops", [(2, 6, 12), (4, 8)])
def test_muon_lookahead_and_growing_images_resume_exactly(
    monkeypatch, elaborate, whole, dataset, stops, same_bits, go, stop_at
):
    go(replace(elaborate, folder=whole), dataset)
    for before, stop in pairwise((0, *stops)):
        with monkeypatch.context() as patch:
            stop_at(patch, "on_train_batch_end", stop - before)
            with pytest.raises(Interrupted, match=f"after step {stop} of stage 1"):
                go(elaborate, dataset)

    go(elaborate, dataset)

    same_bits(elaborate.folder, whole)
