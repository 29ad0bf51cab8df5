"""A training on shards: one training, whose bits no number of processes or threads changes."""

import numpy as np
import pytest

import clearprop as cp
from clearprop import backprop
from clearprop.data.row_stream import RowStream
from clearprop.distributed import engine, teams
from clearprop.distributed.faults import Heart
from clearprop.randomness import member_seed
from clearprop.training import supply
from thread_team import together

RNG = np.random.default_rng(7)
X, LABELS = RNG.normal(size=(103, 4)), RNG.integers(0, 3, 103)
WEIGHT = (np.arange(103) % 4).astype(float)
TIMES = ("seconds", "samples_per_second")
HOW = {
    "epochs": 2,
    "batch_size": 20,
    "progress": False,
    "shards": 8,
    "n_threads": 1,
    "running_window": 30,
}

CASES = {
    "sgd": {"optimizer": cp.SGD(0.1), "validation_data": (X[:30], LABELS[:30]), "metrics": ["accuracy"]},
    "adam": {"optimizer": cp.Adam(0.02), "dropout": 0.3, "sample_weight": WEIGHT, "clip_norm": 0.2, "l2": 0.01},
    "small batches": {"optimizer": cp.SGD(0.1, 0.9), "batch_size": 3, "l1": 1e-3, "frozen": ("biases",)},
    "numpy": {"optimizer": cp.AdamW(0.02), "engine": "numpy", "label_smoothing": 0.1},
    "schedules": {
        "optimizer": cp.Adam(0.02), "dropout": cp.schedules.cosine(0.4, epochs=2),
        "label_smoothing": cp.schedules.cosine(0.2, epochs=2),
    },
    "batches of one size but one": {"n_batches": 7, "batch_size": None},
    "one order": {"shuffle": "once"}, "the order of the rows": {"shuffle": False},
}  # fmt: skip


def train(rows=(X, LABELS), dtype="float32", **how):
    """Return parameters and history of a training."""
    how = HOW | how
    if how.get("n_batches"):
        del how["batch_size"]
    net = cp.Network([4, 5, 3], seed=0, dtype=dtype)
    history = net.fit(*rows, **how)
    return net.parameters.tobytes(), [
        {name: value for name, value in row.items() if name not in TIMES} for row in history.rows()
    ]


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_processes_has_the_same_bits(case):
    alone = train(**CASES[case])
    assert "running_accuracy" in alone[1][-1]
    for size in (2, 3, 8) if case in ("sgd", "adam") else (3,):
        for each in together(size, lambda team: on(team, **CASES[case])):
            assert each == alone


def on(team, rows=None, **how):
    """Train as a member of a team: each rank gives the rows that are its part."""
    cut = np.linspace(0, len(X), team.size + 1).astype(int) if team.size != 3 else [0, 0, 70, 103]
    mine = slice(cut[team.rank], cut[team.rank + 1])
    if how.get("sample_weight") is not None:
        how["sample_weight"] = how["sample_weight"][mine]
    if "validation_data" in how:
        how["validation_data"] = how["validation_data"] if team.is_first else (X[:0], LABELS[:0])
    return train((X[mine], LABELS[mine]) if rows is None else rows, communicator=team, **how)


def test_any_number_of_threads_has_the_same_bits():
    how = {"optimizer": cp.Adam(0.02), "dropout": 0.3, "validation_data": (X, LABELS)}
    assert train(**how, n_threads=1) == train(**how, n_threads=2) == train(**how, n_threads=3)


@pytest.mark.parametrize("case", ["adam", "small batches", "numpy"])
def test_parameters_are_updated_some_at_a_time(case, monkeypatch):
    alone = train(**CASES[case])
    monkeypatch.setattr(engine, "_CHUNK", 7)
    assert train(**CASES[case]) == alone


