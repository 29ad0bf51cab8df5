"""Engines: which one runs a training or a prediction; `interface` says what they agree on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from clearprop import backprop
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines import averages, choice, cpu
from clearprop.engines.interface import Data, Engine, Plan, Report, State, first_row, row_blocks
from clearprop.names import known_name
from clearprop.user_warning import warn

if TYPE_CHECKING:
    from clearprop.engines.rows import RowPrediction, RowPull

__all__ = [
    "ALSO_CALLED",
    "ENGINES",
    "JOINED",
    "Data",
    "Engine",
    "Plan",
    "Report",
    "State",
    "a_and_z",
    "evaluate",
    "first_row",
    "jax_hosts",
    "known_engine",
    "logits",
    "n_hosts",
    "of_members",
    "predict",
    "predict_unchecked",
    "row_blocks",
    "row_prediction",
    "row_pull",
    "select",
    "select_one",
]

JOINED = "jax:all"  # all devices, also those of other processes
_JAX = ("jax", "jax:cpu", "jax:gpu", "jax:tpu", JOINED)
ENGINES = ("numpy", "compiled", *_JAX, "auto")
ALSO_CALLED = {"numba": "compiled"}  # its first name, which files and programs have


def known_engine(name: object) -> str:
    """Return the name of an engine from one that it has, or has had.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return known_name("engine", ALSO_CALLED.get(name, name) if isinstance(name, str) else name, ENGINES)


def select(name: str, plan: Plan) -> Engine:
    """Return the engine of that name; "auto" is the fastest installed one that supports the plan.

    Where it is another than the fastest because of an activation or a cost of the user's own, a warning
    says so. A plan of members gets one for each of them.

    Raises
    ------
    ValueError
        If the name is unknown, or the engine is asked for by name and cannot run the plan.
    ImportError
        If it is asked for by name and not installed.
    """
    found = select_one(name, plan)
    if found.name in _JAX:  # whose engine trains all members itself
        return found
    return of_members(plan, type(found))


def of_members(plan: Plan, make: Callable[[], Engine], *, one_by_one: bool = False) -> Engine:
    """Return an engine that trains by a plan; of members one for each, side by side or one by one."""
    if plan.n_members == 1:
        return make()
    from clearprop.engines.members import JointEngine
    from clearprop.engines.sharing import SharingEngine

    engines = [make() for _ in range(plan.n_members)]
    return (SharingEngine if plan.shares_layers else JointEngine)(engines, one_by_one)


def select_one(name: str, plan: Plan) -> Engine:
    """As `select`, for a single member."""
    from clearprop.engines.reference import ReferenceEngine
    from clearprop.optimizers import LBFGS

    name = known_engine(name)
    reference = ReferenceEngine()
    if name == "numpy" or isinstance(plan.optimizer, LBFGS):  # which asks for gradients, not for steps
        return reference
    if name in _JAX:
        return _jax(name, plan)
    if not cpu.has_code():
        return _without_code(name, reference)
    engine: Engine = choice.engine().CompiledEngine()
    reason = engine.supports(plan)
    if reason is None:
        return engine
    if name == "compiled":
        raise _cannot(name, reason)
    warn(f"training with engine 'numpy', which is slower: {reason}")
    return reference


_said: set[str] = set()


def _without_code(name: str, reference: Engine) -> Engine:
    """Return the reference, and say so once; refuse what was asked for by name."""
    if name == "compiled":
        raise ImportError(f"engine 'compiled' cannot run: {cpu.NEEDS_LLVMLITE}; or use engine='numpy'")
    if not _said:
        _said.add(cpu.NEEDS_LLVMLITE)
        warn(f"training with engine 'numpy', which is slower: {cpu.NEEDS_LLVMLITE}")
    return reference


def _jax(name: str, plan: Plan) -> Engine:
    _need_jax(name)
    from clearprop.engines.jax.engine import JaxEngine

    engine = JaxEngine(name)
    if reason := engine.supports(plan):
        raise _cannot(name, reason)
    return engine


def _need_jax(name: str) -> None:
    if importlib.util.find_spec("jax") is None:
        raise ImportError(
            f"engine {name!r} needs JAX, which is not installed: pip install 'clearprop[jax]', or use "
            "the engine 'compiled'"
        )


def jax_hosts(name: str) -> ModuleType:
    """Return what joins the processes of an engine, "jax:all".

    Raises
    ------
    ImportError
        If JAX is not installed.
    """
    _need_jax(name)
    from clearprop.engines.jax import hosts

    return hosts


def n_hosts(name: str) -> int:
    """Return how many processes an engine runs in: those that `jax.distributed` has joined."""
    if name != JOINED or importlib.util.find_spec("jax") is None:
        return 1
    from clearprop.engines.jax import hosts

    return hosts.number()


