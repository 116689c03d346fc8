import hashlib

import pytest

from cifar_keras.records import HALF, HALF_WEIGHTS, WEIGHTS, HalfWeights, write_record
from cifar_keras.report import write_report
from cifar_keras.report.cards import model_cards
from cifar_keras.report.results import collect


@pytest.fixture
def committed(tmp_path, resnet20, make_run):
    """The rows of a scaled run whose weights lie beside the report, and their hash."""
    folder = make_run(tmp_path / "runs", resnet20, accuracies=[0.86], budget="0.1")
    (folder / WEIGHTS).write_bytes(b"weights")
    return collect([("resnet20", resnet20)], [tmp_path / "runs"]).rows


def test_a_card_tells_data_recipe_accuracy_and_limits(tmp_path, committed):
    [(name, card)] = model_cards(committed, tmp_path / "runs").items()

    assert name == "card_resnet20_seed-1-budget-0.1.md"
    assert card.startswith("# Model card: resnet20, budget 0.1, seed 1\n")
    assert "**Data**: cifar10; files: official." in card
    assert "epochs: 18 of 180 (budget 0.1). Not a full run of the shipped recipe." in card
    assert "| after the last epoch (the headline) | 86.00 |" in card
    assert "| with test-time augmentation (TTA) | — |" in card
    assert (
        "Published: 91.71 (last, 1 run). "
        "Verdict on the recipe's runs in float32: no verdict: scaled." in card
    )
    assert "- A scaled run, 18 of 180 epochs: " in card


def test_a_card_says_whose_weights_these_are_not(tmp_path, committed):
    [card] = model_cards(committed, tmp_path / "runs").values()

    digest = hashlib.sha256(b"weights").hexdigest()
    assert f"SHA-256 `{digest}`, NOT the file that its run recorded." in card


@pytest.fixture
def half(tmp_path, committed):
    """The same run with weights in float16 in place of the exact ones, and their record."""
    folder = tmp_path / "runs/resnet20/seed-1-budget-0.1"
    (folder / WEIGHTS).rename(folder / HALF_WEIGHTS)
    record = HalfWeights(
        weights_sha256=hashlib.sha256(b"weights").hexdigest(),
        rounded_from="0" * 64,
        test_accuracy=0.8597,
        test_correct=8597,
        test_images=10_000,
        finished="2026-01-01T00:00:00+00:00",
    )
    write_record(folder, HALF, record)
    return folder


def test_a_card_of_weights_in_float16_has_their_own_figure(tmp_path, committed, half):
    [card] = model_cards(committed, tmp_path / "runs").values()

    assert "`runs/resnet20/seed-1-budget-0.1/float16.weights.h5`, 7 bytes," in card
    assert f"kernels in float16, rounded from those of SHA-256 `{'0' * 64}`." in card
    assert (
        "| after the last epoch (the headline) | 86.00 |\n"
        "| after the last epoch, rounded as here | 85.97 |\n"
    ) in card


def test_a_card_says_whose_weights_in_float16_these_are_not(tmp_path, committed, half):
    (half / HALF_WEIGHTS).write_bytes(b"others")

    [card] = model_cards(committed, tmp_path / "runs").values()

    assert "NOT the file that its record names." in card


def test_weights_in_float16_without_their_record_have_no_card(tmp_path, committed, half):
    (half / HALF).unlink()

    assert model_cards(committed, tmp_path / "runs") == {}


def test_weights_that_do_not_lie_beside_the_report_have_no_card(tmp_path, committed):
    assert model_cards(committed, tmp_path / "elsewhere") == {}


def test_a_card_goes_when_its_weights_go(tmp_path, resnet20, committed):
    def report():
        write_report([("resnet20", resnet20)], [tmp_path / "runs"], tmp_path)
        return [path.name for path in (tmp_path / "cards").iterdir()]

    first = report()
    (tmp_path / "runs/resnet20/seed-1-budget-0.1" / WEIGHTS).unlink()

    assert (first, report()) == (["card_resnet20_seed-1-budget-0.1.md"], [])