def test_it_is_the_training_on_the_same_batches_to_rounding():
    """One shard is the plain training; of several, whole batches are: all have all rows in each step."""
    for reduction in ("mean", "sum"):
        cost = cp.costs.cross_entropy(reduction=reduction)
        nets = [cp.Network([4, 5, 3], cost=cost, seed=0, dtype="float64") for _ in range(3)]
        how = HOW | {"optimizer": cp.Adam(0.01), "l2": 0.01, "sample_weight": WEIGHT, "epochs": 3}
        costs = [
            net.fit(X, LABELS, **how | {"shards": shards, "batch_size": size})["cost"]
            for net, shards, size in zip(nets, (None, 1, 8), (103, 103, 103), strict=True)
        ]
        for net, its in zip(nets[1:], costs[1:], strict=True):
            np.testing.assert_allclose(its, costs[0], rtol=1e-12)
            np.testing.assert_allclose(net.parameters, nets[0].parameters, rtol=0, atol=1e-12)


@pytest.mark.parametrize("buffer_rows", [40, 200])
def test_a_stream_has_the_same_bits_by_any_number_of_processes(buffer_rows):
    def stream():
        return (RowStream.of_arrays(X, LABELS, buffer_rows=buffer_rows),)

    how = {"optimizer": cp.Adam(0.02), "batch_size": 12, "epochs": 3}
    alone = train(stream(), **how)
    if buffer_rows >= len(X):
        assert alone == train(**how)  # a buffer that holds everything is memory
    for size in (2, 3):
        for each in together(size, lambda team: on(team, stream(), **how)):
            assert each == alone


def test_each_process_reads_the_rows_of_its_shards_alone_and_samples(monkeypatch):
    monkeypatch.setattr(supply, "_SAMPLES", 2)  # the first and the last row, by which all compare
    monkeypatch.setattr(supply, "_SAMPLE_BYTES", 1)
    read = [set(), set()]

    class Seen(type(RowStream.of_arrays(X, LABELS).rows)):
        rank = 0

        def X(self, first, last):
            read[self.rank].update(range(first, last))
            return super().X(first, last)

    def work(team):
        rows = Seen(X, LABELS)
        object.__setattr__(rows, "rank", team.rank)
        return on(team, (RowStream(rows, buffer_rows=40),), batch_size=8, epochs=1)

    together(2, work)
    assert read[0] == {*range(52), 102}  # 8 shards of 13 rows, or 12: the last
    assert read[1] == {0, *range(52, 103)}


