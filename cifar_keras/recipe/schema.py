"""The frozen schema of a recipe.

A resolved recipe states an experiment completely. A key may be left out only if its default means
that nothing is done: no augmentation, no decay, no reference. Arguments of the network are
free-form here and are checked against the factory's signature when the network is built; everything
else is checked when the recipe is read.
"""

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cifar_keras.recipe.arguments import Argument
from cifar_keras.recipe.hashing import hash_of
from cifar_keras.recipe.optimizer import Lookahead, Optimizer
from cifar_keras.recipe.reference import Reference
from cifar_keras.recipe.section import Section

DatasetName = Literal["cifar10", "cifar100", "synthetic10", "synthetic100"]
NUM_CLASSES = {"cifar10": 10, "cifar100": 100, "synthetic10": 10, "synthetic100": 100}
IMAGE_SIZE = 32
# Generous limits: a larger number is a mistake.
MAX_BATCH_SIZE = 2**20
MAX_EPOCHS = 100_000
MAX_STAGES = 100
MAX_DEPTH = 10_000
MAX_ENTRIES = 1_000
# Keras' names of its dtype policies.
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


Rgb = Annotated[list[float], Field(min_length=3, max_length=3)]


class Model(BaseModel):
    """The factory's name, a key of `models.MODELS`, and its arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    name: str
    __pydantic_extra__: dict[str, Argument]

    @model_validator(mode="after")
    def _can_be_built(self) -> "Model":
        depth = self.arguments.get("depth")
        if isinstance(depth, int) and depth > MAX_DEPTH:
            raise ValueError(f"depth {depth} must be at most {MAX_DEPTH}")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the factory, besides the shape of the data."""
        return dict(self.__pydantic_extra__)


class KerasCvLayer(Section):
    """A keras-cv layer by its class, applied to the cropped and flipped raw pixels."""

    layer: str
    arguments: dict[str, Argument]


Size = Annotated[list[float], Field(min_length=2, max_length=2)]


class Data(Section):
    """How uint8 images become batches; pixels are `(x / scale - mean) / std`.

    `last_batch` is what happens if the batch size does not divide the training set: `keep` the
    smaller last batch, `drop` it, or `carry` its images over into the next epoch, so that all
    batches are full (as in neon and MXNet). `validation` is the number of training images to hold
    out: the network is evaluated on them after each epoch, but not trained on them.

    `contrast` is the norm of a global contrast normalization, which comes first: the mean of each
    image is subtracted, and the image is scaled to this norm. `mean` and `std` are `channel` for
    the training set's own, `image` for the mean image of crops and flips, `pixel` for the mean
    image of uncropped images, `none`, or three numbers in units of `x / scale`.

    `padding: zeros` pads after the normalization, the others before. `flip: alternating` mirrors a
    random half of the images, and the other half in the next epoch. `cutout` is the side of a
    random square that is set to zero after the normalization. `sizes` are pairs (fraction of the
    stage's steps, side): up to that fraction, images are resized to that side.
    """

    batch_size: int = Field(ge=1, le=MAX_BATCH_SIZE)
    last_batch: Literal["keep", "drop", "carry"] = "keep"
    validation: int = Field(0, ge=0, lt=2**31)
    scale: float = Field(1.0, gt=0)
    contrast: Literal["none"] | Annotated[float, Field(gt=0)] = "none"
    mean: Literal["none", "channel", "image", "pixel"] | Rgb = "none"
    std: Literal["none", "channel"] | Rgb = "none"
    padding: Literal["none", "zeros", "reflect", "mean"] = "none"
    pad: int = Field(0, ge=0, lt=IMAGE_SIZE)
    crop: int = Field(IMAGE_SIZE, ge=2, le=IMAGE_SIZE)
    flip: Literal["none", "random", "alternating"] = "none"
    cutout: int = Field(0, ge=0, lt=IMAGE_SIZE)
    sizes: list[Size] = Field([], max_length=MAX_ENTRIES)
    keras_cv: list[KerasCvLayer] = Field([], max_length=MAX_ENTRIES)

    @model_validator(mode="after")
    def _agree(self) -> "Data":
        if (self.padding == "none") != (self.pad == 0):
            raise ValueError(f"padding '{self.padding}' and pad {self.pad} contradict each other")
        if self.crop % 2:
            raise ValueError(f"crop {self.crop} is odd; must be even, for a centered test crop")
        if self.contrast != "none" and self.scale != 1:
            raise ValueError(f"scale {self.scale:g} has no effect with contrast; write 1")
        if self.mean == "pixel" and self.padding in ("reflect", "mean"):
            raise ValueError(f"mean 'pixel' is not defined for padding '{self.padding}'")
        places = [place for place, _ in self.sizes]
        if self.sizes and (places != sorted(set(places)) or places[0] <= 0 or places[-1] != 1):
            raise ValueError(f"sizes up to {places} must rise from above 0 to 1")
        if any(size != int(size) or not 0 < size <= self.crop for _, size in self.sizes):
            raise ValueError(f"sizes {self.sizes} must have whole sides up to crop {self.crop}")
        return self


class Constant(Section):
    """One learning rate for the whole stage."""

    kind: Literal["constant"]
    learning_rate: float = Field(gt=0)


