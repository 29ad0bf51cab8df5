"""Files whose metadata are mutated and whose checksum is right: each is used, or refused as it must be.

CLEARPROP_FUZZ=100000 makes as many mutants; CLEARPROP_FUZZ_SEED another run of them.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.checkpoint import description, estimator_description
from clearprop.cli import app, check, diagnose, evaluate, explain, info, model, predict
from clearprop.data.table import kinds, values
from clearprop.data.table.columns import PARTS
from clearprop.estimators.options import Options
from clearprop.estimators.training import EstimatorTraining
from clearprop.model import file as model_file
from model_file_forge import NO_DIGITS, sealed
from test_fuzz_model_files import at_most

MUTANTS = int(os.environ.get("CLEARPROP_FUZZ", "500"))
SEED = int(os.environ.get("CLEARPROP_FUZZ_SEED", "0"))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 4))
Y3, Y2 = np.arange(23) % 3, np.arange(23) % 2
ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "binary": (
        cp.MLPClassifier(
            solver="sgd", preprocessing="standard", threshold="f1", validation_fraction=0.5
        ),
        Y2,
    ),
    "multiclass": (
        cp.MLPClassifier(early_stopping=True, validation_fraction=0.5, calibrate=True),
        np.array(["a", "b", "cc"])[Y3],
    ),
    "multioutput": (cp.MLPClassifier(), np.stack([Y2, Y3], axis=1)),
    "multilabel": (cp.MLPClassifier(solver="lbfgs"), np.stack([Y2, 1 - Y2, Y3 > 1], axis=1)),
    "single": (cp.MLPClassifier(dtype="float32"), np.ones(23, int)),
    "regressor": (cp.MLPRegressor(preset="realmlp-s"), X @ [1.0, 2.0, 3.0, 4.0]),
    "schedule": (
        cp.MLPRegressor(solver=cp.Adam(cp.schedules.warmup(1, cp.schedules.cosine(0.1, epochs=2)))),
        X[:, :2],
    ),
}


def frame() -> Any:
    """Return a table with a column of every kind."""
    return pandas.DataFrame(
        {
            "size": X[:, 0],
            "plan": np.array(["basic", "plus", None, "pro"], object)[np.arange(23) % 4],
            "vip": Y2 == 1,
            "since": pandas.date_range("2020-01-31", periods=23),
        }
    )


def make(folder: Path) -> dict[str, Path]:
    """Write a file of every kind that there is; return them by their kinds."""
    made = {}
    for name, (estimator, y) in ESTIMATORS.items():
        estimator.set_params(max_iter=2, hidden_layer_sizes=5, random_state=0, engine="numpy")
        estimator.fit(X, y).save(folder / name)
    net = cp.Network(
        [4, cp.Layer(5, ["relu", "tanh", "elu", "gelu", "relu"]), 3], cost=cp.costs.huber(2.0),
        scaling=None, seed=0,
    )  # fmt: skip
    how = {
        "epochs": 2, "batch_size": 5, "progress": False, "metrics": ["accuracy"], "averaging": 0.5,
        "early_stopping": cp.EarlyStopping(), "validation_data": (X[:9], Y3[:9]), "engine": "numpy",
        "optimizer": cp.Adam(cp.schedules.plateau(0.05)), "checkpoint": folder / "training",
    }  # fmt: skip
    net.fit(X, Y3, **how)
    net.save(folder / "network")
    for name, y in (("table", np.array(["no", "yes"])[Y2]), ("quantities", X @ [1.0, 2.0, 3.0, 4.0])):
        made = cp.MLPClassifier if name == "table" else cp.MLPRegressor
        fitted = made(preset="realmlp-s", max_iter=2, hidden_layer_sizes=5, random_state=0)
        fitted.fit(frame(), y).save(folder / f"{name} in memory")
        frame().assign(y=y).to_csv(folder / f"{name}.csv", index=False)
    quiet = ("--epochs", "2", "--hidden", "5", "--engine", "numpy", "--seed", "0", "--quiet")
    for name, data, more in (
        ("shell table", "table.csv", ("--target", "y")),
        ("shell quantities", "quantities.csv", ("--target", "y", "--buffer", "16")),
        ("shell arrays", "iris", ()),
        ("shell regression", "diabetes", ()),
    ):
        files = ("--output", str(folder / name), "--checkpoint", str(folder / f"{name} checkpoint"))
        source = data if "." not in data else str(folder / data)
        with pytest.raises(SystemExit) as ended:
            app.main(["train", source, *more, *quiet, *files])
        assert ended.value.code == 0
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix != ".csv"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(app, "_listen", lambda: None)
        patch.setattr(warnings, "showwarning", warnings.showwarning)
        with contextlib.redirect_stderr(io.StringIO()):
            return make(folder)


# Mutations of JSON


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value in a tree."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, each in pairs:
        yield (*path, key)
        yield from places(each, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


ODD = [
    None, True, False, -1, 0, 1, 2, 3, 5, 2**31, 2**53, 2**63, 2**64, 10**300, 0.5, -0.5, 1e308, -1e308, 1e-320,
    float("nan"), float("inf"), "", "x", "nan", "1", "numeric", "relu", "softmax", "os.system", "../x", "\ud800", "\0\n",
    "é" * 300, "x" * 100_000, [], [0], [[]], [None], {}, {"a": 1}, {"float": "nan"}, {"tuple": [1, 2]},
    {"name": "adam"}, [1, 2, 3], ["a", "b", "cc"], {"schedule": {"name": "warmup"}},
]  # fmt: skip


def delete(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    del at(tree, path[:-1])[path[-1]]


def retype(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    at(tree, path[:-1])[path[-1]] = copy.deepcopy(rng.choice(ODD))


def swap(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    other = rng.choice(list(places(tree)))
    one, two = copy.deepcopy(at(tree, path)), copy.deepcopy(at(tree, other))
    at(tree, path[:-1])[path[-1]] = two
    with contextlib.suppress(KeyError, IndexError, TypeError):  # it lay inside
        at(tree, other[:-1])[other[-1]] = one


def nudge(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    value = at(tree, path)
    if isinstance(value, bool):
        value = not value
    elif isinstance(value, int | float):
        value = rng.choice(
            (value + 1, value - 1, -value, value * 2, value * 1e300, value / 3, value + 2**40)
        )
    elif isinstance(value, str):
        value = rng.choice((value + "x", value[:-1], value.upper(), value * 2))
    at(tree, path[:-1])[path[-1]] = value


def resize(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    value = at(tree, path)
    if isinstance(value, list) and value:
        value = rng.choice((value[:-1], value * 2, [*value, value[0]], value[::-1], value[:1]))
    elif isinstance(value, dict) and value:
        value = {**value, rng.choice(("x", "", "y" * 300, "\ud800")): rng.choice(ODD)}
    at(tree, path[:-1])[path[-1]] = value


def nest(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    value = at(tree, path)
    for _ in range(rng.choice((1, 1, 2, 20, 60))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    at(tree, path[:-1])[path[-1]] = value


def graft(tree: Any, path: tuple[Any, ...], rng: random.Random, others: list[Any]) -> None:
    """Put there what another kind of file has there."""
    with contextlib.suppress(KeyError, IndexError, TypeError):
        at(tree, path[:-1])[path[-1]] = copy.deepcopy(at(rng.choice(others), path))


MUTATIONS: list[Callable[[Any, tuple[Any, ...], random.Random, list[Any]], None]] = [
    *(delete, retype, retype, swap, nudge, nudge, resize, nest, graft)
]


class Original:
    """A sound file in parts: its metadata as a tree, and what stands around them."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        self.header, self.data = json.loads(content[8 : 8 + length]), content[8 + length :]
        self.tree = json.loads(self.header["__metadata__"]["clearprop"])
        self.tree["checksum"] = "sha256:" + NO_DIGITS

    def with_text(self, text: str) -> bytes:
        header = {**self.header, "__metadata__": {"clearprop": text}}
        return sealed(json.dumps(header).encode(), self.data)


