"""The preset "realmlp-s": the input scale, the neural tangent parametrisation, data frames."""

import dataclasses
import pickle

import numpy as np
import pytest
from sklearn import datasets, model_selection

import clearprop as cp
from clearprop.estimators.options import Options
from scikit_checks import every_check

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = datasets.load_iris(return_X_y=True)
WEIGHTS = "rows are set aside for validation, and which ones depends on how often a row is there"


def scaled_network(ntk=False, seed=0, sizes=(4, 5, 3)):
    net = cp.Network(list(sizes), activation="tanh", cost="squared_error", dtype="float64", seed=seed)
    made = dataclasses.replace(net.architecture, input_scale=True, ntk=ntk)
    net.model.parameters = np.concatenate([np.linspace(0.5, 2.0, sizes[0]), net.parameters])
    net.model.architecture = made
    return net


def test_numbers_near_the_ends_of_what_floats_hold_are_learned_from_or_refused(rng):
    tiny = cp.MLPClassifier(preset="realmlp-s", max_iter=2).fit(
        np.arange(40.0)[:, None] * 1e-310, np.arange(40) % 2
    )
    assert np.isfinite(tiny.predict_proba([[1e-310], [0.0], [5.0]])).all()
    huge = np.arange(40.0) * 1e306
    with pytest.raises(ValueError, match="y must fit in float32, got a mean of inf and a standard"):
        cp.MLPRegressor(preset="realmlp-s", max_iter=2).fit(rng.normal(size=(40, 3)), huge)


def test_the_gradient_of_the_input_scale_is_that_of_the_cost(rng):
    net = scaled_network()
    data = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    check = cp.check_gradient(net, *data)
    assert check.verdict == "pass"
    assert "layers.0.scale" in {row.block for row in check.rows}
    each = net.gradient(*data, per_sample=True).flat
    np.testing.assert_allclose(each.mean(axis=0), net.gradient(*data).flat, rtol=1e-12, atol=1e-15)


def test_an_input_scale_is_a_diagonal_matrix_before_the_first_layer(rng):
    net, data = scaled_network(), rng.normal(size=(6, 4))
    plain = cp.Network([4, 5, 3], activation="tanh", cost="squared_error", dtype="float64", seed=0)
    plain.weights[0][:] *= net.architecture.scale_view(net.parameters)
    np.testing.assert_allclose(net.predict(data), plain.predict(data), rtol=1e-13)
    y = rng.normal(size=(6, 3))
    np.testing.assert_allclose(net.input_gradient(data, y), plain.input_gradient(data, y), rtol=1e-12)


def test_steps_are_those_of_the_neural_tangent_parametrisation(rng):
    """The oracle holds W with z = (s x) W' / sqrt(n_in) + b, and steps on W itself, as RealMLP does."""
    net = scaled_network(ntk=True)
    data, y = rng.normal(size=(7, 4)), rng.normal(size=(7, 3))
    s = net.parameters[:4].copy()
    W = [w * np.sqrt(w.shape[1]) for w in net.weights]
    b = [each.copy() for each in net.biases]
    parts = [s, *W, *b]
    rates = [6.0, 1.0, 1.0, 0.1, 0.1]
    m, v = [np.zeros_like(p) for p in parts], [np.zeros_like(p) for p in parts]
    for t in range(1, 6):
        x = data * s
        h = np.tanh(x @ W[0].T / 2.0 + b[0])
        d2 = 2.0 * (h @ W[1].T / np.sqrt(5) + b[1] - y) / 7
        d1 = (d2 @ W[1] / np.sqrt(5)) * (1 - h**2)
        gradients = [
            (data * (d1 @ W[0] / 2.0)).sum(axis=0),
            d1.T @ x / 2.0,
            d2.T @ h / np.sqrt(5),
            d1.sum(axis=0),
            d2.sum(axis=0),
        ]
        for i, g in enumerate(gradients):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.95 * v[i] + 0.05 * g * g
            m_hat, v_hat = m[i] / (1 - 0.9**t), v[i] / (1 - 0.95**t)
            parts[i] -= 0.01 * rates[i] * m_hat / (np.sqrt(v_hat) + 1e-3)
    adam = cp.Adam(0.01, 0.9, 0.95, 1e-3)
    net.fit(data, y, epochs=5, batch_size=None, optimizer=adam, progress=False)
    np.testing.assert_allclose(net.parameters[:4], s, rtol=1e-9)
    for mine, their in zip(net.weights, W, strict=True):
        np.testing.assert_allclose(mine, their / np.sqrt(their.shape[1]), rtol=1e-9)
    for mine, their in zip(net.biases, b, strict=True):
        np.testing.assert_allclose(mine, their, rtol=1e-9)


