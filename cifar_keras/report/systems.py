"""The systems that were reproduced, from systems.yaml."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class Figure(BaseModel):
    """Recipes whose curves are shown together."""

    title: str
    recipes: list[str]


class System(BaseModel):
    """The text about a system; systems.yaml explains the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    words: str
    beside: list[str] = []
    arguments: list[str] = []
    errors: bool = False
    accuracies: bool = False
    figure: Figure | None = None


SYSTEMS = {
    key: System.model_validate(system)
    for key, system in yaml.safe_load(
        Path(__file__).with_name("systems.yaml").read_text(encoding="utf-8")
    ).items()
}
