"""The hashes of a few steps' weights of every family, printed as JSON.

    python tests/run/frozen.py FOLDER

Each recipe is trained in FOLDER as a user would train it, on drawn images and with a small network,
in float32. The bits depend on the processor; AVX2 instructions and two threads are all that is used
of it, whatever it has.
"""

import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

# TensorFlow, oneDNN and XLA read these as they start.
os.environ |= {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "TF_NUM_INTRAOP_THREADS": "2",
    "TF_NUM_INTEROP_THREADS": "2",
    "CUDA_VISIBLE_DEVICES": "-1",
}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
from small_networks import SMALL, narrow

from cifar_keras import cli, records
from cifar_keras.data import synthetic
from cifar_keras.recipe import load_recipe, recipe_path

BATCH, STEPS = 8, 7
# Of four classes, 20 each.
IMAGES = 80
# Wide enough for convolution by minimal filtering, which begins at 24 channels.
WIDE = {
    "airbench": ("airbench94", ["model.widths=[24, 24, 24]"]),
    "muon": ("airbench94_muon", ["model.widths=[24, 24, 24]"]),
    "resnet_neon": ("resnet20", ["model.depth=14"]),
}


def hashes(folder: Path) -> dict[str, str]:
    """Train every family for STEPS steps; the hash of each one's weights."""
    narrow(setattr)
    for name, plan in synthetic.PLANS.items():
        few = {"shapes": plan.shapes[:2], "textures": plan.textures[:2]}
        synthetic.PLANS[name] = replace(plan, **few, train_per_class=20, test_per_class=20)
    return {family: trained(*each, folder) for family, each in (SMALL | WIDE).items()}


def trained(name: str, small: list[str], folder: Path) -> str:
    """The hash of the weights of the first stage of this recipe, made small."""
    recipe = load_recipe(recipe_path(name), small)
    dataset = recipe.dataset.replace("cifar", "synthetic")
    first = recipe.model_dump(mode="json")["stages"][0]
    overrides = [
        *small,
        f"dataset={dataset}",
        f"data.batch_size={BATCH}",
        "initial_weights=none",
        "reference=null",
        f"stages={json.dumps([first])}",
    ]
    budget = f"{STEPS * BATCH / IMAGES / first['epochs']:.6f}"
    arguments = ["train", "--recipe", name, "--budget", budget, "--run-dir", str(folder)]
    for override in overrides:
        arguments += ["--set", override]
    if cli.main(arguments):
        raise SystemExit(1)
    (weights,) = folder.glob(f"{name}/**/{records.WEIGHTS}")
    return hash_of(weights)


def hash_of(path: Path) -> str:
    """SHA-256 of all arrays of an HDF5 file, in the order of their names."""
    digest = hashlib.sha256()

    def add(name, node):
        if isinstance(node, h5py.Dataset):
            digest.update(name.encode() + node[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(hashes(Path(sys.argv[1])), indent=2))
