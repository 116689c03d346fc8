from typing import get_args

import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.recipe.schema import Precision
from cifar_keras.verify import network

# Margins of 8, 4, 0.0004 and 0.004. A 10,000th of the largest logit is 0.001.
LOGITS = np.array([[10.0, 2.0], [1.0, 5.0], [3.0004, 3.0], [3.004, 3.0]])
LABELS = np.array([0, 1, 0, 0])


def test_an_image_is_nearly_a_tie_within_a_10_000th_of_the_largest_logit():
    assert network.near_ties(LOGITS, network.NEAR["float32"]) == 1


@pytest.mark.parametrize(
    ("stated", "exact", "state"),
    [(4, True, "holds"), (3, True, "FAILS"), (3, False, "holds"), (2, False, "FAILS")],
)
def test_other_machines_may_differ_by_the_near_ties_and_this_one_may_not(stated, exact, state):
    near = None if exact else network.NEAR["float32"]
    assert network.count_check("count", stated, LOGITS, LABELS, near).state == state


@pytest.mark.parametrize(("precision", "ties"), [("mixed_float16", 2), ("mixed_bfloat16", 2)])
def test_in_half_precision_more_is_nearly_a_tie(precision, ties):
    assert network.near_ties(LOGITS, network.NEAR[precision]) == ties


def test_every_precision_has_its_tolerances():
    assert list(network.NEAR) == list(network.NEAR_LOSS) == list(get_args(Precision))


@pytest.mark.parametrize("changed", ["versions", "this_machine"])
def test_a_run_that_ended_elsewhere_is_not_of_the_same_machine(trained, monkeypatch, changed):
    run = records.read_run(trained[0])
    assert network.same_machine(run.finish)

    monkeypatch.setattr(network, changed, lambda *_: {"cpu": "another", "keras": "another"})

    assert not network.same_machine(run.finish)


def test_a_run_that_was_compiled_is_not_of_the_same_machine(trained):
    run = records.read_run(trained[0])
    run.finish.machine["jit"] = True

    assert not network.same_machine(run.finish)


def test_a_run_that_does_not_say_whether_it_was_compiled_may_be_of_the_same_machine(trained):
    run = records.read_run(trained[0])
    del run.finish.machine["jit"]

    assert network.same_machine(run.finish)
