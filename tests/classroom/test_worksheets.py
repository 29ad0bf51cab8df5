import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import clearprop as cp
from clearprop.classroom import Worksheet, write_worksheets
from clearprop.classroom.sheet import together
from clearprop.cli import main

NUMBER = re.compile(r"(?<![\d.])−?\d+\.\d+")


def by_hand(worksheet):
    """The numbers of a step through one hidden layer, quadratic cost, in the order of the blanks."""
    (W1, W2), (b1, b2) = worksheet.net.weights, worksheet.net.biases
    x, y, eta = worksheet.trace.X[0], worksheet.trace.Y[0], worksheet.learning_rate
    f = np.tanh
    found = []
    z1 = W1 @ x + b1
    a1 = f(z1)
    z2 = W2 @ a1 + b2
    a2 = f(z2)
    for z, a in ((z1, a1), (z2, a2)):
        found += [number for pair in zip(z, a, strict=True) for number in pair]
    found.append(((a2 - y) ** 2).sum() / 2)
    found += list(a2 - y)
    d2 = (a2 - y) * (1 - a2**2)
    d1 = (W2.T @ d2) * (1 - a1**2)
    found += [*d2, *d1]
    for d, a in ((d2, a1), (d1, x)):
        found += [*np.outer(d, a).flat, *d]
    for W, b, d, a in ((W1, b1, d1, x), (W2, b2, d2, a1)):
        found += [*(W - eta * np.outer(d, a)).flat, *(b - eta * d)]
    return np.array(found)


def test_the_blanks_are_the_numbers_of_a_step_and_the_sheet_has_none_of_them():
    (worksheet,) = cp.worksheets([3, 4, 2], "tanh", seed=5)
    answers = np.array([blank.answer.value for blank in worksheet.answers])
    np.testing.assert_allclose(answers, by_hand(worksheet), rtol=1e-12)
    text = worksheet.sheet()
    assert [int(n) for n in re.findall(r"____\((\d+)\)", text)] == [*range(1, len(answers) + 1)]
    given = set(NUMBER.findall(text))
    long = {
        shown for n in answers if len(f"{abs(n):.4g}") > 5 and (shown := f"{n:#.4g}".replace("-", "−"))
    }
    assert len(long) > 20
    assert not long & given
    assert long <= set(NUMBER.findall(worksheet.key()))
    assert max(map(len, text.splitlines())) <= 100


def test_the_numbers_are_short_and_those_of_relu_stay_short():
    for worksheet in cp.worksheets([2, 3, 1], "relu", students=5):
        tenths = worksheet.net.parameters * 10
        np.testing.assert_allclose(tenths, np.round(tenths), atol=1e-12)
        assert (np.abs(tenths) < 9.5).all()
        assert (np.abs(tenths) > 0.5).all()
        assert set(np.abs(worksheet.trace.X).flat) <= {1.0, 2.0, 3.0}
        for (quantity, _, _), number in worksheet.asked.items():
            if quantity in ("z", "a", "error", "delta", "weight_gradient", "bias_gradient"):
                assert float(f"{number.value:.4g}") == number.value, quantity


def test_every_student_has_other_numbers_and_a_seed_gives_the_same_again():
    first, again, other = (cp.worksheets([2, 2, 1], students=12, seed=s) for s in (3, 3, 4))
    sheets = [each.sheet().partition("\n")[2] for each in first]
    assert len(set(sheets)) == 12
    assert sheets == [each.sheet().partition("\n")[2] for each in again]
    assert not set(sheets) & {each.sheet().partition("\n")[2] for each in other}
    fewer = cp.worksheets([2, 2, 1], students=3, seed=3)
    np.testing.assert_array_equal(fewer[2].net.parameters, first[2].net.parameters)


def test_no_neuron_is_saturated_or_dead():
    for worksheet in cp.worksheets([3, 2, 3], cost="cross_entropy", rows=2, students=6):
        layers = worksheet.trace.layers
        assert np.abs(layers[0].z).max() <= 2.5
        assert all((np.abs(layer.z) > 0.001).all() for layer in layers)
        assert len(np.unique(worksheet.trace.X, axis=0)) == 2


