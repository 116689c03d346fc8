"""Write into documents kept by hand, between two markers."""

from cifar_keras.errors import RunError


def marks(what: str) -> tuple[str, str]:
    """Return the lines between which `what` is written."""
    begin = f"<!-- {what}: written by `cifar-keras report --publish` -->"
    return begin, f"<!-- end of {what} -->"


def with_written(name: str, document: str, what: str, content: str) -> str:
    """Return the document `name` with `content` between the markers of `what`.

    Raises:
        RunError: it does not have both markers, once each and in order.
    """
    begin, end = marks(what)
    before, first, rest = document.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last or begin in rest or end in after:
        raise RunError(f"{name} needs a line '{begin}' and, below it, one line '{end}'")
    return f"{before}{begin}\n{content}{end}{after}"
