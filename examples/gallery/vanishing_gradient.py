"""
The gradient that vanishes
==========================

Six hidden layers, before training: the root mean square of delta in each, from ``trace``. Each
layer back multiplies by weights and by the slope of its activation; a sigmoid's is at most 1/4.
"""

import matplotlib.pyplot as plt
import numpy as np

import clearprop as cp

digits = cp.data.load("digits")
starts = {
    "sigmoid": "glorot_uniform",
    "tanh": "glorot_uniform",
    "relu": "he_normal",
    "selu": "lecun_normal",
}

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for activation, initializer in starts.items():
    sizes = [64, 32, 32, 32, 32, 32, 32, 10]
    net = cp.Network(
        sizes, activation, initializer=initializer, scaling=digits.scaling, dtype="float64", seed=0
    )
    trace = net.trace(*digits.train)
    rms = [np.sqrt(np.mean(layer.delta**2)) for layer in trace.layers]
    print(f"{activation:8}{initializer:16} first layer's delta over the last's: {rms[0] / rms[-1]:.1e}")
    axes.semilogy(range(1, len(rms) + 1), rms, marker="o", label=f"{activation}, {initializer}")
axes.set(xlabel="layer; the output is the last", ylabel="root mean square of delta")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
