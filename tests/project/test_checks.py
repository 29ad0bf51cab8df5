"""The checks can fail: each is handed a mutant of what it checks, and must find it.

A mutant is the module's own source with one place changed, so that a check that has stopped looking, or
a mutant that no longer applies, is found out too.
"""

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
import problems
import test_activations
import test_backprop
import test_costs
import test_embeddings
import test_engines
import test_gradients
import test_initializers
import test_optimizers
import test_randomness
import test_realmlp
import test_training
from clearprop import (
    activations,
    backprop,
    building,
    costs,
    embeddings,
    initializers,
    input_embedding,
    optimizers,
    penalties,
    randomness,
)
from clearprop.engines.reference import ReferenceEngine
from clearprop.flat_vector import select


def mutate(monkeypatch, module, old, new, owner=None):
    """Put functions from changed source in a module's (or a class's) place."""
    source = Path(module.__file__).read_text()
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {module.__name__}"
    changed = types.ModuleType(module.__name__)
    exec(compile(source.replace(old, new), f"<mutant of {module.__name__}>", "exec"), changed.__dict__)
    place = module if owner is None else getattr(module, owner)
    source_of = changed if owner is None else getattr(changed, owner)
    for name, value in list(vars(place).items()):
        if isinstance(value, types.FunctionType) and hasattr(source_of, name):
            monkeypatch.setattr(place, name, vars(source_of)[name])


def inner(test):
    """Return a property test's body, for one example: hypothesis would take its time to shrink it."""
    return test.hypothesis.inner_test


found = pytest.raises(AssertionError)


# Backpropagation


BACKPROP = {
    "BP1 without the weights of samples": (
        "error, delta = error * sample_weight[:, None], delta * sample_weight[:, None]",
        "pass",
    ),
    "BP2 weights transposed": ("deltas[0] @ weights[l + 1]", "deltas[0] @ weights[l + 1].T"),
    "BP2 weights of another layer": ("deltas[0] @ weights[l + 1]", "deltas[0] @ weights[l]"),
    "BP2 slope missing": ("functions[l].backward(z[l], error)", "error"),
    "BP2 slope of another layer": (
        "functions[l].backward(z[l], error)",
        "architecture.layers[l + 1].function.backward(z[l], error)",
    ),
    "BP2 slope at a in place of z (X6)": (
        "functions[l].backward(z[l], error)",
        "functions[l].backward(a[l + 1], error)",
    ),
    "BP3 sum for mean": ("db[:] = scale * delta.sum(axis=0)", "db[:] = delta.sum(axis=0)"),
    "BP3 twice": ("db[:] = scale * delta.sum(axis=0)", "db[:] = 2 * scale * delta.sum(axis=0)"),
    "BP4 not divided by n": ("dW[:] = scale * (delta.T", "dW[:] = (delta.T"),
    "BP4 outer product transposed": ("(delta.T @ a_previous)", "(a_previous.T @ delta)"),
    "BP4 times 1.001": ("dW[:] = scale * (delta.T", "dW[:] = 1.001 * scale * (delta.T"),
    "forward without biases": ("a @ W.T + b", "a @ W.T"),
    "forward transposed": ("a @ W.T + b", "a @ W + b"),
}
PENALTIES = {
    "l2 ignored": ("            dW += l2 * W", "            pass"),
    "l2 with a 2": ("            dW += l2 * W", "            dW += 2 * l2 * W"),
    "l1 ignored": ("dW += l1 * np.sign(W)", "pass"),
}
OF_EITHER = [(backprop, *each) for each in BACKPROP.values()]
OF_EITHER += [(penalties, *each) for each in PENALTIES.values()]


@pytest.mark.parametrize(("module", "old", "new"), OF_EITHER, ids=[*BACKPROP, *PENALTIES])
def test_mutant_of_backprop_is_found_on_square_layers_too(module, old, new, monkeypatch):
    for sizes in ((4, 4, 4, 4), (4, 6, 5, 3)):
        problem = problems.make(sizes, "tanh", "sigmoid", weighted=True, l2=0.1, l1=0.02)
        test_gradients.assert_gradient_is_right(problem)
        with monkeypatch.context() as patch:
            mutate(patch, module, old, new)
            # On unequal layers a transpose has not even the right shape.
            with pytest.raises(
                AssertionError if len(set(sizes)) == 1 else (AssertionError, ValueError)
            ):
                test_gradients.assert_gradient_is_right(problem)


