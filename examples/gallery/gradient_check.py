"""
How small a step checks a gradient
==================================

A gradient is held against differences of the cost. A large step sees the curvature, a small one the
rounding of the last digits; between them lies the step that ``check_gradient`` looks for.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

wine = cp.data.load("wine")
net = cp.Network([13, 6, 3], activation="tanh", scaling=wine.scaling, dtype="float64", seed=0)
net.fit(*wine.train, epochs=5, progress=False)
X, y = wine.X_test, wine.Y_test
check = cp.check_gradient(net, X, y)
print(f"check_gradient: {check.verdict}, largest relative error {check.max_relative_error:.1e}")

gradient, weight = net.gradient(X, y).flat, 7
steps = np.logspace(-13, 0, 60)
error = []
for h in steps:
    there, back = net.copy(), net.copy()
    there.parameters[weight] += h
    back.parameters[weight] -= h
    estimate = (there.cost(X, y) - back.cost(X, y)) / (2 * h)
    error.append(abs(estimate - gradient[weight]) / abs(gradient[weight]))

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
axes.loglog(steps, error, marker=".")
axes.loglog(steps, 3e-17 / steps / abs(gradient[weight]), "k:", linewidth=1, label="rounding, 1/h")
axes.loglog(steps, steps**2, "k--", linewidth=1, label="curvature, h squared")
axes.set(xlabel="step h of the central difference", ylabel="relative error", ylim=(1e-13, 10))
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
