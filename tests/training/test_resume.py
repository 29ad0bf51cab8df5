"""A training that is stopped at any step and resumed ends with the bits of the unbroken one."""

import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.training import loop

RNG = np.random.default_rng(7)
X = RNG.normal(size=(23, 4))
Y = RNG.integers(0, 3, 23)
TIMES = ("seconds", "samples_per_second")

CASES = {
    "sgd": {"optimizer": cp.SGD(0.1)},
    "momentum": {"optimizer": cp.SGD(0.1, 0.9), "sample_weight": np.arange(23) % 4},
    "nesterov": {"optimizer": cp.SGD(cp.schedules.cosine(0.1, epochs=3), 0.9, nesterov=True)},
    "rmsprop": {
        "optimizer": cp.RMSProp(cp.schedules.warmup(1, cp.schedules.exponential(0.01))),
        "l1": 1e-3,
    },
    "adam": {"optimizer": cp.Adam(cp.schedules.one_cycle(0.05, epochs=3)), "dropout": 0.3},
    "adamw": {"optimizer": cp.AdamW(0.02), "dropout": 0.5, "clip_norm": 0.1, "frozen": ("biases",)},
    "plateau": {
        "optimizer": cp.Adam(cp.schedules.plateau(0.05, patience=1, min_delta=0.5)),
        "validation_data": (X[:9], Y[:9]),
        "metrics": ["accuracy"],
    },
    "early_stopping": {
        "optimizer": cp.Adam(0.3),
        "dropout": 0.2,
        "validation_data": (-X[:9], Y[:9]),
        "early_stopping": cp.EarlyStopping(patience=1),
        "l2": 1e-3,
        "label_smoothing": 0.1,
    },
    "averaging": {
        "optimizer": cp.Adam(0.3),
        "averaging": 0.75,
        "validation_data": (-X[:9], Y[:9]),
        "early_stopping": cp.EarlyStopping(patience=3),
    },
    "running every": {"optimizer": cp.SGD(0.1), "running_every": 3},
    "schedule free": {"optimizer": cp.ScheduleFreeAdamW(0.1, warmup_steps=4), "clip_norm": 0.5},
    "augment": {"optimizer": cp.SGD(0.1), "augment": cp.data.deform(20, 0.1, 0.1, 4, 2)},
    "averaging alone": {"optimizer": cp.Adam(0.1), "averaging": 0.5},
    "one order": {"optimizer": cp.SGD(0.1), "shuffle": "once"},
    "the order of the rows": {"optimizer": cp.SGD(0.1), "shuffle": False},
}


def start(dtype="float64"):
    return cp.Network([4, 5, 3], seed=0, dtype=dtype)


def fit(net, **how):
    return net.fit(
        X, Y, **{"epochs": 3, "batch_size": 5, "progress": False, "running_window": 8, **how}
    )


def comparable(history):
    columns = {name: values for name, values in history.to_dict().items() if name not in TIMES}
    return columns | {"within": history.running}


def stop_after(monkeypatch, steps):
    """Make every stretch one step long, and end the run after so many of them."""
    made, original = [0], loop.Loop._stretch

    def stretch(self, interrupts, deadline, shown):
        original(self, interrupts, deadline, shown)
        made[0] += 1
        if made[0] == steps and not self.history.stopped:
            self.history.stopped = "interrupted"

    monkeypatch.setattr(loop, "STRETCH_SECONDS", 0.0)
    monkeypatch.setattr(loop.Loop, "_stretch", stretch)


