"""What was compared and how near it came: the rows of reports/parity.md."""

from dataclasses import dataclass

import numpy as np

BOUND = 1e-4


@dataclass(frozen=True)
class Row:
    """One comparison: what, against whose operators, the figure, and what it must be."""

    system: str
    what: str
    framework: str
    figure: str
    bound: str
    agrees: bool


def relative_error(ours: np.ndarray, theirs: np.ndarray, scale: float | None = None) -> float:
    """The largest difference over the largest magnitude of theirs, or over `scale`.

    0 where there is no difference at all, as between variables that did not move. Not a number
    where either side holds one, so that it is under no bound.

    Raises:
        ValueError: the shapes differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes differ: ours {ours.shape}, theirs {theirs.shape}")
    difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max()
    if difference == 0:
        return 0.0
    return float(difference / (np.abs(theirs).max() if scale is None else scale))


def kolmogorov_smirnov(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The two-sample statistic of two large samples, and its asymptotic p-value.

    Reference:
        Stephens, JRSS B 32 (1970) 115, for the correction to finite samples.
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
    """The rows as a Markdown page."""
    lines = [
        "# Parity with the originals' operators",
        "",
        header,
        "",
        "| system | what | against | figure | must be |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    lines += [
        f"| {row.system} | {row.what} | {row.framework} | "
        f"{row.figure}{'' if row.agrees else ' **no**'} | {row.bound} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])
