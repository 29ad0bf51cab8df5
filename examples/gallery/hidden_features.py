"""
A network as a step of a pipeline
=================================

What a hidden layer says is a description of its inputs, made for the task. Here the last hidden
layer has two neurons, so that each digit is a point; beside it are the two principal components of
the same pixels, which were not made for telling digits apart.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import clearprop as cp

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)
network = cp.MLPClassifier(
    (64, 2), ["tanh", "identity"], max_iter=100, batch_size=50, tol=0, random_state=0,
    learning_rate=cp.schedules.cosine(1e-2, epochs=100),
)  # fmt: skip
pipelines = {
    "2 components of the 64 pixels": make_pipeline(PCA(2), KNeighborsClassifier()),
    "2 neurons of the last hidden layer": make_pipeline(network, KNeighborsClassifier()),
}

# %%
# The nearest neighbours among these points say which digit it is.

halo = [withStroke(linewidth=3, foreground="white")]
figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for axes, (name, pipeline) in zip(panels, pipelines.items(), strict=True):
    score = pipeline.fit(X_train, y_train).score(X_test, y_test)
    print(f"nearest neighbours in {name}: {score:.1%}")
    points = pipeline[:-1].transform(X_test)
    axes.scatter(*points.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=6, alpha=0.7)
    for digit in range(10):
        middle = np.median(points[y_test == digit], axis=0)
        axes.text(*middle, digit, weight="bold", size=13, ha="center", va="center", path_effects=halo)
    axes.set_title(f"{name}: {score:.0%}", loc="left", fontsize=10)
    axes.set(xticks=[], yticks=[])
plt.show()