def same_bits(one, other):
    np.testing.assert_array_equal(one.view(np.uint8), other.view(np.uint8))


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
@pytest.mark.parametrize("case", CASES)
def test_stopped_at_every_step_and_resumed_it_is_the_unbroken_run(case, dtype, tmp_path):
    unbroken = start(dtype)
    expected = fit(unbroken, **CASES[case])
    whole = cp.Training(
        start(dtype), X, Y, epochs=3, batch_size=5, progress=False, running_window=8, **CASES[case]
    )
    whole.run()
    steps = 5 * len(expected)
    for step in range(1, steps + 1):
        path = tmp_path / f"{step}.safetensors"
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, step)
            fit(start(dtype), checkpoint=path, checkpoint_every="1000s", **CASES[case])
        net = start(dtype)
        resumed = cp.Training(
            net, X, Y, epochs=3, batch_size=5, progress=False, running_window=8, checkpoint=path, resume=True,
            **CASES[case],
        )  # fmt: skip
        assert resumed.state.epoch * 5 + resumed.state.epoch_step == step
        history = resumed.run()
        same_bits(net.parameters, unbroken.parameters)
        same_bits(resumed.state.moments, whole.state.moments)
        assert comparable(history) == comparable(expected), step
        assert history.stopped == expected.stopped


def test_the_cases_are_not_trivial():
    assert fit(start(), **CASES["early_stopping"]).stopped == "early stopping"
    rates = fit(start(), **CASES["plateau"])["learning_rate"]
    assert rates[-1] < rates[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.moments.__setitem__((0, 0), state.moments[0, 0] + 1e-9),
        lambda state: setattr(state, "updates", state.updates - 1),
        lambda state: setattr(state, "step", state.step + 1),
        lambda state: setattr(state, "epoch_cost", state.epoch_cost + 1e-12),
    ],
    ids=["moments", "updates", "step", "cost"],
)
def test_a_part_of_the_state_that_is_lost_would_be_noticed(spoil, tmp_path):
    how = CASES["adam"]
    unbroken = start()
    expected = fit(unbroken, **how)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 7)
        fit(start(), checkpoint=tmp_path / "c", **how)
    net = start()
    training = cp.Training(net, X, Y, epochs=3, batch_size=5, progress=False, running_window=8,
                           checkpoint=tmp_path / "c", resume=True, **how)  # fmt: skip
    spoil(training.state)
    history = training.run()
    assert (net.parameters != unbroken.parameters).any() or comparable(history) != comparable(expected)


def test_resume_without_a_file_starts_from_the_beginning(tmp_path):
    one, other = start(), start()
    fit(one, checkpoint=tmp_path / "c", resume=True)
    fit(other)
    np.testing.assert_array_equal(one.parameters, other.parameters)
    assert (tmp_path / "c").exists()


def test_a_checkpoint_that_is_there_is_not_overwritten_unasked(tmp_path):
    fit(start(), checkpoint=tmp_path / "c")
    with pytest.raises(
        FileExistsError, match="exists; use resume=True to go on from it, or another name"
    ):
        fit(start(), checkpoint=tmp_path / "c")


def test_a_run_that_is_done_is_not_made_again(tmp_path):
    net, again = start(), start()
    history = fit(net, checkpoint=tmp_path / "c")
    repeated = fit(again, checkpoint=tmp_path / "c", resume=True)
    assert repeated.to_dict() == history.to_dict()
    np.testing.assert_array_equal(net.parameters, again.parameters)


def test_more_epochs_go_on_from_a_run_that_is_done(tmp_path):
    net, whole = start(), start()
    fit(net, checkpoint=tmp_path / "c")
    fit(again := start(), checkpoint=tmp_path / "c", resume=True, epochs=5)
    expected = fit(whole, epochs=5)
    np.testing.assert_array_equal(again.parameters, whole.parameters)
    assert len(expected) == 5


