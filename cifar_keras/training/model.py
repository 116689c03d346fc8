"""The network as `fit` trains it: images that grow, and companions that lend it their losses."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import keras
import tensorflow as tf

from cifar_keras.layers.companion import Companion


class TrainingModel(keras.Model):
    """A Functional network with what `fit` lacks.

    The batches always hold images of one size. `image_size` is what they are resized to inside the
    step, None for as they are; a compiled step is kept for each size, since one for all sizes would
    be of unknown shape and slow.
    """

    image_size: int | None = None
    train_function: Callable[[Any], Any] | None

    def resized(self, images: tf.Tensor) -> tf.Tensor:
        """The images (B, H, W, 3) at `image_size`: bilinear with antialiasing."""
        if self.image_size in (None, images.shape[1]):
            return images
        size = (self.image_size, self.image_size)
        return tf.image.resize(images, size, "bilinear", antialias=True)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        images, *rest = data
        logs: dict[str, tf.Tensor] = super().train_step((self.resized(images), *rest))
        return logs

    def make_train_function(self, force: bool = False) -> None:
        if self.train_function is not None and not force:
            return
        functions: dict[int | None, Any] = {}

        def function(iterator: Any) -> Any:
            if self.image_size not in functions:
                # Traced at its first call, which comes next and under this size.
                functions[self.image_size] = self._make_function(self.train_step)
            return functions[self.image_size](iterator)

        self.train_function = function

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training:
            for layer in self.companions():
                loss += layer.loss_weight * self.loss(y, layer.logits)
        return loss

    def companions(self) -> list[Companion]:
        """The companion classifiers that are trained at present."""
        return [each for each in self.layers if isinstance(each, Companion) and each.trainable]

    def freeze(self, patterns: Sequence[str]) -> None:
        """Train all layers but those whose names match one of the patterns.

        Raises:
            ValueError: a pattern matches no layer.
        """
        for pattern in patterns:
            if not any(fnmatchcase(layer.name, pattern) for layer in self.layers):
                raise ValueError(f"`frozen` must match a layer. Received: frozen={pattern!r}")
        before = [layer.trainable for layer in self.layers]
        for layer in self.layers:
            layer.trainable = not any(fnmatchcase(layer.name, pattern) for pattern in patterns)
        if before != [layer.trainable for layer in self.layers]:
            # A compiled step does not see the change.
            self.train_function = None
