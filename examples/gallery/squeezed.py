"""
Sixty-four numbers through two
==============================

A network that is asked for its own input, with two neurons in the middle. What comes out is what
two numbers can keep of a digit.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
X, T = digits.X_train / 16, digits.X_test / 16
layers = [64, cp.Layer(40, "relu"), cp.Layer(2, "tanh"), cp.Layer(40, "relu"), cp.Layer(64, "sigmoid")]
net = cp.Network(layers, cost="quadratic", seed=0)
rate = cp.schedules.cosine(5e-3, epochs=120)
history = net.fit(X, X, epochs=120, optimizer=cp.Adam(rate), progress=False)
between = net.trace(T, T).layers[1].a
print(f"cost {history['cost'][0]:.2f} after the first epoch, {history['cost'][-1]:.2f} after the last")

figure = plt.figure(figsize=(9, 4), layout="constrained")
left, right = figure.subfigures(1, 2)
axes = left.subplots()
points = axes.scatter(*between.T, c=digits.Y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=10)
left.colorbar(points, ticks=range(10), label="digit")
axes.set(xlabel="first neuron of the middle", ylabel="second")
right.suptitle("above what went in, below what came out", size=10)
panels = right.subplots(2, 6)
for digit in range(6):
    row = np.flatnonzero(digits.Y_test == digit)[2]
    panels[0, digit].imshow(T[row].reshape(8, 8), cmap="gray_r")
    panels[1, digit].imshow(net.predict(T[row : row + 1]).reshape(8, 8), cmap="gray_r")
for axes in panels.flat:
    axes.axis("off")
plt.show()