def test_a_network_without_a_seed_of_its_own_takes_the_one_of_the_checkpoint(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 7)
        first = cp.Network([4, 5, 3], dtype="float64")
        fit(first, checkpoint=tmp_path / "c", dropout=0.2)
    other = cp.Network([4, 5, 3], dtype="float64")  # another seed
    fit(other, checkpoint=tmp_path / "c", resume=True, dropout=0.2)
    unbroken = cp.Network([4, 5, 3], dtype="float64", seed=first.seed)
    fit(unbroken, dropout=0.2)
    np.testing.assert_array_equal(other.parameters, unbroken.parameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 6}, "batch_size is 6, was 5"),
        ({"optimizer": cp.Adam(0.2)}, "optimizer is .*'rate': 0.2.*, was .*'rate': 0.1"),
        ({"l2": 0.5}, "l2 is 0.5, was 0.0"),
        ({"label_smoothing": 0.1}, "label_smoothing is 0.1, was 0.0$"),
        ({"dropout": 0.5}, "dropout is 0.5, was 0.0"),
        ({"seed": 4}, "seed is 4, was 0"),
        ({"sample_weight": np.arange(23) + 1}, "the data are not the same"),
        ({"validation_data": (X, Y)}, "the data are not the same"),
        ({"early_stopping": cp.EarlyStopping("cost")}, "early_stopping is .*, was None"),
    ],
)
def test_a_resume_with_other_settings_names_the_difference(change, message, tmp_path):
    same = {"optimizer": cp.Adam(0.1)}
    fit(start(), checkpoint=tmp_path / "c", **same)
    with pytest.raises(ValueError, match=f"cannot be resumed with other settings: .*{message}"):
        fit(start(), checkpoint=tmp_path / "c", resume=True, epochs=9, **{**same, **change})


def test_a_checkpoint_written_by_the_engine_under_its_first_name_goes_on(tmp_path, capsys):
    how = {"dropout": 0.2, "engine": "compiled"}
    fit(start(), checkpoint=tmp_path / "c", **how)
    engines = set()
    forge(tmp_path / "c", lambda t, m: engines.add(m["training"]["engine"]))
    assert engines == {"compiled"}
    forge(tmp_path / "c", lambda t, m: m["training"].update(engine="numba"))
    unbroken, other = start(), start()
    fit(unbroken, epochs=9, **how)
    fit(other, checkpoint=tmp_path / "c", resume=True, epochs=9, **{**how, "engine": "numba"})
    np.testing.assert_array_equal(other.parameters, unbroken.parameters)
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="engine is 'numpy', was 'compiled'"):
        fit(start(), checkpoint=tmp_path / "c", resume=True, epochs=12, **{**how, "engine": "numpy"})


def test_a_resume_with_another_network_or_other_data_names_the_difference(tmp_path):
    fit(start(), checkpoint=tmp_path / "c")
    with pytest.raises(
        ValueError, match=r"network is '4-6-3 .*', was '4-5-3 \(sigmoid, softmax; cross_entropy mean\)'"
    ):
        fit(cp.Network([4, 6, 3], seed=0, dtype="float64"), checkpoint=tmp_path / "c", resume=True)
    with pytest.raises(ValueError, match="the data are not the same"):
        start().fit(X[::-1], Y, epochs=3, batch_size=5, running_window=8, progress=False, checkpoint=tmp_path / "c",
                    resume=True)  # fmt: skip
    with pytest.raises(ValueError, match=r"dtype is 'float32', was 'float64'$"):
        fit(start("float32"), checkpoint=tmp_path / "c", resume=True)


def test_a_model_file_is_not_a_training(tmp_path):
    start().save(tmp_path / "model")
    with pytest.raises(cp.CheckpointError, match="holds a model, not a training"):
        fit(start(), checkpoint=tmp_path / "model", resume=True)


def test_a_checkpoint_is_a_model_that_can_be_loaded(tmp_path):
    net = start()
    fit(net, checkpoint=tmp_path / "c", seed=3)
    again = cp.load(tmp_path / "c")
    np.testing.assert_array_equal(again.parameters, net.parameters)
    assert (again.training_seed, again.epochs_trained) == (3, 3)


def test_checkpoints_come_every_so_many_epochs_and_at_the_end(tmp_path, monkeypatch):
    from clearprop import checkpoint

    written, original = [], checkpoint.write_tensors

    def spy(path, tensors, metadata):
        written.append(metadata["training"]["state"]["epoch"])
        original(path, tensors, metadata)

    monkeypatch.setattr(checkpoint, "write_tensors", spy)
    fit(start(), epochs=7, checkpoint=tmp_path / "c", checkpoint_every="3epochs")
    assert written == [3, 6, 7]