def test_estimators_have_the_same_bits_by_any_number_of_processes():
    import pandas as pd

    frame = pd.DataFrame(X).add_prefix("x").assign(kind=np.where(X[:, 1] > 0, "u", "v"))
    names = np.array(["red", "green", "blue"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    how = {"hidden_layer_sizes": (5,), "max_iter": 3, "shards": 8, "random_state": 0, "batch_size": 16}

    def fit(rows, kind, y, **more):
        model = kind(**how | more).fit(frame[rows], y[rows])
        return model.network_.parameters.tobytes(), model.predict(frame).tolist()

    def one(communicator, rows):
        return (
            fit(rows, cp.MLPClassifier, names, preset="realmlp-s", communicator=communicator),
            fit(rows, cp.MLPRegressor, X[:, 0], preset="realmlp-s", communicator=communicator),
        )

    alone = one(None, slice(None))
    for each in together(2, lambda team: one(team, slice(60) if team.is_first else slice(60, None))):
        assert each == alone


@pytest.mark.slow
def test_a_schedule_that_fits_a_time_has_the_epochs_that_the_first_process_reckons():
    def work(team):
        mine = slice(0, 9) if team.is_first else slice(9, None)  # gathering takes them different times
        model = cp.MLPClassifier((5,), preset="realmlp-s", max_iter=100_000, random_state=0, shards=8)
        model.set_params(communicator=team, time_limit=10.0).fit(X[mine], LABELS[mine])
        return model.network_.epochs_trained, model.network_.parameters.tobytes()

    for _ in range(2):  # clocks differ by chance
        first, *others = together(3, work)
        assert 1 < first[0] < 100_000  # the time is too short for all
        assert others == [first, first]


def test_a_resumed_run_has_the_same_bits_by_another_number_of_processes(tmp_path):
    how = {"optimizer": cp.Adam(0.02), "epochs": 4, "dropout": 0.2}
    alone, path = train(**how), tmp_path / "c.safetensors"
    together(3, lambda team: on(team, **how | {"epochs": 2}, checkpoint=path))
    for each in together(2, lambda team: on(team, **how, checkpoint=path, resume=True)):
        assert each == alone


def test_fast_sums_are_equal_to_rounding():
    how = {"optimizer": cp.SGD(0.1), "epochs": 3}
    alone = np.frombuffer(train(**how)[0], np.float32)
    first, second = together(3, lambda team: on(team, **how, fast_sum=True)[0])[:2]
    assert first == second
    np.testing.assert_allclose(np.frombuffer(first, np.float32), alone, atol=1e-6)


def test_estimators_hand_on_what_is_for_several_processes(monkeypatch):
    timeouts, seen = set(), []
    made = teams.team_of
    monkeypatch.setattr(
        teams, "team_of", lambda given, timeout: (timeouts.add(timeout), made(given, timeout))[1]
    )

    def work(team):
        how = {"max_iter": 1, "shards": 4, "stall_timeout": 7, "fast_sum": True, "engine": "numpy"}
        note = [lambda training: seen.append(training.settings.fast_sum)]
        cp.MLPClassifier((4,), preset="realmlp-s", **how, communicator=team, callbacks=note).fit(
            X, LABELS
        )

    together(2, work)
    assert (timeouts, seen) == ({7}, [True, True])


def test_a_training_that_diverges_says_so_in_all_processes():
    def work(team):
        mine = slice(team.rank, None, team.size)
        net = cp.Network([4, 5, 3], activation="relu", output="identity", cost="quadratic", seed=0)
        with pytest.raises(cp.DivergenceError) as caught:
            net.fit(X[mine], LABELS[mine], **HOW, optimizer=cp.SGD(1e9), communicator=team)
        return str(caught.value)

    first, second = together(2, work)
    assert first == second
    assert "diverged at epoch 1, step" in first


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(("rate", "members"), [(30.0, 3), (1e9, 1)])
def test_where_a_training_diverges_is_the_same_by_any_number_of_threads_and_processes(
    rate, members, dropout
):
    """Also where costs are finite and their sum is not; and again, where it goes on."""

    def diverge(team=None, rows=slice(None), n_threads=1):
        net = cp.Network([4, 5, 3], activation="relu", seed=0, dtype="float64", members=members)
        its = {"communicator": team, "n_threads": n_threads, "dropout": dropout, "epochs": 40}
        optimizer, said = cp.SGD(rate), []
        training = cp.Training(net, X[rows] * 9, LABELS[rows], **HOW | its, optimizer=optimizer)
        for _ in range(2):
            with pytest.raises(cp.DivergenceError) as caught:
                training.run()
            said.append(str(caught.value))
        return said, net.parameters.tobytes()

    alone = diverge()
    assert diverge(n_threads=3) == alone
    cut = [0, 30, 103]
    for each in together(2, lambda team: diverge(team, slice(*cut[team.rank : team.rank + 2]))):
        assert each == alone


def test_what_a_diagnosis_drops_is_what_the_training_drops():
    net = cp.Network([4, 6, 3], seed=0, dtype="float64")
    training = cp.Training(net, X, LABELS, **HOW | {"batch_size": 103, "dropout": 0.7})
    part, plan, state = training.part, training.plan, training.state
    rows = part.order[part.batch(plan, 0)]
    kept = part.keep(plan, state, len(rows))
    passed = backprop.forward(plan.architecture, state.parameters, X[rows], kept)
    cost = -np.log(passed.a[-1][np.arange(103), LABELS[rows]]).mean()
    np.testing.assert_allclose(training.run(1)["cost"], [cost], rtol=1e-12)


@pytest.mark.parametrize(("rate", "seed"), [(1e3, 5), (1e9, 4), (1e15, 5)])
def test_what_is_not_finite_is_the_first_of_what_all_have_found(rate, seed):
    def diverge(team=None, rows=slice(None)):
        net = cp.Network(
            [4, 6, 6, 3], activation="relu", output="identity", cost="quadratic", seed=seed
        )
        its = {"optimizer": cp.SGD(rate), "dropout": 0.7, "epochs": 30, "communicator": team}
        with pytest.raises(cp.DivergenceError) as caught:
            net.fit(X[rows], LABELS[rows], **HOW | its)
        return str(caught.value)

    alone = diverge()
    for size in (2, 3):
        cut = [103 * rank // size for rank in range(size + 1)]
        found = together(size, lambda team, cut=cut: diverge(team, slice(*cut[team.rank :][:2])))
        assert set(found) == {alone}


def test_costs_whose_sum_is_beyond_float64_are_no_cost():
    """Each of them is finite, and of how many of them a process sees the sum is not asked."""

    def diverge(team, rows):
        net = cp.Network([1, 1], output="identity", cost="quadratic", dtype="float64", seed=0)
        with pytest.raises(cp.DivergenceError, match="step 1: the cost is not finite") as caught:
            net.fit(
                np.ones((8, 1))[rows], np.full((8, 1), 1.2e154)[rows], epochs=1, batch_size=8, shards=8,
                progress=False, communicator=team,
            )  # fmt: skip
        return str(caught.value)

    said = {diverge(None, slice(None))}
    for size in (2, 4):
        cut = [8 * rank // size for rank in range(size + 1)]
        said |= set(together(size, lambda team, cut=cut: diverge(team, slice(*cut[team.rank :][:2]))))
    assert len(said) == 1


def test_the_first_step_of_every_training_may_compile(monkeypatch):
    did, doing = [], Heart.doing
    monkeypatch.setattr(Heart, "doing", lambda self, what: (did.append(what), doing(self, what))[1])
    together(2, lambda team: [on(team, dtype=dtype, epochs=1) for dtype in ("float32", "float64")])
    assert did.count("compiling") == 4  # of two trainings, in two processes


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"shards": 0}, "shards must be at least 1, got 0"),
        ({"shards": 104}, "shards must be at most the number of rows to train on, 103, got 104"),
        ({"communicator": "tcp"}, "communicator must be 'mpi' or a communicator of mpi4py, got 'tcp'"),
        ({"stall_timeout": 0.1}, "stall_timeout must be a finite number of at least 1, got 0.1"),
        ({"fast_sum": True}, "fast_sum=True needs communicator, got communicator=None"),
        ({"stall_timeout": 3}, "stall_timeout=3 needs communicator, got communicator=None"),
        ({"engine": "jax"}, "engine 'jax' cannot train on shards: 'compiled' can"),
    ],
)
def test_bad_arguments_are_refused(how, message):
    if "engine" in how:
        pytest.importorskip("jax")
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        train(**how)


