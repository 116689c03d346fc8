"""The position of a run: all that a checkpoint contains besides the variables."""

from dataclasses import dataclass, field
from typing import Any

from cifar_keras.experiment.stages import Place
from cifar_keras.records import Epoch


@dataclass
class Position(Place):
    """The position after `step` steps of stage `stage` (from 0); `rows` are the finished epochs.

    `seconds` is the time that the current epoch has taken so far, and `trained` its part in
    training steps. `logs` are its running metrics, for an epoch that is stopped before its test.
    """

    rows: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    trained: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)

    @property
    def tested_step(self) -> int:
        """The last step of this stage's finished epochs."""
        return next((r.step for r in reversed(self.rows) if r.stage == self.stage + 1), 0)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `go_to`."""
        return self.__dict__ | {"rows": [row.model_dump() for row in self.rows]}

    def go_to(self, data: dict[str, Any]) -> None:
        """Set the position from the data of `to_json`."""
        rows = [Epoch.model_validate(row) for row in data["rows"]]
        # Raise an error for unknown or missing keys here rather than later.
        self.__dict__.update(Position(**(data | {"rows": rows})).__dict__)
