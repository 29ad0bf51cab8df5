"""What scikit-learn's users asked for and did not get, and the tools the estimators are used with."""

import inspect
import pickle

import numpy as np
import pytest
import sklearn
from sklearn import datasets, neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import clearprop as cp
from clearprop.estimators import held_out
from clearprop.estimators.options import Options
from clearprop.training.history import TIMES

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # scikit-learn 1.6's own L-BFGS under a later SciPy.
    pytest.mark.filterwarnings("ignore:scipy.optimize. The .disp. and:DeprecationWarning"),
]
X, Y = datasets.load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
X_REG, Y_REG = X[:, :3], X[:, 3]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 4, "random_state": 0}


def _doubled(X, rng):
    return 2 * X


# Every argument: what it needs to matter, and another value. "-" says that it cannot change the weights.
OTHER = {
    "hidden_layer_sizes": ({}, (9,)),
    "activation": ({}, "gelu"),
    "solver": ({}, "sgd"),
    "alpha": ({}, 1.0),
    "batch_size": ({}, 30),
    "learning_rate": ({"solver": "sgd", "batch_size": 50}, "invscaling"),
    "learning_rate_init": ({}, 0.01),
    "power_t": ({"learning_rate": "invscaling", "solver": "sgd"}, 0.1),
    "max_iter": ({}, 5),
    "shuffle": ({"batch_size": 50}, False),
    "random_state": ({}, 1),
    "tol": ({"n_iter_no_change": 1}, 10.0),
    "verbose": ({}, "-"),
    "warm_start": ({}, "-"),
    "momentum": ({"solver": "sgd"}, 0.5),
    "nesterovs_momentum": ({"solver": "sgd"}, False),
    "early_stopping": ({}, True),
    "validation_fraction": ({"early_stopping": True}, 0.4),
    "test_share": ({}, 0.5),
    "calibrate": ({}, True),
    "threshold": ({}, "-"),  # of two classes
    "beta_1": ({}, 0.5),
    "beta_2": ({}, 0.9),
    "epsilon": ({}, 0.1),
    "n_iter_no_change": ({"tol": 10.0}, 1),
    "max_fun": ({"solver": "lbfgs"}, 2),
    "preset": ({}, "realmlp-s"),
    "loss": ({}, "huber"),
    "class_weight": ({}, {0: 3.0}),
    "label_smoothing": ({}, 0.2),
    "preprocessing": ({}, "robust"),
    "target": ({}, "standardize"),
    "initializer": ({}, "he_normal"),
    "bias_initializer": ({}, "zeros"),
    "l1": ({}, 1.0),
    "weight_decay": ({"solver": "adamw"}, 0.5),
    "dropout": ({}, 0.5),
    "augment": ({}, _doubled),
    "clip_norm": ({"solver": "sgd"}, 0.01),
    "averaging": ({}, 0.5),
    "n_batches": ({}, 7),
    "scoring": ({"early_stopping": True, "max_iter": 30, "learning_rate_init": 0.1}, None),
    "columns": ({"preset": "realmlp-s"}, {"x1": "categorical"}),
    "missing": ({"preset": "realmlp-s"}, 0.0),
    "decimal": ({}, "-"),
    "embedding": ({}, "pl"),
    "members": ({}, 2),
    "patience": ({"preset": "realmlp-s", "max_iter": 30, "early_stopping": False}, 1),
    "callbacks": ({}, (lambda training: True,)),
    "time_limit": ({}, 1e-9),
    "dtype": ({}, "float32"),
    "engine": ({}, "-"),
    "shards": ({"batch_size": 10}, 3),
    "communicator": ({}, "-"),
    "stall_timeout": ({}, "-"),
    "fast_sum": ({}, "-"),
    "n_threads": ({}, "-"),
}


def _always_the_same(estimator, X, y):
    return 0.0


@pytest.mark.parametrize("kind", [cp.MLPClassifier, cp.MLPRegressor])
def test_the_table_of_other_values_has_every_argument(kind):
    assert set(inspect.signature(kind).parameters) - {"self"} <= set(OTHER)


