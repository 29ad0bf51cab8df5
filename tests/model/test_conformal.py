"""Split conformal intervals: the rank is exact, and as many rows lie inside as was asked."""

import csv
import io
import json
import math
from fractions import Fraction

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.checkpoint import read_tensors, write_tensors
from clearprop.model import conformal
from clearprop.model.targets import Units

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0, "engine": "numpy"}
ROLES = {"early_stopping": True, "validation_fraction": 0.6, "test_share": 0.5}


@pytest.mark.parametrize("level", ["0.5", "0.55", "0.7", "0.9", "0.95"])
def test_the_rank_is_the_smallest_of_which_k_of_n_plus_1_are_enough(level):
    exact = Fraction(level)
    for n in range(1, 130):
        enough = [k for k in range(1, n + 1) if Fraction(k, n + 1) >= exact]
        if enough:
            assert conformal.rank(n, conformal.check_level(float(level))) == enough[0]
        else:
            with pytest.raises(ValueError, match=rf"the model has {n}, enough for"):
                conformal.rank(n, exact)


def test_the_rank_is_exact_where_floats_are_not():
    assert math.ceil(100 * 0.55) == 56
    assert conformal.rank(99, conformal.check_level(0.55)) == 55


def test_the_coverage_of_one_more_row_is_exact():
    """Of n + 1 different errors each is as likely the new one's: counted, not drawn."""
    errors = np.random.default_rng(0).exponential(size=15)
    for level in (Fraction(1, 2), Fraction(9, 10)):
        inside = 0
        for new in range(15):
            others = np.sort(np.delete(errors, new))[:, None]
            inside += errors[new] <= conformal.half_width(others, level)[0]
        assert inside == conformal.rank(14, level)  # of 15
        assert level <= Fraction(int(inside), 15) < level + Fraction(1, 15)


def test_errors_are_sorted_by_output_and_of_very_many_some_are_kept(monkeypatch):
    rng = np.random.default_rng(0)
    predicted, true = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    found = conformal.residuals(predicted, true)
    np.testing.assert_array_equal(found, np.sort(abs(predicted - true), axis=0))
    monkeypatch.setattr(conformal, "MOST", 4)
    kept = conformal.residuals(predicted, true)
    np.testing.assert_array_equal(kept, np.sort(abs(predicted - true)[[0, 1, 3, 5]], axis=0))


def test_of_noise_as_many_new_rows_lie_inside_as_was_asked():
    rng = np.random.default_rng(1)
    covered = {0.5: [], 0.9: []}
    for seed in range(12):
        X, y = rng.normal(size=(200, 3)), rng.exponential(size=200)
        model = cp.MLPRegressor(**SMALL | {"random_state": seed}, **ROLES).fit(X, y)
        new, true = rng.normal(size=(500, 3)), rng.exponential(size=500)
        for level, found in covered.items():
            answers, bounds = model.predict(new, interval=level)
            np.testing.assert_allclose(bounds.mean(axis=1), answers, rtol=1e-6)
            found.append(np.mean((bounds[:, 0] <= true) & (true <= bounds[:, 1])))
    for level, found in covered.items():  # of 60 errors each, whose quantile moves it
        spread = math.sqrt(level * (1 - level) / 60 / 12)
        assert abs(np.mean(found) - level) < 3 * spread + 1 / 61


