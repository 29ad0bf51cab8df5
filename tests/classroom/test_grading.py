import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

import clearprop as cp
from clearprop.classroom import write_worksheets
from clearprop.cli import main
from students import SLOPE, F, Student


def spread(s, delta):
    return delta * SLOPE[s.f[0]](s["z", 1])


# What each student does otherwise, and what it is called.
WRONG = {
    "no_bias": (("z", 1), lambda s, right: right - s.b[0]),
    "transposed_weights": (("z", 1), lambda s, right: s.x @ s.W[0].reshape(2, 3) + s.b[0]),
    "missing_term": (("z", 2), lambda s, right: right - s["a", 1][:, :1] * s.W[1][:, 0]),
    "missing_activation": (("a", 1), lambda s, right: s["z", 1]),
    "another_activation": (("a", 1), lambda s, right: F["tanh"](s["z", 1])),
    "slope_for_activation": (("a", 1), lambda s, right: SLOPE[s.f[0]](s["z", 1])),
    "sum_for_mean": (("cost", 0), lambda s, right: 2 * right),
    "sign": (("error", 2), lambda s, right: -right),
    "missing_slope": (("delta", 1), lambda s, right: s["delta", 2] @ s.W[1]),
    "slope_at_activation": (("delta", 1), lambda s, right: s["delta", 2] @ s.W[1] * SLOPE[s.f[0]](s["a", 1])),
    "slope_twice": (("delta", 2), lambda s, right: right * SLOPE[s.f[1]](s["z", 2])),
    "error_dropped": (("delta", 2), lambda s, right: SLOPE[s.f[1]](s["z", 2])),
    "early_update": (
        ("delta", 1),
        lambda s, right: spread(s, s["delta", 2] @ (s.W[1] - 0.5 * s["delta", 2].T @ s["a", 1] / 2)),
    ),
    "missing_weights": (("delta", 1), lambda s, right: spread(s, s["delta", 2].sum(axis=1)[:, None])),
    "missing_input": (
        ("weight_gradient", 1),
        lambda s, right: np.broadcast_to(s["delta", 1].mean(axis=0)[:, None], right.shape),
    ),
    "one_sample": (("weight_gradient", 2), lambda s, right: np.outer(s["delta", 2][1], s["a", 1][1])),
    "wrong_input": (("weight_gradient", 2), lambda s, right: s["delta", 2].T @ s["z", 1] / 2),
    "learning_rate": (("weight_after", 1), lambda s, right: s.W[0] - s["weight_gradient", 1]),
    "update": (("bias_after", 1), lambda s, right: 0.5 * s["bias_gradient", 1]),
}  # fmt: skip


@pytest.fixture(scope="module")
def sheets():
    return cp.worksheets([2, 3, 2], rows=2, students=6, seed=2)


@pytest.mark.parametrize(
    "settings", [([2, 2, 1], "sigmoid", 1), ([3, 4, 2], "tanh", 3), ([2, 3, 2], "relu", 2)]
)
def test_whoever_rounds_as_asked_or_not_at_all_has_all_points(settings):
    layers, activation, rows = settings
    for worksheet in cp.worksheets(layers, activation, rows=rows, students=5, seed=7):
        for digits in (4, 9):
            marked = worksheet.mark(Student(worksheet, digits=digits).work().answers())
            assert marked.points == marked.count("right") == len(marked.marks), str(marked)
            assert marked.mistakes == ()


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_has_its_name_and_its_consequences_are_not_counted_again(name, sheets):
    place, done = WRONG[name]
    for worksheet in sheets[:3]:
        marked = worksheet.mark(Student(worksheet, {place: done}).work().answers())
        assert [mistake.name for mistake in marked.mistakes] == [name], str(marked)
        wrong = {mark.blank for mark in marked.marks if mark.verdict == "wrong"}
        asked = {n for n, key in enumerate(worksheet.asked, 1) if key[:2] == place}
        assert wrong == set(marked.mistakes[0].blanks) <= asked
        assert marked.points == len(marked.marks) - len(wrong)
        assert marked.count("carried") > 0 or place[0] in ("cost", "weight_after", "bias_after")


