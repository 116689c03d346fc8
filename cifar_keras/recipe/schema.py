"""The frozen schema of a recipe.

A recipe is one YAML file that states an experiment whole: nothing that can move a number is left
to a default in code. Arguments of the network are free-form here and bound to the factory's
signature when the network is built; everything else is checked when the recipe is read.
"""

import hashlib
import json
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

DatasetName = Literal["cifar10", "cifar100", "synthetic10", "synthetic100"]
NUM_CLASSES = {"cifar10": 10, "cifar100": 100, "synthetic10": 10, "synthetic100": 100}
IMAGE_SIZE = 32


class Section(BaseModel):
    """A part of a recipe: unknown keys refused, types not coerced, never changed once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Rgb = Annotated[list[float], Field(min_length=3, max_length=3)]
Scalar = bool | int | float | str | None


class Model(BaseModel):
    """The factory's name, a key of `models.MODELS`, and beside it the factory's arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    name: str
    __pydantic_extra__: dict[str, Scalar | list[Scalar]]

    @property
    def arguments(self) -> dict[str, Any]:
        """What the factory is called with, besides the shape of the data."""
        return dict(self.__pydantic_extra__)


class Data(Section):
    """How uint8 images become batches; pixels are `(x / scale - mean) / std`.

    `last_batch` says what happens where the batch size does not divide the set: `keep` it smaller,
    `drop` it, or `carry` over into the next pass (all batches full, one endless stream of passes,
    as neon and MXNet did). `mean` and `std` are `channel` for the training set's own, `image` for
    the mean image of crops and flips, `none`, or three numbers in units of `x / scale`.
    `padding: zeros` pads after the normalisation, the others before.
    """

    batch_size: int = Field(ge=1)
    last_batch: Literal["keep", "drop", "carry"]
    scale: float = Field(gt=0)
    mean: Literal["none", "channel", "image"] | Rgb
    std: Literal["none", "channel"] | Rgb
    padding: Literal["none", "zeros", "reflect", "mean"]
    pad: int = Field(ge=0, lt=IMAGE_SIZE)
    crop: int = Field(ge=2, le=IMAGE_SIZE)
    flip: Literal["none", "random"]

    @model_validator(mode="after")
    def _sizes_agree(self) -> "Data":
        if (self.padding == "none") != (self.pad == 0):
            raise ValueError(f"padding '{self.padding}' and pad {self.pad} contradict each other")
        if self.crop % 2:
            raise ValueError(f"crop {self.crop} is odd: the test images' centre is not defined")
        return self


class Sgd(Section):
    """SGD whose decay is part of the gradient, `g + weight_decay * w`, before the momentum."""

    name: Literal["sgd"]
    momentum: float = Field(ge=0, lt=1)
    nesterov: bool
    weight_decay: float = Field(ge=0)
    decayed: Literal["all", "kernels"]


class Adadelta(Section):
    """Adadelta (Zeiler 2012); its published learning rate is 1.0."""

    name: Literal["adadelta"]
    rho: float = Field(ge=0, lt=1)
    epsilon: float = Field(gt=0)


Optimizer = Annotated[Sgd | Adadelta, Field(discriminator="name")]


class Constant(Section):
    """One rate throughout the stage."""

    kind: Literal["constant"]
    learning_rate: float = Field(gt=0)


class Steps(Section):
    """`learning_rates[i]` from the start of epoch `boundaries[i - 1]` (0-based) on."""

    kind: Literal["steps"]
    learning_rates: list[Annotated[float, Field(gt=0)]] = Field(min_length=2)
    boundaries: list[float] = Field(min_length=1)

    @model_validator(mode="after")
    def _agree(self) -> "Steps":
        if sorted(set(self.boundaries)) != self.boundaries or self.boundaries[0] <= 0:
            raise ValueError(f"boundaries {self.boundaries} must rise from above 0")
        if len(self.learning_rates) != len(self.boundaries) + 1:
            rates, boundaries = len(self.learning_rates), len(self.boundaries)
            raise ValueError(f"{boundaries} boundaries part {boundaries + 1} rates, not {rates}")
        return self


