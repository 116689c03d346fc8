import pytest
from made import STARTED, made_result, made_run

from cifar_keras import publish, records
from cifar_keras.cli import main
from cifar_keras.errors import RunError


@pytest.fixture
def make():
    """Write a finished run of resnet20, which was started then."""

    def make(folder, started=STARTED):
        run = made_run("resnet20", seed=2, started=started)
        records.write_record(folder, records.RUN, run)
        records.write_record(folder, records.RESULT, made_result())
        (folder / records.PREPROCESSING).write_text("{}")
        (folder / records.HISTORY).write_text("epoch\n")
        (folder / records.WEIGHTS).write_bytes(b"weights")
        (folder / records.LOCK).touch()
        return folder

    return make


@pytest.fixture
def publish_run(tmp_path):
    return lambda folder: main(["publish", str(folder), "--output", str(tmp_path / "reports")])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_records_go_to_the_folder_that_is_named_after_the_run(
    tmp_path, make, publish_run, capsys
):
    folder = make(tmp_path / "anywhere")
    place = tmp_path / "reports" / "resnet20" / "seed-2"

    assert publish_run(folder) == 0

    assert names(place) == ["history.csv", "preprocessing.json", "result.json", "run.json"]
    for path in place.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()
    assert capsys.readouterr().out.split() == [
        str(place / name)
        for name in ("run.json", "preprocessing.json", "history.csv", "result.json")
    ]


def test_a_run_is_published_again_from_where_it_is(tmp_path, make, publish_run):
    place = make(tmp_path / "reports" / "resnet20" / "seed-2")
    before = {path.name: path.read_bytes() for path in place.iterdir()}

    assert publish_run(place) == 0
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_another_run_is_not_replaced(tmp_path, make, publish_run, capsys):
    make(tmp_path / "reports" / "resnet20" / "seed-2", started="2026-02-02T00:00:00+00:00")
    before = (tmp_path / "reports" / "resnet20" / "seed-2" / records.RUN).read_bytes()

    assert publish_run(make(tmp_path / "new")) == 1

    assert "holds another run, started 2026-02-02T00:00:00+00:00; remove it first, or name" in (
        capsys.readouterr().err
    )
    assert (tmp_path / "reports" / "resnet20" / "seed-2" / records.RUN).read_bytes() == before


def test_an_unfinished_run_is_not_published(tmp_path, make, publish_run, capsys):
    folder = make(tmp_path / "begun")
    (folder / records.RESULT).unlink()

    assert publish_run(folder) == 1
    assert "has no result.json: not a run folder, or unfinished" in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_views_of_other_weights_are_not_published(tmp_path, make, publish_run, capsys):
    folder = make(tmp_path / "run")
    tta = records.Tta(
        test_accuracy=0.5,
        test_correct=5000,
        test_images=10000,
        views=6,
        weights_sha256="1" * 64,
        finished=STARTED,
    )
    records.write_record(folder, records.TTA, tta)

    assert publish_run(folder) == 1
    assert (
        "tta.json' was measured with other weights; run 'cifar-keras evaluate "
        in capsys.readouterr().err
    )


@pytest.fixture
def sparse(tmp_path):
    """A file of so many MiB that takes no room."""

    def sparse(path, mib):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(int(mib * 2**20))
        return path

    return sparse


def test_a_file_has_at_most_24_mib(tmp_path, sparse):
    publish.check_sizes(sparse(tmp_path / "w.h5", 24), tmp_path / "a", tmp_path / "reports")

    with pytest.raises(RunError, match=r"have 24\.5 MiB; the limit is 24 MiB: leave out --we"):
        publish.check_sizes(sparse(tmp_path / "w.h5", 24.5), tmp_path / "a", tmp_path / "reports")


def test_all_files_have_at_most_64_mib_and_the_one_that_is_replaced_does_not_count(
    tmp_path, sparse
):
    reports, place = tmp_path / "reports", tmp_path / "reports" / "resnet20" / "seed-2"
    new = sparse(tmp_path / "w.h5", 20)
    sparse(place / records.HALF_WEIGHTS, 20)
    for recipe in ("a", "b"):
        sparse(reports / recipe / "seed-1" / records.HALF_WEIGHTS, 22)

    publish.check_sizes(new, place, reports)
    sparse(reports / "c" / "seed-1" / records.WEIGHTS, 1)

    with pytest.raises(RunError, match="would have 65 MiB; the limit is 64 MiB: leave out"):
        publish.check_sizes(new, place, reports)
