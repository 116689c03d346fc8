"""Compare runs side by side: recipes, versions, machines and results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cifar_keras import records
from cifar_keras.listing import table
from cifar_keras.recipe import flat

MISSING = "-"


def comparison(folders: Sequence[Path]) -> str:
    """Return three tables with one column per run: recipe, origin and results.

    The first two list only the keys that differ. Accuracies are fractions.

    Raises:
        RunError: one of them is damaged, or is not a run folder.
    """
    every = [records.read_run(folder) for folder in folders]
    names = tuple(str(folder) for folder in folders)
    figures = [_figures(folder) for folder in folders]
    tables = [
        _table("recipe", names, _differing([_recipe(run) for run in every])),
        _table("origin", names, _differing([_origin(run) for run in every])),
        _table("figure", names, _rows(figures)),
    ]
    return "\n\n".join(tables)


def _recipe(run: records.Run) -> dict[str, Any]:
    own = {"recipe": run.name, "seed": run.seed, "budget": run.budget, "overrides": run.overrides}
    return own | flat(run.recipe.settings())


def _origin(run: records.Run) -> dict[str, Any]:
    """Return code, versions, machine and data as of the last event."""
    origin: dict[str, Any] = {**run.provenance}
    data = origin.pop("data", {})
    if run.training_events:
        last = run.training_events[-1]
        origin |= {"versions": origin.get("versions", {}) | last.versions, "git": last.git}
        origin |= {"hardware": origin.get("hardware", {}) | last.machine}
    # Differently packed files may hold the same images.
    origin["data"] = {key: data.get(key) for key in ("name", "content_sha256")}
    return flat(origin)


def _figures(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if (folder / records.RESULT).exists():
        figures = flat(records.read_result(folder).model_dump(mode="json"))
    if tta := records.read_tta(folder):
        figures |= {f"tta.{key}": value for key, value in flat(tta.model_dump(mode="json")).items()}
    return {key: value for key, value in figures.items() if not key.endswith((".note", "epoch"))}


def _rows(columns: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    keys = list(dict.fromkeys(key for column in columns for key in column))
    return [(key, *(_cell(column.get(key)) for column in columns)) for key in keys]


def _differing(columns: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [row for row in _rows(columns) if len(set(row[1:])) > 1]


def _table(kind: str, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return f"{kind}: no {kind}s yet" if kind == "figure" else f"{kind}: the same"
    return table((kind, *names), rows, right=())


def _cell(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value[:8] if len(value) in (40, 64) and value.isalnum() else value
    if isinstance(value, float):
        return f"{value:.7g}"
    return f"{value:,}" if type(value) is int else str(value)
