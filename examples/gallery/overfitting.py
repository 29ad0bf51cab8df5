"""
Learned by heart
================

Sixty digits and a network that can remember them. The cost of digits that it has not seen tells
when to stop; dropout makes remembering harder. The line marks the epoch that is kept.
"""

import matplotlib.pyplot as plt

import clearprop as cp

digits = cp.data.load("digits")
X, y = digits.X_train[:60], digits.Y_train[:60]

figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for axes, dropout in zip(panels, (0.0, 0.3), strict=True):
    net = cp.Network([64, 100, 10], activation="relu", scaling=digits.scaling, seed=0)
    history = net.fit(
        X, y, epochs=120, batch_size=20, optimizer=cp.Adam(0.003), dropout=dropout, progress=False,
        validation_data=digits.test, early_stopping=cp.EarlyStopping(patience=1000),
    )  # fmt: skip
    costs = history["validation_cost"]
    best = min(range(len(costs)), key=costs.__getitem__)
    right = (net.classify(digits.X_test) == digits.Y_test).mean()
    print(f"dropout {dropout}: epoch {best + 1} is kept, {right:.1%} of the test digits are right")
    axes.plot(range(1, len(costs) + 1), history["cost"], label="the 60 digits")
    axes.plot(range(1, len(costs) + 1), costs, "--", label="digits not seen")
    axes.axvline(best + 1, color="0.5", linestyle=":")
    axes.set_title(f"dropout {dropout}", loc="left", size=10)
    axes.set(xlabel="epoch", ylim=(0, 2.5))
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("cost")
panels[0].legend(frameon=False)
plt.show()
