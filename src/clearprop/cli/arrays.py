"""``clearprop train`` with arrays: built-in sets, images, NPZ.

In: `Options`, and the set that they name. Out: a `Job` for `running`: a network and its training, and
afterwards the model and what is to be shown.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop import costs, optimizers
from clearprop.cli import outcome, processes, resuming, running
from clearprop.cli.options import HELD_OUT, JUDGING, Options
from clearprop.cli.table_options import refuse_choices, threshold_of
from clearprop.costs import Cost
from clearprop.data import Dataset
from clearprop.data.labels import label_array
from clearprop.data.split import divide
from clearprop.engines import Data
from clearprop.model import conformal
from clearprop.model.embedding import NAMES as EMBEDDINGS
from clearprop.model.embedding import learn
from clearprop.model.measuring import evaluate, intervals, measure
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units, standard_units
from clearprop.names import known_name
from clearprop.rarer_costs import makes_quantiles

if TYPE_CHECKING:
    from clearprop.estimators.judging import Choices

Pair = tuple[NDArray[Any], NDArray[Any]]

_EPOCHS, _BATCH, _HIDDEN, _ACTIVATION = 30, 32, (30,), "sigmoid"


class ArrayJob:
    """A data set of arrays, and a network for it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._gaps = options.target_gaps or "drop"
        self.dataset = cp.data.load(
            str(options.source), target=options.target, task=options.task, target_gaps=self._gaps
        )
        if self.dataset.classes is None:
            refuse_choices(options)
        self.held: Pair | None = (
            None  # the rows to validate on, which choose the epoch if one is chosen
        )
        self.judging: Pair | None = None  # others that were held out, where one is

    @property
    def name(self) -> str:
        """What the model is called where nothing is said."""
        return self.dataset.name

    def train(self, run: running.Run) -> None:
        """As in `running.Job`."""
        if run.resumes:
            resuming.compare(self.options, self._shared())
        seed = resuming.choose_seed(self.options)
        (X, Y), self.held, note = self._split(seed)
        chosen = ["the epoch"] * (self.options.patience is not None) + self._choosing
        if self.held is not None and chosen:
            what = " and ".join(chosen)
            if self.dataset.X_test is None:
                self.held, self.judging = _divided(self.held, seed)
                note += f"; {len(self.held[0]):,} of them choose {what}, {len(self.judging[0]):,} judge"
            elif self._choosing:
                note += f"; they choose {what}"
        net = self._network(X, Y, seed)
        encode = net.model.encode_numbers
        if self._choosing:
            from clearprop.estimators import judging  # with scikit-learn

            held = None if self.held is None else _data(net.model, self.held)
            judging.prepare(net.model, self._choices, held)
        training = cp.Training(
            net,
            X,
            encode(Y),
            validation_data=None if self.held is None else (self.held[0], encode(self.held[1])),
            callbacks=run.callbacks,
            **self._settings(len(X), seed),
        )
        run.begin(training, self._described(training, note))
        training.run()

    def save(self, run: running.Run, output: str) -> outcome.Outcome:
        """As in `running.Job`."""
        learned = run.training.net
        learned.about.pop(resuming.OPTIONS, None)  # nothing more is to be resumed
        net = cp.Network.of(learned.model.in_raw_units())
        dataset, part, (X, Y) = self.dataset, *self._measured()
        chosen = self._choose(net.model, (X, Y))
        result = {"part": part, "n_samples": len(X), **measure(net.model, X, Y)}
        if part != "training":
            quantities = () if "accuracy" in result else (net.predict(X), Y.reshape(len(Y), -1))
            result["intervals"] = intervals(result, *quantities)
            if isinstance(net.model.targets, Units):
                errors = conformal.residuals(*quantities)  # of rows that chose nothing
                net.model.targets = dataclasses.replace(net.model.targets, residuals=errors)
        result |= chosen
        if self.judging is not None and self.held is not None:
            result["n_validation"] = len(self.held[0])
        stopper = run.training.progress.stopper
        best_epoch = stopper.best_epoch if stopper else None
        net.about |= {"result": result, **({"best_epoch": best_epoch} if best_epoch else {})}
        net.save(output)
        return outcome.Outcome(
            net,
            run.training,
            result,
            output,
            standardized=net.model is not learned.model,
            best_epoch=best_epoch,
            test_data=dataset.source if dataset.X_test is not None else None,
            images=None if dataset.image_shape is None else (X, Y, dataset.image_shape),
        )

    def _choose(self, model: Model, judges: Pair) -> dict[str, Any]:
        """Give a model what was to be chosen; return how good that is on rows that chose nothing."""
        if not self._choosing or self.held is None:
            return {}
        from clearprop.estimators import judging

        judging.choose(model, self._choices, _data(model, self.held))
        assert isinstance(model.targets, Classes)
        X, Y = judges
        known = model.targets.n_classes > Y
        data = _data(model, (X[known], Y[known]))
        return judging.classes_judged(model.targets, self._choices, evaluate(model, *data)[0], data.Y)

    @property
    def _choosing(self) -> list[str]:
        """What --calibrate and --threshold are to choose, in words."""
        found = ["the temperature"] * bool(self.options.calibrate)
        return found + ["the threshold"] * (self.options.threshold is not None)

    @property
    def _choices(self) -> Choices:
        from clearprop.estimators.judging import Choices

        by = self.options.threshold
        return Choices(bool(self.options.calibrate), None if by is None else threshold_of(by))

    def _measured(self) -> tuple[str, Pair]:
        """Return the rows that measure the network most honestly: test, validation or training."""
        if self.dataset.X_test is not None:
            return "test", self.dataset.test
        if self.judging is not None:
            return "test", self.judging
        return ("training", self.dataset.train) if self.held is None else ("validation", self.held)

    # From options to arguments

    @property
    def _held_out(self) -> float | None:
        """The fraction of the rows that is held out; None where other data are validated on."""
        if self.dataset.X_test is not None and self.options.validation is None:
            return HELD_OUT if self.options.waits is not None or self._choosing else 0.0
        return self.options.held_out(len(self.dataset.X_train))

    def _shared(self) -> dict[str, Any]:
        """Return what a resumed run must share, and a training does not compare itself."""
        fraction = self._held_out
        return {
            "checkpoint-every": "".join(self.options.checkpoint_every.split()),
            "validation": "other data" if fraction is None else fraction,  # which, their rows tell
            "task": self.dataset.task,
            "target": self.dataset.target,
            **resuming.untold(self.options),
        }

    def _split(self, seed: int) -> tuple[Pair, Pair | None, str]:
        """Return the rows to train on, those to validate on or None, and a note on them."""
        X, Y = self.dataset.train
        fraction = self._held_out
        if fraction is None:
            other = cp.data.load(
                str(self.options.validation), schema=self.dataset.schema, target_gaps=self._gaps
            )
            note = f"validated on {len(other.test[0]):,} rows of {other.source}"
            return (X, Y), other.test, note
        if not fraction:
            return (X, Y), None, ""
        rows, held = cp.data.holdout(Y, fraction, seed)
        note = f"{len(held):,} rows are held out for validation"
        if self.options.validation is None:
            without = "" if self.options.waits is None or self._choosing else " without --patience"
            note += f" (--validation 0 trains on all{without})"
        return (X[rows], Y[rows]), (X[held], Y[held]), note

    def _network(self, X: NDArray[Any], Y: NDArray[Any], seed: int) -> cp.Network:
        """Return the network to train."""
        options, dataset = self.options, self.dataset
        classes = dataset.classes is not None
        cost = costs.resolve(options.cost or ("cross_entropy" if classes else "quadratic"))
        output = options.output_activation
        if output is None and classes:
            output = "sigmoid" if cost.one_output else "softmax"
        elif output is None:
            output = cost.usual_outputs[0] if cost.kind == costs.COUNTS else "identity"
        targets = _targets(dataset, Y, cost, output)
        n_outputs = (
            targets.n_outputs if isinstance(targets, Classes) else Y.reshape(len(Y), -1).shape[1]
        )
        hidden = _HIDDEN if options.sizes is None else options.sizes
        scaling, embedding = dataset.scaling_of(X), None
        if options.embedding is not None:
            seen = X.astype(np.float32)
            kind = known_name("--embedding", options.embedding, EMBEDDINGS)
            embedding = learn(kind, seen if scaling is None else scaling(seen))
        net = cp.Network(
            [dataset.n_features, *hidden, n_outputs],
            activation=options.activation or _ACTIVATION,
            output=output,
            cost=cost,
            seed=seed,
            scaling=scaling,
            embedding=embedding,
            members=options.n_members,
            **options.initializers,
        )
        net.model.targets, net.feature_names = targets, dataset.feature_names
        net.about = {
            "data": dataset.source,
            "task": dataset.task,
            "target": dataset.target,
            "image_shape": dataset.image_shape and list(dataset.image_shape),
            "n_samples": len(X),
            **resuming.first_parameters(options),
            resuming.OPTIONS: self._shared(),
        }
        return net

    def _settings(self, n_samples: int, seed: int) -> dict[str, Any]:
        """Return the arguments of the training."""
        options, classes = self.options, self.dataset.classes is not None
        return {
            "epochs": _EPOCHS if options.epochs is None else options.epochs,
            **_batches(options, n_samples),
            "optimizer": _optimizer(options, classes),
            "metrics": ("accuracy",) if classes else ("r2",),
            "running_window": options.running_window,
            "running_every": options.running_every,
            "l2": options.l2 or 0.0,
            "dropout": options.dropout or 0.0,
            "augment": options.augment,
            "early_stopping": options.stopping(self._held_out),
            "engine": options.engine,
            "n_threads": options.threads,
            "seed": seed,
            "progress": not options.quiet,
            "time_limit": options.seconds,
            "checkpoint": options.checkpoint,
            "checkpoint_every": options.checkpoint_every,
            "resume": options.resume,
            "shards": options.shards,
            "communicator": processes.team(),
            "fast_sum": options.fast_sum,
            **({} if options.stall_timeout is None else {"stall_timeout": options.stall_timeout}),
        }

    def _described(self, training: cp.Training, note: str) -> list[str]:
        """Return lines on what is about to be trained."""
        dataset, net = self.dataset, training.net
        n = f"{training.plan.n_samples:,} rows"
        if dataset.X_test is not None:
            n += f" to train on, {len(dataset.X_test):,} to test on"
        what = "1 target" if net.sizes[-1] == 1 else f"{net.sizes[-1]} targets"
        if dataset.classes is not None:
            what = f"{len(dataset.classes)} classes"
        lines = [
            f"{dataset.source}: {n}, {net.sizes[0]} features, {what}",
            note,
            running.describe_network(training),
        ]
        if net.model.is_standardized:
            lines.append("the target is standardized while it trains, and so is the cost shown")
        return lines


