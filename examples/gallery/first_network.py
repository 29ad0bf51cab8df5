"""
A first network, and what it gets wrong
=======================================

Handwritten digits of 8 x 8 pixels; a network with one hidden layer; the cost while it learns, and
the test digits that it reads wrongly.
"""

import matplotlib.pyplot as plt

import clearprop as cp

digits = cp.data.load("digits")
net = cp.Network([64, 40, 10], activation="relu", scaling=digits.scaling, seed=0)
history = net.fit(
    *digits.train, epochs=30, optimizer=cp.Adam(0.003), validation_data=digits.test, progress=False
)

# %%
# ``classify`` has labels, ``predict`` the probabilities that the mistakes can be sorted by.

said, sure = net.classify(digits.X_test), net.predict(digits.X_test).max(axis=1)
wrong = (said != digits.Y_test).nonzero()[0]
wrong = wrong[sure[wrong].argsort()[::-1]]
print(f"{len(wrong)} of {len(said)} test digits are read wrongly")

figure = plt.figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.2])
axes = left.subplots()
axes.plot(history["cost"], label="training")
axes.plot(history["validation_cost"], "--", label="test digits")
axes.set(xlabel="epoch", ylabel="cost", ylim=(0, None))
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
right.suptitle("read wrongly, the surest first", size=10)
for axes, row in zip(right.subplots(2, 4).flat, wrong, strict=False):
    axes.imshow(digits.X_test[row].reshape(8, 8), cmap="gray_r")
    axes.set_title(f"{digits.Y_test[row]} read as {said[row]}, {sure[row]:.0%}", size=8)
for axes in right.axes:
    axes.axis("off")
plt.show()