def test_a_regressor_makes_realmlps_steps_on_the_squared_error(rng):
    """The oracle is RealMLP's: mish, the whole squared error, Adam with 1e-8, coslog4 before each step."""
    x, y, seen = rng.normal(size=(7, 4)), rng.normal(3.0, 2.0, size=7), []
    cp.MLPRegressor(
        preset="realmlp-s", preprocessing=None, early_stopping=False, hidden_layer_sizes=(5,), max_iter=6,
        dtype="float64", random_state=0, callbacks=[lambda t: seen.append(t.state.parameters.copy())],
    ).fit(x, y)  # fmt: skip
    sizes = [4, 20, 5, 5, 1]
    factors = np.repeat([1.0, 2.0, 1.0, np.sqrt(5.0), 1.0], sizes)  # of ours in RealMLP's
    rates = np.repeat([6.0, 1.0, 0.1, 1.0, 0.1], sizes)
    p, wanted = seen[0] * factors, (y - y.mean()) / y.std()  # the first step has rate 0
    assert (p[:4] == 1.0).all()
    assert (p[-6:] == 0.0).all()
    m = v = np.zeros(35)
    for t in range(1, 7):
        s, W, b, w, c = np.split(p, np.cumsum(sizes)[:-1])
        W = W.reshape(5, 4)
        z = (x * s) @ W.T / 2.0 + b
        soft = np.tanh(np.log1p(np.exp(z)))
        out = (z * soft) @ w / np.sqrt(5.0) + c
        d2 = 2.0 * (out - wanted) / 7
        slope = soft + z * (1 - soft**2) / (1 + np.exp(-z))
        d1 = d2[:, None] * w / np.sqrt(5.0) * slope
        dW, db, dw = d1.T @ (x * s) / 2.0, d1.sum(0), (z * soft).T @ d2 / np.sqrt(5.0)
        g = np.concatenate([(x * (d1 @ W / 2.0)).sum(0), dW.ravel(), db, dw, [d2.sum()]])
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
        rate = 0.07 * 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * (t - 1) / 6)))
        p = p - rate * rates * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        p[-1] = seen[t - 1][-1]  # its gradient is a sum to 0, whose rounding Adam takes for a direction
        np.testing.assert_allclose(seen[t - 1] * factors, p, rtol=1e-9, atol=1e-12)


def test_weight_decay_on_a_block_with_a_rate_factor_is_not_applied_twice():
    net = scaled_network(ntk=True)
    before = net.parameters.copy()
    x = np.zeros((3, 4))
    net.biases[0][:] = net.biases[1][:] = 0.0
    before = [w.copy() for w in net.weights]
    net.fit(
        x, np.zeros((3, 3)), epochs=1, batch_size=None, optimizer=cp.AdamW(0.1, weight_decay=0.5),
        progress=False,
    )  # fmt: skip
    for now, then in zip(net.weights, before, strict=True):
        np.testing.assert_allclose(now, then * (1 - 0.1 * 0.5), rtol=1e-12)


def test_the_preset_is_realmlps():
    model = cp.MLPClassifier(preset="realmlp-s", max_iter=2, random_state=0).fit(X, Y)
    net = model.network_
    assert net.sizes == (4, 256, 256, 256, 3)
    assert net.dtype == "float32"
    assert [str(layer.function) for layer in net.layers] == ["selu"] * 3 + ["softmax"]
    assert net.blocks[0].kind == "scales"
    options = Options.of(cp.MLPClassifier(preset="realmlp-s"))
    assert options.optimizer == cp.Adam(cp.schedules.coslog4(0.04, 256.0), 0.9, 0.95, 1e-8)
    assert (options.label_smoothing, options.batch_size, options.preprocessing) == (0.1, 256, "robust")
    options = Options.of(cp.MLPRegressor(preset="realmlp-s"))
    assert options.optimizer.learning_rate == cp.schedules.coslog4(0.07, 256.0)
    assert (options.activation, options.target) == ("mish", "standardize")


def test_two_classes_have_two_outputs():
    model = cp.MLPClassifier(preset="realmlp-s", max_iter=8, hidden_layer_sizes=16, random_state=0)
    model.fit(X, Y == 1)
    assert model.network_.sizes[-1] == 2
    assert model.decision_function(X).shape == (150,)
    np.testing.assert_array_equal(model.predict(X), model.decision_function(X) > 0)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-6)


