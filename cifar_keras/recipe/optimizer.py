"""The section `optimizer` of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from cifar_keras.recipe.section import Section


class Until(Section):
    """The stage's schedule for its first `epochs` epochs; the variables are frozen afterwards."""

    kind: Literal["until"]
    epochs: float = Field(gt=0, le=100_000)


class LinearToZero(Section):
    """A linear decay from 1 to 0 over `epochs` epochs, instead of the stage's schedule."""

    kind: Literal["linear"]
    epochs: float = Field(gt=0, le=100_000)


class Inverse(Section):
    """The stage's schedule times `(1 + gamma * step) ** -power`: Caffe's "inv"."""

    kind: Literal["inverse"]
    gamma: float = Field(gt=0)
    power: float = Field(gt=0)


GroupSchedule = (
    Literal["follow"] | Annotated[Until | LinearToZero | Inverse, Field(discriminator="kind")]
)


class Group(Section):
    """Variables with a learning rate and weight decay of their own.

    `variables` is a pattern such as `*/bias` for names of the form layer/variable; the first
    matching group counts. `rate` is multiplied by the schedule's learning rate.
    """

    variables: str
    rate: float = Field(1.0, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    schedule: GroupSchedule = "follow"


class Sgd(Section):
    """SGD with weight decay added to the gradient, `g + weight_decay * w`, before the momentum.

    `form` is `classic` if the learning rate is applied inside the velocity (Keras, neon, MXNet,
    Caffe), or `torch` if outside. `decayed` applies to variables in no group. `loss_factor`
    multiplies the batch's mean loss; a factor of the batch size makes it the sum.
    """

    name: Literal["sgd"]
    form: Literal["classic", "torch"] = "classic"
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0)
    decayed: Literal["all", "kernels"] = "all"
    loss_factor: float = Field(1.0, gt=0)
    groups: list[Group] = Field([], max_length=100)


class Muon(Section):
    """Muon for the kernels whose names match `variables`, and `others` for everything else.

    `rate` is Muon's factor, multiplied by the schedule's learning rate.
    """

    name: Literal["muon"]
    variables: str
    rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    newton_schulz_steps: int = Field(ge=1, le=100)
    others: Sgd


class Adadelta(Section):
    """Adadelta (Zeiler 2012); its published learning rate is 1.0."""

    name: Literal["adadelta"]
    rho: float = Field(ge=0, lt=1)
    epsilon: float = Field(gt=0)


Optimizer = Annotated[Sgd | Muon | Adadelta, Field(discriminator="name")]


class Lookahead(Section):
    """Every `every` steps, a slow copy of all weights and statistics moves toward the fast ones.

    The copy keeps the fraction `decay ** every * (step / total steps) ** power` of itself, and the
    fast weights are set to the copy. After the last step, the network is the copy.
    """

    every: int = Field(ge=1, le=2**31)
    decay: float = Field(gt=0, le=1)
    power: float = Field(ge=0)
