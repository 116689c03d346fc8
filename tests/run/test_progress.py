import io
import re
import sys

import pytest
from made import made_epoch

from cifar_keras.experiment.stages import Plan
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.run.position import Position
from cifar_keras.run.progress import Progress
from cifar_keras.terminal import Bar


@pytest.fixture
def train(monkeypatch):
    """Report two epochs of 16 steps on a stream, the second one untested; what was written."""

    def train(stream):
        # In the test itself: before each pytest sets stderr anew.
        monkeypatch.setattr(sys, "stderr", stream)
        demo = load_recipe(recipe_path("demo"), ["data.batch_size=10"])
        position, plan = Position(), Plan(demo, 160, "0.2")
        with Bar() as bar:
            progress = Progress("demo seed 1", position, plan, 10, 3, bar)
            for epoch in range(2):
                progress.on_epoch_begin(epoch)
                for batch in range(16):
                    position.step += 1
                    progress.on_train_batch_end(batch)
                tested = {"test_loss": 1.0, "test_accuracy": 0.5} if epoch == 0 else {}
                if tested:
                    progress.on_test_begin()
                    progress.on_test_batch_end(0)
                position.rows.append(
                    made_epoch(
                        epoch + 1,
                        **({"test_loss": None, "test_accuracy": None} | tested),
                        step=position.step,
                        loss=1.5,
                        accuracy=0.25,
                        seconds=30,
                        images_per_second=321,
                    )
                )
                progress.on_epoch_end(epoch)
        return stream.getvalue()

    return train


def test_a_log_has_one_line_an_epoch_and_no_escape_codes(train):
    estimate, first, second = train(io.StringIO()).splitlines()

    assert re.fullmatch(r"demo seed 1: 2 epochs left, about \d+ s plus evaluation", estimate)
    assert first == (
        "demo seed 1: epoch 1 of 2, lr 0.1, loss 1.5000, train 25.00 %, test 50.00 %, "
        "321 images/s, 30 s left"
    )
    assert second == (
        "demo seed 1: epoch 2 of 2, lr 0.1, loss 1.5000, train 25.00 %, not tested, 321 images/s"
    )


def test_a_terminal_of_80_columns_shows_the_epochs_uncut(train, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")

    written = train(Terminal())

    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", written)
    lines = [line.rpartition("\r")[2] for line in plain.splitlines()]
    assert "demo seed 1: 2 epochs of 16 steps" in lines
    common = "loss 1.5000  train 25.00 %"
    assert f"epoch 1/2  {common}  test 50.00 %  lr 0.1  321 images/s" in lines
    assert f"epoch 2/2  {common}  not tested  lr 0.1  321 images/s" in lines
    assert "testing " in plain
