"""`cifar-keras` with one more network, for tests in another process: every layer with a state.

CIFAR_KERAS_KILL names a moment at which the process kills itself: `write:N`, half-way through its
Nth checkpoint's write; `stage`, between two stages; `test`, in the middle of a test.
"""

import os
import signal
import sys
from dataclasses import replace

import keras

from cifar_keras import cli, files
from cifar_keras.data import synthetic
from cifar_keras.layers import BatchNormalization, Conv2D, Dropout, RReLU, SpatialDropout2D
from cifar_keras.models import MODELS
from cifar_keras.run import train
from cifar_keras.run.callbacks import Saver


def noisy(
    input_shape: tuple[int, int, int], num_classes: int, width: int, minimal: bool
) -> keras.Model:
    """Batch norm, RReLU, dropout of elements and of channels; convolution by minimal filtering."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, 2, use_bias=False, name="conv")(inputs)
    x = RReLU(1 / 8, 1 / 3, name="rrelu")(BatchNormalization(name="bn")(x))
    x = SpatialDropout2D(0.2, name="channels")(x)
    x = keras.layers.Conv2D(2 * width, 3, 2, use_bias=False, name="conv2")(x)
    x = RReLU.from_divisors(3, 8, name="rrelu2")(BatchNormalization(name="bn2")(x))
    if minimal:
        x = Conv2D(2 * width, 3, padding="same", name="conv3")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = Dropout(0.3, name="elements")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits")(x))


def die() -> None:
    """End as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in_write(number: int) -> None:
    """Die in the middle of a checkpoint's write, half of it in its temporary file."""
    fsync, seen = os.fsync, [0]

    def counted(handle: int) -> None:
        checkpoint = ".ckpt." in os.readlink(f"/proc/self/fd/{handle}")
        seen[0] += checkpoint
        if checkpoint and seen[0] == number:
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            die()
        fsync(handle)

    files.os.fsync = counted


def main() -> int:
    """Run the command line."""
    MODELS["noisy"] = noisy
    synthetic.PLANS["synthetic10"] = replace(
        synthetic.PLANS["synthetic10"], train_per_class=80, test_per_class=20
    )
    moment, _, number = os.environ.get("CIFAR_KERAS_KILL", "").partition(":")
    if moment == "write":
        kill_in_write(int(number))
    elif moment == "stage":
        train.begin_next_stage = lambda *_, **__: die()
    elif moment == "test":
        Saver.on_test_batch_end = lambda *_, **__: die()
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
