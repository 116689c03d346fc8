"""Profile a training step: its operations, their time, and the bytes they access.

    python -m benchmarks.profiles [FAMILY ...] [--precision mixed_bfloat16]

Each family is trained as in `benchmarks.peers.ours`, in its own process, for a few steps under
TensorFlow's profiler and with oneDNN's log, which also reports layout changes. The newest figures
for each family, size and precision go to reports/profiles.json, and their tables to
reports/profiles.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, get_args

from benchmarks.families import FAMILIES, FLOAT32, Family
from cifar_keras.files import write_bytes
from cifar_keras.hardware import hardware
from cifar_keras.provenance import versions
from cifar_keras.recipe.schema import Precision

WARM_UP, STEPS = 3, 5
# Operations below this fraction of the time are summed up.
_SMALL = 0.005
_BEGIN, _END = "profile begins", "profile ends"
# Operations that only copy memory into another order, shape or type.
COPIES = frozenset(
    {
        *("BroadcastTo", "Cast", "Concat", "ConcatV2", "GatherV2", "MirrorPad", "MirrorPadGrad"),
        *("Pack", "Pad", "PadV2", "ReverseV2", "Slice", "SpaceToBatchND", "Split", "StridedSlice"),
        *("StridedSliceGrad", "Tile", "Transpose", "Unpack"),
    }
)
Figures = dict[str, Any]


def main() -> None:
    """Profile the given families, or all, and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--precision", choices=get_args(Precision), default=FLOAT32)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--output", type=Path, default=Path("reports"))
    parser.add_argument("--table", action="store_true", help="only write the tables again")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, size, path = options.one
        figures = profile(FAMILIES[name], int(size), options.data_dir, options.precision)
        Path(path).write_text(json.dumps(figures))
        # A normal exit would wait for the thread of the endless `fit`.
        os._exit(0)
    for name in options.families:
        if name not in FAMILIES:
            parser.error(f"unknown family '{name}'; use one of {', '.join(FAMILIES)}")
    kept = options.output / "profiles.json"
    found: Figures = json.loads(kept.read_text()) if kept.exists() else {}
    for name in options.families or ([] if options.table else list(FAMILIES)):
        family = FAMILIES[name]
        for size in family.sizes:
            print(name, family.case(size), flush=True)
            key = section_key(name, size, options.precision)
            found[key] = _in_process(family, size, options.data_dir, options.precision)
            write_bytes(kept, (json.dumps(found, indent=1) + "\n").encode())
    write_bytes(options.output / "profiles.md", page(found).encode())
    print(options.output / "profiles.md")


def section_key(family: str, size: int, precision: str = FLOAT32) -> str:
    """Return the key of the figures: FAMILY SIZE, and the precision unless it is float32."""
    return f"{family} {size}" + ("" if precision == FLOAT32 else f" {precision}")


def _in_process(family: Family, size: int, data_dir: Path | None, precision: str) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "benchmarks.profiles"]
        command += ["--one", family.name, str(size), str(path), "--precision", precision]
        command += ["--data-dir", str(data_dir)] if data_dir else []
        environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        figures: Figures = json.loads(path.read_text())
    return figures | {"primitives": primitives(done.stdout.decode())}


def primitives(log: str) -> list[Figures]:
    """Return the primitives in oneDNN's log between the marks, with time and calls per step."""
    milliseconds: defaultdict[tuple[str, ...], float] = defaultdict(float)
    calls: Counter[tuple[str, ...]] = Counter()
    within = log.partition(_BEGIN)[2].partition(_END)[0]
    for line in within.splitlines():
        words = line.split(",")
        # onednn_verbose,v1,primitive,exec,cpu,KIND,IMPLEMENTATION,DIRECTION,...,MILLISECONDS
        if words[0] == "onednn_verbose" and len(words) > 8 and words[3] == "exec":
            key = words[5], words[7] if words[7] != "undef" else "", words[6]
            milliseconds[key] += float(words[-1])
            calls[key] += 1
    return [
        {
            "kind": f"{kind} {direction}".strip().replace("_", " "),
            "implementation": implementation,
            "milliseconds": time / STEPS,
            "calls": calls[kind, direction, implementation] / STEPS,
        }
        for (kind, direction, implementation), time in sorted(
            milliseconds.items(), key=lambda item: -item[1]
        )
    ]


def profile(family: Family, size: int, data_dir: Path | None, precision: str = FLOAT32) -> Figures:
    """Return the seconds per step, and per operation the time, calls and bytes per step."""
    from benchmarks.peers.ours import Ours
    from cifar_keras.data import load
    from cifar_keras.quiet import import_tensorflow
    from cifar_keras.recipe import load_recipe, recipe_path

    recipe = load_recipe(recipe_path(family.name), [f"precision={precision}"])
    dataset = load(recipe.dataset, data_dir)
    import_tensorflow()
    import tensorflow as tf

    ours = Ours(recipe, dataset)
    steps = ours.training(size)
    steps(WARM_UP)
    taken, count = steps(STEPS)
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options)
        print(_BEGIN, flush=True)
        _, profiled = steps(STEPS)
        print(_END, flush=True)
        tf.profiler.experimental.stop()
        (trace,) = Path(folder).rglob("*.xplane.pb")
        operations = _operations(trace.read_bytes(), profiled)
    touched = _bytes(ours.experiment, family.batch_size, size)
    for each in operations:
        each["bytes"] = touched.get(plain(each["operation"]), 0)
    return {
        "seconds": taken / count,
        "operations": operations,
        "hardware": hardware([]),
        "versions": versions(),
    }


