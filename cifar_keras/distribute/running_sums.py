"""The running sums of metrics, which each replica keeps separately."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.distribute.team import team_of


def read_sums(
    strategy: tf.distribute.Strategy, variables: Sequence[keras.Variable]
) -> list[NDArray[Any]]:
    """Return each variable's values; with several replicas those of each, (replicas, ...).

    They are not added up, because the sum would be rounded. With several workers, all must call
    this function.
    """
    team = team_of(strategy)
    found = []
    for variable in variables:
        here = np.stack([each.numpy() for each in _of_replicas_here(strategy, variable)])
        found.append(np.concatenate(team.of_all(here)))
    return [each if strategy.num_replicas_in_sync > 1 else each[0] for each in found]


def write_sums(
    strategy: tf.distribute.Strategy,
    variables: Sequence[keras.Variable],
    arrays: Sequence[NDArray[Any]],
) -> None:
    """Restore the values of `read_sums`; if the number of replicas differs, the first gets all."""
    for variable, array in zip(variables, arrays, strict=True):
        sharded = _sharded(array, len(variable.shape), strategy.num_replicas_in_sync)
        here = _of_replicas_here(strategy, variable)
        first = team_of(strategy).index * len(here)
        for number, each in enumerate(here, start=first):
            each.assign(sharded[number])


def _of_replicas_here(
    strategy: tf.distribute.Strategy, variable: keras.Variable
) -> tuple[tf.Variable, ...]:
    parts: tuple[tf.Variable, ...] = strategy.experimental_local_results(variable.value)
    return parts


def _sharded(array: NDArray[Any], rank: int, replicas: int) -> NDArray[Any]:
    values = array if array.ndim > rank else array[None]
    if len(values) == replicas:
        return values
    sharded = np.zeros((replicas, *values.shape[1:]), values.dtype)
    sharded[0] = values.sum(axis=0)
    return sharded
