"""The goals and what was measured for them."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.families import BFLOAT16, CONTENDERS, FAMILIES, FLOAT32, GEMMS, OURS
from benchmarks.figures import Figure, figure, quotient
from benchmarks.peers.gemm import SIDES, operations
from benchmarks.results import Results, rates

# A multiply-add is two operations. A training step has one forward pass, one backward pass for the
# maps and one for the kernels.
OPERATIONS_PER_MULTIPLY_ADD = 2 * 3
_SIGNS = {"≥": operator.ge, "≤": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Goal:
    """A figure that should be at least, at most, or below a bound, as given by the sign.

    With `or_share`, SHARE percent of the limit also meets the goal; `instead` is the percentage
    that was reached.
    """

    text: str
    found: Figure | None
    bound: float
    sign: str = "≥"
    unit: str = ""
    or_share: bool = False
    instead: Figure | None = None

    @property
    def met(self) -> bool | None:
        """Return whether the goal is met, or None if it was not measured."""
        if self.found is None:
            return None
        enough = self.instead is not None and self.instead.median >= SHARE
        return enough or bool(_SIGNS[self.sign](self.found.median, self.bound))


@dataclass(frozen=True)
class Race:
    """A goal for the speed of `ours` relative to its fastest rival, by family.

    With `or_share`, SHARE percent of the limit also meets the goal, except for the ResNets. In a
    family with several sizes each one counts, or only the `largest`.
    """

    text: str
    rivals: tuple[str, ...]
    bounds: dict[str, float]
    ours: str = OURS[FLOAT32]
    or_share: bool = False
    largest: bool = False


# Percent of the limit from which on we ask for no more.
SHARE = 80.0
RACES = (
    Race(
        "ours / PyTorch channels-last",
        ("torch",),
        {"resnet20": 1.2, "airbench94": 1.4, "speedrun100": 1.3, "inception_rrelu": 1.2},
    ),
    Race("ours / MXNet", ("mxnet",), {"inception_rrelu": 2.0}),
    Race(
        "ours / stock Keras as installed",
        ("keras",),
        {
            "resnet20": 1.8,
            "resnet110": 1.8,
            "airbench94": 1.3,
            "speedrun100": 1.3,
            "vgg_bn_dropout": 1.3,
            "inception_rrelu": 1.3,
        },
        or_share=True,
    ),
    Race(
        "ours float32 / PyTorch float32, the better of eager and compiled",
        ("torch", "torch-compiled"),
        {"resnet20": 1.2, "resnet110": 1.2},
    ),
    Race(
        "ours bfloat16 / PyTorch bfloat16, the better of eager and compiled",
        ("torch-bf16", "torch-bf16-compiled"),
        {
            "resnet20": 1.2,
            "resnet110": 1.2,
            "airbench94": 1.4,
            "speedrun100": 1.4,
            "vgg_bn_dropout": 1.4,
            "inception_rrelu": 2.4,
        },
        ours=OURS[BFLOAT16],
        largest=True,
    ),
    Race(
        "ours bfloat16 / ours float32",
        ("ours",),
        {
            "resnet20": 1.9,
            "resnet110": 1.9,
            "airbench94": 1.4,
            "speedrun100": 1.4,
            "vgg_bn_dropout": 1.4,
            "inception_rrelu": 1.7,
        },
        ours=OURS[BFLOAT16],
    ),
)
SHARES = (("airbench94", 32), ("speedrun100", 32), ("vgg_bn_dropout", 32))
MEMORY = 0.75
PIPELINE = 50.0
COMMANDS = (("--help", 0.3), ("report (30 runs)", 3.0))


def goals(results: Results) -> list[Goal]:
    """Return all goals in order."""
    return [
        *_over_rivals(results),
        *_shares(results),
        *_memory(results),
        _pipeline(results),
        *_commands(results),
    ]


def training_rates(results: Results, family: str, contender: str, size: int) -> list[float]:
    """Return the images per second of training at this size, for each repeat."""
    part = results.get("training", {}).get(family)
    if part is None:
        return []
    return rates(part, contender, FAMILIES[family].case(size), part["batch_size"])


def product(results: Results, family: str, gemm: str) -> tuple[int, Figure] | None:
    """Return the side at which a matrix product is fastest, and its operations per second.

    Only the repeats of this family count.
    """
    part = {"contenders": results.get("training", {}).get(family, {"gemm": {}})["gemm"]}
    found = {
        side: figure(rates(part, gemm, case, operations(side))) for case, side in SIDES.items()
    }
    measured = [(side, each) for side, each in found.items() if each is not None]
    return max(measured, key=lambda each: each[1].median, default=None)


def limit(results: Results, family: str, precision: str = FLOAT32) -> float | None:
    """Return the operations per second of the fastest matrix product in this precision."""
    names = [name for name, each in GEMMS.items() if each.precision == precision]
    found = [product(results, family, name) for name in names]
    return max((each[1].median for each in found if each is not None), default=None)


def share(results: Results, family: str, contender: str, size: int) -> Figure | None:
    """Return the percentage of the limit in its precision that a contender reaches."""
    most = limit(results, family, CONTENDERS[contender].precision)
    if most is None:
        return None
    cost = OPERATIONS_PER_MULTIPLY_ADD * FAMILIES[family].multiply_adds[size]
    values = training_rates(results, family, contender, size)
    return figure([100 * rate * cost / most for rate in values])


def fastest(results: Results) -> Figure | None:
    """Return our training speed for the family that trains fastest."""
    found = [
        figure(training_rates(results, name, "ours", size))
        for name, family in FAMILIES.items()
        for size in family.sizes
    ]
    measured = [each for each in found if each is not None]
    return max(measured, key=lambda each: each.median, default=None)


def _over_rivals(results: Results) -> list[Goal]:
    return [
        _over(results, race, family, size)
        for race in RACES
        for family in race.bounds
        for size in FAMILIES[family].sizes[-1 if race.largest else 0 :]
    ]


def _over(results: Results, race: Race, family: str, size: int) -> Goal:
    ours = training_rates(results, family, race.ours, size)
    theirs = [training_rates(results, family, rival, size) for rival in race.rivals]
    # A missing rival might be the fastest.
    best = max(theirs, key=median) if all(theirs) else []
    text = f"`{family}`{_at(family, size)}: {race.text}"
    wide = race.or_share and not family.startswith("resnet")
    instead = share(results, family, race.ours, size) if wide else None
    bound = race.bounds[family]
    return Goal(text, quotient(ours, best), bound, or_share=wide, instead=instead)


def _shares(results: Results) -> list[Goal]:
    return [
        Goal(
            f"`{family}`{_at(family, size)}: percentage of the GEMM limit",
            share(results, family, "ours", size),
            SHARE,
            unit="%",
        )
        for family, size in SHARES
    ]


def _memory(results: Results) -> list[Goal]:
    return [
        Goal(
            f"`{family}`: our peak memory, bfloat16 / float32",
            quotient(*(_peak(results, family, OURS[each]) for each in (BFLOAT16, FLOAT32))),
            MEMORY,
            sign="≤",
        )
        for family in FAMILIES
    ]


def _peak(results: Results, family: str, contender: str) -> list[float]:
    contenders = results.get("training", {}).get(family, {}).get("contenders", {})
    peak = contenders.get(contender, {}).get("peak_mib")
    return [] if peak is None else [peak]


def _pipeline(results: Results) -> Goal:
    # Uses the family with the slowest pipeline, to be on the safe side.
    alone = [_alone(results, family) for family in results.get("training", {})]
    slowest = min((a for a in alone if a is not None), key=lambda a: a.median, default=None)
    rate = fastest(results)
    found = None
    if slowest is not None and rate is not None:
        parts: Sequence[float] = (slowest.median, slowest.low, slowest.high)
        middle, low, high = (value / rate.median for value in parts)
        found = Figure(middle, low, high, slowest.repeats)
    return Goal("input pipeline only / training speed of the fastest family", found, PIPELINE)


def _alone(results: Results, family: str) -> Figure | None:
    part = results["training"][family]
    return figure(rates(part, "ours", "pipeline", part["batch_size"]))


def _commands(results: Results) -> list[Goal]:
    seconds = results.get("start_up", {}).get("commands", {}).get("seconds", {})
    return [
        Goal(f"`cifar-keras {name}`", figure(seconds.get(name, [])), bound, sign="<", unit="s")
        for name, bound in COMMANDS
    ]


def _at(family: str, size: int) -> str:
    return f" at {size} px" if len(FAMILIES[family].sizes) > 1 else ""
