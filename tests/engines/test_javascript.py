"""The engine of pages is an engine like the others: the reference's numbers, in Node and in Chromium."""

import dataclasses
import functools
import re

import numpy as np
import pytest

from clearprop import (
    architecture,
    backprop,
    costs,
    embeddings,
    initializers,
    optimizers,
    randomness,
    schedules,
)
from clearprop.building import initial_parameters
from clearprop.engines import elementary, javascript, outputs
from clearprop.engines.interface import Data, Plan, State
from clearprop.engines.javascript import functions, tables
from clearprop.engines.neurons import _tanh
from clearprop.engines.reference import ReferenceEngine
from clearprop.page import document, tag
from clearprop.parametric_activations import PARAMETRIC
from page_engine import CASES, case, described, in_node, needs_node, numbers, script
from problems import assert_close, make
from tables import ACTIVATIONS, OPTIMIZERS, OUTPUTS, PER_NEURON
from test_elementary import every_size, needs_extended, units, wanted

pytestmark = needs_node
GROUPED = costs.FACTORIES["grouped_cross_entropy"]((2, 1))
# A thousandth of the rates, at which no cost diverges.
ON_PAGE = [
    dataclasses.replace(each, learning_rate=each.schedule(0) / 1000)
    for each in OPTIMIZERS
    if not each.has_mean
]


@functools.cache
def problems():
    """Return a problem for each hidden activation with each output and cost."""
    pairs = [*OUTPUTS, (GROUPED, "identity")]
    hidden = [*ACTIVATIONS, [*PER_NEURON]]
    return [
        make(activation=f, output=output, cost=cost, seed=i, weighted=i % 3 == 0)
        for i, (f, (cost, output)) in enumerate((f, pair) for f in hidden for pair in pairs)
    ]


# Passes


def passed(problem, keep=None):
    """Return what the reference leaves, by the names of `page_cases.js`."""
    made, p, X, Y = problem.architecture, problem.parameters, problem.X, problem.Y
    forward = backprop.forward(made, p, X, keep)
    back = backprop.backward(made, p, forward, Y, problem.sample_weight)
    return {
        "z": forward.z,
        "a": forward.a,
        "costs": [made.cost.of_samples(made.output, forward.z[-1], forward.a[-1], Y)],
        "error": back.error,
        "delta": back.delta,
        "gradient": [backprop.gradient(made, forward, back)],
        "input": [backprop.input_error(made, p, forward, back.delta[0])],
    }


def assert_pass(answer, problem, keep=None):
    for name, arrays in passed(problem, keep).items():
        given, at = numbers(answer[name]), 0
        for expected in arrays:
            found = given[at : at + expected.size].reshape(expected.shape)
            at += expected.size
            off, size = np.abs(found - expected).max(), np.abs(expected).max()
            assert off <= 1e-12 * size, (problem.architecture, name, off / size)
        assert at == given.size


def test_one_pass_is_the_references():
    every = problems()
    assert len(every) > 300
    for problem, answer in zip(every, in_node([case(each) for each in every]), strict=True):
        assert_pass(answer, problem)


def with_input_scale(**flags):
    problem = make(activation="tanh", cost="cross_entropy", output="softmax")
    made = dataclasses.replace(problem.architecture, input_scale=True, **flags)
    parameters = np.random.default_rng(0).normal(size=made.n_parameters)
    return dataclasses.replace(problem, architecture=made, parameters=parameters)


def test_a_pass_has_input_scales_no_biases_and_dropout(rng):
    layers = [4, architecture.Layer(5, bias=False), 3, architecture.Layer(2, bias=False)]
    without = make(layers, activation="silu")
    scaled, masks = with_input_scale(), [rng.uniform(0, 2, (7, 5)), None]
    kept = [masks[0].tolist(), None]
    first, second, third = in_node(
        [case(without), case(scaled, keep=kept), case(with_shares(), keep=kept)]
    )
    assert_pass(first, without)
    assert_pass(second, scaled, masks)
    assert_pass(third, with_shares(), masks)


def with_shares(name="parametric_mish", **flags):
    """Return a problem whose hidden activation is parametric."""
    problem = make(activation=name, output="sigmoid", weighted=True)
    made = dataclasses.replace(problem.architecture, **flags)
    parameters = np.random.default_rng(3).normal(size=made.n_parameters)
    return dataclasses.replace(problem, architecture=made, parameters=parameters)


