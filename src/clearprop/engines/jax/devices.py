"""Which devices a training runs on, and what is said where they are not there."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P
from numpy.typing import NDArray

from clearprop.engines.jax.program import AXIS

PRECISION = "highest"  # of float32 products, unless JAX was told another: TF32 has three digits


class Devices:
    """One device, or all that JAX sees.

    Parameters
    ----------
    name : str
        Of the engine: "jax" is JAX's own choice, "jax:gpu" a device of that kind, "jax:all" all.

    Raises
    ------
    ValueError
        If there is none of that kind.
    """

    def __init__(self, name: str) -> None:
        kind = name.partition(":")[2]
        found = _devices(name, None if kind in ("", "all") else kind)
        self.all = found if kind == "all" else [_preferred(found)]
        self.here = _preferred(self.all)
        self.mesh = Mesh(np.array(self.all), (AXIS,)) if len(self.all) > 1 else None

    def put(self, array: Any, *axes: str | None) -> jax.Array:
        """Return an array on the devices: on each the whole of it, or of the axis `AXIS` a share.

        The array may change afterwards.
        """
        if self.mesh is None:
            return jax.device_put(array, SingleDeviceSharding(self.all[0]), may_alias=False)
        where = NamedSharding(self.mesh, P(*axes))
        host: NDArray[Any] = np.array(array)  # a copy
        return jax.make_array_from_callback(host.shape, where, lambda index: host[index])

    def free(self) -> int | None:
        """Return the bytes that are free on each device; None where it does not say."""
        stats = [
            device.memory_stats() for device in self.all if device.process_index == jax.process_index()
        ]
        known = [each["bytes_limit"] - each["bytes_in_use"] for each in stats if each]
        return min(known) if known else None

    def __str__(self) -> str:
        """Return how many of which kind, and how their products are rounded."""
        kinds = ", ".join(sorted({device.device_kind for device in self.all}))
        return f"{len(self.all)} x {kinds}, {precision()}"


def precision() -> str:
    """Return how exact products of float32 are: what JAX was told, or "highest"."""
    return str(jax.config.jax_default_matmul_precision or PRECISION)


def check_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Refuse float64 where JAX has none.

    Raises
    ------
    ValueError
    """
    if dtype == np.float64 and not jax.config.jax_enable_x64:
        raise ValueError(
            f"dtype 'float64' with engine {name!r} needs JAX's 64-bit numbers, which are off: set "
            "JAX_ENABLE_X64=1 before the start, or use dtype='float32'"
        )


def _devices(name: str, kind: str | None) -> list[Any]:
    try:
        return list(jax.devices(kind))
    except (RuntimeError, AssertionError):  # the latter where a library that JAX needs is not there
        told = jax.config.jax_platforms
    try:
        there = "JAX sees " + ", ".join(sorted({each.platform for each in jax.devices()})) + " alone"
    except (RuntimeError, AssertionError):
        there = f"JAX finds none of what JAX_PLATFORMS={told} names"
    raise ValueError(
        f"engine {name!r} has no {kind or 'device'} here: {there}; install JAX for it (for NVIDIA's, "
        "pip install 'jax[cuda13]'), or use the engine 'compiled'"
    )


def _preferred(found: list[Any]) -> Any:
    """Return the device that JAX was told to use, where it is among some; else the first here."""
    here = [each for each in found if each.process_index == jax.process_index()]
    told = jax.config.jax_default_device
    return told if told in here else here[0]
