"""Validation data of your own: the days that come later, not days drawn at random.

Tomorrow's price range of a share (Google, 2004-2008, part of matplotlib) from the last ten days'. Rows
drawn at random are neighbours of rows trained on; what matters is how the future is predicted.

    python examples/gallery/validation_in_time_order.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.lib.stride_tricks import sliding_window_view

import clearprop as cp

DAYS = 10


def main(picture: str = "validation_in_time_order.png") -> None:
    with np.load(get_sample_data("goog.npz", asfileobj=False)) as file:
        price = file["price_data"]
    change = np.log(price["high"] / price["low"])
    volume = np.log(price["volume"])
    X = np.hstack([sliding_window_view(each, DAYS)[:-1] for each in (change, volume)])
    y = np.log(change[DAYS:])
    future = np.arange(len(y)) >= int(0.8 * len(y))
    past = np.flatnonzero(~future)
    rng = np.random.default_rng(0)
    ways = {
        "at random": np.isin(past, rng.choice(past, len(past) // 4, replace=False)),
        "the last days": past >= int(0.75 * len(past)),
    }

    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for name, held in ways.items():
        model = cp.MLPRegressor(
            hidden_layer_sizes=(64,), preprocessing="standard", target="standardize",
            early_stopping=True, n_iter_no_change=30, max_iter=80, tol=0.0,
            learning_rate_init=3e-3, random_state=0,
        )  # fmt: skip
        train, val = past[~held], past[held]
        model.fit(X[train], y[train], X_val=X[val], y_val=y[val])
        best = int(np.argmax(model.validation_scores_))
        print(
            f"validation {name:13}: R2 {model.best_validation_score_:.2f} after {best + 1} epochs, "
            f"{model.score(X[future], y[future]):.2f} on the days that came later"
        )
        (line,) = axes.plot(np.arange(1, model.n_iter_ + 1), model.validation_scores_, label=name)
        axes.axhline(model.score(X[future], y[future]), color=line.get_color(), linestyle=":")
    axes.set_xlabel("epoch")
    axes.set_ylabel("R squared of the validation days")
    axes.set_ylim(bottom=0)
    axes.set_title("dotted: what the kept model gets on the days that came later", loc="left")
    axes.legend(title="validation days", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
