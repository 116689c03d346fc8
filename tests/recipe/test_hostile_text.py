"""Whatever the text of a recipe or of an override, it is a recipe or one short line an error."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import flat, load_recipe, recipe_names, recipe_path
from cifar_keras.recipe.strict_yaml import load_yaml
from tests.hostile import tree, within

ROOT = recipe_path("resnet20")
# The place of the text, and texts that once ended in a traceback, a hang, or a misreading.
HOSTILE = [
    "!!int foo",
    "!!bool foo",
    "!!float foo",
    "!!timestamp x",
    "!!binary x",
    "!!set {a, b}",
    "!!python/object/apply:os.getcwd []",
    "!local x",
    "2020-02-30",
    "2020-02-28",
    "9" * 5000,
    "-" + "9" * 5000,
    "0x" + "f" * 5000,
    "1.0e+" + "9" * 5000,
    "1:30:00",
    "1:30.5",
    "1_000",
    "0o17",
    "017",
    "=",
    "<<",
    ".inf",
    ".nan",
    "1.0e+400",
    "true",
    "~",
    "[" * 2000 + "]" * 2000,
    "{a: " * 2000 + "1" + "}" * 2000,
    "{[1, 2]: 3}",
    "{{a: 1}: 3}",
    "{1: 2, ~: 3}",
    "&a 1",
    "\ud800",
    "x" * 10_000,
    "{" + "k" * 10_000 + ": 1}",
]
MARKS = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "? ",
    "'",
    '"',
    "|",
    "#",
    "\t",
    "\n",
    "  ",
    "\x00",
    "@",
    "%",
]
LINES = ["1: 2\n", "~: 1\n", "base: resnet20\n", "base: x.yaml\n", f"base: {'9' * 5000}\n", "---\n"]
KEYS = ["data.batch_size", "model.depth", "label_smoothing", "lookahead", "stages"]


def refusal(path, overrides=()):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 25
    assert all(0 < len(line) <= 700 for line in lines)
    return lines


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_a_file_with_it_is_refused(tmp_path, text):
    path = tmp_path / "hostile.yaml"
    old = ROOT.read_text()
    assert "  batch_size: 128\n" in old
    new = old.replace("  batch_size: 128\n", f"  batch_size: {text}\n")
    path.write_bytes(new.encode(errors="surrogatepass"))

    lines = refusal(path)

    assert all(line.startswith("hostile.yaml: ") for line in lines)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_an_override_with_it_is_refused(text):
    refusal(ROOT, [f"data.batch_size={text}"])


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_at_any_place_it_is_a_value_or_refused(key, text):
    try:
        load_recipe(ROOT, [f"{key}={text}"])
    except RecipeError:
        refusal(ROOT, [f"{key}={text}"])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"title: \x80\n", b"a: \x07\n", b"\x00", b""])
def test_bytes_that_are_no_text_are_refused(tmp_path, content):
    path = tmp_path / "bytes.yaml"
    path.write_bytes(content)

    (line,) = refusal(path)

    assert line.startswith("bytes.yaml: ")


def test_a_file_too_large_for_a_recipe_is_not_parsed(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("a: 1\n" * 1_000_000)

    assert refusal(path) == ["large.yaml: has 5,000,000 bytes; a recipe has at most 100,000"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("0.5", 0.5),
        ("-.5", -0.5),
        ("-.inf", float("-inf")),
        ("1.0e-4", 1e-4),
        ("true", True),
        ("off", False),
        ("null", None),
        ("~", None),
        ("word", "word"),
        ("'12'", "12"),
        ("1:30:00", "1:30:00"),
        ("2020-02-28", "2020-02-28"),
        ("017", "017"),
        ("0x1f", "0x1f"),
        ("[1, a, 0.5]", [1, "a", 0.5]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_plain_data_are_read_as_they_look(text, value):
    found = load_yaml(text)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("stages.0.epochs=1.0e+8", "key 'stages.0.epochs' = 100000000.0: "),
        ("stages.0.epochs=100001", "key 'stages.0.epochs' = 100001: "),
        ("model.depth=5000000", "key 'model.depth' = 5000000: "),
        ("model.depth=10001", "key 'model' = {"),
        ("model.bn_momentum=2000000", "key 'model.bn_momentum' = 2000000: "),
        ("model.bn_momentum=.inf", "key 'model.bn_momentum' = inf: "),
        (f"model.bn_momentum={[1] * 1000}", "key 'model.bn_momentum' = [1, 1, "),
        ("model.bn_momentum={a: 1}", "key 'model.bn_momentum' = {'a': 1}: "),
        ("data.batch_size=1000000000", "key 'data.batch_size' = 1000000000: "),
        ("data.batch_size=10000000000000000000", "key 'data.batch_size' = 1000000000000000"),
        ("lookahead={every: 10000000000, decay: 0.5, power: 1}", "key 'lookahead.every' = "),
        ("parameters=10000000000000000000", "key 'parameters' = 10000000000000000000: "),
        (
            f"stages=[{'{epochs: 1, schedule: {kind: constant, learning_rate: 1}}, ' * 5000}]",
            "key 'stages' = [{'epochs': 1, 'schedule': ",
        ),
    ],
)
def test_what_no_machine_can_carry_out_is_refused(override, told):
    (line,) = refusal(ROOT, [override])

    assert line.startswith(f"resnet20.yaml: {told}")
    assert "than" in line or "up to" in line or "at most" in line or "must be" in line


def test_stages_that_are_too_long_together_are_refused(tmp_path):
    stage = "{epochs: 99999, start: %s, frozen: [], schedule: {kind: constant, learning_rate: 1}}"
    stages = f"[{stage % 'scratch'}, {stage % '{stage: 1, epoch: 1}'}]"

    assert refusal(ROOT, [f"stages={stages}"]) == [
        "resnet20.yaml: the stages have 199998 epochs together; at most 100000"
    ]


def test_of_thousands_of_mistakes_the_first_are_told(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text(ROOT.read_text() + "".join(f"key{i}: 1\n" for i in range(5000)))

    lines = refusal(path)

    assert lines[-1] == "many.yaml: and 4,980 more"
    assert len(lines) == 21


PIECES = st.sampled_from([*HOSTILE, ":", "\n", "  ", "- ", "base: resnet20", "stages: []"])
VALUES = PIECES | st.text(max_size=8) | st.floats().map(str) | st.integers().map(str)
PLACES = sorted(
    {key for name in recipe_names() for key in flat(load_recipe(recipe_path(name)).model_dump())}
)


def recipe_or_refusal(path, overrides=()):
    with within():
        try:
            load_recipe(path, overrides)
        except RecipeError as error:
            lines = str(error).splitlines()
            assert len(lines) <= 25
            assert all(line.isprintable() and len(line) <= 600 for line in lines), lines


@st.composite
def texts(draw):
    """A shipped recipe's text, some of its words or lines replaced."""
    text = recipe_path(draw(st.sampled_from(["resnet20", "inception_rrelu", "demo"]))).read_text()
    between = draw(st.sampled_from(["\n", " "]))
    words = text.split(between)
    for _ in range(draw(st.integers(1, 4))):
        words[draw(st.integers(0, len(words) - 1))] = draw(VALUES)
    return between.join(words)


@pytest.mark.fuzz
@given(content=texts().map(lambda text: text.encode(errors="surrogatepass")) | st.binary())
def test_any_text_is_a_recipe_or_refused(tmp_path, content):
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content)
    before = tree(tmp_path)

    recipe_or_refusal(path)

    assert tree(tmp_path) == before


@pytest.mark.fuzz
@given(
    overrides=st.lists(
        st.tuples(st.sampled_from(PLACES) | PIECES | st.text(max_size=8), VALUES).map("=".join)
        | st.text(max_size=8),
        max_size=3,
    )
)
# The validator repeats the name, which a terminal would obey.
@example(overrides=["optimizer.name=\x1b"])
def test_any_override_is_a_value_or_refused(overrides):
    recipe_or_refusal(ROOT, overrides)
