"""The preset "realmlp": RealMLP-TD's steps, its start from the rows, and what it is for other data."""

import autograd
import autograd.numpy as anp
import numpy as np
import pandas
import pytest
import scipy.sparse

import clearprop as cp
from clearprop import building, randomness
from clearprop.estimators import inputs
from clearprop.estimators.options import Options
from clearprop.schedules import coslog4, flat_cos

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)) * [1, 5, 0.1, 3] + [0, 20, 0, 1]
Y = np.sin(X[:, 0]) * 3 + X[:, 3]
QUICK = {
    "preset": "realmlp",
    "hidden_layer_sizes": (8, 7),
    "max_iter": 3,
    "random_state": 0,
    "batch_size": 32,
}


def test_the_preset_is_realmlp_td_s_larger_sister():
    options = Options.of(cp.MLPClassifier(preset="realmlp"))
    decay, dropout = flat_cos(0.02, 256.0), flat_cos(0.15, 256.0)
    assert options.optimizer == cp.AdamW(coslog4(0.04, 256.0), 0.9, 0.95, 1e-8, weight_decay=decay)
    assert (options.dropout, options.label_smoothing, options.embedding) == (dropout, 0.1, "pbld")
    assert (options.activation, options.sizes) == ("parametric_selu", (256, 256, 256))
    options = Options.of(cp.MLPRegressor(preset="realmlp", max_iter=64, dropout=0.3))
    decay = flat_cos(0.02, 64.0)
    assert options.optimizer == cp.AdamW(coslog4(0.2, 64.0), 0.9, 0.95, 5e-9, weight_decay=decay)
    assert (options.dropout, options.activation, options.target) == (
        0.3,
        "parametric_mish",
        "standardize",
    )
    assert Options.of(cp.MLPRegressor(preset="realmlp", solver="adam")).weight_decay is None
    lbfgs = Options.of(cp.MLPRegressor(preset="realmlp", solver="lbfgs"))
    assert (lbfgs.dropout, lbfgs.weight_decay, lbfgs.averaging) == (0.0, None, 0.0)


@pytest.mark.parametrize("preset", ["realmlp-s", "realmlp"])
def test_a_solver_of_one_s_own_replaces_the_preset_s_with_its_schedule(preset):
    own = cp.ScheduleFreeAdamW(0.01, weight_decay=0.1)
    options = Options.of(cp.MLPClassifier(preset=preset, solver=own))
    assert (options.optimizer, options.averaging, options.weight_decay) == (own, 0.0, None)
    rated = cp.SGD(coslog4(0.01, 20.0))
    options = Options.of(cp.MLPClassifier(preset=preset, solver=rated))
    assert (options.optimizer, options.horizon, options.averaging > 0) == (rated, 20.0, True)
    named = cp.MLPRegressor(preset=preset, solver="schedulefreeadamw", learning_rate_init=0.02)
    decay = flat_cos(0.02, 256.0) if preset == "realmlp" else 0.0
    wanted = cp.ScheduleFreeAdamW(0.02, 0.9, 0.95, 5e-9, weight_decay=decay)
    assert (Options.of(named).optimizer, Options.of(named).averaging) == (wanted, 0.0)
    assert Options.of(cp.MLPRegressor(preset=preset, solver=cp.LBFGS())).dropout == 0.0


def test_of_what_a_solver_replaces_only_what_was_given_is_refused():
    def refused(**given):
        with pytest.raises(ValueError) as caught:
            cp.MLPRegressor(**QUICK, **given).fit(X, Y)
        return str(caught.value)

    own = {"solver": cp.ScheduleFreeAdamW()}
    said = refused(**own, averaging=0.5)
    assert said.startswith("averaging must be 0 with ScheduleFreeAdamW, which has a mean of its own")
    assert refused(**own, weight_decay=0.1).startswith("weight_decay needs solver='adamw'")
    given = refused(**own, learning_rate=coslog4(0.01, 3.0))
    assert "a learning rate of its own, got coslog4(rate=0.01" in given
    model = cp.MLPRegressor(**QUICK, **own, averaging=0).fit(X, Y)
    assert model.history_["learning_rate"] == [0.0025] * 3


