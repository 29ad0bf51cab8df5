"""Notations: how a textbook writes backpropagation, as data.

A notation says which symbols stand for what, how layers are numbered, and on which scale its
quantities are: `nielsen` is S2, `jordan` S1, `dp` S3, `softmax-ce` S0 (docs/equations.md). The
numbers of a rendering are the engine's, times the factor that follows from it, `Factors`.

Examples
--------
A notation of one's own is a preset with other fields:

>>> mine = dataclasses.replace(NIELSEN, name="mine", weight_symbol="W", delta_symbol="ε")
>>> mine.layer_base
1
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clearprop.architecture import Architecture
from clearprop.names import is_number, known_name

_CHOICES = {
    "weight_owner": ("source", "dest"),
    "orientation": ("column", "row"),
    "reduction_in": ("cost", "delta", "update", "none"),
    "carried": ("delta", "dC_da"),
    "derivative_style": ("prime_z", "prime_a", "dot"),
    "hadamard": ("shown", "omitted"),
    "product": ("dot", "juxtaposed"),
    "superscript_style": ("plain", "parenthesised"),
    "vector_style": ("plain", "arrow"),
    "update_style": ("arrow", "assign_plus", "assign_minus"),
}
_LETTERS = (
    "weight_symbol",
    "matrix_symbol",
    "bias_symbol",
    "cost_symbol",
    "activation_symbol",
    "input_symbol",
)


@dataclass(frozen=True)
class Notation:
    """What differs between textbooks.

    Parameters
    ----------
    name, source : str
        What it is called, and whose it is.
    layer_base : {0, 1}
        Number of the input layer.
    layer_counts_input : bool
        Whether "L layers" counts the input.
    weight_symbol, matrix_symbol, bias_symbol, cost_symbol, activation_symbol, input_symbol : str
        One letter each, Latin or Greek; an input symbol of "a" is an activation like others.
    weight_owner : {"dest", "source"}
        The layer whose number a weight matrix has.
    index_names : (str, str)
        Of a weight: to, from.
    orientation : {"column", "row"}
        Of a vector; with rows, the examples of a batch are rows.
    batch_axis : str
        The index of examples.
    cost_scale : float
        Of ``||a - y||^2``: 1/2 or 1. Other costs have one scale.
    reduction_in : {"cost", "delta", "update", "none"}
        Where the 1/m of a batch stands; "none" for a sum.
    carried : {"delta", "dC_da"}
        What is carried back from layer to layer.
    delta_sign : {1, -1}
        -1 where delta, and with it the printed gradient, is minus the derivative.
    delta_symbol : str
        "" where dC/db stands in its place.
    derivative_style : {"prime_z", "prime_a", "dot"}
        How f'(z) is printed; as "prime_a" only in a faithful rendering, since f'(z) is meant (X6).
    hadamard : {"shown", "omitted"}
        Omitted only in a faithful rendering (X10).
    product : {"dot", "juxtaposed"}
        Of matrices.
    superscript_style, vector_style, update_style : str
        See the presets.
    activation_superscript : bool
        Whether the activation has its layer's number.
    errata : tuple of (str, str, str)
        Where a rendering of it notes an erratum: a step's kind ("" for all), or "delta_matrix" and the
        like, "chain", "path", "batch", "softmax", "canonical" (delta is a - y); its id; the sentence.

    Raises
    ------
    ValueError, TypeError
        If a field is not one of its choices, or not of its kind.
    """

    name: str
    source: str = ""
    layer_base: int = 1
    layer_counts_input: bool = True
    weight_symbol: str = "w"
    matrix_symbol: str = "w"
    bias_symbol: str = "b"
    cost_symbol: str = "C"
    activation_symbol: str = "σ"
    input_symbol: str = "a"
    weight_owner: str = "dest"
    index_names: tuple[str, str] = ("j", "k")
    orientation: str = "column"
    batch_axis: str = "x"
    cost_scale: float = 0.5
    reduction_in: str = "update"
    carried: str = "delta"
    delta_sign: int = 1
    delta_symbol: str = "δ"
    derivative_style: str = "prime_z"
    hadamard: str = "shown"
    product: str = "juxtaposed"
    superscript_style: str = "plain"
    vector_style: str = "plain"
    update_style: str = "arrow"
    activation_superscript: bool = False
    errata: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check every field that has choices."""
        for name, choices in _CHOICES.items():
            known_name(name, getattr(self, name), choices)
        numbers = {"layer_base": (0, 1), "delta_sign": (1, -1), "cost_scale": (0.5, 1.0)}
        for name, allowed in numbers.items():
            value = getattr(self, name)
            kinds = (int, type(allowed[0]))  # a layer 0.0 would be printed so
            if isinstance(value, bool) or not isinstance(value, kinds) or value not in allowed:
                raise ValueError(f"{name} must be {allowed[0]} or {allowed[1]}, got {value!r}")
        for name in _LETTERS:
            if not _is_letter(symbol := getattr(self, name)):
                raise ValueError(f"{name} must be one letter, Latin or Greek, got {symbol!r}")
        if self.delta_symbol != "" and not _is_letter(self.delta_symbol):
            raise ValueError(
                f"delta_symbol must be one letter, Latin or Greek, or empty, got {self.delta_symbol!r}"
            )
        if not _is_name(self.batch_axis) or not self.batch_axis.isascii():
            raise ValueError(f"batch_axis must be a name, as in 'i', got {self.batch_axis!r}")
        for name in ("layer_counts_input", "activation_superscript"):
            if not isinstance(value := getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
        for name in ("name", "source"):
            if not isinstance(value := getattr(self, name), str):
                raise TypeError(f"{name} must be text, got {value!r}")
        if not (isinstance(self.errata, tuple) and all(map(_is_erratum, self.errata))):
            raise ValueError(
                f"errata must be a tuple of (where, id, sentence), all text, got {self.errata!r}"
            )
        names = self.index_names
        if not (isinstance(names, tuple) and len(names) == 2 and all(map(_is_name, names))):
            raise ValueError(f"index_names must be two names, as in ('j', 'k'), got {names!r}")
        if names[0] == names[1]:
            raise ValueError(f"index_names must be two different names, got {names!r}")


def _is_letter(symbol: object) -> bool:
    # Those that every printer can write: LaTeX has no others without more packages.
    return (
        isinstance(symbol, str)
        and len(symbol) == 1
        and symbol.isalpha()
        and (symbol.isascii() or "Α" <= symbol <= "Ω" or "α" <= symbol <= "ω")
    )


def _is_erratum(erratum: object) -> bool:
    return (
        isinstance(erratum, tuple)
        and len(erratum) == 3
        and all(isinstance(each, str) for each in erratum)
    )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isalpha()


NIELSEN = Notation(
    "nielsen",
    "S2: Nielsen, Neural Networks and Deep Learning, chapter 2",
    errata=(
        (
            "softmax",
            "X19",
            "BP1 is for one activation a neuron; with softmax (37) takes its place",
        ),
        (
            "canonical",
            "X20",
            "with this cost σ' cancels in BP1: saturated outputs learn as fast",
        ),
        ("gradient", "X21", "S2 counts a pass back as one forward; the products δ aᵀ come on top"),
    ),
)
JORDAN = Notation(
    "jordan",
    "S1: Jordan, Neural networks: training with backpropagation",
    weight_symbol="θ",
    matrix_symbol="Θ",
    cost_symbol="J",
    activation_symbol="f",
    input_symbol="x",
    weight_owner="source",
    orientation="row",
    batch_axis="i",
    reduction_in="delta",
    delta_sign=-1,
    derivative_style="prime_a",
    hadamard="omitted",
    superscript_style="parenthesised",
    update_style="assign_plus",
    errata=(
        ("chain", "X1", "the chain rule is ∂p/∂q ∂q/∂z; S1 prints ∂p/∂z ∂q/∂z"),
        ("chain", "X2", "z has the number of its layer, which S1 leaves out here"),
        (
            "cost",
            "X3",
            "the cost compares y with a of the outputs; S1 prints the hidden one's",
        ),
        (
            "path",
            "X4",
            "weights into neuron 2 act through it; S1's list repeats neuron 1's",
        ),
        ("delta", "X5", "f' is the same function in every neuron, not the same number"),
        ("delta", "X6", "S1 prints f'(a); the derivative is taken at z, or written with a, as a(1-a)"),
        ("batch", "X7", "1/m belongs into δ if the cost has it"),
        ("gradient", "X8", "S1 calls this ∂J/∂θ; it is minus that, which is why its update adds"),
        ("gradient_matrix", "X9", "row j has the δ of neuron j; S1 prints δ_j in row 2"),
        ("gradient_matrix", "X43", "a matrix is ∂J/∂Θ; S1 prints ∂J/∂θ_ij, one entry of it"),
        (
            "delta_matrix",
            "X10",
            "S1 does not say which product: f'(z) is multiplied elementwise",
        ),
        ("delta", "X11", "f' is taken at z of this neuron; S1 prints the whole layer's a"),
        ("delta_matrix", "X12", "δ comes from that of the layer after; S1 once defines it by itself"),
        (
            "gradient",
            "X13",
            "S1's step 6 is off by one: Θ^(l-1) gets δ of layer l and a of l-1",
        ),
        ("batch", "X14", "the sum over the examples is scaled by 1/m, not by m"),
        ("update", "X46", "the step is against the gradient, which J grows along; S1 says along it"),
        ("softmax", "X34", "with softmax outputs δ is a sum over all outputs"),
    ),
)
DP = Notation(
    "dp",
    "S3: Working out Backpropogation",
    layer_base=0,
    layer_counts_input=False,
    matrix_symbol="W",
    index_names=("i", "j"),
    batch_axis="k",
    cost_scale=1.0,
    reduction_in="none",
    carried="dC_da",
    delta_symbol="",
    derivative_style="dot",
    superscript_style="parenthesised",
    vector_style="arrow",
    activation_superscript=True,
    errata=(
        ("forward", "X23", "S3 prints w_ij; each layer has its own, w_ij^(ℓ)"),
        ("forward_matrix", "X50", "each layer has its own σ^(ℓ); of vectors S3 prints σ"),
        ("cost", "X24", "the cost compares y with a^(L), of n_L outputs; S3 prints ℓ for L"),
        ("batch", "X25", "the gradient is a sum over examples 1 to N; S3 prints N+1 terms"),
        (
            "gradient",
            "X26",
            "every layer's parameters are in it; S3's vector ends with layer 1",
        ),
        ("error", "X27", "z_j is derived by a_k of the layer before; S3 prints a_i"),
        ("gradient", "X28", "w_ij of the last layer has a_j^(L-1) as its factor; S3 prints a_i and ℓ"),
        ("error", "X29", "S3 prints w_ij^(ℓ); the weights of layer ℓ+1 are meant, w_ji^(ℓ+1)"),
        ("error_matrix", "X30", "S3 prints W^(ℓ) without transpose; it is that of W^(ℓ+1), at z^(ℓ+1)"),
        ("batch", "X31", "C_k,b is example k of batch b; S3 says it the other way round"),
        ("batch", "X32", "without 1/N the direction is the same, but the step is N times as long"),
        ("softmax", "X34", "with softmax outputs ∂C/∂b is a sum over all outputs"),
    ),
)
SOFTMAX_CE = Notation(
    "softmax-ce",
    "S0: sigmoid layers, softmax outputs, cross-entropy",
    layer_base=0,
    layer_counts_input=False,
    index_names=("i", "j"),
    batch_axis="n",
    reduction_in="cost",
    carried="dC_da",
    delta_symbol="",
    derivative_style="prime_a",
    product="dot",
    errata=(
        ("delta", "X35", "S0 prints σ'(a) = σ(a) ⊙ (1 - σ(a)); the derivative is taken at z"),
        ("canonical", "X33", "a - y needs targets that sum to 1; with others it is a Σy - y"),
        ("canonical", "X34", "S0's (7) has one factor ∂a/∂z; the product is a sum over all outputs"),
        ("softmax", "X34", "S0's (1) has one factor ∂a/∂z; with softmax it is a sum over all outputs"),
    ),
)
NOTATIONS = {each.name: each for each in (NIELSEN, JORDAN, DP, SOFTMAX_CE)}


def resolve(notation: str | Notation) -> Notation:
    """Return the notation from its name or itself.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(notation, Notation):
        return notation
    return NOTATIONS[known_name("notation", notation, NOTATIONS)]


def true_derivatives(notation: str | Notation) -> Notation:
    """Return the notation with every printed gradient a derivative, not minus one."""
    given = resolve(notation)
    style = "assign_minus" if given.update_style == "assign_plus" else given.update_style
    return dataclasses.replace(given, delta_sign=1, update_style=style)


class Factors(NamedTuple):
    """What the engine's quantities are multiplied by to be the notation's."""

    cost: float  # over the batch
    sample_cost: float
    delta: float  # and the error dC/da
    gradient: float
    outer: int  # the gradient is sum(delta a) / outer


def factors(notation: Notation, architecture: Architecture, n_samples: int) -> Factors:
    """Return the factors of a notation for one network and a batch of n samples."""
    cost, m = architecture.cost, n_samples
    scale = notation.cost_scale / cost.squares if cost.squares else 1.0
    over_batch = scale / (m * cost.scale(m))
    signed = scale * notation.delta_sign
    delta = signed / m if notation.reduction_in == "delta" else signed
    outer = m if notation.reduction_in in ("cost", "update") else 1
    return Factors(over_batch, scale, delta, delta / (outer * cost.scale(m)), outer)


def equivalent_learning_rate(
    eta: float, from_: str | Notation, to: str | Notation, n_samples: int = 1
) -> float:
    """Return the learning rate that makes in `to` the step that `eta` makes in `from_`.

    Parameters
    ----------
    eta : float
    from_, to : str or Notation
    n_samples : int
        In a batch: S3 adds up where the others average.

    Raises
    ------
    ValueError
        If `eta` is not a finite number above 0, a notation is unknown, or there is no sample.

    Examples
    --------
    S3's gradient of one sample is twice S2's, and of ten samples twenty times:

    >>> equivalent_learning_rate(0.5, "nielsen", "dp")
    0.25
    >>> equivalent_learning_rate(0.5, "nielsen", "dp", n_samples=10)
    0.025
    """
    if not is_number(eta) or eta <= 0:
        raise ValueError(f"eta must be a finite number above 0, got {eta!r}")
    if isinstance(n_samples, bool) or not isinstance(n_samples, int | np.integer):
        raise TypeError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    length = [
        each.cost_scale * (n_samples if each.reduction_in == "none" else 1)
        for each in (resolve(from_), resolve(to))
    ]
    return eta * length[0] / length[1]
