"""Parametric activations in the compiled engine: it agrees with the reference."""

import dataclasses

import numpy as np
import pytest

import clearprop as cp
from clearprop import backprop
from clearprop.building import build
from clearprop.engines import forwards
from clearprop.flat_vector import select
from clearprop.parametric_activations import PARAMETRIC
from test_engines import LARGER, OPTIMIZERS, assert_agrees, plan_for, problem

HOW = {
    "plain": {},
    "penalties, dropout, weights": {"l2": 0.1, "l1": 0.01, "dropout": (0.4, 0.2), "weighted": True},
    "clipped": {"clip_norm": 0.05, "dropout": (0.0, 0.3)},
    "frozen": {"frozen": ("weights", "layers.1.share")},
    "frozen shares": {"frozen": ("shares",)},
    "over the weight": {"over_batch_weight": True, "l2": 0.1, "weighted": True},
    "scaled": {"input_scale": True, "ntk": True},
    "threads": {"n_threads": 2, "dropout": (0.4, 0.2)},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_parametric_activations_agree_whatever_surrounds_them(how, optimizer):
    how = dict(how)
    made = build(LARGER, "parametric_selu", "softmax", "cross_entropy")
    flags = {name: how.pop(name) for name in ("input_scale", "ntk") if name in how}
    made = dataclasses.replace(made, **flags)
    data, parameters = problem(made, 101, weighted=how.pop("weighted", False))
    how["frozen"] = select(made.blocks, how.pop("frozen", ()))
    assert_agrees(
        plan_for(made, optimizer, n=101, batch=32, counts_correct=True, **how), data, parameters
    )


@pytest.mark.parametrize("name", PARAMETRIC)
def test_every_parametric_activation_agrees_beside_plain_ones(name):
    made = build([4, cp.Layer(5, name), 6, cp.Layer(3, name, bias=False), 2], "tanh", None, "quadratic")
    data, parameters = problem(made, 7)
    assert_agrees(plan_for(made, OPTIMIZERS[4]), data, parameters)


@pytest.mark.parametrize("n_rows", [1, 7, 300])
def test_it_predicts_as_the_reference_does(n_rows):
    made = build(LARGER, "parametric_mish", "softmax", "cross_entropy")
    data, parameters = problem(made, n_rows)
    wanted = backprop.forward(made, parameters, data.X)
    z = np.empty_like(wanted.z[-1])
    got = forwards.forward_of(made, parameters.dtype)(parameters, data.X, 1, z)
    np.testing.assert_allclose(got, wanted.a[-1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(z, wanted.z[-1], rtol=1e-9, atol=1e-12)
