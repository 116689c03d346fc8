import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cifar_keras import records

KILLS = int(os.environ.get("CIFAR_KERAS_KILLS", "5"))
NOISY = Path(__file__).with_name("noisy.py")


def command(recipe, root):
    arguments = ["train", "--recipe", str(recipe), "--run-dir", str(root), "--seed", "5"]
    return [sys.executable, str(NOISY), *arguments, "--checkpoint-every", "5steps"]


def finish(recipe, root):
    subprocess.run(command(recipe, root), check=True, stdout=subprocess.DEVNULL)
    return root / "noisy" / "seed-5"


def kill(recipe, root, moment, delay):
    """Start the run, kill it; whether it was killed and had not finished before."""
    environment = os.environ | {"CIFAR_KERAS_KILL": moment}
    folder = root / "noisy" / "seed-5"
    events = len(records.read_run(folder).events) if (folder / records.RUN).exists() else 0
    child = subprocess.Popen(command(recipe, root), env=environment, stdout=subprocess.DEVNULL)
    while child.poll() is None and not moment:
        begun = (folder / records.RUN).exists() and len(records.read_run(folder).events) > events
        if begun:
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
            break
        time.sleep(0.02)
    return child.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_bits_of_an_unbroken_one(
    tmp_path, same_bits, write_recipe
):
    recipe = tmp_path / "noisy.yaml"
    # Long enough that there is still something to kill.
    write_recipe(recipe, epochs=max(8, KILLS), minimal=True)
    unbroken = finish(recipe, tmp_path / "unbroken")
    moments = ["write:2", "", "test", "", "write:1", "", "", "stage"]
    draws = random.Random(11)
    killed = 0

    for number in range(KILLS):
        # The last kill falls between the stages, wherever the others have left the run.
        moment = moments[number % 7] if number < KILLS - 1 else "stage"
        killed += kill(recipe, tmp_path / "broken", moment, draws.uniform(0, 4))
    broken = finish(recipe, tmp_path / "broken")

    kinds = [event.kind for event in records.read_run(broken).events]
    print(f"{killed} of {KILLS} kills struck; events: {kinds}")
    assert killed == KILLS
    assert kinds[-1] == "finished"
    same_bits(broken, unbroken)
    assert not [path.name for path in broken.rglob("*.ckpt*")]