@pytest.mark.parametrize("name", ["BP3 sum for mean", "BP4 times 1.001", "BP2 slope missing"])
def test_mutant_of_backprop_is_found_by_check_gradient(name, monkeypatch):
    net = cp.Network([4, 5, 3], cost="quadratic", dtype="float64", seed=0)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(7, 4)), rng.normal(size=(7, 3))
    assert cp.check_gradient(net, X, Y).verdict == "pass"
    mutate(monkeypatch, backprop, *BACKPROP[name])
    assert cp.check_gradient(net, X, Y).verdict == "fail"


@pytest.mark.parametrize("name", ["BP3 twice", "BP4 not divided by n", "BP2 weights of another layer"])
def test_mutant_of_backprop_is_found_by_the_loops_and_the_listing(name, monkeypatch):
    mutate(monkeypatch, backprop, *BACKPROP[name])
    with pytest.raises((AssertionError, ValueError)):
        test_backprop.test_gradient_equals_the_listing_of_s2_in_python_3()
    with pytest.raises((AssertionError, ValueError)):
        test_backprop.test_gradient_equals_the_loops_over_samples_and_neurons(
            (costs.quadratic(), "sigmoid")
        )


def test_an_update_of_the_parameters_on_the_way_is_found(monkeypatch):
    old = "    weights, functions = architecture.views(parameters)[0], architecture.functions(parameters)\n"
    mutate(monkeypatch, backprop, old, old + "    weights[-1][:] -= 0.1\n")
    with pytest.raises((AssertionError, ValueError)):
        test_backprop.test_nothing_that_goes_in_is_changed()


def test_a_per_sample_gradient_that_is_a_mean_already_is_found(monkeypatch):
    mutate(monkeypatch, backprop, "        db[:] = delta\n", "        db[:] = delta / 7\n")
    with found:
        inner(test_backprop.test_batch_gradient_is_the_mean_or_sum_of_those_of_single_samples)(
            (4, 5, 3), 7, (costs.quadratic(), "sigmoid")
        )


def test_an_input_scale_whose_slope_is_forgotten_is_found(monkeypatch, rng):
    mutate(monkeypatch, backprop, "(deltas[0] @ weights[0]) * below if", "deltas[0] @ weights[0] if")
    with found:
        test_realmlp.test_the_gradient_of_the_input_scale_is_that_of_the_cost(rng)


EMBEDDING_MISTAKES = [
    (embeddings, "Periodic", "cos * of_sin - sin * of_cos", "cos * of_sin + sin * of_cos", "plr"),
    (input_embedding, "Embedding", "self.places[:, -1]] = x", "self.places[:, -1]] = 0.0", "pbld"),
    (input_embedding, "Delta", "TURN * (passed.x", "(passed.x", "plr-lite"),
    (input_embedding, "Delta", "self.h.sum(axis=0)", "self.h.mean(axis=0)", "pl"),
    (input_embedding, "Embedded", "self.h, error[:, its", "self.h, 2 * error[:, its", "pl"),
]


@pytest.mark.parametrize(("module", "owner", "old", "new", "kind"), EMBEDDING_MISTAKES)
def test_a_mistake_in_an_embedding_is_found(monkeypatch, module, owner, old, new, kind):
    mutate(monkeypatch, module, old, new, owner)
    with found:
        test_embeddings.test_the_gradient_agrees_with_three_oracles(kind, {})


def test_dropout_that_is_forgotten_on_the_way_back_is_found(monkeypatch):
    mutate(monkeypatch, backprop, "error = error * kept", "pass")
    with found:
        test_backprop.test_a_neuron_that_drops_out_gets_no_gradient_and_the_rest_is_scaled()


# Activations and costs


