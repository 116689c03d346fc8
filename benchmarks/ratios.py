"""What is aimed at, and what was measured of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.families import FAMILIES, GEMMS
from benchmarks.figures import Figure, figure, quotient
from benchmarks.peers.gemm import OPERATIONS
from benchmarks.results import Results, rates

# A multiply-add is two operations; a training step goes forward once, and backward once for the
# maps and once for the kernels.
OPERATIONS_PER_MULTIPLY_ADD = 2 * 3


@dataclass(frozen=True)
class Goal:
    """A figure that should be at least, or below, a bound.

    Where `or_share`, SHARE of the limit does as well; `instead` is that share.
    """

    text: str
    found: Figure | None
    bound: float
    below: bool = False
    unit: str = ""
    or_share: bool = False
    instead: Figure | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is; None where it was not measured."""
        if self.found is None:
            return None
        if self.below:
            return self.found.median < self.bound
        enough = self.instead is not None and self.instead.median >= SHARE
        return self.found.median >= self.bound or enough


# Of the limit, in percent, where no more can be asked.
SHARE = 80.0
# (family, the contender's rival, at least).
RIVALS = (
    ("resnet20", "torch", 1.2),
    ("airbench94", "torch", 1.4),
    ("speedrun100", "torch", 1.3),
    ("inception_rrelu", "torch", 1.2),
    ("inception_rrelu", "mxnet", 2.0),
    ("resnet20", "keras", 1.8),
    ("resnet110", "keras", 1.8),
    ("airbench94", "keras", 1.3),
    ("speedrun100", "keras", 1.3),
    ("vgg_bn_dropout", "keras", 1.3),
    ("inception_rrelu", "keras", 1.3),
)
RIVAL_NAMES = {
    "torch": "PyTorch channels-last",
    "mxnet": "MXNet",
    "keras": "stock Keras as installed",
}
SHARES = (("airbench94", 32), ("speedrun100", 32), ("vgg_bn_dropout", 32))
PIPELINE = 50.0
COMMANDS = (("--help", 0.3), ("report (30 runs)", 3.0))


def goals(results: Results) -> list[Goal]:
    """All of them, in order."""
    return [*_over_rivals(results), *_shares(results), _pipeline(results), *_commands(results)]


def training_rates(results: Results, family: str, contender: str, size: int) -> list[float]:
    """Images per second in each repeat of training at this size."""
    part = results.get("training", {}).get(family)
    if part is None:
        return []
    return rates(part, contender, FAMILIES[family].case(size), part["batch_size"])


def limit(results: Results, family: str) -> float | None:
    """Operations per second of the faster matrix product, measured among this family's repeats."""
    part = results.get("training", {}).get(family, {"gemm": {}})["gemm"]
    found = [figure(rates({"contenders": part}, name, "gemm", OPERATIONS)) for name in GEMMS]
    return max((each.median for each in found if each is not None), default=None)


def share(results: Results, family: str, contender: str, size: int) -> Figure | None:
    """What a contender makes of the limit, in percent."""
    most = limit(results, family)
    if most is None:
        return None
    cost = OPERATIONS_PER_MULTIPLY_ADD * FAMILIES[family].multiply_adds[size]
    values = training_rates(results, family, contender, size)
    return figure([100 * rate * cost / most for rate in values])


def fastest(results: Results) -> Figure | None:
    """Our training rate of the family that trains fastest."""
    found = [
        figure(training_rates(results, name, "ours", size))
        for name, family in FAMILIES.items()
        for size in family.sizes
    ]
    measured = [each for each in found if each is not None]
    return max(measured, key=lambda each: each.median, default=None)


def _over_rivals(results: Results) -> list[Goal]:
    found = []
    for family, rival, bound in RIVALS:
        for size in FAMILIES[family].sizes:
            ours, theirs = (training_rates(results, family, each, size) for each in ("ours", rival))
            text = f"`{family}`{_at(family, size)}: ours / {RIVAL_NAMES[rival]}"
            wide = rival == "keras" and not family.startswith("resnet")
            instead = share(results, family, "ours", size) if wide else None
            found.append(Goal(text, quotient(ours, theirs), bound, or_share=wide, instead=instead))
    return found


def _shares(results: Results) -> list[Goal]:
    return [
        Goal(
            f"`{family}`{_at(family, size)}: share of the GEMM limit",
            share(results, family, "ours", size),
            SHARE,
            unit="%",
        )
        for family, size in SHARES
    ]


def _pipeline(results: Results) -> Goal:
    # Of the slowest of the families' own batches, to be on the safe side.
    alone = [_alone(results, family) for family in results.get("training", {})]
    slowest = min((a for a in alone if a is not None), key=lambda a: a.median, default=None)
    rate = fastest(results)
    found = None
    if slowest is not None and rate is not None:
        parts: Sequence[float] = (slowest.median, slowest.low, slowest.high)
        middle, low, high = (value / rate.median for value in parts)
        found = Figure(middle, low, high, slowest.repeats)
    return Goal("input pipeline alone / training rate of the fastest family", found, PIPELINE)


def _alone(results: Results, family: str) -> Figure | None:
    part = results["training"][family]
    return figure(rates(part, "ours", "pipeline", part["batch_size"]))


def _commands(results: Results) -> list[Goal]:
    seconds = results.get("start_up", {}).get("commands", {}).get("seconds", {})
    return [
        Goal(f"`cifar-keras {name}`", figure(seconds.get(name, [])), bound, below=True, unit="s")
        for name, bound in COMMANDS
    ]


def _at(family: str, size: int) -> str:
    return f" at {size} px" if len(FAMILIES[family].sizes) > 1 else ""