@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
def test_an_interval_is_of_the_rows_that_judge_in_the_units_of_y_and_saved(
    preset, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    y = np.stack([1e4 + 100 * X[:, 0], X[:, 1] + rng.normal(size=90)], axis=1)
    model = cp.MLPRegressor(
        **SMALL, preset=preset, dtype="float64", **ROLES | {"early_stopping": False}
    )
    from clearprop.estimators import held_out

    found, parts = [], held_out.parts
    monkeypatch.setattr(held_out, "parts", lambda *a: found.append(parts(*a)) or found[-1])
    model.fit(X, y)
    judging = found[0][2]
    answers, bounds = model.predict(X[:7], interval=0.8)
    assert bounds.shape == (7, 2, 2)
    errors = np.sort(abs(model.predict(X[judging]) - y[judging]), axis=0)
    k = math.ceil((len(judging) + 1) * 0.8)
    np.testing.assert_allclose(bounds[..., 1] - answers, np.tile(errors[k - 1], (7, 1)), rtol=1e-8)
    np.testing.assert_array_equal(answers, model.predict(X[:7]))
    model.save(tmp_path / "m")
    again = cp.MLPRegressor.load(tmp_path / "m").predict(X[:7], interval=0.8)[1]
    np.testing.assert_array_equal(again, bounds)
    cp.load(tmp_path / "m").save(tmp_path / "net")
    kept = cp.load(tmp_path / "net").model.targets
    assert isinstance(kept, Units)
    assert len(kept.residuals) == len(judging)
    assert model.set_params(test_share=0.0).fit(X, y).network_.model.targets.residuals is None


def test_rows_beyond_all_that_was_learned_from_are_as_far_off_as_they_are():
    """RealMLP's answers stay between the least and the largest that were learned from; the truth does not."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    model = cp.MLPRegressor(**SMALL, preset="realmlp", test_share=0.9, dtype="float64")
    far = np.full(20, 50.0)
    model.fit(X[:40], y[:40], X_val=X[40:], y_val=far)
    found = model.test_result_
    errors = far[0] - model.predict(X[40:])
    assert errors.min() > 40
    assert errors.min() - 1e-6 <= found["mae"] <= errors.max() + 1e-6
    assert len(model.network_.model.targets.residuals) == 18
    assert model.network_.model.targets.residuals.min() >= errors.min() - 1e-6


def test_what_has_no_interval_is_refused_in_a_sentence(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = cp.MLPRegressor(**SMALL).fit(X, y)
    with pytest.raises(
        ValueError, match=r"^an interval needs errors on held-out rows .* test_share=0\.5"
    ):
        model.predict(X, interval=0.9)
    model = cp.MLPRegressor(**SMALL, **ROLES).fit(X, y)
    with pytest.raises(
        ValueError, match=r"99 % of the rows needs 99 .*, the model has 12, enough for 92"
    ):
        model.predict(X, interval=0.99)
    for wrong in (0, 1, 90, float("nan")):
        with pytest.raises(ValueError, match=r"^interval must be above 0 and below 1, got "):
            model.predict(X, interval=wrong)
    for wrong in ("90", True):
        with pytest.raises(TypeError, match=r"^interval must be a number above 0 and below 1, got "):
            model.predict(X, interval=wrong)
    told = cp.MLPClassifier(**SMALL).fit(X, y > 0)
    with pytest.raises(ValueError, match=r"^interval is for quantities, got 0\.9; use predict_proba$"):
        told.predict(X, interval=0.9)
    model.save(tmp_path / "m")
    tensors, metadata = read_tensors(tmp_path / "m")
    for change in (
        lambda e: e[::-1],
        lambda e: -e[::-1],
        lambda e: e[:, :0],
        lambda e: e[:0],
        np.float32,
    ):
        errors = np.ascontiguousarray(change(tensors["targets.residuals"]))
        write_tensors(tmp_path / "bad", tensors | {"targets.residuals": errors}, metadata)
        with pytest.raises(
            cp.CheckpointError, match=r"tensor targets\.residuals must be sorted float64"
        ):
            cp.load(tmp_path / "bad")


def test_the_shell_writes_bounds_beside_predictions(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(200, 3)), columns=["u", "v", "w"])
    frame["y"] = 1e6 + 1e3 * frame["u"] + rng.normal(size=200)
    frame.to_csv("t.csv", index=False)
    run = ("train", "t.csv", "--hidden", 8, "--engine", "numpy", "--seed", 0, "--epochs", 3, "--quiet")
    code, told, _ = clearprop(*run, "--target", "y", "--json")
    assert code == 0
    rows = list(
        csv.DictReader(io.StringIO(clearprop("predict", "t.safetensors", "t.csv", "--interval", 80)[1]))
    )
    model = cp.MLPRegressor.load("t.safetensors")
    answers, bounds = model.predict(frame.drop(columns="y"), interval=0.8)
    errors = model.network_.model.targets.residuals
    assert json.loads(told)["within_90"] == errors[math.ceil(21 * 0.9) - 1, 0]
    assert "90 % lie within  " in clearprop("info", "t.safetensors")[1]
    found = np.array([[float(row[name]) for name in ("prediction", "low", "high")] for row in rows])
    np.testing.assert_allclose(found, np.column_stack([answers, bounds]), rtol=1e-6)
    for wrong in ("0", "100", "much"):
        code, out, err = clearprop("predict", "t.safetensors", "t.csv", "--interval", wrong)
        assert (code, out) == (2, "")
        assert f"--interval must be per cent above 0 and below 100, such as 90, got '{wrong}'" in err
    code, out, err = clearprop(
        "predict", "t.safetensors", "t.csv", "--interval", "99%", "--output", "p.csv"
    )
    assert (code, out) == (2, "")
    assert (
        "an interval for 99 % of the rows needs 99 held-out rows that chose nothing, the model has 20"
        in err
    )
    assert not (tmp_path / "p.csv").exists()
    frame["y"] = np.where(frame["u"] > 0, "yes", "no")
    frame.to_csv("t.csv", index=False)
    assert clearprop(*run, "--target", "y")[0] == 0
    code, out, err = clearprop("predict", "t.safetensors", "t.csv", "--interval", 80)
    assert (code, out) == (2, "")
    assert "--interval is for quantities, the model tells classes: it has probabilities" in err


def test_a_network_of_arrays_has_bounds_by_the_rows_that_measured_it(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = (
        "train",
        "diabetes",
        "--epochs",
        2,
        "--seed",
        0,
        "--engine",
        "numpy",
        "--output",
        "m",
        "--quiet",
    )
    assert clearprop(*run)[0] == 0
    net, data = cp.load("m"), cp.data.load("diabetes")
    off = np.sort(abs(net.predict(data.X_test)[:, 0] - data.test[1].reshape(-1)))
    away = off[math.ceil((len(off) + 1) * 0.8) - 1]
    rows = list(csv.DictReader(io.StringIO(clearprop("predict", "m", "diabetes", "--interval", 80)[1])))
    found = np.array([[float(row[name]) for name in ("prediction", "low", "high")] for row in rows])
    np.testing.assert_allclose(found[:, 1:] - found[:, :1], [[-away, away]] * len(rows), rtol=1e-4)


def spread_rows(n, seed):
    """Return rows whose target is the more spread the larger the first input is."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, size=(n, 2))
    return X, X[:, 1] + (0.1 + 3 * X[:, 0]) * rng.normal(size=n)


QUANTILES = {"hidden_layer_sizes": (8,), "max_iter": 120, "learning_rate_init": 0.03, "tol": 0.0}


def test_conformalised_quantiles_are_moved_by_the_rank_of_how_far_rows_lie_outside():
    rng = np.random.default_rng(0)
    outputs, y = rng.normal(size=(15, 3)), rng.normal(size=(15, 1))
    low, high = outputs.min(axis=1), outputs.max(axis=1)
    beyond = np.maximum(low - y[:, 0], y[:, 0] - high)
    assert (beyond < 0).any()
    assert (beyond > 0).any()
    for level in (Fraction(1, 2), Fraction(9, 10)):
        inside = 0
        for new in range(15):
            others = np.delete(np.arange(15), new)
            units = Units(quantiles=True)
            errors = units.errors(outputs[others], np.repeat(y[others], 3, axis=1))
            np.testing.assert_array_equal(errors[:, 0], np.sort(beyond[others]))
            units = Units(quantiles=True, residuals=errors)
            ((bounds,),) = units.bounds(outputs[[new]], level)
            away = np.sort(beyond[others])[math.ceil(15 * level) - 1]
            if low[new] - away <= high[new] + away:
                np.testing.assert_allclose(bounds, [low[new] - away, high[new] + away])
            inside += beyond[new] <= away
        assert inside == conformal.rank(14, level)  # of 15, exactly: whichever row is the new one


def test_an_interval_that_would_be_empty_is_its_middle():
    bounds = conformal.around(np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 9.0]]), np.array([-1.5]))
    np.testing.assert_array_equal(bounds, [[[2.0, 2.0]], [[1.5, 7.5]]])