def _operations(trace: bytes, steps: int) -> list[Figures]:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(trace)
    time: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        for event in (event for line in plane.lines for event in line.events):
            node, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            # Operations are NODE:KIND; the runtime's own events are CLASS::METHOD or TEXT: NAME.
            if node and not node.endswith(":") and kind.isidentifier():
                time[kind] += event.duration_ps
                calls[kind] += 1
    return [
        {"operation": kind, "milliseconds": t / 1e9 / steps, "calls": calls[kind] / steps}
        for kind, t in time.most_common()
    ]


def plain(kind: str) -> str:
    """Return the operation's name before oneDNN's graph rewriting."""
    bare = kind.removeprefix("_Mkl").removeprefix("Native").removeprefix("_")
    return {
        "Conv2DBackpropFilterWithBias": "Conv2DBackpropFilter",
        "FusedBatchNormEx": "FusedBatchNormV3",
        "FusedBatchNormGradEx": "FusedBatchNormGradV3",
        "FusedConv2D": "Conv2D",
        "FusedMatMul": "MatMul",
    }.get(bare, bare)


def _bytes(experiment: Any, batch: int, size: int) -> Counter[str]:
    """Return the bytes each operation reads and writes, from the shapes in the step's graph."""
    import tensorflow as tf

    images = tf.TensorSpec((batch, size, size, 3), tf.float32)
    labels = tf.TensorSpec((batch,), tf.int64)
    experiment.model.image_size = None

    @tf.function
    def step(images: Any, labels: Any) -> Any:
        return experiment.strategy.run(experiment.model.train_step, args=((images, labels),))

    graph = step.get_concrete_function(images, labels).graph
    touched: Counter[str] = Counter()
    for operation in graph.get_operations():
        tensors = [*operation.inputs, *operation.outputs]
        touched[operation.type] += sum(map(_size, tensors))
    return touched


def _size(tensor: Any) -> int:
    if not tensor.shape.is_fully_defined() or tensor.dtype.name in ("resource", "variant"):
        return 0
    return int(tensor.shape.num_elements() * tensor.dtype.size)


def page(found: Figures) -> str:
    """Return the tables as Markdown."""
    lines = [
        "# Where the time of a step goes",
        "",
        "Written by `make profiles` from `profiles.json`; do not edit. Operations run in parallel "
        "on two threads, so their",
        "times add up to more than the step's time. **MB** is what they read and write, from the "
        "shapes in the step's graph",
        "before TensorFlow optimizes it. **Copies** are operations that only move memory. The "
        "second table of a section",
        "has the oneDNN primitives inside these operations, including layout changes (`reorder`).",
        "",
    ]
    for name, figures in found.items():
        lines += _section(name, figures)
    return "\n".join(lines)


def _section(name: str, figures: Figures) -> list[str]:
    family, size, *precision = name.split()
    total = sum(each["milliseconds"] for each in figures["operations"])
    copies = sum(
        each["milliseconds"] for each in figures["operations"] if plain(each["operation"]) in COPIES
    )
    machine, packages = figures["hardware"], figures["versions"]
    lines = [
        ", ".join([f"## `{family}`", f"{size} pixels", *precision]),
        "",
        f"{1000 * figures['seconds']:,.0f} ms per step on {machine['cpu']}, {machine['cores']} "
        f"cores; TensorFlow {packages['tensorflow']}. Copies: {100 * copies / total:.1f} % of the "
        "operations' time.",
        "",
        "| operation | ms | share | calls | MB | MB/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    rest = 0.0
    for each in figures["operations"]:
        time = each["milliseconds"]
        if time < _SMALL * total:
            rest += time
            continue
        megabytes = each["bytes"] / 1e6
        amount = f"{megabytes:,.0f}" if megabytes >= 0.5 else ""
        rate = f"{1000 * megabytes / time:,.0f}" if amount else ""
        lines.append(
            f"| {each['operation']} | {time:,.1f} | {100 * time / total:.1f} % | "
            f"{each['calls']:g} | {amount} | {rate} |"
        )
    lines += [f"| all others | {rest:,.1f} | {100 * rest / total:.1f} % | | | |", ""]
    lines += ["| oneDNN primitive | implementation | ms | calls |", "| --- | --- | ---: | ---: |"]
    for each in figures["primitives"]:
        if each["milliseconds"] >= _SMALL * total or each["kind"] == "reorder":
            lines.append(
                f"| {each['kind']} | `{each['implementation']}` | {each['milliseconds']:,.1f} | "
                f"{each['calls']:g} |"
            )
    return [*lines, ""]


if __name__ == "__main__":
    main()
