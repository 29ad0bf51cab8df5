"""
What a hidden neuron looks for
==============================

The 64 weights into a hidden neuron are a picture as large as a digit: red where ink raises z, blue
where ink lowers it. A penalty on the squares of the weights leaves out what is not needed.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
nets = {}
for l2 in (0.0, 1e-2):
    nets[l2] = cp.Network([64, 16, 10], activation="tanh", scaling=digits.scaling, seed=1)
    nets[l2].fit(*digits.train, epochs=60, optimizer=cp.Adam(0.003), l2=l2, progress=False)
    right = np.mean(nets[l2].classify(digits.X_test) == digits.Y_test)
    print(f"l2={l2}: {right:.1%} of the test digits are right")

figure = plt.figure(figsize=(9, 2.7), layout="constrained")
for part, (l2, net) in zip(figure.subfigures(2, 1), nets.items(), strict=True):
    part.suptitle(f"l2 = {l2:g}", size=10, x=0.02, ha="left")
    most = np.abs(net.weights[0]).max()
    for axes, weights in zip(part.subplots(1, 16), net.weights[0], strict=True):
        axes.imshow(weights.reshape(8, 8), cmap="RdBu_r", vmin=-most, vmax=most)
        axes.axis("off")
plt.show()
