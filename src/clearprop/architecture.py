"""What a network is made of: layers, a cost, and the table that finds all parameters in one vector.

Shapes, used throughout the package:

    X, activations of layer 0     (n_samples, n_features)    a batch is rows
    weights[l]                    (n_out, n_in)              row: to neuron, column: from neuron
    biases[l]                     (n_out,)                   a layer may have none
    z, a, error, delta            (n_samples, n_out)         error = dC/da, delta = dC/dz
    Y                             (n_samples, n_outputs)

In Python `layer` counts from 0 (``weights[0]``); in text, messages and JSON the weight layers are
numbered 1..L and the input is layer 0.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import activations, costs, randomness
from clearprop.activations import Activation, Array
from clearprop.costs import Cost
from clearprop.initializers import Initializer
from clearprop.names import known_name

LARGEST_NETWORK = 2**31  # parameters; a mistyped size is far likelier than a larger network


@dataclass(frozen=True)
class Layer:
    """A layer of neurons: how many, through which activation, with biases or without.

    Parameters
    ----------
    size : int
        At least 1.
    activation : str, Activation or list of these, optional
        For the layer, or one for each neuron. None takes the network's.
    bias : bool

    Raises
    ------
    ValueError, TypeError
        If the size is not an integer of at least 1, or an activation is unknown or does not fit.

    Examples
    --------
    >>> Layer(3, ["sigmoid", "tanh", "relu"])
    Layer(3, [sigmoid, tanh, relu])
    """

    size: int
    activation: str | Activation | Sequence[str | Activation] | None = None
    bias: bool = True

    def __post_init__(self) -> None:
        """Check the size and resolve the activation."""
        object.__setattr__(self, "size", check_size(self.size))
        if self.activation is None:
            return
        given = self.activation
        each = given.parts if isinstance(given, Activation) else () if isinstance(given, str) else given
        if isinstance(each, Sequence) and len(each) != self.size and (each or each is given):
            raise ValueError(
                f"a layer of {self.size} neurons needs {self.size} activations, got {len(each)}"
            )
        object.__setattr__(self, "activation", activations.resolve(given))

    @property
    def function(self) -> Activation:
        """The activation of this layer, resolved."""
        if not isinstance(self.activation, Activation):
            raise TypeError("this layer has no activation of its own yet")
        return self.activation

    def __repr__(self) -> str:
        return f"Layer({self.size}, {self.activation}{'' if self.bias else ', bias=False'})"


def check_size(size: object) -> int:
    """Return a layer's size as an int.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer of at least 1.
    """
    try:
        if isinstance(size, bool | np.bool_):
            raise TypeError
        number = operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a layer's size must be an integer of at least 1, got {size!r}") from None
    if number < 1:
        raise ValueError(f"a layer's size must be at least 1, got {number}")
    return number


class Block(NamedTuple):
    """Where one array of parameters lies in the flat vector, and how it is treated."""

    name: str  # layers.0.weight
    shape: tuple[int, ...]
    offset: int
    kind: str  # weights, biases or scales
    lr_factor: float
    decay_factor: float
    gradient_factor: float = 1.0  # of what the optimizer sees: the parametrisation's

    @property
    def size(self) -> int:
        """The number of parameters in it."""
        return math.prod(self.shape)

    @property
    def slice(self) -> slice:
        """Its place in the flat vector."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class Architecture:
    """A network without its parameters.

    Parameters
    ----------
    n_features : int
    layers : tuple of Layer
        Weight layers 1..L, every activation resolved.
    cost : Cost
    input_scale : bool
        Whether each input is multiplied by a learned number before layer 1: the block of kind
        "scales", from 1 on and with 6 times the learning rate, as in RealMLP.
    ntk : bool
        Whether steps are made as if the weights were ``W / sqrt(n_in)`` with W of variance 1 (the
        neural tangent parametrisation of Jacot et al. 2018), and biases 10 times slower: factors of
        learning rate and gradient; nothing else of the network differs.

    Raises
    ------
    ValueError
        If softmax is not the last layer, the cost does not go with the outputs, or the network is
        larger than 2**31 parameters (with the bytes it would need).
    """

    n_features: int
    layers: tuple[Layer, ...]
    cost: Cost
    input_scale: bool = False
    ntk: bool = False

    def __post_init__(self) -> None:
        """Check what only the whole can tell."""
        *hidden, last = self.layers
        for number, layer in enumerate(hidden, start=1):
            if not layer.function.elementwise:
                raise ValueError(
                    f"activation {layer.function} is for the output layer, got it in layer {number}"
                )
        if last.function.name == "softmax" and last.size == 1:
            raise ValueError(
                "softmax needs at least 2 outputs, got 1 (a single softmax output is always 1); use "
                "output='sigmoid' for two classes, or 'identity' for regression"
            )
        if len(self.layers) > 4096:
            raise ValueError(  # the keys of the random numbers have 12 bits for the layer
                f"a network must have at most 4096 weight layers, got {len(self.layers):,}"
            )
        self.cost.check_outputs(last.function, last.size)
        if self.n_parameters > LARGEST_NETWORK:
            raise ValueError(
                f"a network must have at most 2**31 parameters, got {self.n_parameters:,} for sizes "
                f"{self.sizes}, which would take {4 * self.n_parameters / 1e9:,.1f} GB in float32"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of neurons in every layer, the input first."""
        return (self.n_features, *(layer.size for layer in self.layers))

    @property
    def output(self) -> Activation:
        """The activation of the last layer."""
        return self.layers[-1].function

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The table of the flat vector: weights, then biases, layer by layer; an input scale first."""
        blocks: list[Block] = []
        offset = 0
        if self.input_scale:
            blocks.append(Block("layers.0.scale", (self.n_features,), 0, "scales", 6.0, 0.0))
            offset = self.n_features
        for i, (n_in, layer) in enumerate(zip(self.sizes, self.layers, strict=False)):
            rate = n_in**-0.5 if self.ntk else 1.0
            name, shape = f"layers.{i}.weight", (layer.size, n_in)
            blocks.append(Block(name, shape, offset, "weights", rate, 1.0 / rate, rate))
            offset += layer.size * n_in
            slow = 0.1 if self.ntk else 1.0
            if layer.bias:
                blocks.append(Block(f"layers.{i}.bias", (layer.size,), offset, "biases", slow, 0.0))
                offset += layer.size
        return tuple(blocks)

    @property
    def n_parameters(self) -> int:
        """The length of the flat vector."""
        return sum(
            layer.size * (n_in + layer.bias)
            for n_in, layer in zip(self.sizes, self.layers, strict=False)
        ) + (self.n_features if self.input_scale else 0)

    def scale_view(self, flat: NDArray[Any]) -> Array | None:
        """Return the input scale as a view into a flat vector, or None where there is none."""
        return flat[..., : self.n_features] if self.input_scale else None

    def views(self, flat: NDArray[Any]) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
        """Return the weights and the biases of every layer as views into a flat vector.

        Where a layer has no biases there is None. Leading axes of `flat` are kept.
        """
        found = {b.name: flat[..., b.slice].reshape(*flat.shape[:-1], *b.shape) for b in self.blocks}
        layers = range(len(self.layers))
        return (
            tuple(found[f"layers.{i}.weight"] for i in layers),
            tuple(found.get(f"layers.{i}.bias") for i in layers),
        )

    def select(self, which: Sequence[str]) -> tuple[Block, ...]:
        """Return the blocks that are named, or are of a kind that is named.

        Raises
        ------
        ValueError
            If a name is neither a block's nor a kind.
        """
        known = [*dict.fromkeys(b.kind for b in self.blocks), *(b.name for b in self.blocks)]
        for name in which:
            known_name("frozen", name, known)
        return tuple(b for b in self.blocks if b.name in which or b.kind in which)

    def factors(self, what: str) -> NDArray[np.float64]:
        """Return `lr_factor` or `decay_factor` of every parameter, shape (n_parameters,)."""
        return np.concatenate([np.full(b.size, getattr(b, what)) for b in self.blocks])

    def initial_parameters(
        self, weights: Initializer, biases: Initializer, seed: int, dtype: str
    ) -> NDArray[Any]:
        """Return the first parameters, a pure function of the arguments; drawn in float64."""
        flat = np.empty(self.n_parameters, dtype)
        for b in self.blocks:
            if b.kind == "scales":
                flat[b.slice] = 1.0
                continue
            layer = int(b.name.split(".")[1])
            n_out, n_in = self.sizes[layer + 1], self.sizes[layer]
            initializer, purpose = (
                (weights, randomness.INITIAL_WEIGHTS)
                if b.kind == "weights"
                else (biases, randomness.INITIAL_BIASES)
            )
            drawn = initializer.draw(b.shape, n_in, n_out, seed=seed, purpose=purpose, layer=layer)
            flat[b.slice] = drawn.ravel()
        return flat

    @property
    def is_labelled(self) -> bool:
        """Whether the targets are classes, by the output and the cost alone."""
        labelling = ("cross_entropy", "binary_cross_entropy")
        return self.output.name == "softmax" or self.cost.name in labelling

    def multiply_adds(self) -> tuple[int, int]:
        """Return the multiply-adds of one sample's forward and backward pass (X21).

        Backward is the outer products delta a^T of every layer, and W^T delta of all but the first.
        """
        products = [n_in * n_out for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False)]
        return sum(products), sum(products) + sum(products[1:])


