"""The notebooks of examples/."""

import os
import sys
from pathlib import Path

import nbformat
import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_the_committed_outputs_are_of_one_run_from_the_top(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]

    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.slow
def test_the_notebook_runs(notebook, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    # For the commands that cells start.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    resources = {"metadata": {"path": str(tmp_path)}}

    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()

    # A command that fails ends no cell; its message is in the output.
    printed = [output.get("text", "") for cell in code_cells(notebook) for output in cell.outputs]
    assert not [text for text in printed if "error:" in text or "Traceback" in text]
