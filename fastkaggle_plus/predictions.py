"""Predictions: what a trial leaves behind, keyed by id, so that any two can be compared or averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .exceptions import DataError
from .metrics import get_metric, pseudo_values, standard_error

Array = np.ndarray[Any, Any]
_ARRAYS = ("ids", "targs", "oof", "folds", "test_ids", "test")
_FACTS = ("name", "metric", "task", "vocab", "seconds_s", "about", "importances")

_SHOWN = 12  # classes listed in an error


@dataclass(frozen=True, eq=False)
class Predictions:
    """Out-of-fold and test predictions of one model, or of an ensemble."""

    name: str
    metric: str  # a name in metrics.py
    task: str  # binary | multiclass | regression
    vocab: tuple[Any, ...]  # class labels in the order of the columns; () for a regression
    ids: Array  # (n_train,)
    targs: Array  # (n_train,) class codes, or (n_train,) or (n_train, k) values
    oof: Array  # (n_train, n_outputs): probabilities or values by a model that did not see the row; NaN: never validated
    folds: Array  # (n_train,) the fold that validated the row; -1: none
    test_ids: Array  # (n_test,)
    test: Array  # (n_test, n_outputs)
    seconds_s: float = 0.0
    about: dict[str, Any] = field(
        default_factory=dict
    )  # seed, hashes, versions, hardware, date: survives JSON
    importances: dict[str, float] = field(
        default_factory=dict
    )  # feature -> share, where the model tells

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.targs) == len(self.oof) == len(self.folds):
            raise DataError(
                f"{self.name}: ids, targs, oof and folds need one row per training row; their lengths are "
                f"{len(self.ids)}, {len(self.targs)}, {len(self.oof)}, {len(self.folds)}."
            )
        if len(self.test_ids) != len(self.test):
            raise DataError(
                f"{self.name}: {len(self.test_ids)} test ids and {len(self.test)} test predictions."
            )

    @property
    def validated(self) -> Array:
        """Mask (n_train,) of the rows with an out-of-fold prediction."""
        return np.asarray(self.folds >= 0) & ~np.isnan(self.oof).any(1)

    @cached_property
    def oof_score(self) -> float:
        """Score over all out-of-fold predictions."""
        rows = self.validated
        return get_metric(self.metric).score(self.targs[rows], self.oof[rows])

    @cached_property
    def pseudo_values(self) -> Array:
        """Values whose mean is `oof_score` and whose scatter is its error, see `metrics.pseudo_values`."""
        rows = self.validated
        return pseudo_values(get_metric(self.metric), self.targs[rows], self.oof[rows])

    @property
    def oof_score_se(self) -> float:
        """Standard error of `oof_score`."""
        return standard_error(self.pseudo_values)

    @property
    def fold_scores(self) -> list[float]:
        """Score within each fold; NaN for one that nothing was trained for, so that no other's stands in its place."""
        metric, rows = get_metric(self.metric), self.validated
        return [
            metric.score(self.targs[m], self.oof[m])
            if (m := rows & (self.folds == k)).any()
            else float("nan")
            for k in range(int(self.folds.max()) + 1)
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.metric} {self.oof_score:.4f} ± {self.oof_score_se:.4f} ({int(self.validated.sum())} rows)"

    def aligned(self, ids: Array, test_ids: Array, vocab: tuple[Any, ...]) -> Predictions:
        """Return the same predictions with rows in the order of these ids and columns in that of `vocab`; raise DataError if they differ."""
        if (
            vocab == self.vocab
            and np.array_equal(ids, self.ids)
            and np.array_equal(test_ids, self.test_ids)
        ):
            return self
        columns = np.arange(self.oof.shape[1])
        if vocab != self.vocab:
            if odd := set(vocab) ^ set(self.vocab):
                raise DataError(
                    f"{self.name} knows the classes {_list(self.vocab)}, and {_list(vocab)} are asked for: only one of the two has "
                    f"{_list(sorted(map(str, odd)))}. Read the data for all models with one reader, and give each all of its classes."
                )
            columns = np.array([self.vocab.index(v) for v in vocab])
        rows, test_rows = (
            _order(self.name, self.ids, ids),
            _order(self.name, self.test_ids, test_ids),
        )
        targs = self.targs[rows]
        if self.vocab and vocab != self.vocab:
            targs = np.argsort(columns)[targs]
        return replace(
            self,
            vocab=vocab,
            ids=self.ids[rows],
            targs=targs,
            oof=self.oof[rows][:, columns],
            folds=self.folds[rows],
            test_ids=self.test_ids[test_rows],
            test=self.test[test_rows][:, columns],
        )

    def save(self, file: str | Path) -> Path:
        """Write one .npz file that `load_predictions` reads, with no pickle in it."""
        file = Path(file)
        facts = as_json({k: getattr(self, k) for k in _FACTS})
        arrays = {k: np.asarray(getattr(self, k)) for k in _ARRAYS}
        arrays = {k: v.astype(str) if v.dtype == object else v for k, v in arrays.items()}
        with file.open("wb") as f:
            np.savez_compressed(f, facts=np.array(facts), **arrays)  # type: ignore[arg-type]
        return file


def as_json(facts: dict[str, Any]) -> str:
    """Return facts as JSON; numbers and arrays of numpy become Python's."""

    def plain(value: object) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"{value!r} of {type(value).__name__} is no plain data")

    return json.dumps(facts, sort_keys=True, default=plain)


def load_predictions(file: str | Path) -> Predictions:
    """Read what `Predictions.save` wrote; raise DataError when the file is damaged."""
    try:
        with np.load(Path(file), allow_pickle=False) as f:
            facts = json.loads(str(f["facts"]))
            return Predictions(
                **{**facts, "vocab": tuple(facts["vocab"])}, **{k: f[k] for k in _ARRAYS}
            )
    except FileNotFoundError:
        raise
    except Exception as e:
        raise DataError(
            f"{file} does not read as predictions ({type(e).__name__}: {e}). Delete it and run the trial again."
        ) from e


def _list(labels: Sequence[Any]) -> str:
    return (", ".join(map(str, labels[:_SHOWN])) or "none") + (
        f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    )


def _order(name: str, have: Array, want: Array) -> Array:
    if len(have) == len(want) and bool(np.all(have == want)):
        return np.arange(len(have))
    at = {v: i for i, v in enumerate(have.tolist())}
    if len(at) < len(have):
        raise DataError(
            f"{name} holds {len(have) - len(at)} ids more than once, so its rows cannot be put in another order. Give every row an id of its own."
        )
    if len(have) != len(want) or any(v not in at for v in want.tolist()):
        odd = [v for v in want.tolist() if v not in at][:3]
        raise DataError(
            f"{name} holds other rows: {len(have)} ids against {len(want)}"
            + (f", without {odd}" if odd else "")
            + ". Use one fold assignment and one reader for all."
        )
    return np.array([at[v] for v in want.tolist()])
