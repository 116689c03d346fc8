"""A model card for each weight file that lies beside the report."""

from collections.abc import Sequence
from pathlib import Path

from cifar_keras.files import sha256_of
from cifar_keras.recipe import Recipe
from cifar_keras.report import text
from cifar_keras.report.results import Row
from cifar_keras.report.samples import Sample
from cifar_keras.report.verdict import verdict
from cifar_keras.runs import WEIGHTS

_CARD = """\
# Model card: {title}, seed {seed}

Written by `cifar-keras report`. Do not edit.

- **Weights**: {weights}, {size:,} bytes,
  SHA-256 `{sha256}`, {same}.
- **Network**: {name}, "{recipe_title}" ({system}), {parameters:,} trainable parameters, {macs:,}
  multiply-adds an image. Images of {side} x {side} pixels in, logits of {classes} classes out.
- **Data**: {data}; files: {copy}. Trained on all training images, none held out.
- **Recipe**: `{recipe}` of hash `{hash}`, seed {seed}; epochs: {epochs}. {whole}.
  Trained and evaluated in {precision}.
  Images are normalised as its `data` section says; `run.json` beside the weights has all of it.
- **Made with**: cifar_keras {package}, TensorFlow {tensorflow}, Keras {keras}, revision {revision},
  on {hardware}.

| accuracy on all {tests:,} test images | % |
| --- | ---: |
| after the last epoch: the headline | {accuracy:.2f} |
| with test-time augmentation | {augmented} |
| best epoch, chosen on the test set: no result | {best:.2f} |

Published: {published}. Verdict on the recipe's runs in {precision}: {verdict}.

## Limits

- {limit}
- It knows the {classes} classes of {data} and names one of them for any image whatever. Its
  probabilities are not calibrated.
- {kind} of {side} x {side} pixels: larger photographs must be scaled down, and were not tested.
- The test accuracy was looked at after every epoch, though nothing was chosen by it.

{again} measures the accuracy again.
"""


def model_cards(rows: Sequence[Row], runs: Path) -> dict[str, str]:
    """File name -> card, for every run in the rows whose weights lie in its folder below `runs`."""
    cards = {}
    for row in rows:
        for sample in row.samples:
            weights = runs / sample.name / WEIGHTS
            if weights.is_file():
                cards[card_name(sample.name)] = _card(row, sample, weights)
    return cards


def card_name(folder: str) -> str:
    """Return the file name of the card of the run in `folder`, relative to the folder of runs."""
    return f"card_{folder.replace('/', '_')}.md"


def _card(row: Row, sample: Sample, weights: Path) -> str:
    run, result, recipe = sample.run, sample.result, sample.run.recipe
    digest = sha256_of(weights)
    same = digest == result.weights_sha256
    return _CARD.format(
        title=text.escaped(text.title(row)),
        seed=run.seed,
        weights=text.code(f"runs/{sample.name}/{WEIGHTS}"),
        size=weights.stat().st_size,
        sha256=digest,
        same="as its run recorded it" if same else "NOT the file that its run recorded",
        name=text.escaped(recipe.model.name),
        recipe_title=text.escaped(recipe.title),
        system=text.escaped(recipe.system if len(recipe.system) > 1 else f"system {recipe.system}"),
        parameters=result.parameters,
        macs=result.macs,
        side=recipe.data.crop,
        classes=recipe.num_classes,
        tests=result.test_images,
        accuracy=sample.accuracy,
        augmented=text.number(sample.augmented),
        best=100 * result.best_on_test.test_accuracy,
        recipe=run.name,
        again=text.code(f"cifar-keras evaluate reports/runs/{sample.name}"),
        hash=run.recipe_sha256[:8],
        epochs=text.epochs(row),
        precision=recipe.number_type,
        whole="The whole recipe" if row.full else "Not the whole recipe as it is shipped",
        package=text.escaped(sample.provenance("versions", "cifar_keras")),
        tensorflow=text.escaped(sample.provenance("versions", "tensorflow")),
        keras=text.escaped(sample.provenance("versions", "keras")),
        revision=text.escaped(sample.revision),
        hardware=text.escaped(sample.hardware),
        published=text.published(recipe.reference),
        verdict=verdict(row).text,
        data=recipe.dataset,
        copy=sample.data_copy,
        kind="Drawn images" if recipe.synthetic else "Photographs",
        limit=_limit(row, recipe),
    )


def _limit(row: Row, recipe: Recipe) -> str:
    if recipe.synthetic:
        return "The images are drawn by this package: it says nothing of photographs."
    if row.budget != "1":
        return (
            f"A scaled run, {row.epochs:.4g} of {row.full_epochs:.4g} epochs: less accurate than "
            "the network can be."
        )
    return "An experiment reproduced, and no product: trained for a comparison on this test set."
