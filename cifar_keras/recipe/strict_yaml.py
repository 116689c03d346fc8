"""The strict subset of YAML that recipes use.

Numbers are decimal; dates, times such as 1:30:00, octal and hexadecimal numbers are text. Tags,
anchors, merges and duplicate keys are not allowed.
"""

import re
from collections import Counter
from collections.abc import Hashable
from typing import Any, ClassVar

import yaml

from cifar_keras.errors import RecipeError
from cifar_keras.recipe.wording import short

# The C loader is ten times as fast, which matters for reports; PyYAML's wheels include it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Deeper than any recipe, and far below the recursion limit.
_DEEPEST = 20
# Longer integers are text: recipes have none, and Python refuses thousands of digits.
_INT = r"[-+]?(0|[1-9][0-9]{0,19})$"
_FLOAT = r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
_BOOL = r"(yes|no|true|false|on|off)$"
_NULL = r"(~|null|Null|NULL|)$"


class _Loader(_Safe):
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        # The loader itself refuses keys that are lists or sections.
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        counts = Counter(key for key in keys if isinstance(key, Hashable))
        for key in [key for key, count in counts.items() if count > 1]:
            line = node.start_mark.line + 1
            raise RecipeError(f"key {short(key)} is in the section at line {line} twice; keep one")
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    sections = any(isinstance(each, dict) for each in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=not sections)


_Dumper.add_representer(list, _list)


for _kind, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", f"(?i:{_BOOL})", list("yYnNtTfFoO")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+0123456789.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)


def load_yaml(text: str) -> Any:
    """Return the data in a YAML text.

    Raises:
        RecipeError: a section has a key twice, or the text has tags, aliases or deep nesting.
        yaml.YAMLError: the text is not YAML.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RecipeError(f"{short(text)} has bytes that are not UTF-8; remove them") from None
    depth = 0
    for event in yaml.parse(text, _Safe):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError("anchors and aliases are not allowed in recipes; write the value out")
        if tag := getattr(event, "tag", None):
            raise RecipeError(f"tags are not allowed in recipes; remove {short(tag)}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecipeError(f"more than {_DEEPEST} levels of nesting; use fewer")
    return yaml.load(text, _Loader)


def dump_yaml(tree: Any) -> str:
    """Return plain data as a YAML text that `load_yaml` reads again."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=98)


def parse_value(text: str) -> Any:
    """Return the value of a `KEY=VALUE` override; text that is not YAML stays text.

    Raises:
        RecipeError: as `load_yaml`.
    """
    try:
        return load_yaml(text)
    except yaml.YAMLError:
        return text
