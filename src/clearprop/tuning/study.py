"""A study: trials and what came of each, in memory, in a file, or in a database that processes share.

Optuna keeps it, and proposes (Akiba et al. 2019; the tree-structured Parzen estimator of Bergstra et
al. 2011). What a trial draws is keyed by the seed and its place among those that were not interrupted:
a study that is gone on with draws as one that was left alone, and processes that share one do not draw
alike.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness

if TYPE_CHECKING:
    import optuna

Array = NDArray[Any]

_NAME, _ABOUT = "clearprop", "clearprop"
_RESULT, _OUTPUTS, _ERROR, _KEY = "result", "outputs", "error", "key"  # of a trial
_WARM_UP = 10  # trials that are drawn at random


@dataclass(frozen=True, eq=False)
class TrialResult:
    """One trial.

    Attributes
    ----------
    number : int
        From 0; trial 0 is the estimator as it was given.
    parameters : dict
        What it drew.
    loss : float
        On the validation rows: "log_loss" or "rmse"; NaN of one that failed.
    metrics : dict of float
        On the validation rows, as `clearprop evaluate` has them.
    epochs : int
        Until its best one.
    epochs_made : int
        Until its end.
    seconds : float
    error : str
        Why it failed; "" of one that did not.
    """

    number: int
    parameters: dict[str, Any]
    loss: float
    metrics: dict[str, float]
    epochs: int
    epochs_made: int
    seconds: float
    error: str = ""


def require_optuna() -> Any:
    """Return the package.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ImportError("tune needs Optuna: pip install 'clearprop[tune]'") from None
    return optuna


class Study:
    """Trials of one table with one set of arguments.

    Parameters
    ----------
    storage : str, optional
        A file, which is made where there is none, or the URL of a database ("sqlite:///study.db",
        "postgresql://..."); in memory where it is None.
    about : dict
        What trials must share to be of one study; JSON.
    seed : int, optional
        None is that of the study that is gone on with, or a new one.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        If the storage holds another study, or cannot be used.
    """

    def __init__(self, storage: str | None, about: Mapping[str, Any], seed: int | None = None) -> None:
        self._optuna, self.storage = require_optuna(), storage
        if storage is not None and "://" not in storage:
            _refuse_other_file(os.path.expanduser(storage))
        with self._quietly(), _one_sentence(storage):
            kept = self._opened(storage)
            self._study: optuna.Study = self._loaded(kept)
            known = self._study.user_attrs.get(_ABOUT)
        if known is None:
            known = {**about, "seed": randomness.check_seed(seed) % 2**32}
            self._study.set_user_attr(_ABOUT, known)
        self.seed = int(known["seed"])
        _refuse_other(storage, known, {**about, "seed": self.seed if seed is None else seed})

    def _opened(self, storage: str | None) -> Any:
        if storage is None or "://" in storage:
            return storage
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(os.path.expanduser(storage)))

    def _loaded(self, kept: Any) -> Any:
        """Return the study in a storage: to load one that may be refused writes nothing."""
        if kept is not None:
            with contextlib.suppress(KeyError):
                return self._optuna.load_study(study_name=_NAME, storage=kept)
        return self._optuna.create_study(storage=kept, study_name=_NAME, load_if_exists=True)

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        logging = self._optuna.logging
        before = logging.get_verbosity()
        logging.set_verbosity(logging.WARNING)
        try:
            yield
        finally:
            logging.set_verbosity(before)

    def begin_with(self, parameters: Mapping[str, Any]) -> None:
        """Let the first trial of a new study have these parameters."""
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(dict(parameters))

    def ask(self) -> optuna.Trial:
        """Return a trial that has begun."""
        trial = self._study.ask()
        before = self._study.get_trials(deepcopy=False)[: trial.number]
        key = trial.number - sum(each.state.is_finished() and not _counts(each) for each in before)
        trial.set_user_attr(_KEY, key)
        draws = np.random.SeedSequence([self.seed, key]).generate_state(1)
        self._study.sampler = self._optuna.samplers.TPESampler(
            n_startup_trials=_WARM_UP, seed=int(draws[0]), multivariate=False
        )
        return trial

    def complete(
        self, trial: optuna.Trial, loss: float, told: Mapping[str, Any], outputs: Array
    ) -> None:
        """Keep what came of a trial.

        Parameters
        ----------
        trial : optuna.Trial
        loss : float
        told : mapping
            "metrics", "epochs", "epochs_made" and "seconds".
        outputs : ndarray of shape (n_rows, n_outputs)
            What it made of the validation rows.
        """
        packed = zlib.compress(outputs.astype("<f4").tobytes())
        trial.set_user_attr(_OUTPUTS, [list(outputs.shape), base64.b64encode(packed).decode()])
        trial.set_user_attr(_RESULT, dict(told))
        self._study.tell(trial, loss)

    def fail(self, trial: optuna.Trial, error: str, seconds: float = 0.0) -> None:
        """Keep why a trial failed; without a reason, it was interrupted and does not count."""
        if error:
            trial.set_user_attr(_ERROR, error)
            told = {"metrics": {}, "epochs": 0, "epochs_made": 0, "seconds": seconds}
            trial.set_user_attr(_RESULT, told)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def results(self) -> list[TrialResult]:
        """Return the trials that have ended, of all processes and times, in their order."""
        return [
            _result_of(each)
            for each in self._study.get_trials(deepcopy=False)
            if each.state.is_finished() and _counts(each)
        ]

    def place_of(self, number: int) -> int:
        """Return a trial's place among those that were not interrupted, from 0."""
        return int(self._study.get_trials(deepcopy=False)[number].user_attrs[_KEY])

    def seed_of(self, number: int) -> int:
        """Return the seed of a trial's network."""
        return (self.seed + self.place_of(number)) % 2**32

    def outputs(self, number: int) -> Array:
        """Return what a trial made of the validation rows, shape (n_rows, n_outputs)."""
        shape, packed = self._study.get_trials(deepcopy=False)[number].user_attrs[_OUTPUTS]
        return np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<f4").reshape(shape)

    def drawn(self, parameters: Mapping[str, Any]) -> optuna.trial.FixedTrial:
        """Return a trial that draws these parameters again."""
        return self._optuna.trial.FixedTrial(dict(parameters))


