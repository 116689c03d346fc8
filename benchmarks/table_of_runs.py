"""The table of where and when each part was measured."""

from typing import Any

from benchmarks.families import CONTENDERS
from benchmarks.figures import DASH, short
from benchmarks.results import Results


def table_of_runs(results: Results) -> str:
    """Return a row per part, followed by the versions of the contenders."""
    lines = [
        "| part | when, UTC | repeats | machine | load before | busy before | code |",
        "| --- | --- | ---: | --- | ---: | ---: | --- |",
    ]
    found: dict[str, set[str]] = {}
    for section, parts in results.items():
        for name, part in parts.items():
            lines.append(_row(f"{section.replace('_', ' ')}: {name}", part["run"]))
            for who, facts in part.get("contenders", {}).items():
                for package, version in facts.get("versions", {}).items():
                    if who in CONTENDERS and package != "cifar_keras":
                        found.setdefault(package, set()).add(version)
    versions = "; ".join(
        f"{name} {', '.join(sorted(each))}" for name, each in sorted(found.items())
    )
    return "\n".join([*lines, *(["", f"Versions: {versions}."] if versions else []), ""])


def _row(name: str, run: dict[str, Any]) -> str:
    flags = " ".join(run["flags"]) or "none of the known flags"
    machine = f"{run['cpu']}, {run['cores']} cores, {run['memory_gib']} GiB; {flags}"
    load = DASH if run["load_before"] is None else short(run["load_before"])
    busy = DASH if run.get("busy_before") is None else f"{run['busy_before']:.0f} %"
    revision = (run["git"]["revision"] or DASH)[:8]
    code = revision + (" with changes" if run["git"]["dirty"] else "")
    when = run["when"].replace("T", " ")[:16]
    return f"| {name} | {when} | {run['repeats']} | {machine} | {load} | {busy} | {code} |"
