"""Is a preset without averaging RealMLP? Both learn from one start, on the same batches.

    python benchmarks/conformance.py --data FOLDER [--preset realmlp] [--tables letter abalone]
        [--rows 1500] [--epochs 8]

"realmlp-s" is RealMLP-TD-S, "realmlp" RealMLP-TD. FOLDER is that of tables.py; pytabkit must be
installed. RealMLP's own code trains with our first weights, our order of rows, our validation part and
our dropout masks put into it, and decides alone whatever else there is: its encoding and scaling of the
table, its rates and decays of every block, its schedules, Adam, smoothing of labels, scaling of
targets, which batches are left out, what predictions are cut to, the choice of the epoch. After every
epoch the outputs for the validation part are compared. The usual tables are those that both make the
same columns of (ours leaves out constants, pools rare categories, and gives missing ones a column of
their own); german_credit has a category that is embedded.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
import tables
from clearprop import engines, randomness
from clearprop.estimators import fitting
from clearprop.model.targets import Units

Array = NDArray[Any]
# Integers of a few values are categories to us, and numbers to RealMLP.
LEFT_OUT = {
    "german_credit": (
        "installment_commitment", "residence_since", "existing_credits", "num_dependents",
    )
}  # fmt: skip
THEIRS = {"realmlp-s": "RealMLP_TD_S", "realmlp": "RealMLP_TD"}


class Ours:
    """A fit of ours, with all that decides what comes of it."""

    def __init__(self, preset: str, X: Any, y: Array, classification: bool, epochs: int) -> None:
        self.orders: list[Array] = []
        self.outputs: list[Array] = []
        split = fitting.held_out.split

        def see_split(*arguments: Any) -> Any:
            rows, self.held = split(*arguments)
            return rows, self.held

        kind = cp.MLPClassifier if classification else cp.MLPRegressor
        self.model: Any = kind(
            preset=preset, averaging=0.0, patience=None, max_iter=epochs, random_state=0,
            n_threads=1, callbacks=[self._see_epoch],
        )  # fmt: skip
        fitter = fitting.Fitter(self.model)
        with mock.patch.object(fitting.held_out, "split", see_split):
            work = fitter.work(X, y)
        self.start, self.inputs = self.model.network_.copy(), np.asarray(work.supply.data.X)
        self.validation = work.validation
        fitter.train(work)

    def _see_epoch(self, training: Any) -> None:
        part = training.supply.part(training.plan, training.state.epoch - 1, 0)
        self.orders.append(part.order.copy())
        net = training.net
        z = engines.logits(net.architecture, net.parameters, self.validation.X, 1)
        targets = net.model.targets
        self.outputs.append(targets.decode(z) if isinstance(targets, Units) else z.copy())

    def put_start(self, columns: Array, n_numeric: int) -> list[Array]:
        """Return our first parameters as RealMLP has them, for columns in its order."""
        net, start = self.start, []
        made = net.architecture
        one_hot = made.embedding.categories.columns if made.embedding is not None else ()
        found, signs = their_columns(columns, self.inputs, one_hot)
        place, flipped = np.array(found), signs
        if made.embedding is not None:
            E, views = made.embedding, made.embedding_views(net.parameters)
            if sorted(found[:n_numeric]) != list(E.columns):
                raise SystemExit("not the same columns are embedded")
            mine = [list(E.columns).index(i) for i in found[:n_numeric]]
            start += [views[name][mine] for name in ("frequency", "weight", "phase", "bias")]
            # The first vector of theirs is that of a missing value.
            start += [np.pad(views["vectors"][rows], ((1, 0), (0, 0))) for rows in E.categories.rows]
            first = E.first[found[:n_numeric]]  # theirs: what is mapped of all, then the inputs
            places = [np.arange(i, i + E.n_mapped) for i in first]
            others = E.first[found[n_numeric:]]
            place = np.concatenate([*places, first + E.n_mapped, others, E.vectors.ravel()])
            flipped = np.ones(len(place), np.float32)
            flipped[len(mine) * E.size :][: len(others)] = signs[n_numeric:]
        start.append(made.scale_view(net.parameters)[place])
        every = zip(net.weights, net.biases, made.shares(net.parameters), strict=True)
        for number, (W, b, s) in enumerate(every):
            weights = W.T * np.sqrt(np.float32(W.shape[1]))  # theirs are divided by it in the network
            start += [weights[place] * flipped[:, None] if number == 0 else weights, b]
            start += [] if s is None else [s]
        return start


class Masks:
    """Dropout with our masks: each step drops in each hidden layer, in their order."""

    def __init__(self, seed: int, n_hidden: int) -> None:
        self.seed, self.n_hidden, self.calls = seed, n_hidden, 0

    def __call__(self, x: Any, p: float, training: bool = True) -> Any:
        if not training:
            return x
        step, layer = divmod(self.calls, self.n_hidden)
        self.calls += 1
        kept = randomness.keep_mask(self.seed, step, layer, *x.shape[-2:], p).astype(np.float32)
        return x * x.new_tensor(kept * np.float32(1.0 / (1.0 - p)))


def prepared_columns(made: Any, tensors: dict[str, Any]) -> tuple[Array, int]:
    """Return their columns as they are scaled, and how many of the first are embedded.

    They are what comes to the learned input scale, without what embeddings have made of them.
    """
    (scale,) = (m for m in made.modules() if getattr(getattr(m, "scale", None), "requires_grad", False))
    waves = [m.weight_1 for m in made.modules() if hasattr(m, "weight_1")]
    seen: list[Any] = []

    def look(x: Any) -> Any:
        seen.append(x)
        return x

    with mock.patch.object(scale, "forward_cont", look):
        made.eval().forward_tensors({k: v for k, v in tensors.items() if k != "y"})
    made.train()
    n_numeric = waves[0].shape[-3] if waves else 0
    n_mapped = 3 * n_numeric  # 4 numbers of each, of which one is itself
    n_vectors = sum(m.emb.shape[-1] for m in made.modules() if hasattr(m, "emb"))
    return seen[0][0, :, n_mapped : seen[0].shape[-1] - n_vectors].numpy(), n_numeric


def their_columns(
    theirs: Array, ours: Array, embedded: tuple[int, ...] = ()
) -> tuple[list[int], Array]:
    """Return which of our columns each of theirs is, and its sign: categories' order may be another.

    Those of categories that are embedded are not among theirs.

    Raises
    ------
    SystemExit
        If they are not the same.
    """
    found, signs = [], []
    for column in theirs.T:
        gaps = {
            (i, sign): float(np.abs(sign * ours[:, i] - column).max())
            for i in set(range(ours.shape[1])) - set(found) - set(embedded)
            for sign in (1, -1)
        }
        if not gaps or min(gaps.values()) > 1e-4:
            raise SystemExit("not the same columns")
        i, sign = min(gaps, key=lambda at: gaps[at])
        found.append(i)
        signs.append(sign)
    if len(found) + len(embedded) != ours.shape[1]:
        raise SystemExit("not the same columns")
    return found, np.array(signs, np.float32)


@contextmanager
def put_into_theirs(ours: Ours, seen: list[Array]) -> Iterator[None]:
    """Give RealMLP our start and order of rows, and note its outputs for the validation part."""
    import torch
    from pytabkit.models.data import data
    from pytabkit.models.nn_models import nn
    from pytabkit.models.training import lightning_modules, nn_creator

    orders = iter(ours.orders)
    masks = Masks(ours.start.training_seed, len(ours.start.layers) - 1)
    create = nn_creator.NNCreator.create_model
    end_epoch = lightning_modules.TabNNModule.on_validation_epoch_end

    def order(n_parallel: int, n_samples: int, device: Any = "cpu") -> Any:
        rows = next(orders)
        return torch.as_tensor(np.append(rows, np.setdiff1d(np.arange(n_samples), rows)))[None]

    def create_model(self: Any, ds: Any, idxs_list: Any) -> Any:
        made = create(self, ds, idxs_list)
        found = self.static_model(ds).tensors.items()
        with torch.no_grad():
            tensors = {name: each[self.train_idxs[0]][None] for name, each in found}
            start = ours.put_start(*prepared_columns(made, tensors))
        masks.calls = 0  # their own start has passed rows through
        trained = [each for each in made.parameters() if each.requires_grad]
        with torch.no_grad():
            for parameter, values in zip(trained, start, strict=True):
                parameter.copy_(torch.as_tensor(values.copy()).reshape(parameter.shape))
        return made

    def note(self: Any) -> None:
        seen.append(torch.cat(self.val_preds, dim=-2)[0].numpy().copy())
        end_epoch(self)

    with (
        mock.patch.object(data, "batch_randperm", order),
        mock.patch.object(nn.F, "dropout", masks),
        mock.patch.object(nn_creator.NNCreator, "create_model", create_model),
        mock.patch.object(lightning_modules.TabNNModule, "on_validation_epoch_end", note),
    ):
        yield


def compare(preset: str, name: str, folder: Path, rows: int, epochs: int) -> str:
    """Return a line on how far the outputs of both are apart, of their largest, epoch by epoch."""
    import pytabkit

    classification = tables.TABLES[name].classification
    X, y, X_test, _ = tables.split(name, folder, 0)
    some = np.random.RandomState(0).permutation(len(X))[:rows]
    X, y, medians = X.iloc[some].reset_index(drop=True), y[some], X.median(numeric_only=True)
    left_out = list(LEFT_OUT.get(name, ()))
    X, X_test = (each.fillna(medians).drop(columns=left_out) for each in (X, X_test))
    ours = Ours(preset, X, y, classification, epochs)
    kind = "Classifier" if classification else "Regressor"
    theirs = getattr(pytabkit, f"{THEIRS[preset]}_{kind}")(
        device="cpu", random_state=0, n_threads=1, verbosity=0, n_epochs=epochs
    )
    prepared = tables.Categories(theirs, fill=False)
    prepared.known = {each: sorted(X[each].dropna().unique()) for each in tables._texts(X)}
    seen: list[Array] = []
    with put_into_theirs(ours, seen):
        theirs.fit(prepared._prepared(X), y, val_idxs=ours.held)
    gaps = []
    for one, other in zip(ours.outputs, seen, strict=True):
        gaps.append(float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30)))
    scores = np.array(ours.model.validation_scores_)
    best = len(scores) - int(scores[::-1].argmax())
    (their_best,) = theirs.fit_params_["stop_epoch"].values()
    one, other = ours.model.predict(X_test), prepared.predict(X_test)
    if classification:
        alike = f"{100 * np.mean(one.astype(str) == np.asarray(other).astype(str)):.2f} % of labels"
    else:
        alike = f"predictions to {np.abs(one / np.asarray(other).ravel() - 1).max():.1e}"
    shown = " ".join(f"{gap:.0e}" for gap in gaps)
    return f"{name:20} {shown}   best epoch {best} and {their_best}; {alike} of the test part alike"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", choices=list(THEIRS), default="realmlp-s")
    parser.add_argument("--tables", nargs="*", choices=list(tables.TABLES))
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("largest difference of the outputs, of the largest output, after each epoch")
    usual = ["letter", "california_housing", "abalone", "diamonds", "german_credit", "telco_churn"]
    for name in options.tables or usual:
        print(compare(options.preset, name, options.data, options.rows, options.epochs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
