"""Where a run stands: all that a checkpoint keeps next to the variables."""

from dataclasses import dataclass, field
from typing import Any

from cifar_keras.experiment.stages import Place
from cifar_keras.records import Epoch


@dataclass
class Position(Place):
    """`step` steps of stage `stage` (from 0) are done, and the epochs in `rows` are tested.

    `seconds` and `trained` are what the epoch under way has taken so far, in all and in training
    steps; `logs` its running metrics, for an epoch that is stopped before its test.
    """

    rows: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    trained: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)

    @property
    def tested_step(self) -> int:
        """The step of this stage up to which epochs are tested."""
        return next((r.step for r in reversed(self.rows) if r.stage == self.stage + 1), 0)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, which `go_to` takes."""
        return self.__dict__ | {"rows": [row.model_dump() for row in self.rows]}

    def go_to(self, data: dict[str, Any]) -> None:
        """Become the position that these plain data are of."""
        rows = [Epoch.model_validate(row) for row in data["rows"]]
        # A key that is unknown, or lacking, is an error here and not later.
        self.__dict__.update(Position(**(data | {"rows": rows})).__dict__)
