"""Where a run stands: all that a checkpoint keeps beside the variables."""

from dataclasses import dataclass, field
from typing import Any

from cifar_keras.runs import Epoch


@dataclass
class Position:
    """`step` steps of stage `stage` (from 0) are done, and the epochs in `rows` are tested.

    `seconds` and `trained` are what the epoch under way has taken so far, in all and in training
    steps; `logs` its running metrics, for an epoch that is stopped before its test.
    """

    stage: int = 0
    step: int = 0
    rows: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    trained: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)

    @property
    def tested_step(self) -> int:
        """The step of this stage up to which epochs are tested."""
        return next((r.step for r in reversed(self.rows) if r.stage == self.stage + 1), 0)

    def to_json(self) -> dict[str, Any]:
        """Plain data, which `from_json` takes."""
        return self.__dict__ | {"rows": [row.model_dump() for row in self.rows]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Position":
        """The position of plain data."""
        return cls(**(data | {"rows": [Epoch.model_validate(row) for row in data["rows"]]}))
