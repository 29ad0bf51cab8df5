"""Rows that pass through a buffer: the same bits as in memory, each row once, resumed in the middle."""

import threading
import time
import tracemalloc

import numpy as np
import pytest

import clearprop as cp
from clearprop import randomness
from clearprop.data.row_stream import ArrayRows, Passage, RowStream
from clearprop.training import loop, supply

RNG = np.random.default_rng(11)
X = RNG.normal(size=(53, 4))
Y = RNG.integers(0, 3, 53)
WEIGHTS = 1.0 + np.arange(53) % 4
TIMES = ("seconds", "samples_per_second")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(supply, "BLOCK_BYTES", 3 * 8 * 8)  # three rows of float64


def fit(net, *data, **how):
    return net.fit(*data, **{"epochs": 3, "batch_size": 5, "progress": False, **how})


def start(**how):
    return cp.Network([4, 5, 3], seed=0, **{"dtype": "float64", **how})


def stream(buffer_rows=17, weights=None, Y=Y):
    return RowStream.of_arrays(X, Y, weights, buffer_rows=buffer_rows)


def comparable(history):
    columns = {name: values for name, values in history.to_dict().items() if name not in TIMES}
    return columns | {"within": history.running}


def threads():
    return [each.name for each in threading.enumerate() if each.name.startswith("clearprop-rows")]


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(
    ("targets", "weights", "how"),
    [
        (Y, None, {"dropout": 0.3, "running_every": 7, "running_window": 9}),
        (np.array(["red", "green", "blue"])[Y], WEIGHTS, {"label_smoothing": 0.1}),
        (np.eye(3)[Y], WEIGHTS, {}),
    ],
    ids=["numbers", "names", "columns"],
)
def test_a_buffer_that_holds_everything_gives_the_bits_of_memory(engine, targets, weights, how):
    in_memory, streamed = start(), start()
    one = fit(in_memory, X, targets, sample_weight=weights, engine=engine, **how)
    other = fit(streamed, stream(60, weights, targets), engine=engine, **how)
    assert streamed.parameters.tobytes() == in_memory.parameters.tobytes()
    assert streamed.classes == in_memory.classes
    assert comparable(one) == comparable(other)


def test_one_output_and_numbers_for_targets_give_the_bits_of_memory():
    for how, targets in (
        ({"cost": "quadratic"}, X @ [1.0, 2.0, 3.0, 4.0]),
        ({"cost": "binary_cross_entropy"}, np.array(["no", "yes"])[(Y > 0).astype(int)]),
    ):
        in_memory, streamed = (cp.Network([4, 5, 1], seed=0, **how) for _ in range(2))
        fit(in_memory, X, targets)
        fit(streamed, stream(60, Y=targets))
        assert streamed.parameters.tobytes() == in_memory.parameters.tobytes()


def order_by_hand(seed, epoch, n, buffer_rows, block_rows):
    """Return the rows of an epoch, each looked up in a plain list."""
    blocks = [list(range(first, min(first + block_rows, n))) for first in range(0, n, block_rows)]
    drawn = randomness.permutation(seed, len(blocks), step=epoch, purpose=randomness.BLOCK_ORDER)
    flow = [row for block in drawn for row in blocks[block]]
    keys = np.empty(n, np.int64)  # the rank of every key of the epoch
    keys[randomness.permutation(seed, n, step=epoch)] = np.arange(n)
    passed = []
    for first in range(0, n, buffer_rows):
        rows = sorted(flow[first : first + buffer_rows])
        passed += [row for _, row in sorted(zip(keys[first:], rows, strict=False))]
    return passed


