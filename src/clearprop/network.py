# long: what a user calls is one class, and over half of it are its docstrings
"""Network: what users hold. Each method is a short way to the module that does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import building, engines, forks, initializers, penalties, randomness
from clearprop.activations import Activation, Array
from clearprop.architecture import Architecture, Layer
from clearprop.costs import Cost
from clearprop.data import arrays
from clearprop.data.scaling import Scaling, check_scaling
from clearprop.distributed import STALL_TIMEOUT
from clearprop.engines import codes
from clearprop.flat_vector import Block
from clearprop.initializers import Initializer
from clearprop.input_embedding import Embedding
from clearprop.model import file as model_file
from clearprop.model import one_row
from clearprop.model.inputs import Inputs
from clearprop.model.model import Model, first_targets
from clearprop.model.one_row import OneRow
from clearprop.model.targets import Classes
from clearprop.names import BATCH_SIZE, integer, is_number, known_dtype
from clearprop.traceable import refuse_members
from clearprop.typing import Label

if TYPE_CHECKING:
    import onnx
    from matplotlib.figure import Figure
    from torch import nn

    from clearprop.data.row_stream import RowStream
    from clearprop.explain.traced import Trace
    from clearprop.metrics import Metric
    from clearprop.optimizers import Optimizer
    from clearprop.reasons import Reasons
    from clearprop.schedules import Schedule
    from clearprop.trace import Gradient
    from clearprop.training import EarlyStopping, History
    from clearprop.training.augmentation import Augment
    from clearprop.training.training import Training

# What trains, traces and prints is imported where it is asked for: who only predicts does not wait.


class Network:
    """A feed-forward network, its parameters, and what turns raw data into its inputs.

    Parameters
    ----------
    layers : list
        The number of features, then a size or a `Layer` for every layer of neurons.
    activation : str or Activation
        Of hidden layers without one of their own.
    output : str or Activation, optional
        Of the last layer; the default goes with the cost: softmax with cross_entropy (sigmoid for one
        output), sigmoid with binary_cross_entropy, exp with poisson, otherwise identity.
    cost : str or Cost
    initializer, bias_initializer : str or Initializer
    dtype : {"float32", "float64"}
    seed : int, optional
        Of the initial parameters, and of the training unless `fit` is given one. None draws one from
        the operating system; it is kept in `seed`.
    scaling : Scaling, optional
        Applied to every X before the first layer.
    embedding : Embedding, optional
        What each scaled input becomes before the first layer: one of `clearprop.embeddings`.
    members : int
        At least 1: so many networks of these layers are trained side by side, each from its own first
        parameters, on its own batches and with its own dropout. Their outputs are averaged:
        probabilities after softmax or sigmoid, quantities as they are. Member k is the network that is
        made and trained alone with `clearprop.randomness.member_seed` of the seed and k.

    Attributes
    ----------
    members : tuple of Network
        Views of the members, ordinary networks that share memory with this one; of a single network,
        itself. What is of one network (`weights`, `gradient`, `trace`) is asked of them.
    classes : tuple or None
        The labels that stand for outputs 0, 1, ...; None for 0 to n_outputs - 1 themselves.
    feature_names : tuple of str or None
    about : dict
        Whatever JSON-able notes are to be kept in the model's file.
    training_seed, epochs_trained, steps_trained : int
        What the orders of samples and the dropout masks are keyed by.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> net = Network([2, 3, 2], seed=0)
    >>> net.sizes, net.n_parameters, net.weights[0].shape
    ((2, 3, 2), 17, (3, 2))
    """

    def __init__(
        self,
        layers: Sequence[int | Layer],
        activation: str | Activation = "sigmoid",
        output: str | Activation | None = None,
        cost: str | Cost = "cross_entropy",
        *,
        initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        dtype: str = "float32",
        seed: int | None = None,
        scaling: Scaling | None = None,
        embedding: Embedding | None = None,
        members: int = 1,
    ) -> None:
        n_members = integer("members", members, 1)
        made = building.build(layers, activation, output, cost, embedding)
        name = known_dtype(dtype)
        key = randomness.check_seed(seed)
        weights = initializers.resolve(initializer)
        biases = initializers.resolve(bias_initializer, "bias_initializer")
        parameters = building.initial_parameters(made, weights, biases, key, name, n_members)
        check_scaling(scaling, made.n_features)
        self.model = Model(
            made,
            parameters,
            Inputs(() if scaling is None else (scaling,)),
            first_targets(made),
            seed=key,
            seed_given=seed is not None,
            training_seed=key,
        )

    _row: OneRow | None = None  # prepared by the first calls

    @classmethod
    def of(cls, model: Model) -> Network:
        """Return the network of a model: both share everything."""
        made = object.__new__(cls)
        made.model = model
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model}  # addresses are of this process

    # What it is

    @property
    def architecture(self) -> Architecture:
        """Layers, cost and the table of parameters."""
        return self.model.architecture

    @property
    def scaling(self) -> Scaling | None:
        """What is applied to every X before layer 1."""
        return None if self.model.inputs.outside else self.model.inputs.scaling

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of neurons in every layer, the input first."""
        return self.architecture.sizes

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The weight layers, without the input."""
        return self.architecture.layers

    @property
    def members(self) -> tuple[Network, ...]:
        """The networks whose outputs are averaged, as views; of a single network, itself."""
        n = self.model.n_members
        return tuple(Network.of(self.model.member(k)) for k in range(n)) if n > 1 else (self,)

    @property
    def parameters(self) -> NDArray[Any]:
        """All parameters as one flat, writable vector; of members, shape (n_members, n_parameters)."""
        return self.model.parameters

    @property
    def weights(self) -> tuple[Array, ...]:
        """Writable views of shape (n_out, n_in) into `parameters`."""
        self._refuse_to_have("weights")
        return self.architecture.views(self.model.parameters)[0]

    @property
    def biases(self) -> tuple[Array | None, ...]:
        """Writable views of shape (n_out,) into `parameters`; None where a layer has none."""
        self._refuse_to_have("biases")
        return self.architecture.views(self.model.parameters)[1]

    def _refuse_to_have(self, name: str) -> None:
        if (n := self.model.n_members) > 1:
            raise AttributeError(
                f"a network of {n} members has no {name} of its own, net.members[0].{name} are one's"
            )

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Where each of these lies in `parameters`."""
        return self.architecture.blocks

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases; of members, of each."""
        return self.architecture.n_parameters

    @property
    def dtype(self) -> str:
        """Of the parameters, and of everything that is computed."""
        return self.model.dtype

    @property
    def seed(self) -> int:
        """Of the initial parameters."""
        return self.model.seed

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The labels that stand for outputs 0, 1, ...; None for 0 to n_outputs - 1 themselves."""
        return self.model.classes

    @classes.setter
    def classes(self, labels: tuple[Label, ...] | None) -> None:
        self.model.classes = labels

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The columns that the network was trained on, if they had names."""
        return self.model.feature_names

    @feature_names.setter
    def feature_names(self, names: tuple[str, ...] | None) -> None:
        self.model.feature_names = names

    @property
    def about(self) -> dict[str, Any]:
        """Whatever JSON-able notes are to be kept in the model's file."""
        return self.model.about

    @about.setter
    def about(self, notes: dict[str, Any]) -> None:
        self.model.about = notes

    @property
    def training_seed(self) -> int:
        """What the orders of samples and the dropout masks are keyed by, beside the counts."""
        return self.model.training_seed

    @property
    def epochs_trained(self) -> int:
        """The epochs since the training seed was set."""
        return self.model.epochs_trained

    @property
    def steps_trained(self) -> int:
        """The steps since the training seed was set."""
        return self.model.steps_trained

    def copy(self, dtype: str | None = None) -> Network:
        """Return an independent copy, in another dtype if one is given."""
        return Network.of(self.model.copy(None if dtype is None else known_dtype(dtype)))

    __copy__ = copy

    def __repr__(self) -> str:
        activations = ", ".join(layer.function.name for layer in self.layers)
        several = "" if self.model.n_members == 1 else f"{self.model.n_members} members "
        sizes = "-".join(map(str, self.sizes))
        return f"<Network {several}{sizes}, {activations}, {self.architecture.cost}>"

    def __str__(self) -> str:
        """Return the layers, shapes, parameters, cost and multiply-adds as a table."""
        from clearprop import summary

        its = self.model
        return summary.summary(its.architecture, its.dtype, its.n_members, its.shares_layers)

    def _repr_html_(self) -> str:
        from clearprop import summary

        weights, n_members = self.members[0].weights, self.model.n_members
        return summary.as_html(self.architecture, self.dtype, weights, self.feature_names, n_members)

    def plot(self, path: str | None = None) -> Figure:
        """Draw the network and its weights; return the matplotlib figure, which a cell shows.

        Weights below 0 are dashed, larger ones wider; of more than 8 neurons 8 are drawn, of
        members the first.

        Parameters
        ----------
        path : str, optional
            Where to save the picture; the ending decides the format.

        Raises
        ------
        ImportError
            If matplotlib is not installed (the extra ``plot``).
        """
        from clearprop import summary

        figure = summary.as_figure(self.architecture, self.members[0].weights)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    # What flows in

    def inputs(self, X: ArrayLike, argument: str = "X") -> Array:
        """Return X checked, converted to the network's dtype and scaled: what layer 1 sees.

        Raises
        ------
        ValueError, TypeError
            As in `data.arrays.as_inputs`.
        """
        return self.model.rows(X, argument)

    def targets(self, Y: ArrayLike, argument: str = "Y") -> Array:
        """Return Y as an array of shape (n_samples, n_outputs): labels become one-hot rows.

        Raises
        ------
        ValueError, TypeError
            As in `data.arrays.as_targets`.
        """
        return self.model.encode(Y, argument)

    # What it computes

    def predict(self, X: ArrayLike) -> Array:
        """Return the activations of the last layer, shape (n_samples, n_outputs); the members' mean.

        Of one row without an axis of samples, an array of shape (n_features,), it is (n_outputs,). A
        list of numbers is refused: it may as well be a column.

        A process that has trained predicts with the compiled engine. One that only predicts begins with
        NumPy, and goes over when what compiled code would have saved adds up to the time it takes to
        load: some hundred calls. That is counted in calls and operations, not by a clock, so that the
        same program gets the same bits. The engines agree to rounding.
        """
        row = self._row
        if row is not None and type(X) is np.ndarray:
            answer = row.predict(self.model, X)  # at once: it takes microseconds
            if answer is not None:
                return answer
        made, parameters = self.model.architecture, self.model.parameters
        if type(X) is np.ndarray and X.shape == (made.n_features,):
            only: Array = self.predict(X[None])[0]
            return only
        if type(X) is np.ndarray and len(X) == 1:  # the second of its kind prepares those to come
            known, self._row = self._row, OneRow.of(self.model, self._row)
            if known is self._row:
                known.prepare()
        if not self.model.inputs.steps and arrays.is_table(X, made.n_features, parameters.dtype):
            passed = engines.predict_unchecked(made, parameters, X)
            if passed is not None:
                return passed
        return engines.predict(made, parameters, self.inputs(X))

    def classify(self, X: ArrayLike) -> NDArray[Any]:
        """Return a label for each row, shape (n_samples,): that of the largest output.

        With one output there are two labels, and the second is returned where it is above 1/2.

        Raises
        ------
        ValueError
            If the network has one output that is not a sigmoid: it does not classify.
        """
        if self.sizes[-1] == 1 and not self.architecture.output.probabilities:
            raise ValueError(
                "classify needs several outputs or one sigmoid output, got one "
                f"{self.architecture.output.name} output; use predict"
            )
        a = self.predict(X)
        targets = self.model.targets
        known = targets if isinstance(targets, Classes) else Classes(self.sizes[-1])
        return known.decode(a)

    def cost(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
    ) -> float:
        """Return the cost over all samples, plus the penalties asked for."""
        _check_penalties(l2, l1)
        inputs, targets = self.model.pair(X, Y)
        weight = arrays.as_sample_weight(sample_weight, len(inputs), self.dtype)
        data = engines.Data(inputs, targets, weight)
        made, parameters = self.architecture, self.model.parameters
        if weight is None and (found := self._pulled(codes.COST, inputs, targets, inputs)) is not None:
            mean = made.cost.reduction == "mean"
            return (found / len(inputs) if mean else found) + penalties.penalty(
                made, parameters, l2, l1
            )
        cost = engines.evaluate(self.architecture, self.model.parameters, data)[1]
        return cost + penalties.penalty(self.architecture, self.model.parameters, l2, l1)

    def gradient(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        per_sample: bool = False,
        sample_weight: ArrayLike | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
    ) -> Gradient:
        """Return the gradient of the cost with respect to every weight and bias.

        Parameters
        ----------
        X, Y : array-like
        per_sample : bool
            Whether to return each sample's own gradient, along a leading axis; their mean (or sum, as
            the cost says) is the gradient without it.
        sample_weight : array-like of shape (n_samples,), optional
            Rescaled to mean 1.
        l2, l1 : float
            Penalties whose gradients are added.
        """
        from clearprop.trace import Gradient

        refuse_members("a gradient", self.model.parameters)
        _check_penalties(l2, l1)
        inputs, targets = self.model.pair(X, Y)
        weight = arrays.as_sample_weight(sample_weight, len(inputs), self.dtype)
        made, parameters = self.architecture, self.model.parameters
        if not per_sample and weight is None and len(inputs) == 1 and not (l2 or l1):
            flat = np.empty_like(parameters)
            if self._pulled(codes.GRADIENT, inputs, targets, flat) is not None:
                return Gradient(flat, made)
        if not per_sample:
            return Gradient.of_batch(made, parameters, inputs, targets, weight, l2, l1)
        if l2 or l1:
            raise ValueError("per_sample gradients have no penalties; they belong to no sample")
        return Gradient.of_samples(made, parameters, inputs, targets, weight)

    def input_gradient(self, X: ArrayLike, Y: ArrayLike) -> Array:
        """Return dC_x/dX, each sample's own cost by each of its raw features; the shape of X."""
        refuse_members("an input gradient", self.model.parameters)
        inputs, targets = self.model.pair(X, Y)
        slope: Array = np.empty_like(inputs)
        if self._pulled(codes.INPUT_GRADIENT, inputs, targets, slope) is None:
            from clearprop import trace as traces

            slope = traces.input_gradient(self.architecture, self.model.parameters, inputs, targets)
        return slope * self._slope(X) if self._scales else slope

    def reasons(
        self, X: ArrayLike, baseline: ArrayLike | None = None, of: Label | None = None
    ) -> Reasons:
        """Return what each feature contributes to the answer of every row: integrated gradients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        baseline : array-like of shape (n_features,) or (n_baselines, n_features), optional
            Where the lines to the rows begin; the mean over several, of which 64 are taken. None is
            where every scaled feature is 0: the mean of those that were standardized.
        of : label, str or int, optional
            Which label's log odds, or which of several outputs; see `MLPClassifier.reasons`.

        Returns
        -------
        Reasons

        Raises
        ------
        ValueError
            If no baseline is given and no scaling says one, or there is no such label.
        """
        from clearprop.reasons import asking

        if baseline is None and self.model.inputs.outside:
            raise ValueError(
                "baseline must be given: this network sees rows after its estimator's preprocessing; "
                "ask the estimator for reasons"
            )
        rows = asking.rows_of_network(self.model, X, "X")
        base = baseline if baseline is None else np.atleast_2d(np.asarray(baseline))
        given = None if base is None else asking.rows_of_network(self.model, base, "baseline")
        return asking.Asked([self.model]).reasons(rows, given, of)

    def jacobian(self, X: ArrayLike) -> Array:
        """Return dA/dX of each row, every output by every raw feature; of members the mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_features,)

        Returns
        -------
        ndarray of shape (n_samples, n_outputs, n_features), or (n_outputs, n_features)

        Examples
        --------
        >>> net = Network([2, 1], activation="identity", cost="quadratic", seed=0)
        >>> bool((net.jacobian([0.5, 1.0]) == net.weights[0]).all())
        True
        """
        made = self.architecture
        if one_row.is_row(X, made.n_features):
            return self.jacobian(np.asarray(X)[None])[0]
        inputs, parameters = self.inputs(X), self.model.parameters
        if parameters.ndim == 2:
            from clearprop import trace as traces

            each = [traces.jacobian(made, one, inputs) for one in parameters]
            slopes: Array = np.mean(each, axis=0, dtype=np.float64).astype(parameters.dtype)
        else:
            slopes = np.empty((len(inputs), made.sizes[-1], made.n_features), parameters.dtype)
            if self._pulled(codes.JACOBIAN, inputs, None, slopes) is None:
                from clearprop import trace as traces

                slopes = traces.jacobian(made, parameters, inputs)
        return slopes * self._slope(X)[:, None, :] if self._scales else slopes

    @property
    def _scales(self) -> bool:
        """Whether raw features are scaled before layer 1."""
        ends = self.model.inputs
        return bool(ends.steps) and not ends.outside

    def _slope(self, X: ArrayLike) -> Array:
        """Return the derivative of what layer 1 sees by each raw feature."""
        return self.model.inputs.slope(arrays.as_inputs(X, self.architecture.n_features, self.dtype))

    def _pulled(self, wanted: int, X: Array, Y: Array | None, out: Array) -> float | None:
        """As `OneRow.pull`, where that is worth it."""
        if len(X) > one_row.FEW:
            return None
        self._row = row = OneRow.of(self.model, self._row)
        return row.pull(wanted, X, Y, out)

    def trace(self, X: ArrayLike, Y: ArrayLike, optimizer: str | Optimizer | None = None) -> Trace:
        """Return every z, a, slope, error, delta and gradient of a pass, and an optimizer's update."""
        refuse_members("a trace", self.model.parameters)
        from clearprop import optimizers, schedule_free  # noqa: F401 - its row
        from clearprop import trace as traces
        from clearprop.explain.traced import Trace  # what explains is not needed to train

        chosen = None if optimizer is None else optimizers.resolve(optimizer)
        made = traces.trace(self.architecture, self.model.parameters, *self.model.pair(X, Y), chosen)
        return Trace.of(made, self.model.names_in(X), self.classes)

    # What it learns

    def fit(
        self,
        X: ArrayLike | RowStream,
        Y: ArrayLike | None = None,
        *,
        epochs: int = 10,
        batch_size: int | None = BATCH_SIZE,
        n_batches: int | None = None,
        shuffle: str | bool = "epoch",
        optimizer: str | Optimizer = "adam",
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        metrics: Sequence[str | Metric] = (),
        train_metrics: bool = False,
        running_window: int = 1000,
        running_every: int | None = None,
        sample_weight: ArrayLike | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float | Schedule | Sequence[float | Schedule] = 0.0,
        label_smoothing: float | Schedule = 0.0,
        clip_norm: float | None = None,
        augment: Augment | None = None,
        averaging: float = 0.0,
        frozen: Sequence[str] = (),
        early_stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callable[[Training], bool | None]] = (),
        engine: str = "auto",
        n_threads: int | None = None,
        seed: int | None = None,
        progress: bool = True,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: str = "1epoch",
        resume: bool = False,
        time_limit: float | None = None,
        shards: int | None = None,
        communicator: object = None,
        stall_timeout: float = STALL_TIMEOUT,
        fast_sum: bool = False,
    ) -> History:
        """Train in place, from the parameters the network has, and return the history.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Raw; converted and scaled once. An array that needs neither is not copied: it must not be
            changed while the training may still go on. Or a `clearprop.data.RowStream`, for rows that
            do not fit in memory; it has targets and weights of its own.
        Y : array-like
            Of shape (n_samples, n_outputs), or labels of shape (n_samples,).
        epochs : int
            Passes over the data, at least 1; with L-BFGS, iterations.
        batch_size : int or None
            Samples in a step, at least 1; None takes them all. The last short batch is used.
        n_batches : int, optional
            Instead of a batch size, from 1 to n_samples: the order of the samples is cut into so many
            batches, whose sizes differ by one at most, the larger ones first. Not with a stream.
        shuffle : {"epoch", "once"} or bool
            What has a random order of the samples, a function of the seed: "epoch" (or True) each epoch
            one of its own, "once" all epochs that of epoch 0, so that its batches are one partition, as
            in S3. False takes the samples as they come.
        optimizer : Optimizer or str
            Starts afresh with each call.
        validation_data : (X, Y), optional
            Evaluated after every epoch.
        metrics : list
            Of "accuracy", "mae", "rmse", "r2", or functions of (outputs, targets); on the validation
            data, and with `train_metrics` on the training data too.
        running_window : int
            ``history["running_accuracy"]`` is over the last so many samples, each before its update.
        running_every : int, optional
            Samples after which the running accuracy is noted within an epoch too, in
            ``history.running``; for targets that are classes.
        sample_weight : array-like of shape (n_samples,), optional
            At least 0; rescaled to mean 1.
        l2, l1 : float
            Penalties ``l2/2 * sum w^2`` and ``l1 * sum |w|`` on the mean cost; not on biases.
        dropout : float, Schedule, or list of these
            Share of each hidden layer's neurons left out of a step, in [0, 1).
        label_smoothing : float or Schedule
            Share of each target spread over all classes, in [0, 1); by a schedule, the engine is asked
            for one step at a time.
        clip_norm : float, optional
            Longest gradient of a step; a longer one is scaled down to it.
        augment : Deform or callable, optional
            What the rows of each epoch are changed by: `clearprop.data.deform` of images, or a function
            ``augment(X, rng)``, called with a copy of the rows of each batch, converted and scaled, and
            a `numpy.random.Generator` that belongs to seed, epoch and step; it returns rows of that
            shape. Not of validation data. A checkpoint knows a function by its name. Not with shards.
        averaging : float
            Share of a running mean of the parameters that stays from epoch to epoch, in [0, 1): 0.75
            is a mean of about the last four. It is what is evaluated after an epoch, kept as the best
            and handed over; steps go on from the parameters themselves. 0 is no mean.
        frozen : list of str
            Blocks ("layers.0.weight") or kinds ("biases") that are not updated.
        early_stopping : EarlyStopping, optional
        callbacks : list of callable
            Each is called with the `Training` after every epoch; one that returns True ends it. Where
            it has a method ``within_epoch``, that is called in the same way after the step in which a
            running accuracy was noted: ``training.history.running["running_accuracy"][-1]``; a method
            ``after_stretch`` is called whenever an engine hands back, a quarter of a second apart at
            most; a method ``during`` returns a context manager for the whole run. `clearprop.Watch`
            shows the training in the browser.
        engine : {"auto", "numpy", "compiled", "jax"}
        n_threads : int, optional
        seed : int, optional
            Of the order of samples and of dropout; it also sets the count of epochs to 0. None goes on
            with the network's own.
        progress : bool
            Whether to show epochs, costs and speed on standard error.
        checkpoint : path, optional
            Written every `checkpoint_every` ("2epochs", "30s") and at the end; with `resume=True` a
            file that is there is gone on from, to the same bits as the unbroken run.
        time_limit : float, optional
            Seconds after which the training ends, in the middle of an epoch if need be.
        shards : int, optional
            Parts that every batch is cut into, by a fixed rule, with a sum of their gradients along a
            fixed tree: the bits of this training are then those of one by any number of processes, up
            to so many. 64 where there is a communicator.
        communicator : {"mpi"} or mpi4py.MPI.Intracomm, optional
            The processes that train together, each of which makes this call ("mpi": all that mpiexec
            has started). Each gives its own consecutive rows of X, Y and sample_weight: the table is
            what they have by rank. Only rank 0 writes, and shows progress. With ``engine="jax:all"``
            they train on the devices of all of them, without shards.
        stall_timeout : float
            Seconds in which a process that has stopped, or does not end a step, ends all processes.
        fast_sum : bool
            Whether MPI adds the gradients of the processes, in whatever order: other bits for each
            number of processes, and a little less to send.

        Returns
        -------
        History

        Raises
        ------
        DivergenceError
            If the cost leaves the finite numbers; the last finite parameters are kept.
        ValueError, TypeError
            Naming the argument, its rule and the value.

        Examples
        --------
        >>> X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
        >>> net = Network([2, 4, 2], activation="tanh", seed=0)
        >>> history = net.fit(X, Y, epochs=300, batch_size=4, optimizer="adam", progress=False)
        >>> len(history["cost"])
        300
        """
        settings = {name: value for name, value in locals().items() if name not in ("self", "X", "Y")}
        with forks.LOCK:
            from clearprop.training.training import Training

        return Training(self, X, Y, **settings).run()

    # What is kept

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network as a safetensors file, atomically.

        Raises
        ------
        OSError
            If the file cannot be written; what was there before is intact.
        """
        model_file.write(as_path(path), self.model)

    def to_function(self) -> Callable[..., Any]:
        """Return the model as a function of NumPy alone, whose source `inspect.getsource` shows.

        It is the whole model as its file has it, from raw rows to answers in their own units, also
        where an estimator around the network prepares rows; `clearprop.portable.program` says what a
        raw row is.

        Returns
        -------
        callable
            Takes an array of shape (n_samples, n_features), or where the features have names a table: a
            dict of columns, or a data frame. Returns labels and probabilities, or quantities.

        Raises
        ------
        ValueError
            If an activation is your own, or labels are no texts, whole numbers or truths.

        Examples
        --------
        >>> function = Network([2, 3, 2], seed=0).to_function()
        >>> labels, probabilities = function([[0.0, 1.0]])
        >>> probabilities.shape
        (1, 2)
        """
        from clearprop.portable import program, python

        return python.function_of(program.program_of(self.model))

    def to_onnx(self) -> onnx.ModelProto:
        """Return the model as an ONNX model, from raw rows to answers, as `to_function`.

        Inputs have the names of the features, shape (N, 1) each, or there is one, X; outputs are
        ``label`` and ``probabilities``, or ``prediction``. ``onnx.save`` writes it.

        Raises
        ------
        ImportError
            If onnx is not installed: it is in the extra ``[onnx]``.
        ValueError
            As in `to_function`; or if it would be larger than an ONNX file may be.
        """
        from clearprop.portable import onnx_model, program

        return onnx_model.model_of(program.program_of(self.model))

    def to_torch(self) -> nn.Module:
        """Return the model as a PyTorch module, of which texts alone are left out.

        It takes numbers of shape (n_samples, n_features), of a table what its columns become
        (``net.model.inputs.encoder``), and returns probabilities, or quantities in their own units.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        ValueError
            As in `to_function`.
        """
        from clearprop.portable import program, torch_module

        return torch_module.module_of(program.program_of(self.model))


def as_path(path: object) -> Path:
    """Return a path with ``~`` expanded; what is none, or empty, is refused."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise TypeError(f"path must be the path of a file, got {path!r}")
    return Path(os.path.expanduser(os.fspath(path)))


def _check_penalties(l2: float, l1: float) -> None:
    for name, value in (("l2", l2), ("l1", l1)):
        if not is_number(value) or value < 0:
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
