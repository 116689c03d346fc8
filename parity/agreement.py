"""The comparisons and their errors: the rows of reports/parity.md."""

from dataclasses import dataclass

import numpy as np

BOUND = 1e-4


@dataclass(frozen=True)
class Row:
    """One comparison: what was compared with which framework, the result and its bound."""

    system: str
    what: str
    framework: str
    figure: str
    bound: str
    agrees: bool


def relative_error(ours: np.ndarray, theirs: np.ndarray, scale: float | None = None) -> float:
    """Return the largest difference divided by the largest magnitude of `theirs`, or by `scale`.

    The error is 0 if the arrays are equal, even if both are zero. It is NaN if either array has a
    NaN, so it meets no bound.

    Raises:
        ValueError: If the shapes differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes differ: ours {ours.shape}, theirs {theirs.shape}")
    difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max()
    if difference == 0:
        return 0.0
    return float(difference / (np.abs(theirs).max() if scale is None else scale))


def kolmogorov_smirnov(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Return the two-sample statistic of two large samples and its asymptotic p-value.

    Reference:
        Stephens, JRSS B 32 (1970) 115, for the finite-sample correction.
    """
    both = np.concatenate([ours, theirs])
    first = np.searchsorted(np.sort(ours), both, side="right") / len(ours)
    second = np.searchsorted(np.sort(theirs), both, side="right") / len(theirs)
    statistic = float(np.abs(first - second).max())
    root = np.sqrt(len(ours) * len(theirs) / (len(ours) + len(theirs)))
    scaled = (root + 0.12 + 0.11 / root) * statistic
    k = np.arange(1, 101)
    p = 2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * (k * scaled) ** 2))
    return statistic, float(np.clip(p, 0, 1))


def table(rows: list[Row], header: str) -> str:
    """Return the rows as a Markdown page."""
    lines = [
        "# Parity with the originals' operators",
        "",
        header,
        "",
        "| system | what | compared with | result | must be |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    lines += [
        f"| {row.system} | {row.what} | {row.framework} | "
        f"{row.figure}{'' if row.agrees else ' **no**'} | {row.bound} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])
