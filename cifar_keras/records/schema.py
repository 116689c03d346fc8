"""What the files of a run folder record, checked when read."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import Self, TypedDict

from cifar_keras.recipe import RULE, Precision, Recipe, altering, alters_network, is_name


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


Accuracy = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ClassName = Annotated[str, Field(max_length=100), AfterValidator(_printable)]
# Folders, files and pages are named after these, as well as after a run's name.
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Budget = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,40})?$")]


class Record(BaseModel):
    """A JSON file of a run folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Optional(Record):
    """A record with optional figures; those that are None are not written."""

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        absent = {
            name
            for name, field in type(self).model_fields.items()
            if field.default is None and getattr(self, name) is None
        }
        return {key: value for key, value in handler(self).items() if key not in absent}


class Event(Record):
    """Something that happened to a run: when, at which step, with which code and machine.

    `files` maps file names to their SHA-256: the run's final files for "finished", tta.json for
    "evaluated".
    """

    kind: Literal["started", "resumed", "interrupted", "failed", "finished", "evaluated"]
    time: str
    stage: int
    step: int
    git: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, Any]
    note: str | None
    files: dict[str, str] = {}


class Provenance(TypedDict, total=False):
    """Code, versions, machine and data of a run, as `provenance.provenance` returns them."""

    versions: dict[str, str]
    git: dict[str, Any] | None
    hardware: dict[str, Any]
    devices: list[str]
    onednn: bool
    data: dict[str, Any]


