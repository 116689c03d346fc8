"""The published optimizers where Keras has another rule."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="cifar_keras")
class CoupledSGD(keras.optimizers.SGD):
    """SGD whose decay is a part of the gradient: `g + coupled_decay * w` before the momentum.

    This is L2 regularisation without its penalty in the loss, and what papers and other frameworks
    mean by weight decay; Keras' `weight_decay` acts on the weights, outside the momentum. The
    momentum is Keras', neon's, MXNet's and Caffe's: `v <- m v - rate * g; w <- w + v`.

    Args:
        learning_rate: a number or a schedule.
        momentum: 0 for none.
        nesterov: whether the step looks ahead along the momentum.
        coupled_decay: 1e-4 stands for a penalty of 0.5e-4 times the squared weights.
        decayed: "all", or "kernels" for convolution and dense kernels alone.

    Raises:
        ValueError: `decayed` is another word.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        coupled_decay: float = 0.0,
        decayed: str = "all",
        name: str = "coupled_sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum, nesterov, name=name, **kwargs)
        if decayed not in ("all", "kernels"):
            raise ValueError(f"`decayed` must be 'all' or 'kernels'. Received: decayed={decayed!r}")
        self.coupled_decay = coupled_decay
        self.decayed = decayed

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        if self.coupled_decay and (self.decayed == "all" or self._is_kernel(variable)):
            decay = keras.ops.cast(self.coupled_decay, variable.dtype)
            gradient = keras.ops.cast(gradient, variable.dtype) + decay * variable
        super().update_step(gradient, variable, learning_rate)

    def _is_kernel(self, variable: keras.Variable) -> bool:
        # TensorFlow's own variable comes in here, its name a path; Keras' has the plain one.
        name = self._trainable_variables[self._get_variable_index(variable)].name
        return bool(name == "kernel")

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "coupled_decay": self.coupled_decay,
            "decayed": self.decayed,
        }
