"""What the originals tell beside their accuracy: reports/published/originals.csv."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cifar_keras.report.published import published_folder


@dataclass(frozen=True)
class Original:
    """A published figure, as text; of a recipe, or, where that is empty, of what `label` says.

    `quantity` names its unit where it has one; accuracies and errors are in percent. `mark` is as
    in `text.MARKS`.
    """

    system: str
    recipe: str
    label: str
    quantity: str
    value: str
    mark: str
    source: str

    @property
    def marked(self) -> str:
        """The value and its mark."""
        return f"{self.value} [{self.mark}]" if self.mark else self.value


@cache
def originals() -> Sequence[Original]:
    """All of them, in the order of the file."""
    path = published_folder() / "originals.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return [Original(**row) for row in csv.DictReader(file)]