def oracle_cost(p, shapes, x, wanted, masks):
    """Return RealMLP-TD's squared error of some rows, of parameters as RealMLP holds them."""
    ends = np.cumsum([0, *map(np.prod, shapes)])
    parts = [anp.reshape(p[a:b], s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]
    V, c, r, b, s, *layers = [parts[0], parts[2], parts[3], parts[1], *parts[4:]]
    numbers = []
    for k in range(4):
        wave = anp.cos(2 * np.pi * anp.outer(x[:, k], c[k]) + r[k])
        numbers += [anp.dot(wave, V[k]) + b[k], x[:, k : k + 1]]
    a = anp.concatenate(numbers, axis=1) * s
    for mask, (W, bias, w) in zip(masks, (layers[:3], layers[3:6]), strict=True):
        z = anp.dot(a, W.T) / np.sqrt(W.shape[1]) + bias
        a = (z + (z * anp.tanh(anp.log(1 + anp.exp(z))) - z) * w) * mask
    W, bias = layers[6:]
    out = (anp.dot(a, W.T) / np.sqrt(W.shape[1]) + bias)[:, 0]
    return anp.mean((out - wanted) ** 2)


def test_a_regressor_makes_realmlp_td_s_steps():
    """RealMLP's: the squared error, Adam with 1e-8, decays that have the factor of a rate twice."""
    x, seen = RNG.normal(size=(7, 4)), []
    y = RNG.normal(3.0, 2.0, size=7)
    model = cp.MLPRegressor(
        preset="realmlp", preprocessing=None, early_stopping=False, hidden_layer_sizes=(5, 6), max_iter=6,
        dtype="float64", random_state=0, callbacks=[lambda t: seen.append(t.state.parameters.copy())],
        engine="numpy",
    ).fit(x, y)  # fmt: skip
    blocks, wanted = model.network_.blocks, (y - y.mean()) / y.std()
    names = [b.name.rpartition(".")[2] for b in blocks]
    assert names[:5] == ["frequency", "phase", "weight", "bias", "scale"]
    assert names[5:] == ["weight", "bias", "share"] * 2 + ["weight", "bias"]
    ntk = [np.sqrt(b.shape[1]) if b.kind == "weights" else 1.0 for b in blocks]
    rate_of = {"embedding": 0.1, "scales": 6.0, "weights": 1.0, "biases": 0.1, "shares": 0.1}
    sizes = [b.size for b in blocks]
    factors, rates = np.repeat(ntk, sizes), np.repeat([rate_of[b.kind] for b in blocks], sizes)
    decays = rates**2 * np.repeat([b.kind != "biases" for b in blocks], sizes)
    order = [blocks[i] for i in (2, 3, 0, 1, *range(4, len(blocks)))]  # as the oracle takes them
    at = np.concatenate([np.arange(b.offset, b.offset + b.size) for b in order])
    back = np.argsort(at)
    slope = autograd.grad(oracle_cost)
    p, m, v = seen[0] * factors, 0.0, 0.0  # the first step has rate 0
    for t in range(1, 7):
        fading = 0.5 * (1 + np.cos(np.pi * max(2 * (t - 1) / 6 - 1, 0)))
        drop = 0.15 * fading
        masks = [
            randomness.keep_mask(0, t - 1, layer, 7, n, drop) / (1 - drop)
            for layer, n in ((0, 5), (1, 6))
        ]
        g = slope(p[at], [b.shape for b in order], x, wanted, masks)[back]
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
        rate = 0.2 * 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * (t - 1) / 6)))
        p = p * (1 - rate * 0.02 * fading * decays)
        p = p - rate * rates * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        np.testing.assert_allclose(seen[t - 1] * factors, p, rtol=1e-9, atol=1e-12)


