"""The callbacks that count the steps of a training, and end it if it diverges."""

import math

import keras

from cifar_keras.experiment.stages import Place, Stage

Logs = dict[str, float] | None


class Diverged(Exception):
    """Raised when the loss, or a variable, is NaN or infinite after a step."""


class Steps(keras.callbacks.Callback):
    """Counts the steps done in the training's place, and sets the image size for each step."""

    def __init__(self, place: Place, stage: Stage) -> None:
        super().__init__()
        self.place, self.stage = place, stage

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if self.stage.sizes:
            self.model.image_size = self.stage.size(self.place.step)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.seen = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.place.step += batch + 1 - self.seen
        self.seen = batch + 1


class FiniteLoss(keras.callbacks.Callback):
    """Checks the epoch's mean loss every so many steps; raises `Diverged` if not finite."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        assert logs is not None
        if (batch + 1) % self.every == 0 and not math.isfinite(logs["loss"]):
            raise Diverged("the loss became NaN or infinite")
