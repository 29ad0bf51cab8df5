"""What `faults.py` runs: a recipe trained, diagnosed, mended as it was told to, and trained again."""

from __future__ import annotations

import argparse
import collections
import functools
import json
import multiprocessing
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import machine
import numpy as np
from faults import FAULTS, Fault, Recipe

import clearprop as cp
from clearprop.diagnosis import Finding, Findings

ROWS = 500  # that a diagnosis looks at; the default is 2,000
INFORMS = {"D10", "D18", "D20"}  # rules whose findings are information, by their definition
RULES = [f"D{number}" for number in range(1, 22)]


@functools.cache
def _data(name: str) -> Any:
    return _four(name) if name in ("four", "xor") else cp.data.load(name)


def _four(name: str) -> Any:
    """Return two classes in four dimensions: on the two sides of a plane, the first one the steepest.

    Or, as "xor", where the first two features have the same sign or not.
    """
    X = np.random.default_rng(0).normal(size=(800, 4))
    side = X @ [2.0, 1.0, 1.0, 1.0] if name == "four" else X[:, 0] * X[:, 1]
    Y = (side > 0).astype(int)
    return types.SimpleNamespace(
        train=(X[:600], Y[:600]),
        test=(X[600:], Y[600:]),
        scaling=np.asarray,
        task="classification",
        classes=(0, 1),
    )


