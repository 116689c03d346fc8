"""Write a model card for each weight file next to the report."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cifar_keras.errors import RunError
from cifar_keras.files import sha256_of
from cifar_keras.recipe import Recipe
from cifar_keras.records import HALF_WEIGHTS, read_half, weights_file
from cifar_keras.report import text
from cifar_keras.report.finished import FinishedRun
from cifar_keras.report.results import Row
from cifar_keras.report.verdict import verdict


def model_cards(rows: Sequence[Row], runs: Path) -> dict[str, str]:
    """Return file name -> card of each run in the rows whose weights are in its folder."""
    cards = {}
    for row in rows:
        for run in row.each:
            # A run without weights, or a damaged one, has no card.
            with suppress(RunError):
                weights = weights_file(runs / run.folder)
                cards[card_name(run.folder)] = _card(row, run, weights)
    return cards


def card_name(folder: str) -> str:
    """Return the file name of the card of the run in `folder`, relative to the folder of runs."""
    return f"card_{folder.replace('/', '_')}.md"


def _card(row: Row, sample: FinishedRun, weights: Path) -> str:
    recipe, digest = sample.run.recipe, sha256_of(weights)
    same = "as its run recorded it"
    half = read_half(weights.parent) if weights.name == HALF_WEIGHTS else None
    if half:
        same = f"kernels in float16, rounded from those of SHA-256 `{half.rounded_from}`"
    if digest != (half or sample.result).weights_sha256:
        same = f"NOT the file that its {'record names' if half else 'run recorded'}"
    return text.template("card.md").format(
        sample=sample,
        run=sample.run,
        result=sample.result,
        recipe=recipe,
        **{name: text.escaped(version) for name, version in sample.versions.items()},
        title=text.escaped(text.title(row)),
        weights=text.code(f"runs/{sample.folder}/{weights.name}"),
        size=weights.stat().st_size,
        sha256=digest,
        same=same,
        rounded=f"| after the last epoch, rounded as here | {100 * half.test_accuracy:.2f} |\n"
        if half
        else "",
        name=text.escaped(recipe.model.name),
        recipe_title=text.escaped(recipe.title),
        system=text.escaped(recipe.system if len(recipe.system) > 1 else f"system {recipe.system}"),
        augmented=text.number(sample.augmented),
        best=text.number(sample.best),
        again=text.code(f"cifar-keras evaluate reports/runs/{sample.folder}"),
        epochs=text.epochs(row),
        whole="A full run of the shipped recipe"
        if row.full
        else "Not a full run of the shipped recipe",
        revision=text.escaped(sample.revision),
        hardware=text.escaped(sample.hardware),
        published=text.published(recipe.reference),
        verdict=verdict(row).text,
        kind="Synthetic images" if recipe.synthetic else "Photographs",
        limit=_limit(row, recipe),
    )


def _limit(row: Row, recipe: Recipe) -> str:
    if recipe.synthetic:
        return "The images are synthetic: it says nothing about photographs."
    if row.budget != "1":
        return (
            f"A scaled run, {row.epochs:.4g} of {row.full_epochs:.4g} epochs: less accurate than a "
            "full run."
        )
    return "A reproduced experiment, not a product: trained for a comparison on this test set."
