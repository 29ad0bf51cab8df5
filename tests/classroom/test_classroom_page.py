"""docs/classroom.md: its commands run in the order of the page, and grade says what it shows."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.cli import main
from students import Student

PAGE = (Path(__file__).parents[2] / "docs/classroom.md").read_text()
LINES = re.findall(r"^    clearprop (.*)$", PAGE, flags=re.MULTILINE)
COMMANDS = [
    shlex.split(line.replace("--students 30", "--students 8")) for line in LINES
]  # whose sheets are the same


def run(words, capfd):
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code, capfd.readouterr()


def handed_in(folder, worksheets):
    for worksheet in worksheets[:3]:
        answers = Student(worksheet).work().answers()
        text = "\n".join(f"{n},{answer}" for n, answer in answers.items())
        (folder / f"student-0{worksheet.number}.csv").write_text(text)


def test_the_lesson_is_given_as_it_is_planned(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    made = {
        "class": cp.worksheets(students=8),
        "first": cp.worksheets(students=8, blanks=["forward"]),
        "second": cp.worksheets(students=8, blanks=["deltas", "gradients", "update"]),
    }
    for words in COMMANDS:
        if words[0] == "grade":
            handed_in(tmp_path / words[1], made[words[1]])
        code, (out, err) = run(words, capfd)
        assert code == 0, (words, err)
        if words[0] == "grade":
            assert out.count("\n") == 6
            assert "Nothing was handed in of sheet 4, 5, " in out
    assert (tmp_path / "second.csv").read_text().count("\n") == 4
    assert len(made["first"][0].answers) == 7
    assert len(made["second"][0].answers) == 22
    for one, other in zip(made["first"], made["second"], strict=True):
        np.testing.assert_array_equal(one.net.parameters, other.net.parameters)


def test_what_is_said_of_student_7_is_what_the_page_shows(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    run(next(words for words in COMMANDS if words[-1] == "second"), capfd)
    form = re.search(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)[1]
    (tmp_path / "second/student-07.json").write_text(form)
    _, (out, err) = run(["grade", "second"], capfd)
    shown = re.search(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)[1]
    assert err == ""
    assert out.startswith(shown)


def test_every_name_of_a_mistake_on_the_page_is_one():
    package = Path(cp.__file__).parent
    source = "".join(
        path.read_text()
        for folder in ("classroom", "gradient_check")
        for path in package.glob(f"{folder}/*.py")
    )
    names = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE.partition("## Marking")[2])
    for name in set(names) - {"weight_after", "bias_after"}:
        assert f'"{name}"' in source, name