class Linear(Section):
    """The rate follows straight lines between `knots`, step by step.

    A knot is (share of the stage's steps, share of `learning_rate`); the first lies at 0, the last
    at 1.
    """

    kind: Literal["linear"]
    learning_rate: float = Field(gt=0)
    knots: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(min_length=2)

    @model_validator(mode="after")
    def _knots_rise(self) -> "Linear":
        places = [place for place, _ in self.knots]
        if places != sorted(set(places)) or places[0] != 0 or places[-1] != 1:
            raise ValueError(f"knots at {places} must rise from 0 to 1")
        return self


Schedule = Annotated[Constant | Steps | Linear, Field(discriminator="kind")]


class Start(Section):
    """The weights after `epoch` epochs of an earlier stage; stages are counted from 1.

    The optimizer starts anew, its momentum at zero; batch norm keeps its statistics.
    """

    stage: int = Field(ge=1)
    epoch: float = Field(gt=0)


class Stage(Section):
    """A part of the training with a schedule of its own; `epochs` may be fractional."""

    epochs: float = Field(gt=0)
    start: Literal["scratch"] | Start
    schedule: Schedule

    @model_validator(mode="after")
    def _boundaries_inside(self) -> "Stage":
        late = [b for b in getattr(self.schedule, "boundaries", []) if b >= self.epochs]
        if late:
            raise ValueError(f"boundaries {late} lie beyond the stage's {self.epochs:g} epochs")
        return self


class Curve(Section):
    """A published curve: rows of `file`, in reports/published, whose columns equal `where`.

    `first_epoch` is the number which that file gives to the first epoch. Where it gives it to the
    first epoch of each stage anew, `stage` is the column of the stages, which follow one another.
    """

    file: str
    where: dict[str, str | int]
    stage: str | None
    epoch: str
    value: str
    quantity: Literal["error", "accuracy"]
    first_epoch: Literal[0, 1]


class Reference(Section):
    """The published figure: test accuracy in percent, where it stands, and what it is.

    `epoch` says whether it is the last epoch's or the best on test; `statistic` how it comes from
    several `runs`. `verified` is false for a figure that was not seen in its source.
    """

    accuracy: float = Field(gt=0, lt=100)
    source: str
    verified: bool
    runs: int = Field(ge=1)
    statistic: Literal["single", "mean", "median", "best"]
    epoch: Literal["last", "best"]
    curve: Curve | None

    @model_validator(mode="after")
    def _runs_agree(self) -> "Reference":
        if (self.runs == 1) != (self.statistic == "single"):
            raise ValueError(f"{self.runs} runs and statistic '{self.statistic}' disagree")
        return self


class Recipe(Section):
    """One experiment."""

    title: str
    system: str
    dataset: DatasetName
    model: Model
    parameters: int = Field(ge=1, description="trainable parameters")
    data: Data
    optimizer: Optimizer
    label_smoothing: float = Field(ge=0, lt=1)
    stages: list[Stage] = Field(min_length=1)
    reference: Reference | None

    @model_validator(mode="after")
    def _starts_exist(self) -> "Recipe":
        for number, stage in enumerate(self.stages, start=1):
            start = stage.start
            if (number == 1) != (start == "scratch"):
                raise ValueError(
                    f"stage {number} starts from {start!r}: the first, and no other, "
                    "starts from scratch"
                )
            if isinstance(start, Start):
                if start.stage >= number:
                    raise ValueError(
                        f"stage {number} starts from stage {start.stage}, not before it"
                    )
                if start.epoch > self.stages[start.stage - 1].epochs:
                    raise ValueError(
                        f"stage {number} starts after epoch {start.epoch:g} of stage "
                        f"{start.stage}, which has fewer"
                    )
        return self

    @property
    def epochs(self) -> Fraction:
        """The epochs of all stages together, exactly."""
        return sum((Fraction(str(stage.epochs)) for stage in self.stages), Fraction(0))

    @property
    def num_classes(self) -> int:
        """Classes of the data set (fine labels)."""
        return NUM_CLASSES[self.dataset]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of the images that the network sees."""
        return self.data.crop, self.data.crop, 3

    @property
    def synthetic(self) -> bool:
        """Whether the images are drawn by this package and not photographs."""
        return self.dataset.startswith("synthetic")

    def sha256(self) -> str:
        """A hash of everything that can move a number; comments and published figures do not."""
        text = json.dumps(self.moving(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def moving(self) -> dict[str, Any]:
        """What can move a number, as plain data."""
        return self.model_dump(exclude={"title", "system", "parameters", "reference"})
