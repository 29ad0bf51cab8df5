"""`explore` and ``clearprop explore``: what they write, open, show and refuse."""

import json
import re
import webbrowser

import numpy as np
import pyarrow as pa
import pytest

import clearprop as cp

NET = cp.Network([4, 5, 3], "tanh", seed=0)
X, Y = np.random.default_rng(0).normal(size=(7, 4)), [0, 1, 2, 0, 1, 2, 0]


def test_the_page_is_one_file_with_a_policy_and_the_same_bytes():
    html = cp.explore().html
    assert html == cp.explore().html
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href)=(?!\"#)", html.replace("default-src", "").replace("-src ", ""))
    whole, data = len(html), len(re.search(r'<script type="application/json".*?</script>', html)[0])
    assert data < 100_000  # iris, rows of digits, lessons, Python's tables
    assert whole - data < 500_000


def test_a_notebook_shows_it_in_a_frame_of_its_own():
    made = cp.explore(NET, X, Y)
    shown = made._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert shown.count("<") == 2
    assert "write" in repr(made)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((None, X, Y), "net must be given with X and Y"),
        ((NET,), "X and Y must be given with net"),
        ((NET, X, Y[:3]), "X and Y must have the same length, got 7 and 3"),
        ((NET, X[:, :3], Y), "X"),
        ((NET, X[:0], Y[:0]), "X must have at least 1 row"),
        (
            (NET, np.ones((1001, 4)), [0] * 1001),
            "X must have at most 1,000 rows for a live page, got 1,001",
        ),
        (
            (cp.Network([4, 3], cost=cp.costs.FACTORIES["grouped_cross_entropy"]((2, 1))), X, Y),
            "Y|one target",
        ),
        ((cp.Network([4, 5000, 3]), X, Y), "net must have at most 20,000 parameters"),
        ((cp.Network([4, 3], members=2), X, [5] * 7), "Y"),
        ((3, X, Y), "net must be a Network, or a fitted MLPClassifier or MLPRegressor, got 3"),
        ((cp.MLPClassifier(), X, Y), "net must be a Network, or a fitted MLPClassifier"),
        (
            (cp.Network([4, 5, 3], cp.Activation("mine", lambda z: z, np.ones_like)), X, Y),
            "net must have built-in functions for a live page, got 'mine'",
        ),
    ],
)
def test_what_no_page_is_made_of_is_refused_in_a_sentence(given, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence) as caught:
        cp.explore(*given)
    assert "\n" not in str(caught.value)


def test_the_command_writes_the_playground(clearprop, here):
    assert clearprop("explore", "--output", "page.html") == (0, "", "clearprop: wrote page.html\n")
    assert (here / "page.html").read_text("utf-8") == cp.explore().html


def test_the_command_opens_the_page_or_says_that_it_cannot(clearprop, monkeypatch, here):
    opened = []
    monkeypatch.setattr("tempfile.tempdir", str(here))
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) == 1)
    assert clearprop("explore") == (0, "", "")
    assert opened[0].startswith("file:")
    (kept,) = here.glob("*.html")
    assert kept.read_text("utf-8") == cp.explore().html
    code, out, err = clearprop("explore")
    assert (code, out) == (2, "")
    assert "there is no browser to open: --output page.html writes the page" in err
    assert [*here.glob("*.html")] == [kept]


def test_the_command_shows_ones_own_network(clearprop, here):
    NET.save("net.safetensors")
    np.savez("rows.npz", X=X, y=Y)
    done = clearprop("explore", "net.safetensors", "rows.npz", "--output", "own.html")
    assert done == (0, "", "clearprop: wrote own.html\n")
    assert (here / "own.html").read_text("utf-8") == cp.explore(cp.load("net.safetensors"), X, Y).html
    np.savez("many.npz", X=np.ones((1001, 4)), y=[0, 1, 2] * 333 + [0, 1])
    code, out, err = clearprop("explore", "net.safetensors", "many.npz", "--output", "own.html")
    assert (code, out) == (0, "")
    assert "the page has the first 1,000 of 1,001 rows" in err


