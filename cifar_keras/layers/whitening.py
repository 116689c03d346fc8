"""A fixed convolution that whitens patches."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

# Height and width of a patch.
SIZE = 2
# Patches of this many images are in memory at once: 5 MB per hundred in float64. All patches would
# take 460 MB.
_CHUNK = 100


@keras.saving.register_keras_serializable(package="cifar_keras")
class Whitening(keras.layers.Layer):
    """A 2x2 convolution that whitens the patches of the images it was adapted to.

    The kernel maps C channels to 8 C. It is zero until `adapt` computes it, as in Keras'
    preprocessing layers, and it is not trained. Map i of the first 4 C is
    `v_i / sqrt(e_i + epsilon)`. The e_i are the eigenvalues of the patches' second moment, the
    largest first, and the v_i its eigenvectors of norm 1. The second moment is 12 x 12 for 3
    channels, with values in the order row, column, channel. Map 4 C + i is the negative of map i.

    The sign of an eigenvector is arbitrary. Here the first component that is more than half as
    large as the largest one is positive. The largest component itself would not do: often there is
    one of the same size and opposite sign, and rounding would decide between them.

    Args:
        epsilon: added to the eigenvalues.
        centered: whether to use the patches' covariance, that is the second moment about their
            mean. The mean is not subtracted from the responses in either case.
        bias_initializer: for the bias, which is trained.
        **kwargs: see `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, height, width, C).

    Returns:
        A tensor of shape (batch, height - 1, width - 1, 8 C).

    Raises:
        ValueError: the number of channels is not known when the layer is built.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, legacy/airbench94.py.
    """

    def __init__(
        self,
        epsilon: float,
        centered: bool,
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon, self.centered = epsilon, centered
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        *_, channels = input_shape
        if channels is None:
            raise ValueError(f"channels must be known. Received: input_shape={input_shape}")
        values = SIZE * SIZE * channels
        shape = (SIZE, SIZE, channels, 2 * values)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer="zeros", trainable=False
        )
        self.bias = self.add_weight(
            name="bias", shape=(2 * values,), initializer=self.bias_initializer
        )

    def adapt(self, images: NDArray[np.floating]) -> None:
        """Compute the kernel from images (N, H, W, C), normalized as for the network."""
        moment = second_moment(images, self.centered)
        directions = whitening_directions(moment, self.epsilon)
        if not self.built:
            self.build(images.shape)
        maps = np.concatenate([directions, -directions])
        self.kernel.assign(maps.T.reshape(self.kernel.shape))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        maps = keras.ops.conv(inputs, self.kernel, padding="valid", data_format="channels_last")
        return maps + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        below, right = (side and side - SIZE + 1 for side in (height, width))
        return batch, below, right, channels and 2 * SIZE * SIZE * channels

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "epsilon": self.epsilon,
            "centered": self.centered,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


def second_moment(images: NDArray[np.floating], centered: bool) -> NDArray[np.float64]:
    """Return the second moment of the images' 2x2 patches, in float64.

    Args:
        images: (N, H, W, C).
        centered: whether to subtract the mean's part, which makes it the covariance.

    Returns:
        The mean of p p' over all patches p, shape (4 C, 4 C).
    """
    count, height, width, channels = images.shape
    values = SIZE * SIZE * channels
    products, total = np.zeros((values, values)), np.zeros(values)
    below, right = height - SIZE + 1, width - SIZE + 1
    for start in range(0, count, _CHUNK):
        chunk = images[start : start + _CHUNK].astype(np.float64)
        taps = [chunk[:, y : y + below, x : x + right] for y in range(SIZE) for x in range(SIZE)]
        patches = np.concatenate(taps, axis=-1).reshape(-1, values)
        products += patches.T @ patches
        total += patches.sum(axis=0)
    patch_count = count * below * right
    moment = products / patch_count
    if centered:
        mean = total / patch_count
        moment -= np.outer(mean, mean)
    return moment


def whitening_directions(moment: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
    """Return the scaled eigenvectors of a second moment as rows, the largest eigenvalue first."""
    eigenvalues, eigenvectors = np.linalg.eigh(moment)
    rows = eigenvectors.T[::-1]
    large = np.abs(rows) > np.abs(rows).max(axis=1, keepdims=True) / 2
    first = np.take_along_axis(rows, large.argmax(axis=1)[:, None], axis=1)
    scaled: NDArray[np.float64] = rows * np.sign(first) / np.sqrt(eigenvalues[::-1, None] + epsilon)
    return scaled
