"""Members: each to the bits of the network that is trained alone, their mean, and a life of their own."""

import copy
import pickle
import re
import signal

import numpy as np
import pytest

import clearprop as cp
from clearprop import activations, checks, engines
from clearprop.activations import ACTIVATIONS
from clearprop.checkpoint import CheckpointError, read_tensors, write_tensors
from clearprop.data.row_stream import ArrayRows, RowStream
from clearprop.diagnosis import DiagnosisWarning
from clearprop.engines import averages, members
from clearprop.randomness import member_seed
from clearprop.training import loop

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(23, 4)), RNG.integers(0, 3, 23)
TIMES = ("seconds", "samples_per_second")


def network(n=3, seed=5, **how):
    return cp.Network([4, 5, 3], activation="tanh", seed=seed, members=n, **how)


def fit(net, **how):
    return net.fit(X, Y, **{"epochs": 3, "batch_size": 5, "progress": False, **how})


def comparable(history):
    columns = {name: values for name, values in history.to_dict().items() if name not in TIMES}
    return columns | {"within": history.running}


def same_bits(one, other):
    np.testing.assert_array_equal(one.view(np.uint8), other.view(np.uint8))


# Each is the network that is trained alone

CASES = {
    "adam": {"optimizer": "adam", "dropout": 0.4, "l2": 1e-3, "label_smoothing": 0.1},
    "a batch of no weight": {
        "optimizer": "adam",
        "batch_size": 2,
        "sample_weight": np.arange(23) // 20,
    },
    "adamw": {"optimizer": "adamw", "clip_norm": 0.1, "averaging": 0.5},
    "once": {"shuffle": "once", "optimizer": cp.SGD(0.3, 0.9)},
    "a mean of its own": {"optimizer": cp.ScheduleFreeAdamW(0.01)},
    "rows as they come": {"shuffle": False, "frozen": ("biases",)},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("case", CASES)
def test_a_member_has_the_bits_of_the_network_trained_alone_with_its_seed(case, engine, dtype):
    net = network(dtype=dtype)
    history = fit(net, engine=engine, **CASES[case])
    costs = []
    for k, member in enumerate(net.members):
        alone = network(1, member_seed(5, k), dtype=dtype)
        costs.append(fit(alone, engine=engine, **CASES[case])["cost"])
        same_bits(member.parameters, alone.parameters)
        counts = ("seed", "training_seed", "epochs_trained", "steps_trained")
        assert [getattr(member, name) for name in counts] == [getattr(alone, name) for name in counts]
    np.testing.assert_allclose(history["cost"], np.mean(costs, axis=0), rtol=1e-12)


def test_members_do_not_depend_on_how_many_threads_they_are_dealt_to():
    kept = []
    for n_threads in (1, 2, 3):
        net = network(5)
        fit(net, n_threads=n_threads, dropout=0.3)
        kept.append(net.parameters)
    same_bits(kept[1], kept[0])
    same_bits(kept[2], kept[0])


def test_one_member_is_the_network_itself_and_the_seeds_of_others_differ():
    one, plain = network(1), cp.Network([4, 5, 3], activation="tanh", seed=5)
    assert one.members == (one,)
    fit(one, dropout=0.2)
    fit(plain, dropout=0.2)
    same_bits(one.parameters, plain.parameters)
    assert member_seed(5, 0) == 5
    assert len({member_seed(seed, k) for seed in (5, 6) for k in range(50)}) == 100
    assert all(member_seed(5, k) < 2**32 for k in range(1, 50))  # a seed for NumPy's generators too


def test_two_trainings_go_on_as_the_networks_alone_would():
    net = network(2)
    fit(net, dropout=0.3)
    fit(net, dropout=0.3)
    alone = network(1, member_seed(5, 1))
    fit(alone, dropout=0.3)
    fit(alone, dropout=0.3)
    same_bits(net.members[1].parameters, alone.parameters)
    fit(net, seed=9)
    fit(alone, seed=member_seed(9, 1))
    same_bits(net.members[1].parameters, alone.parameters)


# Their mean

OUTPUTS = {
    "softmax": "cross_entropy", "sigmoid": "cross_entropy", "exp": "poisson", "softplus": "poisson",
    "identity": "quadratic", "tanh": "quadratic",
}  # fmt: skip


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_outputs_are_averaged_and_the_cost_is_that_of_the_mean(output, engine):
    net = cp.Network([4, 5, 3], output=output, cost=OUTPUTS[output], seed=1, members=3, dtype="float64")
    targets = np.eye(3)[Y] if output == "softmax" else RNG.uniform(0.1, 0.9, (23, 3))
    mean = sum(member.predict(X) for member in net.members) / 3
    np.testing.assert_allclose(net.predict(X), mean, rtol=1e-14)
    cost = net.architecture.cost
    expected = 0.5 * ((mean - targets) ** 2).sum(axis=1)
    if cost.name == "cross_entropy":
        expected = -(targets * np.log(mean)).sum(axis=1)
    if cost.name == "poisson":
        expected = (mean - targets * np.log(mean)).sum(axis=1)
    if output == "sigmoid":
        expected = expected - ((1 - targets) * np.log1p(-mean)).sum(axis=1)
    data = engines.Data(X, targets, None)
    a, found = engines.evaluate(net.architecture, net.parameters, data, engine)
    np.testing.assert_allclose(a, mean, rtol=1e-12)
    assert found == pytest.approx(expected.mean(), rel=1e-12)
    assert net.cost(X, targets) == pytest.approx(found, rel=1e-12)
    if output != "tanh":  # of the outputs that have one, z is what the mean is of
        z = engines.logits(net.architecture, net.parameters, X)
        np.testing.assert_allclose(net.architecture.output(z), mean, rtol=1e-10)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "softplus", "exp", "identity"])
