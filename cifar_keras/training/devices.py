"""The devices of a run, and the strategy over them."""

import tensorflow as tf

from cifar_keras.errors import DeviceError


def make_strategy(devices: str = "auto") -> tf.distribute.MirroredStrategy:
    """A `MirroredStrategy` over `auto` (all GPUs, else the CPU), `cpu`, or `gpu:0,1`.

    Raises:
        DeviceError: a GPU that was asked for is not there, or the text has another form.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "auto":
        names = [f"/gpu:{i}" for i in range(len(gpus))] or ["/cpu:0"]
    elif devices == "cpu":
        names = ["/cpu:0"]
    elif devices.startswith("gpu:"):
        names = [f"/gpu:{_gpu(index, len(gpus), devices)}" for index in devices[4:].split(",")]
    else:
        raise DeviceError(f"--devices '{devices}': write auto, cpu, or gpu:0,1")
    return tf.distribute.MirroredStrategy(names)


def _gpu(index: str, count: int, devices: str) -> int:
    if not index.isdigit():
        raise DeviceError(f"--devices '{devices}': '{index}' is no number; write gpu:0,1")
    if int(index) >= count:
        there = f"GPUs 0 to {count - 1} are" if count else "no GPU is"
        raise DeviceError(f"--devices '{devices}': {there} visible to TensorFlow; use cpu or auto")
    return int(index)


def device_names(strategy: tf.distribute.Strategy) -> list[str]:
    """The strategy's devices, GPUs by their model's name."""
    names = []
    for name in strategy.extended.worker_devices:
        device = tf.DeviceSpec.from_string(name)
        if device.device_type == "GPU":
            physical = tf.config.list_physical_devices("GPU")[device.device_index]
            details = tf.config.experimental.get_device_details(physical)
            names.append(str(details.get("device_name", f"GPU:{device.device_index}")))
        else:
            names.append(f"{device.device_type}:{device.device_index}")
    return names