@pytest.mark.parametrize("kind", [cp.MLPClassifier, cp.MLPRegressor])
@pytest.mark.parametrize("name", [name for name, (_, value) in OTHER.items() if value != "-"])
def test_every_argument_changes_the_weights_or_is_refused(kind, name):
    if name not in inspect.signature(kind).parameters:
        pytest.skip("the other estimator's")
    needs, value = OTHER[name]
    if name == "scoring":
        value = _always_the_same
    data = (X, Y) if kind is cp.MLPClassifier else (X_REG, Y_REG)
    arguments = SMALL | needs
    if name == "preset":
        arguments = {"max_iter": 4, "random_state": 0}
    if name in ("columns", "missing"):
        table = pytest.importorskip("pandas").DataFrame(np.round(data[0]))
        data = table.rename(columns="x{}".format), data[1]
    first = kind(**arguments).fit(*data).network_
    other = kind(**(arguments | {name: value})).fit(*data).network_
    same_size = first.n_parameters == other.n_parameters
    assert not (same_size and np.array_equal(first.parameters, other.parameters))


def test_partial_fit_goes_on_counting_where_it_prints(capsys):
    model = cp.MLPClassifier(**SMALL, verbose=True)
    for number in (1, 2, 3):
        model.partial_fit(X, Y, classes=np.unique(Y))
        assert f"Iteration {number}, loss" in capsys.readouterr().out


def test_an_argument_that_cannot_change_the_weights_does_what_it_is_for(capsys):
    seen = []
    how = SMALL | {"callbacks": [seen.append]}
    cp.MLPClassifier(**how, engine="numpy", n_threads=1, verbose=True).fit(X, Y)
    assert (seen[-1].engine.name, seen[-1].plan.n_threads) == ("numpy", 1)
    assert "Iteration 4, loss" in capsys.readouterr().out

    first = cp.MLPClassifier(**how, engine="compiled", n_threads=2).fit(X, Y)
    assert (seen[-1].engine.name, seen[-1].plan.n_threads) == ("compiled", 2)
    assert capsys.readouterr().out == ""
    before = first.network_.parameters.copy()
    np.testing.assert_array_equal(first.fit(X, Y).network_.parameters, before)
    assert not np.array_equal(first.set_params(warm_start=True).fit(X, Y).network_.parameters, before)


