"""
Badly wrong, and slow to notice it
==================================

The same network with two costs, from a start whose outputs are saturated. With the quadratic cost
the slope of the sigmoid stays in the output's delta (BP1); cross-entropy cancels it.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
Y_train, Y_test = np.eye(10)[digits.Y_train], digits.Y_test

figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for cost, rate, style in (("quadratic", 3.0, "--"), ("cross_entropy", 0.5, "-")):
    curves = []
    for seed in range(3):
        net = cp.Network(
            [64, 30, 10], output="sigmoid", cost=cost, initializer=cp.initializers.normal(2.0),
            scaling=digits.scaling, seed=seed,
        )  # fmt: skip
        right = []
        training = cp.Training(
            net, digits.X_train, Y_train, batch_size=10, optimizer=cp.SGD(rate), progress=False
        )
        for _ in range(25):
            training.run(1)
            right.append(np.mean(net.predict(digits.X_test).argmax(axis=1) == Y_test))
        curves.append(right)
    print(f"{cost}: {np.mean(curves, axis=0)[-1]:.1%} after 25 epochs, mean of 3 starts")
    axes.plot(np.arange(1, 26), np.transpose(curves), style, color="C0" if style == "-" else "C1")
    axes.plot([], [], style, color="C0" if style == "-" else "C1", label=f"{cost}, rate {rate:g}")
axes.set(xlabel="epoch", ylabel="test digits read rightly", ylim=(0, 1))
axes.legend(frameon=False, loc="lower right")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
