"""Write reports/benchmarks.md; the same results give the same text."""

from collections.abc import Iterable, Sequence

from benchmarks.families import CONTENDERS, EVALUATED_AT_ONCE, FAMILIES, GEMMS, OURS, Family
from benchmarks.figures import DASH, Figure, figure, quotient, short, shown
from benchmarks.machine import disturbance
from benchmarks.peers.gemm import SIDES
from benchmarks.ratios import (
    OPERATIONS_PER_MULTIPLY_ADD,
    SHARE,
    Goal,
    goals,
    limit,
    product,
    share,
    training_rates,
)
from benchmarks.results import Results, rates
from benchmarks.table_of_runs import table_of_runs

*_SMALLER, _LARGEST = (f"{side:,}" for side in SIDES.values())
_INTRODUCTION = f"""\
# Speed

Written by `make bench` from `benchmarks.json`; do not edit. A figure is the median of several
repeats, with the smallest and the largest in parentheses. The contenders of a table take turns.
Ratios are computed in each round; the table gives their median, smallest and largest.
[benchmarks/README.md](../benchmarks/README.md) describes each contender.

![training speeds](benchmarks.svg)

Contenders are compared with ours in the same precision. The limit is the fastest matrix product in
that precision, in TensorFlow or PyTorch, with sides of {", ".join(_SMALLER)} or {_LARGEST},
measured in the same rounds. A training step counts as 6 operations per multiply-add of the forward
pass. That includes the gradient with respect to the images, which no training needs.
"""


def page(results: Results) -> str:
    """Return the whole report."""
    trained = [FAMILIES[name] for name in FAMILIES if name in results.get("training", {})]
    parts = [_INTRODUCTION, "## Goals\n", _goals(goals(results))]
    if trained:
        parts += ["## Training\n", *(_training(results, family) for family in trained)]
        parts += ["## Evaluation, input pipeline and checkpoints\n", _beside(results, trained)]
    if "growth" in results:
        parts += ["## Cost as depth and batch grow, ours\n", _growth(results["growth"])]
    if "first_step" in results or "start_up" in results:
        parts += ["## Start-up\n", _start_up(results)]
    return "\n".join([*parts, "## Runs\n", table_of_runs(results)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Return a table with text in the first columns and numbers in the others."""
    rule = [*["---"] * texts, *["---:"] * (len(head) - texts)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
    return "\n".join([*lines, ""])


def _goals(all_goals: Iterable[Goal]) -> str:
    met = {True: "yes", False: "no", None: DASH}
    rows = []
    for goal in all_goals:
        bound = f"{goal.sign} {goal.bound:g} {goal.unit}".rstrip()
        if goal.or_share:
            bound += f", or {SHARE:g} % of the limit"
        found = shown(goal.found) + (f" {goal.unit}" if goal.found and goal.unit else "")
        if goal.instead is not None:
            found += f"; {short(goal.instead.median)} % of the limit"
        rows.append([goal.text, bound, found, met[goal.met]])
    return _table(["", "goal", "measured", "met"], rows)


def _training(results: Results, family: Family) -> str:
    part = results["training"][family.name]
    blocks = []
    for size in family.sizes:
        rows = []
        for name, facts in part["contenders"].items():
            title, precision = CONTENDERS[name].title, CONTENDERS[name].precision
            if "failed" in facts:
                rows.append([f"{title}: failed, {facts['failed']}", precision, *[DASH] * 5])
                continue
            found = training_rates(results, family.name, name, size)
            ours = training_rates(results, family.name, OURS[precision], size)
            rows.append(
                [
                    title,
                    precision,
                    shown(figure(found)),
                    DASH if name == OURS[precision] else shown(quotient(ours, found)),
                    shown(share(results, family.name, name, size)),
                    f"{facts['peak_mib']:,}",
                    short(facts["first_step"]),
                ]
            )
        table = _table(_TRAINING, rows, texts=2) + _note(part)
        blocks.append(f"{_heading(results, family, size)}\n\n{table}")
    return "\n".join(blocks)


def _note(part: Results) -> str:
    """Return the warning for a part that was not measured on an idle machine."""
    text = disturbance(part["run"])
    return f"\n{text}\n" if text else ""


_TRAINING = [
    "",
    "precision",
    "images/s",
    "ours / this",
    "% of the limit",
    "peak memory, MiB",
    "time to first step, s",
]


def _heading(results: Results, family: Family, size: int) -> str:
    batch, cost = results["training"][family.name]["batch_size"], family.multiply_adds[size]
    lines = [
        f"### `{family.name}`, {size} px, batch {batch}",
        "",
        f"{cost / 1e6:,.1f} M multiply-adds per image.",
    ]
    for precision in OURS:
        found = {
            GEMMS[name].title: product(results, family.name, name)
            for name in GEMMS
            if GEMMS[name].precision == precision
        }
        products = [f"{who} {_product(*each)}" for who, each in found.items() if each]
        most = limit(results, family.name, precision)
        if most:
            rate = short(most / OPERATIONS_PER_MULTIPLY_ADD / cost)
            lines.append(
                f"The {precision} matrix product in GFLOP/s: {', '.join(products)}; the limit is "
                f"{rate} images/s."
            )
    return "\n".join(lines)


def _product(side: int, found: Figure) -> str:
    rate = Figure(found.median / 1e9, found.low / 1e9, found.high / 1e9, found.repeats)
    return f"{rate} at {side:,}"


def _beside(results: Results, families: Sequence[Family]) -> str:
    rows = []
    for family in families:
        part = results["training"][family.name]
        size = part["batch_size"]
        for name, facts in part["contenders"].items():
            if "failed" in facts:
                continue
            tested = figure(rates(part, name, "evaluate", EVALUATED_AT_ONCE))
            alone = figure(rates(part, name, "pipeline", size))
            repeats = facts["cases"].get("checkpoint", [])
            saved = figure([seconds / count for count, seconds in repeats])
            who = CONTENDERS[name]
            row = [f"`{family.name}`, {who.title}", who.precision, shown(tested), shown(alone)]
            rows.append([*row, shown(saved)])
    head = ["", "precision", "evaluation, images/s", "input pipeline only, images/s"]
    return _table([*head, "checkpoint, s"], rows, texts=2)


def _growth(section: Results) -> str:
    blocks = []
    for name, part in section.items():
        rows = []
        for key, facts in part["contenders"].items():
            found = rates(part, key, "train", facts["batch_size"])
            milliseconds = figure([1000 / rate for rate in found])
            peak = f"{facts['peak_mib']:,}" if "peak_mib" in facts else DASH
            rows.append([key, shown(milliseconds), shown(figure(found)), peak])
        head = [name, "ms/image", "images/s", "peak memory, MiB"]
        blocks.append(_table(head, rows) + _note(part))
    return "\n".join(blocks)


def _start_up(results: Results) -> str:
    rows = []
    for part in results.get("start_up", {}).values():
        for name, seconds in part["seconds"].items():
            rows.append([f"`cifar-keras {name}`", shown(figure(seconds))])
    for family, part in results.get("first_step", {}).items():
        for name, seconds in part["seconds"].items():
            text = f"`{family}`, {CONTENDERS[name].label}: to the end of the first step"
            rows.append([text, shown(figure(seconds))])
    parts = [*results.get("start_up", {}).values(), *results.get("first_step", {}).values()]
    return _table(["", "s"], rows) + "".join(sorted({_note(part) for part in parts}))
