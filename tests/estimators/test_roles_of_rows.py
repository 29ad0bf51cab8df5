"""No row serves two purposes: those that choose the epoch, and those that judge what was chosen."""

import numpy as np
import pyarrow as pa
import pytest

import clearprop as cp
from clearprop.data.split import divide
from clearprop.estimators import held_out
from clearprop.evaluation import wilson_interval

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
N = 90
X = RNG.normal(size=(N, 4))
Y_REG = X[:, 0] + RNG.normal(size=N)
Y = np.where(Y_REG > 0, "yes", "no")
SMALL = {"hidden_layer_sizes": (5, 3), "max_iter": 6, "random_state": 0, "engine": "numpy"}
ROLES = {"early_stopping": True, "validation_fraction": 0.3, "test_share": 0.5}


@pytest.fixture
def judging(monkeypatch):
    """Return a list that gets the rows that choose and those that judge."""
    found, parts = [], held_out.parts

    def note(*arguments):
        found[:] = parts(*arguments)
        return tuple(found)

    monkeypatch.setattr(held_out, "parts", note)
    return found


def test_rows_are_divided_by_class_by_groups_and_in_time():
    labels = np.repeat([0, 1, 2], [10, 6, 4])
    choosing, judges = divide(labels, 0.5, seed=1)
    assert sorted([*choosing, *judges]) == list(range(20))
    assert np.bincount(labels[judges]).tolist() == [5, 3, 2]
    assert divide(labels, 0.5, seed=2)[1].tolist() != judges.tolist()
    groups = np.repeat(["d", "a", "c", "b"], [3, 7, 5, 5])
    choosing, judges = divide(20, 0.5, seed=1, groups=groups)
    assert not set(groups[choosing]) & set(groups[judges])
    assert len(judges) == 10  # 3 and 7, or 5 and 5
    times = np.array([5, 1, 9, 9, 2, 7, 3])
    assert divide(7, 0.4, seed=1, times=times)[1].tolist() == [2, 3, 5]
    assert [len(part) for part in divide(2, 0.1, seed=0)] == [1, 1]


def test_rows_or_groups_too_few_to_be_divided_are_refused_in_a_sentence():
    with pytest.raises(
        ValueError, match=r"^at least 2 rows must be held out, to choose and to judge, "
    ):
        divide(1, 0.5, 0)
    with pytest.raises(ValueError, match=r"^at least 2 groups must be held out, .* got 1$"):
        divide(5, 0.5, 0, groups=["one"] * 5)
    model = cp.MLPClassifier(**SMALL, **ROLES)
    with pytest.raises(
        ValueError, match=r"^groups must hold at least 3 groups, to set two aside, got 2"
    ):
        model.fit(X, Y, groups=np.arange(N) % 2)
    with pytest.raises(
        ValueError, match=r"^partial_fit does not support test_share, got 0\.5: it holds"
    ):
        cp.MLPClassifier(test_share=0.5).partial_fit(X, Y, classes=["no", "yes"])
    with pytest.raises(ValueError, match="'test_share' parameter of MLPRegressor must be a float"):
        cp.MLPRegressor(test_share=1.0).fit(X, Y_REG)


def test_the_rows_that_judge_change_nothing_but_the_judgement(judging):
    first = cp.MLPRegressor(**SMALL, **ROLES).fit(X, Y_REG)
    rows, choosing, judges = judging
    assert (len(rows), len(choosing), len(judges)) == (63, 13, 14)
    other = Y_REG.copy()
    other[judges] = 100.0 * RNG.normal(size=len(judges))
    second = cp.MLPRegressor(**SMALL, **ROLES).fit(X, other)
    np.testing.assert_array_equal(first.network_.parameters, second.network_.parameters)
    assert first.validation_scores_ == second.validation_scores_
    assert second.test_result_["rmse"] > 10 * first.test_result_["rmse"]
    other[choosing] *= -1.0
    assert (
        cp.MLPRegressor(**SMALL, **ROLES).fit(X, other).validation_scores_ != first.validation_scores_
    )


def test_what_judges_is_what_the_model_says_of_those_rows_and_stays_with_it(judging, tmp_path):
    for kind, y, name in ((cp.MLPClassifier, Y, "accuracy"), (cp.MLPRegressor, Y_REG, "r2")):
        model = kind(**SMALL, **ROLES).fit(X, y)
        judges = judging[2]
        found = model.test_result_
        assert found[name] == pytest.approx(model.score(X[judges], y[judges]), rel=1e-6)
        assert (found["n_samples"], found["n_validation"]) == (len(judges), len(judging[1]))
        low, high = found["intervals"][name]
        assert low < found[name] < high
        model.save(tmp_path / "m")
        assert kind.load(tmp_path / "m").test_result_ == found
        model.set_params(early_stopping=False, test_share=0.0).partial_fit(X, y)
        assert model.test_result_ is None  # of another network


def test_validation_data_of_ones_own_and_groups_are_divided_too(judging):
    model = cp.MLPClassifier(**SMALL, test_share=0.4)
    model.fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:])
    assert (model.test_result_["n_samples"], model.test_result_["n_validation"]) == (12, 18)
    groups = np.repeat(np.arange(9), 10)
    cp.MLPClassifier(**SMALL, **ROLES).fit(X, Y, groups=groups)
    rows, choosing, judges = (set(groups[part]) for part in judging)
    assert len(rows | choosing | judges) == len(rows) + len(choosing) + len(judges) == 9


@pytest.mark.parametrize("how", [{}, {"group": "shop"}, {"time": "shop"}])
def test_a_stream_is_divided_as_it_holds_rows_out(how):
    shops = np.arange(400) // 20
    table = pa.table(
        {"a": np.arange(400) % 7, "b": np.arange(400) % 11, "shop": shops, "y": RNG.normal(size=400)}
    )
    rows = cp.data.stream(table, target="y", validation=0.3, seed=0, buffer_rows=128, **how)
    model = cp.MLPRegressor(preset="realmlp-s", test_share=0.5, batch_size=64, **SMALL).fit(rows)
    choosing, judges = rows.held.divide(0.5, 0)
    found = model.test_result_
    assert (found["n_samples"], found["n_validation"]) == (len(judges.Y), len(choosing.Y))
    assert not set(choosing.Y) & set(judges.Y)
    if "group" in how:
        assert not set(choosing.groups) & set(judges.groups)
    if "time" in how:
        assert choosing.times.max() <= judges.times.min()
    none = cp.data.stream(table, target="y", validation=0.0, seed=0, buffer_rows=128)
    with pytest.raises(
        ValueError, match=r"^test_share=0\.5 needs a stream with validation above 0, got 0"
    ):
        cp.MLPRegressor(test_share=0.5, **SMALL).fit(none)


def test_of_noise_the_rows_that_judge_say_that_it_is_guessed():
    """The best of many epochs flatters itself on the rows it was chosen on, and only there."""
    right, chosen, n = 0.0, [], 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        noise, labels = rng.normal(size=(300, 6)).astype(np.float32), rng.integers(0, 2, 300)
        model = cp.MLPClassifier(
            (8,), max_iter=60, early_stopping=True, n_iter_no_change=60, validation_fraction=0.5,
            test_share=0.5, learning_rate_init=0.03, random_state=seed,
        ).fit(noise, labels)  # fmt: skip
        found = model.test_result_
        right, n = right + found["accuracy"] * found["n_samples"], n + found["n_samples"]
        chosen.append(model.best_validation_score_)
    low, high = wilson_interval(right / n, n, 0.99)
    assert low < 0.5 < high
    assert np.mean(chosen) > high  # so that a figure of theirs would be found out
