"""Of a report: segments, importance, dependence, drift, leaks and the worst rows, by column."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

import clearprop as cp
from clearprop.checkpoint import CheckpointError
from clearprop.data.table.quantiles import Quantiles
from clearprop.model import file as model_file
from clearprop.reporting import association, drift, importance, leaks, segments
from clearprop.reporting.doors import subject_of
from clearprop.reporting.slices import slices
from clearprop.reporting.value import Value
from reported import classifier, houses, people, regressor


@pytest.fixture(scope="module")
def leaving():
    """A model of people with its rows, where a category has another target than in training."""
    model, rows = classifier()
    odd = rows["contract"] == "two years"
    rows = rows.assign(leaves=rows["leaves"].where(~odd, "Yes"))
    return model, rows, cp.report(model, rows.drop(columns="leaves"), rows["leaves"]).figures


@pytest.fixture(scope="module")
def living():
    model, rows = regressor()
    return model, rows, cp.report(model, rows.drop(columns="cost"), rows["cost"]).figures


def subject(model, rows, target):
    return subject_of(model, rows.drop(columns=target), rows[target])[0]


def test_the_segment_that_was_spoiled_is_the_first_and_each_has_its_figures(leaving):
    model, rows, made = leaving
    first = made.segments.found[0]
    assert (first.column, first.name) == ("contract", "two years")
    wrong = model.predict(rows.drop(columns="leaves")) != rows["leaves"]
    inside = rows["contract"] == "two years"
    assert first.n == inside.sum()
    assert first.score.value == pytest.approx(1 - wrong[inside].mean())
    assert first.behind.value == pytest.approx(wrong[inside].mean() - wrong[~inside].mean())
    assert 0 < first.behind.low < first.behind.value < first.behind.high
    lows = [each.behind.low for each in made.segments.found]
    assert lows == sorted(lows, reverse=True)
    assert made.segments.all_rows == pytest.approx(1 - wrong.mean())
    names = {f"{each.column}: {each.name}" for each in made.segments.found}
    assert "charges: missing" in names
    assert "tenure: 0 to 17" in names or any(name.startswith("tenure: 0 to") for name in names)


def test_small_segments_of_a_model_that_is_alike_everywhere_do_not_shout():
    """Of 40 segments of a few rows each, hardly one in 20 runs is said to fall behind."""
    rng, shouted = np.random.default_rng(0), 0
    for _ in range(40):
        wrong, codes = rng.random(240) < 0.2, np.arange(240) % 40
        total = float(wrong.sum()), float(wrong.sum()), 240
        for code in range(40):
            mine = wrong[codes == code]
            sums = float(mine.sum()), float(mine.sum()), len(mine)
            others = total[0] - sums[0], total[1] - sums[1], 240 - len(mine)
            shouted += segments._of_shares(sums, others, 1 - 0.05 / 40).low > 0
    assert shouted <= 4


def test_a_difference_of_means_is_welchs():
    rng = np.random.default_rng(1)
    mine, others = rng.gamma(2.0, 3.0, 17), rng.gamma(2.0, 2.0, 230)
    made = segments._of_means(*((x.sum(), (x**2).sum(), len(x)) for x in (mine, others)), 0.9)
    there = stats.ttest_ind(mine, others, equal_var=False).confidence_interval(0.9)
    assert made.low == pytest.approx(there.low)
    assert made.high == pytest.approx(there.high)
    assert segments._of_means((1.0, 1.0, 1), (3.0, 5.0, 2), 0.9).low is None


def test_slices_hold_every_row_once_and_say_what_is_in_them(leaving):
    model, rows, _ = leaving
    for column in subject(model, rows, "leaves").columns:
        found = slices(column, 4, 20)
        assert sorted(np.concatenate([each.rows for each in found])) == list(range(len(rows)))
        if column.name == "tenure":
            for each in found:
                low, high = map(int, each.name.split(" to "))
                there = rows["tenure"].to_numpy()[each.rows]
                assert (there.min(), there.max()) == (low, high)


def test_categories_of_the_training_without_a_row_are_named(leaving):
    model, rows, _ = leaving
    some = rows[rows["contract"] != "a year"]
    found = cp.report(model, some.drop(columns="leaves"), some["leaves"])
    assert found.figures.segments.empty == ("contract: a year",)
    assert "no row here: contract: a year." in found.html


def test_importance_is_the_growth_of_the_loss_where_a_column_is_dealt_out(living):
    model, rows, made = living
    assert [each.columns for each in made.importance.columns] == [("area",), ("near",)]
    seen = subject(model, rows, "cost")
    now = np.sqrt(((seen.predicted - seen.y) ** 2).mean())
    assert made.importance.now == pytest.approx(now)
    grown = []
    for seed in range(40):
        dealt = rows.assign(area=np.random.default_rng(seed).permutation(rows["area"]))
        error = model.predict(dealt.drop(columns="cost")) - rows["cost"].to_numpy()
        grown.append(np.sqrt((error**2).mean()) - now)
    lost = made.importance.columns[0].lost
    assert lost.low < np.mean(grown) < lost.high
    assert lost.value == pytest.approx(np.mean(grown), rel=0.1)


def test_a_column_that_the_network_does_not_look_at_has_no_importance():
    rows = houses(300, 2)
    rows["noise"] = np.random.default_rng(0).normal(size=300)
    X = np.column_stack([rows["area"], rows["noise"]])
    net = cp.Network([2, 1], cost="quadratic", seed=0)
    net.weights[0][:] = [[2.0, 0.0]]
    found = cp.report(net, X, rows["cost"]).figures.importance
    assert found.columns[1].columns == ("x1",)
    assert found.columns[1].lost == Value(0.0, 0.0, 0.0)
    assert importance.strongest(subject_of(net, X, rows["cost"])[0], found, 6)[0].name == "x0"
    assert len(cp.report(net, X, rows["cost"]).figures.dependence) == 1


def test_columns_that_say_the_same_are_one_group_and_matter_together():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    X[:, 1] = X[:, 0] ** 3
    net = cp.Network([4, 1], cost="quadratic", seed=0)
    net.weights[0][:] = [[1.0, 1.0, 0.5, 0.0]]
    y = (X @ net.weights[0].T)[:, 0]
    found = cp.report(net, X, y).figures.importance
    assert [each.columns for each in found.groups] == [("x0", "x1")]
    alone = {each.columns[0]: each.lost.value for each in found.columns}
    assert found.groups[0].lost.value > max(alone["x0"], alone["x1"])


def test_what_goes_together_is_measured_as_its_names_say():
    rng = np.random.default_rng(0)
    n = 2000
    number, words = rng.normal(size=n), rng.integers(0, 3, n)
    assert association._association(*(x - x.mean() for x in (number, -number))) == pytest.approx(1.0)
    assert association._association(words, (words + 1) % 3) == pytest.approx(1.0, abs=1e-3)
    assert association._association(words, rng.integers(0, 3, n)) < 0.05
    ranks = stats.rankdata(number) - (n + 1) / 2
    assert association._association(ranks, words) < 0.06
    cut = (number > 0).astype(np.int64)
    assert association._association(ranks, cut) == pytest.approx(np.sqrt(0.75), abs=0.01)


def test_dependence_asks_the_model_with_the_column_changed_in_every_row(leaving):
    model, rows, made = leaving
    for each in made.dependence:
        at = len(each.names) // 2
        value = each.names[at] if each.kind == "categorical" else each.x[at]
        if value == "missing":
            continue
        changed = rows.drop(columns="leaves").assign(**{each.column: value})
        p = model.predict_proba(changed)[:, 1].astype(np.float64)
        assert each.of == ("Yes",)
        assert each.rows == len(rows)
        assert each.means[0][at] == pytest.approx(p.mean(), abs=1e-6)
        assert each.curves[2][at] == pytest.approx(p[2], abs=1e-6)
    assert {each.kind for each in made.dependence} == {"numeric", "categorical"}


def test_rows_like_the_trainings_have_not_drifted_and_others_have(leaving):
    model, rows, made = leaving
    assert not any(each.drifted for each in made.drift.columns)
    assert made.drift.n_then < 400
    moved = rows.assign(tenure=rows["tenure"] + 20, contract=rows["contract"].replace("a year", "five"))
    found = {
        each.column: each
        for each in cp.report(model, moved.drop(columns="leaves")).figures.drift.columns
    }
    assert (found["tenure"].drifted, found["contract"].drifted) == (True, True)
    assert not found["charges"].drifted
    assert found["contract"].most in ("a year", "others")
    assert found["contract"].elsewhere == pytest.approx((rows["contract"] == "a year").mean(), abs=0.05)
    assert found["tenure"].chance < 1e-6


def test_the_two_samples_are_compared_by_pearsons_test_and_sure_only_seldom_by_chance():
    then, now = (30, 50, 20), (45, 40, 35)
    table = np.array([then, now])
    assert drift.chance_of(then, now) == pytest.approx(
        stats.chi2_contingency(table, correction=False)[1]
    )
    assert drift.chance_of((5, 0), (7, 0)) == 1.0
    rng = np.random.default_rng(0)
    chances = []
    for _ in range(300):
        known = Quantiles()
        known.add(rng.normal(size=400))
        edges, counts = known.slices(10)
        again = np.bincount(np.searchsorted(edges, rng.normal(size=300)), minlength=len(counts))
        chances.append(drift.chance_of(counts, tuple(again.tolist())))
    assert 0.02 < (np.array(chances) < 0.05).mean() < 0.09


def test_slices_of_a_sketch_count_every_number():
    known, sketch = Quantiles(), Quantiles(exact=0)
    numbers = np.random.default_rng(0).gamma(2.0, size=60_000).round(2)
    for part in np.split(numbers, 20):
        known.add(part)
        sketch.add(part)
    edges, counts = known.slices(10)
    assert sum(counts) == 60_000
    assert counts[0] == (numbers <= edges[0]).sum()
    assert sum(sketch.slices(10)[1]) == 60_000
    assert Quantiles().slices(10) == ((), (0,))
    ties = Quantiles()
    ties.add(np.array([0.0] * 90 + [1.0] * 9 + [7.0]))
    assert ties.slices(10) == ((0.0,), (90, 10))


def test_counts_of_the_training_are_in_the_file_and_an_older_file_is_said_to_have_none(
    leaving, tmp_path
):
    model, rows, made = leaving
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = cp.MLPClassifier.load(path)
    assert again.table_encoder_.seen == model.table_encoder_.seen
    assert cp.report(again, rows.drop(columns="leaves")).figures.drift == made.drift
    again.table_encoder_.seen = ()
    found = cp.report(again, rows.drop(columns="leaves"))
    assert found.figures.drift is None
    assert "does not say how the columns were spread" in found.html


def test_counts_that_fit_no_column_are_refused(leaving, tmp_path):
    model, path = leaving[0], tmp_path / "model.safetensors"
    described = model._model_of_file()
    encoder = described.inputs.encoder
    whole = encoder.seen
    for wrong in (whole[:1], (*whole[:-1], whole[0])):
        encoder.seen = wrong
        try:
            model_file.write(path, described)
            with pytest.raises(CheckpointError, match=r"estimator\.table\.seen"):
                model_file.read(path)
        finally:
            encoder.seen = whole


def test_a_column_written_after_the_target_looks_like_a_leak(living):
    _, rows, made = living
    assert not any(each.suspect for each in made.leaks.columns)
    area = next(each for each in made.leaks.columns if each.column == "area")
    assert 0.2 < area.told < 0.98
    known = rows.assign(paid=rows["cost"] * 1.01)
    fitted = cp.MLPRegressor(preset="realmlp-s", hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    fitted.fit(known.drop(columns="cost"), known["cost"])
    found = leaks.leaks(subject(fitted, known, "cost"))
    assert [each.column for each in found.columns if each.suspect] == ["paid"]


def test_a_class_that_is_spelled_otherwise_looks_like_a_leak():
    known = people(300)
    known["letter"] = known["leaves"].map({"Yes": "L1", "No": "B0"})
    fitted = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match="'letter' .* gives the target away"):
        fitted.fit(known.drop(columns="leaves"), known["leaves"])
    found = leaks.leaks(subject(fitted, known, "leaves"))
    assert [each.column for each in found.columns if each.suspect] == ["letter"]
    assert found.nothing == pytest.approx(known["leaves"].value_counts(normalize=True).max(), abs=0.01)


def test_the_worst_rows_are_there_as_they_are_written(leaving, living):
    model, rows, made = leaving
    p = model.predict_proba(rows.drop(columns="leaves")).astype(np.float64)
    of_class = np.where(rows["leaves"] == "Yes", p[:, 1], p[:, 0])
    worst = made.worst.rows[0]
    assert worst.row == int(np.argmin(of_class))
    assert worst.said == pytest.approx(of_class.min())
    assert made.worst.columns == ("person", "tenure", "charges", "contract")
    there = rows.iloc[worst.row]
    assert worst.cells[:2] == (there["person"], str(there["tenure"]))
    assert worst.cells[3] == there["contract"]
    assert (worst.true, worst.predicted) == (
        there["leaves"],
        "No" if there["leaves"] == "Yes" else "Yes",
    )
    model, rows, made = living
    away = np.abs(model.predict(rows.drop(columns="cost")) - rows["cost"].to_numpy())
    assert made.worst.rows[0].row == int(np.argmax(away))
    assert made.worst.rows[0].loss == pytest.approx(away.max(), rel=1e-5)
    assert made.worst.rows[0].true == rows["cost"][made.worst.rows[0].row]


def test_the_worst_rows_have_the_models_reasons(leaving, living):
    for (model, rows, made), target in ((leaving, "leaves"), (living, "cost")):
        worst = made.worst.rows[0]
        there = model.reasons(rows.drop(columns=target).iloc[[worst.row]])
        assert worst.of == there.of[0]
        assert made.worst.baseline == "the median row of the training"
        top = there.top(0, 5)
        assert [each.column for each in worst.reasons] == [each.column for each in top]
        for mine, other in zip(worst.reasons, top, strict=True):
            assert mine.moved == pytest.approx(other.part, rel=1e-3, abs=1e-3 * abs(top[0].part))
    net = cp.Network([2, 3], output="softmax", cost="cross_entropy", seed=0)
    found = cp.report(net, np.eye(2)[[0, 1, 0]], [0, 1, 2]).figures.worst
    assert found.baseline == "rows of these data"
    assert {each.column for each in found.rows[0].reasons} == {"x0", "x1"}


def test_columns_without_names_are_called_as_in_reasons():
    X = np.random.default_rng(0).normal(5.0, 2.0, size=(60, 3))
    net = cp.Network([3, 4, 2], scaling=cp.data.standardize(X), seed=0)
    found = cp.report(net, X, np.arange(60) % 2).figures.worst
    assert found.baseline == "the median row of the training"
    assert {each.column for each in found.rows[0].reasons} == {"x0", "x1", "x2"}


def test_words_dates_and_times_of_day_are_columns_like_others():
    rng, n = np.random.default_rng(0), 160
    day = np.datetime64("2024-01-01") + rng.integers(0, 300, n)
    table = pa.table(
        {
            "size": [["12", "13.5", "none", None][k] for k in rng.integers(0, 4, n)],
            "day": pa.array(day.astype("datetime64[us]")),
            "clock": [f"{h:02}:30" for h in rng.integers(0, 24, n)],
            "warm": rng.random(n) < 0.5,
            "y": rng.normal(size=n),
        }
    )
    X = table.drop_columns("y")
    fitted = cp.MLPRegressor(preset="realmlp-s", hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    fitted.fit(X, table["y"].to_numpy())
    found = cp.report(fitted, X, table["y"].to_numpy()).figures
    names = {f"{each.column}: {each.name}" for each in found.segments.found}
    assert {"warm: true", "warm: false"} <= names
    assert any(name.startswith("day: 2024-01-01 to 2024-") for name in names)
    assert not any(each.drifted for each in found.drift.columns)
    assert len(found.worst.rows[0].cells) == 4
