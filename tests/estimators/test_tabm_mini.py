"""The preset "tabm-mini": members that share layers, each with its own r and head."""

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.estimators.options import Options
from clearprop.flat_vector import shared

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
FRAME = pandas.DataFrame(
    {"age": RNG.normal(40, 9, 120), "size": RNG.normal(size=120), "town": RNG.choice(list("abcd"), 120)}
)
LABEL = np.where(np.abs(FRAME["age"] - 40) < 6, "yes", "no")
QUICK = {
    "preset": "tabm-mini", "hidden_layer_sizes": (9, 7), "max_iter": 3, "random_state": 0, "members": 3,
}  # fmt: skip


def assert_shared(net):
    for block in net.blocks:
        same = (net.parameters[:, block.slice] == net.parameters[0, block.slice]).all()
        assert same == (block in shared(net.blocks)), block.name


def test_the_preset_is_tabm_mini_at_a_size_for_cpus():
    options = Options.of(cp.MLPClassifier(preset="tabm-mini"))
    assert options.optimizer == cp.AdamW(0.002, weight_decay=3e-4)
    assert (options.members, options.sizes, options.activation) == (8, (256, 256), "relu")
    assert (options.embedding, options.dropout, options.clip_norm) == ("pl", 0.1, 1.0)
    assert (options.patience, options.averaging, options.label_smoothing) == (16, 0.0, 0.0)
    assert Options.of(cp.MLPRegressor(preset="tabm-mini", members=16)).members == 16


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_members_share_all_but_r_and_their_heads(engine):
    seen = []
    model = cp.MLPClassifier(
        engine=engine, callbacks=[lambda t: seen.append(t.net.parameters.copy())], **QUICK
    ).fit(FRAME, LABEL)
    net = model.network_
    assert_shared(net)
    E = net.architecture.embedding
    first = cp.MLPClassifier(**QUICK | {"max_iter": 1, "learning_rate_init": 1e-9}).fit(FRAME, LABEL)
    r = [member.architecture.scale_view(member.parameters) for member in first.network_.members]
    for each in r:
        np.testing.assert_allclose(np.abs(each), 1.0, atol=1e-6)
        for k in range(2):  # one sign for all numbers of an input
            assert len(set(np.sign(each[E.places[k]]))) == 1
    assert not np.allclose(r[0], r[1])
    assert np.abs(seen[-1] - seen[0]).max() > 1e-3
    probabilities = [member.predict(net.model.inputs.of_batch(
        net.model.inputs.open(FRAME).table(), "float32")) for member in net.members]  # fmt: skip
    np.testing.assert_allclose(model.predict_proba(FRAME), np.mean(probabilities, axis=0), rtol=1e-5)


def test_a_member_is_an_ordinary_network_and_its_input_scale_is_r():
    model = cp.MLPRegressor(**QUICK).fit(FRAME, FRAME["age"] / 9)
    net, member = model.network_, model.network_.members[1]
    assert net.model.shares_layers
    assert not member.model.shares_layers
    X = net.model.inputs.of_batch(net.model.inputs.open(FRAME).table(), "float32")[:4]
    trace = member.trace(X, np.ones((4, 1)))
    r = member.architecture.scale_view(member.parameters)
    np.testing.assert_array_equal(trace.inputs, trace.embedding.a * r)
    assert cp.check_gradient(member, X, np.ones((4, 1))).verdict in ("pass", "kink")
    assert "3 members of these sizes, whose outputs are averaged; they share all but" in str(net)


def test_a_file_and_a_training_that_goes_on_keep_what_is_shared(tmp_path):
    how = QUICK | {"early_stopping": False, "warm_start": True}
    model = cp.MLPClassifier(**how).fit(FRAME, LABEL)
    before = model.network_.parameters.copy()
    model.save(tmp_path / "m")
    again = cp.MLPClassifier.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))
    for each in (model, again):
        each.fit(FRAME, LABEL)
        assert_shared(each.network_)
        assert not np.array_equal(each.network_.parameters, before)
    with pytest.raises(ValueError, match="preset must be what the network has, tabm-mini"):
        model.set_params(preset="realmlp").fit(FRAME, LABEL)


def test_a_checkpoint_is_gone_on_with_to_the_same_bits(tmp_path):
    net = cp.MLPClassifier(**QUICK | {"max_iter": 1}).fit(FRAME, LABEL).network_
    X = net.model.inputs.of_batch(net.model.inputs.open(FRAME).table(), "float32")
    net.model.inputs = type(net.model.inputs)()
    how = {"batch_size": 32, "optimizer": "adamw", "seed": 2, "progress": False}
    one, two, other = net.copy(), net.copy(), net.copy()
    one.fit(X, LABEL, epochs=4, **how)
    two.fit(X, LABEL, epochs=2, checkpoint=tmp_path / "c", **how)
    other.fit(X, LABEL, epochs=4, checkpoint=tmp_path / "c", resume=True, **how)
    np.testing.assert_array_equal(other.parameters, one.parameters)
    assert_shared(other)


def test_one_member_is_a_network_with_an_input_scale():
    net = cp.MLPClassifier(**QUICK | {"members": 1}).fit(FRAME, LABEL).network_
    assert net.parameters.ndim == 1
    assert not net.model.shares_layers
    assert net.architecture.input_scale


REFUSED = {
    "embedding cannot be used with a stream": lambda: cp.MLPClassifier(**QUICK).fit(
        cp.data.stream(FRAME.assign(y=LABEL), target="y")
    ),
    "members cannot be used with solver='lbfgs'": lambda: cp.MLPClassifier(
        **QUICK | {"solver": "lbfgs"}
    ).fit(FRAME, LABEL),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_it_cannot_be_is_refused_in_a_sentence(sentence):
    with pytest.raises(ValueError, match=sentence):
        REFUSED[sentence]()
