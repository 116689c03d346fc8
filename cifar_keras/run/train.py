"""Train one run: a recipe and a seed in a folder, started, resumed or already finished."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from cifar_keras import records
from cifar_keras.data import Dataset
from cifar_keras.distribute.devices import device_names, steps_between_checks
from cifar_keras.distribute.team import Team, team_of
from cifar_keras.errors import CifarKerasError, Interrupted, RunError
from cifar_keras.experiment import Experiment
from cifar_keras.experiment.steps import Diverged
from cifar_keras.models import multiply_adds
from cifar_keras.provenance import machine, versions
from cifar_keras.recipe import flat
from cifar_keras.run.callbacks import Agreement, Saver, Stopped, run_callbacks
from cifar_keras.run.checkpoint import Store
from cifar_keras.run.folder import Job, identity, locked, open_run, record
from cifar_keras.run.position import Position
from cifar_keras.run.result import finished_result, write_result
from cifar_keras.run.resume import begin_next_stage, restore, resume_epoch
from cifar_keras.run.signals import Signals
from cifar_keras.run.trackers import start_trackers
from cifar_keras.terminal import Bar

Record = Callable[..., None]


@dataclass(frozen=True)
class Every:
    """When to save within an epoch, besides at its end: every so many steps or seconds."""

    steps: int | None = None
    seconds: float | None = None


def train(
    job: Job, dataset: Dataset, strategy: tf.distribute.Strategy, every: Every
) -> records.Result:
    """Train to the end, resuming the folder's run; of a finished run only read the result.

    With several workers, all must call it with the same job. Only the chief worker reads and writes
    the folder.

    Raises:
        Interrupted: a worker received SIGINT or SIGTERM; the state is saved.
        RunError: the folder belongs to another run, is in use or cannot be written; the training
            diverged; or a worker is lost or trains something else.
        RecipeError: the recipe's network cannot be built.
        DeviceError: the devices do not support what the job asks for.
    """
    team = team_of(strategy)
    with team.whole(), ExitStack() as held:
        team.agree_on(_facts(job, dataset, strategy, every))
        result = team.by_chief("open the run folder", lambda: _open(job, dataset, held))
        if result is None:
            experiment = Experiment(
                job.recipe, dataset, job.seed, strategy, job.budget, job.jit, job.test_every
            )
            result = _train(job, dataset, experiment, every, team)
        return records.Result.model_validate(result)


def _train(
    job: Job, dataset: Dataset, experiment: Experiment, every: Every, team: Team
) -> dict[str, Any] | None:
    experiment.place = position = Position()
    plan, signals = experiment.plan, Signals()
    starts = [stage.start for stage in plan.stages if stage.start]
    store = Store(job.folder / records.CHECKPOINTS, starts, identity(job, dataset.provenance))
    with _recorded(job, dataset, experiment, position, signals, team, store) as event:
        restored = restore(job, experiment, position, store, team)
        event("resumed" if restored else "started")
        with signals.noted(), Bar() as bar:
            trackers = start_trackers(job, position) if team.chief else []
            asking = 1 if team.size == 1 else steps_between_checks(experiment.strategy)
            agreement = Agreement(team, signals, asking, every.seconds)
            saver = Saver(position, store, agreement, every.steps)
            callbacks = run_callbacks(job, experiment, position, trackers, saver, bar)
            callbacks = resume_epoch(experiment, position, restored, callbacks, saver)
            while True:
                for leg in plan.legs(position):
                    experiment.fit(leg, callbacks)
                if position.stage + 1 == len(plan.stages):
                    break
                begin_next_stage(experiment, position, store, team)

        def finish() -> dict[str, Any]:
            macs = multiply_adds(experiment.model, job.recipe.image_shape)
            images = len(dataset.test), job.recipe.data.validation
            result = write_result(job.folder, experiment.model, position.rows, *images, macs)
            event("finished")
            store.clear()
            for tracker in trackers:
                tracker.finish()
            return result.model_dump(mode="json")

        return team.by_chief("finish the run", finish)


def _facts(
    job: Job, dataset: Dataset, strategy: tf.distribute.Strategy, every: Every
) -> dict[str, Any]:
    """Return what must be the same on all workers."""
    return {
        **flat(job.recipe.settings()),
        "seed": job.seed,
        "budget": job.budget,
        "the data's content": dataset.provenance["content_sha256"],
        "--jit": job.jit,
        "--test-every": job.test_every,
        "the number of devices": len(strategy.extended.worker_devices),
        "--checkpoint-every": every.steps,
        **versions(),
    }


def _open(job: Job, dataset: Dataset, held: ExitStack) -> dict[str, Any] | None:
    """Lock the folder until `held` is closed; return the result of a finished run."""
    held.enter_context(locked(job.folder))
    records.check_same(job.folder, job.recipe, job.seed, job.budget, dataset.provenance)
    if result := finished_result(job.folder):
        return result.model_dump(mode="json")
    if (job.folder / records.RUN).exists():
        begun = records.read_run(job.folder).test_every
        if begun != job.test_every:
            raise RunError(
                f"'{job.folder}' holds an unfinished run that was started with {_testing(begun)}; "
                "resume it with that, or start over with --fresh. "
                f"Received: {_testing(job.test_every)}"
            )
    return None


def _testing(every: int) -> str:
    """Return the option that stands for `test_every`."""
    return f"--test-every {every}" if every else "--no-test"


@contextmanager
def _recorded(
    job: Job,
    dataset: Dataset,
    experiment: Experiment,
    position: Position,
    signals: Signals,
    team: Team,
    store: Store,
) -> Iterator[Record]:
    """Record events in run.json: those passed to the yielded function, and how this ends."""
    devices = device_names(experiment.strategy)
    here = machine(devices, experiment.model.jit_compile)

    def event(kind: str, note: str | None = None) -> None:
        if team.chief:
            record(job.folder, kind, position, here, note)

    inputs = experiment.inputs.record()
    team.by_chief("write run.json", lambda: open_run(job, dataset.provenance, devices, inputs))
    try:
        yield event
    except Stopped:
        event("interrupted")
        raise Interrupted(
            f"interrupted after step {position.step} of stage {position.stage + 1}; "
            "the state is saved",
            signals.received or 0,
        ) from None
    except Diverged as error:
        message = _divergence(experiment, str(error), bool(store.paths()))
        event("failed", message)
        raise RunError(message) from None
    except CifarKerasError:
        raise
    except Exception as error:
        event("failed", f"{type(error).__name__}: {error}")
        raise


def _divergence(experiment: Experiment, reason: str, saved: bool) -> str:
    """Return the message about a run that diverged."""
    place = experiment.place
    epoch, step = divmod(place.step - 1, experiment.plan.pace.per_epoch)
    kept = "the last good checkpoint is kept" if saved else "no checkpoint was saved before"
    rate = float(experiment.model.optimizer.learning_rate.numpy())
    return (
        f"{reason} at epoch {epoch + 1}, step {step + 1} (stage {place.stage + 1}), with "
        f"learning rate {rate:.4g}; {kept}; lower the learning rate, or inspect the data"
    )
