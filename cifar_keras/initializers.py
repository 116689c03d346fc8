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


def _normal(scale: float, mode: str) -> keras.initializers.Initializer:
    # Keras' he_normal is a truncated normal; the papers' is not.
    return keras.initializers.VarianceScaling(scale, mode, distribution="untruncated_normal")


INITIALIZERS = {
    # N(0, 2 / fan_in): He et al., arXiv 1502.01852; neon's Kaiming(local=True).
    "kaiming_normal": lambda: _normal(2.0, "fan_in"),
    "identity": Identity,
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
