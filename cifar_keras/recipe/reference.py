"""What was published: the figure, what it is, how it scatters, and the curve."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cifar_keras.recipe.names import PATTERN
from cifar_keras.recipe.section import Section


class Curve(Section):
    """A published curve: rows of `file`, in reports/published, whose columns equal `where`.

    `first_epoch` is the number which that file gives to the first epoch. Where it gives it to the
    first epoch of each stage anew, `stage` is the column of the stages, which follow one another.
    """

    file: Annotated[str, Field(pattern=PATTERN)]
    where: dict[str, str | int] = Field({})
    stage: str | None = None
    epoch: str
    value: str
    quantity: Literal["error", "accuracy"]
    first_epoch: Literal[0, 1]


class Spread(Section):
    """How the published runs scatter, in points of accuracy.

    `mean` is theirs, in percent, null where the published figure is it. `source` says where both
    stand; for a single run `deviation` is that of other runs of such a network.
    """

    mean: float | None = Field(None, gt=0, lt=100)
    deviation: float = Field(gt=0)
    source: str


class Band(Section):
    """How far one or two runs may lie from the published figure, in points, and why so far."""

    points: float = Field(gt=0)
    reason: str


class Reference(Section):
    """The published figure: test accuracy in percent, where it stands, and what it is.

    `epoch` says whether it is the last epoch's or the best on test; `statistic` how it comes from
    several `runs`; `augmented` whether it was found with test-time augmentation. `verified` is
    false for a figure that was not seen in its source; `inferred` names the keys that no source
    states. `spread` and `band` are what docs/verdict.md judges our runs by.
    """

    accuracy: float = Field(gt=0, lt=100)
    source: str
    verified: bool = True
    inferred: list[Literal["accuracy", "runs", "epoch"]] = Field([])
    runs: int = Field(ge=1, le=1_000_000)
    statistic: Literal["single", "mean", "median", "best"]
    spread: Spread | None = None
    epoch: Literal["last", "best"]
    augmented: bool = False
    band: Band | None = None
    curve: Curve | None = None

    @model_validator(mode="after")
    def _runs_agree(self) -> "Reference":
        if (self.runs == 1) != (self.statistic == "single"):
            raise ValueError(f"{self.runs} runs and statistic '{self.statistic}' disagree")
        return self

    @property
    def expected(self) -> float:
        """What a run of ours is expected at, in percent: the published mean where it is known."""
        return self.spread.mean if self.spread and self.spread.mean else self.accuracy