def _cannot(name: str, reason: str) -> ValueError:
    return ValueError(f"engine {name!r} cannot run this: {reason}; use engine='numpy' or 'auto'")


def predict(
    architecture: Architecture, parameters: Array, X: Array, n_threads: int | None = None
) -> Array:
    """Return the activations of the last layer for inputs that are checked, converted and scaled.

    `choice` says which engine computes them. The engines agree to rounding. Of members, with parameters
    of shape (n_members, n_parameters), it is the mean of their outputs.
    """
    if parameters.ndim == 2:
        return a_and_z(architecture, parameters, X, "auto", n_threads)[0]
    forward = choice.forward(architecture, parameters.dtype, len(X))
    if forward is not None:
        out: Array = forward(parameters, X, n_threads)
        return out
    out = np.empty((len(X), architecture.sizes[-1]), parameters.dtype)
    for rows in row_blocks(len(X)):
        out[rows] = backprop.forward(architecture, parameters, X[rows]).a[-1]
    return out


def logits(
    architecture: Architecture, parameters: Array, X: Array, n_threads: int | None = None
) -> Array:
    """Return the weighted inputs z of the last layer, for inputs and members as in `predict`."""
    return a_and_z(architecture, parameters, X, "auto", n_threads)[1]


def predict_unchecked(architecture: Architecture, parameters: Array, X: Array) -> Array | None:
    """As `predict`, for inputs that are yet to be looked at; None if that is not for compiled code.

    It looks at each value while it is in the cache, and gives None where one is not finite, and for
    members.
    """
    if parameters.ndim == 2:
        return None
    forward = choice.forward(architecture, parameters.dtype, len(X))
    if forward is None:
        return None
    out, finite = forward.look_and_pass(parameters, X)
    return out if finite else None


def row_prediction(architecture: Architecture, parameters: Array) -> RowPrediction | None:
    """Return what predicts single rows with these parameters; None for members, or NumPy's turn.

    The compiled engine is not loaded for it: `choice` says when that is worth its time.
    """
    there = choice.compiled
    if parameters.ndim == 2 or not choice.is_there(architecture, parameters.dtype):
        return None
    made: RowPrediction = there.RowPrediction(architecture, parameters)
    return made


def row_pull(architecture: Architecture, parameters: Array, wanted: int) -> RowPull | None:
    """Return what comes back from the outputs of few rows; None where that is for the reference.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
    wanted : int
        Of `codes`.
    """
    there = choice.compiled
    if parameters.ndim == 2 or not choice.is_there(architecture, parameters.dtype):
        return None
    if not there.pulls(architecture, wanted):
        return None
    made: RowPull = there.RowPull(architecture, parameters, wanted)
    return made


def evaluate(
    architecture: Architecture,
    parameters: Array,
    data: Data,
    engine: str = "auto",
    n_threads: int | None = None,
) -> tuple[Array, float]:
    """Return the activations of the last layer, and the cost without penalties.

    The cost is the reference's own, of z and a; these come from the engine that is named, with "auto"
    as in `predict`. Of members it is the cost of the mean of their outputs.
    """
    cost, costs = architecture.cost, np.empty(len(data.X))
    a, z = a_and_z(architecture, parameters, data.X, engine, n_threads)
    for rows in row_blocks(len(data.X)):
        costs[rows] = cost.of_samples(architecture.output, z[rows], a[rows], data.Y[rows])
    return a, cost.reduce(costs, data.sample_weight)


def a_and_z(
    architecture: Architecture, parameters: Array, X: Array, engine: str, n_threads: int | None
) -> tuple[Array, Array]:
    """Return the activations and the weighted inputs of the last layer, of members of their mean."""
    a, z = (np.empty((len(X), architecture.sizes[-1]), parameters.dtype) for _ in range(2))
    if parameters.ndim == 2:
        for rows in row_blocks(len(X)):
            each = [a_and_z(architecture, one, X[rows], engine, n_threads) for one in parameters]
            stacked = (np.stack(arrays) for arrays in zip(*each, strict=True))
            a[rows], z[rows] = averages.of_members(architecture, *stacked)
        return a, z
    if engine in _JAX:
        from clearprop.engines.jax.forward import outputs

        return outputs(architecture, parameters, X, engine)
    forward = None if engine == "numpy" else choice.forward(architecture, parameters.dtype, len(X))
    if forward is not None:
        return forward(parameters, X, n_threads, z), z
    for rows in row_blocks(len(X)):
        passed = backprop.forward(architecture, parameters, X[rows])
        a[rows], z[rows] = passed.a[-1], passed.z[-1]
    return a, z