def test_parametric_activations_are_the_references():
    every = [with_shares(name) for name in PARAMETRIC]
    for problem, answer in zip(every, in_node([case(each) for each in every]), strict=True):
        assert_pass(answer, problem)
    every = with_shares(), with_shares(input_scale=True, ntk=True)
    assert_trained([(each, optimizers.AdamW(0.01), {"dropout": [0.3]}) for each in every])


def with_embedding(name, **flags):
    """Return a problem of which two of four inputs are embedded, or all."""
    rows = np.random.default_rng(1).normal(size=(40, 4))
    embedding = {
        "bins": embeddings.piecewise_linear(rows, bins=3, size=3, columns=[1, 3]),
        "periodic": embeddings.periodic(size=3, n_frequencies=2, columns=[0, 3]),
        "lite": embeddings.periodic(size=2, n_frequencies=3, lite=True),
        "pbld": embeddings.pbld(size=3, n_frequencies=4, columns=[0, 1, 2]),
        "categories": embeddings.categories([[0, 2]], size=3),
        "both": embeddings.categories(
            [[3, 1]], size=2, numbers=embeddings.pbld(size=3, n_frequencies=4, columns=[2])
        ),
    }[name]
    problem = make(activation="tanh", weighted=True)
    made = dataclasses.replace(problem.architecture, embedding=embedding, **flags)
    parameters = np.random.default_rng(2).normal(size=made.n_parameters)
    return dataclasses.replace(problem, architecture=made, parameters=parameters)


EMBEDDED = "bins", "periodic", "lite", "pbld", "categories", "both"


def test_embeddings_are_the_references():
    every = [with_embedding(name, input_scale=scaled) for name in EMBEDDED for scaled in (False, True)]
    for problem, answer in zip(every, in_node([case(each) for each in every]), strict=True):
        assert_pass(answer, problem)
    assert_trained([(each, optimizers.AdamW(0.01), {"l2": 0.1, "l1": 0.01}) for each in every])


@pytest.mark.parametrize(
    "problem",
    [
        *map(with_embedding, EMBEDDED),
        make(),
        *(its(**flags) for its in (with_input_scale, with_shares) for flags in ({}, {"ntk": True})),
    ],
)
def test_blocks_lie_where_the_architecture_has_them(problem):
    (answer,) = in_node([case(problem, "blocks")])
    for found, block in zip(answer["blocks"], problem.architecture.blocks, strict=True):
        assert (found["name"], tuple(found["shape"]), found["offset"], found["kind"]) == block[:4]
        factors = found["rate"], found["decay"], found["gradient"]
        assert factors == pytest.approx(block[4:], rel=1e-15)


def test_every_cost_that_is_computed_from_z_has_its_error():
    of_z = {
        key for key, row in outputs.COSTS.items() if key[1] and row.kernel is not outputs.grouped_cost
    }
    assert set(tables._ERRORS) == of_z


# Trainings


def trained(problem, optimizer, epochs=3, seed=5, shuffle="epoch", **plan):
    """Return what the reference makes of a problem in batches of 3: costs and parameters."""
    data = Data(problem.X, problem.Y, problem.sample_weight)
    made, n = problem.architecture, len(problem.X)
    its = Plan(made, optimizer, seed, 3, n, **plan)
    start = problem.parameters.copy()
    state, found = State(start, optimizer.init(start)), []
    for epoch in range(epochs):
        order = np.arange(n)
        if shuffle:
            order = randomness.permutation(seed, n, step=0 if shuffle == "once" else epoch)
        rates = np.full(its.steps_per_epoch, optimizer.schedule(0))
        report = ReferenceEngine().run(its, state, data, order, rates)
        assert not report.bad
        found.append(state.epoch_cost / (1 if made.cost.reduction == "sum" else n))
        state.epoch, state.epoch_step, state.epoch_cost = epoch + 1, 0, 0.0
    return found, state.parameters


def training(problem, optimizer, seed=5, shuffle="epoch", **plan):
    """Return the same as a case."""
    renamed = {"clip_norm": "clipNorm"}
    its = {renamed.get(name, name): value for name, value in plan.items()}
    said = {"optimizer": optimizers.describe(optimizer), "seed": str(seed)}
    its = {**said, "batchSize": 3, "shuffle": shuffle, **its}
    return case(problem, "training", plan=its, epochs=3)


