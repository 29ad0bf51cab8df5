"""A reader's own CSV in the page: what is read of it, what is learned, and a sentence for every bad file."""

import base64
import functools
import importlib.resources
import json
import random
import subprocess

import pytest

from clearprop.data.targets import MISSING
from clearprop.engines import javascript
from clearprop.page import library
from page_engine import needs_node

pytestmark = needs_node
GOOD = "age;colour;size;y\n30;red;1,5;a\n;blue;2,5;b\n50;red;3,5;a\n41;;4,25;b\n"


@functools.cache
def script():
    folder = importlib.resources.files("clearprop.exploration").joinpath("script")
    texts = [folder.joinpath(f"{name}.js").read_text("utf-8") for name in ("csv", "learned")]
    return javascript.script() + library("own", texts)


def read(files, target=None):
    """Return what the page makes of files, given as bytes: a data set, or the sentence that refuses it."""
    code = f"""{script()}
    const {{ missing, files, target }} = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const answers = files.map((file) => {{
      try {{
        const table = own.readCsv(Uint8Array.from(Buffer.from(file, "base64")), "my.csv");
        return own.learnedFrom(table, target ?? own.likelyTarget(table), missing, "my.csv");
      }} catch (problem) {{
        if (!(problem instanceof own.Refused)) throw problem;
        return {{ refused: problem.message }};
      }}
    }});
    process.stdout.write(JSON.stringify(answers));"""
    given = {
        "missing": sorted(MISSING),
        "files": [base64.b64encode(each).decode() for each in files],
        "target": target,
    }
    run = subprocess.run(
        ["node", "-e", code], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def of(text, encoding="utf-8", target=None):
    return read([text.encode(encoding)], target)[0]


def test_a_file_is_learned_from_as_a_table_is():
    made = of(GOOD)
    assert made["classes"] == ["a", "b"]
    assert made["Y"] == [[0], [1], [0], [1]]
    age, colour, size = made["inputs"]["columns"]
    assert age == {"name": "age", "kind": "numeric", "median": 41, "flagged": True}
    assert colour["categories"] == ["blue", "red"]
    assert (colour["pooled"], colour["missing"]) == (0, True)
    assert (size["median"], size["flagged"]) == (3, False)
    assert made["X"][1] == [None, "blue", 2.5]
    (step,) = made["inputs"]["steps"]
    assert step["shift"] == pytest.approx([40.5, 0, 0, 0, 0, 2.9375])
    assert step["factor"][1:5] == [1, 1, 1, 1]


def test_separators_quotes_and_encodings_say_the_same():
    plain = "a,b,y\n1,u,2.5\n2,v,3.5\n3,u,9\n"
    expected = of(plain)
    assert expected["units"]["shift"] == [5.0]
    others = [
        plain.replace(",", ";").replace(".", ","),
        plain.replace(",", "\t"),
        plain.replace("\n", "\r\n").rstrip(),
        "\ufeff" + plain.replace("u", '"u"').replace("a,", '"a" , '),
        plain.replace("\n", "\n\n"),
    ]
    for each in others:
        assert of(each) == expected, each
    assert of(plain, "utf-16") == expected
    latin = of("Größe,y\n1,a\n2,b\n", "cp1252")
    assert latin["inputs"]["columns"][0]["name"] == "Größe"
    assert latin["says"] == ["It is no UTF-8, and was read as Windows-1252."]
    quoted = of('a,y\n"x, ""1""\nz",1\nw,2\nw,1\n')
    assert quoted["inputs"]["columns"][0]["categories"] == ["w", 'x, "1"\nz']


def test_the_target_may_be_any_column_and_rows_without_it_are_left_out():
    made = of(GOOD, target="colour")
    assert made["classes"] == ["blue", "red"]
    assert len(made["X"]) == 3
    assert made["says"] == ["1 rows have no target and were left out."]
    assert of("a,target,b\n1,2,3\n2,3,4\n")["target"] == "target"
    assert "units" in of("a,y\n" + "".join(f"{i},{i}\n" for i in range(21)))
    assert len(of("a,y\n" + "".join(f"{i},{i % 20}\n" for i in range(60)))["classes"]) == 20


BAD = [
    ("", "my.csv is empty"),
    ("\n\n", "my.csv is empty"),
    ("a\n1\n2\n", "must have at least two columns, separated by commas, semicolons or tabs"),
    ("a,b\n", "must have at least two rows below its names, it has 0"),
    ("1,2\n3,4\n5,6\n", "must have names in its first line, it has numbers: 1, 2"),
    ("a,a\n1,2\n3,4\n", "must have different names of columns, two are “a”"),
    ("a,b\n1,2\n3\n4,5\n", "Line 3 of my.csv has 1 value, but there are 2 names in the first line"),
    ('a,b\n1,"2\n3,4\n', "opens a quote that is not closed"),
    ('a,b\n1,"2"x\n3,4\n', "Line 2 of my.csv has something after a closing quote"),
    ("a,b\n1,2\n3,2\n", "“b” of my.csv is left out: it is always “2”"),
    ("a,b\n1,2\n1,3\n", "must have a column to learn from beside “b”"),
    ('a,b\n"1,000",2\n"2,000",3\n', "write numbers with a point, and without separators"),
    ("a,b\n1e999,2\n2,3\n", "“a” of my.csv must hold finite numbers, got “1e999”"),
    (
        "a,b\n" + "".join(f"{i},c{i}\n" for i in range(21)),
        "“b” of my.csv is left out: 21 different",
    ),
    (
        "a,b\n" + "".join(f"{i},c{i % 25}\n" for i in range(60)),
        "The target must have at most 20 classes: “b” of my.csv has 25",
    ),
    ("a\x00,b\n1,2\n", "my.csv is no text"),
    (
        ",".join("abcdefgh" + str(i) for i in range(201)),
        "must have at most 200 columns, it has 201",
    ),
    ("a,b\n" + "1,2\n" * 500_001, "my.csv must have at most 2 MB, it has 2.0"),
    ("a,b\n-1.7e308,1\n1.7e308,2\n1.7e308,2\n", "are too far apart"),
]


def test_a_bad_file_is_refused_in_a_sentence():
    for answer, (_, sentence) in zip(read([text.encode() for text, _ in BAD]), BAD, strict=True):
        assert sentence in answer["refused"]
        assert "\n" not in answer["refused"]
        assert answer["refused"].endswith(".")


def test_no_file_is_an_exception():
    rng = random.Random(0)
    pieces = [
        '"',
        ",",
        ";",
        "\t",
        "\n",
        "\r",
        " ",
        "a",
        "ü",
        "1",
        "2.5",
        "1,5",
        "?",
        "-1e400",
        "\x00",
        "__proto__",
    ]
    files = []
    for _ in range(600):
        text = "".join(rng.choice(pieces) for _ in range(rng.choice([1, 2, 40])))
        if rng.random() < 0.8:
            at = rng.randrange(len(GOOD))
            text = GOOD[:at] + text + GOOD[at + rng.randrange(4) :]
        files.append(text.encode(rng.choice(["utf-8", "cp1252", "utf-16"]), "replace"))
    files += [rng.randbytes(rng.randrange(60)) for _ in range(100)]
    answers = read(files)
    refused = [each["refused"] for each in answers if "refused" in each]
    assert 0.2 < len(refused) / len(answers) < 0.95
    for sentence in refused:
        assert sentence[0].isupper() or sentence.startswith(("my.csv", "“"))
        assert sentence.endswith(".")
        assert "\n" not in sentence
    for made in answers:
        if "refused" not in made:
            assert len(made["Y"]) == len(made["X"]) >= 2
            assert all(isinstance(each, int | float) for (each,) in made["Y"])
