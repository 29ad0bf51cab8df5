"""
A band that holds 80 % of what will be measured
===============================================

Three quantile regressions: the progression of diabetes after a year, from the body-mass index
alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import clearprop as cp

data = load_diabetes(as_frame=True, scaled=False)
X, y = data.data[["bmi"]].to_numpy(), data.target.to_numpy()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)

grid = np.linspace(X.min(), X.max(), 200)[:, None]
curves, inside = {}, {}
for q in (0.1, 0.5, 0.9):
    model = cp.MLPRegressor(
        cp.costs.quantile(q), (16,), activation="tanh", preprocessing="standard",
        target="standardize", learning_rate=cp.schedules.cosine(0.01, epochs=150), max_iter=150,
        alpha=0.1, random_state=0, n_iter_no_change=np.inf,
    ).fit(X_train, y_train)  # fmt: skip
    curves[q], inside[q] = model.predict(grid), model.predict(X_test)
    print(f"q = {q}: {np.mean(y_test <= inside[q]):.0%} of the test patients are below the curve")
share = np.mean((inside[0.1] <= y_test) & (y_test <= inside[0.9]))
print(f"{share:.0%} of the test patients are in the band of 80%")

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
axes.fill_between(grid[:, 0], curves[0.1], curves[0.9], alpha=0.25, label="80% band")
axes.plot(grid, curves[0.5], label="median")
axes.scatter(X_test, y_test, s=10, color="0.3", label="test patients")
axes.set(xlabel="body-mass index", ylabel="progression after a year")
axes.set_title(f"{share:.0%} of the test patients are in the band", loc="left")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
