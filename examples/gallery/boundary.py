"""
Where one class ends and another begins
=======================================

Three kinds of iris by two of their measures, as a straight line, with a few neurons, and with the
mean of eight networks, whose boundary hangs less on chance.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import load_iris

import clearprop as cp

PALE = np.array([[0.80, 0.89, 0.96], [0.99, 0.88, 0.74], [0.83, 0.93, 0.80]])
DARK = ListedColormap(["#1f4e79", "#8a4b00", "#2f6b1f"])

data = load_iris()
X, y = data.data[:, 2:], data.target
scaling = cp.data.standardize(X)
nets = {
    "no hidden layer": cp.Network([2, 3], scaling=scaling, seed=0),
    "12 hidden neurons": cp.Network([2, 12, 3], activation="tanh", scaling=scaling, seed=0),
    "8 such networks, averaged": cp.Network(
        [2, 12, 3], activation="tanh", scaling=scaling, seed=0, members=8
    ),
}
across, up = np.meshgrid(np.linspace(0.5, 7.5, 200), np.linspace(-0.2, 2.8, 160))
grid = np.column_stack([across.ravel(), up.ravel()])

figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for axes, (name, net) in zip(panels, nets.items(), strict=True):
    net.fit(X, y, epochs=300, optimizer=cp.Adam(0.02), batch_size=30, progress=False)
    print(f"{name}: {np.mean(net.classify(X) == y):.1%} of the flowers are right")
    axes.imshow(
        (net.predict(grid) @ PALE).reshape(*across.shape, 3),
        extent=(0.5, 7.5, -0.2, 2.8),
        origin="lower",
        aspect="auto",
    )
    axes.scatter(*X.T, c=y, s=9, cmap=DARK)
    axes.set_title(name, size=10, loc="left")
    axes.set_xlabel("petal length, cm")
panels[0].set_ylabel("petal width, cm")
plt.show()