def test_an_epoch_is_made_of_whole_batches_and_leaves_out_other_rows_each_time():
    seen = []

    def see(training):
        plan = training.plan
        assert (plan.n_samples, plan.steps_per_epoch) == (96, 3)
        seen.append(set(training.order.tolist()))

    model = cp.MLPClassifier(
        preset="realmlp-s", hidden_layer_sizes=8, batch_size=32, max_iter=4, random_state=0,
        callbacks=[see],
    ).fit(X, Y)  # fmt: skip
    assert [len(rows) for rows in seen] == [96] * 4  # of the 120 to train on
    assert set.union(*seen) > seen[0]
    assert model.t_ == 4 * 96
    all_rows = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=8, batch_size=32, max_iter=2,
        random_state=0, shuffle=False).fit(X, Y)  # fmt: skip
    assert all_rows.t_ == 2 * 120  # else the last ones would never be learned from


def test_fewer_rows_than_a_batch_make_one():
    model = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=8, max_iter=2, random_state=0)
    assert model.fit(X, Y).t_ == 2 * 120


def test_of_epochs_that_score_alike_the_last_one_is_kept():
    seen = []
    model = cp.MLPClassifier(
        preset="realmlp-s", max_iter=20, random_state=0, hidden_layer_sizes=32,
        callbacks=[lambda training: seen.append(training.progress.judged.copy())],
    ).fit(X, Y)  # fmt: skip
    scores = np.array(model.validation_scores_)
    best = np.flatnonzero(scores == scores.max())
    assert len(best) > 1
    np.testing.assert_array_equal(model.network_.parameters, seen[best[-1]])


def test_the_mean_of_the_parameters_is_what_is_scored_kept_and_predicted_with():
    """The oracle takes the mean of the parameters after each epoch, and scores it itself."""
    steps, options = [], {"hidden_layer_sizes": 32, "max_iter": 30, "random_state": 0}
    model = cp.MLPClassifier(
        preset="realmlp-s", **options, averaging=0.6,
        callbacks=[lambda training: steps.append(training.state.parameters.copy())],
    )  # fmt: skip
    rows, held = model_selection.train_test_split(np.arange(len(X)), test_size=30, random_state=0)
    model.fit(X[rows], Y[rows], X_val=X[held], y_val=Y[held])
    alone = cp.MLPClassifier(preset="realmlp-s", **options, averaging=0.0)
    alone.fit(X[rows], Y[rows], X_val=X[held], y_val=Y[held])
    middle = np.median(X[rows], axis=0)
    scaled = (X[held] - middle) / np.subtract(*np.quantile(X[rows], [0.75, 0.25], axis=0))
    scaled /= np.sqrt(1.0 + (scaled / 3.0) ** 2)
    mean, scores, kept = steps[0].astype(np.float64), [], []
    for at, now in enumerate(steps):
        mean = 0.6 * mean + 0.4 * now if at else mean
        s, w1, b1, w2, b2 = np.split(mean, np.cumsum([4, 4 * 32, 32, 32 * 3]))
        z = (scaled * s) @ w1.reshape(32, 4).T + b1
        a = np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0))) * 1.0507009873554805
        picked = (a @ w2.reshape(3, 32).T + b2).argmax(axis=1)
        scores.append(np.mean(picked == Y[held]))
        kept.append(mean)
    np.testing.assert_allclose(model.validation_scores_, scores, rtol=1e-12)
    best = np.flatnonzero(np.array(scores) == max(scores))[-1]
    np.testing.assert_allclose(model.network_.parameters, kept[best], rtol=1e-4, atol=1e-5)
    assert not np.allclose(model.network_.parameters, steps[best], rtol=1e-2)
    assert alone.loss_curve_ == model.loss_curve_  # no step is another one


def test_a_scorer_is_shown_the_mean_of_the_parameters_too():
    options = {"preset": "realmlp-s", "hidden_layer_sizes": 32, "max_iter": 12, "random_state": 0}
    options |= {"averaging": 0.7}
    asked = cp.MLPClassifier(**options, scoring="accuracy").fit(X, Y)
    own = cp.MLPClassifier(**options).fit(X, Y)
    assert asked.validation_scores_ == own.validation_scores_
    np.testing.assert_array_equal(asked.network_.parameters, own.network_.parameters)
    raw = cp.MLPClassifier(**options | {"averaging": 0.0}, scoring="accuracy").fit(X, Y)
    assert raw.validation_scores_ != own.validation_scores_


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ({}, 0.75),
        ({"max_iter": 512}, 0.866025),  # the root of it: as much stays of two epochs
        ({"max_iter": 64}, 0.316406),
        ({"max_iter": 10**6}, 0.999926),
        ({"max_iter": 10**9}, 0.999999),
        ({"max_iter": 5}, 0.0),
        ({"max_iter": 64, "learning_rate": cp.schedules.coslog4(0.04, 256.0)}, 0.75),
        ({"max_iter": 5, "averaging": 0.9}, 0.9),
        ({"averaging": 0.0}, 0.0),
    ],
)
def test_the_mean_is_over_the_same_share_of_the_epochs_however_many(given, share):
    assert Options.of(cp.MLPRegressor(preset="realmlp-s", **given)).averaging == share


