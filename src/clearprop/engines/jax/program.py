"""A stretch of steps as one program for the device: a loop over them, in which nothing meets the host.

Each step is `backprop`'s two passes, the gradient, penalties and optimizer, in the order of the
reference engine. Members are an axis of it (`jax.vmap`). On several devices each has a share of a
batch's rows, and gradients are summed over them (`jax.lax.psum`); everything else is computed by each.

The number of steps is a number like others, and not what the program is made for: one program runs
stretches of any length. It does not look for what is not finite: the host sees that at the end, and has
the stretch made again, `watched`, from where it began.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from clearprop import backprop, metrics
from clearprop.engines.interface import Plan
from clearprop.engines.jax import philox
from clearprop.engines.jax.batches import Steps
from clearprop.engines.jax.equations import Parameters, gradient, on_device
from clearprop.engines.jax.updates import Step, rule_of
from clearprop.flat_vector import shared

AXIS = "rows"  # the devices, of which each has a share of a batch
Moments = dict[str, tuple[jax.Array, ...]]
Rows = tuple[Any, Any, Any]  # X, Y and weights, or None


class Found(NamedTuple):
    """What each step leaves, of each member: before its update."""

    costs: Any  # of each sample, times its weight
    correct: Any
    penalty: Any
    fine: Any  # whether cost and new parameters are finite, where that is watched


class Shape(NamedTuple):
    """What a program is made for, besides the plan."""

    weighted: bool
    pads: bool  # whether there are batches with fewer rows than the largest
    drops: tuple[bool, ...]  # which hidden layers have dropout
    mesh: Mesh | None  # of several devices
    rolled: bool  # whether they are CPUs, for which a loop is better than one large kernel
    spread: bool  # whether each of them has its own rows of the data, or all


class Program:
    """One plan's steps.

    Parameters
    ----------
    plan : Plan
    shape : Shape
    """

    def __init__(self, plan: Plan, shape: Shape) -> None:
        rule = rule_of(plan.optimizer)
        assert rule is not None  # the plan is supported
        self.plan, self.shape, self.rule = plan, shape, rule
        self.made = on_device(plan.architecture)
        self.blocks = plan.architecture.blocks
        self.frozen = {block.name for block in plan.frozen}
        self.common = {block.name for block in shared(self.blocks)} if plan.shares_layers else set()
        self.of_each = jax.vmap if plan.n_members > 1 else _alone
        runs = (partial(self._run, watched=watched) for watched in (False, True))
        self.run, self.run_watched = (jax.jit(self._shared_out(f), donate_argnums=(0, 1)) for f in runs)

    def _shared_out(self, function: Any) -> Any:
        """Return a function of which each device has its rows."""
        if self.shape.mesh is None:
            return function
        steps = Steps(*(P() for _ in Steps._fields))
        of_steps = steps._replace(rows=P(None, None, AXIS), of_t=P())
        data = P(AXIS) if self.shape.spread else P()
        specs = P(), P(), P(), of_steps, P(), data
        mesh = self.shape.mesh
        return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=False)

    def _run(
        self,
        parameters: Parameters,
        moments: Moments,
        keys: jax.Array,
        steps: Steps,
        n_steps: jax.Array,
        data: Rows,
        watched: bool,
    ) -> tuple[Parameters, Moments, Found]:
        """Make the first `n_steps` of some steps; return what has become of everything.

        Parameters
        ----------
        parameters, moments
            By the names of the blocks; members are the first axis, also a single one.
        keys : array of uint32 of shape (n_members, 2)
        steps : Steps
        n_steps : array of int32
        data : tuple of X, Y and weights
            On the device, these or None.
        watched : bool
            Whether no step is made from the first on whose cost or new parameters are not finite.
        """

        def body(number: Any, carried: Any) -> Any:
            parameters, moments, found, going = carried
            now = jax.tree.map(lambda each: each[number], steps)
            moved, its_moments, its = self._step(parameters, moments, keys, now, data)
            if watched:
                fine = self._is_finite(its, moved)
                going = going & fine.all()
                its = its._replace(fine=fine)
                moved = _chosen(going, moved, parameters)
                its_moments = _chosen(going, its_moments, moments)
            found = jax.tree.map(lambda all_, one: all_.at[number].set(one), found, its)
            return moved, its_moments, found, going

        begin = parameters, moments, self._nothing_found(steps, parameters), jnp.bool_(True)
        parameters, moments, found, _ = jax.lax.fori_loop(0, n_steps, body, begin)
        return parameters, moments, self._gathered(found)

    def _nothing_found(self, steps: Steps, parameters: Parameters) -> Found:
        dtype = next(iter(parameters.values())).dtype
        shape, each = steps.rows.shape, steps.rows.shape[:2]
        return Found(
            costs=jnp.zeros(shape, dtype),
            correct=jnp.zeros(shape if self.plan.counts_correct else each, jnp.bool_),
            penalty=jnp.zeros(each, dtype),
            fine=jnp.ones(each, jnp.bool_),
        )

    def _gathered(self, found: Found) -> Found:
        """Return what was found of all rows, on every device."""
        if self.shape.mesh is None:
            return found
        gather = partial(jax.lax.all_gather, axis_name=AXIS, axis=2, tiled=True)
        correct = gather(found.correct) if self.plan.counts_correct else found.correct
        return found._replace(costs=gather(found.costs), correct=correct)

    def _is_finite(self, its: Found, moved: Parameters) -> jax.Array:
        """Return whether a step of each member stays among the finite numbers."""
        costs = self._summed(jnp.logical_not(jnp.isfinite(its.costs)).sum(axis=1)) == 0
        for each in moved.values():
            costs = costs & jnp.isfinite(each).all(axis=tuple(range(1, each.ndim)))
        return costs

    def _summed(self, thing: Any) -> Any:
        """Return a sum over the devices."""
        return thing if self.shape.mesh is None else jax.lax.psum(thing, AXIS)

    # A step

    def _step(
        self, parameters: Parameters, moments: Moments, keys: jax.Array, now: Steps, data: Rows
    ) -> tuple[Parameters, Moments, Found]:
        """Return what a step makes of parameters and moments, and what it finds."""
        find = partial(self._gradient, data=data)
        g, found = self.of_each(find)(keys, parameters, now)
        if self.common:
            g = self._joint(g)
        moved, its_moments = self.of_each(self._moved)(parameters, moments, g, now)
        return moved, its_moments, found

    def _gradient(
        self, key: jax.Array, parameters: Any, now: Steps, data: Rows
    ) -> tuple[Parameters, Found]:
        """Return the gradient that a member's optimizer follows: of cost and penalties, clipped."""
        X, Y = (each[now.rows] for each in data[:2])
        weight = None if data[2] is None else data[2][now.rows]
        place = jnp.arange(len(now.rows))  # of each row in the batch
        if self.shape.mesh is not None:
            place = place + jax.lax.axis_index(AXIS) * len(now.rows)
        if self.shape.pads:
            real = (place < now.n_rows).astype(X.dtype)
            weight = real if weight is None else weight * real
        passed = backprop.forward(self.made, parameters, X, self._keep(key, now, place))
        costs = self.made.cost.of_samples(self.made.output, passed.z[-1], passed.a[-1], Y)
        back = backprop.backward(self.made, parameters, passed, Y, weight)
        g = self._summed(gradient(self.made, passed, back, now.scale))
        counts = self.plan.counts_correct
        found = Found(
            costs=costs if weight is None else costs * weight,
            correct=metrics.correct(passed.a[-1], Y) if counts else jnp.bool_(False),
            penalty=self._penalty(parameters)
            if self.plan.over_batch_weight
            else jnp.zeros((), costs.dtype),
            fine=jnp.bool_(True),
        )
        return self._followed(g, parameters, now), found

    def _keep(self, key: jax.Array, now: Steps, place: jax.Array) -> Any:
        """Return what the hidden activations are multiplied by, as in `backprop.Forward`."""
        if not any(self.shape.drops):
            return None
        made: list[Any] = []
        for layer, drops in enumerate(self.shape.drops):
            n = self.made.sizes[layer + 1]
            if not drops:
                made.append(None)
                continue
            drawn = philox.drawn(key, now.clock, layer, place, n, self.shape.rolled)
            stays = (drawn > now.below[layer]) | ~now.drops[layer]
            made.append(stays.astype(now.kept.dtype) * now.kept[layer])
        return (*made, None)  # the outputs are never dropped

    def _penalty(self, parameters: Parameters) -> Any:
        total: Any = 0.0
        for W in (parameters[block.name] for block in self.blocks if block.is_map):
            total = total + 0.5 * self.plan.l2 * (W * W).sum() + self.plan.l1 * jnp.abs(W).sum()
        return total

    def _followed(self, g: Parameters, parameters: Parameters, now: Steps) -> Parameters:
        """Return a gradient of the cost with penalties, without what is frozen, and clipped."""
        l2, l1 = self.plan.l2 * now.per, self.plan.l1 * now.per
        made = {}
        for block in self.blocks:
            its, W = g[block.name], parameters[block.name]
            if block.is_map and self.plan.l2:
                its = its + l2 * W
            if block.is_map and self.plan.l1:
                its = its + l1 * jnp.sign(W)
            its = jnp.zeros_like(its) if block.name in self.frozen else its
            made[block.name] = its * block.gradient_factor if block.gradient_factor != 1.0 else its
        return made if self.common else self._clipped(made)

    def _clipped(self, g: Parameters) -> Parameters:
        clip = self.plan.clip_norm
        if clip is None:
            return g
        largest = jnp.stack([jnp.abs(each).max() for each in g.values()]).max()
        by = jnp.where(largest > 0, largest, 1.0)  # squares of float32 would overflow
        squares = [((each / by) ** 2).sum() for each in g.values()]
        norm = by * jnp.sqrt(jnp.stack(squares).sum())
        shrink = jnp.where(norm > clip, clip / norm, 1.0)
        return {name: each * shrink for name, each in g.items()}

    def _joint(self, g: Parameters) -> Parameters:
        """Return what the members of a network that share layers follow: see `engines.sharing`."""
        n = self.plan.n_members
        mean = {
            name: each.mean(axis=0, keepdims=True) if name in self.common else each / n
            for name, each in g.items()
        }
        return {name: jnp.broadcast_to(m, g[name].shape) for name, m in self._clipped(mean).items()}

    def _moved(
        self, parameters: Parameters, moments: Moments, g: Parameters, now: Steps
    ) -> tuple[Parameters, Moments]:
        """Return a member's parameters and moments after the optimizer's next update."""
        moved, its_moments = {}, {}
        for block in self.blocks:
            name, factor = block.name, 0.0 if block.name in self.frozen else block.lr_factor
            rate = now.rate if factor == 1.0 else now.rate * np.asarray(factor, now.rate.dtype)
            step = Step(rate, now.decay * np.asarray(block.decay_factor, rate.dtype), now.of_t)
            p, before = parameters[name], moments[name]
            moved[name], its_moments[name] = self.rule.follow(
                self.plan.optimizer, step, p, g[name], before
            )
        if not self.shape.weighted:
            return moved, its_moments
        return _chosen(now.active, moved, parameters), _chosen(now.active, its_moments, moments)


def _chosen(condition: jax.Array, new: Any, old: Any) -> Any:
    """Return the new arrays where a condition holds, else the old ones."""
    return jax.tree.map(lambda one, other: jnp.where(condition, one, other), new, old)


def _alone(function: Any) -> Any:
    """Return a function of what has an axis of one member; `vmap` would make products of stacks."""

    def of_one(*arguments: Any) -> Any:
        made = function(*jax.tree.map(lambda each: each[0], arguments))
        return jax.tree.map(lambda each: jnp.asarray(each)[None], made)

    return of_one