def test_two_runs_cannot_write_one_checkpoint(tmp_path):
    def second(training):
        with pytest.raises(cp.CheckpointError, match="another run"):
            fit(start(), checkpoint=tmp_path / "c", resume=True)

    fit(start(), epochs=1, checkpoint=tmp_path / "c", callbacks=[second])


def make(path, **how):
    """Make a training, to be run later."""
    return cp.Training(
        start(), X, Y, **{"epochs": 3, "batch_size": 5, "progress": False, "checkpoint": path, **how}
    )


def linked(path, how):
    """Return another name of the same file to be."""
    other = path.with_name("link")
    if how == "the same path":
        return path
    if how == "a symlink":
        other.symlink_to(path)
        return other
    (path.parent / "sub").mkdir()
    return path.parent / "sub" / ".." / path.name


@pytest.mark.parametrize("how", ["the same path", "a symlink", "a longer path"])
def test_of_two_trainings_made_on_one_path_the_second_does_not_replace_the_firsts_file(how, tmp_path):
    first = make(tmp_path / "c")
    second = make(linked(tmp_path / "c", how), epochs=1)
    first.run()
    kept, before = (tmp_path / "c").read_bytes(), second.net.parameters.copy()
    for epochs in (None, 2):
        with pytest.raises(FileExistsError, match="exists; use resume=True to go on from it"):
            second.run(epochs)
    assert (tmp_path / "c").read_bytes() == kept
    np.testing.assert_array_equal(second.net.parameters, before)
    assert second.epochs_done == 0
    assert not second.net.model.in_training


def test_a_resume_goes_on_from_the_file_that_is_there_when_it_runs(tmp_path, capsys):
    whole = start()
    fit(whole, epochs=5)
    late = make(tmp_path / "c", resume=True, epochs=5)  # there is no file yet
    make(tmp_path / "c").run(2)
    later = make(tmp_path / "c", resume=True, epochs=5)
    assert later.epochs_done == 2  # it shows from where it goes on before it runs
    make(tmp_path / "c", resume=True).run()
    for training in (late, later):
        history = training.run()
        assert [int(each) for each in history["epoch"]] == [1, 2, 3, 4, 5]
        np.testing.assert_array_equal(training.net.parameters, whole.parameters)
    assert "was written meanwhile: the run goes on from epoch 3" in capsys.readouterr().err


def test_a_checkpoint_replaced_between_two_runs_is_not_overwritten(tmp_path):
    first = make(tmp_path / "c")
    first.run(1)
    first.run(1)  # its own file
    other = make(tmp_path / "c", resume=True)
    other.run()
    kept, mine = (tmp_path / "c").read_bytes(), first.net.parameters.copy()
    with pytest.raises(FileExistsError, match="was written by another training since"):
        first.run(1)
    assert (tmp_path / "c").read_bytes() == kept
    np.testing.assert_array_equal(first.net.parameters, mine)
    (tmp_path / "c").rename(tmp_path / "elsewhere")  # which is the remedy
    first.run(1)
    assert cp.load(tmp_path / "c").epochs_trained == 3


@pytest.mark.parametrize("resume", [False, True])
def test_a_checkpoint_that_disappears_is_written_again(resume, tmp_path):
    first = make(tmp_path / "c")
    first.run(2)
    if resume:
        first = make(tmp_path / "c", resume=True)
    (tmp_path / "c").unlink()
    first.run()
    assert cp.load(tmp_path / "c").epochs_trained == 3
    (tmp_path / "c").unlink()
    first.run()  # nothing is left to do, but the file is to be there
    assert cp.load(tmp_path / "c").epochs_trained == 3


@pytest.mark.parametrize("content", [b"notes of somebody", b""])
def test_another_file_that_appears_is_not_overwritten(content, tmp_path):
    training = make(tmp_path / "c")
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(FileExistsError, match="exists; use resume=True"):
        training.run()
    resumed = make(tmp_path / "d", resume=True)
    (tmp_path / "d").write_bytes(content)
    with pytest.raises(cp.CheckpointError):
        resumed.run()
    assert (tmp_path / "c").read_bytes() == (tmp_path / "d").read_bytes() == content


