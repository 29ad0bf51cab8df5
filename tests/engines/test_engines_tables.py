"""What the compiled engine, the equations and the explanations have of one kind: rows of one name each."""

import dataclasses
import inspect

import numpy as np
import pytest

import clearprop.schedule_free  # noqa: F401 - it enters its optimizer into the tables when it is loaded
from clearprop import activations, costs, optimizers
from clearprop.building import build
from clearprop.engines import codes, kernels, layout, neurons, outputs, records, updates
from clearprop.engines.compiled import CompiledEngine
from clearprop.engines.language import Kernel, hints_of, is_record
from clearprop.engines.sharing import GradientAlone
from clearprop.explain.forms import costs as written
from test_engines import SMALL, plan_for

NEEDED = {"grouped_cross_entropy": ((1, 2),)}  # arguments without which a cost is not made
COSTS = [factory(*NEEDED.get(name, ())) for name, factory in costs.FACTORIES.items()]
STEPPING = [
    optimizers.SGD(0.1),
    optimizers.SGD(0.1, momentum=0.9),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    *(kind() for kind in optimizers.KNOWN.values() if kind not in (optimizers.SGD, optimizers.LBFGS)),
    GradientAlone(),
]


def ways_of(cost):
    """Return how a cost is computed: for which outputs from z, and with any other from a."""
    canonical = [(cost.name, output) for output in cost.canonical]
    return canonical if cost.only_canonical else [*canonical, (cost.name, None)]


def test_every_activation_has_a_kernel_and_every_kernel_an_activation():
    assert set(neurons.ACTIVATIONS) == set(activations.ACTIVATIONS)


def test_every_cost_has_a_kernel_for_each_way_it_is_computed_and_is_written_out():
    assert set(outputs.COSTS) == {way for cost in COSTS for way in ways_of(cost)}
    assert {name for name, _ in written._WRITTEN} == set(costs.FACTORIES)


def test_every_optimizer_that_makes_steps_has_a_kernel_for_each_of_its_rules():
    shards = {"TreeSum"}  # adds up the gradients of shards, where an optimizer would make a step
    assert set(updates.OPTIMIZERS) - shards == {each.form for each in STEPPING}


@pytest.mark.parametrize("cost", COSTS, ids=str)
def test_a_costs_parameter_is_found_by_its_name(cost):
    numbers = {name for name, value in cost.parameters.items() if isinstance(value, float)}
    for way in ways_of(cost):
        assert {outputs.COSTS[way].parameter} - {""} == numbers


@pytest.mark.parametrize("optimizer", STEPPING, ids=lambda each: each.form)
def test_an_optimizers_numbers_are_found_by_their_names(optimizer):
    row = updates.OPTIMIZERS[optimizer.form]
    asked = {name for name in row if isinstance(name, str)} - {""}
    numbers = {
        each.name
        for each in dataclasses.fields(optimizer)
        if type(getattr(optimizer, each.name)) in (int, float) and each.name != "learning_rate"
    }
    unused = {"momentum"} if optimizer.form == "SGD" else set()
    assert asked == numbers - unused


@pytest.mark.parametrize(
    "table", [neurons.ACTIVATION_CODES, updates.OPTIMIZER_CODES], ids=["activations", "optimizers"]
)
def test_the_codes_of_a_table_are_the_places_of_its_rows(table):
    assert list(table.values()) == list(range(len(table)))
    assert not {codes.MIXED, codes.OWN} & set(table.values())


def test_two_costs_have_one_code_if_they_have_one_kernel():
    by_code = {}
    for key, code in outputs.COST_CODES.items():
        by_code.setdefault(code, set()).add(outputs.COSTS[key].kernel)
    assert sorted(by_code) == list(range(len(by_code)))
    assert all(len(each) == 1 for each in by_code.values())


def test_an_optimizer_of_the_users_own_is_not_taken_for_the_one_it_is_named_after():
    named = type("Adam", (optimizers.Adam,), {})
    plan = plan_for(build(SMALL, "tanh", None, "quadratic"), named())
    assert "Adam is not built in" in CompiledEngine().supports(plan)


def test_the_columns_of_the_table_of_layers_are_the_fields_of_a_layer():
    made = layout.Layout(build(SMALL, "tanh", "softmax", "cross_entropy"), np.dtype("float32"), 7)
    first, last = (records.Layer(*row) for row in made.layers)
    assert (first.n_in, first.n_out, last.n_in, last.n_out) == (4, 5, 5, 3)
    assert (first.code, last.code) == tuple(neurons.ACTIVATION_CODES[n] for n in ("tanh", "softmax"))
    assert (first.z, first.scales, first.panels) == (-1, -1, -1)
    assert last.below == first.above
    assert last.z >= 0


KERNELS = {
    found.name: found
    for module in (kernels, *(inspect.getmodule(f.function) for f in vars(kernels).values() if isinstance(f, Kernel)))
    for found in vars(module).values()
    if isinstance(found, Kernel)
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_says_what_its_arguments_are_and_has_at_most_ten(name):
    function = KERNELS[name].function
    names = list(inspect.signature(function).parameters)
    assert list(hints_of(function)) == names
    assert len(names) <= 10


def test_no_function_of_the_engines_has_more_than_60_lines_of_code_or_10_arguments():
    """Docstrings, comments and blank lines are not counted."""
    import ast
    import pathlib

    folder = pathlib.Path(kernels.__file__).parent
    found, seen = [], 0
    for path in folder.glob("*.py"):
        text = path.read_text().splitlines()
        for node in ast.walk(ast.parse("\n".join(text))):
            if not isinstance(node, ast.FunctionDef):
                continue
            seen += 1
            has_docstring = ast.get_docstring(node) is not None
            skipped = node.body[0].end_lineno if has_docstring else node.lineno
            lines = [x.strip() for x in text[skipped : node.end_lineno]]
            size = sum(1 for x in lines if x and not x.startswith("#"))
            arguments = len(node.args.args) + len(node.args.kwonlyargs)
            arguments -= bool(node.args.args) and node.args.args[0].arg == "self"
            if size > 60 or arguments > 10:
                found.append((path.name, node.name, size, arguments))
    assert seen > 300
    assert found == []


def test_every_field_of_a_record_has_a_type_that_kernels_know():
    made = [each for each in vars(records).values() if is_record(each)]
    assert len(made) > 10
    for record in made:
        assert tuple(hints_of(record)) == record._fields
