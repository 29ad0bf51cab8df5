"""Lessons as data: what they may say, and that what they claim is so by the library as well."""

import re

import numpy as np
import pytest

import clearprop as cp
from clearprop import randomness
from clearprop.exploration.cards.lessons import LESSONS
from clearprop.exploration.sets import SMALL

STEP = {"text", "run", "press", "choose", "speed", "grain", "claim"}
RUN = {
    "data",
    "hidden",
    "activation",
    "output",
    "optimizer",
    "rate",
    "batch",
    "seed",
    "start",
    "dropout",
}
PLACE = RUN | {"step", "edits"}
MEASURES = {  # what each asks for
    "cost": set(),
    "fresh": {"rows"},
    "activation": {"layer"},
    "delta": {"layer"},
    "parameter": {"place"},
    "slope": {"place"},
    "gradient": {"layer"},
    "spread": {"layer"},
    "steps": set(),
    "above": {"seeds", "limit"},
}
CLAIMS = [
    pytest.param(lesson, n, id=f"{lesson['name']}-{n + 1}")
    for lesson in LESSONS
    for n, step in enumerate(lesson["steps"])
    if "claim" in step and step["claim"]["measure"] not in ("fresh", "steps")
]
QUICK = "and-1", "saturation-2", "saturation-3", "cross-entropy-3", "mazur-5", "mazur-6", "s1-2"


def test_a_lesson_has_a_run_steps_and_a_claim():
    names = [each["name"] for each in LESSONS]
    assert len(set(names)) == len(names) >= 8 + 4
    html = cp.explore().html
    for lesson in LESSONS:
        assert set(lesson) == {"name", "group", "title", "run", "steps"}
        assert f'href="#lesson={lesson["name"]}"' in html
        assert any("claim" in step for step in lesson["steps"]), lesson["name"]
        checked(lesson["run"], RUN)
        for step in lesson["steps"]:
            assert "text" in step
            assert set(step) <= STEP, step
            assert len(step["text"]) < 330, step["text"]
            checked(step.get("run", {}), PLACE)
            if "press" in step:
                assert f'id="{step["press"]}"' in html, step["press"]
            if "claim" in step:
                claim_is_whole(step["claim"])


def checked(run, names):
    assert set(run) <= names, run
    assert all(isinstance(value, str) for value in run.values()), run


def claim_is_whole(claim):
    needed = {"says", "number", "measure"} | MEASURES[claim["measure"]]
    assert needed <= set(claim) <= needed | {"run", "over", "under"}, claim
    assert re.fullmatch(r"−?\d+(\.\d+)?", claim["number"]), claim
    checked(claim.get("run", {}), PLACE)
    checked(claim.get("over", {}), PLACE)


@pytest.mark.parametrize(
    ("lesson", "n"),
    [each if each.id in QUICK else pytest.param(*each.values, id=each.id, marks=pytest.mark.slow)
     for each in CLAIMS],
)  # fmt: skip
def test_the_library_comes_to_the_number_that_is_claimed(lesson, n):
    steps = lesson["steps"]
    claim = steps[n]["claim"]
    own = next((each["run"] for each in reversed(steps[: n + 1]) if "run" in each), {})
    run = {**lesson["run"], **own, **claim.get("run", {})}
    came = value(claim, run)
    if "over" in claim:
        came /= value(claim, run | claim["over"])
    if "under" in claim:
        came /= value({**claim, "layer": claim["under"]}, run)
    number = claim["number"].replace("−", "-")
    decimals = len(number.partition(".")[2])
    assert abs(came - float(number)) <= 0.5 * 10**-decimals + 1e-9, (came, number)


def value(claim, run):
    """Return a claim's measure of a run, as the library computes it."""
    if claim["measure"] == "above":
        seeds = (run | {"seed": str(seed)} for seed in range(claim["seeds"]))
        return sum(value({"measure": "cost"}, each) > claim["limit"] for each in seeds)
    net, X, Y = trained(run)
    trace = net.trace(X, Y)
    layer = trace.layers[claim.get("layer", 1) - 1]
    match claim["measure"]:
        case "cost":
            return trace.cost
        case "activation":
            return layer.a[0, 0]
        case "delta":
            return layer.delta[0, 0]
        case "gradient":
            return np.linalg.norm(layer.weight_gradient)
        case "spread":
            return max(np.ptp(layer.weights, axis=0).max(), np.ptp(layer.biases))
        case "parameter":
            return net.parameters[int(claim["place"][1:])]
        case "slope":
            return net.gradient(X, Y).flat[int(claim["place"][1:])]


def trained(run):
    """Return the network of a run after its steps, and its rows."""
    X, Y = rows(run)
    hidden = [int(each) for each in run["hidden"].split(",") if each]
    output = "softmax" if run["output"] == "cross_entropy" else "sigmoid"
    names = run.get("activation", "tanh").split(",")
    names = names * len(hidden) if len(names) == 1 else names
    hidden = [cp.Layer(*each) for each in zip(hidden, names, strict=True)]
    seed = int(run.get("seed", "0"))
    net = cp.Network(
        [X.shape[1], *hidden, Y.shape[1]], output=output, cost=run["output"], dtype="float64", seed=seed
    )
    if run.get("start"):
        net.parameters[:] = [float(each) for each in run["start"].split(",")]
    if "edits" in run:
        place, number = re.fullmatch(r"0:p(\d+):(.*)", run["edits"]).groups()
        net.parameters[int(place)] = float(number)
    optimizer = {"sgd": cp.SGD, "adam": cp.Adam}[run["optimizer"]](float(run["rate"]))
    size = int(run["batch"])
    epochs, left = divmod(int(run.get("step", "0")), -(-len(X) // size))
    assert not left
    if epochs:
        net.fit(X, Y, epochs=epochs, optimizer=optimizer, batch_size=size, seed=seed, progress=False)
    return net, X, Y


def rows(run):
    """Return the rows of a run; those that are drawn, by the page's recipe for them."""
    rows = SMALL[run["data"]]
    if "drawn" not in rows:
        X, Y = np.array(rows["X"], float), np.array(rows["Y"], float)
    else:
        X, Y = drawn(**rows)
    return X, np.hstack([1 - Y, Y]) if run["output"] == "cross_entropy" else Y


def drawn(called, drawn, noise, rows):
    along = randomness.uniform(0, rows, purpose=15)
    normal = randomness.normal(0, 2 * rows, purpose=15, layer=1).reshape(rows, 2)
    which = np.arange(rows) % 2
    angle = 2 * np.pi * along
    if drawn == "moons":
        side = np.where(which, -1, 1)
        places = np.stack([np.cos(angle / 2), np.sin(angle / 2)], 1) * side[:, None]
        places -= side[:, None] * [0.5, 0.25]
    else:
        assert drawn == "circles"
        places = np.stack([np.cos(angle), np.sin(angle)], 1) * np.where(which, 1, 0.4)[:, None]
    return np.round(places + noise * normal, 3), which[:, None].astype(float)
