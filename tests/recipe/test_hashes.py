"""The hashes that run folders recorded: a recipe whose hash changes loses its runs."""

import json
from pathlib import Path

import pytest
from made import made_run

from cifar_keras import records
from cifar_keras.recipe import load_recipe, recipe_path

COMMITTED = Path(__file__).resolve().parents[2] / "reports" / "runs"
RESNET20 = "b1a5c219f29ee1a1993d5623332b9345fc74cfdd28fb8c2b9669551533efddaa"
# Of resnet20 in mixed_bfloat16, as 0.4.0 recorded it.
MIXED_RESNET20 = "27d40636f90decd3864778f912b1bab01470dae5fc50323eb051245fa1ab79fd"
# As of 0.4.0, the first half of each.
SHIPPED = {
    "airbench94": "f6aca7cb82755f14217ff74d489b02ba",
    "airbench94_muon": "ad1702bb36763e2037ae84065c9b6df6",
    "airbench95": "afebc27a722c46fa410d775492d534ab",
    "airbench96": "9ba6b6a2808bd83eef1310e34c4bc5b9",
    "demo": "7e8aa41fb49a072f110e410be9c5e6d1",
    "dsn": "64e286a76c7d19f6aa663da9683f2312",
    "dsn_augmented": "b59363b76c03f1fb783fa8cb9fbab573",
    "highway19_cifar10": "85b8ef5001eaf61403170b662a60dc29",
    "highway19": "df03e335f98fba20dcd23e1776a55387",
    "inception_leaky": "4885a8850a36b9b999535049cca97a38",
    "inception_prelu": "0226eb45c062b83c0156b3e15eabf29b",
    "inception_relu": "d7da230eaaf8341789bacdb67da2e632",
    "inception_rrelu": "b7a9aa9c2b6b284291b76ab206cbaf61",
    "inception_rrelu_modern": "c707309f151d79dd1d108e9806db0821",
    "nin_leaky": "10b862fefdb229d05874b42e0f5271be",
    "nin_leaky_55_cifar10": "f3ed85d18dccd44e0c06993c214f1c71",
    "nin_leaky_55": "a3dcd867c4c32bfc09c569ba491344d1",
    "nin_leaky_cifar10": "8efc68f930c60aa6dc0c23f1787b7e10",
    "nin_prelu": "b3366120a1b6b532e644f8ef4741adbe",
    "nin_prelu_cifar10": "0b78c5fe1a54f0282cad78cf3f453ea3",
    "nin_relu": "2a8faebd2c0dfd2c2281a17f69187e9c",
    "nin_relu_cifar10": "a6481d0e5c571721793c60bf679e9efe",
    "nin_rrelu": "ca5476ce9349f2488160d44ca58c1ee7",
    "nin_rrelu_cifar10": "3ef702e0f320c2d6bb3a043484f4d6ec",
    "resnet20": "b1a5c219f29ee1a1993d5623332b9345",
    "resnet20_cv": "55076a59545f257f61d42d0930da22fb",
    "resnet20_he": "a90602db231aba77f82ba8d7082a676e",
    "resnet32": "27358b5d919264d2843115109a036d34",
    "resnet32_he": "4a80f394af8993d05b1610f07f54dad1",
    "resnet56": "5c8f482409ebbfb46002f045ac216adc",
    "resnet56_he": "5612e652524dafdf01a6409ab7d3a974",
    "resnet110": "714c39a62d1666fd9ef43c9808512b7a",
    "resnet110_adadelta": "ad12a754c7398e6b0d104685246d5954",
    "resnet110_he": "b5a985ef0eb1f3247b97926633df0be3",
    "resnet110_sgd_scratch": "f5649a1f7af5b3480abe14a2cda059e4",
    "resnext29_8x64d": "f198a849158634bed5cd5cb63415f6b0",
    "resnext101_adadelta": "c07efadf34640aab257dae4237b88075",
    "resnext101_finetune": "3aba34b4e23cfbddff136f6d347cab05",
    "resnext101_finetune_fixed": "90466181d3f9e3dcd3bcbc1e387a14ca",
    "resnext101_finetune_step": "f7e6ca5668d6b389d3593226e80d7d48",
    "resnext101_sgd_pretrained": "11a3acc2f99ea81cb2373837753281b9",
    "speedrun10": "e489eb06602e09642bbacde4d95a32fc",
    "speedrun100": "cfe9f58fbc597de5487a6a77ba88c9ee",
    "speedrun100_afternoon": "d6c9118fb220477cfed00357274f9ea3",
    "speedrun100_long": "3888cd01709891b798b95b56a77929f6",
    "vgg_bn": "3291e7d36760517df9b1e22ec419e7e6",
    "vgg_bn_dropout": "951ee30b07c0cbaaf84f097698ae1b63",
    "vgg_dropout": "ba60c4bcfc884844653e5e17379b969e",
    "vgg_plain": "f50e539e7ca297a4331827660b3c1039",
    "vgg_plain_unshared": "e85fe0fafa53c56af2f996586daabc4a",
}


def test_the_shipped_recipes_have_the_hashes_that_their_runs_recorded():
    found = {name: load_recipe(recipe_path(name)).sha256()[:32] for name in SHIPPED}

    assert found == SHIPPED


@pytest.mark.parametrize(
    "folder", records.find_runs([COMMITTED]), ids=lambda each: f"{each.parent.name}/{each.name}"
)
def test_each_committed_run_has_the_hash_that_it_recorded(folder):
    recorded = json.loads((folder / records.RUN).read_text())["recipe_sha256"]

    run = records.read_run(folder)

    assert (run.recipe_sha256, run.recipe.sha256()) == (recorded, recorded)


@pytest.mark.parametrize(("held", "same"), [(0, True), (5000, False)])
def test_held_out_images_are_part_of_the_hash_where_there_are_any(held, same):
    recipe = load_recipe(recipe_path("resnet20"), [f"data.validation={held}"])

    assert (recipe.sha256() == RESNET20) is same


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_precision_is_no_part_of_the_hash(precision):
    recipe = load_recipe(recipe_path("resnet20"), [f"precision={precision}"])

    assert recipe.sha256() == RESNET20


@pytest.mark.parametrize(
    ("recorded", "read"), [(MIXED_RESNET20, RESNET20), ("0" * 64, "0" * 64)], ids=["old", "other"]
)
def test_a_hash_that_an_earlier_version_recorded_with_its_precision_is_read_without(recorded, read):
    run = made_run(
        "resnet20",
        load_recipe(recipe_path("resnet20"), ["precision=mixed_bfloat16"]),
        recipe_sha256=recorded,
    )

    assert run.recipe_sha256 == read


@pytest.mark.parametrize(
    ("override", "parameters"), [("model.depth=26", 0), ("data.batch_size=64", 272292)]
)
def test_a_run_of_another_network_than_its_recipes_states_no_parameters(override, parameters):
    recipe = load_recipe(recipe_path("resnet20"))
    recorded = {
        "name": "resnet20",
        "recipe": recipe.model_dump(mode="json"),
        "recipe_sha256": recipe.sha256(),
        "seed": 1,
        "budget": "1",
        "overrides": [override],
        "command": ["cifar-keras", "train"],
        "started": "2026-01-01T00:00:00+00:00",
        "provenance": {},
    }

    run = records.Run.model_validate_json(json.dumps(recorded))

    assert run.recipe.parameters == parameters
