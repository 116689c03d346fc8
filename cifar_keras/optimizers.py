"""The published optimizers that Keras lacks or defines differently."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cifar_keras.private import variable_index


@dataclass(frozen=True)
class VariableGroup:
    """Variables with their own learning rate, weight decay and schedule.

    Args:
        variables: a pattern for names of the form layer/variable, such as `*/bias`.
        rate: a factor of the optimizer's learning rate.
        weight_decay: the coefficient of the coupled decay.
        steps: after how many steps the variables and their momentum are frozen. With `linear`, over
            how many steps `rate` falls linearly to 0; the optimizer's learning rate is then
            ignored. 0 for neither.
        linear: see `steps`.
        gamma: the learning rate is multiplied by `(1 + gamma * step) ** -power`.
        power: see `gamma`.
    """

    variables: str
    rate: float = 1.0
    weight_decay: float = 0.0
    steps: int = 0
    linear: bool = False
    gamma: float = 0.0
    power: float = 0.0


@keras.saving.register_keras_serializable(package="cifar_keras")
class CoupledSGD(keras.optimizers.Optimizer):
    """SGD whose weight decay is part of the gradient: `g + coupled_decay * w` before the momentum.

    This is what papers and other frameworks mean by weight decay: L2 regularization, except that
    the penalty is not part of the reported loss. Keras' `weight_decay` acts directly on the
    weights, outside the momentum.

    The `classic` form of momentum is that of Keras, neon, MXNet and Caffe: `v <- m v - rate * g;
    w <- w + v`. The `torch` form is `v <- m v + g; w <- w - rate * v`. They differ when the
    learning rate changes.

    Args:
        learning_rate: a number or a schedule.
        momentum: 0 for none.
        nesterov: whether to use Nesterov momentum.
        coupled_decay: 1e-4 corresponds to a penalty of 0.5e-4 times the squared weights.
        decayed: "all", or "kernels" for only the kernels of convolutions and dense layers.
        form: "classic" or "torch".
        loss_factor: a factor of the loss before its gradient is computed. With the batch size, the
            mean becomes the sum.
        groups: variables with other learning rates and decays. The first group that matches counts;
            `coupled_decay` and `decayed` apply to all other variables.

    Raises:
        ValueError: `decayed` or `form` is unknown, or, when the optimizer is built, a group matches
            no variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        coupled_decay: float = 0.0,
        decayed: str = "all",
        form: str = "classic",
        loss_factor: float = 1.0,
        groups: Sequence[VariableGroup | Mapping[str, Any]] = (),
        name: str = "coupled_sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if decayed not in ("all", "kernels"):
            raise ValueError(f"`decayed` must be 'all' or 'kernels'. Received: decayed={decayed!r}")
        if form not in ("classic", "torch"):
            raise ValueError(f"`form` must be 'classic' or 'torch'. Received: form={form!r}")
        self.momentum, self.nesterov, self.form = momentum, nesterov, form
        self.coupled_decay, self.decayed, self.loss_factor = coupled_decay, decayed, loss_factor
        self.groups = tuple(
            group if isinstance(group, VariableGroup) else VariableGroup(**group)
            for group in groups
        )

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.roles = [self._role(variable) for variable in variables]
        for group in self.groups:
            if group not in self.roles:
                names = ", ".join(variable.path for variable in variables[:4])
                raise ValueError(
                    "`variables` of each group must match a trainable variable, as "
                    f"{names}. Received: variables={group.variables!r}"
                )
        self.velocities: list[keras.Variable] = []
        if self.momentum or self._has_own_momentum():
            self.velocities = self.add_optimizer_variables(variables, "momentum")

    def _has_own_momentum(self) -> bool:
        return False

    def _role(self, variable: keras.Variable) -> VariableGroup:
        for group in self.groups:
            if fnmatchcase(variable.path, group.variables):
                return group
        decays = self.decayed == "all" or variable.name == "kernel"
        return VariableGroup("*", weight_decay=self.coupled_decay if decays else 0.0)

    def scale_loss(self, loss: keras.KerasTensor) -> keras.KerasTensor:
        return super().scale_loss(loss) * self.loss_factor

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        index = variable_index(self, variable)
        role = self.roles[index]
        rate = self._rate_of(role, ops.cast(learning_rate, variable.dtype))
        gradient = ops.cast(gradient, variable.dtype)
        if role.weight_decay:
            gradient = gradient + ops.cast(role.weight_decay, variable.dtype) * variable
        if self.momentum and not role.steps:
            self._move(variable, self.velocities[index], gradient, rate)
            return
        frozen = self.iterations >= role.steps if role.steps else None
        if self.momentum:
            velocity = self.velocities[index]
            moved, step = self._moved(velocity, gradient, rate)
            self.assign(velocity, ops.where(frozen, velocity, moved))
        else:
            step = -rate * gradient
        # The whole step is masked, because the velocity alone would still move the variable.
        self.assign_add(variable, step if frozen is None else ops.where(frozen, 0.0, step))

    def _move(
        self,
        variable: keras.Variable | tf.Variable,
        velocity: keras.Variable,
        gradient: keras.KerasTensor,
        rate: keras.KerasTensor,
    ) -> None:
        """Update variable and velocity in place, in one pass over memory instead of five."""
        classic = tf.raw_ops.ResourceApplyKerasMomentum
        (classic if self.form == "classic" else tf.raw_ops.ResourceApplyMomentum)(
            var=_handle(variable),
            accum=_handle(velocity),
            lr=rate,
            grad=gradient,
            momentum=ops.cast(self.momentum, velocity.dtype),
            use_nesterov=self.nesterov,
        )

    def _moved(
        self, velocity: keras.Variable, gradient: keras.KerasTensor, rate: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the new velocity, and the step of the variable."""
        momentum = ops.cast(self.momentum, velocity.dtype)
        if self.form == "classic":
            moved = momentum * velocity - rate * gradient
            return moved, momentum * moved - rate * gradient if self.nesterov else moved
        moved = momentum * velocity + gradient
        return moved, -rate * (gradient + momentum * moved if self.nesterov else moved)

    def _rate_of(self, role: VariableGroup, rate: keras.KerasTensor) -> keras.KerasTensor:
        step = ops.cast(self.iterations, rate.dtype)
        if role.linear:
            return role.rate * ops.maximum(1 - step / role.steps, 0)
        if role.rate != 1:
            rate = role.rate * rate
        if role.power:
            rate = rate * (1 + role.gamma * step) ** -role.power
        return rate

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "coupled_decay": self.coupled_decay,
            "decayed": self.decayed,
            "form": self.form,
            "loss_factor": self.loss_factor,
            "groups": [asdict(group) for group in self.groups],
        }


def _handle(variable: keras.Variable | tf.Variable) -> tf.Tensor:
    handle: tf.Tensor = (
        variable.value if isinstance(variable, keras.Variable) else variable
    ).handle
    return handle


# Jordan et al.'s quintic, which moves singular values close to 1 in few steps, but not onto it.
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrix: keras.KerasTensor, steps: int) -> keras.KerasTensor:
    """Return a matrix with singular values near 1, by Newton-Schulz steps in its dtype.

    A step is `x <- p(x x^T) x`. Products with a wide x are most of the work, so only two of them
    are computed. The polynomials of all steps are multiplied first, with `p(g) x (p(g) x)^T =
    p(g)^2 g`.

    Args:
        matrix: (rows, columns).
        steps: how many.

    Reference:
        Jordan et al., Muon, https://kellerjordan.github.io/posts/muon.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if tall else matrix
    x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
    # Below this ratio, the products of the small matrices cost more than they save.
    at_once = steps if x.shape[1] > 1.5 * x.shape[0] else 1
    for begin in range(0, steps, at_once):
        x = ops.matmul(_quintics(ops.matmul(x, ops.transpose(x)), min(at_once, steps - begin)), x)
    return ops.transpose(x) if tall else x


def _quintics(gram: keras.KerasTensor, steps: int) -> keras.KerasTensor:
    """Return the matrix that advances an x with `x x^T = gram` by this many steps."""
    a, b, c = _QUINTIC
    product = None
    for step in range(steps):
        diagonal = a * ops.eye(gram.shape[0], dtype=gram.dtype)
        factor = diagonal + b * gram + c * ops.matmul(gram, gram)
        product = factor if product is None else ops.matmul(factor, product)
        if step + 1 < steps:
            gram = ops.matmul(ops.matmul(factor, factor), gram)
    return product


@keras.saving.register_keras_serializable(package="cifar_keras")
class MuonSGD(CoupledSGD):
    """Muon for convolution kernels, and `CoupledSGD` for everything else.

    `buffer <- m buffer + g; u = g + m buffer`. The kernel is scaled to the norm sqrt(filters). Then
    `kernel <- kernel - rate * orthogonalized(u)`, where u is a matrix with one row per filter.
    Keras' own `Muon` uses AdamW for kernels that are not matrices, has weight decay, and scales
    differently.

    Args:
        muon_variables: a pattern for names of the form layer/variable; must match 4-D kernels only.
        muon_rate: a factor of the learning rate.
        muon_momentum: m above.
        newton_schulz_steps: how often the quintic is applied.
        **kwargs: see `CoupledSGD`; for the other variables.

    Raises:
        ValueError: see `CoupledSGD`; or `muon_variables` matches something other than a convolution
            kernel.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, airbench94_muon.py.
    """

    def __init__(
        self,
        muon_variables: str,
        muon_rate: float = 1.0,
        muon_momentum: float = 0.6,
        newton_schulz_steps: int = 3,
        groups: Sequence[VariableGroup | Mapping[str, Any]] = (),
        name: str = "muon_sgd",
        **kwargs: Any,
    ) -> None:
        muon = VariableGroup(muon_variables, rate=muon_rate)
        super().__init__(groups=(muon, *groups), name=name, **kwargs)
        self.muon = muon
        self.muon_momentum, self.newton_schulz_steps = muon_momentum, newton_schulz_steps

    def build(self, variables: Sequence[keras.Variable]) -> None:
        super().build(variables)
        for role, variable in zip(self.roles, variables, strict=True):
            if role is self.muon and len(variable.shape) != 4:
                raise ValueError(
                    "`muon_variables` must match convolution kernels only. "
                    f"Received: muon_variables={self.muon.variables!r}, "
                    f"which matches {variable.path}"
                )

    def _has_own_momentum(self) -> bool:
        return True

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        index = variable_index(self, variable)
        if self.roles[index] is not self.muon:
            super().update_step(gradient, variable, learning_rate)
            return
        buffer = self.velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        moved = self.muon_momentum * buffer + gradient
        self.assign(buffer, moved)
        ahead = gradient + self.muon_momentum * moved
        shape, filters = tuple(variable.shape), variable.shape[-1]
        matrix = ops.reshape(ahead, (prod(shape[:-1]), filters))
        update = ops.reshape(orthogonalized(matrix, self.newton_schulz_steps), shape)
        rate = self._rate_of(self.muon, ops.cast(learning_rate, variable.dtype))
        scale = filters**0.5 / ops.sqrt(ops.sum(ops.square(variable)))
        self.assign(variable, variable * scale - rate * update)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {
            "groups": config["groups"][1:],
            "muon_variables": self.muon.variables,
            "muon_rate": self.muon.rate,
            "muon_momentum": self.muon_momentum,
            "newton_schulz_steps": self.newton_schulz_steps,
        }