@pytest.mark.parametrize("how", [{}, {"target": "standardize"}, {"loss": cp.costs.quantiles(0.6)}])
def test_intervals_of_quantiles_hold_what_was_asked_and_are_as_wide_as_the_rows_need(how):
    covered, narrow, wide = [], [], []
    for seed in range(6):
        X, y = spread_rows(360, seed)
        made = SMALL | ROLES | QUANTILES | {"loss": "quantiles", "random_state": seed} | how
        made["early_stopping"] = False  # whose score is that of the medians
        model = cp.MLPRegressor(**made | {"engine": "auto", "n_iter_no_change": 999}).fit(X, y)
        X, y = spread_rows(500, seed + 100)
        answers, bounds = model.predict(X, interval=0.8)
        assert (answers.shape, bounds.shape) == ((500,), (500, 2))
        covered.append(np.mean((bounds[:, 0] <= y) & (y <= bounds[:, 1])))
        width = bounds[:, 1] - bounds[:, 0]
        narrow.append(width[X[:, 0] < 0.25].mean())
        wide.append(width[X[:, 0] > 0.75].mean())
    assert abs(np.mean(covered) - 0.8) < 3 * math.sqrt(0.8 * 0.2 / 90 / 6) + 1 / 91
    assert np.mean(wide) > 1.5 * np.mean(narrow)