REFUSED = {
    "weight_decay needs solver='adamw'": {"weight_decay": 0.1},
    "dropout cannot be used with solver='lbfgs'": {"solver": "lbfgs", "dropout": 0.1},
    "clip_norm cannot be used with solver='lbfgs'": {"solver": "lbfgs", "clip_norm": 1.0},
    "averaging cannot be used with solver='lbfgs'": {"solver": "lbfgs", "averaging": 0.5},
    "scoring needs early_stopping=True": {"scoring": "accuracy"},
    "hidden_layer_sizes must be > 0": {"hidden_layer_sizes": (3, -1)},
    "activation must be one of": {"activation": "reluu"},
    "activation must be one, or one for each of 1 hidden layers": {"activation": ["relu", "tanh"]},
    "loss must be one of": {"loss": "huge"},
    "The 'solver' parameter of MLPClassifier": {"solver": "newton"},
    "The 'preset' parameter of MLPClassifier": {"preset": "best"},
    "groups are for the part of X": {"groups": Y},
    "groups must hold at least 2 groups": {"early_stopping": True, "groups": np.zeros(150)},
    "X_val and y_val must be given together": {"X_val": X},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_would_do_nothing_or_is_unknown_is_refused(message):
    arguments = dict(REFUSED[message])
    data = {name: arguments.pop(name) for name in ("groups", "X_val") if name in arguments}
    with pytest.raises(ValueError, match=message):
        cp.MLPClassifier(**arguments).fit(X, Y, **data)


def test_activations_are_one_for_each_layer_or_neuron_or_your_own():
    square = cp.Activation("square", lambda z: z**2, lambda z: 2 * z)
    model = cp.MLPClassifier(
        (3, 4), [["sigmoid", "tanh", "relu"], square], max_iter=3, engine="numpy"
    ).fit(X, Y)
    names = [str(layer.function) for layer in model.network_.layers]
    assert names[1:] == ["square", "softmax"]
    assert [part.name for part in model.network_.layers[0].function.parts] == [
        "sigmoid",
        "tanh",
        "relu",
    ]


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", cp.costs.quantile(0.9)])
def test_the_regressor_has_robust_and_quantile_losses(loss, rng):
    x = rng.uniform(-1, 1, (400, 1))
    y = 2 * x[:, 0] + rng.exponential(size=400)
    model = cp.MLPRegressor(loss, (), learning_rate_init=0.05, max_iter=200, random_state=0).fit(x, y)
    below = np.mean(y <= model.predict(x))
    wanted = {"absolute_error": 0.5, "quantile": 0.5}.get(loss, 0.9) if loss != "huber" else None
    assert wanted is None or below == pytest.approx(wanted, abs=0.06)


def test_a_cost_of_your_own_is_followed():
    fourth = cp.Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    model = cp.MLPRegressor(fourth, engine="numpy", max_iter=100, random_state=0).fit(X_REG, Y_REG)
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 5


def test_your_own_validation_data_give_curves_and_early_stopping():
    train, held = np.arange(0, 150, 2), np.arange(1, 150, 2)
    model = cp.MLPClassifier(max_iter=30, random_state=0).fit(
        X[train], Y[train], X_val=X[held], y_val=Y[held]
    )
    assert model.n_iter_ == len(model.history_["validation_cost"]) == 30
    assert model.history_["validation_accuracy"][-1] == pytest.approx(model.score(X[held], Y[held]))
    assert model.validation_scores_ is None
    stopped = cp.MLPClassifier(
        max_iter=200, early_stopping=True, random_state=0, learning_rate_init=0.01
    )
    stopped.fit(X[train], Y[train], X_val=X[held], y_val=Y[held])
    assert stopped.n_iter_ < 200
    assert stopped.score(X[held], Y[held]) == stopped.best_validation_score_


@pytest.mark.parametrize("scoring", ["f1_macro", "neg_log_loss", "roc_auc_ovr"])
def test_early_stopping_watches_any_scorer(scoring):
    from sklearn.metrics import get_scorer

    model = cp.MLPClassifier(
        early_stopping=True, scoring=scoring, max_iter=40, random_state=0, learning_rate_init=0.05
    ).fit(X, Y, X_val=X, y_val=Y)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert get_scorer(scoring)(model, X, Y) == pytest.approx(model.best_validation_score_)


def parts_of(monkeypatch, groups, **how):
    """Fit with groups; return which of them were trained on, and which set aside."""
    kept, split = [], held_out.split

    def note(*arguments):
        kept.extend(split(*arguments))
        return kept[-2:]

    monkeypatch.setattr(held_out, "split", note)
    cp.MLPClassifier(early_stopping=True, max_iter=3, **how).fit(X, Y, groups=groups)
    return [groups[rows] for rows in kept]


def test_the_rows_of_a_group_are_set_aside_together(monkeypatch):
    groups = np.repeat(np.arange(15), 10)
    rows, held = parts_of(monkeypatch, groups, validation_fraction=0.3, random_state=0)
    assert not set(rows) & set(held)
    assert len(held) == 40  # four groups are 45 rows short of five by less


def test_groups_of_other_names_are_set_aside_alike(monkeypatch):
    groups = np.repeat([5, 3, 9, 1, 7, 4], 25)
    named = np.array(["f", "b", "a", "c", "e", "d"])[np.searchsorted([1, 3, 4, 5, 7, 9], groups)]
    one = parts_of(monkeypatch, groups, random_state=3)[1]
    monkeypatch.undo()
    other = parts_of(monkeypatch, named, random_state=3)[1]
    assert [named[groups == each][0] for each in set(one)] == list(set(other))


def test_hidden_activations_are_features():
    model = cp.MLPClassifier((7, 5), "tanh", max_iter=5, random_state=0).fit(X, Y)
    first = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    np.testing.assert_allclose(model.transform(X, layer=1), first)
    second = np.tanh(first @ model.coefs_[1] + model.intercepts_[1])
    np.testing.assert_allclose(model.transform(X), second)
    np.testing.assert_array_equal(model.transform(X, layer=-1), model.transform(X, layer=2))
    with pytest.raises(ValueError, match="layer must be a hidden layer, from 1 to 2"):
        model.transform(X, layer=3)
    frame = model.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == [f"mlpclassifier{i}" for i in range(5)]
    extractor = cp.MLPClassifier((7, 5), learning_rate_init=0.02, random_state=0)
    assert make_pipeline(extractor, LogisticRegression()).fit(X, Y).score(X, Y) > 0.9


@pytest.mark.parametrize("preprocessing", [None, "standard", "robust"])
@pytest.mark.parametrize("problem", ["regression", "binary", "multiclass"])
def test_input_gradients_are_the_differences_of_predictions(preprocessing, problem):
    if problem == "regression":
        model = cp.MLPRegressor(
            max_iter=5,
            activation="tanh",
            random_state=0,
            preprocessing=preprocessing,
            target="standardize",
        ).fit(X, 100 * X[:, 1] + 5)
        predict = model.predict
    else:
        model = cp.MLPClassifier(
            max_iter=5, activation="tanh", random_state=0, preprocessing=preprocessing
        ).fit(X, Y if problem == "multiclass" else Y == 1)
        predict = (
            (lambda X: model.predict_proba(X)[:, 1]) if problem == "binary" else model.predict_proba
        )
    found, h = model.input_gradient(X), 1e-6
    for j in range(4):
        step = h * np.eye(4)[j]
        estimate = (predict(X + step) - predict(X - step)) / (2 * h)
        np.testing.assert_allclose(found[..., j], estimate, rtol=1e-5, atol=1e-7)


def test_a_time_limit_and_a_callback_end_the_training():
    model = cp.MLPClassifier(max_iter=10**6, time_limit=0.05, tol=0.0).fit(X, Y)
    assert model.history_.stopped == "time limit"
    model = cp.MLPClassifier(max_iter=50, callbacks=[lambda training: training.epochs_done == 7]).fit(
        X, Y
    )
    assert (model.n_iter_, model.history_.stopped) == (7, "callback")


def test_find_learning_rate_suggests_one_that_learns(tmp_path):
    model = cp.MLPClassifier(random_state=0, batch_size=30)
    found = model.find_learning_rate(X, Y)
    assert 1e-4 < found.suggestion < 1.0
    assert not hasattr(model, "network_")
    assert found.rates.shape == found.losses.shape
    found.plot(str(tmp_path / "rates.png"))
    assert (tmp_path / "rates.png").stat().st_size > 1000
    good = clone(model).set_params(learning_rate_init=found.suggestion, max_iter=15).fit(X, Y)
    assert good.loss_ < cp.MLPClassifier(random_state=0, batch_size=30, max_iter=15).fit(X, Y).loss_


def test_verbose_shows_lines_or_a_bar(capsys):
    cp.MLPClassifier(max_iter=2, verbose=True).fit(X, Y)
    out = capsys.readouterr()
    assert out.out.startswith("Iteration 1, loss = ")
    assert not out.err
    cp.MLPClassifier(max_iter=2, verbose="bar").fit(X, Y)
    out = capsys.readouterr()
    assert "epoch 2/2" in out.err
    assert not out.out


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="callbacks came with 1.9"
)
def test_scikit_learns_own_callbacks_work(capsys):
    from sklearn.callback import ProgressBar, ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    model = cp.MLPClassifier(max_iter=5, random_state=0).set_callbacks(monitor)
    model.fit(X, Y)
    log = monitor.get_logs()
    scores = [row["accuracy"] for row in log.data if row["task_name"] == "epoch"]
    assert len(scores) == 5
    assert scores[-1] == model.score(X, Y)

    class Stop:
        epochs = 0

        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                self.epochs += 1
                assert fitted_estimator.predict(X).shape == (150,)
            return self.epochs == 3

    assert clone(model).set_callbacks(Stop()).fit(X, Y).n_iter_ == 3
    cp.MLPClassifier(max_iter=3).set_callbacks(ProgressBar()).fit(X, Y)