def test_two_mistakes_are_two_and_those_after_them_are_carried(sheets):
    wrong = dict([WRONG["no_bias"], WRONG["missing_input"]])
    marked = sheets[0].mark(Student(sheets[0], wrong).work().answers())
    assert [mistake.name for mistake in marked.mistakes] == ["no_bias", "missing_input"]
    assert "the bias is left out of z in layer 2" in str(marked)
    assert "after an earlier mistake" in str(marked)


def test_slips_of_single_numbers(sheets):
    worksheet = sheets[1]
    right = Student(worksheet).work().answers()
    for change, name in (
        (lambda x: -x, "sign"),
        (lambda x: x * 10, "decimal_point"),
        (lambda x: x * 1.006, "rounding"),
        (lambda x: x + 3.7, "arithmetic"),
    ):
        marked = worksheet.mark(right | {6: change(right[6])})
        assert [mistake.name for mistake in marked.mistakes] == [name], str(marked)
        assert marked.mistakes[0].blanks == (6,)
    swapped = next(
        (n, float(text[:-2] + text[-1] + text[-2]))
        for n, text in ((n, f"{x:.4g}") for n, x in right.items() if 0.1 < abs(x) < 1)
        if len(text.lstrip("-")) == 6 and abs(int(text[-1]) - int(text[-2])) > 3
    )
    (mistake,) = worksheet.mark(right | dict([swapped])).mistakes
    assert mistake.name in ("digits_exchanged", "rounding")


def test_too_few_digits_are_named_so_and_not_a_slip_that_comes_to_the_right_number():
    names = set()
    for worksheet in cp.worksheets([2, 2, 1], students=6):
        marked = worksheet.mark(Student(worksheet, digits=3).work().answers())
        names |= {mistake.name for mistake in marked.mistakes}
    assert names == {"rounding"}


def test_what_is_not_answered_is_open_and_the_rest_goes_on_from_what_is_meant(sheets):
    worksheet = sheets[2]
    answers = Student(worksheet).work().answers()
    left = {n: answers[n] for n in answers if n % 3}
    marked = worksheet.mark(left)
    assert marked.count("open") == len(answers) - len(left)
    assert marked.points == len(left)
    assert "not answered" in str(marked)


@pytest.mark.parametrize("notation", ["jordan", "dp", "softmax-ce"])
def test_marks_are_in_the_notation_of_the_sheet(notation):
    (worksheet,) = cp.worksheets([2, 3, 3], cost="cross_entropy", rows=2, notation=notation, seed=1)
    right = {n: blank.answer.value for n, blank in enumerate(worksheet.answers, start=1)}
    assert worksheet.mark(right).count("right") == len(right)
    first = next(n for n, key in enumerate(worksheet.asked, 1) if key[0] == "delta")
    marked = worksheet.mark(right | {first: -right[first]})
    assert marked.mistakes[0].name == "sign"
    assert marked.mistakes[0].blanks == (first,)


def test_nothing_that_is_written_stops_the_marking(sheets):
    rng = np.random.default_rng(0)
    worksheet = cp.worksheets([2, 2, 3], "tanh", cost="cross_entropy", rows=2)[0]
    for scale in (0.0, 1e-300, 1.0, 1e300):
        for sheet in (worksheet, sheets[0]):
            numbers = scale * rng.normal(size=len(sheet.answers))
            marked = sheet.mark(dict(enumerate(numbers, start=1)))
            assert len(marked.marks) == len(numbers)
            assert {n for made in marked.mistakes for n in made.blanks} == {
                mark.blank for mark in marked.marks if mark.verdict == "wrong"
            }


# What is handed in