def test_with_lbfgs_or_one_epoch_at_a_time_there_is_nothing_to_average():
    lbfgs = cp.MLPClassifier(preset="realmlp-s", solver="lbfgs", max_iter=5, hidden_layer_sizes=8)
    assert Options.of(lbfgs).averaging == 0.0
    seen = []
    model = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=8, random_state=0,
        callbacks=[lambda training: seen.append(training.state.parameters.copy())])  # fmt: skip
    for _ in range(3):
        model.partial_fit(X, Y, classes=np.unique(Y))
        np.testing.assert_array_equal(model.network_.parameters, seen[-1])


def mixed(library, rows=slice(None)):
    made = pytest.importorskip(library)
    rng = np.random.default_rng(0)
    n = 120
    colour = rng.choice(["red", "green", "blue"], n).astype(object)
    size = rng.choice(["s", "l"], n).astype(object)
    age = rng.normal(40, 10, n)
    y = np.where((colour == "red") & (age > 38), "yes", "no")
    age[::7] = np.nan
    colour[::11] = None
    columns = {"colour": colour[rows].tolist(), "age": age[rows], "size": size[rows].tolist()}
    return (made.table(columns) if library == "pyarrow" else made.DataFrame(columns)), y[rows]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_text_and_missing_values_in_a_table_are_taken(library):
    table, y = mixed(library)
    model = cp.MLPClassifier(
        preset="realmlp-s", hidden_layer_sizes=32, max_iter=40, random_state=0, early_stopping=False
    ).fit(table, y)
    assert model.score(table, y) > 0.85
    assert model.n_features_in_ == 3
    # Colours and where there is none, age and where it is missing, one for two sizes.
    assert model.network_.sizes[0] == 3 + 1 + 2 + 1
    assert [each.kind for each in model.columns_] == ["categorical", "numeric", "categorical"]
    part, _ = mixed(library, slice(0, 5))
    np.testing.assert_allclose(model.predict_proba(part), model.predict_proba(table)[:5], rtol=1e-4)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    with pytest.raises(ValueError, match="X must be a data frame"):
        model.predict(np.zeros((2, 3)))


@pytest.mark.parametrize("preset", ["realmlp-s", "sklearn"])
@pytest.mark.parametrize("how", ["reader", "dataset", "scanner", "batch", "capsule"])
def test_tables_that_are_read_once_or_when_asked_are_read_into_memory(how, preset):
    import pyarrow as pa
    import pyarrow.dataset as datasets

    table, y = mixed("pyarrow")
    if preset == "sklearn":
        table = pa.table({"age": np.nan_to_num(table["age"].to_numpy())})

    class Capsule:  # such as a relation of duckdb
        columns = table.column_names

        def __getitem__(self, name):
            raise NotImplementedError

        def __len__(self):
            return table.num_rows

        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    make = {
        "reader": table.to_reader,
        "dataset": lambda: datasets.dataset(table),
        "scanner": lambda: datasets.dataset(table).scanner(),
        "batch": lambda: table.combine_chunks().to_batches()[0],
        "capsule": Capsule,
    }[how]

    def fit(X):
        return cp.MLPClassifier(
            preset=preset, hidden_layer_sizes=8, max_iter=2, early_stopping=True, random_state=0,
            engine="numpy",
        ).fit(X, y)  # fmt: skip

    model, plain = fit(make()), fit(table)
    assert model.n_features_in_ == table.num_columns
    assert model.feature_names_in_.tolist() == table.column_names
    np.testing.assert_array_equal(model.predict_proba(make()), plain.predict_proba(table))


def test_a_query_of_polars_is_to_be_collected_first():
    table, y = mixed("polars")
    with pytest.raises(TypeError, match=r"X must be a data frame, got LazyFrame: collect\(\) it first"):
        cp.MLPClassifier(preset="realmlp-s").fit(table.lazy(), y)