def build(
    layers: Sequence[int | Layer],
    activation: str | Activation,
    output: str | Activation | None,
    cost: str | Cost,
) -> Architecture:
    """Return the architecture that the arguments of ``Network`` describe.

    Raises
    ------
    ValueError, TypeError
        If they contradict each other or a rule of `Layer`, `Cost` or `Architecture`.
    """
    if isinstance(layers, str | bytes) or not isinstance(layers, Sequence) or len(layers) < 2:
        raise ValueError(
            f"layers must be a list of at least 2 sizes, the input's first, got {layers!r}"
        )
    first, *rest = layers
    if isinstance(first, Layer):
        raise TypeError(f"the first of layers must be the number of features, got {first!r}")
    resolved_cost = costs.resolve(cost)
    made: list[Layer] = []
    for number, layer in enumerate(rest, start=1):
        layer = layer if isinstance(layer, Layer) else Layer(layer)
        if number == len(rest):
            if layer.activation is not None and output is not None:
                raise ValueError(
                    f"the output's activation must be given once, got {layer!r} and output={output!r}"
                )
            default = output if output is not None else _usual_output(resolved_cost, layer.size)
        else:
            default = activation
        chosen = default if layer.activation is None else layer.activation
        made.append(Layer(layer.size, chosen, layer.bias))
    return Architecture(check_size(first), tuple(made), resolved_cost)


def _usual_output(cost: Cost, n_outputs: int) -> str:
    if cost.name == "cross_entropy":
        return "softmax" if n_outputs > 1 else "sigmoid"
    return {"binary_cross_entropy": "sigmoid", "poisson": "exp"}.get(cost.name, "identity")