def test_the_z_of_a_mean_is_right_where_outputs_underflow(output):
    z = np.array([[[900.0, -900.0]], [[880.0, -870.0]], [[-5.0, 700.0]]])
    made = cp.Network([1, 2], output=output, cost="quadratic", dtype="float64").architecture
    if output in ("exp", "softplus"):
        z = -np.abs(z) if output == "exp" else z / 2  # e^900 is no number
    _, found = averages.of_members(made, ACTIVATIONS[output](z), z)
    assert np.isfinite(found).all()
    if output == "softmax":  # two of three are sure of the first, one of the second
        np.testing.assert_allclose(found[0], [np.log(2 / 3), np.log(1 / 3)], rtol=1e-12)
    if output == "sigmoid":
        np.testing.assert_allclose(found[0], [np.log(2 + activations.sigmoid(-5.0)) - np.log1p(
            -activations.sigmoid(-5.0)), np.log(1 / 2)], rtol=1e-9)  # fmt: skip
    if output == "exp":
        np.testing.assert_allclose(found[0], [-5 - np.log(3), -700 - np.log(3)], rtol=1e-12)


def test_a_softmax_of_each_group_is_averaged():
    cost = cp.costs.grouped_cross_entropy([3, 2])
    net = cp.Network([4, 5, 5], output="identity", cost=cost, seed=1, members=3, dtype="float64")
    shares = [np.exp(member.predict(X)) for member in net.members]
    for columns in (slice(0, 3), slice(3, 5)):
        each = [share[:, columns] / share[:, columns].sum(axis=1, keepdims=True) for share in shares]
        found = np.exp(net.predict(X)[:, columns])
        np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-12)


def test_penalties_are_the_mean_of_the_members():
    net = network(dtype="float64")
    of_each = [member.cost(X, Y, l2=0.3, l1=0.2) - member.cost(X, Y) for member in net.members]
    found = net.cost(X, Y, l2=0.3, l1=0.2) - net.cost(X, Y)
    assert found == pytest.approx(np.mean(of_each), rel=1e-12)


# What a training records and stops by


def test_validation_figures_are_those_of_the_average_and_the_kept_epoch_is_one_for_all():
    net, seen = network(dtype="float64"), []

    def look(training):
        seen.append((training.state.parameters.copy(), training.net.cost(-X, Y)))

    stop = cp.EarlyStopping(patience=2)
    history = fit(net, epochs=30, optimizer=cp.Adam(0.1), early_stopping=stop, callbacks=[look],
                  validation_data=(-X, Y), metrics=["accuracy"])  # fmt: skip
    np.testing.assert_allclose(history["validation_cost"], [cost for _, cost in seen], rtol=1e-13)
    assert history.stopped == "early stopping"
    best = int(np.argmin(history["validation_cost"]))
    assert best == len(history) - 3
    same_bits(net.parameters, seen[best][0])
    accuracy = (net.classify(-X) == Y).mean()
    assert history["validation_accuracy"][best] == pytest.approx(accuracy)


def test_the_running_mean_is_evaluated_and_handed_over():
    net = network(dtype="float64")
    history = fit(net, averaging=0.75, validation_data=(-X, Y))
    assert history["validation_cost"][-1] == pytest.approx(net.cost(-X, Y), rel=1e-13)