def test_of_two_names_of_one_file_each_keeps_its_own_training(tmp_path):
    make(tmp_path / "c").run(1)
    (tmp_path / "hard").hardlink_to(tmp_path / "c")
    one, other = (make(tmp_path / name, resume=True) for name in ("c", "hard"))
    one.run(2)
    other.run(1)
    assert cp.load(tmp_path / "c").epochs_trained == 3
    assert cp.load(tmp_path / "hard").epochs_trained == 2


def test_of_trainings_in_threads_one_has_the_file(tmp_path):
    trainings = [make(tmp_path / "c", epochs=i + 1) for i in range(6)]
    refused = []

    def run(training):
        try:
            training.run()
        except (FileExistsError, cp.CheckpointError) as problem:
            refused.append((training, problem))

    threads = [threading.Thread(target=run, args=[each]) for each in trainings]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(refused) == 5
    (won,) = set(trainings) - {training for training, _ in refused}
    assert cp.load(tmp_path / "c").epochs_trained == won.epochs_done == won.settings.epochs


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "c"
    fit(start(), checkpoint=path)
    before = path.read_bytes()
    import os

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.warns(
            UserWarning, match="No space left on device.*; the training goes on, and tries again"
        ),
        pytest.raises(OSError, match="No space left"),
    ):
        fit(start(), checkpoint=path, resume=True, epochs=4)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if "lock" not in p.name] == ["c"]


def test_a_resume_with_other_labels_or_another_start_names_the_difference(tmp_path):
    fit(start(), checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match=r"classes is \['a', 'b', 'c'\], was \[0, 1, 2\]"):
        start().fit(X, np.array(list("abc"))[Y], epochs=3, batch_size=5, running_window=8, progress=False,
                    checkpoint=tmp_path / "c", resume=True)  # fmt: skip
    with pytest.raises(ValueError, match="network seed is 1, was 0"):
        fit(cp.Network([4, 5, 3], seed=1, dtype="float64"), checkpoint=tmp_path / "c", resume=True)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "checkpoint must be the path of a file, got ''"),
        (5, "checkpoint must be the path of a file, got 5"),
        ("{folder}", "checkpoint must be a file, got the folder"),
        ("{folder}/missing/c", "checkpoint must lie in a folder that exists"),
    ],
)
def test_a_checkpoint_that_is_no_file_is_refused_before_anything_is_trained(path, message, tmp_path):
    path = path.format(folder=tmp_path) if isinstance(path, str) else path
    with pytest.raises((OSError, TypeError), match=message):
        fit(start(), checkpoint=path)


