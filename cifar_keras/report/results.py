"""Group runs into rows: one per recipe, and one for each other way in which it was run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cifar_keras.recipe import Curve, Recipe
from cifar_keras.records import run_name
from cifar_keras.report.finished import DASH, GROUP, FinishedRun, LeftOut, finished_runs
from cifar_keras.report.unfinished import UnfinishedRun, unfinished_runs


@dataclass(frozen=True, eq=False)
class Row:
    """The runs of one recipe in one precision, at one budget, with the same overrides.

    A `full` row has full runs of the shipped recipe on all training images, in any precision; other
    rows are never compared with the published figure. `full_epochs` is the length of the shipped
    recipe. `slug` names the row's curve files. `runs` has the columns of `FinishedRun`, ordered by
    seed; `unfinished` runs are shown, but do not count. The runs of a `committed` row are those in
    this project, shown next to a user's own.
    """

    name: str
    recipe: Recipe
    full: bool
    full_epochs: float
    budget: str
    overrides: tuple[str, ...]
    recipe_sha256: str
    note: str
    slug: str
    runs: pd.DataFrame
    unfinished: tuple[UnfinishedRun, ...] = ()
    committed: bool = False

    @property
    def counts(self) -> bool:
        """Whether the row is in the tables of figures: unless it has only unfinished runs."""
        return self.full or not self.runs.empty

    @property
    def each(self) -> Iterable[FinishedRun]:
        """The finished runs, one by one."""
        return map(FinishedRun._make, self.runs.to_numpy().tolist())

    @property
    def label(self) -> str:
        """The recipe's name, the precision unless it is float32, and whether it is committed."""
        return self.named(self.name)

    def named(self, name: str) -> str:
        """Return `name` with what distinguishes this row from others of the recipe."""
        return self.recipe.named(name) + " (committed)" * self.committed

    @property
    def compared(self) -> "pd.Series[float]":
        """The accuracies to compare with the published figure; without one, of the last epoch."""
        reference = self.recipe.reference
        if reference and reference.augmented:
            return self.runs["augmented"]
        return self.runs["best" if reference and reference.epoch == "best" else "accuracy"]

    @property
    def curve(self) -> Curve | None:
        """The published curve, if there is one."""
        return self.recipe.reference.curve if self.recipe.reference else None

    @property
    def length_differs(self) -> bool:
        """Whether the number of epochs differs from the shipped recipe."""
        return self.budget != "1" or float(self.recipe.epochs) != self.full_epochs

    @property
    def epochs(self) -> float:
        """The epochs trained, or to be trained if there is no run."""
        if self.budget == "1":
            # A run ends with a whole step, so 9.9 epochs may be 9.92 and are still the full length.
            return float(self.recipe.epochs)
        if self.runs.empty:
            return float(self.recipe.epochs * Fraction(self.budget))
        return float(self.runs["result"].iloc[0].epochs)

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        counts = [result.parameters for result in self.runs["result"]]
        return counts[0] if counts else self.recipe.parameters

    @property
    def seconds_per_epoch(self) -> float:
        """Mean seconds per epoch, including its test; NaN without runs."""
        return float(self.runs["seconds"].mean() / self.epochs)

    @property
    def hardware(self) -> str:
        """All kinds of hardware that the runs were trained on."""
        return "; ".join(sorted({*self.runs["hardware"]} - {DASH})) or DASH

    @property
    def dataset(self) -> str:
        """The data set, marked if it is synthetic or if an unofficial copy was used."""
        if self.recipe.synthetic:
            return f"{self.recipe.dataset} (synthetic, not CIFAR)"
        copies = {*self.runs["data_copy"]} - {"official", DASH}
        note = f" ({'; '.join(sorted(copies))})" if copies else ""
        return self.recipe.dataset + note


class Results(NamedTuple):
    """The rows, full ones first, then scaled or modified ones; and the run folders left out."""

    rows: list[Row]
    left_out: list[LeftOut]


