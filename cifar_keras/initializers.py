"""The initializers of the published systems, under the names that recipes use."""

from math import prod

import keras


@keras.saving.register_keras_serializable(package="cifar_keras")
class Identity(keras.initializers.Initializer):
    """A kernel (height, width, inputs, outputs) that copies input channels to output channels.

    Output i is input i for the first min(inputs, outputs) channels; the others are zero. The 1 is
    at position `size // 2` of the kernel, as in PyTorch's `dirac_`.
    """

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        height, width, inputs, outputs = shape
        eye = keras.ops.eye(inputs, outputs, dtype=dtype)
        below, right = height - 1 - height // 2, width - 1 - width // 2
        return keras.ops.pad(
            eye[None, None], ((height // 2, below), (width // 2, right), (0, 0), (0, 0))
        )

    def get_config(self) -> dict[str, object]:
        return {}


@keras.saving.register_keras_serializable(package="cifar_keras")
class TorchDirac(keras.initializers.VarianceScaling):
    """PyTorch's default, with the first filters replaced by those of `Identity`.

    In a kernel (height, width, inputs, outputs) the first min(inputs, outputs) filters copy an
    input; the others are U(+-1 / sqrt(fan_in)).

    Args:
        seed: as in Keras' own initializers.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, legacy/airbench94.py.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1 / 3, "fan_in", "uniform", seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        copied = min(shape[-2:])
        drawn = super().__call__(shape, dtype=dtype)[..., copied:]
        return keras.ops.concatenate([Identity()(shape, dtype=dtype)[..., :copied], drawn], axis=-1)

    def get_config(self) -> dict[str, object]:
        return {"seed": super().get_config()["seed"]}


@keras.saving.register_keras_serializable(package="cifar_keras")
class UniformUnitDeviation(keras.initializers.RandomUniform):
    """Uniform values around 0, scaled to a sample standard deviation of exactly 1.

    Args:
        seed: as in Keras' own initializers.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, airbench94_muon.py, for the last layer.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(-1.0, 1.0, seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        drawn = super().__call__(shape, dtype=dtype)
        # PyTorch's `std` divides by n - 1.
        squares = keras.ops.sum(keras.ops.square(drawn - keras.ops.mean(drawn)))
        return drawn / keras.ops.sqrt(squares / (prod(shape) - 1))

    def get_config(self) -> dict[str, object]:
        return {"seed": super().get_config()["seed"]}


@keras.saving.register_keras_serializable(package="cifar_keras")
class XavierMxnet2015(keras.initializers.RandomUniform):
    """U(-s, s) with s = sqrt(6 / (inputs + outputs)), where only channels count.

    It ignores the kernel's area, so the values of a 3x3 convolution are three times as large as
    with Glorot's rule.

    Args:
        seed: as in Keras' own initializers.

    Reference:
        apache/mxnet, commit 011bde4d, python/mxnet/initializer.py, Xavier.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        bound = (6 / (shape[-2] + shape[-1])) ** 0.5
        return keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, object]:
        return {"seed": super().get_config()["seed"]}


@keras.saving.register_keras_serializable(package="cifar_keras")
class XavierCaffe2014Dense(keras.initializers.RandomUniform):
    """U(-s, s) with s = sqrt(3 / (inputs * outputs)): Caffe's "xavier" of linear layers in 2014.

    Caffe computed the fan-in as the size of the blob divided by its first dimension. That is right
    for a convolution. A linear layer's blob was (1, 1, outputs, inputs), so all of it counted.

    Args:
        seed: as in Keras' own initializers.

    Reference:
        s9xie/DSN, commit 065e498, include/caffe/filler.hpp and src/caffe/layers/
        inner_product_layer.cpp.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        bound = (3 / (shape[0] * shape[1])) ** 0.5
        return keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, object]:
        return {"seed": super().get_config()["seed"]}


def _normal(scale: float, mode: str) -> keras.initializers.Initializer:
    # Keras' he_normal is a truncated normal; that of the papers is not.
    return keras.initializers.VarianceScaling(scale, mode, distribution="untruncated_normal")


INITIALIZERS = {
    # N(0, 2 / fan_in): He et al., arXiv 1502.01852; neon's Kaiming(local=True).
    "kaiming_normal": lambda: _normal(2.0, "fan_in"),
    # N(0, 2 / fan_out), where fan_out is 9 * outputs for a 3x3 kernel: the "MSR" of Torch7's VGG
    # and its successors.
    "kaiming_normal_fan_out": lambda: _normal(2.0, "fan_out"),
    # U(+-1 / sqrt(fan_in)), for both convolutions and linear layers.
    "torch_default": lambda: keras.initializers.VarianceScaling(
        1 / 3, "fan_in", distribution="uniform"
    ),
    "identity": Identity,
    "torch_dirac": TorchDirac,
    "uniform_unit_deviation": UniformUnitDeviation,
    # MXNet's Xavier() since December 2015 (uniform, avg, magnitude 3), which is Glorot's rule.
    "xavier_mxnet": keras.initializers.GlorotUniform,
    "xavier_mxnet_2015": XavierMxnet2015,
    "xavier_caffe_2014_dense": XavierCaffe2014Dense,
    # These standard deviations do not depend on the layer's size.
    "normal_0.05": lambda: keras.initializers.RandomNormal(0.0, 0.05),
    "normal_1": lambda: keras.initializers.RandomNormal(0.0, 1.0),
}


def initializer(name: str) -> keras.initializers.Initializer:
    """Return a new initializer.

    Raises:
        ValueError: no initializer has this name.
    """
    if name not in INITIALIZERS:
        known = ", ".join(sorted(INITIALIZERS))
        raise ValueError(f"`initializer` must be one of {known}. Received: initializer={name!r}")
    return INITIALIZERS[name]()


def torch_bias(fan_in: int) -> keras.initializers.Initializer:
    """Return PyTorch's default for biases, U(+-1 / sqrt(fan_in)).

    Args:
        fan_in: the layer's inputs times its kernel area, which a bias' shape does not reveal.
    """
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)