def test_the_running_accuracy_is_over_the_samples_of_all_members():
    how = {"running_every": 7, "running_window": 6}
    net = network(3)
    history = fit(net, **how)
    alone = [fit(network(1, member_seed(5, k)), **how) for k in range(3)]
    assert history.running["samples"] == alone[0].running["samples"]
    assert history.running["epoch"] == alone[0].running["epoch"]
    for column in (history.running, history):
        mean = np.mean([getattr(each, "running", each)["running_accuracy"] if column is history.running
                        else each["running_accuracy"] for each in alone], axis=0)  # fmt: skip
        np.testing.assert_allclose(column["running_accuracy"], mean, rtol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_member_that_diverges_is_named_and_the_last_finite_parameters_are_kept(engine, n_threads):
    net = cp.Network([4, 5, 3], output="identity", cost="quadratic", seed=1, members=3, dtype="float64")
    net.members[1].weights[1][:] *= 1e200
    training = cp.Training(net, X, np.eye(3)[Y], batch_size=5, optimizer=cp.SGD(0.1), engine=engine,
                           n_threads=n_threads, progress=False)  # fmt: skip
    message = re.escape("training of member 1 diverged at epoch 1, step")
    with pytest.raises(cp.DivergenceError, match=message) as problem:
        training.run(2)
    assert problem.value.member == 1
    assert np.isfinite(net.parameters).all()
    reached = [member.epoch_step for member in training.state.members]
    assert training.state.epoch_step == reached[1] < reached[0] == reached[2]
    there = pickle.loads(pickle.dumps(problem.value))
    assert (there.member, str(there)) == (1, str(problem.value))
    with pytest.raises(cp.DivergenceError, match=message):  # it stands where it stood
        training.run(1)


def test_what_diverges_is_looked_for_in_the_member_s_own_rows():
    rows = X.copy()
    rows[11] = 1.7e308
    net = cp.Network([4, 5, 3], activation="relu", output="identity", cost="quadratic", seed=2, members=3,
                     dtype="float64")  # fmt: skip
    net.parameters[:] *= 10.0
    training = cp.Training(
        net, rows, np.eye(3)[Y], batch_size=5, optimizer=cp.SGD(1e-9), progress=False
    )
    with pytest.raises(cp.DivergenceError) as problem:
        training.run(1)
    first = [int(np.flatnonzero(order == 11)[0]) // 5 for order in training.order]
    assert len(set(first)) > 1
    assert (problem.value.layer, problem.value.quantity) == (1, "z")
    assert problem.value.member == int(np.argmin(first)) != 0
    assert problem.value.step == min(first) + 1


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_members_that_an_interrupt_has_left_behind_catch_up(engine, monkeypatch):
    monkeypatch.setattr(loop, "STRETCH_SECONDS", 0.0)  # each stretch is a step
    how = {"batch_size": 5, "engine": engine, "dropout": 0.3, "progress": False}
    whole, net = network(), network()
    expected = cp.Training(whole, X, Y, **how).run(2)
    training = cp.Training(net, X, Y, **how)
    part, plan, state = training.part, training.plan, training.state
    training.engine.engines[1].run(
        plan.of_member(1), state.members[1], part.data, part.order[1], np.full(2, 1e-3)
    )
    assert (state.epoch_step, state.step, state.members[1].epoch_step) == (0, 0, 2)
    history = training.run(2)
    same_bits(net.parameters, whole.parameters)
    np.testing.assert_array_equal(history["cost"], expected["cost"])


def test_a_user_cost_that_raises_in_a_thread_raises_where_it_was_called():
    def value(a, y):
        if len(a) == 5 and started:
            raise ZeroDivisionError("of a cost's own")
        return ((a - y) ** 2).sum(axis=1)

    started = []
    cost = cp.Cost("mine", value, lambda a, y: 2 * (a - y))
    net = cp.Network([4, 5, 3], output="identity", cost=cost, seed=1, members=3)
    training = cp.Training(net, X, np.eye(3)[Y], batch_size=5, n_threads=2, progress=False)
    training.run(1)
    started.append(True)
    with pytest.raises(ZeroDivisionError, match="of a cost's own"):
        training.run(1)
    started.clear()
    assert len(training.run(1)) == 2


def test_work_is_done_once_each_and_what_raises_is_raised_after_all_have_ended():
    done = []
    members.in_turn(done.append, 7, 3)
    assert sorted(done) == list(range(7))

    def work(k):
        done.append(k)
        if k == 2:
            raise ZeroDivisionError

    done.clear()
    with pytest.raises(ZeroDivisionError):
        members.in_turn(work, 5, 2)
    assert sorted(done) == list(range(5))


def test_an_interrupt_and_a_time_limit_end_it_between_steps():
    def interrupt(training):
        if training.epochs_done == 2:
            signal.raise_signal(signal.SIGINT)

    history = fit(network(), callbacks=[interrupt], epochs=50)
    assert (history.stopped, len(history)) == ("interrupted", 2)
    assert fit(network(), epochs=10**6, time_limit=0.05).stopped == "time limit"


# Checkpoints

HOW = {
    "early stopping": {
        "optimizer": cp.Adam(0.3), "dropout": 0.2, "validation_data": (-X[:9], Y[:9]), "averaging": 0.5,
        "early_stopping": cp.EarlyStopping(patience=1),
    },
    "weights": {"sample_weight": np.arange(23) // 20, "batch_size": 2, "optimizer": "adam"},
    "a mean of its own": {"optimizer": cp.ScheduleFreeAdamW(0.01)},
    "running": {"running_every": 3, "running_window": 8},
}  # fmt: skip


@pytest.mark.parametrize("case", HOW)
def test_stopped_in_an_epoch_and_resumed_it_is_the_unbroken_run(case, tmp_path, monkeypatch):
    unbroken = network()
    expected = fit(unbroken, **HOW[case])
    monkeypatch.setattr(loop, "STRETCH_SECONDS", 0.0)
    original = loop.Loop._stretch
    for step in (1, 3, 6, 7):
        made = []

        def stretch(self, *how, made=made, step=step):
            original(self, *how)
            made.append(1)
            if len(made) == step and not self.history.stopped:
                self.history.stopped = "interrupted"

        path = tmp_path / f"{step}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop.Loop, "_stretch", stretch)
            fit(network(), checkpoint=path, checkpoint_every="1000s", **HOW[case])
        net = network()
        history = fit(net, checkpoint=path, resume=True, **HOW[case])
        same_bits(net.parameters, unbroken.parameters)
        assert comparable(history) == comparable(expected)
        assert history.stopped == expected.stopped


def test_a_checkpoint_of_other_members_is_refused_naming_both(tmp_path):
    fit(network(3), checkpoint=tmp_path / "c")
    for n, said in ((2, "members 2"), (1, "cross_entropy mean)")):
        with pytest.raises(ValueError, match=f"{re.escape(said)}.*members 3"):
            fit(network(n), checkpoint=tmp_path / "c", resume=True)


def forged(path, change):
    tensors, metadata = read_tensors(path)
    change(tensors, metadata)
    write_tensors(path, tensors, metadata)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, metadata: metadata["training"]["members"].pop(),
        lambda tensors, metadata: metadata["training"].pop("members"),
        lambda tensors, metadata: metadata["training"]["members"].__setitem__(0, [1, "x"]),
        lambda tensors, metadata: metadata["training"]["members"].__setitem__(0, [1]),
        lambda tensors, metadata: metadata["architecture"].__setitem__("members", 4),
        lambda tensors, metadata: metadata["architecture"].__setitem__("members", 1),
        lambda tensors, metadata: metadata["architecture"].pop("members"),
        lambda tensors, metadata: tensors.update(
            {"training.averaged": tensors["training.averaged"][:2]}
        ),
        lambda tensors, metadata: tensors.update({"training.moments": tensors["training.moments"][:5]}),
    ],
)
def test_a_checkpoint_that_does_not_fit_its_members_is_refused(change, tmp_path):
    how = {"averaging": 0.5, "checkpoint": tmp_path / "c"}
    fit(network(3), **how)
    forged(tmp_path / "c", change)
    with pytest.raises(ValueError):
        fit(network(3), epochs=4, resume=True, **how)


# Files, copies and views


def test_one_file_holds_all_members_and_a_member_is_a_model_of_its_own(tmp_path):
    net = network(dtype="float64")
    fit(net)
    net.save(tmp_path / "all")
    there = cp.load(tmp_path / "all")
    same_bits(there.parameters, net.parameters)
    same_bits(there.predict(X), net.predict(X))
    assert read_tensors(tmp_path / "all")[0]["layers.0.weight"].shape == (3, 5, 4)
    net.members[2].save(tmp_path / "one")
    one = cp.load(tmp_path / "one")
    assert one.parameters.shape == (net.n_parameters,)
    same_bits(one.predict(X), net.members[2].predict(X))
    forged(tmp_path / "all", lambda _, metadata: metadata["architecture"].update(members=2))
    with pytest.raises(CheckpointError, match=r"shape \(2, 5, 4\)"):
        cp.load(tmp_path / "all")


def test_copies_are_independent_and_pickles_are_whole():
    net = network()
    for made in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        same_bits(made.parameters, net.parameters)
        assert not np.shares_memory(made.parameters, net.parameters)
        assert len(made.members) == 3
    assert net.copy("float64").members[0].dtype == "float64"


def test_a_member_is_a_view_and_an_ordinary_network():
    net = network(dtype="float64")
    member = net.members[1]
    before = net.predict(X)
    member.weights[0][:] += 1.0
    assert np.shares_memory(member.parameters, net.parameters)
    assert (net.predict(X) != before).any()
    assert cp.check_gradient(member, X[:7], Y[:7]).verdict == "pass"
    assert "Network 4-5-3" in cp.explain(member, X[:1], Y[:1])
    assert member.trace(X[:2], Y[:2]).layers[0].z.shape == (2, 5)
    assert cp.diagnose(member, X, Y) is not None
    fit(member)
    same_bits(net.members[1].parameters, member.parameters)


# What is refused


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_members_must_be_a_number_of_networks(n):
    with pytest.raises((ValueError, TypeError), match=r"^members must be"):
        network(n)


@pytest.mark.parametrize(
    "ask",
    [
        lambda net: net.gradient(X, Y),
        lambda net: net.input_gradient(X, Y),
        lambda net: net.trace(X, Y),
        lambda net: cp.check_gradient(net, X, Y),
        lambda net: cp.explain(net, X[:1], Y[:1]),
        lambda net: cp.diagnose(net, X, Y),
        lambda net: cp.path_sum(net, X[:1], Y[:1], 0, 1, 2),
        lambda net: cp.nudge(net, X[:1], Y[:1], layer=1, neuron=0),
    ],
    ids=["gradient", "input gradient", "trace", "check", "explain", "diagnose", "paths", "nudge"],
)
def test_what_is_of_one_network_is_asked_of_a_member(ask):
    with pytest.raises(ValueError, match=r"needs one network, got 3 members; ask net.members\[0\]"):
        ask(network())


def test_the_first_member_is_watched():
    found = []
    for net in (network(), network(1)):
        watch = cp.DiagnosisCallback(patience=1)
        with pytest.warns(DiagnosisWarning):
            fit(net, optimizer=cp.SGD(1e-9), callbacks=[watch])
        found.append([str(each) for each in watch.findings])
    assert found[0] == found[1] != []


@pytest.mark.parametrize("name", ["weights", "biases"])
def test_members_have_no_weights_together(name):
    with pytest.raises(AttributeError, match=rf"3 members has no {name}.*net.members\[0\].{name}"):
        getattr(network(), name)
    assert network()._repr_html_().count("3 members") == 1
    assert "3 members" in str(network())
    assert "3 members" in repr(network())


def test_an_optimizer_without_steps_and_a_stream_are_refused():
    net = network()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="members need an optimizer that makes steps, got LBFGS and 3"):
        fit(net, optimizer=cp.LBFGS())
    with pytest.raises(ValueError, match="members cannot be trained from a stream.*got 3"):
        net.fit(RowStream(ArrayRows(X, Y), 15), epochs=1, progress=False)
    same_bits(net.parameters, before)


def test_memory_is_the_machine_s_or_a_limit_below_it(monkeypatch):
    resource = pytest.importorskip("resource")
    there = checks._memory()
    assert 2**20 < there < 2**60
    monkeypatch.setattr(resource, "getrlimit", lambda which: (12345, -1))
    assert checks._memory() == 12345
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, -1))
    monkeypatch.setattr(checks.os, "sysconf", lambda name: 10)
    assert checks._memory() == 100


def test_members_that_do_not_fit_in_memory_are_refused_before_it_is_taken(monkeypatch):
    with pytest.raises(ValueError, match=r"^members must fit in memory, got 1,000,000,000 of 43 par"):
        network(10**9)
    monkeypatch.setattr(checks, "_memory", lambda: 2000.0)  # 3 * 43 numbers of 4 bytes, but no moments
    net = network()
    with pytest.raises(ValueError, match=r"^members must fit in memory, got 3 of .* their training"):
        fit(net)
    assert net.epochs_trained == 0
