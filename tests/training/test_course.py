"""Dropout and weight decay by schedules: each step has its own, in every engine and after a resume."""

import itertools

import numpy as np
import pytest

import clearprop as cp
from clearprop import randomness, schedules
from clearprop.building import build
from clearprop.engines import State
from clearprop.engines.compiled import CompiledEngine
from clearprop.engines.interface import Course
from clearprop.engines.reference import ReferenceEngine
from clearprop.estimators.options import Options
from test_engines import plan_for, problem, relative

X = np.random.default_rng(0).normal(size=(7, 4))
Y = np.array([0, 1, 2, 0, 1, 2, 1])
HOW = {"epochs": 4, "batch_size": 3, "progress": False, "seed": 3}
DECAY = cp.AdamW(0.02, weight_decay=schedules.flat_cos(2.0, epochs=4))
DROPOUT = schedules.cosine(0.6, epochs=4)


def fitted(engine, dropout=DROPOUT, optimizer=DECAY, **how):
    net = cp.Network([4, 5, 6, 3], "tanh", dtype="float64", seed=0)
    net.fit(X, Y, **HOW | {"dropout": dropout, "optimizer": optimizer, "engine": engine} | how)
    return net


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("cuts", [(), (1, 2)])
def test_engines_agree_on_a_course_however_it_is_cut(cuts, n_threads):
    made = build([4, 70, 5, 3], "tanh", "softmax", "cross_entropy")
    data, parameters = problem(made, 101)
    plan = plan_for(made, DECAY, n=101, batch=32, n_threads=n_threads)
    course = Course(
        np.array([[0.5, 0.0], [0.25, 0.5], [0.0, 0.0], [0.1, 0.2]]), np.array([2.0, 1, 0, 3])
    )
    order, rates, states = randomness.permutation(5, 101, step=0), np.full(4, 0.02), []
    for engine, edges in ((ReferenceEngine(), (0, 4)), (CompiledEngine(), (0, *cuts, 4))):
        state = State(parameters.copy(), DECAY.init(parameters))
        for a, b in itertools.pairwise(edges):
            part = Course(course.dropout[a:b], course.weight_decay[a:b])
            assert engine.run(plan, state, data, order, rates[a:b], course=part).n_steps == b - a
        states.append(state)
    assert relative(states[1].parameters, states[0].parameters) < 1e-9


def test_a_step_in_doubt_is_made_with_its_own_row_of_the_course():
    made = build([4, 5, 3], "identity", "identity", "quadratic")
    data, parameters = problem(made, 7)
    plan = plan_for(made, cp.AdamW(1.0), batch=3)
    course = Course(np.zeros((3, 1)), np.array([0.1, 3.0, 0.2]))  # 3: more than all of a weight
    states = []
    for engine in (ReferenceEngine(), CompiledEngine()):
        state = State(parameters.copy(), plan.optimizer.init(parameters))
        engine.run(plan, state, data, np.arange(7), np.full(3, 0.5), course=course)
        states.append(state.parameters)
    assert relative(states[1], states[0]) < 1e-9


def test_the_engines_fit_alike_by_schedules_and_another_schedule_gives_another_fit():
    one, other = fitted("numpy"), fitted("compiled")
    assert relative(other.parameters, one.parameters) < 1e-9
    for change in ({"dropout": 0.6}, {"optimizer": cp.AdamW(0.02, weight_decay=2.0)}):
        assert relative(fitted("numpy", **change).parameters, one.parameters) > 1e-3


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_schedule_that_is_constant_gives_the_bits_of_its_number(engine):
    flat = cp.AdamW(0.02, weight_decay=schedules.constant(0.3))
    one = fitted(engine, [schedules.constant(0.4), 0.25], flat)
    other = fitted(engine, [0.4, 0.25], cp.AdamW(0.02, weight_decay=0.3))
    np.testing.assert_array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_training_with_schedules_is_resumed_to_the_same_bits(engine, tmp_path):
    class StopError(Exception):
        pass

    def stop(training):
        if training.epochs_done == 2:
            raise StopError

    how = {"dropout": [DROPOUT, 0.1], "checkpoint": tmp_path / "c", "callbacks": [stop]}
    with pytest.raises(StopError):
        fitted(engine, **how)
    again = fitted(engine, **how | {"callbacks": [], "resume": True})
    np.testing.assert_array_equal(again.parameters, fitted(engine, dropout=[DROPOUT, 0.1]).parameters)
    for change in ({"dropout": [0.6, 0.1]}, {"optimizer": cp.AdamW(0.02, weight_decay=2.0)}):
        with pytest.raises(ValueError, match="cannot be resumed with other settings"):
            fitted(engine, **how | {"callbacks": [], "resume": True} | change)


