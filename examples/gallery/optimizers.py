"""
Six optimizers from one start
=============================

The cost of each epoch on the digits, from the same first weights and over the same batches. Each
takes a rate that suits it; L-BFGS sees all rows in every iteration.
"""

import matplotlib.pyplot as plt

import clearprop as cp

digits = cp.data.load("digits")
optimizers = {
    "SGD, rate 0.1": cp.SGD(0.1),
    "with momentum 0.9": cp.SGD(0.1, momentum=0.9),
    "RMSProp": cp.RMSProp(1e-3),
    "Adam": cp.Adam(3e-3),
    "Schedule-Free AdamW": cp.ScheduleFreeAdamW(1e-2),
    "L-BFGS": cp.LBFGS(),
}

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, optimizer in optimizers.items():
    net = cp.Network([64, 30, 10], activation="tanh", scaling=digits.scaling, seed=0)
    batch = None if name == "L-BFGS" else 32
    history = net.fit(
        *digits.train, epochs=30, batch_size=batch, optimizer=optimizer, l2=1e-4, seed=0,
        progress=False,
    )  # fmt: skip
    right = (net.classify(digits.X_test) == digits.Y_test).mean()
    print(f"{name:20} cost {history['cost'][-1]:.4f}, {right:.1%} of the test digits")
    axes.semilogy(history["cost"], label=name)
axes.set(xlabel="epoch, or iteration", ylabel="cost of the training digits")
axes.legend(frameon=False, ncols=2, fontsize=9)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
