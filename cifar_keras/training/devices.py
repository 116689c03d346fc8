"""The devices of a run, and the strategy over them."""

import tensorflow as tf

from cifar_keras.errors import DeviceError


def make_strategy(devices: str = "auto") -> tf.distribute.MirroredStrategy:
    """A `MirroredStrategy` over `auto` (all GPUs, else the CPU), `cpu`, or `gpu:0,1`.

    On a CPU, operations are made deterministic for the whole process, at no cost.

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
    if names == ["/cpu:0"]:
        tf.config.experimental.enable_op_determinism()
    return tf.distribute.MirroredStrategy(names)


def feed(
    strategy: tf.distribute.Strategy, dataset: tf.data.Dataset
) -> tf.distribute.DistributedDataset:
    """The batches for `fit` under the strategy, each replica taking its share of every batch.

    TensorFlow's usual way, `experimental_distribute_dataset`, puts iterators of its own before the
    data, whose autotuning cannot be turned off and at times holds up the end of a pass by 40
    seconds.
    """

    def share(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replica, replicas = context.input_pipeline_id, context.num_input_pipelines
        if replicas == 1:
            return dataset

        def part(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            size = tf.shape(labels)[0]
            begin, end = size * replica // replicas, size * (replica + 1) // replicas
            return images[begin:end], labels[begin:end]

        return dataset.map(part)

    options = tf.distribute.InputOptions(
        experimental_fetch_to_device=False,
        experimental_replication_mode=tf.distribute.InputReplicationMode.PER_REPLICA,
    )
    return strategy.distribute_datasets_from_function(share, options)


def _gpu(index: str, count: int, devices: str) -> int:
    if not (index.isascii() and index.isdigit()):
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
