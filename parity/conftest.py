"""Options, table and fixtures of the parity suite."""

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
    """Add the option for the path of the table."""
    parser.addoption("--report", type=Path, help="write the table here if all tests pass")


def pytest_configure(config: pytest.Config) -> None:
    """Fail without the reference frameworks, because skipped tests would look like agreement."""
    config.stash[ROWS] = []
    for framework, name in exchange.FRAMEWORKS.items():
        if not (exchange.interpreter(framework).parent.parent / ".made").is_file():
            raise pytest.UsageError(f"{name} has no environment; run 'make parity'")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print the table, and write it if all tests passed."""
    text = table(config.stash[ROWS], header())
    terminalreporter.write_line(text)
    if exitstatus == pytest.ExitCode.OK and config.getoption("--report"):
        write_bytes(config.getoption("--report"), text.encode())


def header() -> str:
    """Return the text above the table."""
    ours = versions()
    return (
        "Written by `make parity`. The same weights, inputs and noise go through our code "
        f"(TensorFlow {ours['tensorflow']},\nKeras {ours['keras']}) and through the networks, "
        "optimizers and operators of the originals' frameworks, on a\nCPU, in float32 unless "
        "stated otherwise. An error is the largest difference divided by the largest magnitude. "
        "For\nseveral variables, the largest error is given."
    )


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that records a result as text and asserts that it is within its bound."""

    def note(system: str, what: str, framework: str, figure: str, bound: str, agrees: bool) -> None:
        name = f"{exchange.FRAMEWORKS[framework]} {exchange.versions[framework]}"
        request.config.stash[ROWS].append(Row(system, what, name, figure, bound, agrees))
        assert agrees, f"{system}, {what}: {figure}, must be {bound}"

    return note


@pytest.fixture
def agree(note: Callable[..., None]) -> Callable[..., None]:
    """Return a function that records the relative error of two results and asserts its bound.

    For several named arrays it records the largest error. `scales` gives the magnitudes for arrays
    that are zero except for rounding.
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
        # A NaN counts as the largest error.
        worst = max(errors, key=lambda name: (errors[name] != errors[name], errors[name]))
        figure = f"{errors[worst]:.1e}" + (f" (`{worst}`)" if worst else "")
        note(system, what, framework, figure, f"< {BOUND:.0e}", errors[worst] < BOUND)

    return agree
