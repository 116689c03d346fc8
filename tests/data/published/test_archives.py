import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from cifar_keras.data import load, official
from cifar_keras.data.published import archives
from cifar_keras.data.published.layouts import (
    CIFAR10_BINARY,
    CIFAR10_PYTHON,
    CIFAR100_BINARY,
    CIFAR100_PYTHON,
    Layout,
)
from cifar_keras.errors import DataError

ALL = [CIFAR10_PYTHON, CIFAR10_BINARY, CIFAR100_PYTHON, CIFAR100_BINARY]


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_a_folder_gives_images_labels_and_names(layout: Layout, fake, tmp_path: Path) -> None:
    dataset, _ = archives.read(fake(tmp_path, layout), layout)

    assert dataset.train.images.shape == (20, 32, 32, 3)
    assert dataset.test.images.shape == (6, 32, 32, 3)
    assert dataset.train.images.flags.c_contiguous
    assert dataset.train.labels.dtype == np.int64
    assert dataset.class_names[:2] == ("class0", "class1")
    assert dataset.num_classes == layout.class_counts[0]
    assert (dataset.coarse_names is None) == (layout.dataset == "cifar10")
    assert dataset.provenance["source"] == layout.name


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_an_archive_gives_what_its_folder_gives(layout, fake, pack, tmp_path: Path) -> None:
    folder = fake(tmp_path, layout)
    archive = pack(folder, tmp_path / layout.archive)

    packed, reports = archives.read(archive, layout)

    unpacked, _ = archives.read(folder, layout)
    assert packed.provenance["content_sha256"] == unpacked.provenance["content_sha256"]
    assert packed.class_names == unpacked.class_names
    assert reports[0].file == layout.archive
    assert {report.file for report in reports[1:]} == set(layout.files)


@pytest.mark.parametrize(
    ("python", "binary"), [(CIFAR10_PYTHON, CIFAR10_BINARY), (CIFAR100_PYTHON, CIFAR100_BINARY)]
)
def test_python_and_binary_layouts_give_identical_arrays(
    python: Layout, binary: Layout, fake, tmp_path: Path
) -> None:
    first, _ = archives.read(fake(tmp_path, python), python)
    second, _ = archives.read(fake(tmp_path, binary), binary)

    np.testing.assert_array_equal(first.train.images, second.train.images)
    np.testing.assert_array_equal(first.test.all_labels, second.test.all_labels)
    assert (first.class_names, first.coarse_names) == (second.class_names, second.coarse_names)


def test_a_stored_row_is_the_red_plane_then_the_green_then_the_blue(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_BINARY)
    file = folder / "data_batch_1.bin"
    row = bytes([9]) + bytes([1]) * 1023 + bytes([4]) + bytes([2]) * 1024 + bytes([3]) * 1024
    file.write_bytes(row + file.read_bytes()[3073:])

    dataset, _ = archives.read(folder, CIFAR10_BINARY)

    assert dataset.train.labels[0] == 9
    assert dataset.train.images[0, 0, 0].tolist() == [1, 2, 3]
    assert dataset.train.images[0, 31, 31].tolist() == [4, 2, 3]


def test_cifar100_binary_stores_the_coarse_label_first(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR100_BINARY)
    file = folder / "train.bin"
    file.write_bytes(bytes([19, 99]) + file.read_bytes()[2:])

    dataset, _ = archives.read(folder, CIFAR100_BINARY)

    assert dataset.train.labels[0] == 99
    assert dataset.train.coarse_labels is not None
    assert dataset.train.coarse_labels[0] == 19


class _Malicious:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.victim}",)