def _counts(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial that has ended was not interrupted."""
    return _RESULT in trial.user_attrs


def _result_of(trial: optuna.trial.FrozenTrial) -> TrialResult:
    loss = float("nan") if trial.value is None else float(trial.value)
    told, error = trial.user_attrs[_RESULT], str(trial.user_attrs.get(_ERROR, ""))
    return TrialResult(trial.number, dict(trial.params), loss, **told, error=error)


@contextlib.contextmanager
def _one_sentence(storage: str | None) -> Iterator[None]:
    """Turn whatever a database says into a sentence that names it."""
    try:
        yield
    except Exception as problem:  # each database has exceptions of its own
        said = " ".join(str(problem).partition("\n")[0].split())[:200]
        raise ValueError(f"storage {storage!r} cannot be used: {said}") from None


def _refuse_other_file(path: str) -> None:
    """Refuse a file that is no study: Optuna would write to its end."""
    if os.path.isdir(path):
        raise ValueError(f"storage must be a file, {path} is a folder")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise ValueError(f"storage {path!r}: there is no folder {os.path.dirname(path)}")
    if not os.path.exists(path) or not os.path.getsize(path):
        return
    with open(path, "rb") as file:
        first = file.readline(1 << 16)
    try:
        is_study = "op_code" in json.loads(first)
    except (ValueError, TypeError):
        is_study = False
    if not is_study:
        raise ValueError(
            f"storage {path!r} exists and holds no study; another name keeps what it holds"
        )


def _refuse_other(storage: str | None, known: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Refuse to go on with a study that is of other rows, or of other arguments."""
    if known.get("table") != about["table"]:
        raise ValueError(
            f"storage {storage!r} holds a study of another table ({_told(known.get('table'))}), "
            f"got {_told(about['table'])}; another storage keeps both"
        )
    different = [
        f"{name} is {about.get(name)}, was {known.get(name)}"
        for name in sorted({*known, *about})
        if known.get(name) != about.get(name)
    ]
    if different:
        raise ValueError(
            f"storage {storage!r} cannot be gone on with other settings: {'; '.join(different)}"
        )


def _told(table: Any) -> str:
    if not isinstance(table, dict):
        return "of another program"
    columns = table["columns"]
    some = ", ".join(columns[:3]) + (f" and {len(columns) - 3} more" if len(columns) > 3 else "")
    return f"{table['rows']:,} rows of {some}, checksum {table['checksum'][:8]}"
