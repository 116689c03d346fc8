"""A run folder may come from anybody: whatever its files hold is read or refused in one line."""

import copy
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_keras import records
from cifar_keras.compare import comparison
from cifar_keras.report.results import collect
from cifar_keras.run_list import runs_table
from tests.hostile import LONGEST_LINE, answer, tree, within

COMMITTED = Path(__file__).parent.parent / "reports" / "runs" / "airbench94" / "seed-1"
JSON = [records.RUN, records.RESULT, records.TTA]
READERS = {
    records.RUN: records.read_run,
    records.RESULT: records.read_result,
    records.TTA: records.read_tta,
    records.HISTORY: records.read_history,
}
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        [
            *(0, -1, 2**63, 10**400, 1e308, 5e-324, "9" * 5000, "\n", "\x1b[2J", "\ud800"),
            *("../../x", "1e999", "nan", "none", "9999", "synthetic10", "x" * 10_000),
        ]
    )
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run folder below a folder of runs."""
    root = tmp_path_factory.mktemp("runs")
    shutil.copytree(COMMITTED, root / "airbench94" / "seed-1")
    return root / "airbench94" / "seed-1"


def places(node, place=()):
    """Every place of a JSON tree, as the keys that lead there."""
    yield place
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from places(node[key], (*place, key))


def put(node, place, value):
    """The tree with a value at a place; where it is None, without that place."""
    if not place:
        return value
    node = copy.copy(node)
    if value is None and len(place) == 1:
        del node[place[0]]
    else:
        node[place[0]] = put(node[place[0]], place[1:], value)
    return node


@st.composite
def broken_json(draw, name):
    """The text of a committed JSON file with up to three places changed."""
    node = json.loads((COMMITTED / name).read_text())
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(node))))
        value = draw(VALUES)
        node = put(node, place, value) if place else value
    return json.dumps(node).encode()


@st.composite
def broken_bytes(draw, name):
    """The committed file with some bytes replaced, removed or put in."""
    content = bytearray((COMMITTED / name).read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        content[place : place + draw(st.integers(0, 20))] = draw(
            st.binary(max_size=5)
            | st.sampled_from([b"", b"\n", b'"', b",", b"[" * 5000, b"9" * 5000, b"1e999", b"\0"])
        )
    return bytes(content)


@st.composite
def broken_history(draw):
    """The committed history with cells and rows changed."""
    rows = [line.split(",") for line in (COMMITTED / records.HISTORY).read_text().splitlines()]
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.sampled_from(rows))
        column = draw(st.integers(0, len(row) - 1))
        cells = ["0", "-1", "1e308", "1e-320", "inf", "nan", "", "9" * 400, '"', "1_0", "0x1", "1"]
        row[column] = draw(st.sampled_from(cells) | st.text(max_size=4))
    kept = draw(st.lists(st.sampled_from(rows[1:]), max_size=12) | st.just(rows[1:]))
    text = "\n".join(",".join(row) for row in [rows[0], *kept])
    return text.encode(errors="surrogatepass")


def check(folder, name, content, caplog):
    """Every reader of run folders answers with a value, or with one line."""
    caplog.clear()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    before = tree(folder)
    try:
        answer(lambda: READERS[name](folder))
        answer(lambda: comparison([folder, folder]))
        with within():
            runs_table([folder])
            for row in collect([], [folder.parent.parent]).rows:
                assert row.runs["accuracy"].between(0, 100).all()
        assert tree(folder) == before
    finally:
        (folder / name).write_bytes(whole)
    for line in caplog.messages:
        assert line.isprintable(), line[:LONGEST_LINE]
        assert len(line) < LONGEST_LINE, line[:LONGEST_LINE]


@pytest.mark.fuzz
@pytest.mark.parametrize("name", JSON)
@given(data=st.data())
def test_any_json_file_is_read_or_refused_in_one_line(folder, caplog, name, data):
    check(folder, name, data.draw(broken_json(name) | broken_bytes(name)), caplog)


@pytest.mark.fuzz
@given(content=broken_history() | broken_bytes(records.HISTORY))
def test_any_history_is_read_or_refused_in_one_line(folder, caplog, content):
    check(folder, records.HISTORY, content, caplog)
