"""Write docs/why-does-my-network-learn-slowly.md and its pictures: python docs/make_why_slowly.py.

Every network on the page is built, broken and diagnosed here; every sentence about it is what
`cp.diagnose` said, and every number in a picture is one of its own.
"""

# ruff: noqa: D103, E501 - a sentence of prose is one line; each finding is shown by the function of its name

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import svg_charts as charts

import clearprop as cp
from clearprop.diagnosis import Finding, Findings, Thresholds, quantities
from clearprop.diagnosis.rules.words import symbols

DOCS = Path(__file__).parent
PAGE = DOCS / "why-does-my-network-learn-slowly.md"
PICTURES = DOCS / "why-slowly"
LIMITS = Thresholds()


@functools.cache
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return 200 digits to learn and 200 others."""
    digits = cp.data.load("digits")
    X, Y = digits.train[0] / 16, np.eye(10)[digits.train[1]]
    return X[:200], Y[:200], X[200:400], Y[200:400]


def network(*hidden: int, **how: object) -> cp.Network:
    """Return a network for the digits, tanh unless it is said otherwise."""
    how = {"activation": "tanh", "dtype": "float64", "seed": 0} | how
    return cp.Network([64, *(hidden or (16,)), 10], **how)


def numbers(net: cp.Network) -> quantities.Pass:
    """Return one pass over the 200 digits."""
    X, Y, _, _ = data()
    return quantities.run(net.architecture, net.parameters, X, Y)


def train(net: cp.Network, epochs: int, optimizer: cp.SGD | cp.Adam, **how: object) -> cp.History:
    """Train on the reference engine, whose numbers are the same everywhere."""
    X, Y, _, _ = data()
    how = {"batch_size": 20, "seed": 0, "progress": False, "engine": "numpy"} | how
    return net.fit(X, Y, epochs=epochs, optimizer=optimizer, **how)


def on_curve(net: cp.Network, layer: int, sick: int, well: int | None, title: str) -> str:
    """Draw the activation of a layer, and where the examples of a unit lie on it."""
    p = numbers(net)
    z = p.z[layer][:40]
    function = net.layers[layer].function
    reach = max(4.0, float(np.ceil(np.abs(z[:, [sick] + ([] if well is None else [well])]).max())))
    across = np.linspace(-reach, reach, 81)
    up = function(across)
    plane = charts.Plane((-reach, reach), (float(min(up.min(), 0)), float(up.max())))
    plane.line(list(zip(across, up, strict=True)))
    shown = [] if well is None else [(well, "dot")]
    for unit, kind in [*shown, (sick, "dot sick")]:
        plane.dots([(value, float(function(np.array([value]))[0])) for value in z[:, unit]], kind)
    plane.axes("z, for 40 examples", "a = f(z)")
    return charts.picture(title, f"unit {sick} lies where the curve is flat", plane.parts)


def deltas(net: cp.Network, title: str, sick: bool = True) -> str:
    """Draw the RMS of delta, layer by layer."""
    layers = [quantities.layer_numbers(numbers(net), i, LIMITS) for i in range(len(net.layers))]
    return charts.bars(
        title, [(f"layer {each.number}", each.delta, sick and each.number == 1) for each in layers]
    )


def d1() -> tuple[Findings, str]:
    net = network()
    net.weights[1][3, 2] = np.nan
    p = numbers(net)
    steps = [("W₁", net.weights[0]), ("z₁", p.z[0]), ("a₁", p.a[1]), ("W₂", net.weights[1]), ("z₂", p.z[1]),
             ("a₂", p.a[2]), ("δ₂", p.delta[1]), ("δ₁", p.delta[0]), ("∂C/∂W₁", p.gradient[: net.weights[0].size])]  # fmt: skip
    parts = []
    for i, (name, values) in enumerate(steps):
        x, bad = 14 + 59 * i, not np.isfinite(values).all()
        kind = "limit" if bad else "axis"
        parts.append(f'<rect class="{kind}" fill="none" x="{x}" y="40" width="53" height="40" rx="5"/>')
        parts.append(charts.text(x + 26, 57, name, "middle"))
        parts.append(charts.text(x + 26, 74, "NaN ✗" if bad else "finite", "middle", "quiet"))
    return found(net), charts.picture(
        "In the order of the pass", "W2 is the first that is not finite", parts, 96
    )


def d2() -> tuple[Findings, str]:
    net = network()
    net.biases[0][:8] = 5.0
    return found(net), on_curve(net, 0, 0, 12, "One saturated unit (red), one that is not")


def d3() -> tuple[Findings, str]:
    net = network(output="sigmoid", cost="quadratic")
    net.biases[1][:] = 6.0
    return found(net), on_curve(net, 1, 4, None, "An output that says 1 to every example")


def d4() -> tuple[Findings, str]:
    net = network()
    net.weights[0][:4] *= 1e-3
    layer = quantities.layer_numbers(numbers(net), 0, LIMITS)
    shown = [(f"unit {j}", float(layer.activation[j]), j < 4) for j in range(8)]
    return found(net), charts.bars("Activations of layer 1 (RMS over the examples)", shown)


def d4_inputs() -> tuple[Findings, str]:
    X, Y, _, _ = data()
    X = X.copy()
    X[:, 20] *= 1e-3
    net = network()
    rms = np.sqrt(np.square(X).mean(axis=0))
    shown = [(f"feature {j}", float(rms[j]), j == 20) for j in range(18, 24)]
    return cp.diagnose(net, X, Y), charts.bars(
        "Activations of six inputs (RMS over the examples)", shown
    )


def d5() -> tuple[Findings, str]:
    net = network(activation="relu", initializer="he_normal")
    net.biases[0][:8] = -6.0
    return found(net), on_curve(net, 0, 0, 12, "One dead unit (red), one that is alive")


def d6() -> tuple[Findings, str]:
    net = network(16, 16, 16, 16, 16, activation="sigmoid")
    return found(net), deltas(net, "RMS of δ, layer by layer: 6 layers of sigmoid units")


def d7() -> tuple[Findings, str]:
    net = network(16, 16, 16, 16, 16, activation="relu", initializer="he_normal")
    for W in net.weights[1:]:
        W[:] *= 3.0
    return found(net), deltas(net, "RMS of δ, layer by layer: weights three times too large")


def d8() -> tuple[Findings, str]:
    net = network(16, 16, 16)
    for W in net.weights[1:]:
        W[:] *= 0.05
    layers = [quantities.layer_numbers(numbers(net), i, LIMITS) for i in range(1, 4)]
    shown = [(f"layer {each.number}", each.gain, each.gain < LIMITS.gain_low) for each in layers]
    return found(net), charts.bars(
        "Gain of each layer, on the way back", shown, limit=LIMITS.gain_low, limit_name="limit"
    )


def d9() -> tuple[Findings, str]:
    X, Y, _, _ = data()
    sizes = []
    for rate in (1e-5, 0.1):
        net = network()
        p = numbers(net)
        after = net.parameters - rate * p.gradient
        W, V = net.weights[1], net.architecture.views(after)[0][1]
        sizes.append((f"rate {rate:g}", float(np.linalg.norm(V - W) / np.linalg.norm(W)), rate < 1e-2))
    picture = charts.bars(
        "‖W_after − W‖ / ‖W‖ of layer 2, one step",
        sizes,
        limit=LIMITS.update_low_warning,
        limit_name="limit",
    )
    return cp.diagnose(network(), X, Y, optimizer=cp.SGD(1e-5)), picture


def d10() -> tuple[Findings, str]:
    X, Y, _, _ = data()
    net = network()
    train(net, 10, cp.SGD(0.1))
    scale = quantities.gradient_numbers(numbers(net)).noise_scale
    picture = charts.bars(
        "Samples in a batch, and at which noise and signal are equal",
        [("batch", 1.0, True), ("noise scale", scale, False)],
    )
    return cp.diagnose(net, X, Y, batch_size=1), picture


def d11() -> tuple[Findings, str]:
    X, Y, _, _ = data()
    net = network()
    history = train(net, 18, cp.SGD(0.1), l2=1.0)
    found = cp.diagnose(net, X, Y, history, optimizer=cp.SGD(0.1), batch_size=20, l2=1.0)
    return found, charts.curves("Cost, with a penalty of 1", [("cost", history["cost"])])


def d12() -> tuple[Findings, str]:
    found, _ = d11()
    X, Y, _, _ = data()
    net = network()
    train(net, 18, cp.SGD(0.1), l2=1.0)
    g, W = net.gradient(X, Y).weights, net.weights
    sizes = [float(np.sqrt(sum(np.square(each).sum() for each in of))) for of in (g, W)]
    shown = [("the cost's", sizes[0], False), ("the penalty's", sizes[1], True)]
    return found, charts.bars("Two gradients that pull the weights, l2 = 1", shown)


def one_layer(optimizer: cp.SGD, epochs: int, title: str) -> tuple[Findings, str]:
    """Train a linear network on all examples at once: what its steps do, they do to every bit again."""
    X, Y, _, _ = data()
    net = cp.Network([64, 10], output="identity", cost="quadratic", dtype="float64", seed=0)
    history = train(net, epochs, optimizer, batch_size=200)
    found = cp.diagnose(net, X, Y, history, optimizer=optimizer, batch_size=200)
    return found, charts.curves(title, [("cost", history["cost"])])


def d13() -> tuple[Findings, str]:
    return one_layer(cp.SGD(0.1, momentum=0.97), 24, "Cost, learning rate 0.1, momentum 0.97")


def d14() -> tuple[Findings, str]:
    return one_layer(cp.SGD(0.2), 8, "Cost, learning rate 0.2")


def d15() -> tuple[Findings, str]:
    net = network()
    net.weights[1][:] *= 20.0
    X, Y, _, _ = data()
    shown = [("at the start", net.cost(X, Y), True), ("all equal", float(np.log(10)), False)]
    return found(net), charts.bars(
        "Cost before the first step, and of ten equal probabilities", shown, log=False
    )


def d16() -> tuple[Findings, str]:
    net = network()
    net.weights[0][5], net.weights[1][:, 5] = net.weights[0][2], net.weights[1][:, 2]
    parts, largest = [], float(np.abs(net.weights[0][:, 8:32]).max())
    for row, unit in enumerate((2, 3, 5)):
        y = 46 + 28 * row
        parts.append(charts.text(charts.LEFT - 8, y + 4, f"unit {unit}", "end"))
        for column, weight in enumerate(net.weights[0][unit, 8:32]):
            side = 17 * float(np.sqrt(abs(weight) / largest))
            x = charts.LEFT + 10 + 18 * column
            kind = "bar" if weight > 0 else "sick"
            box = (
                f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"'
            )
            parts.append(f'<rect class="{kind}" {box}/>')
    parts.append(
        charts.text(
            charts.LEFT, 132, "24 weights in: area is size, blue positive, red negative", kind="quiet"
        )
    )
    return found(net), charts.picture(
        "Units 2 and 5 are copies, unit 3 is not", "rows 2 and 5 are equal", parts, 144
    )


def d17() -> tuple[Findings, str]:
    X, _, _, _ = data()
    y = X[:, 20:36].sum(axis=1, keepdims=True)
    y = 1.6 * (y - y.min()) / (y.max() - y.min())
    net = cp.Network(
        [64, 16, 1], activation="tanh", output="sigmoid", cost="quadratic", dtype="float64", seed=0
    )
    plane = charts.Plane((0, 60), (0.0, 1.6))
    plane.line([(0, 1), (60, 1)], "limit")
    for beyond in (False, True):
        mine = [(i, float(v)) for i, v in enumerate(y[:60, 0]) if (v > 1) == beyond]
        plane.dots(mine, "dot sick" if beyond else "dot")
    plane.label(60, 1.08, "all that a sigmoid can say", "end")
    plane.axes("60 examples", "y")
    return cp.diagnose(net, X, y), charts.picture(
        "Targets, and the edge of the outputs", "some lie above 1", plane.parts
    )


def d18() -> tuple[Findings, str]:
    net = network(output="sigmoid", cost="quadratic")
    z = np.linspace(-6, 6, 121)
    a = 1 / (1 + np.exp(-z))
    plane = charts.Plane((-6, 6), (0.0, 1.0))
    plane.line(list(zip(z, a * a * (1 - a), strict=True)))
    plane.line(list(zip(z, a, strict=True)), "line second")
    plane.label(6, 0.1, "quadratic: (a − y) f'(z)", "end")
    plane.label(0.3, 0.72, "cross-entropy: a − y", "end")
    plane.axes("z, where y = 0: right is wrong", "δ")
    return found(net), charts.picture(
        "δ of a sigmoid output under two costs",
        "quadratic goes to 0 where it is most wrong",
        plane.parts,
    )


def d19() -> tuple[Findings, str]:
    X, Y, _, _ = data()
    X = X.copy()
    X[:, 20] *= 40
    net = network()
    rms = np.sqrt(np.square(X).mean(axis=0))
    shown = [(f"feature {j}", float(rms[j]), rms[j] > LIMITS.input_high) for j in range(18, 24)]
    picture = charts.bars(
        "Size of six features (RMS)", shown, limit=LIMITS.input_high, limit_name="limit"
    )
    return cp.diagnose(net, X, Y), picture


def d20() -> tuple[Findings, str]:
    X, Y, Xv, Yv = data()
    X, Y = X[:60], Y[:60].copy()
    Y[::3] = np.roll(Y[::3], 3, axis=1)  # every third label is wrong: that can only be learned by heart
    net = network(32)
    history = net.fit(X, Y, epochs=40, optimizer=cp.Adam(1e-2), batch_size=20, seed=0, progress=False,
                      engine="numpy", validation_data=(Xv, Yv))  # fmt: skip
    found = cp.diagnose(net, X, Y, history)
    lines = [("training", history["cost"]), ("validation", history["validation_cost"])]
    return found, charts.curves(
        "Cost of 60 examples, a third with wrong labels, and of 200 others", lines
    )


def d21() -> tuple[Findings, str]:
    X, Y, Xv, Yv = data()
    order = np.random.default_rng(0).permutation(200)
    Y, Yv = Y[order], Yv[order]  # each row has the label of another one
    net = network()
    history = net.fit(X, Y, epochs=40, optimizer=cp.Adam(1e-2), batch_size=20, seed=0, progress=False,
                      engine="numpy", validation_data=(Xv, Yv))  # fmt: skip
    found = cp.diagnose(net, X, Y, history)
    lines = [("training", history["cost"]), ("validation", history["validation_cost"])]
    return found, charts.curves(
        "Cost of 200 examples with each other's labels, learned by heart, and of 200 others", lines
    )


def found(net: cp.Network) -> Findings:
    """Return what `cp.diagnose` says of a network and the 200 digits."""
    X, Y, _, _ = data()
    return cp.diagnose(net, X, Y)


# id: which functions show it; what is measured, with the limits as they are.
SHOWN = {
    "D1": (d1, "any value of a pass that is NaN or infinite: the first one is named"),
    "D2": (d2, f"hidden units whose f'(z) is below {LIMITS.low_slope:.0%} of its largest value on {LIMITS.saturated_share:.0%} of the examples: a warning from {LIMITS.saturated_warning:.0%} of a layer on, an error from {LIMITS.saturated_error:.0%} on; or {LIMITS.saturated_cells_warning:.0%} of all (example, unit) pairs"),
    "D3": (d3, f"outputs that are as flat and also wrong by more than {LIMITS.wrong_by:.0%} of their range, under a cost that leaves f' in δ: from {LIMITS.stuck_warning:.0%} of the (example, output) pairs on"),
    "D4": (d4, f"inputs whose RMS, where they are not 0, is below {LIMITS.low_input:.0%} of that of all, of those that are 0 on less than {1 - LIMITS.low_input_active:.0%} of the examples and vary: information where none of them goes with a δ of layer 1, a correlation below {LIMITS.low_input_wanted:g} standard errors; hidden units whose RMS activation is below {LIMITS.low_activation:.0%} of the layer's: a warning from {LIMITS.low_activation_warning:.0%} of the units on"),
    "D5": (d5, f"units with f'(z) = 0 on every example: from {LIMITS.dead_warning:.0%} of the layer on; an error from {LIMITS.dead_error:.0%} on"),
    "D6": (d6, f"RMS of δ in the first layer over that in the last: below {LIMITS.vanishing_warning:g}; an error below {LIMITS.vanishing_error:g}"),
    "D7": (d7, f"the same ratio above {LIMITS.exploding_ratio:g}, or a weight matrix's gradient with a norm above {LIMITS.exploding_norm:g}"),
    "D8": (d8, f"what a layer does to any δ that comes back, outside {LIMITS.gain_low:g} to {LIMITS.gain_high:g}; looked at while nothing has been learned"),
    "D9": (d9, f"the size of a step beside the weights: below {LIMITS.update_low_warning:g} or above {LIMITS.update_high_warning:g}; about 0.001 is usual"),
    "D10": (d10, f"the batch beside the batch at which noise and signal are equal: {LIMITS.noise_ratio:g} times smaller, or larger"),
    "D11": (d11, f"the best cost has not improved by {LIMITS.plateau_improvement:g} of itself for {LIMITS.plateau_epochs:g} epochs"),
    "D12": (d12, "why: the penalty holds the weights, the steps bounce, or nothing has been learned yet"),
    "D13": (d13, f"swings of more than {LIMITS.swing:.0%} of the cost's range, in {LIMITS.swing_epochs:.0%} of the epochs"),
    "D14": (d14, f"the cost is {LIMITS.diverging_best:g} times its best, or {LIMITS.diverging_first:g} times the first"),
    "D15": (d15, f"before the first step, a cost of more than {LIMITS.bad_start:g} times that of saying nothing"),
    "D16": (d16, "hidden units with equal weights in, bias, and weights out"),
    "D17": (d17, "targets that the output's activation cannot reach"),
    "D18": (d18, "outputs that go flat, under a cost that leaves f' in δ: information"),
    "D19": (d19, f"a feature with an RMS above {LIMITS.input_high:g}, a mean of more than {LIMITS.input_offset:g} deviations, or inputs with an RMS below {LIMITS.input_low:g} altogether"),
    "D20": (d20, f"the validation cost is {LIMITS.overfitting:.0%} above its best, or has not improved for {LIMITS.plateau_epochs:g} epochs, while the training cost falls"),
    "D21": (d21, f"over at least {LIMITS.strangers_rows:g} rows the cost of a network that moves stays above {LIMITS.trivial:.0%} of that of guessing the class shares, or the mean: the validation cost, or without one the training cost for {LIMITS.strangers_epochs:g} epochs; and X and Y go together less than {LIMITS.association:g} standard deviations above what rows in any order do"),
}  # fmt: skip

AS_WELL = {"D4": d4_inputs}  # the same rule, seen elsewhere

INTRODUCTION = """# Why does my network learn slowly?

