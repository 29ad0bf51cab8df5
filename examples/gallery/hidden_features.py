"""A network as a step of a pipeline: its hidden layer's activations are features.

python examples/gallery/hidden_features.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import clearprop as cp

HALO = [withStroke(linewidth=3, foreground="white")]


def main(picture: str = "hidden_features.png") -> None:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)
    rate = cp.schedules.cosine(1e-2, epochs=100)
    network = cp.MLPClassifier(
        (64, 2),
        ["tanh", "identity"],
        max_iter=100,
        batch_size=50,
        learning_rate=rate,
        random_state=0,
        tol=0,
    )
    pipelines = {
        "2 components of the 64 pixels": make_pipeline(PCA(2), KNeighborsClassifier()),
        "2 neurons of the last hidden layer": make_pipeline(network, KNeighborsClassifier()),
    }
    figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for axes, (name, pipeline) in zip(panels, pipelines.items(), strict=True):
        score = pipeline.fit(X_train, y_train).score(X_test, y_test)
        print(f"nearest neighbours in {name}: {score:.1%}")
        points = pipeline[:-1].transform(X_test)
        axes.scatter(*points.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=6, alpha=0.7)
        for digit in range(10):
            middle = np.median(points[y_test == digit], axis=0)
            axes.text(
                *middle, digit, weight="bold", size=13, ha="center", va="center", path_effects=HALO
            )
        axes.set_title(f"{name}: {score:.0%}", loc="left", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
