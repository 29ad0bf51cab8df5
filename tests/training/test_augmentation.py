"""Rows that are others in every epoch: what is trained on, by every engine, from every door."""

import numpy as np
import pytest

import clearprop as cp
from clearprop import randomness

RNG = np.random.default_rng(3)
X, Y = RNG.random((37, 9)), RNG.integers(0, 4, 37)
DEFORM = cp.data.deform(25, 0.2, 0.1, 6, 1.5)


def noise(X, rng):
    return X + 0.1 * rng.normal(size=X.shape)


def fitted(**how):
    net = cp.Network([9, 5, 4], seed=0, dtype="float64", members=how.pop("members", 1))
    how = {"epochs": 3, "batch_size": 6, "optimizer": "sgd", "progress": False, **how}
    X_, Y_ = how.pop("data", (X, Y))
    history = net.fit(X_, Y_, **how)
    return net, history


def parameters(**how):
    return fitted(**how)[0].parameters


def by_hand(augmented):
    """Return the parameters of epochs that are trained one by one on rows made beforehand."""
    net = cp.Network([9, 5, 4], seed=0, dtype="float64")
    for epoch in range(3):
        rows = randomness.permutation(net.training_seed, 37, step=epoch)
        given = augmented(X[rows], net.training_seed, epoch)
        net.fit(given, Y[rows], epochs=1, batch_size=6, optimizer="sgd", shuffle=False, progress=False)
    return net.parameters


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_each_epoch_is_trained_on_its_own_deformed_rows(engine):
    made = parameters(augment=DEFORM, engine=engine)
    expected = by_hand(lambda X, seed, epoch: DEFORM(X, seed=seed, epoch=epoch))
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-12)
    assert not np.allclose(made, parameters(engine=engine), atol=1e-3)


@pytest.mark.parametrize("augment", [DEFORM, noise], ids=["deform", "function"])
def test_any_number_of_threads_and_of_rows_at_a_time_makes_the_same_bits(augment, monkeypatch):
    how = {"augment": augment, "engine": "compiled"}
    made = {parameters(n_threads=n, **how).tobytes() for n in (1, 2, 3)}
    monkeypatch.setattr("clearprop.training.augmentation._ROWS", 13)
    assert {*made, parameters(n_threads=2, **how).tobytes()} == made
    assert len(made) == 1


def test_zero_deforms_nothing():
    assert (parameters(augment=cp.data.deform()) == parameters()).all()


def test_a_member_sees_what_it_would_see_alone():
    together = parameters(members=2, augment=DEFORM)
    assert (together[0] == parameters(augment=DEFORM)).all()
    assert not (together[0] == together[1]).any()


def test_batches_of_even_sizes_get_their_own_rows():
    calls = []

    def same(X, rng):
        calls.append((X.copy(), rng.integers(1 << 30)))
        X += 0  # a copy: it may be written to
        return X

    net = cp.Network([9, 5, 4], seed=0, dtype="float64")
    net.fit(X, Y, epochs=2, n_batches=5, augment=same, progress=False)
    assert [len(rows) for rows, _ in calls] == [8, 8, 7, 7, 7] * 2
    assert len({drawn for _, drawn in calls}) == 10
    seen = np.concatenate([rows for rows, _ in calls[:5]])
    assert (np.sort(seen, axis=0) == np.sort(X, axis=0)).all()


def test_a_stream_is_augmented():
    stream = cp.data.RowStream.of_arrays(X, Y, buffer_rows=12)
    made = parameters(data=(stream, None), augment=DEFORM)
    assert (made == parameters(data=(stream, None), augment=DEFORM, n_threads=3)).all()
    assert not np.allclose(made, parameters(data=(stream, None)), atol=1e-3)
    whole = cp.data.RowStream.of_arrays(X, Y, buffer_rows=100)
    assert (parameters(data=(whole, None), augment=DEFORM) == parameters(augment=DEFORM)).all()


def test_validation_rows_and_training_metrics_are_of_the_rows_as_they_are():
    how = {"validation_data": (X, Y), "metrics": ["accuracy"], "train_metrics": True}
    net, history = fitted(augment=DEFORM, **how)
    assert history["validation_cost"] == pytest.approx(history["training_cost"])
    assert history["validation_cost"][-1] == pytest.approx(net.cost(X, Y))
    assert history["cost"][-1] != pytest.approx(net.cost(X, Y), rel=1e-4)
    assert history.to_dict().keys() == fitted(**how)[1].to_dict().keys()


