"""How a run resumes: restore its state, and finish an interrupted epoch."""

from functools import partial

import keras

from cifar_keras import records
from cifar_keras.distribute.team import Team
from cifar_keras.experiment import Experiment
from cifar_keras.experiment.steps import Logs
from cifar_keras.files import remove_leftovers
from cifar_keras.loss_scale import reset_optimizer
from cifar_keras.run.callbacks import Saver
from cifar_keras.run.checkpoint import (
    Snapshot,
    Store,
    decode,
    encode,
    restore_arrays,
    take_snapshot,
)
from cifar_keras.run.folder import Job
from cifar_keras.run.position import Position

_decoded = partial(decode, name="the chief worker's state")


def restore(
    job: Job, experiment: Experiment, position: Position, store: Store, team: Team
) -> Snapshot | None:
    """Restore the newest checkpoint and return it; without one, set the initial weights.

    All workers start from the chief worker's state, bit for bit.
    """

    def newest() -> Snapshot | None:
        remove_leftovers(job.folder)
        found = store.newest()
        if not found:
            experiment.initialize(job.weights)
        return found

    restored = team.by_chief("find a state to begin with", newest, encode, _decoded)
    state = restored
    if not restored and team.size > 1:
        initial = take_snapshot(experiment.model, position)
        state = team.by_chief("pass its state on", lambda: initial, encode, _decoded)
    if state:
        restore_arrays(experiment.model, state.arrays, ["model", "seeds", "optimizer"])
        position.go_to(state.position)
    if restored and team.chief:
        records.write_history(job.folder, position.rows)
    return restored


def begin_next_stage(experiment: Experiment, position: Position, store: Store, team: Team) -> None:
    """Start the next stage from the weights and statistics of an earlier state.

    The optimizer is reset. Random states continue, so that no noise is repeated.
    """
    position.stage, position.step = position.stage + 1, 0
    start = experiment.plan.stages[position.stage].start
    assert start is not None
    name = store.path(*start).name
    state = team.by_chief(f"read '{name}'", lambda: store.at(*start), encode, _decoded)
    assert state is not None
    restore_arrays(experiment.model, state.arrays, ["model"])
    reset_optimizer(experiment.model.optimizer)


def resume_epoch(
    experiment: Experiment,
    position: Position,
    restored: Snapshot | None,
    callbacks: list[keras.callbacks.Callback],
    saver: Saver,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks to resume with from the restored state.

    A run that was stopped within an epoch continues with the sums of its metrics. One that was
    stopped after the last step of an epoch, or in its test, first tests it; a signal during this
    test saves the restored state again.
    """
    if restored is None or position.step <= position.tested_step:
        return callbacks
    stage = experiment.plan.stages[position.stage]
    if position.step % experiment.plan.pace.per_epoch and position.step < stage.steps:
        return [*callbacks, UnfinishedMetrics(restored)]
    saver.before_test = restored
    experiment.end_epoch(position.logs, callbacks)
    return callbacks


class UnfinishedMetrics(keras.callbacks.Callback):
    """Restore the sums of an unfinished epoch's metrics after `fit` has reset them."""

    def __init__(self, restored: Snapshot) -> None:
        super().__init__()
        self.restored: Snapshot | None = restored

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.restored:
            restore_arrays(self.model, self.restored.arrays, ["metrics"])
            self.restored = None