def test_the_start_gives_every_neuron_deviation_1_and_a_bend_among_the_rows():
    made = building.build([4, 9, 6, 3], "parametric_selu", None, "cross_entropy")
    first = np.random.default_rng(1).normal(size=made.n_parameters)
    made.shares(first)[0][:] = 1.0
    parameters = first.copy()
    building.start_from_rows(made, parameters, X, 5, True, True)
    (W, V, _), (b, c, _) = made.views(parameters)
    a = X
    for weights, bias, f in (
        (W, b, made.functions(parameters)[0]),
        (V, c, made.functions(parameters)[1]),
    ):
        z = a @ weights.T
        np.testing.assert_allclose(z.std(axis=0), 1.0, rtol=1e-12)
        assert (z.min(axis=0) < -bias).all()
        assert (-bias < z.max(axis=0)).all()
        a = f(z + bias)
    mixed = -b[:, None] - (X @ W.T).T  # no bias is that of one row alone
    assert np.abs(mixed).min() > 1e-6
    kept = first.copy()
    building.start_from_rows(made, kept, X, 5, False, True)
    np.testing.assert_array_equal(made.views(kept)[0][0], made.views(first)[0][0])
    building.start_from_rows(made, kept, np.zeros((3, 4)), 5, True, True)  # nothing to divide by
    assert np.isfinite(kept).all()


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_predictions_stay_within_the_targets_learned_from_and_in_a_file(engine, tmp_path):
    model = cp.MLPRegressor(engine=engine, early_stopping=False, **QUICK).fit(X, Y)
    net, far = model.network_, X * 40
    net.biases[-1][:] += 0.3
    raw = net.predict(net.model.inputs(far.astype(np.float32)))[:, 0] * Y.std() + Y.mean()
    assert (raw > Y.max()).any() or (raw < Y.min()).any()
    got = model.predict(far)
    np.testing.assert_allclose(got, np.clip(raw, Y.min(), Y.max()), rtol=1e-4, atol=1e-4)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(cp.MLPRegressor.load(tmp_path / "m").predict(far), got)
    small = cp.MLPRegressor(**QUICK | {"preset": "realmlp-s"}).fit(X, Y)
    assert small.network_.model.targets.low is None


def test_the_score_of_an_epoch_is_that_of_what_would_be_predicted():
    seen = []
    model = cp.MLPRegressor(callbacks=[lambda t: seen.append(t.validation)], averaging=0.0, **QUICK)
    model.fit(X, Y)
    held, units = seen[0], model.network_.model.targets
    a = model.network_.predict(held.X) * 50
    score = model._task.score(units, a, held.Y, None)
    raw = units.decode(a.astype(np.float64)), units.decode(held.Y.astype(np.float64))
    residual = ((raw[0] - raw[1]) ** 2).sum() / ((raw[1] - raw[1].mean()) ** 2).sum()
    assert score == pytest.approx(1 - residual, abs=1e-5)


def test_initializers_that_were_chosen_are_kept():
    how = QUICK | {"max_iter": 1, "learning_rate_init": 1e-5, "averaging": 0.0, "dropout": 0.0}
    model = cp.MLPRegressor(initializer="zeros", bias_initializer="normal", **how).fit(X, Y)
    assert np.abs(model.coefs_[1]).max() < 1e-4
    other = cp.MLPRegressor(bias_initializer="normal", **how).fit(X, Y)
    np.testing.assert_allclose(model.intercepts_[0], other.intercepts_[0], atol=1e-4)
    assert np.abs(other.coefs_[1]).max() > 0.1


def test_what_has_no_numbers_of_many_values_is_not_embedded_unless_that_was_asked_for(monkeypatch):
    colours = pandas.DataFrame({"colour": RNG.choice(["red", "blue", "green"], 120)})
    model = cp.MLPClassifier(**QUICK).fit(colours, Y > 1)
    assert model.network_.architecture.embedding is None
    sparse = scipy.sparse.csr_matrix(X)
    monkeypatch.setattr(inputs, "DENSE_BYTES", 1)
    assert (
        cp.MLPRegressor(preprocessing=None, early_stopping=False, **QUICK)
        .fit(sparse, Y)
        .network_.architecture.embedding
        is None
    )
    with pytest.raises(ValueError, match="embedding='pbld' needs rows that fit in memory"):
        cp.MLPRegressor(preprocessing=None, embedding="pbld", **QUICK).fit(sparse, Y)
    rows = cp.data.stream(pandas.DataFrame(X, columns=list("abcd")).assign(y=Y), target="y")
    with pytest.raises(
        ValueError, match="embedding cannot be used with a stream.* give embedding=None"
    ):
        cp.MLPRegressor(**QUICK).fit(rows)