def test_a_checkpoint_knows_how_rows_were_changed(tmp_path):
    path = tmp_path / "run.safetensors"
    fitted(augment=DEFORM, checkpoint=path)
    for other in (None, cp.data.deform(24, 0.2, 0.1, 6, 1.5), noise):
        with pytest.raises(ValueError, match="augment is .*, was {'name': 'deform', 'rotation': 25"):
            fitted(augment=other, checkpoint=path, resume=True, epochs=5)
    fitted(augment=DEFORM, checkpoint=path, resume=True, epochs=5)
    assert (cp.load(path).parameters == parameters(augment=DEFORM, epochs=5)).all()


def raises(X, rng):
    raise KeyError("nothing here")


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (raises, r"augment must take rows and a generator .* it raised KeyError\('nothing here'\)"),
        (lambda X: X, "it raised TypeError"),
        (lambda X, rng: X[:, 1:], r"of the shape of X, \(6, 9\), got float64 of shape \(6, 8\)"),
        (lambda X, rng: None, r"got object of shape \(\)"),
        (lambda X, rng: X / 0, "must return finite numbers"),
    ],
)
def test_a_function_that_breaks_its_contract_is_named(augment, message):
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        fitted(augment=augment)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"augment": 0.1}, "augment must be None, cp.data.deform"),
        ({"augment": DEFORM, "shards": 4}, "augment cannot be used with shards.* got shards=4"),
        ({"augment": DEFORM, "optimizer": cp.LBFGS()}, "augment cannot be used with LBFGS"),
        ({"augment": cp.data.deform(shape=(2, 4))}, "as many pixels as there are features, 9"),
    ],
)
def test_what_does_not_go_together_is_refused(how, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted(**how)


def test_pixels_on_scales_of_their_own_are_refused():
    net = cp.Network([9, 4], seed=0, scaling=cp.data.standardize(X))
    with pytest.raises(ValueError, match="pixels that are all scaled alike"):
        net.fit(X, Y, augment=DEFORM, progress=False)
    cp.Network([9, 4], seed=0, scaling=cp.data.divide_by(2)).fit(X, Y, augment=DEFORM, progress=False)


def test_steps_of_single_rows_are_not_augmented():
    with pytest.raises(ValueError, match="augment needs X, rows to train on"):
        cp.Training(cp.Network([9, 4], seed=0), augment=DEFORM)
    training = cp.Training(cp.Network([9, 4], seed=0), X, Y, augment=DEFORM, progress=False)
    with pytest.raises(ValueError, match=r"step\(\) cannot be used with augment"):
        training.step(X[0], Y[0])


@pytest.mark.parametrize("kind", [cp.MLPClassifier, cp.MLPRegressor])
def test_estimators_augment_and_keep_what_they_were_asked(kind, tmp_path):
    how = {"hidden_layer_sizes": (5,), "max_iter": 30, "tol": 0.5, "random_state": 0}
    model = kind(augment=DEFORM, **how).fit(X, Y)
    assert not np.allclose(model.network_.parameters, kind(**how).fit(X, Y).network_.parameters)
    model.save(tmp_path / "model.safetensors")
    assert kind.load(tmp_path / "model.safetensors").augment == DEFORM
    model = kind(augment=noise, **how).fit(X, Y)
    model.save(tmp_path / "model.safetensors")
    assert kind.load(tmp_path / "model.safetensors").augment is None
    with pytest.raises(ValueError, match="augment cannot be used with solver='lbfgs'"):
        kind(augment=DEFORM, solver="lbfgs", **how).fit(X, Y)
    with pytest.raises(ValueError, match="all scaled alike"):
        kind(augment=DEFORM, preprocessing="standard", **how).fit(X, Y)


def test_the_shell_deforms_and_info_says_so(tmp_path, capsys, monkeypatch):
    from clearprop.cli.app import main

    monkeypatch.chdir(tmp_path)
    given = ["--deform", "rotation=10,alpha=4,sigma=2", "--epochs", "1", "--quiet"]
    given += ["--checkpoint", "run.checkpoint"]
    for arguments in (["train", "digits", *given], ["info", "run.checkpoint"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
    assert "augment             deform: rotation 10, alpha 4, sigma 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "given", "said"),
    [
        ("t.csv", "rotation=5", "clearprop: --deform is for images, t.csv is a table\n"),
        ("digits", "rotation=x", "clearprop: --deform must list numbers of rotation, scaling, shear,"),
        (
            "digits",
            "rotation=200",
            "clearprop: --deform: rotation must be from 0 to 180 degrees, got 200",
        ),
    ],
)
def test_the_shell_refuses_deformations_in_one_sentence(
    tmp_path, capsys, monkeypatch, data, given, said
):
    from clearprop.cli.app import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i / 3},{i % 2}\n" for i in range(40)))
    with pytest.raises(SystemExit) as ended:
        main(["train", data, "--deform", given, "--epochs", "1"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines(keepends=True)[-1].startswith(said)
