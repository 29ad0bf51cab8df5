"""`explore` and ``clearprop explore``: what they write, open, show and refuse."""

import re
import webbrowser

import numpy as np
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
    assert data < 80_000  # iris, rows of digits, lessons, Python's tables
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
        ((cp.Network([4, 3], embedding=cp.embeddings.periodic()), X, Y), "net must have no embedding"),
        (
            (cp.Network([4, 5, 3], cp.Activation("mine", lambda z: z, np.ones_like)), X, Y),
            "net must have built-in functions for a live page, got 'mine'",
        ),
    ],
)
def test_what_no_page_is_made_of_is_refused_in_a_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        cp.explore(*given)
    assert "\n" not in str(caught.value)


def test_the_command_writes_the_playground(clearprop, here):
    assert clearprop("explore", "--output", "page.html") == (0, "", "")
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
    assert clearprop("explore", "net.safetensors", "rows.npz", "--output", "own.html") == (0, "", "")
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
def test_the_command_refuses_a_network_of_tables(clearprop, here):
    (here / "t.csv").write_text("a,b,y\n" + "1,2,u\n3,4,v\n" * 20)
    code, _, err = clearprop("train", "t.csv", "--epochs", "1", "--output", "table.safetensors")
    assert code == 0, err
    code, _, err = clearprop("explore", "table.safetensors", "t.csv", "--output", "page.html")
    assert code == 2
    assert "MODEL must be a network of arrays" in err
    assert not (here / "page.html").exists()
