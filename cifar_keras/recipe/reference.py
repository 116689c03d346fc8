"""The published result: its figure, what it measures, its spread, and its curve."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cifar_keras.recipe.names import PATTERN
from cifar_keras.recipe.section import Section


class Curve(Section):
    """A published curve: the rows of `file`, in reports/published, whose columns equal `where`.

    `first_epoch` is the number of the first epoch in that file. If the file counts the epochs of
    each stage separately, `stage` is the column with the stage, in order.
    """

    file: Annotated[str, Field(pattern=PATTERN)]
    where: dict[str, str | int] = Field({})
    stage: str | None = None
    epoch: str
    value: str
    quantity: Literal["error", "accuracy"]
    first_epoch: Literal[0, 1]


class Spread(Section):
    """The seed-to-seed spread of the published runs, in points of accuracy.

    `mean` is their mean in percent, null if it is the published figure. `source` is where both were
    published. For a single run, `deviation` is that of other runs of such a network.
    """

    mean: float | None = Field(None, gt=0, lt=100)
    deviation: float = Field(gt=0)
    source: str


class Band(Section):
    """How far one or two runs may differ from the published figure, in points, and the reason."""

    points: float = Field(gt=0)
    reason: str


class Reference(Section):
    """The published test accuracy in percent, its source, and what it measures.

    `epoch` is whether it is from the last epoch or the best on the test set; `statistic` is how it
    was computed from several `runs`; `augmented` is whether it was measured with test-time
    augmentation. `verified` is false for a figure that was not seen in its source; `inferred` lists
    the keys that no source states. `spread` and `band` are used for the verdict: docs/verdict.md.
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
        """The accuracy expected of our runs, in percent: the published mean if it is known."""
        return self.spread.mean if self.spread and self.spread.mean else self.accuracy