SLOPES = {
    "constant 1": lambda d: lambda z: np.ones_like(z),
    "times 1.001": lambda d: lambda z: 1.001 * d(z),
    "negative": lambda d: lambda z: -d(z),
    "of the layer's first neuron": lambda d: lambda z: d(z[..., :1]) + 0 * z,
}
MANY = [f for f in test_activations.ACTIVATIONS if f.name not in ("identity",)]


@pytest.mark.parametrize("mutant", SLOPES.values(), ids=list(SLOPES))
@pytest.mark.parametrize("activation", MANY, ids=lambda f: f.name)
def test_mutant_of_a_slope_is_found(activation, mutant):
    wrong = dataclasses.replace(activation, derivative=mutant(activation.derivative))
    with found:
        test_gradients.assert_gradient_is_right(problems.make(activation=wrong))
    with found:
        test_activations.test_slope_agrees_with_central_differences(wrong)
    problem = problems.make(activation=wrong)
    net = cp.Network([4, 5, 3], wrong, cost="quadratic", dtype="float64", seed=0)
    net.parameters[:] = problem.parameters
    assert cp.check_gradient(net, problem.X, problem.Y).verdict == "fail"


def test_a_sigmoid_that_overflows_is_found():
    naive = dataclasses.replace(
        activations.ACTIVATIONS["sigmoid"],
        function=lambda z: 1 / (1 + np.exp(-z)),
        derivative=lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    )
    with pytest.raises(FloatingPointError):
        test_activations.test_no_warning_and_nothing_but_finite_numbers_up_to_1e4(naive, "float64")


def test_a_relu_that_hides_nan_is_found():
    hiding = dataclasses.replace(
        activations.ACTIVATIONS["relu"], function=lambda z: np.where(z > 0, z, 0.0)
    )
    with found:
        test_activations.test_nan_stays_nan(hiding, "float64")


def test_a_softmax_with_the_diagonal_of_its_jacobian_alone_is_found(monkeypatch):
    mutate(
        monkeypatch,
        activations,
        "return a * (error - (a * error).sum(axis=1, keepdims=True))",
        "return error * a * (1 - a)",
        owner="Activation",
    )
    for name in ("quadratic", "squared_error"):
        with found:  # X19
            test_gradients.assert_gradient_is_right(problems.make(output="softmax", cost=name))
    test_gradients.assert_gradient_is_right(problems.make(output="softmax", cost="cross_entropy"))


COSTS = {
    "quadratic without the half": (costs.quadratic(), {"derivative": lambda a, y: 2 * (a - y)}),
    "quadratic the other way (X8)": (costs.quadratic(), {"derivative": lambda a, y: y - a}),
    "huber never linear": (costs.huber(0.4), {"derivative": lambda a, y: a - y}),
    "quantile mirrored": (costs.quantile(0.3), {"derivative": lambda a, y: np.where(y > a, -0.7, 0.3)}),
}


@pytest.mark.parametrize(("cost", "how"), COSTS.values(), ids=list(COSTS))
def test_mutant_of_a_cost_is_found(cost, how, rng):
    wrong = dataclasses.replace(cost, **how)
    with found:
        test_gradients.assert_gradient_is_right(problems.make(cost=wrong))
    with found:
        test_costs.test_delta_and_error_agree_with_differences((wrong, "identity"), rng)


def test_a_cross_entropy_computed_from_a_is_found():
    naive = dataclasses.replace(costs.cross_entropy(), canonical={})
    with pytest.raises((AssertionError, FloatingPointError)):
        test_costs.test_value_and_delta_are_finite_for_logits_of_1e4((naive, "softmax"), "float64")


def test_a_mean_over_the_outputs_is_found(rng):
    wrong = dataclasses.replace(costs.quadratic(), value=lambda a, y: 0.5 * ((a - y) ** 2).mean(axis=1))
    with found:
        test_gradients.assert_gradient_is_right(problems.make(cost=wrong))


# Optimizers