def mutant(original: Original, rng: random.Random, others: list[Any]) -> tuple[bytes, str]:
    tree, done = copy.deepcopy(original.tree), []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        found = [path for path in places(tree) if path != ("checksum",)]
        if not found:
            break
        # Half of them near the root, so that one long list does not take all.
        path = rng.choice(found)
        if rng.random() < 0.5:
            path = path[: rng.randint(1, len(path))]
        mutation = rng.choice(MUTATIONS)
        mutation(tree, path, rng, others)
        done.append(f"{mutation.__name__} {path}")
    text = json.dumps(tree)
    if rng.random() < 0.05:
        name = rng.choice(re.findall(r'"\w+": ', text))
        text = text.replace(name, f"{name}{rng.choice(['1', 'null', '{}'])}, {name}", 1)
        done.append(f"{name} twice")
    return original.with_text(text), ", ".join(done)


# What a file that loads must be able to do


def named(problem: Exception, what: object) -> None:
    """Require that a refusal is one sentence that names the file, or what it must."""
    assert str(what) in str(problem)
    assert len(str(problem)) < 1000
    assert "\n" not in str(problem)


def shown(function: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        function(*arguments, **named)
    text = out.getvalue()
    text.encode()  # a terminal must be able to have it
    return text


def use(path: Path, kind: str, folder: Path, thorough: bool = True) -> str:
    """Use a file by every door that is for its kind; return "usable" or "refused", in this order."""
    again = folder / "again"
    try:
        net = cp.load(path)
    except cp.CheckpointError as problem:
        named(problem, path)
        doors = (info.info, model.load_model, cp.MLPClassifier.load)
        for door in doors if thorough else ():
            with pytest.raises(cp.CheckpointError, match=re.escape(str(path))):
                shown(door, str(path))
        return "refused"
    rows = np.linspace(-1.0, 1.0, 3 * net.sizes[0]).reshape(3, net.sizes[0])
    assert net.predict(rows).shape == (3, net.sizes[-1])
    if net.architecture.is_labelled:
        net.classify(rows)
    str(net)
    net.save(again)
    assert cp.load(again).parameters.tobytes() == net.parameters.tobytes()
    try:
        if thorough:
            shown(info.info, str(path))
        json.loads(shown(info.info, str(path), True))
        model.load_model(str(path))
    except cp.CheckpointError as problem:
        named(problem, path)
        if "several answers for a row" not in str(problem):
            return "refused by the shell"
    if net.model.estimator is not None:
        try:
            use_estimator(path, net, again)
        except cp.CheckpointError as problem:
            named(problem, path)
            return "refused by the estimator"
    return "usable"


def use_estimator(path: Path, net: cp.Network, again: Path) -> None:
    cls = getattr(cp, net.model.estimator["class"])
    fitted = cls.load(path)
    of_table = fitted.table_encoder_ is not None
    rows = frame() if of_table else np.linspace(-1.0, 1.0, 3 * net.sizes[0]).reshape(3, -1)
    with acceptable(*(("lacks", "feature names", "must") if of_table else ())):
        assert len(fitted.predict(rows)) == len(rows)
        if cls is cp.MLPClassifier:
            fitted.predict_proba(rows)
            fitted.decision_function(rows)
    repr(fitted), str(fitted.history_), fitted.get_params(), Options.of(fitted)
    fitted.save(again)
    assert cls.load(again).network_.parameters.tobytes() == net.parameters.tobytes()
    if net.model.is_of_table:
        inputs = net.model.inputs
        with acceptable("lacks", "must"):
            rows = inputs.of_batch(inputs.open(frame()).table(inputs.columns), net.dtype)
            assert len(net.predict(rows)) == 23


@contextlib.contextmanager
def acceptable(*words: str) -> Iterator[None]:
    """Accept that data do not fit a model whose columns are others now: a sentence says so."""
    try:
        yield
    except ValueError as problem:
        if not any(word in str(problem) for word in words):
            raise


COMMANDS = (
    lambda path, data: evaluate.evaluate(path, data, replicates=0, target="y" if "." in data else None),
    lambda path, data: predict.predict(path, data),
    lambda path, data: diagnose.diagnose(path, data, target="y" if "." in data else None),
    lambda path, data: check.check(path, data, target="y" if "." in data else None),
    lambda path, data: explain.explain(path, data, row=1),
)


def test_every_file_with_mutated_metadata_is_used_or_refused(
    files: dict[str, Path], tmp_path: Path
) -> None:
    rng, found = random.Random(SEED), Counter[str]()
    originals = {name: Original(path) for name, path in files.items()}
    others, path = [each.tree for each in originals.values()], tmp_path / "mutant"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(MUTANTS):
            kind = rng.choice(list(originals))
            content, what = mutant(originals[kind], rng, others)
            path.write_bytes(content)
            try:
                with at_most(30, f"mutant {number} of {kind}: {what[:300]}"):
                    outcome = use(path, kind, tmp_path, rng.random() < 0.2)
                    if rng.random() < 0.02:
                        command(path, kind, files, rng)
                    if "training" in kind:
                        outcome += ", " + resumed(path, files)
            except BaseException as problem:
                problem.add_note(f"mutant {number} of {kind}: {what[:1000]}")
                raise
            found[outcome] += 1
    print(dict(found))
    assert found["refused"] > MUTANTS // 3
    assert found["usable"] > MUTANTS // 20  # else the mutants are too broken to test what comes after


def command(path: Path, kind: str, files: dict[str, Path], rng: random.Random) -> None:
    """Give the file to a command of the shell: its data need not fit any more, in a sentence."""
    data = {"shell arrays": "iris", "shell regression": "diabetes"}.get(
        kind.removesuffix(" checkpoint")
    )
    if data is None:
        name = "quantities.csv" if "quantities" in kind else "table.csv"
        data = str(next(iter(files.values())).with_name(name))
    with contextlib.suppress(ValueError):
        shown(rng.choice(COMMANDS), str(path), data)


def resumed(path: Path, files: dict[str, Path]) -> str:
    """Go on from the file, as the training that wrote its original."""
    net = cp.Network(
        [4, cp.Layer(5, ["relu", "tanh", "elu", "gelu", "relu"]), 3], cost=cp.costs.huber(2.0), seed=0
    )
    before = net.parameters.copy()
    try:
        training = cp.Training(
            net, X, Y3, epochs=3, batch_size=5, progress=False, metrics=["accuracy"], averaging=0.5,
            early_stopping=cp.EarlyStopping(), validation_data=(X[:9], Y3[:9]), engine="numpy",
            optimizer=cp.Adam(cp.schedules.plateau(0.05)), checkpoint=path, resume=True,
        )  # fmt: skip
    except cp.CheckpointError as problem:
        named(problem, path)
        assert net.parameters.tobytes() == before.tobytes()
        return "not resumed"
    except ValueError as problem:
        named(problem, "cannot be resumed with other settings")
        assert net.parameters.tobytes() == before.tobytes()
        return "of other settings"
    with contextlib.suppress(cp.DivergenceError):
        training.run(1)
        cp.load(path)
    return "resumed"


def test_every_original_is_used(files: dict[str, Path], tmp_path: Path) -> None:
    assert len(files) == 19
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, path in files.items():
            assert use(path, kind, tmp_path) == "usable", kind


def test_the_words_of_the_description_are_those_of_the_library(files: dict[str, Path]) -> None:
    assert estimator_description.FEATURES + estimator_description.LEFT_OUT == kinds.KINDS
    assert estimator_description.FEATURES == kinds.FEATURES
    assert estimator_description.PARTS == PARTS
    assert set(estimator_description.CELLS) == {values.NUMBER, values.BOOLEAN, values.TEXT, values.TIME}
    for path in files.values():
        net, parts = cp.load(path), model_file.read_described(path)[1]
        assert description.n_parameters(parts["architecture"]) == net.n_parameters
    assert EstimatorTraining.kept_in_checkpoint  # its words are in the files that are read above


@pytest.mark.parametrize(("kind", "labels"), [("multilabel", [0, False, 2]), ("binary", [False, 1])])
def test_labels_are_of_the_type_of_their_array(
    files: dict[str, Path], tmp_path: Path, kind: str, labels: list[Any]
) -> None:
    original, path = Original(files[kind]), tmp_path / "file"
    original.tree["about"]["estimator"]["classes"][0]["values"] = labels
    path.write_bytes(original.with_text(json.dumps(original.tree)))
    with pytest.raises(cp.CheckpointError, match=re.escape(str(path))):
        getattr(cp, original.tree["about"]["estimator"]["class"]).load(path)


@pytest.mark.parametrize("name", ["target", "target_units"])
def test_a_classifier_has_no_units(files: dict[str, Path], tmp_path: Path, name: str) -> None:
    original, path = Original(files["single"]), tmp_path / "file"
    about = original.tree["about"]
    if name == "target":
        about["estimator"]["target"] = {"shift": [0.0], "scale": [1.0]}
    else:
        about["target_units"] = {"shift": [0.0], "factor": [1.0]}
    path.write_bytes(original.with_text(json.dumps(original.tree)))
    with pytest.raises(cp.CheckpointError, match=f"{name} must be .* a classifier"):
        cp.load(path)


def test_a_name_without_end_is_cut_where_a_resume_is_refused(
    files: dict[str, Path], tmp_path: Path
) -> None:
    original, path = Original(files["training"]), tmp_path / "file"
    original.tree["architecture"]["layers"][0]["activation"] = "x" * 100_000
    path.write_bytes(original.with_text(json.dumps(original.tree)))
    assert resumed(path, files) == "of other settings"
