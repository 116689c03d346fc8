"""The devices of a run, and its distribution strategy."""

from collections.abc import Callable
from functools import cache

import tensorflow as tf

from cifar_keras.data.pipeline import bounds
from cifar_keras.distribute.cluster import Cluster
from cifar_keras.errors import DeviceError
from cifar_keras.hardware import BFLOAT16, instructions

# (replica, number of replicas) -> the replica's shards of all batches.
Shares = Callable[[int, int], tf.data.Dataset]


def make_strategy(
    devices: str = "auto", cluster: Cluster | None = None, deterministic: bool = True
) -> tf.distribute.Strategy:
    """Return a `MirroredStrategy`, or with a cluster a `MultiWorkerMirroredStrategy`.

    With a cluster, the call waits until all workers have connected.

    Args:
        devices: `auto` (all GPUs, or the CPU if there is none), `cpu`, `gpu:0,1` or `cpu:2`. The
            last one splits the CPU into two logical devices, which share its cores, to try what
            several GPUs would do. With a cluster, the devices of each worker.
        cluster: the workers, or None.
        deterministic: whether to make operations on a CPU deterministic, for the whole process.
            This costs no time, but Keras does not let XLA compile such operations.

    Raises:
        DeviceError: a requested GPU does not exist, `devices` has another form, the CPU can no
            longer be split because TensorFlow has started, or the worker's port is in use.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "auto":
        names = [f"/gpu:{i}" for i in range(len(gpus))] or ["/cpu:0"]
    elif devices == "cpu":
        names = ["/cpu:0"]
    elif devices.startswith("cpu:"):
        names = _logical_cpus(devices, cluster)
    elif devices.startswith("gpu:"):
        names = [f"/gpu:{_gpu(index, len(gpus), devices)}" for index in devices[4:].split(",")]
    else:
        raise DeviceError(f"--devices '{devices}': write auto, cpu, gpu:0,1 or cpu:2")
    if deterministic and all("cpu" in name for name in names):
        tf.config.experimental.enable_op_determinism()
    if cluster:
        chosen = tuple(gpus[int(name[5:])] for name in names if name.startswith("/gpu:"))
        return _over_workers(cluster, chosen)
    return _over_devices(tuple(names))


# A process has one strategy per set of devices. A second one would number its collectives like the
# first, and TensorFlow would confuse them.
@cache
def _over_devices(names: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    return tf.distribute.MirroredStrategy(names)


@cache
def _over_workers(
    cluster: Cluster, gpus: tuple[tf.config.PhysicalDevice, ...]
) -> tf.distribute.MultiWorkerMirroredStrategy:
    # This strategy uses all visible GPUs.
    tf.config.set_visible_devices(list(gpus), "GPU")
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(gpus)},
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        reason = " ".join(error.message.split())[:300]
        raise DeviceError(
            f"worker {cluster.index} ({cluster.workers[cluster.index]}) cannot join the others: "
            f"{reason}; check that its port is free and that all workers are started"
        ) from None


def feed(strategy: tf.distribute.Strategy, shares: Shares) -> tf.distribute.DistributedDataset:
    """Return the batches for `fit` under the strategy, with the replicas' shards from `shares`.

    TensorFlow's usual `experimental_distribute_dataset` adds iterators whose autotuning cannot be
    turned off. It sometimes delays the end of an epoch by 40 seconds.
    """
    mode = tf.distribute.InputReplicationMode.PER_REPLICA
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        # It supports only one pipeline per worker, whose elements go to the replicas in turn.
        mode = tf.distribute.InputReplicationMode.PER_WORKER

    def share(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = context.num_replicas_in_sync
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return in_turn([shares(first + number, replicas) for number in range(here)])

    options = tf.distribute.InputOptions(
        experimental_fetch_to_device=False, experimental_replication_mode=mode
    )
    return strategy.distribute_datasets_from_function(share, options)


def in_turn(datasets: list[tf.data.Dataset]) -> tf.data.Dataset:
    """Return the first elements of all data sets, then the second ones, and so on."""
    if len(datasets) == 1:
        return datasets[0]
    turns = tf.data.Dataset.range(len(datasets)).repeat()
    return tf.data.Dataset.choose_from_datasets(datasets, turns)


def sharded(dataset: tf.data.Dataset) -> Shares:
    """Return a function that splits complete batches of images and labels into shards."""

    def shares(replica: int, replicas: int) -> tf.data.Dataset:
        @tf.autograph.experimental.do_not_convert
        def part(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            begin, end = bounds(tf.shape(labels)[0], replica, replicas)
            return images[begin:end], labels[begin:end]

        return dataset if replicas == 1 else dataset.map(part)

    return shares


def _logical_cpus(devices: str, cluster: Cluster | None) -> list[str]:
    text = devices[4:]
    if cluster:
        raise DeviceError(f"--devices '{devices}': a worker has its GPUs or one CPU; write cpu")
    if not (text.isascii() and text.isdigit() and int(text)):
        raise DeviceError(
            f"--devices '{devices}': '{text}' is not a number of devices; write cpu:2"
        )
    cpu = tf.config.list_physical_devices("CPU")[0]
    there = tf.config.get_logical_device_configuration(cpu) or []
    try:
        if len(there) < int(text):
            logical = [tf.config.LogicalDeviceConfiguration()] * int(text)
            tf.config.set_logical_device_configuration(cpu, logical)
    except RuntimeError:
        raise DeviceError(
            f"--devices '{devices}': TensorFlow already uses other devices; start a new process"
        ) from None
    return [f"/cpu:{index}" for index in range(int(text))]


def _gpu(index: str, count: int, devices: str) -> int:
    if not (index.isascii() and index.isdigit()):
        raise DeviceError(f"--devices '{devices}': '{index}' is not a number; write gpu:0,1")
    if int(index) >= count:
        there = f"GPUs 0 to {count - 1} are" if count else "no GPU is"
        raise DeviceError(f"--devices '{devices}': {there} visible to TensorFlow; use cpu or auto")
    return int(index)


def multiplies_bfloat16(strategy: tf.distribute.Strategy) -> bool:
    """Return whether the devices have bfloat16 arithmetic; GPUs are assumed to have it."""
    on_gpu = any("GPU" in name for name in strategy.extended.worker_devices)
    return on_gpu or not BFLOAT16.isdisjoint(instructions())


def steps_between_checks(strategy: tf.distribute.Strategy) -> int:
    """Return after how many steps to read results; each read makes a GPU wait."""
    return 50 if any("GPU" in name for name in strategy.extended.worker_devices) else 1


def device_names(strategy: tf.distribute.Strategy) -> list[str]:
    """Return the devices of all replicas, GPUs by model name; all workers are assumed alike."""
    names = []
    for name in strategy.extended.worker_devices:
        device = tf.DeviceSpec.from_string(name)
        if device.device_type == "GPU":
            physical = tf.config.list_physical_devices("GPU")[device.device_index]
            details = tf.config.experimental.get_device_details(physical)
            names.append(str(details.get("device_name", f"GPU:{device.device_index}")))
        else:
            names.append(f"{device.device_type}:{device.device_index}")
    return names * (strategy.num_replicas_in_sync // len(names))