@pytest.mark.parametrize(
    ("blanks", "has", "has_not"),
    [
        (["forward"], ["Cost: quadratic\n  C = 1/2 × (a³₁ − y₁)² = ____"], ["Backward", "η ="]),
        (["deltas"], [" = σ(", "BP1", "δ³₁) σ′(z²₁) = ____"], ["Gradient", "Update"]),
        (["forward", "gradients"], ["a²₁ = σ(z²₁) = ____", "δ³₁ = ∂C/∂a³₁ σ′(z³₁) = "], [" × (−0", "Update"]),
        (["update"], ["η = 0.5", "w²₁₁ − η ∂C/∂w²₁₁ = ____(1)"], []),
    ],
)  # fmt: skip
def test_what_is_asked_is_blank_and_what_comes_after_is_left_out(blanks, has, has_not):
    (worksheet,) = cp.worksheets(blanks=blanks)
    text = worksheet.sheet()
    assert all(each in text for each in has)
    assert not any(each in text.partition("Input and target")[2] for each in has_not)
    # What is given with its numbers gives nothing away: it stands before the first blank.
    after = text.partition("____(1)")[2]
    assert not re.search(r"= [^_\n]*\d\.\d[^_\n]* = ", after)


@pytest.mark.parametrize("notation", ["nielsen", "jordan", "dp", "softmax-ce"])
def test_in_every_notation_a_batch_has_a_blank_for_every_number(notation):
    (worksheet,) = cp.worksheets([2, 3, 2], cost="cross_entropy", rows=2, notation=notation)
    quantities = [quantity for quantity, _, _ in worksheet.asked]
    assert quantities.count("z") == 2 * 5
    assert quantities.count("weight_after") == 12
    assert quantities.count("weight_gradient") == 12
    assert "η" in worksheet.sheet("html")


def test_a_page_needs_nothing_and_latex_is_whole():
    (worksheet,) = cp.worksheets()
    page = worksheet.sheet("html")
    assert "script-src 'none'" in page
    assert "<script" not in page
    assert page.count('class="blank"') == len(worksheet.answers)
    latex = worksheet.sheet("latex")
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\underline") == len(worksheet.answers)


def test_all_sheets_are_printed_from_one_file():
    made = cp.worksheets([2, 2, 1], students=3)
    text = together(made)
    assert text.split("\f") == [each.sheet() for each in made]
    page, keys = together(made, "html"), together(made, "html", keys=True)
    assert page.count('<article class="worksheet">') == 3
    assert (page.count(">Key<"), keys.count(">Key<")) == (0, 3)
    latex = together(made, "latex")
    assert latex.count(r"\newpage") == 2
    for once in (r"\documentclass", r"\begin{document}", r"\end{document}"):
        assert latex.count(once) == 1
    assert latex.count(r"\underline") == 3 * len(made[0].answers)
    assert latex.endswith("\\end{document}\n")


@pytest.mark.parametrize(("notation", "scale", "rows"), [("nielsen", 1.0, 1), ("dp", 2.0, 2)])
def test_a_key_says_what_the_step_did_to_the_cost(notation, scale, rows):
    (worksheet,) = cp.worksheets([2, 3, 2], "tanh", rows=rows, notation=notation, digits=6, seed=4)
    net = worksheet.net.copy()
    X, Y = worksheet.trace.X, worksheet.trace.Y
    before, gradient = net.trace(X, Y).cost, net.gradient(X, Y).flat
    net.parameters[:] -= 0.5 * gradient
    after = net.trace(X, Y).cost
    said = " ".join(worksheet.key().split())
    assert f"= {scale * after:.6g}, lower by {scale * (before - after):.6g};" in said
    assert f"added up, foretold {scale * 0.5 * gradient @ gradient:.6g}." in said
    assert "foretold" not in worksheet.sheet()
    (without,) = cp.worksheets([2, 3, 2], blanks=["deltas"])
    assert "foretold" not in without.key()


def test_what_is_said_of_a_textbook_is_on_the_key_alone():
    (worksheet,) = cp.worksheets(notation="jordan")
    assert "X8: S1 calls this" in worksheet.key()
    sheet = worksheet.sheet()
    assert "S1" not in sheet
    assert sheet.endswith("* Numbers are rounded to 4 significant digits; shorter ones are exact.\n")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path):
    made = cp.worksheets([3, 2, 2], cost="cross_entropy", rows=2, notation="dp", students=2)
    write_worksheets(made, tmp_path / "class", "latex")
    for name in ("student-01.tex", "keys/student-01.tex", "all.tex"):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-output-directory", tmp_path,
             tmp_path / "class" / name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
        wide = re.findall(r"Overfull .hbox .([\d.]+)pt", done.stdout)
        assert not [each for each in wide if float(each) > 10]


