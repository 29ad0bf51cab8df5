"""
Validation in the order of time
===============================

Validation data of your own: the days that come later, not days drawn at random. The price range of
a share (Google, 2004-2008, part of matplotlib) over the next five days, from that of the last ten.
A row drawn at random shares days with rows that are trained on, and promises too much.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.lib.stride_tricks import sliding_window_view

import clearprop as cp

PAST, NEXT, SEEDS = 10, 5, 8
warnings.filterwarnings("ignore", "max_iter")  # every epoch up to the last is looked at


def watched(train, held, seed):
    """Return R squared of the held rows after every epoch of one and the same training."""
    model = cp.MLPRegressor(
        hidden_layer_sizes=(64,), preprocessing="standard", target="standardize", max_iter=60, tol=0.0,
        n_iter_no_change=np.inf, learning_rate=cp.schedules.constant(3e-3), random_state=seed,
    )  # fmt: skip
    model.fit(*train, X_val=held[0], y_val=held[1])
    return model.history_["validation_r2"]


with np.load(get_sample_data("goog.npz", asfileobj=False)) as file:
    price = file["price_data"]
change, volume = np.log(price["high"] / price["low"]), np.log(price["volume"])
n = len(change) - PAST - NEXT + 1
X = np.hstack([sliding_window_view(each, PAST)[:n] for each in (change, volume)])
y = np.log(sliding_window_view(change, NEXT)[PAST : PAST + n].mean(axis=1))
today = int(0.8 * n)
known, later = np.arange(today - NEXT), np.arange(today, n)
n_held = len(known) // 4

figure, panels = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for axes, way in zip(panels, ("days drawn at random", "the last days"), strict=True):
    curves = []
    for seed in range(SEEDS):
        drawn = np.random.default_rng(seed).permutation(known)
        rows = drawn if way == "days drawn at random" else known
        train, held = rows[: -n_held - NEXT], rows[-n_held:]
        curves.append([watched((X[train], y[train]), (X[r], y[r]), seed) for r in (held, later)])
    promised, came = np.mean(curves, axis=0)
    best = int(promised.argmax())
    print(
        f"validation on {way}: R2 {promised[best]:.2f} after {best + 1} epochs, and "
        f"{came[best]:.2f} on the days that came later"
    )
    epochs = np.arange(1, 61)
    axes.plot(epochs, promised, label="validation days")
    axes.plot(epochs, came, "--", label="days that came later")
    axes.set_title(f"validation on {way}", loc="left", fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylim(0, 0.45)
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel(f"R squared, mean of {SEEDS} trainings")
panels[0].legend(frameon=False, loc="upper left")
plt.show()
