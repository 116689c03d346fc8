"""The callback that evaluates the images held out for validation."""

from collections.abc import Callable

import keras

from cifar_keras.experiment.steps import Logs


class Validation(keras.callbacks.Callback):
    """Adds `validation_loss` and `validation_accuracy` to the logs of each epoch, after its test.

    Args:
        evaluate: returns the loss and the accuracy on the held-out images.
    """

    def __init__(self, evaluate: Callable[[], dict[str, float]]) -> None:
        super().__init__()
        self.evaluate = evaluate

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        logs.update({f"validation_{name}": value for name, value in self.evaluate().items()})
