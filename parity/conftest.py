"""The options, the table and the fixtures of the parity suite."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cifar_keras.files import write_bytes
from cifar_keras.provenance import versions
from cifar_keras.quiet import import_tensorflow
from parity import exchange
from parity.agreement import BOUND, Row, relative_error, table

import_tensorflow()

ROWS = pytest.StashKey[list[Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Makefile say where the table goes."""
    parser.addoption("--report", type=Path, help="write the table here, if all agree")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without the reference frameworks: skipping would look like agreement."""
    config.stash[ROWS] = []
    for framework, name in exchange.FRAMEWORKS.items():
        if not (exchange.interpreter(framework).parent.parent / ".made").is_file():
            raise pytest.UsageError(f"there is no environment for {name}; run 'make parity'")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print the table, and write it where nothing failed."""
    text = table(config.stash[ROWS], header())
    terminalreporter.write_line(text)
    if exitstatus == pytest.ExitCode.OK and config.getoption("--report"):
        write_bytes(config.getoption("--report"), text.encode())


def header() -> str:
    """What stands above the table."""
    ours = versions()
    return (
        "Written by `make parity`. The same weights, inputs and noise go through our code "
        f"(TensorFlow {ours['tensorflow']},\nKeras {ours['keras']}) and through the networks, "
        "rules and operators of the originals' frameworks, on a CPU, in\nfloat32 unless stated "
        "otherwise. An error is the largest difference divided by the largest magnitude. With "
        "several\nvariables it is that of the worst one."
    )


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that notes a figure, as text, and asserts that it is as it must be."""

    def note(system: str, what: str, framework: str, figure: str, bound: str, agrees: bool) -> None:
        name = f"{exchange.FRAMEWORKS[framework]} {exchange.versions[framework]}"
        request.config.stash[ROWS].append(Row(system, what, name, figure, bound, agrees))
        assert agrees, f"{system}, {what}: {figure}, must be {bound}"

    return note


@pytest.fixture
def agree(note: Callable[..., None]) -> Callable[..., None]:
    """A function that notes the relative error of what should be equal, and asserts that it is.

    Of several arrays, by name, it is the worst; `scales` has magnitudes for those whose own mean
    nothing.
    """

    def agree(
        system: str,
        what: str,
        framework: str,
        ours: np.ndarray | dict[str, np.ndarray],
        theirs: np.ndarray | dict[str, np.ndarray],
        scales: dict[str, float] | None = None,
    ) -> None:
        if isinstance(ours, np.ndarray):
            ours, theirs = {"": ours}, {"": theirs}
        assert ours, "nothing to compare"
        assert ours.keys() == theirs.keys()
        scales = scales or {}
        errors = {name: relative_error(ours[name], theirs[name], scales.get(name)) for name in ours}
        # A NaN counts as the worst.
        worst = max(errors, key=lambda name: (errors[name] != errors[name], errors[name]))
        figure = f"{errors[worst]:.1e}" + (f" (`{worst}`)" if worst else "")
        note(system, what, framework, figure, f"< {BOUND:.0e}", errors[worst] < BOUND)

    return agree
