"""The callbacks that count a training's steps, and end it where it diverges."""

import math

import keras

from cifar_keras.experiment.stages import Place, Stage

Logs = dict[str, float] | None


class Diverged(Exception):
    """Raised at the step whose loss, or after which a variable, is no finite number."""


class Steps(keras.callbacks.Callback):
    """Counts the steps done at the training's place, and sets the size of the images at each."""

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
    """Raises `Diverged` where the epoch's mean loss is no finite number, every so many steps."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        assert logs is not None
        if (batch + 1) % self.every == 0 and not math.isfinite(logs["loss"]):
            raise Diverged("the loss became NaN or infinite")
