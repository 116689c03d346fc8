import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_keras.data.published import archives
from cifar_keras.data.published.layouts import CIFAR10_PYTHON
from cifar_keras.data.published.pickles import load_dictionary
from cifar_keras.errors import DataError

# Written like the published files: Python 2, protocol 2, NumPy 1.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x04testq\x03U\x06labelsq\x04]q\x05(K\x06M\x2c\x01eU\x04data"
    b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t"
    b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89T\x06\x00\x00\x00\x00\x01\x02\xfd\xfe\xfftbU\tfilenamesq\x0c]q\r"
    b"U\x05a.pngq\x0eau."
)
# An array of objects at addresses that the file chooses: reading one crashes the process.
ANY_ADDRESS = (
    b"\x80\x04cnumpy\nndarray\ncnumpy\nndarray\nK\x01\x85cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R"
    b"C\x08AAAAAA\x00\x00\x87R\x85R."
)
ARRAY = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
UINT8 = (
    b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def test_a_python_2_pickle_of_an_array_is_read() -> None:
    found = load_dictionary(PYTHON_2)

    assert found.pop("data").tolist() == [[0, 1, 2], [253, 254, 255]]
    assert found == {"batch_label": b"test", "labels": [6, 300], "filenames": [b"a.png"]}


@pytest.mark.parametrize("pickler", [pickle.Pickler, pickle._Pickler], ids=["c", "python"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("text", [str, str.encode], ids=["str", "bytes"])
def test_a_copy_that_python_3_wrote_is_read(text, protocol: int, pickler: type) -> None:
    rows = np.arange(12, dtype=np.uint8).reshape(4, 3)
    labels = [0, 255, 256, 65536, -1, 2**40, True, None, 1.5]
    names = [text("ä"), text("b" * 300)]
    stored = io.BytesIO()
    pickler(stored, protocol).dump({text("data"): rows, text("l"): labels, text("n"): names})

    found = load_dictionary(stored.getvalue())

    np.testing.assert_array_equal(found.pop("data"), rows)
    assert found == {"l": labels, "n": names}


def test_an_array_of_objects_ends_verify_with_an_error_and_not_a_signal(
    fake, tmp_path: Path
) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    (folder / "data_batch_1").write_bytes(ANY_ADDRESS)

    ended = subprocess.run(
        [*(sys.executable, "-m", "cifar_keras", "data", "verify", "cifar10"), "--data-dir", folder],
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cifar-keras: error: {folder / 'data_batch_1'}: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (ANY_ADDRESS, "not a readable pickle"),
        # A call that NumPy itself would accept.
        (b"\x80\x02}U\x04datacnumpy\nndarray\nK\x01\x85\x85Rs.", "not a readable pickle"),
        (b"\x80\x02}U\x04datacnumpy\ndtype\nU\x01OK\x00K\x01\x87Rs.", "Received: an array of O;"),
        (b"\x80\x02}U\x04data" + ARRAY + b"s.", "not a readable pickle"),
        (
            b"\x80\x02}U\x04data" + ARRAY + b"(K\x01K\x02\x85" + UINT8 + b"\x89U\x03abctbs.",
            "3 bytes",
        ),
        (
            b"\x80\x02}U\x04data"
            + ARRAY
            + b"(K\x01J\xff\xff\xff\xff\x85"
            + UINT8
            + b"\x89U\x00tbs.",
            "0",
        ),
        # In Fortran's order.
        (b"\x80\x02}U\x04data" + ARRAY + b"(K\x01K\x02\x85" + UINT8 + b"\x88U\x02abtbs.", "not a"),
        # The state of a dictionary or of a global.
        (b"\x80\x02}}U\x01aK\x01sb.", "not a readable pickle"),
        (b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", "not a readable pickle"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93U\x02ls\x85R.", r"asks for os\.system"),
        (b"\x80\x02c__builtin__\neval\nU\x011\x85R.", r"asks for __builtin__\.eval"),
        (b"\x80\x04\x8c\x03a\nb\x8c\x03\x1b[m\x93.", r"asks for a\\nb\.\\x1b\[m"),
        # Other ways to make an object: INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, BINPERSID, NEXT_BUFFER.
        (b"(ios\nsystem\n.", "the opcode b'i'"),
        (b"\x80\x02(cnumpy\nndarray\nK\x01o.", "the opcode b'o'"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", r"the opcode b'\\x81'"),
        (b"\x80\x02cnumpy\nndarray\n)}\x92.", r"the opcode b'\\x92'"),
        (b"\x80\x02\x82\x01.", r"the opcode b'\\x82'"),
        (b"\x80\x02U\x01aQ.", "the opcode b'Q'"),
        (b"\x80\x05\x97.", r"the opcode b'\\x97'"),
        (b"\x80\x02](K\x01K\x02e.", "must hold a dictionary. Received: list"),
        (b"", "truncated"),
        (b"\x80\x02}", "truncated"),
        (b"\x80\x02e.", "not a readable pickle"),
        (b"\x80\x02}U\x01as.", "not a readable pickle"),
        (b"\x80\x02h\x05.", "not a readable pickle"),
        # Lengths beyond the end of the file.
        (b"\x80\x02T\xff\xff\xff\xffabc.", "not a readable pickle"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "not a readable pickle"),
        (b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.", "not a readable pickle"),
        (b"\x80\x02\x8b\xff\xff\xff\x7fabc.", "the opcode"),
        (b"cnumpy\nno end of the line", "not a readable pickle"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "not a readable pickle"),
        # Files that would need time or memory far beyond their size, or overflow the C stack.
        (b"\x80\x02" + b"N" * 2**20, "more than 1,048,576 opcodes"),
        (b"\x80\x02})" + b"\x85" * 200_000 + b"K\x00s.", "not a readable pickle"),
        (b"\x80\x02)" + b"\x85" * 200_000 + b"U\x01a\x93.", "not a readable pickle"),
        (b"\x80\x02}U\x01a](]K\x01aes.", "not a readable pickle"),
        (b"\x80\x02}U\x01a]q\x01h\x01as.", "not a readable pickle"),
        (b"\x80\x02}q\x01U\x01ah\x01s.", "not a readable pickle"),
        (b"\x80\x02}X\x00\x01\x00\x00" + b"a" * 256 + b"K\x00s.", "not a readable pickle"),
        (
            b"\x80\x02}U\x01a](c_codecs\nencode\nq\x01X\x00\x10\x00\x00"
            + b"a" * 4096
            + b"q\x02X\x06\x00\x00\x00latin1\x86R"
            + b"h\x01h\x02X\x06\x00\x00\x00latin1\x86R" * 100
            + b"es.",
            "not a readable pickle",
        ),
    ],
)
def test_what_no_cifar_file_holds_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        load_dictionary(content)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "names",
    [["a"] * 9 + [None], ["a\x1b[2J", *"bcdefghij"], ["a" * 101, *"bcdefghij"], "abcdefghij"],
)
def test_class_names_that_are_no_short_printable_text_are_refused(
    names, fake, rewrite, tmp_path: Path
) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    rewrite(folder / "batches.meta", label_names=names)

    with pytest.raises(DataError, match="must hold 10 different class names"):
        archives.read(folder, CIFAR10_PYTHON)


def is_inert(value: object) -> bool:
    if type(value) is list:
        return all(is_inert(item) for item in value)
    if type(value) is np.ndarray:
        return value.dtype == np.uint8
    return type(value) in (str, bytes, int, float, bool, type(None))


def check(content: bytes) -> None:
    """Check that the result is a dictionary of inert values, or a DataError."""
    try:
        found = load_dictionary(content)
    except DataError:
        return
    assert type(found) is dict
    assert all(type(key) is str and is_inert(value) for key, value in found.items())


# These examples are quick, so there can be more of them.
MORE = settings(max_examples=4 * settings.default.max_examples)
VALID = [PYTHON_2, *(pickle.dumps(load_dictionary(PYTHON_2), protocol) for protocol in range(2, 6))]
PIECES = [
    *(bytes([code]) for code in range(256)),
    *(b"h\x00", b"q\x00", b"h\x01", b"q\x01", b"K\x00", b"K\x01", b"U\x01a", b"X\x01\x00\x00\x00a"),
    *(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"cos\nsystem\n"),
    *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy._core.numeric\n_frombuffer\n"),
    *(ARRAY, UINT8, b"U\x02u1K\x00K\x01\x87", b"X\x06\x00\x00\x00latin1", b"(K\x01K\x01\x85"),
    *(b"}", b"](", b"\x86R", b"\x87R", b"tb", b"\x89U\x01xtb", b"s", b"u", b"e", b"a", b"."),
]


@pytest.mark.fuzz
@MORE
@given(st.sampled_from(VALID), st.data())
def test_a_damaged_pickle_gives_inert_values_or_one_error(content: bytes, data) -> None:
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(changed)))
        removed = data.draw(st.integers(0, 3))
        changed[place : place + removed] = data.draw(
            st.sampled_from(PIECES) | st.binary(max_size=4)
        )

    check(bytes(changed))


@pytest.mark.fuzz
@MORE
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_any_opcodes_give_inert_values_or_one_error(opcodes: bytes) -> None:
    check(b"\x80\x02" + opcodes + b".")
    check(b"\x80\x02}U\x01a" + opcodes + b"s.")


@pytest.mark.fuzz
@MORE
@given(st.binary(max_size=200))
def test_any_bytes_give_inert_values_or_one_error(content: bytes) -> None:
    check(content)