For every weight and every example, the gradient is a product of three numbers:

    ∂C/∂w = a · f'(z) · ∂C/∂a        what comes in, times the slope of the unit, times the error that arrives at it

A weight learns slowly because one of them is small, because the step that is made of the gradient is too small or too large, or because
the network is asked for something that it cannot do. `cp.diagnose` measures which:

```python
import clearprop as cp

digits = cp.data.load("digits")
net = cp.Network([64, 16, 10], activation="tanh", scaling=digits.scaling, seed=0)

# Before training: is the start sound?
print(cp.diagnose(net, *digits.train))

# While it trains: a warning for what stays wrong.
history = net.fit(*digits.train, callbacks=[cp.DiagnosisCallback()])

# Afterwards: plateaus, swings, steps.
print(cp.diagnose(net, *digits.train, history, optimizer="adam"))
```

From the command line: `clearprop diagnose MODEL DATA --part train`, or with `--format html --output page.html` as a page.

A small error is success: a network that has learned is not told that its gradients are small, and a unit that is saturated and right is not
sick. A healthy network gives no warning; `benchmarks/faults.py` measures how often that holds, and how often planted faults are found
([results](../benchmarks/results/faults.md)). Every limit below is a field of `clearprop.diagnosis.Thresholds`.

This page is made by `python docs/make_why_slowly.py`: the networks are built and broken there, the sentences are the program's.
"""


def said(finding: Finding, picture: str) -> list[str]:
    """Return a finding with its picture."""
    return [
        f"![{finding.name}]({PICTURES.name}/{picture})\n",
        f"> **{finding.severity}** {finding.what} {finding.how} *{finding.remedy}*\n",
    ]


def page() -> dict[Path, str]:
    """Return the text of every file."""
    files, parts = {}, [INTRODUCTION]
    for id, (show, measured) in SHOWN.items():
        findings, picture = show()
        finding = next(each for each in findings if each.id == id)
        parts.append(f"## {id}: {finding.name}\n")
        parts += said(finding, f"{id}.svg")
        files[PICTURES / f"{id}.svg"] = picture
        if id in AS_WELL:
            findings, picture = AS_WELL[id]()
            parts += said(next(each for each in findings if each.id == id), f"{id}-2.svg")
            files[PICTURES / f"{id}-2.svg"] = picture
        if finding.equation:
            parts.append(f"    {symbols(finding.equation)}\n")
        parts.append(f"Measured: {measured}. Source: {finding.source}.\n")
    files[PAGE] = "\n".join(parts)
    return files


def main() -> None:
    """Write the files."""
    PICTURES.mkdir(exist_ok=True)
    for path, text in page().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