@pytest.mark.parametrize("preset", ["sklearn", "realmlp"])
def test_a_model_of_quantiles_is_saved_and_answers_with_the_middle_one(preset, tmp_path):
    X, y = spread_rows(90, 0)
    made = SMALL | ROLES | {"preset": preset, "dtype": "float64", "members": 2}
    model = cp.MLPRegressor("quantiles", **made).fit(X, 100 * y)
    assert model.network_.sizes[-1] == 3
    answers, bounds = model.predict(X[:7], interval=0.8)
    outputs = model.network_.model.targets.in_own_units(model._predictor().outputs(X[:7]))
    if preset == "sklearn":  # realmlp's answers are between the least and the largest
        np.testing.assert_allclose(answers, np.sort(outputs, axis=1)[:, 1])
    assert "within_90" not in model.test_result_
    model.save(tmp_path / "m")
    again = cp.MLPRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(X[:7], interval=0.8)[1], bounds)
    cp.load(tmp_path / "m").save(tmp_path / "net")
    assert cp.load(tmp_path / "net").model.targets.quantiles
    tensors, metadata = read_tensors(tmp_path / "m")
    errors = np.ascontiguousarray(tensors["targets.residuals"][::-1])
    write_tensors(tmp_path / "bad", tensors | {"targets.residuals": errors}, metadata)
    with pytest.raises(cp.CheckpointError, match=r"must be sorted float64 .*\(rows, 1\)"):
        cp.load(tmp_path / "bad")


def test_what_quantiles_do_not_go_with_is_refused_in_a_sentence():
    X, y = spread_rows(60, 0)
    with pytest.raises(ValueError, match=r"^loss='quantiles' is for one quantity a row, got 2; fit"):
        cp.MLPRegressor("quantiles", **SMALL).fit(X, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match=r"^loss='quantiles' is for quantities; a classifier needs"):
        cp.MLPClassifier(loss="quantiles", **SMALL).fit(X, y > 0)
    model = cp.MLPRegressor("quantiles", **SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"^scikit-learn's networks have no quantiles, this one has"):
        model.to_sklearn()
    with pytest.raises(ValueError, match=r"^level must be in \(0, 1\), got 1$"):
        cp.costs.quantiles(1)


def test_the_shell_trains_quantiles_and_writes_their_bounds(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = spread_rows(200, 0)
    pandas.DataFrame({"u": X[:, 0], "v": X[:, 1], "y": y}).to_csv("t.csv", index=False)
    run = ("train", "t.csv", "--target", "y", "--hidden", 8, "--engine", "numpy", "--seed", 0,
           "--epochs", 3, "--cost", "quantiles", "--no-baselines", "--quiet")  # fmt: skip
    assert clearprop(*run)[0] == 0
    told = clearprop("predict", "t.safetensors", "t.csv", "--interval", 80)[1]
    rows = list(csv.DictReader(io.StringIO(told)))
    found = np.array([[float(row[name]) for name in ("prediction", "low", "high")] for row in rows])
    model = cp.MLPRegressor.load("t.safetensors")
    answers, bounds = model.predict(pandas.DataFrame({"u": X[:, 0], "v": X[:, 1]}), interval=0.8)
    np.testing.assert_allclose(found, np.column_stack([answers, bounds]), rtol=1e-5)
    said = clearprop("info", "t.safetensors")[1]
    assert "cost quantiles(level=0.9)" in said
    assert "intervals           around outer quantiles, by 20 rows that chose nothing\n" in said
    code, told, _ = clearprop("evaluate", "t.safetensors", "t.csv", "--json")
    mae = np.abs(answers - y).mean()
    assert (code, json.loads(told)["mae"]) == (0, pytest.approx(mae, rel=1e-4))
    code, _, err = clearprop("train", "diabetes", "--cost", "quantiles", "--epochs", 1)
    assert (code, "--cost quantiles is for tables, diabetes is none" in err) == (2, True)
    code, _, err = clearprop("explore", "t.safetensors", "t.csv")
    assert (code, "three quantiles" in err) == (2, True), err
    assert clearprop("export", "t.safetensors", "--format", "python")[0] == 0
    assert clearprop("explain", "t.safetensors", "t.csv")[0] == 0