def test_a_pickle_that_calls_os_system_is_refused_and_not_run(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    victim = tmp_path / "victim"
    (folder / "data_batch_2").write_bytes(pickle.dumps(_Malicious(victim), protocol=2))

    with pytest.raises(DataError, match=r"data_batch_2: its pickle asks for \w+\.system"):
        archives.read(folder, CIFAR10_PYTHON)

    assert not victim.exists()


def test_a_pickle_may_not_name_a_codec_but_latin1(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    (folder / "test_batch").write_bytes(b"\x80\x02c_codecs\nencode\nU\x01xU\x04zlib\x86R.")

    with pytest.raises(DataError, match="may encode latin1 only"):
        archives.read(folder, CIFAR10_PYTHON)


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_arrays_pickled_by_either_numpy_are_read(module: bytes, fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    for file in folder.iterdir():
        content = file.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        file.write_bytes(content.replace(b"numpy.core.multiarray", module))

    dataset, _ = archives.read(folder, CIFAR10_PYTHON)

    assert len(dataset.train) == 20


def test_a_python_2_pickle_is_read(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    names = b"".join(b"U" + bytes([len(name)]) + name for name in (b"c%d" % i for i in range(10)))
    (folder / "batches.meta").write_bytes(b"\x80\x02}U\x0blabel_names](" + names + b"es.")

    dataset, _ = archives.read(folder, CIFAR10_PYTHON)

    assert dataset.class_names == ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9")


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_a_missing_file_is_named(layout: Layout, fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, layout)
    (folder / layout.test[0]).unlink()

    with pytest.raises(DataError, match=rf"{layout.test[0]}: cannot be read \(No such file"):
        archives.read(folder, layout)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (CIFAR10_PYTHON, "test_batch: not a readable pickle, truncated or altered"),
        (CIFAR10_BINARY, r"must have 18438 bytes \(6 images\). Received: 9219 bytes"),
        (CIFAR100_BINARY, r"must have 18444 bytes \(6 images\). Received: 9222 bytes"),
    ],
)
def test_a_truncated_file_is_refused(layout: Layout, message: str, fake, tmp_path: Path) -> None:
    file = fake(tmp_path, layout) / layout.test[0]
    size = 3073 * 3 if layout is CIFAR10_BINARY else 3074 * 3
    file.write_bytes(file.read_bytes()[:size])

    with pytest.raises(DataError, match=message):
        archives.read(file.parent, layout)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_archive_is_refused(kept: float, fake, pack, tmp_path: Path) -> None:
    archive = pack(fake(tmp_path, CIFAR10_BINARY), tmp_path / "cifar-10-binary.tar.gz")
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])

    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz: truncated or damaged"):
        archives.read(archive, CIFAR10_BINARY)


def test_an_archive_that_lacks_a_file_is_refused(fake, pack, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR100_PYTHON)
    (folder / "meta").unlink()
    archive = pack(folder, tmp_path / "cifar-100-python.tar.gz")

    with pytest.raises(DataError, match=r"cifar-100-python.tar.gz: lacks cifar-100-python/meta"):
        archives.read(archive, CIFAR100_PYTHON)


def test_an_archive_may_be_named_as_a_file_in_it(fake, pack, tmp_path: Path) -> None:
    archive = pack(fake(tmp_path, CIFAR100_PYTHON), tmp_path / "packed" / "train")

    dataset, reports = archives.read(archive, CIFAR100_PYTHON)

    assert len(reports) == 4
    assert dataset.provenance["source"] == "train"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 1, 2, 10]}, "labels must be from 0 to 9. Received: 10;"),
        ({"labels": [0, -1, 2, 3]}, "labels must be from 0 to 9. Received: -1;"),
        ({"labels": [0, 1, 2, 2**70]}, "a label is beyond any range"),
        ({"labels": [0, 1, 2]}, "must hold 4 labels. Received: 3;"),
        ({"labels": [0, 1, 2, 3.0]}, "'labels' must be a list of whole numbers"),
        ({"labels": None}, "'labels' must be a list of whole numbers. Received: nothing;"),
        ({"data": np.zeros((4, 3072))}, "must be an array of uint8. Received: an array of f8"),
        ({"data": np.zeros((4, 1024), np.uint8)}, r"Received: an array of shape \(4, 1024\)"),
        ({"data": np.zeros((3, 3072), np.uint8)}, r"Received: an array of shape \(3, 3072\)"),
    ],
)
def test_an_altered_batch_is_refused(
    change: dict, message: str, fake, rewrite, tmp_path: Path
) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)
    rewrite(folder / "data_batch_3", **change)

    with pytest.raises(DataError, match=message) as caught:
        archives.read(folder, CIFAR10_PYTHON)

    assert "\n" not in str(caught.value)
    assert "fetch the official one" in str(caught.value)