def test_of_a_table_two_numbers_are_embedded_and_two_words_or_truths_are_not():
    table = pandas.DataFrame(X[:, :1], columns=["a"]).assign(
        words=np.where(X[:, 1] > 20, "u", "v"),
        numbers=np.where(X[:, 2] > 0, 1, 0),
        truths=X[:, 3] > 0,
        chosen=np.where(X[:, 3] > 1, 3.5, 7.25),
    )
    columns = {"chosen": "categorical"}
    for embedding, wanted in ({}, (0, 2)), ({"embedding": "pl"}, (0, 2)):
        model = cp.MLPRegressor(**QUICK, columns=columns, **embedding).fit(table, Y)
        assert model.network_.architecture.embedding.columns == wanted
    plain = cp.MLPRegressor(**{**QUICK, "preset": "realmlp-s"}, embedding="pbld").fit(table, Y)
    assert plain.network_.architecture.embedding.columns == (0,)


def test_a_training_goes_on_also_where_nothing_is_embedded():
    for table in (X, X > 0):
        model = cp.MLPRegressor(
            warm_start=True, learning_rate="constant", early_stopping=False, **QUICK
        )
        model.fit(table, Y)
        before = model.network_.parameters.copy()
        model.fit(table, Y)
        assert not np.array_equal(model.network_.parameters, before)
    model.partial_fit(table, Y)
    with pytest.raises(ValueError, match="activation must be what the network has"):
        model.set_params(preset="realmlp-s").fit(table, Y)


def test_members_each_have_the_start_of_one_alone():
    how = QUICK | {"early_stopping": False, "random_state": 3}
    several = cp.MLPRegressor(members=2, **how).fit(X, Y).network_
    for member in several.members:
        alone = cp.MLPRegressor(**how | {"random_state": member.seed}).fit(X, Y)
        np.testing.assert_array_equal(member.parameters, alone.network_.parameters)
    assert cp.MLPRegressor(members=2, **how).fit(X, Y).predict(X * 40).max() <= Y.max() + 1e-5


CITY = RNG.integers(0, 12, 120)
TABLE = pandas.DataFrame(
    {
        "city": [f"c{k}" for k in CITY],
        "size": X[:, 1],
        "kind": [f"k{k % 8}" for k in range(120)],  # with 8 values it stays one-hot
    }
)
MEANS = CITY % 5 + X[:, 1] / 5


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_category_with_many_values_becomes_a_vector(engine, tmp_path):
    model = cp.MLPRegressor(engine=engine, early_stopping=False, **QUICK).fit(TABLE, MEANS)
    net = model.network_
    E = net.architecture.embedding
    assert str(E) == "pbld of 1 of 21 inputs, 4 numbers each; 1 category of 12 columns, 8 numbers each"
    assert E.categories.groups == (tuple(range(12)),)
    assert net.architecture.widths[0] == 8 + 4 + 8
    seen = net.model.inputs.of_batch(net.model.inputs.open(TABLE).table(), "float32")
    np.testing.assert_allclose(seen[:, :12].sum(axis=1), 1.0, rtol=1e-6)  # not scaled
    assert (np.abs(seen[:, 13:]).max(axis=0) > 1.5).all()
    block = next(b for b in net.blocks if b.name == "embedding.vectors")
    assert (block.lr_factor, block.decay_factor) == (1.0, 1.0)
    model.save(tmp_path / "m")
    again = cp.MLPRegressor.load(tmp_path / "m")
    strange = TABLE.assign(city="nowhere")
    np.testing.assert_array_equal(again.predict(strange), model.predict(strange))
    assert np.ptp(model.predict(TABLE.assign(size=3.0, kind="k1"))) > 0


def test_categories_are_embedded_without_numbers_too_and_only_by_realmlp():
    table = TABLE[["city", "kind"]].assign(rare=[f"r{k}" for k in range(114)] + ["x"] * 6)
    made = cp.MLPRegressor(**QUICK).fit(table, MEANS).network_.architecture
    assert str(made.embedding) == "1 category of 12 columns, 8 numbers each"  # "rare" has two values
    for how in (
        {"embedding": None},
        {"preset": "realmlp-s"},
        {"preset": "realmlp-s", "embedding": "pl"},
    ):
        made = cp.MLPRegressor(**QUICK | how).fit(TABLE, MEANS).network_.architecture
        assert made.embedding is None or not made.embedding.categories.groups


def test_a_training_with_categories_goes_on():
    how = QUICK | {"warm_start": True, "learning_rate": "constant", "early_stopping": False}
    for table in (TABLE, TABLE[["city"]]):
        model = cp.MLPRegressor(**how).fit(table, MEANS)
        before = model.network_.parameters.copy()
        model.fit(table, MEANS)
        assert not np.array_equal(model.network_.parameters, before)