def collect(
    recipes: Sequence[tuple[str, Recipe]], roots: Sequence[Path], committed: Path | None = None
) -> Results:
    """Return the rows for `recipes` (name, recipe), with or without runs, and for all other runs.

    Runs of recipe files that are not among `recipes` get rows of their own. A run of a recipe that
    has changed since is not a full run of it, and its row says so. The finished runs below
    `committed` get rows of their own, next to those of the same recipe, unless they are also below
    `roots`.
    """
    shipped = dict(recipes)
    runs, left_out = finished_runs(roots)
    begun, damaged = unfinished_runs(roots, runs)
    kept = _only_committed(committed, runs) if committed else runs.iloc[:0]
    theirs = {key: group for key, group in kept.groupby(GROUP)}
    shown = ((name, recipe.precision, "1", (), recipe.sha256()) for name, recipe in recipes)
    groups: dict[Any, pd.DataFrame] = {each: runs.iloc[:0] for each in shown if each not in theirs}
    groups |= {each.group: runs.iloc[:0] for each in begun}
    groups |= {key: group for key, group in runs.groupby(GROUP)}
    places = {name: place for place, name in enumerate(shipped)}

    def order(row: Row) -> tuple[object, ...]:
        key = (row.recipe.precision, row.budget, row.overrides, row.recipe_sha256, row.committed)
        return (not row.full, places.get(row.name, len(places)), row.name, *key)

    unordered = [_row(shipped, key, runs, begun) for key, runs in groups.items()]
    for key, group in theirs.items():
        row = _row(shipped, key, group, ())
        unordered.append(replace(row, committed=True, slug=f"{row.slug}-committed"))
    rows: list[Row] = []
    for row in sorted(unordered, key=order):
        taken = row.slug in {other.slug for other in rows}
        slug = f"{row.slug}-recipe-{row.recipe_sha256[:8]}" if taken else row.slug
        rows.append(replace(row, slug=slug))
    return Results(rows, left_out + damaged)


def _only_committed(folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the finished runs below the folder that are not also in `runs`."""
    kept, _ = finished_runs([folder])
    identity = [*GROUP, "seed", "started"]
    ours = set(runs[identity].itertuples(index=False, name=None))
    copied = [each in ours for each in kept[identity].itertuples(index=False, name=None)]
    return kept[[not each for each in copied]]


def _row(
    recipes: dict[str, Recipe], group: Any, runs: pd.DataFrame, begun: Sequence[UnfinishedRun]
) -> Row:
    name, precision, budget, overrides, recipe_sha256 = group
    shipped = recipes.get(name)
    as_shipped = shipped is not None and shipped.sha256() == recipe_sha256
    # An overridden recipe has its own hash, which does not show the version of the recipe.
    other_version = shipped is not None and not as_shipped and not overrides
    unfinished = tuple(each for each in begun if each.group == group)
    own = [*runs["run"], *(each.run for each in unfinished)]
    recipe = shipped if shipped and as_shipped else own[0].recipe
    notes = list(overrides)
    if other_version:
        notes.append(f"another version of the recipe, {recipe_sha256[:8]}")
    if shipped is None:
        notes.append("recipe not shipped")
    held = recipe.data.validation
    if held and f"data.validation={held}" not in overrides:
        notes.append(f"{held:,} training images held out")
    folder = run_name(name, 0, budget, overrides, precision)
    slug = name + folder.name.removeprefix("seed-0")
    return Row(
        name=name,
        recipe=recipe.model_copy(update={"precision": precision}),
        full=budget == "1" and not overrides and not other_version and not held,
        full_epochs=float((shipped or recipe).epochs),
        budget=budget,
        overrides=overrides,
        recipe_sha256=recipe_sha256,
        note="; ".join(notes),
        slug=f"{slug}-recipe-{recipe_sha256[:8]}" if other_version else slug,
        runs=runs.sort_values("seed"),
        unfinished=tuple(sorted(unfinished, key=lambda each: each.run.seed)),
    )