# What they are used with


def test_clone_keeps_every_argument_and_what_was_given():
    square = cp.Activation("square", lambda z: z**2, lambda z: 2 * z)
    model = cp.MLPClassifier(
        (3,), square, dropout=0.2, learning_rate=cp.schedules.cosine(0.1, epochs=5)
    )
    assert clone(model).get_params() == model.get_params()
    model = cp.MLPClassifier(preset="realmlp-s", max_iter=200)  # given, though it is the default
    for copy in (clone(model), pickle.loads(pickle.dumps(model))):
        assert Options.of(copy).max_iter == 200
        assert Options.of(copy).batch_size == 256
    assert Options.of(cp.MLPClassifier(preset="realmlp-s").set_params(alpha=1e-4)).alpha == 1e-4


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_grid_search_runs_side_by_side(backend):
    import joblib

    search = GridSearchCV(
        make_pipeline(StandardScaler(), cp.MLPClassifier(max_iter=5, random_state=0)),
        {"mlpclassifier__learning_rate_init": [1e-6, 0.05]},
        n_jobs=2,
        cv=2,
    )
    with joblib.parallel_backend(backend):
        search.fit(X, Y)
    assert search.best_params_ == {"mlpclassifier__learning_rate_init": 0.05}


@pytest.mark.parametrize(
    "meta",
    [
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: AdaBoostClassifier(model, n_estimators=3, random_state=0),
        lambda model: BaggingClassifier(model, n_estimators=3, random_state=0),
    ],
)
def test_meta_estimators_take_the_classifier(meta):
    model = cp.MLPClassifier(10, max_iter=60, learning_rate_init=0.02, random_state=0)
    assert meta(model).fit(X, Y).score(X, Y) > 0.85