def _data(model: Model, pair: Pair) -> Data:
    """Return rows as a network is measured on them."""
    return Data(model.rows(pair[0]), model.encode_numbers(pair[1]), None)


def _divided(held: Pair, seed: int) -> tuple[Pair, Pair]:
    """Return the held-out rows that choose the epoch, and those that every figure is of."""
    X, Y = held
    choosing, judging = divide(Y, JUDGING, seed)
    return (X[choosing], Y[choosing]), (X[judging], Y[judging])


def _targets(dataset: Dataset, Y: NDArray[Any], cost: Cost, output: str) -> Classes | Units:
    """Return what the outputs of a network for these data stand for.

    Quantities that go to identity outputs are learned standardized: a price in the millions and a share
    below 0.01 train alike.
    """
    if dataset.classes is not None:
        n_classes = len(dataset.classes)
        if cost.one_output and n_classes != 2:
            raise ValueError(f"--cost {cost.name} needs 2 classes, {dataset.source} has {n_classes}")
        n_outputs = 1 if cost.one_output else n_classes
        return Classes(n_outputs, label_array(dataset.classes, "classes"))
    if makes_quantiles(cost):
        raise ValueError(f"--cost {cost.name} is for tables, {dataset.source} is none")
    table = Y.reshape(len(Y), -1)
    return standard_units(table.mean(axis=0), table.var(axis=0)) if output == "identity" else Units()


def _batches(options: Options, n_samples: int) -> dict[str, Any]:
    """Return how samples are ordered and cut into batches."""
    if options.batches is not None:
        return options.batching
    size = min(_BATCH, n_samples) if options.batch_size is None else options.batch_size
    return {"batch_size": size, **options.batching}


def _optimizer(options: Options, classes: bool) -> optimizers.Optimizer:
    """Return the optimizer with the learning rate given, or the one that suits it."""
    name = (options.optimizer or ("sgd" if classes else "adam")).lower()
    rate: Any = options.rate
    momentum = options.momentum
    if momentum is not None and name != "sgd":
        raise ValueError(f"--momentum goes with --optimizer sgd, got --optimizer {name}")
    if name == "lbfgs":
        for option, value in (("--learning-rate", rate), ("--batch-size", options.batch_size)):
            if value is not None:
                raise ValueError(f"{option} does not go with --optimizer lbfgs, got {value}")
    # Without a bound on the hidden neurons, or with targets that are not classes, steps are larger.
    calm = classes and options.activation in (None, "sigmoid")
    return optimizers.suited(name, rate, momentum, calm=calm)