def forge(path, change):
    """Write a checkpoint again with something changed, and a checksum that is right."""
    from clearprop import checkpoint

    tensors, metadata = checkpoint.read_tensors(path)
    change(tensors, metadata)
    checkpoint.write_tensors(path, tensors, metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t, m: m["training"]["state"].update(step=10**30),
            "step must be a whole number from 0 to",
        ),
        (
            lambda t, m: m["training"]["state"].update(epoch=-1),
            "epoch must be a whole number from 0 to",
        ),
        (lambda t, m: m["training"]["state"].update(epoch_step=5), "stands at step 5 of 5"),
        (
            lambda t, m: m["training"]["state"].update(epoch_cost="x"),
            "epoch_cost must be a finite number",
        ),
        (
            lambda t, m: m["training"].update(first_epoch=10**9),
            "first_epoch must be at most the epoch, 3",
        ),
        (
            lambda t, m: m["training"].update(plateau_factor=[]),
            r"plateau_factor must be a number above 0, at most 1, got \[\]",
        ),
        (lambda t, m: m["training"].pop("state"), "metadata.training: 'state' is missing"),
        (
            lambda t, m: t.update({"training.history.1": np.zeros(1)}),
            "columns of the history must be of one length",
        ),
        (lambda t, m: t.pop("training.moments"), "tensor training.moments is missing"),
        (
            lambda t, m: t.update({"training.moments": np.zeros((1, 3))}),
            r"training.moments must be float64 of shape \(moments, 43\), got float64 of shape \(1, 3\)",
        ),
        (lambda t, m: m.update(training=3), "training must be an object, got 3"),
    ],
)
def test_a_checkpoint_that_somebody_made_is_refused_in_words(change, message, tmp_path):
    fit(start(), checkpoint=tmp_path / "c")
    forge(tmp_path / "c", change)
    net = start()
    net.parameters[:] += 1.0
    before = net.parameters.copy()
    with pytest.raises(cp.CheckpointError, match=message):
        fit(net, checkpoint=tmp_path / "c", resume=True, epochs=9)
    np.testing.assert_array_equal(net.parameters, before)  # what is refused changes nothing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(classes=[]), r"classes must be a list of 3, got \[\]"),
        (lambda t, m: m.update(classes=[[1], 2, 3]), r"classes\[0\] must be text, got \[1\]"),
        (lambda t, m: m.update(classes=[1, 1, 2]), r"classes must be different, got \[1, 1, 2\]"),
        (lambda t, m: m.update(scaling="yes"), "scaling must be true or false"),
        (lambda t, m: m["architecture"]["layers"][0].update(bias="zzz"), "bias must be true or false"),
        (lambda t, m: m.update(seed=-1), "seed must be a whole number from 0 to"),
        (lambda t, m: m.update(format=2), "the file has format 2, this version reads 1"),
        (
            lambda t, m: m["architecture"]["cost"].update(name="os.system"),
            "cost 'os.system' is not known here",
        ),
        (
            lambda t, m: t.update({"layers.0.weight": np.zeros((4, 5))}),
            r"layers.0.weight must be float64 of shape \(5, 4\)",
        ),
        (
            lambda t, m: t.update({"layers.0.weight": np.full((5, 4), np.nan)}),
            "layers.0.weight must be finite",
        ),
        (lambda t, m: t.update({"extra": np.zeros(3)}), r"unknown \['extra'\]"),
    ],
)
def test_a_model_that_somebody_made_is_refused_in_words(change, message, tmp_path):
    fit(net := start())
    net.save(tmp_path / "c")
    forge(tmp_path / "c", change)
    with pytest.raises(cp.CheckpointError, match=message):
        cp.load(tmp_path / "c")


def test_parameters_that_are_not_finite_are_not_saved_over_good_ones(tmp_path):
    def spoil(training):
        if training.epochs_done == 2:
            training.state.parameters[3] = np.nan

    with pytest.raises(ValueError, match="must be finite, got NaN or infinity in layers.0.weight"):
        fit(start(), checkpoint=tmp_path / "c", callbacks=[spoil])
    assert cp.load(tmp_path / "c").epochs_trained == 1
    net = start()
    net.biases[1][0] = np.inf
    with pytest.raises(ValueError, match="layers.1.bias"):
        net.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_custom_takes_activations_and_costs(tmp_path):
    start().save(tmp_path / "model")
    for custom in (["a"], 5, [np.tanh]):
        with pytest.raises(TypeError, match="custom must be a list of Activation and Cost"):
            cp.load(tmp_path / "model", custom=custom)


def test_a_checkpoint_replaced_during_a_save_is_one_file_or_the_other(tmp_path, monkeypatch):
    from clearprop.checkpoint import atomic_file
    from model_file_forge import FaultyOS

    fit(start(), epochs=1, checkpoint=tmp_path / "other")
    intruder = (tmp_path / "other").read_bytes()
    for instant in range(1, 40):
        path = tmp_path / f"c{instant}"

        def replace(number, name, at=instant, path=path):
            if number == at:
                (tmp_path / "new").write_bytes(intruder)
                (tmp_path / "new").rename(path)

        training = make(path)
        monkeypatch.setattr(atomic_file, "os", FaultyOS(replace))
        training.run()
        monkeypatch.undo()
        # Its own, at the end; whatever was written before is whole.
        assert cp.load(path).epochs_trained == (3 if path.read_bytes() != intruder else 1)