def test_keys_lie_in_a_folder_of_their_own(tmp_path, capfd):
    folder = tmp_path / "class"
    arguments = ["worksheet", "--students", "3", "--layers", "2,3,1", "--output", str(folder)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert capfd.readouterr().err.startswith("clearprop: wrote 3 sheets and forms of 40 blanks to ")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert names == sorted(
        [f"{where}student-0{n}.txt" for where in ("", "keys/") for n in (1, 2, 3)]
        + [f"student-0{n}.csv" for n in (1, 2, 3)]
        + ["keys/worksheets.json", "all.txt", "keys/all.txt"]
    )
    form = (folder / "student-02.csv").read_text().splitlines()
    assert form[0] == "blank,quantity,answer"
    assert form[1] == "1,z^2_1,"
    assert len(form) == 41
    kept = json.loads((folder / "keys/worksheets.json").read_text())
    same = cp.worksheets([2, 3, 1], students=3)[1]
    assert kept["students"][1]["parameters"] == same.net.parameters.tolist()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "must be new or empty" in capfd.readouterr().err


def test_a_folder_that_cannot_be_finished_is_not_begun(tmp_path, monkeypatch):
    made = cp.worksheets(students=2)
    monkeypatch.setattr(made[1], "form", lambda: "\ud800")  # which no file can hold
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with pytest.raises(UnicodeEncodeError):
            write_worksheets(made, tmp_path / name)
    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "empty").iterdir())
    assert len(write_worksheets(cp.worksheets(), tmp_path / "empty")) == 4


def test_a_sheet_alone_is_printed(capfd):
    with pytest.raises(SystemExit) as ended:
        main(["worksheet", "--blanks", "forward,deltas"])
    out, err = capfd.readouterr()
    assert ended.value.code == 0
    assert out == cp.worksheets(blanks=["forward", "deltas"])[0].sheet()
    assert "--output FOLDER" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--layers", "2,x,1"], "--layers must be whole numbers between commas, as 2,3,1, got '2,x,1'"),
        (["--layers", "2"], "--layers must be whole numbers between commas"),
        (["--layers", "2,5,1"], "at most 4 neurons a layer and 4 layers after the input, got 2-5-1"),
        (["--layers", "2,2,2,2,2,2"], "at most 4 neurons a layer and 4 layers after the input"),
        (["--rows", "4"], "--rows must be at most 3"),
        (["--blanks", "delta"], "--blanks must be one of forward, deltas, gradients, update, got 'delta'"),
        (["--digits", "1"], "--digits must be an integer in 2..8, got 1"),
        (["--learning-rate", "0"], "--learning-rate must be a number above 0, got 0"),
        (["--activation", "gelu"], "activation must be one of sigmoid, tanh"),
        (["--cost", "huber"], "--cost must be one of quadratic, squared_error"),
        (["--students", "0", "--output", "x"], "--students must be at least 1, got 0"),
        (["--students", "1001", "--output", "x"], "--students must be at most 1,000, got 1,001"),
        (["--students", "5"], "--students 5 needs --output FOLDER"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence(words, sentence, capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["worksheet", *words])
    err = capfd.readouterr().err
    assert ended.value.code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_network_of_ones_own():
    net = cp.Network([2, 2, 2], "relu", cost="cross_entropy", seed=0)
    worksheet = Worksheet(net, [[1.0, -2.0]], [1], blanks=["deltas"], digits=3)
    assert len(worksheet.answers) == 4
    assert "<article" in worksheet._repr_html_()
    assert repr(worksheet) == "<Worksheet 1 of 1: 2-2-2, 4 blanks>"
    with pytest.raises(ValueError, match="X must have 1 to 3 rows"):
        Worksheet(net, np.ones((4, 2)), [1, 1, 1, 1])
    with pytest.raises(ValueError, match="softmax outputs must come with cross_entropy"):
        Worksheet(cp.Network([2, 2], output="softmax", cost="quadratic"), [[1, 2]], [[0, 1]])
