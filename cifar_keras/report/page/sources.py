"""Turn the papers and repositories in a source into links."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Only letters, digits, `_`, `.`, `-` and `/` can become part of an address.
_NAMED = re.compile(
    r"arXiv (?P<paper>\d{4}\.\d{4,5})"
    r"|(?P<repository>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<commit>[0-9a-f]{7,40})(?: (?P<file>[\w./-]+\.[a-z]+))?| README)",
    re.ASCII,
)


class Part(NamedTuple):
    """A part of a source, and its link, if any."""

    words: str
    link: str | None = None


def parts(source: str) -> Iterator[Part]:
    """Yield the parts of a source in order; papers and repositories have links."""
    end = 0
    for found in _NAMED.finditer(source):
        if source[end : found.start()]:
            yield Part(source[end : found.start()])
        yield Part(found[0], _link(found))
        end = found.end()
    if source[end:]:
        yield Part(source[end:])


def _link(found: re.Match[str]) -> str:
    if found["paper"]:
        return f"https://arxiv.org/abs/{found['paper']}"
    link = f"https://github.com/{found['repository']}"
    if found["file"]:
        return f"{link}/blob/{found['commit']}/{found['file']}"
    return f"{link}/tree/{found['commit']}" if found["commit"] else link
