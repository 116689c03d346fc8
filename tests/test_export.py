import errno
import json
import os
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from made import made_run

from cifar_keras import export as exporting
from cifar_keras import records
from cifar_keras.data import Dataset, Split
from cifar_keras.data.recorded import Inputs
from cifar_keras.errors import MissingPackage, RunError
from cifar_keras.evaluate import load_network, plain_logits
from cifar_keras.export import check_output, export, output_names, predict
from cifar_keras.models import MODELS
from cifar_keras.recipe import load_recipe, recipe_path

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",
    # ONNX's packages and TensorFlow are not all made for this Python and one another.
    "ignore::FutureWarning",
    "ignore:.*(SwigPy|swigvarlink):DeprecationWarning",
)
NAMES = ("cat", "dog", "frog", "horse", "ship", "car", "bird", "deer", "plane", "truck")


def tiny(input_shape: tuple[int, int, int], num_classes: int, filters: int) -> keras.Model:
    """An activation and a random layer of the kinds that the larger networks have."""
    inputs = keras.Input(input_shape, name="images")
    x = keras.layers.Conv2D(filters, 3, 2, activation="gelu", name="conv")(inputs)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits")(x), name="tiny")


@pytest.fixture
def dataset():
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    provenance = {"synthetic": True, "content_sha256": {}}
    return Dataset("synthetic10", split(20), split(12), NAMES, provenance=provenance)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of the tiny network on the centers of images normalized in contrast."""
    monkeypatch.setitem(MODELS, "tiny", tiny)
    overrides = ["model={name: tiny, filters: 4}", "data.contrast=55.0", "data.mean=pixel"]
    overrides += ["data.padding=none", "data.pad=0", "data.crop=28"]
    recipe = load_recipe(recipe_path("demo"), overrides)
    run = made_run(recipe=recipe, overrides=overrides)
    keras.utils.set_random_seed(1)
    folder = tmp_path / "run"
    records.write_record(folder, records.RUN, run)
    tiny((28, 28, 3), 10, 4).save_weights(folder / records.WEIGHTS)
    return folder


@pytest.fixture
def inputs(folder, dataset):
    """What the run would have recorded of its data."""
    return Inputs.of(dataset, records.read_run(folder).recipe.data)


@pytest.fixture
def expected(folder, dataset):
    """The probabilities by the path that `evaluate` takes."""
    run = records.read_run(folder)
    logits = plain_logits(load_network(folder, run), run, dataset)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    assert len(set(probabilities.argmax(axis=1))) > 2
    return probabilities


def read(to, path, images):
    if to == "keras":
        return keras.saving.load_model(path)(images)
    if to == "savedmodel":
        # What it computes with goes with it.
        loaded = tf.saved_model.load(path)
        return {key: value.numpy() for key, value in loaded.serve(images).items()}
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    names = ["class_name", "probabilities"]
    return dict(zip(names, session.run(names, {"images": images}), strict=True))


@pytest.mark.parametrize("to", ["keras", "savedmodel", "onnx"])
def test_raw_images_in_and_what_evaluation_finds_out(
    folder, dataset, inputs, expected, tmp_path, to
):
    if to == "onnx":
        pytest.importorskip("tf2onnx")
    ending = exporting.ENDINGS[to]
    run = records.read_run(folder)

    written = export(folder, run, inputs, to, tmp_path / f"out{ending}")

    assert written == [tmp_path / f"out{ending}", tmp_path / f"out{ending}.json"]
    found = read(to, written[0], dataset.test.images)
    np.testing.assert_allclose(np.asarray(found["probabilities"]), expected, atol=1e-5)
    names = [n.decode() if isinstance(n, bytes) else n for n in np.asarray(found["class_name"])]
    assert names == [NAMES[place] for place in expected.argmax(axis=1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["run", written[0].name, written[1].name]
    )


def in_precision(folder, precision):
    """The run, as if it had computed so."""
    run = records.read_run(folder)
    recipe = run.recipe.model_copy(update={"precision": precision})
    return run.model_copy(update={"recipe": recipe})


@pytest.mark.parametrize("to", ["keras", "savedmodel", "onnx"])
def test_in_mixed_precision_the_same_is_exported_as_is_evaluated(
    folder, dataset, inputs, tmp_path, to
):
    if to == "onnx":
        pytest.importorskip("tf2onnx")
    run = in_precision(folder, "mixed_float16")
    logits = plain_logits(load_network(folder, run), run, dataset)

    path, _ = export(folder, run, inputs, to, tmp_path / f"out{exporting.ENDINGS[to]}")

    found = np.asarray(read(to, path, dataset.test.images)["probabilities"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, keras.ops.softmax(logits), atol=2e-3)


def test_bfloat16_is_not_exported_to_onnx(folder, inputs, tmp_path):
    pytest.importorskip("tf2onnx")
    run = in_precision(folder, "mixed_bfloat16")

    with pytest.raises(RunError) as caught:
        export(folder, run, inputs, "onnx", tmp_path / "out.onnx")

    assert str(caught.value) == (
        f"--to onnx: '{folder}' computes in bfloat16, for which ONNX has no convolution; "
        "use --to keras or --to savedmodel"
    )
    assert not (tmp_path / "out.onnx").exists()


def test_the_class_names_and_the_run_stand_beside_it(folder, inputs, tmp_path):
    run = records.read_run(folder)

    _, beside = export(folder, run, inputs, "keras", tmp_path / "out.keras")

    facts = json.loads(beside.read_text())
    assert facts["class_names"] == list(NAMES)
    assert (facts["recipe"], facts["seed"], facts["dataset"]) == ("demo", 1, "synthetic10")
    assert facts["recipe_sha256"] == run.recipe_sha256


ENDINGS = [("keras", ".keras"), ("savedmodel", ""), ("onnx", ".onnx")]


def contents(folder):
    """Each file below a folder and its bytes, but the run's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parts[-2] != "run"
    }


