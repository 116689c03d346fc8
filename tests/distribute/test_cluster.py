import json

import pytest
from hostile import answer
from hypothesis import given
from hypothesis import strategies as st

from cifar_keras.distribute.cluster import Cluster, from_environment, named
from cifar_keras.errors import DeviceError

TWO = ["one:2222", "two:2222"]
LIKE = "write host1:port,host2:port"


def config(cluster, **task):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def test_the_workers_of_the_command_line():
    assert named("one:2222,two:80", 1) == Cluster(("one:2222", "two:80"), 1)


@pytest.mark.parametrize(
    ("workers", "index", "told"),
    [
        ("one,two:80", 0, "--workers: 'one' is not a host and port; write host1:port,host2:port"),
        ("one:x,two:80", 0, f"--workers: 'one:x' is not a host and port; {LIKE}"),
        ("one:0,two:80", 0, f"--workers: 'one:0' is not a host and port; {LIKE}"),
        ("a:70000,b:1", 0, f"--workers: 'a:70000' is not a host and port; {LIKE}"),
        (f"a:{'1' * 5000},b:1", 0, f"--workers: 'a:{'1' * 74}... is not a host and port; {LIKE}"),
        ("a\n:1,b:1", 0, f"--workers: 'a\\n:1' is not a host and port; {LIKE}"),
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
        {"TF_CONFIG": "{}"},
        config({"worker": ["one:2222"]}, type="worker", index=0),
        config({"chief": ["one:2222"]}, type="chief", index=0),
    ],
)
def test_nobody_else_is_no_cluster(environment):
    assert from_environment(environment) is None


FORM = (
    "TF_CONFIG does not have the form that TensorFlow documents "
    '({"cluster": {"worker": ["host1:port", ...]}, "task": {"type": "worker", "index": 0}})'
)
EMPTY = "TF_CONFIG is set but empty; unset it, or describe the cluster in it"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"TF_CONFIG": "{"}, FORM),
        ({"TF_CONFIG": "[]"}, FORM),
        ({"TF_CONFIG": "[" * 1000}, FORM),
        ({"TF_CONFIG": '{"cluster":' * 100_000}, FORM),
        # TensorFlow reads the variable later and would fail with a traceback.
        ({"TF_CONFIG": " "}, EMPTY),
        ({"TF_CONFIG": '{"cluster": [], "task": []}'}, FORM),
        ({"TF_CONFIG": '{"cluster": 0}'}, FORM),
        ({"TF_CONFIG": json.dumps({"cluster": {"worker": TWO}, "task": []})}, FORM),
        ({"TF_CONFIG": json.dumps({"cluster": {"worker": TWO}, "task": ["worker"]})}, FORM),
        (config({"worker": {"0": "one:1"}}, type="worker", index=0), FORM),
        (config({"worker": TWO}, type="worker", index=float("inf")), FORM),
        (config({"worker": TWO}, type="worker", index=1.7), FORM),
        (config({"worker": TWO}, type="worker", index=True), FORM),
        (config({"worker": TWO}, type="worker", index=10**4000), FORM),
        (config({"worker": "one:2222,two:2222"}, type="worker", index=0), FORM),
        (config({"worker": TWO}, type="worker", index="first"), FORM),
        (
            config({"worker": TWO, "ps": ["three:1"]}, type="worker", index=0),
            "TF_CONFIG: 'ps' is not used in synchronous training; keep only chief and worker",
        ),
        (
            config({"worker": TWO}, type="evaluator", index=0),
            "TF_CONFIG: 'evaluator' is not used in synchronous training; "
            "keep only chief and worker",
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
            "TF_CONFIG: 'one' is not a host and port; write host1:port,host2:port",
        ),
    ],
)
def test_a_tf_config_that_cannot_be_meant_is_refused(environment, told):
    with pytest.raises(DeviceError) as refused:
        from_environment(environment)

    assert str(refused.value) == told


WORDS = st.sampled_from(["cluster", "task", "chief", "worker", "type", "index"]) | st.text(
    max_size=3
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
HOSTS = st.lists(st.sampled_from(["a:1", "b:2", "c:3"]) | st.text(max_size=6), max_size=4)


@pytest.mark.fuzz
@given(
    JSON.map(json.dumps)
    | st.text(max_size=40)
    | st.fixed_dictionaries(
        {},
        optional={
            "cluster": st.dictionaries(WORDS, HOSTS | JSON, max_size=3) | JSON,
            "task": st.fixed_dictionaries(
                {},
                optional={
                    "type": st.sampled_from(["chief", "worker"]) | JSON,
                    "index": st.integers(-1, 4) | JSON,
                },
            )
            | JSON,
        },
    ).map(json.dumps)
)
def test_any_tf_config_is_a_cluster_none_or_one_clear_line(text):
    found = answer(lambda: from_environment({"TF_CONFIG": text}))

    if isinstance(found, Cluster):
        assert 0 <= found.index < len(found.workers)
        assert all(isinstance(each, str) for each in found.workers)


@pytest.mark.fuzz
@given(
    st.lists(st.sampled_from(["a:1", "b:2", ",", ":", "1" * 5000, "\n"]) | st.text(max_size=4)),
    st.integers(),
)
def test_any_workers_are_a_cluster_or_one_clear_line(pieces, index):
    answer(lambda: named("".join(pieces), index))
