"""Whether a run's steps are compiled by XLA."""

import tensorflow as tf

from cifar_keras.errors import DeviceError


def uses_jit(choice: str, strategy: tf.distribute.Strategy) -> bool:
    """What `--jit` comes to under a strategy: `auto` is on for a single GPU, off otherwise.

    On CPUs XLA is slower than oneDNN.

    Raises:
        DeviceError: `on` is asked for on several replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if choice == "on" and replicas > 1:
        # keras#18145.
        raise DeviceError(f"--jit on: XLA fails on several replicas, here {replicas}; use auto")
    if choice == "auto":
        return replicas == 1 and "GPU" in strategy.extended.worker_devices[0]
    return choice == "on"