def assert_trained(jobs):
    """Compare three epochs of (problem, optimizer, plan) with the reference's."""
    for (problem, optimizer, plan), answer in zip(
        jobs, in_node([training(p, o, **plan) for p, o, plan in jobs]), strict=True
    ):
        found, parameters = trained(problem, optimizer, **plan)
        assert numbers(answer["costs"]) == pytest.approx(found, rel=1e-9)
        assert_close(numbers(answer["parameters"]), parameters, 1e-9, problem)


def test_three_epochs_are_the_references():
    every = problems()
    assert len(ON_PAGE) == 6  # and 26 costs with outputs: no two meet in step
    assert_trained([(p, ON_PAGE[(i // 5) % 6], {}) for i, p in enumerate(every) if i % 5 == 0])


@pytest.mark.slow  # each optimizer with each activation and each cost, where one at a time is above
@pytest.mark.parametrize("optimizer", ON_PAGE)
def test_three_epochs_are_the_references_whatever_meets(optimizer):
    assert_trained([(problem, optimizer, {}) for problem in problems()])


def test_what_a_plan_has_besides_is_the_references():
    plans = [
        {"l2": 0.1, "l1": 0.01},
        {"dropout": [0.4]},
        {"clip_norm": 0.05},
        {"shuffle": False},
        {"shuffle": "once", "seed": 2**64 - 1},
    ]
    plain, scaled = make(activation="tanh", weighted=True), with_input_scale(ntk=True)
    assert_trained([(plain, optimizers.SGD(0.1), plan) for plan in plans])
    assert_trained([(scaled, optimizers.AdamW(0.01, weight_decay=0.1), {"l2": 0.1})])


def test_what_the_engine_does_not_have_is_refused_in_a_sentence():
    problem = make()
    unknown = case(problem) | {"description": described(problem.architecture)}
    unknown["description"]["layers"][0]["activation"] = "swish"
    short = {"X": [[1.0] * 3] * 7}
    jobs = [
        (case(problem, parameters=[1.0]), "parameters must be 43, got 1"),
        (case(problem, **short), "columns of X must be 4, got 3"),
        (training(problem, ON_PAGE[0]) | short, "columns of X must be 4, got 3"),
        (training(problem, ON_PAGE[0]) | {"Y": [[1.0] * 3]}, "rows of Y must be 7, got 1"),
        (case(problem, X=[[1.0] * 4, [1.0]]), "rows must be of one length, got 4 and 1 numbers"),
        (training(problem, ON_PAGE[0], momentum=0.9), "got momentum"),
        (training(problem, ON_PAGE[0], batchSize=0), "batchSize must be at least 1, got 0"),
        (case(problem, "training", plan={"seed": 1}, epochs=1), "a plan needs an optimizer and a seed"),
        (unknown, "the page's engine has no activation swish"),
        (
            training(problem, optimizers.AdamW(0.1, weight_decay=schedules.flat_cos(0.1, 3))),
            "has no weight decay flat_cos, only a constant one",
        ),
        (training(problem, OPTIMIZERS[-1]), "has no optimizer ScheduleFreeAdamW"),
        (
            training(problem, optimizers.SGD(schedules.cosine(0.1, epochs=3))),
            "has no learning rate cosine, only a constant one",
        ),
    ]
    for answer, (_, sentence) in zip(in_node([job for job, _ in jobs]), jobs, strict=True):
        assert sentence in answer["refused"]


def test_a_step_that_leaves_the_finite_numbers_changes_nothing():
    problem = make(activation="relu")
    (answer,) = in_node([training(problem, optimizers.SGD(1e300))])
    assert np.isnan(numbers(answer["costs"])[-1])
    assert np.isfinite(numbers(answer["parameters"])).all()


def test_a_copy_of_the_state_is_all_that_a_step_back_needs():
    job = training(make(activation="tanh"), optimizers.Adam(0.1), dropout=[0.3]) | {"kind": "stepBack"}
    (answer,) = in_node([job])
    assert answer["first"] == answer["again"]
    looked, made, *others = numbers(answer["first"])[:5]
    assert looked == made  # to look changes nothing
    assert len({made, *others}) == 4


# Random draws


def test_draws_are_pythons_to_the_bit_and_normal_ones_to_3_ulp():
    seeds = (0, 7, 2**53 + 1, 2**64 - 1)
    n = 1001
    jobs, expected = [], []
    for seed in seeds:
        for name, given, bits in (
            ("permutation", (n, 3), randomness.permutation(seed, n, step=3)),
            ("permutation", (n, 2**40), randomness.permutation(seed, n, step=2**40)),
            ("uniforms", (n, 1, 2), randomness.uniform(seed, n, purpose=1, layer=2)),
            (
                "keepMask",
                (2**40 + 1, 4095, 7, 10, 0.3),
                randomness.keep_mask(seed, 2**40 + 1, 4095, 7, 10, 0.3),
            ),
            ("normals", (n, 2, 1), randomness.normal(seed, n, purpose=2, layer=1)),
        ):
            jobs.append({"kind": "draw", "name": name, "given": [str(seed), *given]})
            expected.append(bits.ravel().astype(float))
    for job, answer, bits in zip(jobs, in_node(jobs), expected, strict=True):
        off = np.abs(numbers(answer["of"]) - bits) / np.spacing(np.abs(bits))
        # Each side is within 2.2 of the true number, the logarithm's, the cosine's and the product's error
        # together; which draw is farthest off depends on NumPy's functions for the processor.
        assert off.max() <= (3 if job["name"] == "normals" else 0), job


def test_the_first_parameters_are_pythons():
    made = make((4, 5, 3)).architecture
    every = [
        f(*([0.25] if name == "constant" else [])) for name, f in initializers.INITIALIZERS.items()
    ]
    jobs = [
        {"kind": "start", "description": described(made), "weights": given, "biases": given, "seed": 3}
        for given in ({"name": its.name, **its.parameters} for its in every)
    ]
    for its, answer in zip(every, in_node(jobs), strict=True):
        bits = initial_parameters(made, its, its, 3, "float64")
        off = np.abs(numbers(answer["of"]) - bits)
        assert (off <= (2 if its.distribution == "normal" else 0) * np.spacing(np.abs(bits))).all()


# Functions


def points(n=2000):
    """Return where each function is looked at."""
    rng = np.random.default_rng(0)
    signed = np.concatenate(
        [*(rng.uniform(-s, s, n) for s in (1e-3, 1, 10)), every_size("float64", 38, -1)[::50]]
    )
    wide = 10.0 ** rng.uniform(-300, 300, n)
    return {
        "exp": np.concatenate([signed, rng.uniform(-745, 709, n)]),
        "log": np.concatenate([wide, rng.uniform(0.3, 3, n)]),
        "log_one_plus": np.concatenate([-rng.uniform(0, 1, n), wide, signed[np.abs(signed) < 0.9]]),
        "circle": np.concatenate([signed, rng.uniform(-1e6, 1e6, n)]),
        "turned": signed,
        "_tanh": signed,
        "normal": signed,
    }


def exact(name, x):
    """Return what a function should give, in extended precision, a row for each of x."""
    if name in ("normal", "turned"):
        return np.stack([wanted(f"{name}[{i}]", x) for i in range(1 + (name == "turned"))], 1)
    x = x.astype(np.longdouble)
    if name == "circle":
        return np.stack([np.cos(x), np.sin(x)], 1)
    oracles = {"exp": np.exp, "log": np.log, "log_one_plus": np.log1p, "_tanh": np.tanh}
    return oracles[name](x)[:, None]


@needs_extended
def test_functions_err_by_at_most_what_is_stated():
    every = points()
    jobs = [{"kind": "function", "name": name, "x": x.tolist()} for name, x in every.items()]
    for answer, (name, x) in zip(in_node(jobs), every.items(), strict=True):
        right = exact(name, x)
        got = numbers(answer["of"]).reshape(len(x), -1)[:, : right.shape[1]]
        stated = float(re.search(rf"^    {name} +([\d.]+)$", functions.__doc__, re.MULTILINE)[1])
        assert units(got, right).max() <= stated, name


def test_a_kernel_has_the_same_bits_in_python_and_on_the_page(rng):
    kernels = {
        "exp": elementary.exp,
        "exp_both": elementary.exp_both,
        "normal": elementary.normal,
        "_tanh": _tanh,
        "log": functions.log,
        "log_one_plus": functions.log_one_plus,
        "circle": functions.circle,
        "turned": elementary.turned,
    }
    x = [0.0, -0.0, 1e-310, -1e-310, 38.5, -38.5, *rng.normal(scale=10, size=60)]
    x = {name: [abs(each) for each in x] if name == "log" else [*map(float, x)] for name in kernels}
    x["exp_both"] = [-abs(each) for each in x["exp_both"]]
    jobs = [{"kind": "function", "name": name, "x": x[name]} for name in kernels]
    for answer, (name, f) in zip(in_node(jobs), kernels.items(), strict=True):
        given = np.array([f(each) for each in x[name]], float).ravel()
        assert numbers(answer["of"]).tobytes() == given.tobytes(), name


def test_a_power_is_a_product(rng):
    x = [[0.9, 3], [0.999, 1000], [0.5, 0], [0.0, 1], [0.25, 31]]
    (answer,) = in_node([{"kind": "function", "name": "power", "x": x}])
    assert numbers(answer["of"]) == pytest.approx([base**n for base, n in x], rel=1e-12)


def test_functions_have_their_limits():
    limits = {
        "log": (["0", "-1", "Infinity", "NaN"], [-np.inf, np.nan, np.inf, np.nan]),
        "log_one_plus": (["-1", "-2", "Infinity", "NaN"], [-np.inf, np.nan, np.inf, np.nan]),
        "exp": (["-800", "800", "-Infinity", "Infinity", "NaN"], [0, np.inf, 0, np.inf, np.nan]),
        "circle": (["1e7", "NaN"], [np.nan] * 4),
    }
    jobs = [{"kind": "function", "name": name, "x": x} for name, (x, _) in limits.items()]
    for answer, (_, expected) in zip(in_node(jobs), limits.values(), strict=True):
        np.testing.assert_array_equal(numbers(answer["of"]), expected)


# The engine as a script


def test_a_page_calls_nothing_of_math_whose_bits_are_left_open():
    text = javascript.script()
    exact = {"abs", "sqrt", "floor", "min", "sign", "imul", "max", "fround"}
    assert set(re.findall(r"\bMath\.(\w+)", text)) <= exact
    assert "**" not in text
    assert not re.search(r"Date|random\(|performance|toFixed", text)


MUTANTS = {
    "the sign of BP1": (
        "return error.map((e, j) => e * slope[j]);",
        "return error.map((e, j) => -e * slope[j]);",
    ),
    "a slope missing in BP1": ("return error.map((e, j) => e * slope[j]);", "return error;"),
    "softmax without its Jacobian": ("a[j] * (e - along)", "a[j] * e"),
    "a slope missing in BP2": ("error.times(passed.slope[l]); // BP2", "error; // BP2"),
    "a transposed weight": (
        "+= factor * B.data[j * n + k]",
        "+= factor * B.data[k * B.rows + j]",
    ),
    "a sum in place of the mean": ("? 1 : 1 / passed.X.rows", "? 1 : 1"),
    "the bias forgotten": ("if (b) z = z.map", "if (!b) z = z.map"),
    "weights of another layer": (
        "transposedProduct(back.delta[l], passed.a[l])",
        "transposedProduct(back.delta[l], passed.a[l + 1])",
    ),
    "a kernel's slope": (
        "return [(z >= 0 ? r : e * r), e * r * r];",
        "return [(z >= 0 ? r : e * r), e * r];",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name):
    right, wrong = MUTANTS[name]
    text = script()
    assert text.count(right) == 1
    every = [
        make(output="sigmoid", weighted=True),
        make(output="softmax", cost="squared_error", activation="tanh"),
    ]
    caught = 0
    for problem, answer in zip(
        every, in_node([case(p) for p in every], text.replace(right, wrong)), strict=True
    ):
        try:
            assert_pass(answer, problem)
        except (AssertionError, KeyError, ValueError):
            caught += 1
    assert caught


def test_chromium_gives_the_bits_of_node(pages):
    jobs = [{"kind": "function", "name": name, "x": x.tolist()} for name, x in points(100).items()]
    jobs += [training(p, ON_PAGE[i % 6], dropout=[0.3]) for i, p in enumerate(problems()[::17])]
    jobs += [case(p) for p in problems()[::17]]
    jobs += [{"kind": "draw", "name": "normals", "given": ["3", 101, 1]}]
    page = pages.open(
        document("x", tag("p", "x"), script=f"{script()}{CASES}\nwindow.answers = answers;")
    )
    assert page.evaluate("cases => answers(cases)", jobs) == in_node(jobs)