@pytest.mark.parametrize(
    ("buffer_rows", "block_rows"), [(5, 3), (15, 3), (20, 7), (50, 1), (60, 60), (55, 4)]
)
def test_every_row_is_passed_once_an_epoch_in_the_order_that_is_documented(buffer_rows, block_rows):
    orders = []
    for epoch in range(3):
        passage, passed = Passage(53, 53, buffer_rows, block_rows), []
        for number in range(passage.n_buffers):
            rows = [r for a, b in passage.stretches(9, epoch, number) for r in range(a, b)]
            passed += [rows[i] for i in passage.order(9, epoch, number)]
        assert sorted(passed) == list(range(53))
        assert passed == order_by_hand(9, epoch, 53, buffer_rows, block_rows)
        orders.append(passed)
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_the_batches_of_a_stream_are_trained_on_in_its_order(engine):
    net, by_hand = start(), start()
    fit(net, stream(), epochs=2, optimizer=cp.SGD(0.1), engine=engine)
    for epoch in range(2):
        order = order_by_hand(0, epoch, 53, 15, 3)
        for first in range(0, 53, 5):
            rows = order[first : first + 5]
            by_hand.parameters[:] -= 0.1 * by_hand.gradient(X[rows], Y[rows]).flat
    np.testing.assert_allclose(net.parameters, by_hand.parameters, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("buffer_rows", "n_trained"), [(5, 50), (20, 40), (20, 45), (50, 50), (60, 52)]
)
def test_an_epoch_of_whole_batches_ends_before_the_rows_that_make_none(buffer_rows, n_trained):
    passage, passed = Passage(53, n_trained, buffer_rows, 3), []
    for number in range(passage.n_buffers):
        rows = [r for a, b in passage.stretches(9, 1, number) for r in range(a, b)]
        passed += [rows[i] for i in passage.order(9, 1, number)]
    assert passed == order_by_hand(9, 1, 53, buffer_rows, 3)[:n_trained]


def test_rows_that_are_not_shuffled_pass_in_their_order():
    passage = Passage(23, 23, 10, 3, shuffle=False)
    assert [passage.stretches(0, 0, k) for k in range(3)] == [((0, 10),), ((10, 20),), ((20, 23),)]
    assert passage.order(0, 0, 2).tolist() == [0, 1, 2]


def test_parts_of_a_permutation_have_the_keys_of_the_whole():
    whole = randomness.uniform(3, 100, purpose=randomness.SAMPLE_ORDER, step=7)
    for first in (0, 1, 2, 37):
        part = randomness.permutation(3, 20, step=7, first=first)
        assert part.tolist() == np.argsort(whole[first : first + 20]).tolist()


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": "adam", "dropout": 0.3, "running_every": 7, "running_window": 9},
        {"optimizer": cp.SGD(0.1, 0.9)},
    ],
)
def test_stopped_at_every_step_and_resumed_a_stream_ends_with_the_same_bits(how, tmp_path, monkeypatch):
    expected = start()
    history = fit(expected, stream(15, WEIGHTS), epochs=2, **how)
    made, original = [0], loop.Loop._stretch

    def stretch(self, interrupts, deadline, shown):
        original(self, interrupts, deadline, shown)
        made[0] += 1
        if not self.history.stopped:
            self.history.stopped = "interrupted"

    monkeypatch.setattr(loop, "STRETCH_SECONDS", 0.0)
    monkeypatch.setattr(loop.Loop, "_stretch", stretch)
    resumed, runs = start(), 0
    while resumed.epochs_trained < 2:
        resumed, runs = start(), runs + 1
        more = fit(
            resumed, stream(15, WEIGHTS), epochs=2, checkpoint=tmp_path / "c", resume=True, **how
        )
    assert runs == made[0] == 22
    assert resumed.parameters.tobytes() == expected.parameters.tobytes()
    assert comparable(more) == comparable(history)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (stream(20), r"buffer_rows is 20, was 15"),
        (RowStream.of_arrays(X + 1, Y, buffer_rows=15), "the data are not the same"),
    ],
)
def test_a_stream_is_not_resumed_with_another_buffer_or_other_rows(other, message, tmp_path):
    fit(start(), stream(15), epochs=1, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match=message):
        fit(start(), other, epochs=2, checkpoint=tmp_path / "c", resume=True)


class Faulty(ArrayRows):
    """Rows of which some cannot be read from some time on."""

    def X(self, first, last):
        if last > 40:
            raise OSError("the disk is gone")
        return super().X(first, last)


def test_an_error_in_the_thread_is_raised_by_the_training_and_the_thread_ends():
    net = start()
    with pytest.raises(OSError, match="the disk is gone"):
        fit(net, RowStream(Faulty(X, Y), 15))
    assert not threads()
    assert not net.model.in_training
    fit(net, stream())  # nothing is in the way of another training


def test_a_value_that_is_not_finite_is_named_with_its_place():
    bad = X.copy()
    bad[41, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"X( from row [\d,]+ on)? must be finite, got NaN in row \d+, column 2"
    ):
        fit(start(), RowStream.of_arrays(bad, Y, buffer_rows=15))


def test_the_next_buffer_is_read_while_the_engine_trains():
    read_by = set()

    class Seen(ArrayRows):
        def X(self, first, last):
            read_by.add(threading.current_thread().name)
            return super().X(first, last)

    fit(start(), RowStream(Seen(X, Y), 15))
    assert read_by == {"clearprop-rows_0"}
    assert not threads()


