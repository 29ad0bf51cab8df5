"""
Rare classes
============

What ``class_weight="balanced"`` does to the errors: the handwritten eights among all digits, after
four of five eights were taken away, so that 1 digit in 50 is one.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from sklearn.datasets import load_digits
from sklearn.metrics import precision_recall_fscore_support
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import clearprop as cp

X, digit = load_digits(return_X_y=True)
eights = np.flatnonzero(digit == 8)
keep = np.setdiff1d(np.arange(len(X)), eights[np.arange(len(eights)) % 5 != 0])
X, y = X[keep] / 16, digit[keep] == 8
print(f"{y.sum()} eights among {len(y)} digits")

found = {}
for weight in (None, "balanced"):
    model = cp.MLPClassifier(
        20, class_weight=weight, alpha=0.01, max_iter=120, batch_size=50, random_state=0, tol=0,
        learning_rate=cp.schedules.cosine(5e-3, epochs=120),
    )  # fmt: skip
    predicted = cross_val_predict(model, X, y, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    precision, recall, *_ = precision_recall_fscore_support(y, predicted, average="binary")
    found[f"class_weight={weight!r}"] = (recall, precision)
    print(f"class_weight={weight!r:10}  found {recall:.0%} of the eights, {precision:.0%} were right")

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
for i, (name, values) in enumerate(found.items()):
    bars = axes.bar(np.arange(2) + 0.38 * i, values, 0.36, label=name)
    axes.bar_label(bars, fmt="{:.0%}")
axes.set_xticks([0.19, 1.19], ["eights found (recall)", "right when it said eight (precision)"])
axes.set(ylim=(0, 1.15), yticks=np.linspace(0, 1, 6))
axes.yaxis.set_major_formatter(PercentFormatter(1))
axes.legend(frameon=False, loc="upper left", ncols=2)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
