"""The notebooks run from top to bottom, show what they are to show, and write nothing in red."""

import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="nbclient is not installed: pip install 'clearprop[notebook]'")
pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install 'clearprop[notebook]'")

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "docs/notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
FITTING = """import sys
import clearprop as cp
net = cp.Network([2, 3, 1], output="sigmoid", cost="quadratic", seed=0)
X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
history = net.fit(X, Y, epochs=40, batch_size=2, validation_data=(X, Y))
"""

pytestmark = [
    pytest.mark.slow,
    # Of Jupyter's own parts.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:zmq"),
]


def executed(book, folder):
    client = NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [cell for cell in book.cells if cell.cell_type == "code"]


def mime(cell):
    return [set(output.get("data", {})) for output in cell.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_every_cell_shows_something(name, tmp_path):
    book = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    nbformat.validate(book)
    assert all(not cell.get("outputs") for cell in book.cells), "it is kept without outputs"
    cells = executed(book, tmp_path)
    for cell in cells:
        assert cell.outputs, cell.source
        assert [each.text for each in cell.outputs if each.get("name") == "stderr"] == []
        result = cell.outputs[-1]
        if result.output_type == "execute_result" and ".plot(" in cell.source:
            assert sum("image/png" in each for each in mime(cell)) == 1, "one figure"
        elif result.output_type == "execute_result":
            assert {"text/html", "text/latex"} & set(result.data), cell.source
    shown = "".join(str(output) for cell in cells for output in cell.outputs)
    assert "Traceback" not in shown


def test_there_is_one_for_each_chapter_and_one_for_tables():
    assert len(NAMES) == 5
    text = "".join((FOLDER / f"{name}.ipynb").read_text() for name in NAMES)
    assert all(f"({chapter})" in text for chapter in ("S0", "S1", "S2", "S3"))


class Counting(NotebookClient):
    """Keeps what is drawn anew in a cell while it runs."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "update_display_data":
            self.__dict__.setdefault("drawn", []).append(msg["content"]["data"]["text/html"])
        return super().process_message(msg, cell, cell_index)


def test_it_grows_several_times_a_second_and_no_more(tmp_path):
    long = FITTING.replace("epochs=40", "epochs=10**6, time_limit=3")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(long)])
    client = Counting(book, timeout=300, kernel_name="python3")
    client.execute()
    epochs = [int(found[1]) for each in client.drawn if (found := re.search(r"epoch +(\d+)/", each))]
    assert epochs == sorted(epochs)
    assert 3 <= len(set(epochs)) <= 20
    assert all(len(each) < 30_000 for each in client.drawn)


def test_a_curve_grows_while_it_fits_and_plain_lines_stand_elsewhere(tmp_path, capfd):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FITTING)])
    (cell,) = executed(book, tmp_path)
    (curve,) = [each for each in cell.outputs if each.output_type == "display_data"]
    assert "epoch 40/40" in curve.data["text/html"]
    assert "validation cost" in curve.data["text/html"]
    assert [each.output_type for each in cell.outputs if each.get("name") == "stderr"] == []
    capfd.readouterr()
    exec(FITTING, {})  # here, which is no notebook
    out, err = capfd.readouterr()
    assert out == ""
    assert "epoch 40/40" in err
    assert "<" not in err