def test_a_table_model_is_saved_with_its_categories(tmp_path):
    table, y = mixed("pandas")
    model = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=8, max_iter=3, random_state=0)
    model.fit(table, y).save(tmp_path / "model.safetensors")
    again = cp.MLPClassifier.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    assert again.network_.architecture.input_scale
    assert again.network_.architecture.ntk


def test_columns_that_tell_nothing_are_left_out_and_kinds_can_be_given(tmp_path):
    pandas = pytest.importorskip("pandas")
    table, y = mixed("pandas")
    table = table.assign(customer_id=range(len(table)), always="x", store=np.arange(len(table)) % 5)
    options = {"preset": "realmlp-s", "hidden_layer_sizes": 8, "max_iter": 2, "random_state": 0}
    model = cp.MLPClassifier(**options, columns={"store": "categorical", "size": "dropped"}).fit(
        table, y
    )
    kinds = {each.name: each.kind for each in model.columns_}
    assert kinds == {
        "colour": "categorical", "age": "numeric", "size": "dropped", "customer_id": "identifier",
        "always": "constant", "store": "categorical",
    }  # fmt: skip
    model.save(tmp_path / "m.safetensors")
    again = cp.MLPClassifier.load(tmp_path / "m.safetensors")
    assert again.columns_ == model.columns_
    fitted = cp.MLPClassifier(**options, columns=model.columns_).fit(table, y)
    np.testing.assert_array_equal(fitted.predict_proba(table), model.predict_proba(table))
    with pytest.raises(ValueError, match="columns needs preset='realmlp-s', got preset='sklearn'"):
        cp.MLPClassifier(columns={}).fit(X, Y)
    wrong = pandas.DataFrame(table, dtype=object)
    wrong.loc[3, "age"] = "old"
    with pytest.raises(ValueError, match="must hold numbers, got 'old': row 3, column 'age'|one type"):
        model.predict(wrong)


def test_the_encoder_sees_only_the_rows_that_are_trained_on():
    pandas = pytest.importorskip("pandas")
    n = 200
    rng = np.random.default_rng(1)
    table = pandas.DataFrame({"a": rng.normal(size=n), "c": rng.choice(["u", "v", "w"], n)})
    y = rng.integers(0, 2, n)
    model = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=4, max_iter=1, random_state=0)
    _, held = model_selection.train_test_split(
        np.arange(n), test_size=0.2, random_state=np.random.RandomState(0)
    )
    table.loc[held, "c"] = "only held out"
    table.loc[held[:3], "a"] = np.nan
    model.fit(table, y)
    assert model.table_encoder_.feature_names == ("a", "c = u", "c = v", "c = w")


@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
def test_wrong_weights_and_groups_are_refused_before_anything_is_learned_with_them(preset, rng):
    X, y, weight = rng.normal(size=(40, 3)), np.arange(40) % 2, np.ones(40)
    model = cp.MLPClassifier(preset=preset, early_stopping=True, max_iter=1, random_state=0)
    for wrong, message in (
        (-weight, "sample_weight must be at least 0, got -1.0 in row 0"),
        (np.where(np.arange(40) == 31, -2.0, 1.0), "must be at least 0, got -2.0 in row 31"),
        (np.where(np.arange(40) == 31, np.nan, 1.0), "sample_weight contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, sample_weight=wrong)
    with pytest.raises(ValueError, match="groups must hold values of one type, without gaps"):
        model.fit(X, y, groups=[None, "u"] * 20)


def test_lists_where_words_were_learned_from_are_refused():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": ["u", "v"] * 20, "b": np.arange(40) / 2})
    model = cp.MLPClassifier(preset="realmlp-s", max_iter=1, random_state=0).fit(table, [0, 1] * 20)
    lists = pyarrow.table({"a": [["u"]] * 3, "b": [1.5] * 3})
    with pytest.raises(ValueError, match="must hold numbers, words or dates in column 'a', got list"):
        model.predict(lists)


def test_missing_values_in_an_array_are_refused():
    data = X.copy()
    data[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        cp.MLPClassifier(preset="realmlp-s", max_iter=2).fit(data, Y)


@pytest.mark.slow
@every_check(
    [
        cp.MLPClassifier(preset="realmlp-s", max_iter=30, hidden_layer_sizes=(32, 32)),
        cp.MLPRegressor(preset="realmlp-s", max_iter=30, hidden_layer_sizes=(32, 32)),
    ],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
        "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
    },
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_finds_nothing_wrong_with_the_preset(estimator, check):
    check(estimator)