@pytest.mark.parametrize("case", ["sgd", "adam", "numpy", "schedules"])
def test_a_member_on_shards_has_the_bits_of_the_network_trained_alone(case):
    how = CASES[case]

    def fit(team=None, rows=slice(None), members=3, seed=0):
        net = cp.Network([4, 5, 3], activation="tanh", seed=seed, members=members)
        mine = {"sample_weight": how["sample_weight"][rows]} if "sample_weight" in how else {}
        net.fit(X[rows], LABELS[rows], **HOW | how | mine | {"communicator": team, "n_threads": 2})
        return net.parameters

    together_3 = [
        fit(team=None),
        *together(3, lambda team: fit(team, [slice(0), slice(70), slice(70, 103)][team.rank])),
    ]
    for k in range(3):
        alone = fit(members=1, seed=member_seed(0, k))
        for each in together_3:
            np.testing.assert_array_equal(each[k], alone)
    assert not np.array_equal(together_3[0][0], together_3[0][1])


TABM = {
    "preset": "tabm-mini",
    "hidden_layer_sizes": (6, 5),
    "members": 3,
    "max_iter": 2,
    "random_state": 0,
}


def test_members_that_share_layers_have_the_same_bits_by_any_number_of_processes():
    def fit(team, rows):
        model = cp.MLPClassifier(**TABM, shards=8, communicator=team, batch_size=30)
        return model.fit(X[rows], LABELS[rows]).network_.parameters

    alone = fit(None, slice(None))
    for each in together(2, lambda team: fit(team, slice(60) if team.is_first else slice(60, None))):
        np.testing.assert_array_equal(each, alone)


