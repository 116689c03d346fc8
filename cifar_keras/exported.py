"""Tell earlier exports from a user's own files, which are never removed."""

import json
import re
import zipfile
from pathlib import Path

_KERAS = {"metadata.json", "config.json", "model.weights.h5"}
_SAVED_MODEL = re.compile(
    r"saved_model\.pb|fingerprint\.pb|assets|variables"
    r"|variables/variables\.(index|data-\d{5}-of-\d{5})"
)
# ONNX has no magic number, but the name of the writer is among the first bytes.
_ONNX_WRITER, _ONNX_HEAD = b"tf2onnx", 64
# Keys of the JSON file next to an export.
_FACTS, _LARGEST_FACTS = {"recipe_sha256", "weights_sha256", "class_names"}, 2**20


def why_foreign(kind: str, path: Path) -> str | None:
    """Return why `path` is not an earlier export, or None if it is one.

    Args:
        kind: "keras", "savedmodel" or "onnx", or "facts" for the JSON file next to them.
        path: an existing file or folder.
    """
    if kind == "savedmodel" and (path / "saved_model.pb").is_file() and not path.is_symlink():
        return _foreign_part(path)
    known = {"keras": _is_keras, "onnx": _is_onnx, "facts": _is_facts}.get(kind)
    try:
        if known and path.is_file() and not path.is_symlink() and known(path):
            return None
    # Damaged files raise almost any exception.
    except Exception:
        pass
    return f"is not {'the JSON file of an' if kind == 'facts' else f'a {kind}'} export"


def _foreign_part(folder: Path) -> str | None:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not _SAVED_MODEL.fullmatch(name):
            return f"holds '{name}', which no export writes"
    return None


def _is_keras(path: Path) -> bool:
    with zipfile.ZipFile(path) as packed:
        return set(packed.namelist()) == _KERAS


def _is_onnx(path: Path) -> bool:
    with path.open("rb") as file:
        return _ONNX_WRITER in file.read(_ONNX_HEAD)


def _is_facts(path: Path) -> bool:
    if path.stat().st_size > _LARGEST_FACTS:
        return False
    facts = json.loads(path.read_bytes())
    return isinstance(facts, dict) and facts.keys() >= _FACTS
