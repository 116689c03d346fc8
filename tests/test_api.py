import json
import logging
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from made import made_epoch, made_result, made_run

import cifar_keras as ck
from cifar_keras import cli, records
from cifar_keras.data import Dataset, Split, synthetic
from cifar_keras.errors import ArgumentError, BackendError, Interrupted, RecipeError, RunError
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.run.callbacks import Agreement

COMMITTED = Path(__file__).resolve().parent.parent / "reports" / "runs"
RESNET20 = COMMITTED / "resnet20" / "seed-1"
HALF = COMMITTED / "airbench94" / "seed-1-mixed_bfloat16"
IMAGES = np.random.RandomState(0).randint(0, 256, (6, 32, 32, 3)).astype(np.uint8)

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """An empty folder, and no data set but the synthetic ones."""
    for variable in ("HOME", "KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.delenv("CIFAR_KERAS_DATA", raising=False)
    monkeypatch.delenv("CIFAR_KERAS_RUNS", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def unfinished(work):
    """The folder of a run of resnet20 that was interrupted after two epochs."""
    folder = work / "interrupted" / "resnet20" / "seed-1"
    records.write_record(folder, records.RUN, made_run("resnet20"))
    records.write_history(folder, [made_epoch(1), made_epoch(2)])
    return folder


@pytest.fixture
def few(monkeypatch):
    """Few images of the synthetic data set: 3 or 4 steps an epoch of `demo`."""
    # What XLA would compile for convolutions has no part in it.
    monkeypatch.setattr("cifar_keras.layers.convolution._LEAST_CHANNELS", 1000)
    plan = synthetic.PLANS["synthetic10"]
    monkeypatch.setitem(
        synthetic.PLANS, "synthetic10", replace(plan, train_per_class=20, test_per_class=20)
    )


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, cifar_keras; dir(cifar_keras);"
        "print({'keras', 'numpy', 'pandas', 'pydantic', 'tensorflow'} & set(sys.modules))"
    )

    found = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert found == "set()\n"


def test_all_names_are_there():
    assert set(ck.__all__) <= set(dir(ck))
    for name in ck.__all__:
        assert getattr(ck, name) is not None
    with pytest.raises(AttributeError, match="'cifar_keras' has no attribute 'trian'"):
        ck.trian  # noqa: B018


class TestLoadData:
    def test_it_has_the_form_of_keras_datasets(self, few):
        (x_train, y_train), (x_test, y_test) = ck.load_data("synthetic10")

        assert [x_train.shape, y_train.shape] == [(200, 32, 32, 3), (200, 1)]
        assert [x_test.shape, y_test.shape] == [(200, 32, 32, 3), (200, 1)]
        assert {each.dtype for each in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
        assert set(y_train.ravel()) == set(range(10))

    def test_coarse_labels_are_the_groups(self, monkeypatch):
        split = Split(IMAGES, np.arange(6), np.arange(6) // 2)
        dataset = Dataset("cifar100", split, split, tuple("abcdef"), tuple("ghi"))
        monkeypatch.setattr("cifar_keras.data.load", lambda *_: dataset)

        (_, labels), _ = ck.load_data("cifar100", label_mode="coarse")

        assert labels.tolist() == [[0], [0], [1], [1], [2], [2]]

    @pytest.mark.parametrize("mode", ["coarse", "rough"])
    def test_another_label_mode_is_refused(self, few, mode):
        with pytest.raises(ArgumentError, match=f"Received: label_mode='{mode}'"):
            ck.load_data("synthetic10", label_mode=mode)


class TestBuild:
    def test_a_shipped_recipe_is_built_with_its_overrides(self):
        # The count is that of test_resnet.
        assert ck.build("resnet20").count_params() >= 272_292
        assert ck.build("demo", set=["model.depth=14"]).name == "resnet14_neon"

    def test_a_recipe_that_is_loaded_already_is_built(self):
        model = ck.build(load_recipe(recipe_path("demo")), set=["dataset=synthetic100"])

        assert model.output_shape == (None, 100)

    def test_it_has_the_weights_of_the_file(self):
        found = ck.build("resnet20", weights=RESNET20 / records.WEIGHTS).get_weights()

        expected = ck.load_run(RESNET20).model.get_weights()
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_weights_of_another_network_are_refused(self):
        with pytest.raises(RunError, match="does not fit"):
            ck.build("demo", weights=RESNET20 / records.WEIGHTS)

    def test_a_network_next_to_a_recipe_of_ones_own_is_imported(self, work, monkeypatch):
        monkeypatch.setattr(sys, "path", [*sys.path])
        (work / "own_networks.py").write_text(
            "import keras\n"
            "def tiny(input_shape, num_classes, filters: int):\n"
            "    x = inputs = keras.Input(input_shape)\n"
            "    x = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(filters, 3)(x))\n"
            "    return keras.Model(inputs, keras.layers.Dense(num_classes)(x), name='own')\n"
        )
        (work / "own.yaml").write_text(
            "base: demo\ntitle: own\nmodel: {name: own_networks:tiny, filters: 2}\nparameters: 0\n"
        )

        assert ck.build("own.yaml").name == "own"

    def test_an_unknown_recipe_names_the_nearest(self):
        with pytest.raises(RecipeError, match=r"'airbench9'.*'airbench9\d'"):
            ck.build("airbench9")

    @pytest.mark.parametrize("call", [ck.build, ck.train])
    def test_another_backend_is_one_clear_error(self, monkeypatch, call):
        monkeypatch.setattr("keras.config.backend", lambda: "jax")

        with pytest.raises(BackendError, match=r"'jax'.*KERAS_BACKEND=tensorflow"):
            call("demo")


class TestLoadRun:
    def test_a_run_has_its_recipe_history_and_result(self):
        run = ck.load_run(RESNET20)

        assert run.recipe.title == "ResNet-20, neon"
        assert (run.record.seed, run.finished) == (1, True)
        assert len(run.history) == 180
        assert list(run.history) == list(records.Epoch.model_fields)
        assert run.history.test_accuracy.iloc[-1] == pytest.approx(run.result.test_accuracy)
        assert "resnet20 seed 1, test accuracy 91.77 %" in repr(run)

    # With exact weights in float32, and with float16 kernels in bfloat16.
    @pytest.mark.parametrize("folder", [RESNET20, HALF], ids=["exact", "half"])
    def test_predictions_need_no_data_and_are_those_of_the_model(self, folder):
        run = ck.load_run(folder)

        found = run.predict(IMAGES, batch_size=4)

        logits = run.model.predict(run.normalize(IMAGES), verbose=0)
        assert (found.shape, found.dtype) == ((6, 10), np.float32)
        np.testing.assert_allclose(found, keras.ops.softmax(logits), rtol=0.05, atol=1e-3)
        assert run.class_names[3] == "cat"

    @pytest.mark.parametrize(
        "images", [IMAGES.astype(np.float32), IMAGES[0], IMAGES[:, :28], IMAGES[:0], "cat.png"]
    )
    @pytest.mark.parametrize("method", ["predict", "normalize"])
    def test_other_images_are_refused(self, images, method):
        with pytest.raises(ArgumentError, match=r"must be uint8 of shape \(N, 32, 32, 3\)"):
            getattr(ck.load_run(RESNET20), method)(images)

    def test_an_unfinished_run_has_a_history_and_neither_result_nor_model(self, unfinished):
        run = ck.load_run(unfinished)

        assert (len(run.history), run.finished) == (2, False)
        assert "unfinished" in repr(run)
        for name in ("result", "model"):
            with pytest.raises(RunError, match="resnet20"):
                getattr(run, name)

    def test_a_folder_without_a_run_is_told(self, work):
        with pytest.raises(RunError, match=r"has no run\.json"):
            ck.load_run(work)


class TestPretrained:
    def test_the_committed_weights_are_found(self):
        assert ck.pretrained("resnet20").name == "resnet20_neon"
        assert ck.pretrained("airbench94", precision="mixed_bfloat16").name == "airbench"

    @pytest.mark.parametrize(
        ("recipe", "precision"), [("resnet32", None), ("resnet20", "mixed_float16")]
    )
    def test_what_is_not_there_is_told_with_what_is(self, recipe, precision):
        with pytest.raises(RunError, match=rf"'{recipe}'.*resnet20 in float32.*CIFAR_KERAS_RUNS"):
            ck.pretrained(recipe, precision)

    def test_another_folder_is_searched(self, work, monkeypatch):
        shutil.copytree(HALF, work / "mine" / "airbench94" / HALF.name)

        assert ck.pretrained("airbench94", root="mine")
        monkeypatch.setenv("CIFAR_KERAS_RUNS", str(work / "mine"))
        assert ck.pretrained("airbench94")
        with pytest.raises(RunError, match="airbench94 in mixed_bfloat16"):
            ck.pretrained("resnet20")

    @pytest.mark.parametrize(
        ("source", "record"), [(RESNET20, records.RESULT), (HALF, records.HALF)]
    )
    def test_other_weights_than_the_recorded_ones_are_refused(self, work, source, record):
        folder = shutil.copytree(source, work / "runs" / source.parent.name / source.name)
        content = json.loads((folder / record).read_text())
        (folder / record).write_text(json.dumps(content | {"weights_sha256": "0" * 64}))

        with pytest.raises(RunError, match="SHA-256"):
            ck.pretrained(source.parent.name, root="runs")


class TestTables:
    def test_runs_are_a_row_each(self):
        table = ck.runs(COMMITTED).set_index("folder")

        full = table.loc[str(RESNET20)]
        assert (full.recipe, full.seed, full.precision) == ("resnet20", 1, "float32")
        assert (full.budget, full.overrides, full.dataset) == (1, "", "cifar10")
        assert (full.state, full.epoch, full.epochs) == ("done", 180, 180)
        assert full.test_accuracy == pytest.approx(0.9177)
        assert np.isnan(full.tta_accuracy)
        assert table.loc[str(HALF)].tta_accuracy == pytest.approx(0.9401)

    def test_an_interrupted_run_is_shown_with_its_epoch_and_its_time_left(self, unfinished):
        row = ck.runs(unfinished.parent.parent).iloc[0]

        assert (row.state, row.epoch) == ("interrupted", 2)
        assert row.seconds_left > 0

    def test_a_damaged_run_is_left_out_with_a_warning(self, work, caplog):
        for name in ("seed-1", "seed-2"):
            shutil.copytree(COMMITTED / "airbench94" / "seed-1", work / "runs" / "demo" / name)
        (work / "runs" / "demo" / "seed-2" / records.RUN).write_text("{")

        with caplog.at_level(logging.WARNING, "cifar_keras"):
            table = ck.runs()

        assert table.folder.tolist() == ["runs/demo/seed-1"]
        assert "seed-2" in caplog.text

    def test_no_runs_are_an_empty_table_with_the_same_columns(self):
        assert ck.runs(["nowhere"]).empty
        assert list(ck.runs(["nowhere"])) == list(ck.runs(COMMITTED))

    def test_recipes_are_a_row_each(self):
        table = ck.recipes().set_index("name")

        assert len(table) == len(list((COMMITTED.parents[1] / "recipes").glob("*.yaml")))
        assert table.loc["resnet20", "published_accuracy"] == pytest.approx(0.9171)
        assert table.loc["resnet20", ["system", "dataset", "parameters"]].tolist() == [
            "C",
            "cifar10",
            272_292,
        ]
        assert np.isnan(table.loc["demo", "published_accuracy"])


def weights_of(folder):
    """The arrays of a run, by the recipe's network."""
    return ck.load_run(folder).model.get_weights()


class TestTrain:
    @pytest.mark.slow
    def test_its_weights_are_those_of_the_command(self, few, work):
        command = ["train", "--recipe", "demo", "--seed", "3", "--budget", "0.2"]
        assert cli.main([*command, "--run-dir", "theirs"]) == 0

        run = ck.train("demo", seed=3, budget=0.2, run_dir="ours")

        theirs = work / "theirs" / "demo" / "seed-3-budget-0.2"
        assert run.folder == Path("ours/demo/seed-3-budget-0.2")
        for one, other in zip(run.model.get_weights(), weights_of(theirs), strict=True):
            np.testing.assert_array_equal(one, other)
        assert run.record.command == ["cifar-keras", *command]

    @pytest.mark.slow
    def test_ctrl_c_leaves_a_state_from_which_the_same_call_resumes(self, few, monkeypatch):
        original, calls = Agreement.on_train_batch_end, []

        def on_train_batch_end(self, *arguments, **named):
            calls.append(1)
            if len(calls) == 3:
                signal.raise_signal(signal.SIGINT)
            original(self, *arguments, **named)

        monkeypatch.setattr(Agreement, "on_train_batch_end", on_train_batch_end)
        with pytest.raises(KeyboardInterrupt, match="state is saved"):
            ck.train("demo", budget=0.2)

        run = ck.train("demo", budget=0.2)

        kinds = [event.kind for event in run.record.events]
        assert kinds == ["started", "interrupted", "resumed", "finished"]
        assert run.record.events[1].step == 3

    def test_sigterm_is_no_keyboard_interrupt(self, monkeypatch, few):
        def stopped(*_):
            raise Interrupted("interrupted", signal.SIGTERM)

        monkeypatch.setattr("cifar_keras.run.train.train", stopped)

        with pytest.raises(Interrupted):
            ck.train("demo")

    @pytest.fixture
    def asked(self, few, monkeypatch):
        """What training was asked for; it ends at once."""
        jobs = []
        monkeypatch.setattr("cifar_keras.run.train.train", lambda job, *_: jobs.append(job))
        monkeypatch.setattr("cifar_keras.api.load_run", lambda folder, **_: folder)
        return jobs

    def test_it_asks_for_the_run_of_the_command(self, asked, monkeypatch):
        ck.train("demo", seed=2, budget=0.5, set=["data.pad=2"], jit="off")
        command = list(asked[0].command)

        def train(job, *_):
            asked.append(job)
            return made_result()

        monkeypatch.setattr("cifar_keras.run.train.train", train)
        assert cli.main(command[1:]) == 0

        ours, theirs = asked
        assert ours == theirs

    def test_the_command_that_trains_the_same_run_is_recorded(self, asked):
        ck.train("demo", seed=2, budget="0.50", set=["data.pad=2"], precision="mixed_float16")

        [job] = asked
        assert (job.seed, job.budget, job.overrides) == (2, "0.5", ("data.pad=2",))
        assert job.recipe.precision == "mixed_float16"
        assert list(job.command) == [
            *("cifar-keras", "train", "--recipe", "demo", "--seed", "2", "--budget", "0.5"),
            *("--set", "data.pad=2", "--set", "precision=mixed_float16"),
        ]

    def test_a_recipe_object_is_trained_under_a_name(self, asked):
        recipe = load_recipe(recipe_path("demo"), ["data.pad=2"])

        assert ck.train(recipe, name="mine") == Path("runs/mine/seed-1")
        assert asked[0].recipe == recipe

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"seed": -1}, "seed: '-1'"),
            ({"budget": 0}, "budget: '0'"),
            ({"checkpoint_every": "often"}, "checkpoint_every: 'often'"),
            ({"set": "data.pad=2"}, "set='data.pad=2'"),
            ({"set": ["precision=float32"], "precision": "mixed_float16"}, "contradicts"),
            ({"name": "mine"}, "name='mine'"),
            ({"recipe": load_recipe(recipe_path("demo"))}, "needs a name"),
            ({"recipe": load_recipe(recipe_path("demo")), "name": "../x"}, "name='../x'"),
        ],
    )
    def test_an_impossible_argument_is_refused(self, asked, given, told):
        with pytest.raises(ArgumentError, match=told):
            ck.train(**({"recipe": "demo"} | given))

        assert asked == []

    def test_it_warns_where_onednn_was_left_off(self, asked, monkeypatch, caplog):
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
        monkeypatch.setattr("cifar_keras.private.uses_onednn", lambda: False)

        with caplog.at_level(logging.WARNING, "cifar_keras"):
            ck.train("demo")

        assert "TF_ENABLE_ONEDNN_OPTS=1" in caplog.text
