import gc
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from cifar_keras.quiet import set_environment

# Other conftest.py files import Keras before any hook runs.
set_environment()
# Traced graphs and networks are many long-lived objects. With its usual thresholds, the garbage
# collector walks all of them again and again, which took an eighth of the time of tests/models.
gc.set_threshold(50_000, 10, 10)
# What every test drawn by hypothesis shares: nothing may take longer than this, and no example is
# kept in a folder. `few` draws the same cases each time; `make fuzz` draws ever new ones.
settings.register_profile(
    "few",
    derandomize=True,
    database=None,
    deadline=timedelta(seconds=10),
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "many", settings.get_profile("few"), derandomize=False, max_examples=1000, print_blob=True
)
settings.load_profile("few")


def pytest_configure(config: pytest.Config) -> None:
    """Part the CPU in two logical devices, which has to be said before TensorFlow begins."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        # This process only hands the tests out.
        return
    import tensorflow as tf

    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)


def pytest_collection_finish() -> None:
    """Exempt modules and tests, which live to the end, from garbage collection."""
    gc.collect()
    gc.freeze()