def test_a_file_swapped_while_it_is_read_is_the_one_or_the_other(tmp_path, monkeypatch):
    from clearprop.checkpoint import tensor_file

    old, new = start(), cp.Network([4, 9, 3], seed=1, dtype="float64")
    old.save(tmp_path / "c")
    new.save(tmp_path / "new")
    content = (tmp_path / "new").read_bytes()
    read = tensor_file._take

    def swap(file, size):
        found = read(file, size)
        (tmp_path / "again").write_bytes(content)
        (tmp_path / "again").rename(tmp_path / "c")
        return found

    monkeypatch.setattr(tensor_file, "_take", swap)
    np.testing.assert_array_equal(cp.load(tmp_path / "c").parameters, old.parameters)
    monkeypatch.undo()

    def cut(file, size):
        found = read(file, size)
        os.truncate(tmp_path / "c", 300)
        return found

    monkeypatch.setattr(tensor_file, "_take", cut)
    with pytest.raises(cp.CheckpointError, match="must keep its size while it is read"):
        cp.load(tmp_path / "c")


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_jump_of_the_clock_changes_no_training(jump, tmp_path, monkeypatch):
    def leap(training):
        if training.epochs_done == 2:
            monkeypatch.setattr(time, "time", lambda: now + jump)  # as if somebody had set it

    now, net, whole = time.time(), start(), start()
    how = {"epochs": 4, "time_limit": 3600.0, "checkpoint_every": "5min"}
    history = fit(net, **how, checkpoint=tmp_path / "c", callbacks=[leap])
    fit(whole, epochs=4)
    assert history.stopped == ""
    assert all(0 <= seconds < 600 for seconds in history["seconds"])
    np.testing.assert_array_equal(net.parameters, whole.parameters)


def test_nothing_that_runs_looks_at_the_time_of_day():
    """Time limits, intervals and progress are of the clock that nobody sets."""
    package = Path(cp.__file__).parent
    said = [
        path
        for path in package.rglob("*.py")
        if re.search(
            r"\btime\.(time|time_ns|localtime|gmtime)\(|datetime\.(now|today|utcnow)\(",
            path.read_text(),
        )
    ]
    assert said == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["about"].update(result={"part": "test", "n_samples": 3, "cost": 1.0, "accuracy": 1e308}),
         r"about.result.accuracy must be a number from 0 to 1, got 1e\+308"),
        (lambda m: m["about"].update(task="guess"), "about.task must be one of 'classification'"),
        (lambda m: m["about"].update(n_samples=-3), "about.n_samples must be a whole number"),
        (lambda m: m["architecture"].update(sizes=[4, 10**9, 3]), r"at most 2\*\*31 parameters, got 8,000,000,003"),
        (lambda m: m.update(classes=["a", "b", "\ud800"]), r"classes\[2\] must be text"),
        (lambda m: m.update(extra=1), "metadata has 'extra', which is not known here"),
    ],
)  # fmt: skip
def test_nonsense_with_a_right_checksum_is_refused_by_every_door(change, message, tmp_path):
    from clearprop.cli import info, model

    net = start()
    net.about = {
        "data": "d",
        "task": "classification",
        "target": None,
        "n_samples": 23,
        "image_shape": [2, 2],
    }
    net.save(tmp_path / "c")
    forge(tmp_path / "c", lambda tensors, metadata: change(metadata))
    for door in (cp.load, cp.MLPClassifier.load, info.info, model.load_model):
        with pytest.raises(cp.CheckpointError, match=message) as told:
            door(str(tmp_path / "c"))
        assert str(tmp_path / "c") in str(told.value)


def test_notes_of_ones_own_are_no_ones_business(tmp_path, capsys):
    from clearprop.cli import info

    net = start()
    net.about = {
        "estimator": {"class": "mine"},
        "result": "good",
        "target": 3,
        "table": [1],
        "task": "x",
    }
    net.save(tmp_path / "c")
    assert cp.load(tmp_path / "c").about == net.about
    info.info(str(tmp_path / "c"))
    assert "good" not in capsys.readouterr().out