OPTIMIZERS = {
    "Adam without the correction": (
        optimizers.Adam(0.01),
        "v_hat = v / (1.0 - self.beta2**t)",
        "v_hat = v",
    ),
    "Adam counting from 0": (
        optimizers.Adam(0.01),
        "m_hat = m / (1.0 - self.beta1**t)",
        "m_hat = m / (1.0 - self.beta1 ** (t + 1))",
    ),
    "Adam with epsilon under the root": (
        optimizers.Adam(0.01),
        "m_hat / (np.sqrt(v_hat) + self.epsilon), np",
        "m_hat / np.sqrt(v_hat + self.epsilon), np",
    ),
    "RMSProp with epsilon under the root": (
        optimizers.RMSProp(0.01),
        "gradient / (np.sqrt(s) + self.epsilon), s[None]",
        "gradient / np.sqrt(s + self.epsilon), s[None]",
    ),
    "momentum with dampening": (
        optimizers.SGD(0.1, momentum=0.9),
        "velocity = self.momentum * moments[0] + gradient",
        "velocity = self.momentum * moments[0] + 0.1 * gradient",
    ),
    "Nesterov without its look ahead": (
        optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        "gradient + self.momentum * velocity if self.nesterov else velocity",
        "velocity",
    ),
    "Nesterov with the old velocity": (
        optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        "gradient + self.momentum * velocity if",
        "gradient + self.momentum * moments[0] if",
    ),
}


