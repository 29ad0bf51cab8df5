"""
Learning rates as functions of time
===================================

Four schedules, and what they make of the same training. A schedule is called with the epochs that
were trained, a number that grows within an epoch.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
EPOCHS = 20
schedules = {
    "constant": cp.schedules.constant(0.02),
    "exponential": cp.schedules.exponential(0.02, 0.85),
    "cosine": cp.schedules.cosine(0.02, epochs=EPOCHS),
    "warmup, cosine": cp.schedules.warmup(2, cp.schedules.cosine(0.02, epochs=EPOCHS)),
}

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
at = np.linspace(0, EPOCHS, 400)
for name, schedule in schedules.items():
    left.plot(at, [schedule(epochs) for epochs in at], label=name)
    net = cp.Network([64, 30, 10], activation="relu", scaling=digits.scaling, seed=0)
    history = net.fit(
        *digits.train, epochs=EPOCHS, optimizer=cp.Adam(schedule), seed=0, progress=False,
        validation_data=digits.test,
    )  # fmt: skip
    right.semilogy(np.arange(1, EPOCHS + 1), history["validation_cost"], label=name)
    print(f"{name:16} cost of the test digits {history['validation_cost'][-1]:.4f}")
left.set(xlabel="epochs trained", ylabel="learning rate")
right.set(xlabel="epoch", ylabel="cost of the test digits")
left.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
