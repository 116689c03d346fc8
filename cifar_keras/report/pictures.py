"""Pictures of charts, drawn anew only where a chart, the code or the library has changed."""

import hashlib
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import chain, zip_longest
from multiprocessing import get_context
from pathlib import Path

from cifar_keras.report.chart import Chart
from cifar_keras.report.own import HEAD

# Two processes, each importing Matplotlib, draw so many in less time than one.
_MANY = 6


def pictures(charts: Mapping[str, Chart], folder: Path) -> dict[str, bytes]:
    """File name -> content: an SVG and a PNG for each chart, from `folder` where they still hold.

    A picture names its source: a hash of all that its chart says, of the code that draws, and of
    Matplotlib's version.
    """
    code = Path(__file__).with_name("plot.py").read_bytes()
    drawing = hashlib.sha256(code + version("matplotlib").encode())
    sources = {}
    for name, chart in charts.items():
        digest = drawing.copy()
        digest.update(repr(chart).encode())
        sources[name] = f"sha256:{digest.hexdigest()}"
    found = {name: _present(folder / name, source) for name, source in sources.items()}
    missing = [name for name, pair in found.items() if pair is None]
    if missing:
        tasks = [(charts[name], sources[name]) for name in missing]
        found |= zip(missing, _drawn(tasks), strict=True)
    return {
        f"{name}.{kind}": content
        for name, pair in found.items()
        for kind, content in zip(("svg", "png"), pair or (), strict=True)
    }


_Tasks = list[tuple[Chart, str]]


def _drawn(tasks: _Tasks) -> list[tuple[bytes, bytes]]:
    # NumPy has threads of its own: without it this process can be copied.
    if len(tasks) < _MANY or "numpy" in sys.modules:
        return _draw(tasks)
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        turns = zip_longest(*pool.map(_draw, [tasks[::2], tasks[1::2]]))
    return [pair for pair in chain.from_iterable(turns) if pair]


def _draw(tasks: _Tasks) -> list[tuple[bytes, bytes]]:
    # Imported here, as it takes half a second and most reports draw nothing anew.
    from cifar_keras.report.plot import draw

    return draw(tasks)


def _present(stem: Path, source: str) -> tuple[bytes, bytes] | None:
    """The SVG and the PNG at `stem`, where both were drawn from `source`."""
    try:
        svg, png = (stem.with_name(f"{stem.name}.{kind}").read_bytes() for kind in ("svg", "png"))
    except OSError:
        return None
    marked = all(source.encode() in content[:HEAD] for content in (svg, png))
    return (svg, png) if marked else None