@pytest.mark.parametrize(("optimizer", "old", "new"), OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_mutant_of_an_optimizer_is_found(optimizer, old, new, monkeypatch, rng):
    mutate(monkeypatch, optimizers, old, new, owner=type(optimizer).__name__)
    with found:
        test_optimizers.test_thousand_steps_equal_the_published_recurrence(optimizer, rng)


def test_a_decay_that_is_not_multiplied_by_the_rate_is_found(monkeypatch, rng):
    def update(self, parameters, gradient, moments, rate, t, decay=1.0):
        decayed = parameters - self.weight_decay * decay * parameters
        return optimizers.Adam.update(self, decayed, gradient, moments, rate, t)

    monkeypatch.setattr(optimizers.AdamW, "update", update)
    with found:
        test_optimizers.test_step_by_step_to_the_last_digits_of_ordinary_gradients(
            optimizers.AdamW(0.01, weight_decay=0.1), rng
        )


def test_an_update_in_place_is_found(monkeypatch, rng):
    def update(self, parameters, gradient, moments, rate, t, decay=1.0):
        parameters -= rate * gradient
        return parameters, moments

    monkeypatch.setattr(optimizers.SGD, "update", update)
    with pytest.raises((AssertionError, ValueError)):
        test_optimizers.test_update_is_pure_and_keeps_the_dtype(optimizers.SGD(0.1), "float64", rng)


# Randomness and initializers


def test_philox_with_a_round_too_few_is_found(monkeypatch):
    monkeypatch.setattr(randomness, "ROUNDS", 9)
    with found:
        test_randomness.test_philox_gives_the_known_answers(*test_randomness.KNOWN[2])
    with found:
        test_randomness.test_golden_draws()


def test_two_purposes_that_share_their_numbers_are_found(monkeypatch):
    monkeypatch.setattr(randomness, "DROPOUT", randomness.SAMPLE_ORDER)
    with found:
        test_randomness.test_purposes_layers_and_steps_never_share_a_counter()


RANDOMNESS = {
    "order with a row twice": (
        "    return packed.view(np.int64)\n",
        "    return (packed // 2).astype(np.int64)\n",
        lambda: inner(
            test_randomness.test_permutation_holds_each_row_once_and_depends_on_its_key_alone
        )(1, 20, 3),
    ),
    "mask that depends on the number of neurons": (
        "blocks = np.arange((n_neurons + 3) // 4)",
        "blocks = n_neurons + np.arange((n_neurons + 3) // 4)",
        lambda: inner(test_randomness.test_mask_of_a_part_is_the_part_of_the_mask)(1, 2, 3),
    ),
    "mask that keeps what it should drop": (
        "return drawn >= np.uint64(dropout_threshold(rate))",
        "return drawn < np.uint64(dropout_threshold(rate))",
        lambda: test_randomness.test_mask_drops_its_share(0.1),
    ),
    "mask that forgets its step": (
        "np.arange(n_rows)[:, None], step, purpose=DROPOUT",
        "np.arange(n_rows)[:, None], 0, purpose=DROPOUT",
        lambda: test_randomness.test_masks_of_other_steps_layers_and_seeds_differ(),
    ),
    "normal with dependent pairs": (
        "angle = 2.0 * np.pi * u[:, 1]",
        "angle = 0.5 * np.pi * u[:, 1]",
        lambda: test_randomness.test_normal_has_the_moments_of_the_normal_distribution(),
    ),
}


@pytest.mark.parametrize(("old", "new", "check"), RANDOMNESS.values(), ids=list(RANDOMNESS))
def test_mutant_of_randomness_is_found(old, new, check, monkeypatch):
    check()
    mutate(monkeypatch, randomness, old, new)
    with found:
        check()


def test_an_initializer_with_another_variance_is_found():
    # Glorot's half-width taken for his standard deviation: 1.7 times too wide.
    wrong = dataclasses.replace(
        initializers.glorot_normal(), scale=lambda n_in, n_out: (6 / (n_in + n_out)) ** 0.5
    )
    with found:
        test_initializers.test_normal_draws_have_their_moments(wrong, (2 / 500) ** 0.5)


# The loop around an engine


def test_a_dropped_last_batch_is_found(monkeypatch):
    from clearprop.engines import Plan
    from clearprop.training.supply import InMemory

    whole_part = InMemory.part

    def without_last(supply, plan, epoch, step):
        part = whole_part(supply, plan, epoch, step)
        return dataclasses.replace(part, order=part.order[: plan.steps_per_epoch * plan.batch_size])

    monkeypatch.setattr(InMemory, "part", without_last)
    monkeypatch.setattr(
        Plan, "steps_per_epoch", property(lambda plan: plan.n_samples // plan.batch_size)
    )
    with found:
        test_training.test_every_sample_is_seen_once_an_epoch_the_last_short_batch_too(monkeypatch)


class Mutant(ReferenceEngine):
    """An engine that runs another plan, or other data, than it is given."""

    def __init__(self, plan=None, data=None):
        self.plan, self.data = plan or {}, data or {}

    def run(self, plan, state, data, order, rates):
        return super().run(
            dataclasses.replace(plan, **self.plan), state, data._replace(**self.data), order, rates
        )


ENGINES = {
    "ignores l2": {"plan": {"l2": 0.0}},
    "ignores l1": {"plan": {"l1": 0.0}},
    "ignores dropout": {"plan": {"dropout": ()}},
    "ignores clipping": {"plan": {"clip_norm": None}},
    "ignores frozen blocks": {"plan": {"frozen": ()}},
    "ignores the seed of dropout": {"plan": {"seed": 6}},
    "takes another batch size": {"plan": {"batch_size": 2}},
    "ignores sample weights": {"data": {"sample_weight": None}},
    "ignores momentum": {"plan": {"optimizer": optimizers.SGD(0.02)}},
}


@pytest.mark.parametrize("how", ENGINES.values(), ids=list(ENGINES))
def test_mutant_of_an_engine_is_found(how, monkeypatch):
    net = building.build([4, 5, 3], "tanh", "softmax", "cross_entropy")
    data, parameters = test_engines.problem(net, 7, weighted=True)
    plan = test_engines.plan_for(
        net,
        optimizers.SGD(0.02, momentum=0.9),
        l2=0.01,
        l1=0.001,
        dropout=(0.4,),
        clip_norm=0.3,
        frozen=select(net.blocks, ["layers.1.bias"]),
    )
    monkeypatch.setattr(test_engines, "CompiledEngine", Mutant)
    test_engines.assert_agrees(plan, data, parameters)
    monkeypatch.setattr(test_engines, "CompiledEngine", lambda: Mutant(**how))
    with found:
        test_engines.assert_agrees(plan, data, parameters)


def test_a_model_with_one_changed_byte_is_found(tmp_path):
    path = tmp_path / "model.safetensors"
    net = cp.Network([4, 5, 3], seed=0)
    net.save(path)
    whole = path.read_bytes()
    np.testing.assert_array_equal(cp.load(path).parameters, net.parameters)
    for place in range(0, len(whole), max(len(whole) // 60, 1)):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises((ValueError, TypeError, OSError)):
            cp.load(path)
