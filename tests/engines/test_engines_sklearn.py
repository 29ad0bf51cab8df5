"""scikit-learn's conventions in the compiled engine: the reference's numbers."""

import numpy as np
import pytest

from clearprop import SGD, Adam, AdamW, RMSProp
from clearprop.building import build
from clearprop.engines import select
from clearprop.engines.compiled import CompiledEngine
from clearprop.optimizers import FoldedAdam
from test_engines import SMALL, assert_agrees, plan_for, problem

HOW = [
    SGD(0.05),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, nesterov=True),
    RMSProp(0.01),
    Adam(0.01),
    AdamW(0.01, weight_decay=0.1),
    FoldedAdam(0.01, epsilon=1e-3),
]


@pytest.mark.parametrize("optimizer", HOW, ids=str)
@pytest.mark.parametrize(
    "penalties", [{}, {"l2": 0.5}, {"l2": 0.5, "l1": 0.2, "clip_norm": 0.3}], ids=str
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_steps_over_the_batchs_weight_agree(optimizer, penalties, weighted, reduction):
    from clearprop import costs

    architecture = build(SMALL, "tanh", None, costs.quadratic(reduction))
    data, parameters = problem(architecture, 7, weighted=weighted)
    plan = plan_for(architecture, optimizer, over_batch_weight=True, **penalties)
    assert_agrees(plan, data, parameters)


@pytest.mark.parametrize("optimizer", [HOW[0], HOW[-1]], ids=str)
def test_a_batch_without_weight_takes_no_step_and_costs_nothing(optimizer):
    architecture = build(SMALL, "tanh", None, "quadratic")
    data, parameters = problem(architecture, 7, weighted=True)
    weight = np.array([0.0, 0, 0, 0, 0, 3, 4])
    plan = plan_for(architecture, optimizer, over_batch_weight=True, l2=0.3)
    assert_agrees(plan, data._replace(sample_weight=weight), parameters)


def test_folded_corrections_are_adams_but_for_epsilon():
    architecture = build(SMALL, "tanh", None, "quadratic")
    data, parameters = problem(architecture, 7)
    assert_agrees(plan_for(architecture, FoldedAdam(0.01)), data, parameters)
    p, g = np.array([1.0]), np.array([2.0])
    small = [
        kind(0.1, epsilon=1e-300).update(p, g, np.zeros((2, 1)), 0.1, 1)[0]
        for kind in (Adam, FoldedAdam)
    ]
    assert small[0] == pytest.approx(small[1], rel=1e-14)
    folded = FoldedAdam(0.1, epsilon=0.5).update(p, g, np.zeros((2, 1)), 0.1, 1)[0]
    rate = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
    assert folded[0] == pytest.approx(1.0 - rate * 0.2 / (np.sqrt(0.001 * 4) + 0.5), rel=1e-12)


def test_the_estimators_convention_runs_compiled():
    plan = plan_for(build(SMALL, "tanh", None, "quadratic"), FoldedAdam(0.01), over_batch_weight=True)
    assert isinstance(select("auto", plan), CompiledEngine)