def test_a_coarse_label_out_of_range_is_refused(fake, tmp_path: Path) -> None:
    file = fake(tmp_path, CIFAR100_BINARY) / "test.bin"
    file.write_bytes(bytes([20]) + file.read_bytes()[1:])

    with pytest.raises(DataError, match=r"coarse labels must be from 0 to 19. Received: 20;"):
        archives.read(file.parent, CIFAR100_BINARY)


def test_too_few_class_names_are_refused(fake, tmp_path: Path) -> None:
    file = fake(tmp_path, CIFAR10_BINARY) / "batches.meta.txt"
    file.write_text("cat\ndog\n")

    with pytest.raises(DataError, match="Received: a list of 2;"):
        archives.read(file.parent, CIFAR10_BINARY)


def test_a_fake_is_reported_as_unofficial_file_by_file(fake, tmp_path: Path) -> None:
    dataset, reports = archives.read(fake(tmp_path, CIFAR10_PYTHON), CIFAR10_PYTHON)

    assert dataset.provenance["official"] is False
    assert dataset.provenance["content_official"] is False
    assert [report.official for report in reports] == [False] * 7
    assert reports[0].note.endswith("differs from the official c99cafc152244af753f735de768cd75f")


def test_binary_files_are_official_if_their_contents_are(
    fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake(tmp_path, CIFAR10_BINARY)
    dataset, _ = archives.read(folder, CIFAR10_BINARY)
    contents = dataset.provenance["content_sha256"]
    monkeypatch.setitem(official.CONTENT_SHA256, "cifar10", contents)

    again, reports = archives.read(folder, CIFAR10_BINARY)

    assert again.provenance["content_official"] is True
    assert [report.official for report in reports] == [True] * 6 + [False]
    assert reports[6].note == "no published md5; the class names are not the official ones"


def test_what_stands_in_an_official_archive_is_official(
    fake, pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(fake(tmp_path, CIFAR10_BINARY), tmp_path / "cifar-10-binary.tar.gz")
    _, before = archives.read(archive, CIFAR10_BINARY)
    monkeypatch.setitem(official.MD5, archive.name, before[0].md5)

    dataset, reports = archives.read(archive, CIFAR10_BINARY)

    assert dataset.provenance["official"] is True
    assert {report.note for report in reports[1:]} == {"from the official archive"}


@pytest.mark.data
@pytest.mark.parametrize("layout", [CIFAR10_PYTHON, CIFAR10_BINARY], ids=lambda item: item.name)
def test_real_cifar10_is_official(layout: Layout, real_data: str) -> None:
    dataset, reports = archives.read(Path(real_data) / layout.name, layout)

    assert dataset.provenance["content_official"] is True
    assert all(report.official for report in reports)


@pytest.mark.data
@pytest.mark.parametrize("layout", [CIFAR100_PYTHON, CIFAR100_BINARY], ids=lambda item: item.name)
def test_real_cifar100_has_the_official_contents(layout: Layout, real_data: str) -> None:
    dataset, _ = archives.read(Path(real_data) / layout.name, layout)

    assert dataset.provenance["content_official"] is True
    assert np.bincount(dataset.train.labels).tolist() == [500] * 100


@pytest.mark.data
@pytest.mark.parametrize(
    ("python", "binary"), [(CIFAR10_PYTHON, CIFAR10_BINARY), (CIFAR100_PYTHON, CIFAR100_BINARY)]
)
def test_real_layouts_give_identical_arrays(python: Layout, binary: Layout, real_data: str) -> None:
    first = load(python.dataset, Path(real_data) / python.name)
    second = load(binary.dataset, Path(real_data) / binary.name)

    assert (first.train.images == second.train.images).all()
    assert (first.test.images == second.test.images).all()
    np.testing.assert_array_equal(first.train.all_labels, second.train.all_labels)
    assert (first.class_names, first.coarse_names) == (second.class_names, second.coarse_names)