class Steps(Section):
    """`learning_rates[i]` applies from the start of epoch `boundaries[i - 1]` (0-based)."""

    kind: Literal["steps"]
    learning_rates: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=2, max_length=MAX_ENTRIES
    )
    boundaries: list[float] = Field(min_length=1, max_length=MAX_ENTRIES)

    @model_validator(mode="after")
    def _agree(self) -> "Steps":
        if sorted(set(self.boundaries)) != self.boundaries or self.boundaries[0] <= 0:
            raise ValueError(f"boundaries {self.boundaries} must rise from above 0")
        if len(self.learning_rates) != len(self.boundaries) + 1:
            rates, boundaries = len(self.learning_rates), len(self.boundaries)
            raise ValueError(f"{boundaries} boundaries need {boundaries + 1} rates, not {rates}")
        return self


class Linear(Section):
    """The learning rate is interpolated linearly between `knots` at each step.

    A knot is (fraction of the stage's steps, fraction of `learning_rate`). The first is at 0, the
    last at 1.
    """

    kind: Literal["linear"]
    learning_rate: float = Field(gt=0)
    knots: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        min_length=2, max_length=MAX_ENTRIES
    )

    @model_validator(mode="after")
    def _knots_rise(self) -> "Linear":
        places = [place for place, _ in self.knots]
        if places != sorted(set(places)) or places[0] != 0 or places[-1] != 1:
            raise ValueError(f"knots at {places} must rise from 0 to 1")
        return self


Schedule = Annotated[Constant | Steps | Linear, Field(discriminator="kind")]


class Start(Section):
    """The weights after `epoch` epochs of an earlier stage; stages are counted from 1.

    The optimizer is reset, with its momentum at zero; batch norm keeps its statistics.
    """

    stage: int = Field(ge=1, le=MAX_STAGES)
    epoch: float = Field(gt=0)


class Stage(Section):
    """A part of the training with a schedule of its own; `epochs` may be fractional.

    `frozen` are patterns for layers that are not trained in this stage; a frozen companion
    classifier adds no loss.
    """

    epochs: float = Field(gt=0, le=MAX_EPOCHS)
    start: Literal["scratch"] | Start = "scratch"
    frozen: list[str] = Field([], max_length=MAX_ENTRIES)
    schedule: Schedule

    @model_validator(mode="after")
    def _boundaries_inside(self) -> "Stage":
        late = [b for b in getattr(self.schedule, "boundaries", []) if b >= self.epochs]
        if late:
            raise ValueError(f"boundaries {late} are beyond the stage's {self.epochs:g} epochs")
        return self


class PublishedWeights(Section):
    """A file of pretrained weights to start from, and its MD5 sum."""

    url: str
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class Recipe(Section):
    """One experiment."""

    title: str
    system: str
    dataset: DatasetName
    model: Model
    parameters: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="trainable parameters, checked when the network is built; 0: not checked",
    )
    initial_weights: Literal["none"] | PublishedWeights = "none"
    data: Data
    batch_norm: Literal["synchronized", "per_replica"] = Field(
        "synchronized",
        description="on several devices: statistics of the whole batch, or of each device's shard",
    )
    precision: Precision = Field(
        "float32",
        description="precision of the network's computation, not part of the hash; weights, logits "
        "and loss are always float32",
    )
    optimizer: Optimizer
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    lookahead: Literal["none"] | Lookahead = "none"
    stages: list[Stage] = Field(min_length=1, max_length=MAX_STAGES)
    reference: Reference | None = None

    @model_validator(mode="after")
    def _ends(self) -> "Recipe":
        if self.epochs > MAX_EPOCHS:
            total = float(self.epochs)
            raise ValueError(f"the stages have {total:g} epochs together; at most {MAX_EPOCHS}")
        return self

    @model_validator(mode="after")
    def _starts_exist(self) -> "Recipe":
        for number, stage in enumerate(self.stages, start=1):
            start = stage.start
            if (number == 1) != (start == "scratch"):
                raise ValueError(
                    f"stage {number} starts from {start!r}: the first stage, and no "
                    "other, must start from scratch"
                )
            if isinstance(start, Start):
                if start.stage >= number:
                    raise ValueError(
                        f"stage {number} starts from stage {start.stage}; must be an earlier one"
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
        """The number of classes of the data set (fine labels)."""
        return NUM_CLASSES[self.dataset]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape of the images in tests and at the end of training."""
        return self.data.crop, self.data.crop, 3

    @property
    def input_shape(self) -> tuple[int | None, int | None, int]:
        """The shape of the network's input; height and width are None if there are `sizes`."""
        return (None, None, 3) if self.data.sizes else self.image_shape

    def named(self, name: str) -> str:
        """Return the name for display, with any precision but float32: `airbench94 (bfloat16)`."""
        return name if self.precision == "float32" else f"{name} ({self.number_type})"

    @property
    def number_type(self) -> str:
        """The precision for display: float32, float16 or bfloat16."""
        return self.precision.removeprefix("mixed_")

    @property
    def synthetic(self) -> bool:
        """Whether the images are synthetic and not photographs."""
        return self.dataset.startswith("synthetic")

    def sha256(self) -> str:
        """Return a hash of the experiment; the same in every precision.

        Comments and published figures do not change it.
        """
        return hash_of({key: value for key, value in self.settings().items() if key != "precision"})

    def sha256_with_precision(self) -> str:
        """Return the hash that versions up to 0.4.0 recorded; in float32 it is `sha256`."""
        return hash_of(self.settings())

    def settings(self) -> dict[str, Any]:
        """Return all keys that can change a result, as plain data.

        These are all but the title, the system, the number of parameters and the reference.
        """
        return self.model_dump(exclude={"title", "system", "parameters", "reference"})
