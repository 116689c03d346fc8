"""The network as `fit` trains it: with images of growing size and the losses of companions."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import tensorflow as tf

from cifar_keras.distribute.multi_worker import MultiWorkerModel
from cifar_keras.experiment.resizing import resized, resized_by_products
from cifar_keras.layers.companion import Companion
from cifar_keras.layers.share import share


class TrainingModel(MultiWorkerModel):
    """A Functional network with features that `fit` lacks.

    All batches have images of one size. The step resizes them to `image_size`, or not at all if it
    is None. Each size has its own compiled step, since one for all sizes would have an unknown
    shape and be slow.
    """

    image_size: int | None = None
    train_function: Callable[[Any], Any] | None

    def resized(self, images: tf.Tensor) -> tf.Tensor:
        """Return the images (B, H, W, 3) at `image_size`: bilinear with antialiasing."""
        if self.image_size is None or self.image_size == images.shape[1]:
            return images
        resize = resized_by_products if self.jit_compile else resized
        return resize(images, self.image_size)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        images, labels, *part = data
        if not part:
            logs: dict[str, tf.Tensor] = super().train_step((self.resized(images), labels))
            return logs
        begin, total = tf.unstack(part[0], num=2)
        with share(begin, total):
            return self._train_on_share(self.resized(images), labels, total)

    def _train_on_share(
        self, images: tf.Tensor, labels: tf.Tensor, total: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        # Keras' own step, except that each image has the weight 1 / total. Keras averages over each
        # replica and then over replicas, even if they have different numbers of images.
        size = tf.shape(images)[0]
        with tf.GradientTape() as tape:
            logits = self(images, training=True)
            loss = self._mean_loss(images, labels, logits, training=True)
            self.loss_mean.update_state(loss, sample_weight=size)
            weight = tf.cast(size, loss.dtype) / tf.cast(total, loss.dtype)
            loss = self.optimizer.scale_loss(loss * weight)
        variables = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self.compute_metrics(images, labels, logits)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        images, labels = data
        logits = self(images, training=False)
        loss = self._mean_loss(images, labels, logits, training=False)
        self.loss_mean.update_state(loss, sample_weight=tf.shape(images)[0])
        return self.compute_metrics(images, labels, logits)

    def _mean_loss(
        self, images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """Return the mean over the replica's images; 0 if it has none."""
        loss = self.compute_loss(images, labels, logits, training=training)
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas == 1:
            return loss
        # Undo Keras' factor 1 / replicas, which is a float32 for a loss of any type.
        loss /= tf.cast(tf.constant(1 / replicas, tf.float32), loss.dtype)
        return tf.where(tf.shape(images)[0] > 0, loss, tf.zeros_like(loss))

    def make_train_function(self, force: bool = False) -> None:
        if self.train_function is not None and not force:
            return
        functions: dict[int | None, Any] = {}

        def function(iterator: Any) -> Any:
            if self.image_size not in functions:
                # The function is traced at its first call below, so with this size.
                functions[self.image_size] = self.loop(self.train_step)
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
        """Return the companion classifiers that are not frozen."""
        return [each for each in self.layers if isinstance(each, Companion) and each.trainable]

    def freeze(self, patterns: Sequence[str]) -> None:
        """Freeze the layers whose names match one of the patterns; train all others.

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
            # The compiled step does not notice the change.
            self.train_function = None
