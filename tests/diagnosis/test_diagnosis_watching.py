"""A training that is watched: patience, hysteresis, each finding once."""

import warnings

import numpy as np
import pytest

import clearprop as cp
from clearprop.diagnosis import DiagnosisWarning, Finding, Findings, watching

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 4))
Y = np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]


def finding(id="D6", severity="warning", layer=1):
    return Finding(id, "name", severity, 0.5, 1.0, 7, "What.", "How.", "Try.", layer=layer)


def watch(**how):
    told = []
    return cp.DiagnosisCallback(report=told.append, **how), told


def train(callback, epochs=5, net=None, **how):
    net = net or cp.Network([4, 5, 3], activation="tanh", seed=1)
    how = {"optimizer": cp.SGD(0.1), "batch_size": 2} | how
    return net, net.fit(
        X, Y, epochs=epochs, callbacks=[callback], progress=False, engine="numpy", seed=0, **how
    )


def test_a_finding_is_reported_when_it_has_stayed_for_three_looks_and_then_never_again():
    seen, told = watch()
    for epoch in range(1, 8):
        seen.see(Findings([finding()]), epoch)
        assert len(told) == (epoch >= 3)
    assert told[0].since == 1
    assert [each.id for each in seen.findings] == ["D6"]


def test_a_finding_that_comes_and_goes_is_not_reported():
    seen, told = watch()
    for epoch in range(1, 10):
        seen.see(Findings([finding()] if epoch % 3 else []), epoch)
    assert told == []
    assert seen.active == []


def test_a_finding_between_the_limits_stays_one():
    seen, told = watch()
    key = ("D6", "name", 1)
    seen.see(Findings([finding()]), 1)
    seen.see(Findings(), 2, lingering={key})  # not over, not seen either
    seen.see(Findings([finding()]), 3)
    seen.see(Findings([finding()]), 4)
    assert len(told) == 1
    seen.see(Findings(), 5, lingering={key})
    assert [each.id for each in seen.active] == ["D6"]
    seen.see(Findings(), 6)
    assert seen.active == []
    for epoch in range(7, 12):
        seen.see(Findings([finding()]), epoch)
    assert len(told) == 1  # once over and back again, it is known already
    assert [each.id for each in seen.active] == ["D6"]


def test_a_finding_that_becomes_worse_is_reported_once_more():
    seen, told = watch()
    for epoch, severity in enumerate(["warning"] * 3 + ["error"] * 4 + ["warning"] * 4, start=1):
        seen.see(Findings([finding(severity=severity)]), epoch)
    assert [each.severity for each in told] == ["warning", "error"]


@pytest.mark.parametrize("id", ["D1", "D14", "D16", "D17"])
def test_what_cannot_change_is_reported_at_once(id):
    seen, told = watch()
    seen.see(Findings([finding(id)]), 1)
    assert [each.id for each in told] == [id]


def test_the_same_fault_in_another_layer_is_another_finding():
    seen, told = watch()
    for epoch in range(1, 4):
        seen.see(Findings([finding(layer=1), finding(layer=2)]), epoch)
    assert sorted(each.layer for each in told) == [1, 2]


def test_a_healthy_training_is_left_in_peace():
    digits = cp.data.load("digits")
    net = cp.Network([64, 20, 10], activation="tanh", scaling=digits.scaling, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(
            *digits.train,
            epochs=4,
            optimizer=cp.SGD(0.1),
            callbacks=[cp.DiagnosisCallback()],
            progress=False,
        )


def test_a_rate_that_is_too_low_is_warned_of_after_three_epochs():
    with pytest.warns(DiagnosisWarning) as caught:
        train(cp.DiagnosisCallback(), epochs=8, optimizer=cp.SGD(1e-8))
    said = [str(each.message).split(":")[0] for each in caught]
    assert sorted(said) == ["error D9 updates too small", "warning D12 has not started"]


def test_watching_changes_no_bit_of_the_training():
    watched, _ = train(watch()[0])
    alone, _ = train(lambda training: None)
    np.testing.assert_array_equal(watched.parameters, alone.parameters)


def test_the_look_uses_the_moments_of_the_optimizer_that_trains():
    steps = []

    def keep(training):
        m = callback.measure(training, callback.passed(training))
        steps.append(m.step.update)

    callback, _ = watch()
    train(keep, epochs=3, optimizer=cp.Adam(1e-3))
    assert np.all(np.array(steps) > 0)
    # Adam's first step would change every parameter by the rate itself.
    net = cp.Network([4, 5, 3], activation="tanh", seed=1)
    first = 1e-3 * np.sqrt(net.weights[0].size) / np.linalg.norm(net.weights[0])
    assert steps[-1][0] < first


def test_frozen_layers_have_no_step_that_could_be_too_small():
    seen, told = watch()
    train(seen, epochs=6, frozen=("layers.0.weight",), optimizer=cp.SGD(0.1))
    assert "D9" not in {each.id for each in told}


def test_looks_are_every_so_many_epochs():
    counted = []
    seen, _ = watch(every=2)
    seen.see = lambda found, epoch, lingering: counted.append(epoch)
    train(seen, epochs=7)
    assert counted == [2, 4, 6]


def test_lbfgs_can_be_watched():
    seen, told = watch()
    train(seen, epochs=4, optimizer=cp.LBFGS(), batch_size=None)
    assert all(each.id != "D9" for each in told)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"thresholds": 1}, "thresholds must be a Thresholds"),
        ({"report": 3}, "report must be a function"),
        ({"max_samples": 2.5}, "max_samples must be an integer"),
    ],
)
def test_arguments_that_break_their_rule_are_refused(how, said):
    with pytest.raises((TypeError, ValueError), match=said):
        cp.DiagnosisCallback(**how)


def looked_in(epochs, **how):
    """Return the epochs in which a callback measured the network."""
    seen = []
    callback, _ = watch(**how)
    measure = callback.measure
    callback.measure = lambda training, p: seen.append(training.epochs_done) or measure(training, p)
    train(callback, epochs)
    return seen


def test_the_first_looks_are_free_and_later_ones_keep_within_their_share():
    plan = cp.Training(cp.Network([4, 5, 3], seed=1), X, Y, batch_size=2, progress=False).plan
    look, epoch = watching.work_of_look(plan, 7), watching.work_of_training(plan, 4)
    share = look / epoch / 3 * (1 + 1e-12)  # every third epoch pays for a look
    assert looked_in(33, share=share) == [*range(1, 21), 23, 26, 29, 32]
    assert looked_in(25, share=look / epoch / 100) == list(range(1, 21))
    assert looked_in(25, share=float("inf")) == list(range(1, 26))
    assert looked_in(50, share=share, every=2) == [*range(2, 41, 2), 44, 46, 50]


@pytest.mark.parametrize("share", [0, -1, float("nan"), True, "all"])
def test_a_share_is_a_number_above_0(share):
    with pytest.raises(ValueError, match="share must be a number above 0, got"):
        cp.DiagnosisCallback(share=share)


def test_a_look_at_more_samples_or_a_larger_network_counts_as_more_work():
    def work(sizes, n):
        net = cp.Network(list(sizes), seed=1)
        x, y = np.zeros((n, sizes[0])), np.arange(n) % 3
        return watching.work_of_look(cp.Training(net, x, y, batch_size=5, progress=False).plan, n)

    assert (
        work((4, 5, 3), 7) < work((4, 5, 3), 700) < work((40, 50, 3), 700) < work((40, 50, 50, 3), 700)
    )
