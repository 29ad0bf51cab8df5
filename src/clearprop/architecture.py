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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import activations, checks, flat_vector, rarer_costs  # noqa: F401 - its rows
from clearprop.activations import Activation, Array
from clearprop.costs import CLASSES, Cost
from clearprop.flat_vector import Block
from clearprop.input_embedding import Embedding
from clearprop.names import check_size
from clearprop.parametric_activations import with_share


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
        if self.activation is not None:
            checks.check_one_for_each(self.size, self.activation)
            object.__setattr__(self, "activation", activations.resolve(self.activation))

    @property
    def function(self) -> Activation:
        """The activation of this layer, resolved."""
        if not isinstance(self.activation, Activation):
            raise TypeError("this layer has no activation of its own yet")
        return self.activation

    def __repr__(self) -> str:
        return f"Layer({self.size}, {self.activation}{'' if self.bias else ', bias=False'})"


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
        neural tangent parametrisation of Jacot et al. 2018), biases, shares and embeddings 10 times
        slower: factors of rate, decay and gradient; nothing else of the network differs.
    embedding : Embedding, optional
        Of the inputs, before the input scale.

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
    embedding: Embedding | None = None

    def __post_init__(self) -> None:
        """Check what only the whole can tell."""
        if self.embedding is not None:
            object.__setattr__(self, "embedding", self.embedding.of(self.n_features))
        checks.check_layers([layer.function for layer in self.layers], self.sizes[-1])
        checks.check_outputs(self.cost, self.output, self.sizes[-1])
        checks.check_n_parameters(self.n_parameters, self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of neurons in every layer, the input first."""
        return (self.n_features, *(layer.size for layer in self.layers))

    @property
    def widths(self) -> tuple[int, ...]:
        """`sizes`, but first what layer 1 sees: more than the features where they are embedded."""
        return (self.embedding.n_outputs if self.embedding else self.n_features, *self.sizes[1:])

    @property
    def output(self) -> Activation:
        """The activation of the last layer."""
        return self.layers[-1].function

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The table of the flat vector: embedding, input scale, then each layer's."""
        starts = self.embedding.arrays() if self.embedding else {}
        layers = [(each.size, each.bias, each.function.plain is not None) for each in self.layers]
        return flat_vector.table(starts, self.widths, layers, self.input_scale, self.ntk)

    @cached_property
    def n_parameters(self) -> int:
        """The length of the flat vector."""
        return sum(block.size for block in self.blocks)

    def scale_view(self, flat: NDArray[Any]) -> Array | None:
        """Return the input scale as a view into a flat vector, or None where there is none."""
        return self._found(flat)["layers.0.scale"] if self.input_scale else None

    def embedding_views(self, flat: NDArray[Any]) -> dict[str, Array]:
        """Return the embedding's arrays as views into a flat vector, by their last names."""
        return {n[10:]: p for n, p in self._found(flat).items() if n.startswith("embedding.")}

    def _found(self, flat: NDArray[Any]) -> dict[str, Array]:
        return {b.name: flat[..., b.slice].reshape(*flat.shape[:-1], *b.shape) for b in self.blocks}

    def views(self, flat: NDArray[Any]) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
        """Return weights and biases (or None) of every layer as views; leading axes are kept."""
        found, layers = self._found(flat), range(len(self.layers))
        weights = tuple(found[f"layers.{i}.weight"] for i in layers)
        return weights, tuple(found.get(f"layers.{i}.bias") for i in layers)

    def shares(self, flat: NDArray[Any]) -> tuple[Array | None, ...]:
        """Return the shares of parametric activations as views; None where a layer's is none."""
        found = self._found(flat)
        return tuple(found.get(f"layers.{i}.share") for i in range(len(self.layers)))

    def functions(self, flat: NDArray[Any]) -> tuple[Activation, ...]:
        """Return the activation of every layer, with its shares where it is parametric."""
        return tuple(map(with_share, (layer.function for layer in self.layers), self.shares(flat)))

    def factors(self, what: str) -> NDArray[np.float64]:
        """Return `lr_factor` or `decay_factor` of every parameter, shape (n_parameters,)."""
        return np.concatenate([np.full(b.size, getattr(b, what)) for b in self.blocks])

    @property
    def is_labelled(self) -> bool:
        """Whether the targets are classes, by the output and the cost alone."""
        return self.cost.kind == CLASSES or not self.output.elementwise

    def multiply_adds(self) -> tuple[int, int]:
        """Return the multiply-adds of one sample's forward and backward pass (X21).

        Backward is the outer products delta a^T of every layer, and W^T delta of all but the first.
        """
        products = [n_in * n_out for n_in, n_out in zip(self.widths, self.sizes[1:], strict=False)]
        if self.embedding is not None:
            products.insert(0, self.embedding.multiply_adds())
        return sum(products), sum(products) + sum(products[1:])
