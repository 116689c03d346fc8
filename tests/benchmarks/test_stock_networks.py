import keras
import pytest

from benchmarks.families import FAMILIES
from benchmarks.peers.stock import compiled
from benchmarks.peers.stock_networks import NETWORKS
from cifar_keras import layers as ours
from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.recipe import load_recipe, recipe_path

OURS = tuple(kind for kind in vars(ours).values() if isinstance(kind, type))


LARGE = ("inception_rrelu", "resnet110", "speedrun100")


@pytest.fixture(
    params=[pytest.param(each, marks=[pytest.mark.slow] * (each in LARGE)) for each in FAMILIES],
    scope="module",
)
def built(request):
    """Return a family with its network in stock Keras, at the evaluation size."""
    family = FAMILIES[request.param]
    return family, NETWORKS[family.name](family.sizes[-1], family.num_classes)


def test_there_is_a_network_of_every_family():
    assert NETWORKS.keys() == FAMILIES.keys()


def test_it_has_as_many_trainable_parameters_as_ours(built):
    family, model = built

    assert trainable_parameters(model) == load_recipe(recipe_path(family.name)).parameters


def test_its_multiply_adds_are_those_used_for_shares_of_the_limit(built):
    family, largest = built

    counted = {family.sizes[-1]: multiply_adds(largest, largest.input_shape[1:])}
    for size in family.sizes[:-1]:
        model = NETWORKS[family.name](size, family.num_classes)
        counted[size] = multiply_adds(model, (size, size, 3))
    assert counted == family.multiply_adds


def test_it_has_none_of_our_layers(built):
    _, model = built

    assert not any(isinstance(layer, OURS) for layer in model.layers)
    assert isinstance(model.layers[0], keras.layers.InputLayer)


def test_a_policy_applies_only_to_the_network():
    model = compiled(FAMILIES["resnet20"], 32, "mixed_bfloat16")

    assert {layer.compute_dtype for layer in model.layers} == {"bfloat16"}
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert keras.mixed_precision.dtype_policy().name == "float32"