@pytest.fixture(scope="module")
def handed_out(sheets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed out") / "class"
    write_worksheets(sheets, folder)
    return folder


@pytest.fixture
def folder(tmp_path, handed_out):
    return shutil.copytree(handed_out, tmp_path / "class")


def hand_in(folder, sheets, number, ending, wrong=()):
    student = Student(sheets[number - 1], wrong).work()
    path = folder / f"student-0{number}{ending}"
    answers = student.answers()
    if ending == ".csv":
        lines = (folder / f"student-0{number}.csv").read_text().splitlines()
        path.write_text(
            "\n".join([lines[0], *(line + str(answers[n]) for n, line in enumerate(lines[1:], 1))])
        )
    elif ending == ".json":
        path.write_text(json.dumps(answers))
    else:
        named = {
            f"layers.{layer - 1}.{quantity}": array
            for (quantity, layer), array in student.v.items()
            if layer
        }
        np.savez(path, cost=student["cost", 0], sample_costs=student["sample_cost", 0], **named)
    return path


def test_three_formats_give_the_same_marks(folder, sheets):
    for number, ending in enumerate((".csv", ".json", ".npz"), start=1):
        hand_in(folder, sheets, number, ending, dict([WRONG["missing_slope"]]))
    (folder / "student-04.csv").unlink()
    with (folder / "student-05.csv").open("a") as form:
        form.write("\n")
    grades = cp.grade(folder)
    assert [each.number for each in grades.marked.values()] == [1, 2, 3, 5]
    assert list(grades.marked)[:3] == ["student-01.csv", "student-02.json", "student-03.npz"]
    assert all(each.mistakes[0].name == "missing_slope" for each in list(grades.marked.values())[:3])
    assert grades.mistakes == {"missing_slope": 3}
    assert grades.missing == (4, 6)
    assert grades.marked["student-05.csv"].count("open") == len(sheets[4].answers)


def test_the_shell_marks_a_class(folder, sheets, capfd, tmp_path):
    handed = tmp_path / "handed in"
    handed.mkdir()
    hand_in(folder, sheets, 1, ".csv").rename(handed / "Ada_student-01 (1).csv")
    hand_in(folder, sheets, 2, ".json", dict([WRONG["no_bias"]])).rename(handed / "Bo_student-02.json")
    marks = tmp_path / "marks.csv"
    command = ["grade", str(handed), "--keys", str(folder / "keys"), "--output", str(marks)]
    with pytest.raises(SystemExit) as ended:
        main(command)
    out, err = capfd.readouterr()
    assert (ended.value.code, err) == (0, f"clearprop: wrote {marks}\n")
    assert "    1  no_bias" in out
    assert "Nothing was handed in of sheet 3, 4, 5, 6" in out
    n = len(sheets[0].answers)
    rows = marks.read_text().splitlines()
    assert rows[1] == f"1,Ada_student-01 (1).csv,{n},{n},{n},0,0,0,"
    assert rows[2].endswith("no_bias")
    with pytest.raises(SystemExit) as ended:
        main([*command[:4], "--json"])
    found = json.loads(capfd.readouterr().out)
    assert found["students"][1]["mistakes"][0]["name"] == "no_bias"
    assert found["students"][0]["points"] == found["students"][0]["of"] == n
    marks.write_text("something else,1\n")
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "holds no marks" in capfd.readouterr().err
    assert marks.read_text() == "something else,1\n"


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/never-written-by-clearprop-tests", "w"))


def npz(path, **arrays):
    np.savez(path, **arrays)


BAD = [
    ("3.json", lambda p: p.write_text("{"), "student-03.json must be JSON: "),
    ("3.json", lambda p: p.write_text('{"1": 0.5, "1": 0.5}'), "every name must stand once, got '1' twice"),
    ("3.json", lambda p: p.write_text('{"99": 0.5}'), "student-03.json: sheet 3 has the blanks 1 to 71, not 99"),
    ("3.json", lambda p: p.write_text('{"4": "a half"}'), "student-03.json: blank 4 must be a number, got 'a half'"),
    ("3.json", lambda p: p.write_text('{"4": true}'), "student-03.json: blank 4 must be a number, got 'True'"),
    ("3.json", lambda p: p.write_text('{"4": 1e999}'), "student-03.json must be JSON: every number must be finite"),
    ("3.json", lambda p: p.write_text('{"4": 1' + "0" * 400 + "}"), "blank 4 must be a finite number, got 1000"),
    ("3.json", lambda p: p.write_text("[" * 100000), "student-03.json must be JSON: it must be nested"),
    ("3.json", lambda p: p.write_text('{"layers.0.q": [1]}'), "student-03.json: there is no blank or array 'layers.0.q'"),
    ("3.json", lambda p: p.write_text('{"layers.0.z": [1, 2, 3]}'), "layers.0.z must have the shape (2, 3), got (3,)"),
    ("3.json", lambda p: p.write_text('{"layers.0.z": [[1, 2, 3], [1]]}'), "layers.0.z[0] must be a number, got '[1, 2, 3]'"),
    ("3.json", lambda p: p.write_text('{"1": 1, "layers.0.z": [[1, 2, 3], [1, 2, 3]]}'), "blank 1 must be given once"),
    ("3.csv", lambda p: p.write_text("blank,quantity,answer\n1,z,0,35\n"), "student-03.csv, line 2: blank 1 must have one answer, got '0,35'"),
    ("3.csv", lambda p: p.write_text("1,z,=1+1\n"), "student-03.csv, line 1: blank 1 must be a number, got '=1+1'"),
    ("3.csv", lambda p: p.write_text("z,1\n"), "student-03.csv, line 1 must begin with the number of a blank, got 'z'"),
    ("3.csv", lambda p: p.write_text("1,z,1\n1,z,2\n"), "student-03.csv, line 2: blank 1 must be given once"),
    ("3.csv", lambda p: p.write_bytes(b"1,z,\xff"), "student-03.csv must be text in UTF-8, byte 4 is none"),
    ("3.csv", lambda p: p.write_text("1,z,0.5\n" * 200_000), "student-03.csv must have at most 1,048,576 bytes"),
    ("3.npz", lambda p: p.write_bytes(b"PK no archive"), "student-03.npz could not be read as NPZ"),
    ("3.npz", lambda p: npz(p, **{"1": np.array(Evil(), dtype=object)}), "must be numbers, booleans or text"),
    ("3.npz", lambda p: npz(p, **{"1": np.array("0.5")}), "student-03.npz: blank 1 must be a number, got '0.5'"),
    ("3.npz", lambda p: npz(p, **{"1": np.array(np.inf)}), "student-03.npz: blank 1 must be a finite number, got inf"),
    ("3.npz", lambda p: np.savez_compressed(p, a=np.zeros(10**7)), "student-03.npz must hold at most 1,048,576 bytes"),
    ("7.csv", lambda p: p.write_text("1,z,1\n"), "student-07.csv must be named after a sheet, student-1 to student-6"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "sentence"), BAD)
def test_a_bad_file_is_said_in_one_sentence_and_the_others_are_marked(
    name, write, sentence, folder, sheets, capfd
):
    hand_in(folder, sheets, 2, ".json")
    if "7" not in name:
        (folder / "student-03.csv").unlink()
    write(folder / f"student-0{name}")
    with pytest.raises(SystemExit) as ended:
        main(["grade", str(folder)])
    out, err = capfd.readouterr()
    assert ended.value.code == 1
    assert sentence in err
    assert err.count("\n") == 1
    assert "71/71" in out


def test_pickles_and_programs_are_not_looked_at(folder, sheets):
    hand_in(folder, sheets, 1, ".json")
    (folder / "student-02.py").write_text("raise SystemExit")
    (folder / "student-02.pkl").write_bytes(pickle.dumps(1))
    with zipfile.ZipFile(folder / "student-03.npz", "w") as archive:
        archive.writestr("evil.py", "raise SystemExit")
    (folder / "student-03.csv").unlink()
    grades = cp.grade(folder)
    assert grades.refused == ("student-03.npz must hold NumPy arrays alone, got also 'evil.py'",)


def test_two_files_of_one_sheet_are_refused_and_an_empty_form_is_none(folder, sheets):
    hand_in(folder, sheets, 1, ".json")  # beside the form that was handed out
    hand_in(folder, sheets, 2, ".json")
    hand_in(folder, sheets, 2, ".npz")
    grades = cp.grade(folder)
    assert grades.marked["student-01.json"].points == 71
    assert grades.refused == (
        "student-02.json and student-02.npz are of one sheet, student-02: one of them is meant",
    )


@pytest.mark.parametrize("decimals", ["point", "comma"])
def test_a_spreadsheet_may_write_semicolons_and_commas(decimals, folder, sheets):
    answers = Student(sheets[0]).work().answers()
    lines = [f"{n};z;{answer}" for n, answer in answers.items()]
    text = "blank;quantity;answer\n" + "\n".join(lines)
    path = folder / "student-01.csv"
    path.write_text("\ufeff" + (text.replace(".", ",") if decimals == "comma" else text))
    assert cp.grade(folder).marked["student-01.csv"].points == 71


def test_a_spreadsheet_of_semicolons_may_keep_the_forms_line_in_one_cell(folder, sheets):
    answers = Student(sheets[0]).work().answers()
    form = (folder / "student-01.csv").read_text().splitlines()
    lines = [f"{line};{answers[n]}".replace(".", ",") for n, line in enumerate(form[1:], 1)]
    (folder / "student-01.csv").write_text("\n".join([form[0] + ";", *lines]))
    assert cp.grade(folder).marked["student-01.csv"].points == 71


def test_names_may_be_written_large_and_a_spreadsheets_own_file_is_said(folder, sheets, capfd):
    hand_in(folder, sheets, 2, ".json").rename(folder / "Student-02.JSON")
    (folder / "student-03.xlsx").write_bytes(b"PK")
    with pytest.raises(SystemExit) as ended:
        main(["grade", str(folder)])
    out, err = capfd.readouterr()
    assert "    2      71        0      0     0   71/71" in out
    assert (
        err
        == "clearprop: student-03.xlsx must be saved as CSV: a spreadsheet's own files are not read\n"
    )
    assert ended.value.code == 1


def test_forms_that_are_all_empty_are_said_to_be(folder, capfd):
    with pytest.raises(SystemExit) as ended:
        main(["grade", str(folder)])
    assert (ended.value.code, capfd.readouterr().out) == (
        0, "No answers yet: of 6 sheets, no form is filled in\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda kept: kept.pop("sizes"), "must have sizes, as clearprop worksheet writes it"),
        (lambda kept: kept.update(format="worksheets/9"), "must be of the format worksheets/1, got 'worksheets/9'"),
        (lambda kept: kept["students"][1]["parameters"].pop(), "parameters must be 17 finite numbers"),
        (lambda kept: kept["students"][1].pop("x"), "must hold exercises that worksheet has written: 'x'"),
        (lambda kept: kept.update(sizes=[2, 10**9, 2]), "must hold exercises that worksheet has written"),
        (lambda kept: kept.update(activations=["sigmoid"]), "must hold exercises that worksheet has written"),
    ],
)  # fmt: skip
def test_keys_that_are_not_ours_are_refused(change, sentence, folder):
    path = folder / "keys/worksheets.json"
    kept = json.loads(path.read_text())
    change(kept)
    path.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match=sentence):
        cp.grade(folder)


