"""Randomized leaky rectified linear unit."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from cifar_keras.layers.fused import fused, widened
from cifar_keras.layers.share import uniform_bits


@keras.saving.register_keras_serializable(package="cifar_keras")
class RReLU(keras.layers.Layer):
    """Leaky ReLU whose slope is random for every element in training, and fixed at test time.

    `y = x` where x > 0, else `slope * x`. In training, `slope ~ U(lower, upper)` per element and
    call; at test time it is `(lower + upper) / 2`. MXNet and PyTorch use U(1/8, 1/3), and
    sub-Inception + RReLU (system A) uses U(0.125, 0.334). The paper draws the divisor instead; see
    `RReLU.from_divisors`. That is another distribution: the mean of 1/U(3, 8) is 0.196, and its
    slope at test time is 0.182. Several replicas together draw what one device would; see
    `layers.share`.

    Args:
        lower: the smallest slope, or divisor.
        upper: the largest. The default slopes are those of MXNet and PyTorch.
        divisors: whether `lower` and `upper` are the bounds of `a` in `x / a`.
        seed: an integer; by default drawn from Keras' global seed.
        **kwargs: see `keras.layers.Layer`.

    Call arguments:
        inputs: a float tensor of any shape.
        training: whether slopes are random.

    Returns:
        A tensor shaped like `inputs`.

    Raises:
        ValueError: the bounds are not in order, or a divisor is not positive.

    Reference:
        Xu, Wang, Chen and Li, arXiv 1505.00853.
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        divisors: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not lower <= upper or (divisors and lower <= 0):
            raise ValueError(
                "`lower` must not exceed `upper`, and divisors must be positive. "
                f"Received: lower={lower}, upper={upper}, divisors={divisors}"
            )
        self.lower, self.upper, self.divisors = lower, upper, divisors
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self._randomized = self._make_randomized()

    @classmethod
    def from_divisors(cls, lower: float, upper: float, **kwargs: Any) -> "RReLU":
        """Return the paper's form: `x / a`, `a ~ U(lower, upper)`; the mean of `a` at test time."""
        return cls(lower, upper, divisors=True, **kwargs)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training:
            return self._randomized(
                inputs, uniform_bits(keras.ops.shape(inputs), self.seed_generator)
            )
        fixed = keras.ops.cast((self.lower + self.upper) / 2, self.compute_dtype)
        factor = keras.ops.where(inputs > 0, 1.0, fixed)
        return inputs / factor if self.divisors else inputs * factor

    def _make_randomized(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        lower, step = self.lower, (self.upper - self.lower) / 2**16

        def scaled(x: tf.Tensor, bits: tf.Tensor, of: tf.Tensor) -> tf.Tensor:
            wide = widened(x)
            drawn = lower + step * (tf.cast(bits, wide.dtype) + 0.5)
            factor = 1 / drawn if self.divisors else drawn
            return tf.cast(tf.where(of > 0, wide, wide * factor), x.dtype)

        scale = fused(scaled)

        @tf.custom_gradient
        def randomized(
            inputs: tf.Tensor, bits: tf.Tensor
        ) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
            outputs = scale(inputs, bits, inputs)
            # Unless a slope is negative, the outputs have the inputs' signs. They are in memory
            # anyway.
            signs = outputs if lower >= 0 else inputs
            return outputs, lambda outer: (scale(outer, bits, signs), None)

        return randomized

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "lower": self.lower,
            "upper": self.upper,
            "divisors": self.divisors,
            "seed": self.seed,
        }
