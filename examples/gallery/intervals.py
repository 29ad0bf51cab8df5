"""
Bounds that hold nine in ten
============================

A prediction with an interval: the errors on rows that chose nothing say how far off one may be
(split conformal prediction). Counted here on patients of whom the model has seen nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import clearprop as cp

data = load_diabetes(as_frame=True, scaled=False)
X_train, X_new, y_train, y_new = train_test_split(data.data, data.target, test_size=0.3, random_state=1)
model = cp.MLPRegressor(preset="realmlp-s", test_share=0.5, validation_fraction=0.4, random_state=0)
model.fit(X_train, y_train)
said, bounds = model.predict(X_new, interval=0.9)
low, high = np.asarray(bounds).T
inside = (low <= y_new) & (y_new <= high)
print(f"{inside.mean():.0%} of {len(y_new)} patients are within their bounds, 90% were promised")

order = np.argsort(said)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
place = np.arange(len(said))
axes.fill_between(place, low[order], high[order], alpha=0.2, label="interval of 90 %")
axes.plot(place, said[order], label="prediction")
axes.scatter(place, y_new.to_numpy()[order], s=10, c=np.where(inside.to_numpy()[order], "0.3", "C3"))
axes.set(xlabel="patients, by prediction", ylabel="progression after a year")
axes.set_title(f"{inside.mean():.0%} are inside", loc="left")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