@pytest.mark.filterwarnings("ignore:max_iter")
def test_an_estimator_takes_schedules_and_its_file_keeps_them(tmp_path):
    chosen = {"dropout": schedules.flat_cos(0.3, epochs=3), "weight_decay": schedules.coslog4(0.1, 3)}
    model = cp.MLPClassifier(5, solver="adamw", max_iter=3, batch_size=3, random_state=0, **chosen).fit(
        X, Y
    )
    model.save(tmp_path / "m")
    again = cp.MLPClassifier.load(tmp_path / "m")
    assert {name: getattr(again, name) for name in chosen} == chosen
    assert Options.of(again).optimizer.weight_decay == chosen["weight_decay"]
    plain = cp.MLPClassifier(5, solver="adamw", max_iter=3, batch_size=3, random_state=0).fit(X, Y)
    assert not np.array_equal(model.network_.parameters, plain.network_.parameters)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"dropout": schedules.cosine(1.5, 4)},
            r"dropout must stay in \[0, 1\), got 1.5 after 0 epochs",
        ),
        ({"dropout": [0.1, schedules.plateau(0.1)]}, "dropout cannot be a plateau"),
        ({"dropout": schedules.warmup(2, schedules.plateau(0.1))}, "dropout cannot be a plateau"),
        ({"dropout": [DROPOUT] * 3}, "dropout must have a rate for each of 2 hidden layers"),
        (
            {"label_smoothing": schedules.constant(1.0)},
            r"label_smoothing must stay in \[0, 1\), got 1 ",
        ),
        ({"label_smoothing": "cosine"}, "label_smoothing must be in"),
        ({"dropout": "cosine"}, "dropout must be a list or tuple, got 'cosine'"),
    ],
)
def test_what_dropout_cannot_be_is_said(how, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted("numpy", **how)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("batches", [{"batch_size": 3}, {"n_batches": 3}], ids=str)
def test_label_smoothing_by_a_schedule_smooths_the_targets_of_each_step(engine, batches):
    smoothing = schedules.cosine(0.6, epochs=4)
    weight = np.linspace(0.5, 2.0, 7)

    how = {"label_smoothing": smoothing, "sample_weight": weight, "epochs": 2, **batches}
    net = cp.Network([4, 5, 6, 3], "tanh", dtype="float64", seed=0)
    net.fit(X, Y, optimizer=cp.SGD(0.5), engine=engine, progress=False, seed=3, **how)
    made = cp.Network([4, 5, 6, 3], "tanh", dtype="float64", seed=0)
    sizes = [3, 3, 1] if "n_batches" not in batches else [3, 2, 2]
    weight = weight / weight.mean()
    for epoch in range(2):
        order, begin = randomness.permutation(3, 7, step=epoch), 0
        for step, size in enumerate(sizes):
            rows, share = order[begin : begin + size], smoothing(epoch + step / 3)
            targets = np.eye(3)[Y[rows]] * (1 - share) + share / 3
            slope = made.gradient(X[rows], targets, per_sample=True).flat
            made.parameters[:] -= 0.5 * (weight[rows] @ slope) / size
            begin += size
    np.testing.assert_allclose(net.parameters, made.parameters, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_smoothing_that_is_constant_is_that_of_a_number_and_is_resumed(engine, tmp_path):
    how = {"dropout": DROPOUT, "optimizer": DECAY, "metrics": ["accuracy"], "train_metrics": True}
    one = fitted(engine, label_smoothing=schedules.constant(0.25), **how)
    np.testing.assert_allclose(
        one.parameters, fitted(engine, label_smoothing=0.25, **how).parameters, rtol=1e-9
    )
    how |= {"label_smoothing": schedules.cosine(0.6, epochs=4)}
    whole = fitted(engine, **how)
    fitted(engine, **how, epochs=2, checkpoint=tmp_path / "c")
    again = fitted(engine, **how, checkpoint=tmp_path / "c", resume=True)
    np.testing.assert_array_equal(again.parameters, whole.parameters)
    assert relative(whole.parameters, one.parameters) > 1e-3


def test_an_estimator_smooths_by_a_schedule_too_and_what_it_cannot_be_is_said():
    how = {"max_iter": 3, "batch_size": 3, "random_state": 0, "early_stopping": False}
    fits = [
        cp.MLPClassifier(5, preset="realmlp-s", label_smoothing=each, **how).fit(X, Y)
        for each in (schedules.cosine(0.6, 3), schedules.constant(0.2), 0.2)
    ]
    losses = [fit.loss_curve_ for fit in fits]
    assert losses[1] == pytest.approx(losses[2], rel=1e-5)
    assert abs(losses[0][-1] - losses[1][-1]) > 1e-3
    smoothing = schedules.cosine(0.6, 3)
    with pytest.raises(
        ValueError, match="label_smoothing needs softmax or sigmoid outputs, got identity"
    ):
        cp.Network([4, 3], cost="quadratic", seed=0).fit(X, np.eye(3)[Y], label_smoothing=smoothing)
    with pytest.raises(ValueError, match="label_smoothing cannot be a schedule with LBFGS"):
        fitted("numpy", 0.0, cp.LBFGS(), label_smoothing=smoothing, batch_size=None)


def test_a_weight_decay_cannot_be_a_plateau():
    with pytest.raises(
        ValueError, match="weight_decay cannot be a plateau, which is for learning rates"
    ):
        cp.AdamW(weight_decay=schedules.plateau(0.1))


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_each_member_has_the_schedules_of_one_trained_alone(engine):
    how = HOW | {"dropout": DROPOUT, "optimizer": DECAY, "engine": engine}
    how["label_smoothing"] = schedules.cosine(0.5, epochs=4)
    net = cp.Network([4, 5, 6, 3], "parametric_tanh", dtype="float64", seed=3, members=2)
    net.fit(X, Y, **how)
    for member in range(2):
        seed = randomness.member_seed(3, member)
        alone = cp.Network([4, 5, 6, 3], "parametric_tanh", dtype="float64", seed=seed)
        alone.fit(X, Y, **how | {"seed": seed})
        np.testing.assert_array_equal(net.members[member].parameters, alone.parameters)
