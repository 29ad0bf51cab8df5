"""Small models, their reports, and how the numbers of a page are read back."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas

import clearprop as cp


def people(n, seed=0, *, words=("No", "Yes")):
    """Return a table of people, who leave or not: numbers, gaps, categories, an id."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(0, 72, n)
    charges = np.where(rng.random(n) < 0.05, np.nan, rng.gamma(4.0, 18.0, n).round(2))
    contract = rng.choice(["monthly", "a year", "two years"], n, p=[0.6, 0.25, 0.15])
    score = 1.5 * (contract == "monthly") - 0.05 * tenure + 0.4 * rng.normal(size=n)
    return pandas.DataFrame(
        {
            "person": [f"P{seed}-{i:05}" for i in range(n)],
            "tenure": tenure,
            "charges": charges,
            "contract": contract,
            "leaves": np.array(words)[(score > 0).astype(int)],
        }
    )


def houses(n, seed=0):
    """Return a table of houses with what they cost."""
    rng = np.random.default_rng(seed)
    area = rng.gamma(6.0, 20.0, n).round(1)
    near = rng.choice(["sea", "town", "woods"], n)
    cost = 2.0 * area + 90.0 * (near == "sea") + rng.normal(0, 12, n)
    return pandas.DataFrame({"area": area, "near": near, "cost": cost.round(1)})


HOW = {
    "preset": "realmlp-s", "hidden_layer_sizes": (5, 4), "max_iter": 12, "random_state": 0,
    "test_share": 0.5,
}  # fmt: skip


def classifier(n=400):
    """Return a model of people, and other ones."""
    known = people(n)
    made = cp.MLPClassifier(**HOW).fit(known.drop(columns="leaves"), known["leaves"])
    return made, people(300, 1)


def regressor(n=400):
    """Return a model of houses, and other ones."""
    known = houses(n)
    made = cp.MLPRegressor(**HOW).fit(known.drop(columns="cost"), known["cost"])
    return made, houses(300, 1)


class Page(HTMLParser):
    """Numbers of a page with the text that shows each, drawn paths, and all text."""

    def __init__(self, html):
        super().__init__()
        self.numbers, self.paths, self.text = [], [], []
        self._value = self._axes = None
        self.feed(html)

    def handle_starttag(self, name, attributes):
        found = dict(attributes)
        if name == "data":
            self._value = found["data-ref"], found["value"], float(found.get("data-factor", 1))
        if name == "svg":
            self._axes = found.get("data-axes")
        if name == "path" and "data-ref" in found:
            self.paths.append((found["data-ref"], found["d"], self._axes))

    def handle_data(self, text):
        self.text.append(text)
        if self._value is not None:
            self.numbers.append((*self._value, text))
            self._value = None


def read_back(text, factor=1.0):
    """Return the number that a text shows, and half a unit of its last digit."""
    plain = text.replace("−", "-").replace(",", "").replace("+", "")
    scale = 0.01 if "%" in plain or "points" in plain else factor
    shown = re.fullmatch(r"(-?[0-9.]+(?:e-?\+?[0-9]+)?)( %| points)?", plain)
    assert shown, text
    mantissa, _, exponent = shown[1].partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - digits) * scale
    return float(shown[1]) * scale, unit / 2


def at(tree, ref):
    """Return what stands at a path of a report's tree."""
    for step in ref.split("."):
        step = step.replace("~1", ".").replace("~0", "~")
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


def points_of(path, axes):
    """Return the points of a drawn path, in the units of its axes."""
    x0, x1, left, right, y0, y1, bottom, top = map(float, axes.split())
    found = [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[0-9.]+) (-?[0-9.]+)", path)]
    across = [x0 + (x1 - x0) * (x - left) / (right - left) for x, _ in found]
    up = [y0 + (y1 - y0) * (y - bottom) / (top - bottom) for _, y in found]
    return np.array([across, up]), (x1 - x0) / (right - left), (y1 - y0) / (bottom - top)
