"""
An input that bends before the first layer
==========================================

One number in, one out: how far diabetes has gone a year later, from a blood value. A layer sees a
straight line of its input; an embedding gives it pieces of one, which are learned.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import clearprop as cp

data = load_diabetes(as_frame=True, scaled=False)
X, y = data.data[["s5"]].to_numpy(), data.target.to_numpy()
grid = np.linspace(X.min(), X.max(), 300)[:, None]
target = (y - y.mean()) / y.std()
networks = {
    "4 hidden neurons": None,
    "and 12 pieces": cp.embeddings.piecewise_linear(cp.data.standardize(X)(X), bins=12, size=8),
}

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
axes.scatter(X, y, s=8, color="0.7", label="patients")
for (name, embedding), style in zip(networks.items(), ("--", "-"), strict=True):
    net = cp.Network(
        [1, 4, 1], activation="tanh", cost="quadratic", embedding=embedding,
        scaling=cp.data.standardize(X), seed=0,
    )  # fmt: skip
    history = net.fit(X, target[:, None], epochs=150, optimizer=cp.Adam(0.01), l2=1e-3, progress=False)
    print(f"{name}: {net.n_parameters} parameters, cost {history['cost'][-1]:.3f}")
    axes.plot(grid, net.predict(grid) * y.std() + y.mean(), style, linewidth=2, label=name)
axes.set(xlabel="log of serum triglycerides", ylabel="progression after a year")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
