import json

import pytest

from cifar_keras.distribute.cluster import Cluster, from_environment, named
from cifar_keras.errors import DeviceError

TWO = ["one:2222", "two:2222"]


def config(cluster, **task):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def test_the_workers_of_the_command_line():
    assert named("one:2222,two:80", 1) == Cluster(("one:2222", "two:80"), 1)


@pytest.mark.parametrize(
    ("workers", "index", "told"),
    [
        ("one,two:80", 0, "--workers: 'one' is no host and port; write host1:port,host2:port"),
        ("one:x,two:80", 0, "--workers: 'one:x' is no host and port; write host1:port,host2:port"),
        ("one:0,two:80", 0, "--workers: 'one:0' is no host and port; write host1:port,host2:port"),
        ("a:70000,b:1", 0, "--workers: 'a:70000' is no host and port; write host1:port,host2:port"),
        ("a:1,b:1,a:1", 0, "--workers: 'a:1' is named twice; write host1:port,host2:port"),
        ("one:80", 0, "--workers: one worker needs no cluster; leave the option out"),
        ("one:80,two:80", 2, "--worker-index 2: there are workers 0 to 1"),
    ],
)
def test_what_names_no_cluster_is_refused(workers, index, told):
    with pytest.raises(DeviceError) as refused:
        named(workers, index)

    assert str(refused.value) == told


def test_the_workers_of_tf_config():
    found = from_environment(config({"worker": TWO}, type="worker", index=1))

    assert found == Cluster(("one:2222", "two:2222"), 1)


def test_a_chief_of_tf_config_comes_first():
    cluster = {"worker": TWO, "chief": ["zero:1"]}

    chief = from_environment(config(cluster, type="chief", index=0))
    worker = from_environment(config(cluster, type="worker", index="1"))

    assert chief == Cluster(("zero:1", "one:2222", "two:2222"), 0)
    assert worker == Cluster(("zero:1", "one:2222", "two:2222"), 2)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TF_CONFIG": " "},
        {"TF_CONFIG": "{}"},
        config({"worker": ["one:2222"]}, type="worker", index=0),
        config({"chief": ["one:2222"]}, type="chief", index=0),
    ],
)
def test_nobody_else_is_no_cluster(environment):
    assert from_environment(environment) is None


FORM = (
    "TF_CONFIG is not of the form TensorFlow documents "
    '({"cluster": {"worker": ["host1:port", ...]}, "task": {"type": "worker", "index": 0}})'
)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"TF_CONFIG": "{"}, FORM),
        ({"TF_CONFIG": "[]"}, FORM),
        (config({"worker": "one:2222,two:2222"}, type="worker", index=0), FORM),
        (config({"worker": TWO}, type="worker", index="first"), FORM),
        (
            config({"worker": TWO, "ps": ["three:1"]}, type="worker", index=0),
            "TF_CONFIG: 'ps' has no part in synchronous training; leave chief and worker only",
        ),
        (
            config({"worker": TWO}, type="evaluator", index=0),
            "TF_CONFIG: 'evaluator' has no part in synchronous training; "
            "leave chief and worker only",
        ),
        (
            config({"worker": TWO}, type="worker", index=2),
            "TF_CONFIG: task worker 2: there are workers 0 to 1",
        ),
        (
            config({"worker": TWO}, type="worker", index=-1),
            "TF_CONFIG: task worker -1: there are workers 0 to 1",
        ),
        (
            config({"worker": ["one", "two:1"]}, type="worker", index=0),
            "TF_CONFIG: 'one' is no host and port; write host1:port,host2:port",
        ),
    ],
)
def test_a_tf_config_that_cannot_be_meant_is_refused(environment, told):
    with pytest.raises(DeviceError) as refused:
        from_environment(environment)

    assert str(refused.value) == told