def test_importance_and_transformed_targets():
    model = cp.MLPRegressor(max_iter=60, learning_rate_init=0.01, random_state=0)
    wrapped = TransformedTargetRegressor(model, func=np.sinh, inverse_func=np.arcsinh).fit(X_REG, Y_REG)
    assert wrapped.score(X_REG, Y_REG) > 0.8
    importance = permutation_importance(model.fit(X_REG, Y_REG), X_REG, Y_REG, random_state=0)
    assert importance.importances_mean.argmax() == 2


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="its cross_val_score routes otherwise",
)
def test_metadata_is_routed_to_fit():
    with sklearn.config_context(enable_metadata_routing=True):
        model = cp.MLPClassifier(max_iter=3, random_state=0).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        weight = np.where(Y == 0, 5.0, 1.0)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipeline.fit(X, Y, sample_weight=weight)
        scores = cross_val_score(pipeline, X, Y, cv=2, params={"sample_weight": weight})
    alone = cp.MLPClassifier(max_iter=3, random_state=0).fit(
        StandardScaler().fit_transform(X), Y, weight
    )
    np.testing.assert_array_equal(pipeline[-1].coefs_[0], alone.coefs_[0])
    assert scores.shape == (2,)


# From one place to another


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"), reason="theirs has a loss since 1.7"
)
@pytest.mark.parametrize("problem", ["binary", "multiclass", "multilabel", "regression", "poisson"])
def test_weights_move_from_scikit_learn_and_back_with_equal_predictions(problem):
    y = {
        "binary": Y == 1,
        "multiclass": np.array(["a", "b", "c"])[Y],
        "multilabel": np.eye(3, dtype=int)[Y],
    }
    arguments = {
        "max_iter": 5,
        "random_state": 0,
        "hidden_layer_sizes": (6, 4),
        "activation": "logistic",
    }
    if problem in y:
        theirs = neural_network.MLPClassifier(**arguments).fit(X, y[problem])
        ours, call = cp.MLPClassifier.from_sklearn(theirs), "predict_proba"
    else:
        loss = "poisson" if problem == "poisson" else "squared_error"
        theirs = neural_network.MLPRegressor(loss, **arguments).fit(X_REG, np.abs(Y_REG))
        ours, call = cp.MLPRegressor.from_sklearn(theirs), "predict"
    data = X if problem in y else X_REG
    np.testing.assert_allclose(getattr(ours, call)(data), getattr(theirs, call)(data), rtol=1e-12)
    back = ours.to_sklearn()
    np.testing.assert_allclose(getattr(back, call)(data), getattr(theirs, call)(data), rtol=1e-12)
    assert ours.get_params()["activation"] == "logistic"


