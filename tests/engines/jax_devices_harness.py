"""Train on all devices that JAX sees, and print how far that is from the reference: for subprocesses."""

import dataclasses
import json

import jax
import numpy as np

from clearprop import costs
from clearprop.building import build
from clearprop.engines import Plan
from clearprop.engines.jax.engine import JaxEngine
from clearprop.engines.reference import ReferenceEngine
from test_engines import problem, relative, train
from test_jax import EVERY, K, members


def alone(memory=None):
    """Return the distance of one network in batches that four devices do not share evenly."""
    made = build((4, 6, 5, 3), "tanh", "softmax", costs.cross_entropy())
    data, parameters = problem(made, 41, weighted=True)
    how = {"l2": 0.1, "clip_norm": 0.5, "dropout": (0.3, 0.0), "counts_correct": True}
    plan = Plan(made, EVERY[5], 5, 6, 41, **how)
    engine = JaxEngine("jax:all", memory)
    got, correct = train(engine, plan, data, parameters)
    wanted, right = train(ReferenceEngine(), plan, data, parameters)
    prepared = engine._prepared[plan]
    assert prepared.batch == 8
    assert (prepared.placed is None) == (memory is not None)
    assert np.array_equal(correct, right)
    assert abs(got.epoch_cost - wanted.epoch_cost) < 1e-9
    return relative(got.parameters, wanted.parameters)


def shared():
    """Return the distance of members that share layers."""
    made = dataclasses.replace(build((4, 6, 5, 3), "tanh", None, "cross_entropy"), input_scale=True)
    data, _ = problem(made, 23)
    plan = Plan(
        made, EVERY[4], 5, 6, 23, n_members=K, shares_layers=True, clip_norm=0.05, counts_correct=True
    )
    (wanted, report), (got, its) = (members(name, plan, data) for name in ("numpy", "jax:all"))
    assert np.array_equal(its.correct, report.correct)
    return relative(got.parameters, wanted.parameters)


def stopped():
    """Return at which step a training ends that leaves the finite numbers, by both engines."""
    made = build((4, 5, 3), "relu", None, "quadratic")
    data, parameters = problem(made, 40)
    plan = Plan(made, dataclasses.replace(EVERY[0], learning_rate=60.0), 5, 2, 40)
    with np.errstate(all="ignore"):
        return [
            train(e, plan, data, parameters)[0].step for e in (ReferenceEngine(), JaxEngine("jax:all"))
        ]


if __name__ == "__main__":
    found = {
        "devices": len(jax.devices()),
        "alone": alone(),
        "block by block": alone(memory=8_000),
        "members": shared(),
        "stopped": stopped(),
    }
    print(json.dumps(found))
