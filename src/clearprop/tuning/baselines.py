"""What costs next to nothing, measured on the rows that a tuned network is measured on."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits

from clearprop.estimators import reader
from clearprop.estimators.base import BaseMLP
from clearprop.tuning.examples import Examples
from clearprop.tuning.fitting import outputs_of


def outputs_of_baselines(
    network: BaseMLP, learned: Examples, measured: Examples, seed: int
) -> dict[str, Any]:
    """Return what each baseline makes of rows, by its name.

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
        Fitted to `learned`: the baselines see the numbers that it makes of the columns.
    learned, measured : Examples
    seed : int
    """
    from sklearn import dummy, ensemble, linear_model, pipeline, preprocessing

    def scaled(model: Any) -> Any:
        return pipeline.make_pipeline(preprocessing.StandardScaler(with_mean=False), model)

    boosted: Any
    if learned.classes is not None:
        constant = "the majority", dummy.DummyClassifier()
        linear = "logistic regression", scaled(linear_model.LogisticRegression(max_iter=1000))
        boosted = ensemble.HistGradientBoostingClassifier(random_state=seed)
    else:
        constant = "the mean", dummy.DummyRegressor()
        linear = "ridge regression", scaled(linear_model.Ridge())
        boosted = ensemble.HistGradientBoostingRegressor(random_state=seed)
    train, test = (replace(each, X=_dense(network, each)) for each in (learned, measured))
    found = {}
    for name, model in (constant, linear, ("boosted trees", boosted)):
        if learned.y.ndim > 1 and model is boosted:  # which learn one answer
            continue
        named = "logisticregression__" if "logistic" in name else "ridge__" if "ridge" in name else ""
        weight = {} if train.weight is None else {f"{named}sample_weight": train.weight}
        # One thread: where others compute, OpenMP's would wait for them.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # of a cheap model nobody asks whether it has converged
            found[name] = outputs_of(model.fit(train.X, train.y, **weight), test)
    return found


def _dense(network: BaseMLP, examples: Examples) -> Any:
    X = reader.read_X(network, examples.X)
    return X.toarray() if hasattr(X, "toarray") else X
