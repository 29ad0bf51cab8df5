"""
Which pixels decide
===================

The backward pass goes on to the inputs: ``input_gradient`` is how the cost changes with each pixel.
Where it is large, a little ink would change the answer most.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
net = cp.Network([64, 40, 10], activation="tanh", scaling=digits.scaling, seed=0)
net.fit(*digits.train, epochs=40, optimizer=cp.Adam(0.003), progress=False)

rows = [np.flatnonzero(digits.Y_test == digit)[0] for digit in range(8)]
X, y = digits.X_test[rows], digits.Y_test[rows]
slopes = net.input_gradient(X, y)
print(f"inputs {X.shape}, slopes {slopes.shape}")

figure, panels = plt.subplots(2, 8, figsize=(9, 2.7), layout="constrained")
for column, (x, slope) in enumerate(zip(X, slopes, strict=True)):
    panels[0, column].imshow(x.reshape(8, 8), cmap="gray_r")
    most = np.abs(slope).max()
    panels[1, column].imshow(slope.reshape(8, 8), cmap="PuOr", vmin=-most, vmax=most)
    panels[0, column].set_title(f"a {y[column]}", size=9)
for axes in panels.flat:
    axes.set(xticks=[], yticks=[])
panels[0, 0].set_ylabel("digit", size=9)
panels[1, 0].set_ylabel("dC/dx", size=9)
plt.show()
