"""The optimizer's section of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from cifar_keras.recipe.section import Section


class Until(Section):
    """The stage's schedule for `epochs` epochs of the stage; frozen from then on."""

    kind: Literal["until"]
    epochs: float = Field(gt=0, le=100_000)


class LinearToZero(Section):
    """A straight line from 1 to 0 over `epochs` epochs, in place of the stage's schedule."""

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
    """Variables with a rate and a decay of their own.

    `variables` is a pattern such as `*/bias` for names of the form layer/variable; of several
    groups the first that matches counts. `rate` is a factor of the schedule's rate.
    """

    variables: str
    rate: float = Field(1.0, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    schedule: GroupSchedule = "follow"


class Sgd(Section):
    """SGD whose decay is part of the gradient, `g + weight_decay * w`, before the momentum.

    `form` says where the rate stands: `classic`, inside the velocity (Keras, neon, MXNet, Caffe),
    or `torch`, outside of it. `decayed` is for the variables in no group. `loss_factor` is what the
    batch's mean loss is multiplied by before its gradient; the batch size makes it the sum.
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

    `rate` is Muon's factor of the schedule's rate.
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
    """Every `every` steps a slow copy of all weights and statistics moves towards the fast ones.

    The copy keeps the share `decay ** every * (step / total steps) ** power` of itself and the fast
    weights become the copy; after the last step the network is the copy.
    """

    every: int = Field(ge=1, le=2**31)
    decay: float = Field(gt=0, le=1)
    power: float = Field(ge=0)
