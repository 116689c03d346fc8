"""The learning rate at each step."""

import keras

from cifar_keras.experiment.stages import Place
from cifar_keras.schedules import Rate


class StepRateScheduler(keras.callbacks.LearningRateScheduler):
    """A `LearningRateScheduler` whose learning rate may change inside an epoch.

    The schedules of variable groups depend on the optimizer's iterations. With `count_all`, these
    include the steps that loss scaling skips.
    """

    def __init__(self, place: Place, rate: Rate, count_all: bool = False) -> None:
        super().__init__(lambda epoch, _: rate(place.step))
        self.place, self.rate, self.count_all = place, rate, count_all

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self.last = self.rate(self.place.step)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        rate, optimizer = self.rate(self.place.step), self.model.optimizer
        if rate != self.last:
            optimizer.learning_rate = self.last = rate
        if self.count_all:
            optimizer.iterations.assign(self.place.step)
