"""The initial values that the published systems used, by the names recipes give them."""

from math import prod

import keras


@keras.saving.register_keras_serializable(package="cifar_keras")
class Identity(keras.initializers.Initializer):
    """A kernel (height, width, inputs, outputs) that copies its first channels through.

    Output i is input i for the first min(inputs, outputs) of them; the rest is zero. The copy is
    taken at the tap `size // 2`, as PyTorch's `dirac_` does.
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
    """PyTorch's default, its first filters replaced by those of `Identity`.

    Of a kernel (height, width, inputs, outputs) the first min(inputs, outputs) filters copy their
    inputs through; the others are U(+-1 / sqrt(fan_in)).

    Args:
        seed: as of Keras' own initializers.

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
    """A uniform distribution about 0, drawn and then scaled to a sample deviation of exactly 1.

    Args:
        seed: as of Keras' own initializers.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, airbench94_muon.py, whose last layer begins
        so.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(-1.0, 1.0, seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        drawn = super().__call__(shape, dtype=dtype)
        # The deviation of PyTorch's `std`, over n - 1.
        squares = keras.ops.sum(keras.ops.square(drawn - keras.ops.mean(drawn)))
        return drawn / keras.ops.sqrt(squares / (prod(shape) - 1))

    def get_config(self) -> dict[str, object]:
        return {"seed": super().get_config()["seed"]}


@keras.saving.register_keras_serializable(package="cifar_keras")
class XavierMxnet2015(keras.initializers.RandomUniform):
    """U(-s, s) with s = sqrt(6 / (inputs + outputs)) of channels, whatever the kernel's area.

    A 3x3 convolution so begins three times as wide as by Glorot's rule.

    Args:
        seed: as of Keras' own initializers.

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

    Its rule divides by the blob's count over its first side, which is the fan-in of a convolution;
    but a linear layer's blob was (1, 1, outputs, inputs), so that all of it was taken for that.

    Args:
        seed: as of Keras' own initializers.

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
    # Keras' he_normal is a truncated normal; the papers' is not.
    return keras.initializers.VarianceScaling(scale, mode, distribution="untruncated_normal")


INITIALIZERS = {
    # N(0, 2 / fan_in): He et al., arXiv 1502.01852; neon's Kaiming(local=True).
    "kaiming_normal": lambda: _normal(2.0, "fan_in"),
    # N(0, 2 / fan_out), 9 * outputs for a 3x3 kernel: the "MSR" of Torch7's VGG and its followers.
    "kaiming_normal_fan_out": lambda: _normal(2.0, "fan_out"),
    # U(+-1 / sqrt(fan_in)), of convolutions and linear layers alike.
    "torch_default": lambda: keras.initializers.VarianceScaling(
        1 / 3, "fan_in", distribution="uniform"
    ),
    "identity": Identity,
    "torch_dirac": TorchDirac,
    "uniform_unit_deviation": UniformUnitDeviation,
    # MXNet's Xavier() since December 2015 (uniform, avg, magnitude 3), which is Glorot's own rule.
    "xavier_mxnet": keras.initializers.GlorotUniform,
    "xavier_mxnet_2015": XavierMxnet2015,
    "xavier_caffe_2014_dense": XavierCaffe2014Dense,
    # Of these deviations, whatever the layer's size.
    "normal_0.05": lambda: keras.initializers.RandomNormal(0.0, 0.05),
    "normal_1": lambda: keras.initializers.RandomNormal(0.0, 1.0),
}


def initializer(name: str) -> keras.initializers.Initializer:
    """A new initializer of that name.

    Raises:
        ValueError: no initializer has that name.
    """
    if name not in INITIALIZERS:
        known = ", ".join(sorted(INITIALIZERS))
        raise ValueError(f"`initializer` must be one of {known}. Received: initializer={name!r}")
    return INITIALIZERS[name]()


def torch_bias(fan_in: int) -> keras.initializers.Initializer:
    """PyTorch's default for biases, U(+-1 / sqrt(fan_in)).

    A bias has the shape (outputs,), so the layer's fan-in is told: inputs times kernel area.
    """
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)
