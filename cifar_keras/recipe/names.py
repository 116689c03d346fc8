"""Names that are safe in folders, files and web pages."""

import re

# No separators, hidden files, options or markup, and short enough for a file name.
PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
RULE = "up to 100 letters, digits, '_', '.' and '-', not starting with '.' or '-'"


def is_name(text: str) -> bool:
    """Return whether `text` is safe as part of a path or a page."""
    return re.fullmatch(PATTERN, text) is not None
