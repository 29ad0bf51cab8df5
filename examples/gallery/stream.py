"""
A stream that changes
=====================

``partial_fit`` on a stream: each part is predicted before it is learned from. The order of samples,
the optimizer and the counters go on from call to call. The digits come six times over, each time in
another order. In the middle, two labels change places; the model notices, and learns it.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from sklearn.datasets import load_digits

import clearprop as cp

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
stream = np.concatenate([rng.permutation(len(X)) for _ in range(6)])
swapped = np.where(y == 3, 8, np.where(y == 8, 3, y))
model = cp.MLPClassifier(50, learning_rate_init=5e-3, batch_size=25, random_state=0)
right = []
for number, rows in enumerate(np.array_split(stream, 200)):
    labels = (y if number < 120 else swapped)[rows]
    if number:
        right.append(model.score(X[rows] / 16, labels))
    model.partial_fit(X[rows] / 16, labels, classes=np.arange(10))
print(f"{model.n_iter_} calls, {model.t_} samples")
moments = {"before": right[90:119], "just after": right[119:124], "long after": right[-30:]}
for name, shown in moments.items():
    print(f"{name} the change, {np.mean(shown):.0%} were right before they were learned")

figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
smooth = np.convolve(right, np.ones(8) / 8, "valid")
axes.plot(np.arange(len(smooth)) + 8, smooth)
axes.axvline(120, color="0.5", linestyle="--")
axes.annotate(" 3 and 8 change places", (120, 0.3))
axes.set_xlabel("part of the stream, about 54 digits each; every digit comes six times")
axes.set(ylabel="predicted rightly, mean of 8 parts", ylim=(0, 1.02))
axes.yaxis.set_major_formatter(PercentFormatter(1))
axes.spines[["top", "right"]].set_visible(False)
plt.show()
