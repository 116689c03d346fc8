"""The initial values that the published systems used, by the names recipes give them."""

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
    "xavier_mxnet_2015": XavierMxnet2015,
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