def test_members_that_share_layers_are_trained_on_shards_as_they_are_on_batches():
    """Of one shard, whose rows come in the order that a batch has, to rounding."""
    found = [
        cp.MLPRegressor(**TABM, dtype="float64", shards=shards, batch_size=30).fit(X, X[:, 0]).network_
        for shards in (None, 1)
    ]
    np.testing.assert_allclose(found[1].parameters, found[0].parameters, rtol=0, atol=1e-11)


def test_processes_that_differ_are_named():
    def work(team):
        with pytest.raises(
            ValueError, match="rank 1 on .* has argument batch_size 21 .rank 0 on .*: 20"
        ):
            on(team, batch_size=20 + team.rank)

    together(2, work)


def test_more_processes_than_shards_are_refused():
    def work(team):
        with pytest.raises(ValueError, match="at most as many processes as shards, 2, got 3"):
            on(team, shards=2)

    together(3, work)


def test_rows_of_other_kinds_are_named():
    def work(team):
        with pytest.raises(
            ValueError, match="X must be of one kind in all processes, rank 1 on .* has numbers"
        ):
            train((X if team.rank else X.astype("float32"), LABELS), communicator=team)

    together(2, work)


@pytest.mark.parametrize("stream", [False, True], ids=["memory", "stream"])
def test_lbfgs_has_the_same_bits_by_any_number_of_processes(stream):
    how = {"optimizer": cp.LBFGS(), "epochs": 6, "batch_size": None, "l2": 0.01}
    given = {"validation_data": (X[:30], LABELS[:30]), "metrics": ["accuracy"], "dtype": "float64"}
    encoded = RowStream.of_arrays(X, np.eye(3)[LABELS]), None

    def fit(team=None):
        if stream:
            return train(encoded, communicator=team, **how, **given | {"metrics": []})
        return on(team, **how, **given) if team else train(**how, **given)

    alone = fit()
    assert len(alone[1]) == 6
    for size in (2, 3):
        for each in together(size, fit):
            assert each == alone
    plain = train(**how, **given, shards=None)
    np.testing.assert_allclose(np.frombuffer(alone[0]), np.frombuffer(plain[0]), rtol=0, atol=1e-9)
    assert alone[1][-1]["cost"] < alone[1][0]["cost"] - 0.02


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"optimizer": cp.LBFGS(evaluations=4)}, "evaluations"),
        ({"optimizer": cp.LBFGS(cost_tolerance=0.1)}, "converged"),
        ({"optimizer": "lbfgs", "time_limit": 1e-6}, "time limit"),
    ],
)
def test_what_ends_the_first_process_ends_lbfgs_in_all(how, why):
    def fit(team):
        net = cp.Network([4, 5, 3], seed=0)
        mine = slice(0, 60) if team.is_first else slice(60, None)
        history = net.fit(X[mine], LABELS[mine], **HOW | {"epochs": 50} | how, communicator=team)
        return history.stopped, len(history), net.parameters.tobytes()

    first, other = together(2, fit)
    assert first == other
    assert first[0] == why
