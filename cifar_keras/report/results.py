"""Recipes and run folders -> rows, one a recipe and one for each other way it was run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cifar_keras.recipe import Curve, Precision, Recipe
from cifar_keras.report.samples import DASH, LeftOut, Sample, read_samples
from cifar_keras.report.values import Values
from cifar_keras.runs import run_name


@dataclass(frozen=True)
class Row:
    """The runs of one recipe in one precision, at one budget, with the same overrides.

    Accuracies are in percent. A `full` row holds runs of the whole recipe as it is shipped, in
    whatever precision; any other is never compared with the published figure. `full_epochs` is the
    length of the shipped recipe. `slug` names the row's curve files.
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
    samples: tuple[Sample, ...]

    @property
    def label(self) -> str:
        """The recipe's name and, unless it is float32, the precision."""
        return self.recipe.named(self.name)

    @property
    def last(self) -> Values:
        """Test accuracies after the LAST epoch: the headline."""
        return Values(tuple(sample.accuracy for sample in self.samples))

    @property
    def best(self) -> Values:
        """Test accuracies of the best epochs, chosen by looking at the test set."""
        return Values(tuple(100 * s.result.best_on_test.test_accuracy for s in self.samples))

    @property
    def augmented(self) -> Values:
        """Test accuracies with test-time augmentation, of the runs where it was measured."""
        return Values(tuple(s.augmented for s in self.samples if s.augmented is not None))

    @property
    def compared(self) -> Values:
        """Those of the three which the published figure is one of; the last without a figure."""
        reference = self.recipe.reference
        if reference and reference.augmented:
            return self.augmented
        return self.best if reference and reference.epoch == "best" else self.last

    @property
    def curve(self) -> Curve | None:
        """The published curve, where there is one."""
        return self.recipe.reference.curve if self.recipe.reference else None

    @property
    def length_differs(self) -> bool:
        """Whether the epochs are not those of the shipped recipe."""
        return self.budget != "1" or float(self.recipe.epochs) != self.full_epochs

    @property
    def epochs(self) -> float:
        """The epochs trained, or to be trained where there is no run."""
        if self.budget == "1":
            # A run ends with a whole step: 9.9 epochs may be 9.92 of them, and are the full length.
            return float(self.recipe.epochs)
        return self.samples[0].result.epochs

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return self.samples[0].result.parameters if self.samples else self.recipe.parameters

    @property
    def seconds(self) -> float | None:
        """Mean time of a run."""
        return Values(tuple(sample.result.seconds for sample in self.samples)).mean

    @property
    def hardware(self) -> str:
        """All kinds of hardware that the runs were made on."""
        return "; ".join(sorted({sample.hardware for sample in self.samples} - {DASH})) or DASH

    @property
    def dataset(self) -> str:
        """The data set, marked where it is synthetic or a copy of unknown origin was used."""
        if self.recipe.synthetic:
            return f"{self.recipe.dataset} (synthetic, not CIFAR)"
        copies = {s.data_copy for s in self.samples} - {"official", DASH}
        note = f" ({'; '.join(sorted(copies))})" if copies else ""
        return self.recipe.dataset + note


class Results(NamedTuple):
    """Full rows first, then the scaled or altered ones; and the run folders that do not count."""

    rows: list[Row]
    left_out: list[LeftOut]


class _Key(NamedTuple):
    name: str
    precision: Precision
    budget: str
    overrides: tuple[str, ...]
    recipe_sha256: str


def collect(recipes: Sequence[tuple[str, Recipe]], roots: Sequence[Path]) -> Results:
    """The rows for `recipes` (name, recipe), with or without runs, and for all other runs found.

    Runs of recipe files that are not among `recipes` get rows of their own. A run of a recipe which
    has since been changed is no full run of it: its row says so.
    """
    samples, left_out = read_samples(roots)
    shipped = dict(recipes)
    groups: dict[_Key, list[Sample]] = {
        _Key(name, recipe.precision, "1", (), recipe.sha256()): [] for name, recipe in recipes
    }
    for sample in samples:
        run = sample.run
        overrides = tuple(sorted(run.overrides))
        key = _Key(run.name, run.precision, run.budget, overrides, run.recipe_sha256)
        groups.setdefault(key, []).append(sample)
    places = {name: place for place, name in enumerate(shipped)}

    def order(key: _Key) -> tuple[object, ...]:
        return (not _is_full(key, shipped), places.get(key.name, len(places)), *key)

    rows: list[Row] = []
    for key in sorted(groups, key=order):
        rows.append(_row(key, shipped, groups[key], taken={row.slug for row in rows}))
    return Results(rows, left_out)


def _is_full(key: _Key, shipped: dict[str, Recipe]) -> bool:
    return key.budget == "1" and not key.overrides and not _is_other_version(key, shipped)


def _is_other_version(key: _Key, shipped: dict[str, Recipe]) -> bool:
    # The hash of an overridden recipe is its own: it cannot tell which version it comes from.
    known = shipped.get(key.name)
    return known is not None and not key.overrides and known.sha256() != key.recipe_sha256


def _row(key: _Key, shipped: dict[str, Recipe], samples: list[Sample], taken: set[str]) -> Row:
    samples = sorted(samples, key=lambda sample: sample.run.seed)
    known = shipped.get(key.name)
    as_shipped = known is not None and known.sha256() == key.recipe_sha256
    recipe = known if known and as_shipped else samples[0].run.recipe
    recipe = recipe.model_copy(update={"precision": key.precision})
    notes = list(key.overrides)
    other_version = _is_other_version(key, shipped)
    if other_version:
        notes.append(f"another version of the recipe, {key.recipe_sha256[:8]}")
    if known is None:
        notes.append("recipe not shipped")
    folder = run_name(key.name, 0, key.budget, key.overrides, key.precision)
    slug = key.name + folder.name.removeprefix("seed-0")
    if other_version or slug in taken:
        slug += f"-recipe-{key.recipe_sha256[:8]}"
    return Row(
        name=key.name,
        recipe=recipe,
        full=_is_full(key, shipped),
        full_epochs=float((known or recipe).epochs),
        budget=key.budget,
        overrides=key.overrides,
        recipe_sha256=key.recipe_sha256,
        note="; ".join(notes),
        slug=slug,
        samples=tuple(samples),
    )