def test_linear_preprocessing_goes_into_scikit_learns_weights():
    raw = 50.0 * X_REG + 7.0
    ours = cp.MLPRegressor(preprocessing="standard", target="standardize", max_iter=20).fit(raw, Y_REG)
    np.testing.assert_allclose(ours.to_sklearn().predict(raw), ours.predict(raw), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="no smooth clip"):
        cp.MLPRegressor(preprocessing="robust", max_iter=2).fit(raw, Y_REG).to_sklearn()
    with pytest.raises(ValueError, match="one of its activations"):
        cp.MLPRegressor(activation="gelu", max_iter=2).fit(raw, Y_REG).to_sklearn()


FILES = {
    "labels": (cp.MLPClassifier(5, max_iter=5, class_weight={"a": 2.0}), np.array(["a", "b", "c"])[Y]),
    "integers": (cp.MLPClassifier((5, 4), ["gelu", "tanh"], max_iter=5, preprocessing="robust"), Y * 7),
    "booleans": (cp.MLPClassifier(5, max_iter=5, solver=cp.AdamW(cp.schedules.constant(0.01))), Y == 1),
    "multilabel": (cp.MLPClassifier(5, max_iter=5), np.eye(3, dtype=int)[Y]),
    "columns": (cp.MLPClassifier(5, max_iter=5), np.column_stack([Y, Y[::-1]])),
    "regression": (
        cp.MLPRegressor(
            cp.costs.huber(0.5), 5, max_iter=5, target="standardize", preprocessing="standard",
            learning_rate=cp.schedules.cosine(0.01, epochs=9), n_iter_no_change=np.inf,
        ),
        100.0 * X[:, 1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_saved_estimator_predicts_and_goes_on_to_the_same_bits(name, tmp_path):
    import pandas as pd

    model, y = FILES[name]
    table = pd.DataFrame(X, columns=list("wxyz"))
    model = clone(model).set_params(random_state=3).fit(table, y)
    model.save(tmp_path / "model.safetensors")
    again = type(model).load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    assert again.predict(table).dtype == model.predict(table).dtype
    assert again.feature_names_in_.tolist() == list("wxyz")
    assert repr(again) == repr(model)
    kept = {name: column for name, column in model.history_.columns.items() if name not in TIMES}
    assert again.history_.columns == kept
    np.testing.assert_array_equal(
        again.partial_fit(table, y).network_.parameters, model.partial_fit(table, y).network_.parameters
    )
    network = cp.load(tmp_path / "model.safetensors")
    assert repr(network.architecture.cost) == repr(model.network_.architecture.cost)


def test_another_file_or_estimator_is_refused(tmp_path):
    cp.Network([2, 2], seed=0).save(tmp_path / "net.safetensors")
    with pytest.raises(cp.CheckpointError, match="a network, not an estimator"):
        cp.MLPClassifier.load(tmp_path / "net.safetensors")
    cp.MLPRegressor(hidden_layer_sizes=3, max_iter=2).fit(X_REG, Y_REG).save(
        tmp_path / "model.safetensors"
    )
    with pytest.raises(cp.CheckpointError, match="holds a MLPRegressor, not a MLPClassifier"):
        cp.MLPClassifier.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("how", [{}, {"early_stopping": True}, {"preprocessing": "robust"}])
def test_a_pickle_holds_no_training_data(how, rng):
    data = rng.normal(size=(20_000, 3))
    model = cp.MLPRegressor(hidden_layer_sizes=3, max_iter=2, **how).fit(data, data[:, 0])
    assert len(pickle.dumps(model)) < 20_000


def test_preprocessing_is_learned_from_the_training_part_and_kept():
    raw = 1e3 * X + 5e3
    model = cp.MLPClassifier(preprocessing="standard", max_iter=30, random_state=0).fit(raw, Y)
    scaled = StandardScaler().fit_transform(raw)
    by_hand = cp.MLPClassifier(max_iter=30, random_state=0).fit(scaled, Y)
    np.testing.assert_allclose(model.predict_proba(raw), by_hand.predict_proba(scaled), rtol=1e-9)
    held = cp.MLPClassifier(preprocessing="standard", max_iter=3, early_stopping=True, random_state=0)
    assert not np.allclose(held.fit(raw, Y).preprocessing_.scaling.shift, raw.mean(axis=0), rtol=1e-9)


def test_a_constant_feature_and_a_constant_target_do_no_harm():
    data = np.column_stack([X_REG, np.full(150, 3.7)])
    for preprocessing in ("standard", "robust"):
        model = cp.MLPRegressor(preprocessing=preprocessing, target="standardize", max_iter=20)
        assert np.isfinite(model.fit(data, np.full(150, 0.1)).predict(data)).all()
        np.testing.assert_allclose(model.predict(data), 0.1, atol=0.5)


@pytest.mark.parametrize("call", ["fit", "partial_fit", "a pipeline's fit"])
def test_warnings_point_to_the_line_that_called_the_estimator(call):
    wide, model = X * [1e5, 1, 1, 1], cp.MLPClassifier(max_iter=2)
    calls = {
        "fit": lambda: model.fit(wide, Y),
        "partial_fit": lambda: model.partial_fit(wide, Y, classes=[0, 1, 2]),
        "a pipeline's fit": lambda: make_pipeline("passthrough", model).fit(wide, Y),
    }
    with pytest.warns(UserWarning, match="feature 0 of X is over 1000 times") as seen:
        calls[call]()
    assert {each.filename for each in seen} == {__file__}
    assert len(seen) == (1 if call == "partial_fit" else 2)


# Several labels as a sparse matrix


@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "coo_array", "lil_matrix"])
def test_sparse_labels_come_back_as_those_of_scikit_learn_do(form, tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    table = np.column_stack([Y == 0, Y != 1, X[:, 0] > 0]).astype(int)
    given = getattr(sparse, form)(table)
    how = {"hidden_layer_sizes": 5, "max_iter": 5, "random_state": 0}
    theirs = neural_network.MLPClassifier(**how).fit(X, given)
    wanted, model = theirs.predict(X), cp.MLPClassifier(**how).fit(X, given)
    dense = cp.MLPClassifier(**how).fit(X, table)
    assert isinstance(dense.predict(X), np.ndarray)
    model.save(tmp_path / "model.safetensors")
    ours = {
        "fitted": model,
        "loaded": cp.MLPClassifier.load(tmp_path / "model.safetensors"),
        "there and back": cp.MLPClassifier.from_sklearn(model.to_sklearn()),
        "there": model.to_sklearn(),
        "from there": cp.MLPClassifier.from_sklearn(theirs),
        "in parts": cp.MLPClassifier(**how).partial_fit(X, given),
    }
    for name, each in ours.items():
        found = each.predict(X)
        assert (type(found), found.dtype) == (type(wanted), wanted.dtype), name
        if name not in ("from there", "in parts"):
            np.testing.assert_array_equal(found.toarray(), dense.predict(X))
    assert model.score(X, given) == dense.score(X, table)
    np.testing.assert_array_equal(model.predict_proba(X), dense.predict_proba(X))


def test_sparse_labels_are_predicted_block_by_block(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    table = np.column_stack([Y == 0, Y != 1]).astype(int)
    model = cp.MLPClassifier(5, max_iter=5, random_state=0).fit(X, sparse.csr_matrix(table))
    wanted = model.predict(X).toarray()
    monkeypatch.setattr("clearprop.estimators.predictor._ROWS", 7)
    np.testing.assert_array_equal(model.predict(X).toarray(), wanted)
    np.testing.assert_array_equal(model.predict(sparse.csr_matrix(X)).toarray(), wanted)


@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
def test_a_frame_of_numbers_has_columns_as_well(preset, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("wxyz"))
    model = cp.MLPClassifier(5, preset=preset, max_iter=2, random_state=0).fit(frame, Y)
    model.save(tmp_path / "model.safetensors")
    for each in (model, cp.MLPClassifier.load(tmp_path / "model.safetensors")):
        assert [(c.name, c.kind, c.type) for c in each.columns_] == [
            (name, "numeric", "number") for name in "wxyz"
        ]
        assert all(c.used and c.reason for c in each.columns_)
    assert cp.MLPClassifier(5, preset=preset, max_iter=2, random_state=0).fit(X, Y).columns_ is None
