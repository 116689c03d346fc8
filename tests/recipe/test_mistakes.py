"""Each mistake of a recipe is one line, with the keys of the section that it is in."""

import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import load_recipe, recipe_path

GROUPS = "optimizer.groups=[{variables: a, rate: 1, weight_decay: 0, schedule: %s}]"
STAGES = "stages=[{epochs: 1, start: scratch, frozen: [], schedule: %s}]"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            GROUPS % "{kind: linear, epoch: 3}",
            [
                "key 'optimizer.groups.0.schedule.epochs' is missing; add it",
                "unknown key 'optimizer.groups.0.schedule.epoch' = 3; did you mean 'epochs'?",
            ],
        ),
        (
            GROUPS % "{kind: inverse, gamma: 1, power: 1, slope: 3}",
            [
                "unknown key 'optimizer.groups.0.schedule.slope' = 3; "
                "known here: gamma, kind, power",
            ],
        ),
        (
            STAGES % "{kind: linear, learning_rate: 1, knots: [[0, 1], [1, 0]], knot: 1}",
            ["unknown key 'stages.0.schedule.knot' = 1; known here: kind, knots, learning_rate"],
        ),
        (
            "lookahead={evry: 5, decay: 0.95, power: 3}",
            [
                "key 'lookahead.every' is missing; add it",
                "unknown key 'lookahead.evry' = 5; did you mean 'every'?",
            ],
        ),
        (
            "initial_weights={url: x, md: y}",
            [
                "key 'initial_weights.md5' is missing; add it",
                "unknown key 'initial_weights.md' = 'y'; did you mean 'md5'?",
            ],
        ),
        (
            "reference.spread={mean: null, deviation: 1, source: x, band: 1}",
            [
                "unknown key 'reference.spread.band' = 1; known here: deviation, mean, source",
            ],
        ),
        (
            "data.validation=-1",
            ["key 'data.validation' = -1: Input should be greater than or equal to 0"],
        ),
        (
            "lookahead=3",
            [
                "key 'lookahead' = 3: Input should be 'none' or: "
                "Input should be a valid dictionary or instance of Lookahead",
            ],
        ),
        (
            "data.batch_size='64'",
            ["key 'data.batch_size' = '64': '64' is text to YAML; write 64"],
        ),
    ],
)
def test_a_mistake_is_told_in_the_words_of_its_section(override, told):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_path("resnet20"), [override])

    assert sorted(str(caught.value).splitlines()) == [f"resnet20.yaml: {line}" for line in told]