@pytest.mark.parametrize(("to", "ending"), ENDINGS)
def test_an_earlier_export_is_replaced_only_where_asked_to(folder, inputs, tmp_path, to, ending):
    if to == "onnx":
        pytest.importorskip("tf2onnx")
    run, output = records.read_run(folder), tmp_path / f"out{ending}"
    export(folder, run, inputs, to, output)
    before = contents(tmp_path)
    other = run.model_copy(update={"seed": 2})

    with pytest.raises(RunError, match=f"^'{output}' is there already; add --overwrite"):
        export(folder, other, inputs, to, output)
    refused = contents(tmp_path)
    export(folder, other, inputs, to, output, overwrite=True)

    assert refused == before
    assert contents(tmp_path).keys() == before.keys()
    assert json.loads((tmp_path / f"out{ending}.json").read_text())["seed"] == 2


@pytest.mark.parametrize("name", ["out.keras", "out.keras.json"])
@pytest.mark.parametrize("content", [b"", b"mine", b'{"mine": 1}', b"[" * 100_000])
def test_a_file_that_no_export_wrote_is_never_replaced(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(RunError, match=f"'{tmp_path / name}' is there already"):
        check_output("keras", tmp_path / "out.keras", overwrite=False)
    with pytest.raises(RunError, match=f"^--overwrite: '{tmp_path / name}' is not "):
        check_output("keras", tmp_path / "out.keras", overwrite=True)

    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(
    ("to", "name"),
    [
        *(("keras", "a.keras"), ("keras", "folder.keras"), ("keras", "link.keras")),
        *(("onnx", "a.onnx"), ("savedmodel", "a.onnx"), ("savedmodel", "empty")),
        *(("savedmodel", "link"), ("savedmodel", "gone")),
    ],
)
def test_what_is_of_another_kind_is_never_replaced(tmp_path, to, name):
    if to == "onnx":
        pytest.importorskip("tf2onnx")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as packed:
        packed.writestr("letter.txt", "mine")
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    for folder in ("folder.keras", "empty", "saved"):
        (tmp_path / folder).mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    (tmp_path / "link").symlink_to(tmp_path / "saved")
    (tmp_path / "link.keras").symlink_to(tmp_path / "a.keras")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")

    with pytest.raises(RunError, match=f"^--overwrite: '{tmp_path / name}' is not "):
        check_output(to, tmp_path / name, overwrite=True)


@pytest.mark.parametrize("mine", ["notes.txt", "variables/notes.txt", "assets/words.txt"])
def test_a_folder_with_a_file_of_the_users_is_kept_and_the_file_named(
    folder, inputs, tmp_path, mine
):
    run = records.read_run(folder)
    export(folder, run, inputs, "savedmodel", tmp_path / "out")
    (tmp_path / "out" / mine).write_text("mine")
    before = contents(tmp_path)

    with pytest.raises(RunError, match=f"^--overwrite: '{tmp_path / 'out'}' holds '{mine}'"):
        export(folder, run, inputs, "savedmodel", tmp_path / "out", overwrite=True)

    assert contents(tmp_path) == before


@pytest.mark.parametrize(("to", "ending"), ENDINGS[:2])
@pytest.mark.parametrize("last", ["out{}", "out{}.json"])
def test_an_export_that_fails_leaves_the_earlier_one(
    folder, inputs, tmp_path, monkeypatch, to, ending, last
):
    run, output = records.read_run(folder), tmp_path / f"out{ending}"
    export(folder, run, inputs, to, output)
    before = contents(tmp_path)
    place, works, full = tmp_path / last.format(ending), os.replace, [True]

    def replace(source, target):
        if target == place and full and full.pop():
            raise OSError(errno.ENOSPC, "full")
        works(source, target)

    monkeypatch.setattr(os, "replace", replace)

    with pytest.raises(RunError, match=r"^no space left to write"):
        export(folder, run, inputs, to, output, overwrite=True)

    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_what_appears_while_an_export_is_written_is_kept(folder, inputs, tmp_path, monkeypatch):
    def save(model, path):
        path.write_bytes(b"network")
        (tmp_path / "out.keras").write_bytes(b"mine")

    monkeypatch.setattr(keras.Model, "save", save)

    with pytest.raises(RunError, match=r"out\.keras' is there already"):
        export(folder, records.read_run(folder), inputs, "keras", tmp_path / "out.keras")

    assert (tmp_path / "out.keras").read_bytes() == b"mine"


def test_a_name_with_another_ending_is_told(tmp_path):
    with pytest.raises(RunError) as caught:
        check_output("keras", tmp_path / "out.h5", overwrite=False)

    assert str(caught.value) == (f"--output '{tmp_path / 'out.h5'}': must end in .keras")


def test_onnx_without_its_packages_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr("cifar_keras.extras.find_spec", lambda package: None)

    with pytest.raises(MissingPackage, match=r"^--to onnx needs tf2onnx, .*cifar_keras\[onnx\]'$"):
        check_output("onnx", tmp_path / "out.onnx", overwrite=False)


def test_a_place_that_cannot_be_written_is_told(folder, inputs, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RunError, match=r"^cannot write '.*/file/out.keras': "):
        export(folder, records.read_run(folder), inputs, "keras", tmp_path / "file" / "out.keras")


def test_the_five_likeliest_classes_come_with_the_likeliest_first(
    folder, dataset, inputs, expected
):
    found = predict(folder, records.read_run(folder), inputs, dataset.test.images[:3])

    assert [len(each) for each in found] == [5, 5, 5]
    for classes, probabilities in zip(found, expected, strict=False):
        order = np.argsort(-probabilities)[:5]
        assert [name for name, _ in classes] == [NAMES[place] for place in order]
        np.testing.assert_allclose([p for _, p in classes], probabilities[order], atol=1e-5)


def test_an_output_that_is_no_class_has_a_name(folder, dataset, inputs):
    assert output_names(("cat", "dog"), 4) == ["cat", "dog", "output 2", "output 3"]
    two = replace(inputs, class_names=NAMES[:2])

    [classes] = predict(folder, records.read_run(folder), two, dataset.test.images[:1], count=10)

    assert {"cat", "dog", "output 2", "output 9"} < {name for name, _ in classes}