def test_the_command_refuses_in_a_sentence_and_writes_nothing(clearprop, here):
    NET.save("net.safetensors")
    (here / "t.csv").write_text("a,b,y\n" + "1,2,u\n3,4,v\n" * 20)
    for given, sentence in (
        (("net.safetensors",), "DATA must be given with MODEL"),
        (("none.safetensors", "iris"), "none.safetensors"),
        (("net.safetensors", "t.csv"), "t.csv"),
    ):
        code, out, err = clearprop("explore", *given, "--output", "page.html")
        assert (code, out) == (2, ""), given
        assert sentence in err
        assert "Traceback" not in err
    assert not (here / "page.html").exists()


@pytest.mark.slow
def test_the_command_shows_a_network_of_a_table(clearprop, here):
    lines = (f"{1 + i / 8},u,p\n,v,q\n{3.5 + i / 8},u,q\n,v,p\n{1 - i / 8},u,q\n" for i in range(12))
    text = "a,b,y\n" + "".join(lines)
    (here / "t.csv").write_text(text)
    code, _, err = clearprop(
        "train",
        "t.csv",
        "--hidden",
        "8",
        "--epochs",
        "1",
        "--output",
        "table.safetensors",
        "--members",
        "2",
    )
    assert code == 0, err
    (here / "rows.csv").write_text(text + "5,w,p\n")
    code, out, err = clearprop("explore", "table.safetensors", "rows.csv", "--output", "page.html")
    assert (code, out) == (0, ""), err
    own = own_of((here / "page.html").read_text("utf-8"))
    assert own["X"][1] == [None, "v"]
    assert own["X"][-1] == [5.0, "w"]  # a category that was not learned
    assert len(own["X"]) == len(own["Y"]) == 61
    assert own["classes"] == ["p", "q"]
    assert len(own["parameters"]) == 2
    (here / "rows.csv").write_text(text + "5,w,z\n")
    code, _, err = clearprop("explore", "table.safetensors", "rows.csv", "--output", "other.html")
    assert code == 2
    assert "the label 'z', which the model does not know" in err
    assert not (here / "other.html").exists()


def own_of(html):
    """Return what a page holds of one's own model and rows."""
    return json.loads(re.search(r'id="data">(.*?)</script>', html)[1])["own"]


def test_an_estimator_gives_its_raw_rows_and_both_its_ends():
    frame = {"size": [1.0, 2.5, None, 4.0] * 8, "kind": ["u", "v", "w", "u"] * 8}
    table, y = pa.table(frame), np.array(["no", "yes", "no", "yes"] * 8)
    its = {"hidden_layer_sizes": (3,), "max_iter": 1, "preset": "realmlp-s", "random_state": 0}
    model = cp.MLPClassifier(**its).fit(table, y)
    own = own_of(cp.explore(model, table[:5], y[:5]).html)
    assert own["X"][2] == [None, "w"]
    assert [each["name"] for each in own["inputs"]["columns"]] == ["size", "kind"]
    assert own["classes"] == ["no", "yes"]
    assert own["Y"][1] in ([0.0, 1.0], [1.0])
    with pytest.raises(
        ValueError, match=r"Y must hold labels that the model knows \('no', 'yes'\), got 'x'"
    ):
        cp.explore(model, table[:1], ["x"])
    with pytest.raises(ValueError, match="lacks"):
        cp.explore(model, table[:1].drop_columns(["kind"]), y[:1])
    quantities = np.arange(32.0)
    model = cp.MLPRegressor(**its).fit(table, quantities)
    own = own_of(cp.explore(model, table, quantities).html)
    (shift,), (factor,) = own["units"]["shift"], own["units"]["factor"]
    assert np.array(own["Y"])[:, 0] * factor + shift == pytest.approx(quantities, abs=1e-5)