def _beside(kind: str, n: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Return columns that are small beside others, and rightly so."""
    if kind == "constant":
        return np.full((n, 2), size)
    if kind == "noise":
        return size * rng.normal(size=(n, 2))
    category = (rng.random(n) ** 3 * 40).astype(int)  # of 40, the first in a third of the rows
    faint = size * (rng.random((n, 3)) < 0.03)
    return np.hstack([np.eye(40)[category], faint])


_FIRST = {"four": [0, 1, 2], "diabetes": [2]}  # inputs that matter; of diabetes the body mass


def _arrays(recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return X as it is used, Y as it is learned, and validation data or None."""
    data, rng = _data(recipe.data), np.random.default_rng(seed)
    (X, Y), (Xv, Yv) = data.train, data.test
    n = len(X)
    both, labels = np.vstack([X, Xv]).astype(float), np.concatenate([Y, Yv])
    usual = data.scaling(both)
    kind, strength = recipe.inputs or ("", 0.0)
    if kind == "times":
        usual = usual * strength
    elif kind == "plus":
        usual = usual + strength
    elif kind == "raw":
        raw = rng.permutation(both.shape[1])[: max(1, round(strength * both.shape[1]))]
        usual[:, raw] = both[:, raw]
    elif kind.startswith("small"):
        usual[:, _FIRST[recipe.data][: int(kind[-1])]] *= strength
    elif kind.startswith("beside"):
        usual = np.hstack([usual, _beside(kind.removeprefix("beside "), len(usual), strength, rng)])
    if recipe.scaling == "standard":
        usual = cp.data.standardize(usual[:n])(usual)
    targets = _targets(recipe, labels, data, rng)
    rows = np.arange(n) if recipe.rows is None else rng.permutation(n)[: recipe.rows]
    return usual[rows], targets[rows], (usual[n:], targets[n:])


def _targets(recipe: Recipe, Y: np.ndarray, data: Any, rng: np.random.Generator) -> np.ndarray:
    kind, strength = recipe.targets or ("", 0.0)
    Y = _rearranged(kind, strength, Y, rng)
    if data.task == "classification":
        Y = Y.copy()
        if kind == "wrong_labels":
            wrong = rng.random(len(Y)) < strength
            Y[wrong] = rng.integers(0, len(data.classes), wrong.sum())
        return np.eye(len(data.classes))[Y]
    y = Y[:, None].astype(float)
    if kind == "into_unit":
        y = strength * (2 * (y - y.min()) / (y.max() - y.min()) - 1)
    elif kind == "into_unit_positive":
        y = strength * (y - y.min()) / (y.max() - y.min())
    elif kind == "noise":
        y = y + strength * y.std() * rng.normal(size=y.shape)
    elif kind == "times":
        y = strength * ((y - y.mean()) / y.std() + 1)
    if recipe.target_scaling == "standard" and (
        kind not in ("into_unit", "into_unit_positive") or recipe.output == "identity"
    ):
        y = (y - y.mean()) / y.std()
    return y


def _rearranged(kind: str, strength: float, Y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return targets that have other rows than their own."""
    if kind == "moved":
        return np.roll(Y, int(strength))
    if kind not in ("shuffled", "sorted"):
        return Y
    Y, some = Y.copy(), rng.random(len(Y)) < strength
    Y[some] = rng.permutation(Y[some]) if kind == "shuffled" else np.sort(Y[some])
    return Y


def _times_weights(net: cp.Network, strength: float, rng: Any) -> None:
    for W in net.weights:
        W[:] *= strength


def _hidden_biases(net: cp.Network, strength: float, rng: Any) -> None:
    for b in net.biases[:-1]:
        b[:] = strength * rng.choice([-1.0, 1.0], len(b))


def _hidden_biases_negative(net: cp.Network, strength: float, rng: Any) -> None:
    for b in net.biases[:-1]:
        b[:] = -strength


def _output_bias(net: cp.Network, strength: float, rng: Any) -> None:
    net.biases[-1][:] = strength


def _output_weights(net: cp.Network, strength: float, rng: Any) -> None:
    net.weights[-1][:] *= strength


def _deaf(net: cp.Network, strength: float, rng: Any) -> None:
    units = rng.permutation(net.sizes[1])[: max(1, round(strength * net.sizes[1]))]
    net.weights[0][units] *= 1e-3


def _one_deaf(net: cp.Network, strength: float, rng: Any) -> None:
    net.weights[0][rng.integers(net.sizes[1])] *= strength


def _identical(net: cp.Network, strength: float, rng: Any) -> None:
    units = rng.permutation(net.sizes[1])[: max(2, round(strength * net.sizes[1]))]
    net.weights[0][units] = net.weights[0][units[0]]
    net.weights[1][:, units] = net.weights[1][:, units[:1]]


def _nan(net: cp.Network, strength: float, rng: Any) -> None:
    W = net.weights[0].reshape(-1)
    W[rng.permutation(W.size)[: max(1, round(strength * W.size))]] = np.nan


SPOILS: dict[str, Callable[[cp.Network, float, Any], None]] = {
    "weights": _times_weights,
    "hidden_biases": _hidden_biases,
    "hidden_biases_negative": _hidden_biases_negative,
    "output_bias": _output_bias,
    "output_weights": _output_weights,
    "deaf": _deaf,
    "one deaf": _one_deaf,
    "identical": _identical,
    "nan": _nan,
}


@dataclass
class Outcome:
    found: list[Finding]
    first: list[Finding]  # of the first look that had a warning: what its reader would act upon
    cost: float  # that is learned; NaN if it diverged
    measure: float  # mean squared error of the outputs over the targets' variance; NaN if it diverged


def train(recipe: Recipe, seed: int) -> Outcome:
    """Train as the recipe says, diagnosing before, while and after."""
    X, Y, held = _arrays(recipe, seed)
    net = cp.Network(
        [X.shape[1], *recipe.hidden, Y.shape[1]],
        recipe.activation,
        recipe.output,
        recipe.cost,
        initializer=recipe.initializer,
        seed=seed,
    )
    if recipe.start:
        SPOILS[recipe.start[0]](net, recipe.start[1], np.random.default_rng(seed))
    optimizer = (
        cp.Adam(recipe.learning_rate)
        if recipe.optimizer == "adam"
        else cp.SGD(recipe.learning_rate, momentum=recipe.momentum)
    )
    how = {"optimizer": optimizer, "batch_size": recipe.batch_size, "l2": recipe.l2}
    looked = how | {"max_samples": ROWS}
    before = list(cp.diagnose(net, X, Y, **looked))
    found: list[Finding] = []
    validation = held if recipe.validation or recipe.early_stopping else None
    watch = cp.DiagnosisCallback(report=found.append, max_samples=ROWS)
    history = None
    try:
        training = cp.Training(
            net,
            X,
            Y,
            **how,
            epochs=recipe.epochs,
            clip_norm=recipe.clip_norm,
            validation_data=validation,
            early_stopping=cp.EarlyStopping(patience=5) if recipe.early_stopping else None,
            callbacks=[watch],
            n_threads=1,
            progress=False,
        )
        history = training.history
        training.run()
        after = net.copy()
    except cp.DivergenceError:
        after = None
    except ValueError:  # parameters or targets that training refuses
        return Outcome(before, before, float("nan"), float("nan"))
    at_end = list(cp.diagnose(net, X, Y, history, **looked))
    looks = [before, found, at_end]
    loud = [look for look in looks if any(each.severity != "info" for each in look)]
    first = loud[0] if loud else [each for look in looks for each in look]
    on = held if recipe.validation else (X, Y)
    everything = [each for look in looks for each in look]
    if after is None:
        return Outcome(everything, first, float("nan"), float("nan"))
    return Outcome(everything, first, after.cost(*on), _measure(after, *on))


def _measure(net: cp.Network, X: np.ndarray, Y: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        error = np.square(net.predict(X).astype(float) - Y).mean()
    return float(error / Y.var(axis=0).mean())


def mended(recipe: Recipe, finding: Finding) -> Recipe:
    """Return the recipe with a finding's changes made."""
    relu = recipe.activation in ("relu", "gelu")
    changes = dict(finding.changes)
    if changes.get("activation") == "relu":
        relu = True
    new: dict[str, Any] = {}
    for key, value in changes.items():
        if key.endswith("_factor"):
            name = key.removesuffix("_factor")
            old = getattr(recipe, name)
            new[name] = max(1, round(old * value)) if name == "batch_size" else old * value
        elif key == "initializer":
            new["start"] = None
            new[key] = ("he_normal" if relu else "glorot_uniform") if value == "usual" else value
        elif key != "bias_initializer":
            new[key] = value
    if new.get("target_scaling") and _data(recipe.data).task == "classification":
        del new["target_scaling"]
    return replace(recipe, **new)


def _speaks(finding: Finding, expected: Iterable[str] = ()) -> bool:
    return finding.severity != "info" or (finding.id in INFORMS and finding.id in set(expected))


@dataclass
class Row:
    fault: str
    strength: float
    level: int
    seed: int
    ids: set[str]
    expects: set[str]
    allows: set[str]
    followed: str = ""
    before: float = float("nan")
    after: float = float("nan")

    @property
    def hit(self) -> bool:
        return bool(self.ids & self.expects)

    @property
    def helped(self) -> bool:
        if np.isnan(self.before):
            return not np.isnan(self.after)
        return self.after < 0.999 * self.before


def plant(fault: Fault, level: int, seed: int) -> Row:
    recipe = fault.plant(fault.recipe, fault.strengths[level])
    outcome = train(recipe, seed)
    spoken = [each for each in outcome.found if _speaks(each, fault.expects)]
    ids = {each.id for each in spoken}
    row = Row(
        fault.name, fault.strengths[level], level, seed, ids, set(fault.expects), set(fault.allows)
    )
    acted = [each for each in outcome.first if _speaks(each, fault.expects)]
    loud = [each for each in acted if each.severity != "info"] or acted
    # Where nothing is wrong, information that says what to change is what there is to follow.
    cures = [each for each in Findings(loud or outcome.first) if each.changes]
    row.before = outcome.measure
    if cures:
        row.followed = f"{cures[0].id} {cures[0].name}"
        cured = mended(recipe, cures[0])
        after = train(cured, seed)
        # One cost is compared with itself; another one, or other targets, by the squared error.
        same = (cured.cost, cured.output, cured.target_scaling) == (
            recipe.cost,
            recipe.output,
            recipe.target_scaling,
        )
        row.before = outcome.cost if same else outcome.measure
        row.after = after.cost if same else after.measure
    return row


def _one(task: tuple[int, int, int]) -> Row:
    return plant(FAULTS[task[0]], *task[1:])


@dataclass
class Alarm:
    """What was said of a healthy run."""

    run: str
    told: list[tuple[str, str]]  # id and name of the warnings


def _healthy(task: tuple[Recipe, int]) -> Alarm:
    recipe, seed = task
    warned = {(each.id, each.name) for each in train(recipe, seed).found if each.severity != "info"}
    return Alarm(f"{recipe.data} {recipe.activation} seed {seed}", sorted(warned))


def _hard(task: tuple[Recipe, int]) -> Alarm:
    """Return whether rows were said not to belong together where little can be learned of any."""
    recipe, seed = task
    targets = " ".join(map(str, recipe.targets or ()))
    run = f"{recipe.data} {recipe.activation} {recipe.rows or ''} {targets} seed {seed}"
    spoken = [each for each in train(recipe, seed).found if each.id == "D21"]
    return Alarm(" ".join(run.split()), sorted({(each.id, each.name) for each in spoken}))


def _kept(
    folder: str | None, name: str, seeds: Sequence[int], work: Callable[[], list[Any]]
) -> list[Any]:
    """Return what work gives, or what it gave an earlier run that kept it in the folder."""
    if folder is None:
        return work()
    file = Path(folder) / f"{seeds[0]}-{seeds[-1]} {name[:60]}.json"
    kind = Alarm if name in ("healthy", "hard") else Row
    if file.exists():
        rows = [kind(**each) for each in json.loads(file.read_text("utf-8"))]
        for row in rows:
            if isinstance(row, Row):
                row.ids, row.expects, row.allows = set(row.ids), set(row.expects), set(row.allows)
        return rows
    rows = work()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([_plain(row) for row in rows]), "utf-8")
    return rows


def _plain(row: Row | Alarm) -> dict[str, Any]:
    return {key: sorted(value) if isinstance(value, set) else value for key, value in vars(row).items()}


def run(
    faults: Sequence[Fault],
    healthy: Sequence[Recipe],
    hard: Sequence[Recipe],
    seeds: Sequence[int],
    options: argparse.Namespace,
) -> None:
    """Run everything, print the tables, and write them unless it is a quick or partial run."""
    warnings.simplefilter("ignore")
    began = time.time()
    rows: list[Row] = []
    with multiprocessing.get_context("fork").Pool(
        options.processes, warnings.simplefilter, ("ignore",)
    ) as pool:
        for fault in faults:
            here = [each.name for each in FAULTS].index(fault.name)
            tasks = [(here, level, seed) for level in range(3) for seed in seeds]
            work = functools.partial(pool.map, _one, tasks, chunksize=1)
            rows += _kept(options.parts, fault.name, seeds, work)
            _say_fault(fault, [row for row in rows if row.fault == fault.name])
        tasks = [(recipe, seed) for recipe in healthy for seed in seeds]
        alarms: list[Alarm] = []
        if tasks:
            work = functools.partial(pool.map, _healthy, tasks, chunksize=1)
            alarms = _kept(options.parts, "healthy", seeds, work)
        tasks = [(recipe, seed) for recipe in hard for seed in seeds]
        told: list[Alarm] = []
        if tasks:
            work = functools.partial(pool.map, _hard, tasks, chunksize=1)
            told = _kept(options.parts, "hard", seeds, work)
    text = report(rows, alarms, told, seeds)
    seconds = time.time() - began
    if not options.parts:
        text += f"\n{seconds:.0f} s in {options.processes} processes, beside other work.\n"
    print(text)
    if options.output or not (options.quick or options.only or options.seeds == "calibration"):
        folder = Path(options.output or Path(__file__).parent / "results")
        folder.mkdir(exist_ok=True)
        (folder / "faults.md").write_text(text, "utf-8")
        plain = json.dumps([_plain(row) for row in rows], indent=0)
        (folder / "faults.json").write_text(plain + "\n", "utf-8")


def _say_fault(fault: Fault, rows: list[Row]) -> None:
    print(f"{fault.name}", file=sys.stderr)
    for level in range(3):
        mine = [row for row in rows if row.level == level]
        found = collections.Counter(i for row in mine for i in row.ids)
        cures = collections.Counter(row.followed for row in mine if row.followed)
        helped = sum(row.helped for row in mine if row.followed)
        print(
            f"   {mine[0].strength:>8g}  hit {sum(row.hit for row in mine)}/{len(mine)}  "
            f"helped {helped}/{sum(cures.values())} {dict(cures)}  {dict(found)}  "
            + " ".join(f"{row.before:.2g}>{row.after:.2g}" for row in mine[:3]),
            file=sys.stderr,
        )


def report(rows: list[Row], alarms: list[Alarm], hard: list[Alarm], seeds: Sequence[int]) -> str:
    """Return the tables as Markdown."""
    about = machine.describe()
    lines = ["# Planted faults", "", f"Seeds {seeds[0]} to {seeds[-1]}. {_machine_line(about)}", ""]
    lines += [
        "| Planted | strengths | "
        + "recall at each | remedy helped | rules that spoke at full strength |"
    ]
    lines += ["|---|---|---:|---:|---|"]
    for name in dict.fromkeys(row.fault for row in rows):
        mine = [row for row in rows if row.fault == name]
        levels = [[row for row in mine if row.level == level] for level in range(3)]
        recall = " / ".join(f"{_share(row.hit for row in level):.2f}" for level in levels)
        followed = [row for row in mine if row.followed]
        helped = f"{sum(row.helped for row in followed)} of {len(followed)}"
        spoke = collections.Counter(i for row in levels[2] for i in row.ids)
        said = ", ".join(f"{i} {n}" for i, n in spoke.most_common())
        strengths = ", ".join(f"{level[0].strength:g}" for level in levels)
        lines.append(f"| {name} | {strengths} | {recall} | {helped} | {said} |")
    lines += ["", *_rule_table(rows, [*alarms, *hard]), "", *_summary(rows, alarms, hard)]
    return "\n".join(lines) + "\n"


def _machine_line(about: dict[str, Any]) -> str:
    kept = ("date", "commit", "cpu", "cores", "python")
    return ", ".join(f"{key}: {about[key]}" for key in kept if key in about)


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else float("nan")


def _rule_table(rows: list[Row], alarms: list[Alarm]) -> list[str]:
    lines = [
        "| Rule | precision | spoke, as expected or as a consequence | spoke falsely "
        "| recall at each strength, where it is expected alone |"
    ]
    lines += ["|---|---:|---:|---:|---:|"]
    for rule in RULES:
        right = sum(rule in row.ids and rule in row.expects | row.allows for row in rows)
        wrong = sum(rule in row.ids and rule not in row.expects | row.allows for row in rows)
        wrong += sum(any(said == rule for said, _ in alarm.told) for alarm in alarms)
        alone = [row for row in rows if row.expects == {rule}]
        recall = [
            f"{_share(rule in row.ids for row in alone if row.level == level):.2f}"
            for level in range(3)
        ]
        precision = f"{right / (right + wrong):.2f}" if right + wrong else "-"
        lines.append(
            f"| {rule} | {precision} | {right} | {wrong} | {' / '.join(recall) if alone else '-'} |"
        )
    return lines


def _counted(what: str, alarms: list[Alarm]) -> str:
    told = [
        f"{alarm.run}: {', '.join(f'{said} {name}' for said, name in alarm.told)}"
        for alarm in alarms
        if alarm.told
    ]
    return f"- {what}: {len(told)} of {len(alarms)}. {'; '.join(told)}".rstrip()


def _summary(rows: list[Row], alarms: list[Alarm], hard: list[Alarm]) -> list[str]:
    full = [row for row in rows if row.level == 2]
    worst = {name: _share(r.hit for r in full if r.fault == name) for name in {r.fault for r in full}}
    below = [f"{name} ({value:.2f})" for name, value in sorted(worst.items()) if value < 0.9]
    followed = [row for row in rows if row.followed]
    return [
        f"- Faults with recall at full strength of at least 0.9: {len(worst) - len(below)} of "
        f"{len(worst)}" + (f"; below: {', '.join(below)}." if below else "."),
        f"- Remedies followed: {len(followed)} of {len(rows)} planted runs; the error after as many "
        f"epochs is lower in {100 * _share(row.helped for row in followed):.0f} % of them "
        f"(full strength: {100 * _share(row.helped for row in followed if row.level == 2):.0f} %). "
        f"That is {100 * _share(row.helped for row in rows):.0f} % of all planted runs, counting as "
        "not helped those in which nothing was found or nothing is to be changed.",
        _counted("Healthy runs with any warning", alarms),
        _counted("Hard runs whose rows were said not to belong together (D21)", hard),
    ]
