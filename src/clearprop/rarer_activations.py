"""The rarer activations: rows like those of ``activations``."""

from __future__ import annotations

import math

import numpy as np

from clearprop.activations import Array, quiet, row, sigmoid, sigmoid_slope, softplus, tanh_slope


def _scaled_tanh(z: Array) -> Array:
    return 1.7159 * np.tanh(2.0 / 3.0 * z)


def _scaled_tanh_slope(z: Array) -> Array:
    return 1.7159 * (2.0 / 3.0) * tanh_slope(2.0 / 3.0 * z)


row("scaled_tanh", _scaled_tanh, _scaled_tanh_slope)


def _leaky_relu(z: Array) -> Array:
    return np.maximum(z, 0.01 * z)


def _leaky_relu_slope(z: Array) -> Array:
    return np.where(z > 0, 1.0, 0.01)


row("leaky_relu", _leaky_relu, _leaky_relu_slope, kinks=(0.0,), smooth=False)


@quiet
def _elu(z: Array) -> Array:
    return np.where(z.real > 0, z, np.expm1(np.where(z.real > 0, 0.0, z)))


@quiet
def _elu_slope(z: Array) -> Array:
    return np.exp(np.where(z.real > 0, 0.0, z))


row("elu", _elu, _elu_slope)


_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


@quiet
def _selu(z: Array) -> Array:
    below = _SELU_ALPHA * np.expm1(np.where(z > 0, 0.0, z))
    return _SELU_SCALE * np.where(z > 0, z, below)


@quiet
def _selu_slope(z: Array) -> Array:
    return _SELU_SCALE * np.where(z > 0, 1.0, _SELU_ALPHA * np.exp(np.where(z > 0, 0.0, z)))


row("selu", _selu, _selu_slope, kinks=(0.0,), smooth=False)


@quiet
def _normal_cdf(z: Array) -> Array:
    from scipy.special import erfc  # the only function here that NumPy lacks

    cdf: Array = 0.5 * erfc(-math.sqrt(0.5) * z)
    return cdf


def _gelu(z: Array) -> Array:
    return z * _normal_cdf(z)


@quiet
def _gelu_slope(z: Array) -> Array:
    return _normal_cdf(z) + z * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


row("gelu", _gelu, _gelu_slope)


def _silu(z: Array) -> Array:
    return z * sigmoid(z)


def _silu_slope(z: Array) -> Array:
    return sigmoid(z) + z * sigmoid_slope(z)


row("silu", _silu, _silu_slope)


def _mish(z: Array) -> Array:
    return z * np.tanh(softplus(z))


def _mish_slope(z: Array) -> Array:
    s = softplus(z)
    return np.tanh(s) + z * tanh_slope(s) * sigmoid(z)


row("mish", _mish, _mish_slope)


@quiet
def _exp(z: Array) -> Array:
    return np.exp(z)


row("exp", _exp, _exp)