def test_where_there_is_nothing_to_grade_it_is_said(folder, tmp_path):
    with pytest.raises(NotADirectoryError, match="folder must be one of filled forms"):
        cp.grade(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"worksheets\.json"):
        cp.grade(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"folder must have files such as student-01\.csv"):
        cp.grade(tmp_path / "empty", folder / "keys")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "activation", "rows", "digits"),
    [
        ([2, 2, 1], "sigmoid", 1, 4),
        ([2, 2, 1], "sigmoid", 1, 3),
        ([2, 2, 1], "tanh", 1, 4),
        ([3, 4, 2], "tanh", 3, 4),
        ([2, 3, 2], "relu", 2, 4),
        ([4, 4, 4, 2], "sigmoid", 1, 4),
    ],
)
def test_of_a_hundred_students_nobody_is_accused_for_rounding(layers, activation, rows, digits):
    for worksheet in cp.worksheets(layers, activation, rows=rows, students=100, seed=11, digits=digits):
        for kept in (digits, digits + 1, 9):
            marked = worksheet.mark(Student(worksheet, digits=kept).work().answers())
            assert marked.points == len(marked.marks), str(marked)


@pytest.mark.slow
def test_of_a_hundred_students_each_mistake_is_named():
    for worksheet in cp.worksheets([2, 3, 2], rows=2, students=100, seed=5):
        for name, (place, done) in WRONG.items():
            marked = worksheet.mark(Student(worksheet, {place: done}).work().answers())
            assert [mistake.name for mistake in marked.mistakes] == [name], str(marked)
