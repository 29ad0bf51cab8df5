"""Gradients and traces in files: safetensors, NPZ, JSON and CSV, right, wrong and hostile."""

import io
import json
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

import clearprop as cp
from clearprop.cli import number_files


@pytest.fixture
def net():
    net = cp.Network([4, 5, 3], output="softmax", cost="cross_entropy", dtype="float64", seed=0)
    net.parameters[:] = np.random.default_rng(0).normal(scale=0.7, size=net.n_parameters)
    return net


@pytest.fixture
def data(net, tmp_path, monkeypatch):
    """Go to a folder with a model and data for it; return X and y."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(9, 4)), np.arange(9) % 3
    net.save("model.safetensors")
    np.savez("data.npz", X=X, y=y)
    return X, y


def blocks_of(net, X, y):
    g = net.gradient(X, y)
    pairs = zip(g.weights, g.biases, strict=True)
    return dict(zip((b.name for b in net.blocks), (a for p in pairs for a in p), strict=True))


def rows_of(arrays):
    return "".join(
        ",".join(map(repr, map(float, row))) + "\n" for a in arrays for row in np.atleast_2d(a)
    )


def places_of(named):
    lines = ["name,row,column,value"]
    for name, array in named.items():
        for at, value in np.ndenumerate(array):
            lines.append(",".join([name, *map(str, at), *[""] * (2 - len(at)), repr(float(value))]))
    return "\n".join(lines) + "\n"


def lists(named):
    return {name: array.tolist() for name, array in named.items()}


def pairs(named):
    values = list(lists(named).values())
    return [values[:2], values[2:]]


FILES = {
    "g.safetensors": lambda path, named: save_file({k: np.ascontiguousarray(v) for k, v in named.items()}, path),
    "named.npz": lambda path, named: np.savez(path, **named),
    "numbered.npz": lambda path, named: np.savez(path, *named.values()),
    "deflated.npz": lambda path, named: np.savez_compressed(path, **named),
    "flat.npz": lambda path, named: np.savez(path, np.concatenate([a.ravel() for a in named.values()])),
    "named.json": lambda path, named: path.write_text(json.dumps(lists(named))),
    "pairs.json": lambda path, named: path.write_text(json.dumps(pairs(named))),
    "apart.json": lambda path, named: path.write_text(
        json.dumps({"weights": [w for w, _ in pairs(named)], "biases": [b for _, b in pairs(named)]})
    ),
    "flat.json": lambda path, named: path.write_text(
        json.dumps(np.concatenate([a.ravel() for a in named.values()]).tolist())
    ),
    "places.csv": lambda path, named: path.write_text(places_of(named)),
    "places.tsv": lambda path, named: path.write_text(places_of(named).replace(",", "\t")),
    "rows.csv": lambda path, named: path.write_text(rows_of(named.values())),
    "columns.csv": lambda path, named: path.write_text(rows_of([np.atleast_2d(a).T if a.ndim == 1 else a for a in named.values()])),
    "blanks.txt": lambda path, named: path.write_text(rows_of(named.values()).replace(",", "  ")),
    "flat.csv": lambda path, named: path.write_text("gradient\n" + rows_of([a.reshape(-1, 1) for a in named.values()])),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_is_read_from_every_kind_of_file(name, dtype, net, data, tmp_path, clearprop):
    named = {k: v.astype(dtype) for k, v in blocks_of(net, *data).items()}
    FILES[name](tmp_path / name, named)
    on = ("check", "model.safetensors", "data.npz", "--gradient", name)
    code, out, err = clearprop(*on)
    assert (code, out.partition(" (")[0], err) == (0, "gradient check: pass", "")
    FILES[name](tmp_path / name, named | {"layers.1.weight": dtype(9) * named["layers.1.weight"]})
    code, out, _ = clearprop(*on)
    assert code == 1
    assert "layers.1.weight is 9 times too large: the sum over the 9 samples" in out


def test_a_traces_gradient_is_taken_from_it(net, data, tmp_path, clearprop):
    clearprop(
        "explain",
        "model.safetensors",
        "data.npz",
        "--rows",
        9,
        "--format",
        "json",
        "--output",
        "t.json",
    )
    code, out, _ = clearprop("check", "model.safetensors", "data.npz", "--gradient", "t.json")
    assert (code, out.partition(" (")[0]) == (0, "gradient check: pass")


TRACES = {
    "t.json": lambda path, named: path.write_text(json.dumps(lists(named))),
    "t.npz": lambda path, named: np.savez(path, **named),
    "t.safetensors": FILES["g.safetensors"],
    "t.csv": FILES["places.csv"],
}


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_read_from_every_kind_of_file(name, net, data, tmp_path, clearprop):
    X, y = data
    trace = net.trace(X[:6], y[:6])
    named = {"x": X[:6], "cost": np.array(trace.cost)}  # which safetensors makes (1,) of here
    for l, layer in enumerate(trace.layers):  # noqa: E741 - the layer
        named |= {f"layers.{l}.{q}": getattr(layer, q) for q in ("z", "a", "delta", "weight_gradient")}
    TRACES[name](tmp_path / name, named)
    on = ("check", "model.safetensors", "data.npz", "--trace", name)
    code, out, err = clearprop(*on)
    assert (code, out.partition(" (")[0], err) == (0, "trace check: pass", "")
    assert "10 quantities of 6 samples" in out
    TRACES[name](tmp_path / name, named | {"layers.0.a": named["layers.0.a"][::-1]})
    code, out, _ = clearprop(*on)
    assert code == 1
    assert "First that differs, in the order of the pass: a of layer 1." in out
    assert "the samples are in another order" in out
    told = json.loads(clearprop(*on, "--json")[1])
    assert (told["verdict"], told["n_samples"]) == ("fail", 6)
    assert (told["first_wrong"]["quantity"], told["first_wrong"]["layer"]) == ("a", 1)
    assert [row["verdict"] for row in told["quantities"]].count("fail") == 1


def test_the_shells_own_trace_passes_and_a_changed_one_does_not(net, data, tmp_path, clearprop):
    code, _, _ = clearprop(
        "explain",
        "model.safetensors",
        "data.npz",
        "--rows",
        5,
        "--format",
        "json",
        "--output",
        "t.json",
    )
    on = ("check", "model.safetensors", "data.npz", "--trace", "t.json")
    assert (code, clearprop(*on)[0]) == (0, 0)
    value = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert (value["batch"]["n_samples"], "steps" in value) == (5, False)
    value["layers"][1]["delta"] = (np.array(value["layers"][1]["delta"]) / 5).tolist()
    (tmp_path / "t.json").write_text(json.dumps(value))
    code, out, _ = clearprop(*on)
    assert (code, "delta of layer 2" in out, "divided by the 5 samples" in out) == (1, True, True)


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (10**9,)}
        )
        archive.writestr("layers.0.weight.npy", header.getvalue() + bytes(8 * 10**6))


def pickled(path):
    np.savez(path, **{"layers.0.weight": np.array([{}], dtype=object)})


# file: (what is in it, words of the one sentence)
BAD = {
    "no.json": (None, "there is no file no.json"),
    "broken.json": ("[1, 2", "must be JSON, got at line 1"),
    "deep.json": ("[" * 200_000, "nested too deeply"),
    "twice.json": ('{"a": [1], "a": [2]}', "each name once, got 'a' more than once"),
    "words.json": ('{"layers.0.weight": ["x"]}', "must be a list of numbers, got 'x' in it"),
    "none.json": ('{"layers.0.weight": null}', "must be a list of numbers, got None"),
    "ragged.json": ('{"layers.0.weight": [[1, 2], [3]]}', "missing: layers.0.bias"),
    "large.json": ("[" + "9" * 5000 + "]", "must have the shape of the parameters"),
    "names.json": ('{"0.weight": [[1]]}', "unknown: 0.weight"),
    "short.csv": ("1,2,3,4\n5,6,7,8\n", "each of the 5 rows of layers.0.weight, got no more lines"),
    "turned.csv": ("1,2,3,4,5\n" * 4, "got 5 in line 1"),
    "words.csv": ("value\n1\nx\n", "must hold numbers, got 'x' in line 3"),
    "few.csv": ("1\n2\n", "must have the shape of the parameters, (43,), got (2,)"),
    "empty.csv": ("\n", "must hold numbers, got none"),
    "place.csv": ("layers.0.weight,0,x,1\n", "got 'layers.0.weight,0,x,1' in line 1"),
    "far.csv": ("layers.0.weight,999999999,999999999,1\n", "its last place asks for 1,000,000,000,000,000,000"),
    "again.csv": ("a,0,1\na,0,2\n", "each place once, got a[0] in line 2"),
    "bytes.csv": (b"\xff\xfe\xfa,1\n", "must be text in UTF-8, byte 0 is none"),
    "text.safetensors": ("hello", "must be a safetensors file of float32 or float64 arrays, or .npz"),
    "bomb.npz": (bomb, "bomb.npz"),
    "pickle.npz": (pickled, "Python objects (pickle)"),
    "zip.npz": (lambda path: zipfile.ZipFile(path, "w").close(), "archive without any"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_gradient_is_refused_in_one_sentence(name, net, data, tmp_path, clearprop):
    content, words = BAD[name]
    path = tmp_path / name
    if callable(content):
        content(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    code, out, err = clearprop("check", "model.safetensors", "data.npz", "--gradient", name)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words.lower() in err.lower()
    assert "should not have happened" not in err


def test_numbers_that_json_lacks_are_numbers_and_fail(net, data, tmp_path, clearprop):
    for lacking in ('"NaN"', "NaN", '"Infinity"'):
        text = json.dumps(lists(blocks_of(net, *data)))
        first = text.index("[[") + 2
        text = text[:first] + lacking + text[text.index(",", first) :]
        (tmp_path / "g.json").write_text(text)
        code, out, _ = clearprop("check", "model.safetensors", "data.npz", "--gradient", "g.json")
        assert (code, "layers.0.weight[0, 0]" in out) == (1, True)


def test_a_transposed_matrix_is_said_in_every_form(net, data, tmp_path, clearprop):
    named = blocks_of(net, *data)
    named["layers.0.weight"] = named["layers.0.weight"].T
    for name in ("named.npz", "named.json", "places.csv", "rows.csv"):
        FILES[name](tmp_path / name, named)
        code, out, err = clearprop("check", "model.safetensors", "data.npz", "--gradient", name)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "row = destination neuron, column = source" in err or "rows of layers.0.weight" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trace", "t.json", "--gradient", "t.json"], "one at a time, got both"),
        (["--trace", "flat.json"], "arrays with names, such as layers.0.z"),
        (["--trace", "other.json"], "--trace must have names such as x"),
        (["--trace", "long.json"], "must be of rows of DATA, got 12 of 9"),
        (["--trace", "t.json", "--rows", "4"], r"shape (4, 5) for layers.0.z, got (3, 5): 4 rows"),
        (["--trace", "ragged.json"], "layers.0.z in --trace ragged.json must be a list of numbers"),
    ],
)
def test_a_trace_that_does_not_fit_is_refused_in_one_sentence(
    options, words, net, data, tmp_path, clearprop
):
    for name, value in {
        "t": {"layers.0.z": np.zeros((3, 5)).tolist()},
        "flat": [1.0, 2.0],
        "other": {"h1": [[1.0]]},
        "long": {"layers.0.z": np.zeros((12, 5)).tolist()},
        "ragged": {"layers": [{"layer": 1, "z": [[1.0, 2.0], 3.0]}]},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    code, out, err = clearprop("check", "model.safetensors", "data.npz", *options)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err


def test_what_a_file_declares_is_looked_at_before_memory_is_taken(monkeypatch, net, data, tmp_path):
    monkeypatch.setattr(cp.data.files, "MAX_BYTES", 1000)
    for name in ("named.json", "places.csv", "named.npz", "g.safetensors"):
        FILES[name](tmp_path / name, blocks_of(net, *data) | {"x": np.zeros(1000)})
        with pytest.raises(ValueError, match="must need at most 1000 bytes"):
            number_files.read_gradient(str(tmp_path / name), net.blocks)


def test_explain_takes_rows_from_a_row_on(net, data, clearprop):
    def shown(*options):
        return clearprop("explain", "model.safetensors", "data.npz", "--format", "json", *options)

    X, _ = data
    value = json.loads(shown("--row", 2, "--rows", 3)[1])
    np.testing.assert_array_equal(value["batch"]["x"], X[2:5])
    assert "steps" not in value
    assert {
        line["form"] for s in json.loads(shown("--form", "matrix")[1])["steps"] for line in s["lines"]
    } == {"matrix"}
    assert (
        len(
            {
                line["form"]
                for s in json.loads(shown("--form", "all")[1])["steps"]
                for line in s["lines"]
            }
        )
        > 2
    )
    for options, words in (
        (("--rows", 0), "--rows must be in 1..9 from row 0 on, got 0"),
        (("--row", 8, "--rows", 2), "1..1 from row 8 on"),
    ):
        code, out, err = shown(*options)
        assert (code, out, words in err) == (2, "", True)
    code, _, err = clearprop("explain", "model.safetensors", "data.npz", "--form", "all")
    assert (code, "--form must be one of matrix" in err) == (2, True)
