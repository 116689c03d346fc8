"""A queue of runs: their progress, and the time left."""

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cifar_keras import records
from cifar_keras.errors import RecipeError, RunError
from cifar_keras.lengths import measured_seconds
from cifar_keras.listing import counted, duration, table
from cifar_keras.recipe import Recipe, altering, load_recipe, recipe_path, recipes_folder
from cifar_keras.run_list import Standing, standing

HEADER = ("recipe", "seed", "epoch", "test accuracy", "time left", "state")


@dataclass(frozen=True, eq=False)
class Queued:
    """A run to train; `given` is the recipe as the user named it, `path` its file."""

    given: str
    path: Path
    recipe: Recipe
    seed: int
    budget: str
    overrides: tuple[str, ...]
    folder: Path

    @property
    def label(self) -> str:
        """Recipe, precision and seed, for messages."""
        return f"{self.recipe.named(self.path.stem)} seed {self.seed}"

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return (self.folder / records.RESULT).exists()

    @property
    def standing(self) -> Standing | None:
        """The progress of the run; None if it has not started."""
        if not (self.folder / records.RUN).exists():
            return None
        return standing(self.folder, records.read_run(self.folder))


def queue(
    recipes: Sequence[str],
    seeds: Sequence[int],
    run_dir: Path,
    budget: str = "1",
    overrides: Sequence[str] = (),
) -> list[Queued]:
    """Return the runs of each recipe with each seed, in this order and without duplicates.

    Raises:
        RecipeError: recipes are unknown or have mistakes, or two would use the same folder.
    """
    runs: dict[Path, Queued] = {}
    mistakes = []
    for given in dict.fromkeys(recipes):
        try:
            path = recipe_path(given)
            recipe = load_recipe(path, overrides)
        except RecipeError as error:
            mistakes.append(str(error))
            continue
        changed = tuple(altering(overrides))
        for seed in seeds:
            name = records.run_name(path.stem, seed, budget, changed, recipe.precision)
            run = Queued(given, path, recipe, seed, budget, changed, run_dir / name)
            other = runs.setdefault(run.folder, run)
            if other.path.resolve() != path.resolve():
                mistakes.append(
                    f"recipes '{other.given}' and '{given}' would both train in '{run.folder}'; "
                    "rename one of the files"
                )
    if mistakes:
        raise RecipeError("\n".join(mistakes))
    return list(runs.values())


def seconds_left(run: Queued) -> float | None:
    """Return the estimated time left of the run; None if it cannot be estimated.

    The estimate uses the first of these that is available: the run's own epochs; a finished run of
    this recipe and precision next to it; the measured float32 time of the shipped recipe.
    """
    if run.finished:
        return 0.0
    at = run.standing
    if at and at.seconds_left is not None:
        return at.seconds_left
    if known := list(_full_seconds(run)):
        return known[-1] * float(Fraction(run.budget))
    return None


def _full_seconds(run: Queued) -> Iterator[float]:
    """Yield the seconds of a full run: as measured for the shipped recipe, then by its runs."""
    shipped = run.path.parent.resolve() == recipes_folder().resolve()
    if shipped and not run.overrides and run.recipe.precision == "float32":
        measured = measured_seconds(run.path.stem)
        if measured is not None:
            yield measured
    for path in sorted(run.folder.parent.glob(f"*/{records.RESULT}")):
        # Skip damaged runs; their own rows report them.
        with suppress(RunError):
            other, result = records.read_run(path.parent), records.read_result(path.parent)
            same = other.recipe_sha256 == run.recipe.sha256()
            if same and other.precision == run.recipe.precision:
                yield result.seconds / float(Fraction(other.budget))


def queue_table(runs: Sequence[Queued], now: Queued | None, failed: Container[Queued]) -> str:
    """Return the queue as a table, one row per run, and below it the total time left."""
    left = {run.folder: seconds_left(run) for run in runs}
    rows = []
    for run in runs:
        at, seconds = run.standing, left[run.folder]
        epoch, accuracy, _ = at.cells if at else ("-", "-", "-")
        state = at.state if at else "not begun"
        if run in failed:
            state = "failed"
        elif run == now:
            state = "next"
        time = "-" if seconds is None or run.finished else duration(seconds)
        name = run.recipe.named(run.path.stem)
        rows.append((name, str(run.seed), epoch, accuracy, time, state))
    return f"{table(HEADER, rows, right=(1, 2, 3, 4))}\n{_in_all(runs, left, failed)}"


def _in_all(
    runs: Sequence[Queued], left: dict[Path, float | None], failed: Container[Queued]
) -> str:
    """Return the number of runs and of finished ones, and the time left of the others."""
    due = [left[run.folder] for run in runs if not run.finished and run not in failed]
    known = [seconds for seconds in due if seconds is not None]
    count = f"{counted(len(runs), 'run')}, {sum(r.finished for r in runs)} finished"
    if known:
        count += f", about {duration(sum(known))} left"
    if unknown := len(due) - len(known):
        count += f"{', and' if known else ','} {unknown} of unknown length"
    return count
