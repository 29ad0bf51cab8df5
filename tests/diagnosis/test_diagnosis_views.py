"""Findings as text, JSON and a page."""

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import clearprop as cp
from clearprop.diagnosis import Finding, Findings

NUMBERS = re.compile(r"<td>([^<]*)</td>")


def sick():
    digits = cp.data.load("digits")
    net = cp.Network([64, 30, 20, 10], activation="tanh", scaling=digits.scaling, seed=0)
    net.weights[0][:] *= 40
    net.weights[1][3], net.weights[2][:, 3] = net.weights[1][1], net.weights[2][:, 1]
    return cp.diagnose(net, *digits.test, optimizer=cp.SGD(0.1), batch_size=32)


FOUND = sick()


class Elements(HTMLParser):
    """What elements a page has, and whether each of them is closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_text_fits_a_terminal_and_says_every_part():
    text = FOUND.to_text()
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    for each in FOUND:
        for part in (each.what, each.how, each.remedy):
            assert part in flat
    assert "δ" in text
    FOUND.to_text(ascii=True).encode("ascii")


def test_nothing_found_is_said_in_a_sentence():
    nothing = Findings(n=7, subject="Network 2-2")
    assert "Nothing is wrong" in nothing.to_text()
    assert nothing.to_text().endswith("\n")
    assert "Nothing is wrong" in nothing.to_html()
    assert nothing.to_dict()["findings"] == []
    assert not nothing


def test_json_has_every_finding_with_every_field_and_no_numbers_that_json_has_not():
    value = json.loads(json.dumps(FOUND.to_dict(), allow_nan=False))
    assert value["format"] == "diagnosis/1"
    assert value["n_samples"] == 360
    fields = {each.name for each in dataclasses.fields(Finding)} | {"sentence", "suggestion"}
    for each, written in zip(FOUND, value["findings"], strict=True):
        assert set(written) == fields
        assert written["sentence"] == each.sentence
        assert written["value"] == each.value
    net = cp.Network([2, 2, 2], seed=0)
    net.weights[0][0, 0] = np.nan
    wrong = cp.diagnose(net, [[0, 1], [1, 0]], [0, 1]).to_dict()
    assert wrong["findings"][0]["value"] is None


def test_the_page_is_well_formed_asks_for_nothing_and_has_every_sentence():
    page = FOUND.to_html()
    elements = Elements(page)
    assert not {"script", "img", "link", "iframe"} & set(elements.seen)
    assert not [name for name, _ in elements.attributes if name.startswith("on") or name == "style"]
    assert not [
        value for name, value in elements.attributes if name in ("src", "href") and value[0] != "#"
    ]
    assert "default-src 'none'" in page
    text = re.sub(r"<[^>]+>", "", page)
    import html

    text = html.unescape(text)
    for each in FOUND:
        for part in (each.what, each.how, each.remedy):
            assert part in text
    assert page == sick().to_html()
    assert len(page) < 60_000


def test_the_fragment_of_a_notebook_styles_nothing_but_itself():
    fragment = FOUND._repr_html_()
    Elements(fragment)
    css = fragment[fragment.index("<style>") + 7 : fragment.index("</style>")]
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    selectors = re.findall(r"([^{}]+)\{", css)
    for selector in selectors:
        for one in selector.split(","):
            assert one.strip().startswith((".diagnosis", "@media")), one


@pytest.mark.parametrize("hostile", ["</script><b>x", '"><img onerror=alert(1)>', "\u202e\x00"])
def test_hostile_names_are_inert(hostile):
    finding = Finding("D2", hostile, "error", 1.0, 0.1, 7, hostile, hostile, hostile, source=hostile)
    page = Findings([finding], n=7, subject=hostile, sizes=(2, 2)).to_html()
    elements = Elements(page)
    assert not {"b", "img", "script"} & (set(elements.seen) - {"b"})
    assert "onerror=alert" not in {name for name, _ in elements.attributes}
    assert "\x00" not in page


def test_the_drawing_says_in_words_what_it_shows():
    page = FOUND.to_html()
    labels = re.findall(r'aria-label="(Where: [^"]+)"', page)
    assert len(labels) == 1
    for each in FOUND:
        assert each.name in labels[0]


def test_a_network_of_many_layers_is_drawn_with_its_first_and_last_ones():
    page = Findings(n=7, subject="deep", sizes=(4,) * 30).to_html()
    assert "layer 29" in page
    assert "layer 15" not in page


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    digits = cp.data.load("digits")
    net = cp.Network([64, 16, 10], activation="tanh", scaling=digits.scaling, seed=0)
    net.classes = digits.classes
    net.save(folder / "healthy.st")
    net.weights[0][:] *= 100
    net.save(folder / "sick.st")
    slow = cp.Network([64, 16, 10], scaling=digits.scaling, seed=0)
    slow.fit(
        *digits.train,
        epochs=2,
        optimizer=cp.SGD(1e-9),
        l2=1e-4,
        checkpoint=folder / "slow.ck",
        progress=False,
        engine="numpy",
        batch_size=512,
    )
    how = {"progress": False, "batch_size": None}
    ended = cp.SGD(cp.schedules.cosine(1e-9, epochs=1))
    slow.fit(*digits.train, epochs=3, optimizer=ended, l2=1e-4, checkpoint=folder / "ended.ck", **how)
    never = cp.SGD(cp.schedules.coslog4(0.1, epochs=1))  # 0 at the start, where its one step is
    slow.fit(*digits.train, epochs=1, optimizer=never, checkpoint=folder / "never.ck", **how)
    return folder


def diagnose(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "clearprop", "diagnose", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    assert "Traceback" not in done.stderr
    return done


def test_the_command_says_what_is_wrong_with_a_model(folder):
    done = diagnose(folder, "sick.st", "digits", "--part", "train")
    assert done.returncode == 0
    assert "D2 saturated units" in done.stdout
    assert "1,437 examples" in done.stdout
    assert done.stderr == ""


def test_the_command_writes_one_json_object(folder):
    done = diagnose(folder, "sick.st", "digits", "--json")
    found = json.loads(done.stdout)
    assert found["n_samples"] == 360
    assert "D2" in {each["id"] for each in found["findings"]}
    assert done.stdout == diagnose(folder, "sick.st", "digits", "--format", "json").stdout


def test_of_a_checkpoint_the_steps_are_looked_at_too(folder):
    done = diagnose(folder, "slow.ck", "digits", "--part", "train")
    assert done.returncode == 0
    assert "D9 updates too small" in done.stdout
    assert "D9" not in diagnose(folder, "healthy.st", "digits").stdout


def test_a_schedule_may_have_come_to_0(folder):
    """The rate that is looked at is that of the last epoch which had one."""
    done = diagnose(folder, "ended.ck", "digits", "--part", "train")
    assert (done.returncode, done.stderr) == (0, "")
    assert "D9 updates too small" in done.stdout
    done = diagnose(folder, "never.ck", "digits", "--part", "train")
    assert (done.returncode, done.stderr) == (0, "")
    assert "D9" not in done.stdout


def test_the_command_writes_a_page(folder):
    done = diagnose(folder, "sick.st", "digits", "--format", "html", "--output", "page.html")
    assert (done.returncode, done.stdout) == (0, "")
    page = (folder / "page.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "saturated units" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sick.st", "wine"), "features"),
        (("sick.st", "diabetes"), "regression"),
        (("nowhere.st", "digits"), "nowhere.st"),
        (("sick.st", "nowhere.csv"), "nowhere.csv"),
        (("sick.st", "digits", "--output", "sick.st"), "MODEL and --output must be two files"),
        (("sick.st", "digits", "--format", "pdf"), "pdf"),
        (("sick.st", "digits", "--json", "--format", "html"), "must not be given together"),
        (("sick.st", "digits", "--output", "no/such/folder/page.html"), "no/such/folder"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_and_exit_code_2(folder, arguments, said):
    done = diagnose(folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