class Run(Record):
    """run.json: everything that defines the run, written before its first step.

    `test_every` is the number of epochs from test to test; see `schedules.is_tested`.
    """

    name: str
    recipe: Recipe
    recipe_sha256: Sha256
    seed: int
    budget: Budget
    overrides: list[str]
    command: list[str]
    started: str
    provenance: Provenance
    test_every: Annotated[int, Field(ge=0)] = 1
    events: list[Event] = []

    @model_validator(mode="before")
    @classmethod
    def _with_its_own_parameters(cls, tree: Any) -> Any:
        # An earlier version recorded the number of parameters without the overrides.
        if not isinstance(tree, dict):
            return tree
        recipe, overrides = tree.get("recipe"), tree.get("overrides")
        if isinstance(recipe, dict) and isinstance(overrides, list):
            keys = [str(each).partition("=")[0] for each in overrides]
            if alters_network(keys) and "parameters" not in keys:
                return tree | {"recipe": recipe | {"parameters": 0}}
        return tree

    @field_validator("name")
    @classmethod
    def _names_files(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError(f"{name[:100]!r} must be {RULE}; correct it, or remove the folder")
        return name

    @field_validator("recipe_sha256")
    @classmethod
    def _without_precision(cls, digest: str, before: ValidationInfo) -> str:
        # The hash of an earlier version depended on the precision.
        recipe = before.data.get("recipe")
        return recipe.sha256() if recipe and digest == recipe.sha256_with_precision() else digest

    @field_validator("overrides")
    @classmethod
    def _but_the_precision(cls, overrides: list[str]) -> list[str]:
        # An earlier version recorded the precision as an override.
        return altering(overrides)

    @property
    def precision(self) -> Precision:
        """The precision in which the network computes."""
        return self.recipe.precision

    @property
    def finish(self) -> Event | None:
        """The event "finished"; None for an unfinished run."""
        return self._last("finished")

    @property
    def evaluation(self) -> Event | None:
        """The last event "evaluated", which wrote tta.json; None without one."""
        return self._last("evaluated")

    @property
    def training_events(self) -> list[Event]:
        """All events but evaluations."""
        return [event for event in self.events if event.kind != "evaluated"]

    def _last(self, kind: str) -> Event | None:
        return next((each for each in reversed(self.events) if each.kind == kind), None)

    @property
    def scaled(self) -> bool:
        """Whether the budget is not 1."""
        return self.budget != "1"

    @property
    def altered(self) -> bool:
        """Whether keys of the recipe were overridden, other than the precision."""
        return bool(self.overrides)


class Preprocessing(Record):
    """preprocessing.json: how images are normalized, and the names of the classes.

    `mean` has one number per channel, or is an image (H, W, 3) as nested lists; `factor` has one
    number per channel. See `data.normalize.Normalization`.
    """

    mean: list[Finite] | list[list[list[Finite]]]
    factor: Annotated[list[Positive], Field(min_length=3, max_length=3)]
    class_names: Annotated[list[ClassName], Field(min_length=1)]


class Epoch(_Optional):
    """A row of history.csv: the state after `epoch` epochs (the last may be fractional).

    Epochs are counted over all stages, steps within their stage, and stages from 1. Accuracies are
    fractions. `loss` is the epoch's mean training loss without penalties, in training mode.
    `test_*` are over all test images in inference mode, and None (an empty cell) if the epoch was
    not tested. `validation_*` are over all held-out images, if there are any.
    """

    epoch: Annotated[float, Field(ge=1e-6, allow_inf_nan=False)]
    stage: Annotated[int, Field(ge=1)] = 1
    step: Annotated[int, Field(gt=0, lt=2**53)]
    learning_rate: float
    loss: float
    accuracy: Accuracy
    test_loss: float | None
    test_accuracy: Accuracy | None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    images_per_second: float
    validation_loss: float | None = None
    validation_accuracy: Accuracy | None = None

    @model_validator(mode="after")
    def _tested_or_not(self) -> Self:
        if (self.test_loss is None) != (self.test_accuracy is None):
            raise ValueError("test_loss and test_accuracy must both be given, or neither")
        return self

    @property
    def place(self) -> tuple[int, int, float]:
        """Stage, step and epoch, as `schedules.tested_epochs` counts them."""
        return self.stage, self.step, self.epoch


class BestOnTest(Record):
    """The best epoch, chosen on the test set; never the headline."""

    test_accuracy: Accuracy
    epoch: float
    note: str = "chosen on the test set"


class BestByValidation(Record):
    """The first epoch with the best validation accuracy, and its test accuracy.

    The choice does not depend on the test set, so use this figure to select a model.
    """

    test_accuracy: Accuracy | None
    accuracy: Accuracy
    epoch: float
    note: str = "chosen on the validation images"


class Validation(Record):
    """The figures of the last epoch on all held-out images, and the best epoch by them."""

    accuracy: Accuracy
    correct: int
    images: int
    loss: Annotated[float, Field(allow_inf_nan=False)] | None
    best: BestByValidation


class Result(_Optional):
    """result.json: the results; `test_accuracy` is that of the LAST epoch, on all test images.

    `validation` is None unless the recipe has `data.validation`.
    """

    test_accuracy: Accuracy
    test_correct: int
    test_images: int
    test_loss: Annotated[float, Field(allow_inf_nan=False)] | None
    epoch: Literal["last"] = "last"
    epochs: Positive
    steps: int
    best_on_test: BestOnTest
    parameters: int
    macs: int
    seconds: float
    images_per_second: float
    peak_memory_mib: Annotated[int, Field(ge=0, lt=2**63)]
    weights_sha256: str
    finished: str
    validation: Validation | None = None


class Tta(Record):
    """tta.json: the accuracy with test-time augmentation (TTA).

    `views` is the number of views of each image whose logits were averaged.
    """

    test_accuracy: Accuracy
    test_correct: int
    test_images: int
    views: Annotated[int, Field(ge=2)]
    weights_sha256: str
    finished: str


class HalfWeights(Record):
    """float16.json: the figures of the run's weights with kernels in float16.

    `rounded_from` is the hash of the run's final weights. `augmented_correct` is None if TTA was
    not evaluated.
    """

    weights_sha256: Sha256
    rounded_from: Sha256
    test_accuracy: Accuracy
    test_correct: int
    test_images: int
    augmented_correct: int | None = None
    finished: str