def test_a_time_limit_ends_a_stream_at_once_and_it_can_go_on():
    class Slow(ArrayRows):
        def X(self, first, last):
            time.sleep(0.02)
            return super().X(first, last)

    training = cp.Training(
        start(),
        RowStream(Slow(X, Y), 15),
        None,
        epochs=1000,
        batch_size=5,
        progress=False,
        time_limit=0.2,
    )
    history = training.run()
    assert history.stopped == "time limit"
    assert not threads()
    done = training.state.step
    training.run(1)
    assert training.state.step > done


def test_a_stream_that_diverges_names_the_step_and_keeps_the_last_finite_parameters():
    net = start(activation="relu", cost="quadratic")
    targets = X[:, :3] * 1e6
    with pytest.raises(cp.DivergenceError, match=r"diverged at epoch \d, step \d+") as caught:
        fit(net, stream(15, Y=targets), optimizer=cp.SGD(1e3), epochs=9, engine="compiled")
    assert np.isfinite(net.parameters).all()
    assert caught.value.step >= 1


def test_lbfgs_passes_over_a_stream_to_the_bits_of_memory():
    in_memory, streamed = start(), start()
    fit(in_memory, X, Y, optimizer=cp.LBFGS())
    fit(streamed, stream(10), optimizer=cp.LBFGS())
    assert streamed.parameters.tobytes() == in_memory.parameters.tobytes()


class Endless:
    """Rows that are made when they are asked for."""

    classes, n_rows, n_features = None, 1_000_000, 20

    def X(self, first, last):
        return np.full((last - first, 20), 0.5, np.float32)

    def Y(self, first, last):
        return np.arange(first, last) % 3

    def weight(self, first, last):
        return None

    def fingerprint(self):
        return "endless"


def test_a_stream_takes_the_memory_of_two_buffers_however_many_rows_pass(monkeypatch):
    monkeypatch.setattr(supply, "BLOCK_BYTES", 2**16)
    net = cp.Network([20, 5, 3], seed=0)
    fit(net, RowStream.of_arrays(X[:, [0] * 20], Y), epochs=1)  # whatever is loaded once
    tracemalloc.start()
    fit(net, RowStream(Endless(), 20_000), epochs=1, batch_size=100, engine="compiled")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole, buffer = 1_000_000 * 23 * 4, 20_000 * 23 * 4
    assert peak < 2 * buffer + 6e6 < whole / 9


@pytest.mark.parametrize(
    ("given", "how", "message"),
    [
        ((stream(), Y), {}, "Y must not be given beside a stream"),
        ((stream(),), {"sample_weight": WEIGHTS}, "sample_weight must not be given beside a stream"),
        ((stream(),), {"train_metrics": True}, "train_metrics cannot be used with a stream"),
        ((stream(),), {"batch_size": None}, "batch_size must be at most the stream's buffer_rows, 17, got None"),
        ((stream(),), {"batch_size": 18}, "batch_size must be at most the stream's buffer_rows, 17, got 18"),
        ((RowStream.of_arrays(X[:, :3], Y),), {}, "X has 3 features, but the network is expecting 4"),
        ((stream(weights=np.zeros(53)),), {}, "sample_weight must not be all zero"),
        ((stream(weights=-WEIGHTS),), {}, r"sample_weight must be finite and at least 0, got -1.0 in row 0"),
        ((stream(Y=np.arange(53)),), {}, "Y must have as many classes as the network has outputs, 3, got 53"),
        ((stream(Y=np.where(Y == 1, np.nan, Y)),), {}, r"Y must be finite, got NaN in row \d+"),
    ],
)  # fmt: skip
def test_what_a_stream_cannot_have_is_refused(given, how, message):
    net = start()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=message):
        fit(net, *given, **how)
    assert (net.parameters == before).all()
    assert net.classes is None


def test_a_buffer_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="buffer_rows must be at least 1, got 0"):
        RowStream.of_arrays(X, Y, buffer_rows=0)
    with pytest.raises(TypeError, match="buffer_rows must be an integer of at least 1, got 1.5"):
        RowStream.of_arrays(X, Y, buffer_rows=1.5)
    with pytest.raises(ValueError, match="X and Y must have as many rows, got 53 and 3"):
        RowStream.of_arrays(X, Y[:3])


def test_a_single_class_is_warned_of():
    with pytest.warns(UserWarning, match="Y has a single class"):
        fit(start(), stream(Y=np.zeros(53, int)), epochs=1)
