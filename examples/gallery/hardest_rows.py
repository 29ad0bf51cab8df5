"""
Rows that pull the hardest
==========================

``per_sample=True`` keeps the gradient of each row apart. Its length says how much a row pulls at
the weights: of a trained network, odd digits pull most.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
net = cp.Network([64, 30, 10], activation="tanh", scaling=digits.scaling, seed=0)
net.fit(*digits.train, epochs=25, optimizer=cp.Adam(0.003), l2=1e-3, progress=False)
gradient = net.gradient(*digits.train, per_sample=True)
length = np.linalg.norm(gradient.flat, axis=1)
order = np.argsort(length)[::-1]
tenth = length[order[: len(length) // 10]].sum() / length.sum()
print(f"a tenth of the digits has {tenth:.0%} of the length of all gradients")

figure = plt.figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subfigures(1, 2)
axes = left.subplots()
axes.semilogy(length[order])
axes.set(xlabel="training digits, by length", ylabel="length of the row's gradient")
axes.spines[["top", "right"]].set_visible(False)
right.suptitle("the ten that pull hardest, with their labels", size=10)
for axes, row in zip(right.subplots(2, 5).flat, order, strict=False):
    axes.imshow(digits.X_train[row].reshape(8, 8), cmap="gray_r")
    axes.set_title(digits.Y_train[row], size=9)
    axes.axis("off")
plt.show()
