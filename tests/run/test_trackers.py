import json
from dataclasses import replace

import pytest
from made import made_epoch

from cifar_keras import records
from cifar_keras.errors import Interrupted
from cifar_keras.run.position import Position
from cifar_keras.run.trackers import Tracker


def rows_of(folder, key):
    return [row.model_dump()[key] for row in records.read_history(folder)]


def tensorboard_points(folder, tag):
    """(step, value) of each point in the folder's event files, in the files' order."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    return [
        (event.step, float(make_ndarray(value.tensor)))
        for path in sorted((folder / "tensorboard").iterdir())
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == tag
    ]


@pytest.fixture
def mlflow_points(tmp_path, monkeypatch):
    """A function from a folder and a metric to the (step, value) of MLflow's points."""
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")

    def points(folder, metric):
        from mlflow.tracking import MlflowClient

        run_id = json.loads((folder / "mlflow.json").read_text())["run_id"]
        history = MlflowClient().get_metric_history(run_id, metric)
        return [(point.step, point.value) for point in history]

    return points


@pytest.mark.slow
def test_weights_and_history_are_the_same_with_tensorboard(job, dataset, elsewhere, go, same_bits):
    pytest.importorskip("tensorboard")
    without = elsewhere("without")
    go(without, dataset)

    go(replace(job, trackers=("tensorboard",)), dataset)

    same_bits(job.folder, without.folder)
    assert tensorboard_points(job.folder, "test_accuracy") == [
        (number, pytest.approx(value))
        for number, value in enumerate(rows_of(job.folder, "test_accuracy"), start=1)
    ]


@pytest.mark.slow
def test_a_resumed_run_has_each_point_of_tensorboard_once(job, dataset, monkeypatch, go, stop_at):
    pytest.importorskip("tensorboard")
    tracked = replace(job, trackers=("tensorboard",))
    with monkeypatch.context() as patch:
        stop_at(patch, "on_epoch_end", 2)
        with pytest.raises(Interrupted):
            go(tracked, dataset)

    go(tracked, dataset)

    points = tensorboard_points(job.folder, "loss")
    assert [step for step, _ in points] == [1, 2, 3, 4, 5]


@pytest.mark.slow
# MLflow and SQLAlchemy are not made for one another's newest versions.
@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_has_each_point_of_mlflow_once(
    job, dataset, elsewhere, monkeypatch, go, stop_at, same_bits, mlflow_points
):
    without = elsewhere("without")
    go(without, dataset)
    tracked = replace(job, trackers=("mlflow",))
    with monkeypatch.context() as patch:
        stop_at(patch, "on_epoch_end", 2)
        with pytest.raises(Interrupted):
            go(tracked, dataset)

    go(tracked, dataset)

    same_bits(job.folder, without.folder)
    assert sorted(mlflow_points(job.folder, "test_accuracy")) == [
        (number, pytest.approx(value))
        for number, value in enumerate(rows_of(job.folder, "test_accuracy"), start=1)
    ]


def row(number):
    return made_epoch(number, step=number, test_accuracy=0.25)


class Place:
    def __init__(self, fails=False):
        self.numbers, self.fails, self.finished = [], fails, False

    def add(self, number, points):
        assert points["test_accuracy"] == 0.25
        if self.fails:
            raise ConnectionError("no\nanswer")
        self.numbers.append(number)

    def finish(self):
        self.finished = True


def test_a_tracker_begins_with_all_rows_there_are_and_goes_on_with_each():
    place, position = Place(), Position(rows=[row(1), row(2)])

    tracker = Tracker("--mine", lambda: place, position)
    position.rows.append(row(3))
    tracker.on_epoch_end(2, {})
    tracker.finish()

    assert (place.numbers, place.finished) == ([1, 2, 3], True)


def test_a_place_that_fails_is_given_up_with_one_warning_and_the_run_goes_on(caplog):
    place, position = Place(fails=True), Position(rows=[row(1)])

    tracker = Tracker("--mine", lambda: place, position)
    tracker.on_epoch_end(0, {})
    tracker.finish()

    assert [record.getMessage() for record in caplog.records] == [
        "--mine: no answer; the run continues without it"
    ]
    assert not place.finished
