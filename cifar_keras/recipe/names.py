"""Names that folders, files and web pages are made from."""

import re

# No separator, nothing hidden, no option of a command, no markup; short enough for a file's name.
PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
RULE = "up to 100 letters, digits, '_', '.' and '-', not starting with '.' or '-'"


def is_name(text: str) -> bool:
    """Return whether `text` is safe as a part of a path and of a page."""
    return re.fullmatch(PATTERN, text) is not None
