"""Both ends of a model as data: the page's encoder gives Python's bits for raw rows of every kind."""

import numpy as np
import pyarrow as pa
import pytest

import clearprop as cp
from clearprop.data.scaling import divide_by
from clearprop.data.table import TableEncoder, decide, open_table
from clearprop.model.ends import inputs_of, rows_of, targets_of
from clearprop.model.inputs import LEARNED, Inputs
from clearprop.model.targets import Classes, Units, standard_units
from page_engine import in_node, needs_node, numbers

CLOCK = "clock: sine of the day", "clock: cosine of the day"


def table(seed, n, strange=False):
    """Return rows like those of telco's and adult's tables; some of their cells training never saw."""
    rng = np.random.default_rng(seed)

    def gaps(values, every):
        return ["" if rng.random() < every else str(each) for each in values]

    contracts = ["Month-to-month", "One year", "Two year", *(["Weekly", "Émile's"] if strange else [])]
    charges = [*gaps(rng.normal(60, 30, n).round(2), 0.1)]
    charges[:: 9 if strange else 5] = ["free"] * len(charges[:: 9 if strange else 5])
    year = 1999 if strange else 2021
    return {
        "tenure": gaps(rng.exponential(30, n).astype(int) + 3000, 0.0 if not strange else 0.2),
        "charges": charges,
        "age": gaps(rng.normal(40, 10, n), 0.15),
        "gender": rng.choice(["Female", "Male", *(["other"] if strange else [])], n).tolist(),
        "contract": gaps(rng.choice(contracts, n), 0.1),
        "city": gaps([f"town {int(each)}" for each in rng.exponential(6, n)], 0.05),
        "since": gaps([f"{year}-{m:02}-{d:02} {m}:30:00" for m, d in rng.integers(1, 13, (n, 2))], 0.1),
        "clock": gaps([f"{h}:{m:02}" for h, m in rng.integers(0, 24, (n, 2))], 0.1),
        "senior": gaps(rng.choice(["true", "false"], n), 0.1),
    }


@pytest.fixture(scope="module")
def learned():
    source = open_table(pa.table(table(0, 400)))
    return TableEncoder.learn(source.batches(), decide(source))


@needs_node
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("how", ["standard", "robust"])
def test_the_pages_encoding_is_pythons_to_the_bit(learned, how, dtype):
    kinds = {each.kind for each in learned.encoded}
    assert kinds == {"numeric", "categorical", "datetime"}
    train = open_table(pa.table(table(0, 400)), types={d.name: d.type for d in learned.decisions})
    steps = LEARNED[how](learned.encode(train.table()), None)
    inputs = Inputs(steps, learned)
    source = inputs.open(pa.table(table(1, 150, strange=True)))
    (batch,) = source.batches()
    rows = rows_of(inputs, batch)
    cells = {cell for row in rows for cell in row}
    assert {None, "free", "Weekly"} <= cells
    assert any(str(cell).startswith("1999-") for cell in cells)
    said = inputs_of(inputs, (), dtype)
    (answer,) = in_node([{"kind": "encode", "inputs": said, "rows": rows}])
    assert tuple(answer["names"]) == learned.feature_names
    expected = inputs.of_batch(batch, dtype).astype(float)
    found = numbers(answer["of"]).reshape(expected.shape)
    of_clock = [name in CLOCK for name in answer["names"]]
    assert sum(of_clock) == 2
    same = np.invert(of_clock)
    assert found[:, same].tobytes() == expected[:, same].tobytes()
    # Sine and cosine are the browser's own functions' in one, the C library's in the other.
    assert np.abs(found - expected).max() < (1e-6 if dtype == "float32" else 1e-14)


@needs_node
def test_numbers_go_through_the_steps_alone(rng):
    X = rng.normal(size=(7, 3))
    for steps in ((), (divide_by(16.0),), LEARNED["robust"](X, None)):
        inputs = Inputs(steps)
        for dtype in ("float32", "float64"):
            said = inputs_of(inputs, ("a", "b", "c"), dtype)
            (answer,) = in_node([{"kind": "encode", "inputs": said, "rows": X.tolist()}])
            assert answer["names"] == ["a", "b", "c"]
            expected = inputs(X.astype(dtype)).astype(float)
            assert numbers(answer["of"]).tobytes() == expected.tobytes()


def test_targets_say_what_outputs_stand_for():
    assert targets_of(Classes(1, np.array([False, True]))) == {"classes": ["False", "True"]}
    assert targets_of(Classes(3)) is None
    assert targets_of(Units()) is None
    units = standard_units(np.array([2.0]), np.array([9.0]))
    assert targets_of(units) == {"shift": [2.0], "factor": [3.0]}
    assert targets_of(cp.Network([2, 1], cost="quadratic").model.targets) is None
