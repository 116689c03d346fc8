"""YAML as recipes use it: no duplicate keys, no anchors, nothing but plain data."""

from typing import Any

import yaml

from cifar_keras.errors import RecipeError

# Written in C, ten times as fast: a report reads all recipes. PyYAML's wheels have it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise RecipeError(
                    f"key '{key}' stands twice in the section at line {line}; keep one"
                )
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """The plain data of a YAML text.

    Raises:
        RecipeError: a key stands twice in one section, or an alias is used.
        yaml.YAMLError: the text is not YAML.
    """
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _Safe)):
        raise RecipeError("anchors and aliases are not used in recipes; write the value out")
    return yaml.load(text, _Loader)


def parse_value(text: str) -> Any:
    """The value of one `KEY=VALUE` override; text that is not YAML stays text."""
    try:
        return load_yaml(text)
    except yaml.YAMLError:
        return text
