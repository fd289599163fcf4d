"""Predictions: the result of a trial by id, so that any two can be compared or averaged."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .data import Array
from .exceptions import DataError, listed
from .metrics import Metric, get_metric, pseudo_values, standard_error
from .ui.records import Shown, joined

_REPEAT = re.compile(r"(?P<name>.+) #(?P<number>[2-9]|[1-9][0-9]+)")
_ARRAYS = ("ids", "targs", "oof", "folds", "test_ids", "test")
_FACTS = ("name", "metric", "task", "vocab", "seconds_s", "about", "importances")


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Shown):
    """Out-of-fold and test predictions of one model, or of an ensemble."""

    name: str
    metric: str  # a name in metrics/, or that of `own_metric`
    task: str  # binary | multiclass | regression
    vocab: tuple[Any, ...]  # class labels in the order of the columns; () for a regression
    ids: Array  # (n_train,)
    targs: Array  # (n_train,) class codes, or (n_train,) or (n_train, k) values
    oof: Array  # (n_train, n_outputs): probabilities or values, out-of-fold; NaN: none
    folds: Array  # (n_train,) the fold that validated the row; -1: none
    test_ids: Array  # (n_test,)
    test: Array  # (n_test, n_outputs)
    seconds_s: float = 0.0
    # seed, hashes, versions, hardware, date: plain data that can be written as JSON
    about: dict[str, Any] = field(default_factory=dict)
    importances: dict[str, float] = field(default_factory=dict)  # feature -> share, if known
    # of the competition's metric.py; `save` leaves it out: see `scored_by`
    own_metric: Metric | None = None
    # (n_train,) codes; rows of one code depend on each other: groups, or blocks of time
    groups: Array | None = None

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.targs) == len(self.oof) == len(self.folds):
            raise DataError(
                f"{self.name}: ids, targs, oof and folds need one row per training row; their "
                f"lengths are {len(self.ids)}, {len(self.targs)}, {len(self.oof)}, "
                f"{len(self.folds)}."
            )
        if len(self.test_ids) != len(self.test):
            raise DataError(
                f"{self.name}: {len(self.test_ids)} test ids and {len(self.test)} test predictions."
            )

    @property
    def scoring(self) -> Metric:
        """The metric. Raises ConfigError for one of a metric.py that is not here."""
        is_own = self.own_metric is not None and self.own_metric.name == self.metric
        return get_metric(self.own_metric if is_own and self.own_metric else self.metric)

    def scored_by(self, metric: Metric) -> Predictions:
        """Return the same predictions with another metric: `comp.scoring` for a metric.py."""
        return replace(self, metric=metric.name, own_metric=metric)

    @property
    def validated(self) -> Array:
        """Mask (n_train,) of the rows with an out-of-fold prediction."""
        return np.asarray(self.folds >= 0) & ~np.isnan(self.oof).any(1)

    @cached_property
    def oof_score(self) -> float:
        """Score over all out-of-fold predictions."""
        return self._score(self.validated)

    @cached_property
    def pseudo_values(self) -> Array:
        """See `metrics.pseudo_values`: (n_units,) values whose mean is about `oof_score`.

        A unit is a row, or a group of rows that depend on each other. Predictions of the same rows
        have the same units in the same order.
        """
        rows = self.validated
        groups = None if self.groups is None else self.groups[rows]
        return pseudo_values(self.scoring, self.targs[rows], self.oof[rows], groups)

    @property
    def oof_score_se(self) -> float:
        """Standard error of `oof_score`."""
        return standard_error(self.pseudo_values)

    @property
    def fold_scores(self) -> list[float]:
        """Score within each fold; NaN for a fold without predictions, or without a score."""
        scores = [float("nan")] * (int(self.folds.max()) + 1)
        for k in range(len(scores)):
            if (rows := self.validated & (self.folds == k)).any():
                with suppress(DataError):
                    scores[k] = self._score(rows)
        return scores

    def _score(self, rows: Array) -> float:
        return self.scoring.score(self.targs[rows], self.oof[rows])

    @property
    def early_stops(self) -> str:
        """Say after which epochs the training of a net stopped early, and why; empty: never."""
        curves = self.about.get("curves", [])
        if not (stops := [curve for curve in curves if curve["stopped"]]):
            return ""
        ends, kept = (joined([s[key] for s in stops], most=10) for key in ("stopped", "kept"))
        text = f"{len(stops)} of {len(curves)} fits, after epoch {ends} of {stops[0]['n_epochs']}: "
        text += "; ".join(dict.fromkeys(s["why"] for s in stops))
        return f"{text}; the weights of epoch {kept} are used" if stops[0]["kept"] else text

    def _facts(self) -> dict[str, object]:
        scores = [f"{s:.4f}" for s in self.fold_scores]
        weights = self.about.get("weights", {})  # of an ensemble's members; a network has a name
        return {
            "name": self.name,
            "CV score": f"{self.metric} {self.oof_score:.4f} ± {self.oof_score_se:.4f}",
            "folds": joined(scores, most=10),
            "rows": f"{int(self.validated.sum())} validated of {len(self.ids)}, "
            f"{len(self.test_ids)} test",
            "groups": "" if self.groups is None else len(np.unique(self.groups[self.validated])),
            "test": self.about.get("test"),
            "classes": joined(self.vocab),
            "weights": weights
            if isinstance(weights, str)
            else joined({k: round(w, 3) for k, w in weights.items()}),
            "stopped early": self.early_stops,
            "seconds": f"{self.seconds_s:.1f}" if self.seconds_s else "",
        }

    def __str__(self) -> str:
        try:
            score = f"{self.metric} {self.oof_score:.4f} ± {self.oof_score_se:.4f}"
        except Exception:  # such as a metric.py that is not here: `oof_score` explains it
            score = f"{self.metric}, not scored"
        return f"{self.name}: {score} ({int(self.validated.sum())} rows)"

    def aligned(self, ids: Array, test_ids: Array, vocab: tuple[Any, ...]) -> Predictions:
        """Return the predictions with rows and columns in the order of these ids and classes.

        Raises DataError when the ids or classes differ.
        """
        is_same = np.array_equal(ids, self.ids) and np.array_equal(test_ids, self.test_ids)
        if is_same and vocab == self.vocab:
            return self
        columns, codes = np.arange(self.oof.shape[1]), self.targs
        if vocab != self.vocab:
            if odd := set(vocab) ^ set(self.vocab):
                raise DataError(
                    f"{self.name} has the classes {listed(self.vocab)}, expected {listed(vocab)}: "
                    f"only one of the two has {listed(sorted(map(str, odd)))}. Read the data for "
                    "all models with one reader, and give each model all classes."
                )
            columns = np.array([self.vocab.index(v) for v in vocab])
            codes = np.argsort(columns)[codes]
        rows = _order(self.name, self.ids, ids)
        test_rows = _order(self.name, self.test_ids, test_ids)
        return replace(
            self,
            vocab=vocab,
            ids=self.ids[rows],
            targs=codes[rows],
            oof=self.oof[rows][:, columns],
            folds=self.folds[rows],
            groups=None if self.groups is None else self.groups[rows],
            test_ids=self.test_ids[test_rows],
            test=self.test[test_rows][:, columns],
        )

    def aligned_with(self, other: Predictions) -> Predictions:
        """Return the predictions with rows and columns in the order of another model's.

        Raises DataError when the two have different metrics, rows, classes or targets.
        """
        if self.metric != other.metric:
            raise DataError(
                f"{self.name} is scored by {self.metric}, and {other.name} by {other.metric}. "
                "Use trials of one metric."
            )
        found = self.aligned(other.ids, other.test_ids, other.vocab)
        if not np.array_equal(found.targs, other.targs):
            raise DataError(
                f"{self.name} and {other.name} have different targets for the same ids, so they "
                "come from different versions of the data. Run both on the same data."
            )
        return found

    def save(self, file: str | Path) -> Path:
        """Write one .npz file for `load_predictions`, without pickle."""
        file = Path(file)
        facts = as_json({k: getattr(self, k) for k in _FACTS})
        names = _ARRAYS if self.groups is None else (*_ARRAYS, "groups")
        arrays = {k: np.asarray(getattr(self, k)) for k in names}
        arrays = {k: v.astype(str) if v.dtype == object else v for k, v in arrays.items()}
        with file.open("wb") as f:
            np.savez_compressed(f, facts=np.array(facts), **arrays)  # type: ignore[arg-type]
        return file


def recipe_of(name: str) -> tuple[str, int]:
    """Return the name without the number of a repeat, and the number: ("forest", 2) of "forest #2".

    A trial that is no repeat has the number 1.
    """
    found = _REPEAT.fullmatch(name)
    return (found["name"], int(found["number"])) if found else (name, 1)


def as_json(facts: dict[str, Any]) -> str:
    """Return facts as JSON; numbers and arrays of numpy become those of Python."""

    def plain(value: object) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written as JSON")

    return json.dumps(facts, sort_keys=True, default=plain)


def load_predictions(file: str | Path | BinaryIO) -> Predictions:
    """Read a file of `Predictions.save`. Raises DataError when it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as f:
            facts = json.loads(str(f["facts"]))
            facts["vocab"] = tuple(facts["vocab"])
            names = (*_ARRAYS, "groups") if "groups" in f.files else _ARRAYS
            return Predictions(**facts, **{k: f[k] for k in names})
    except FileNotFoundError:
        raise
    except Exception as e:
        raise DataError(
            f"{file} does not read as predictions ({type(e).__name__}: {e}). Delete it and run the "
            "trial again."
        ) from e


def _order(name: str, have: Array, want: Array) -> Array:
    """Return the positions in `have` of the ids in `want`. Raises DataError."""
    if np.array_equal(have, want):
        return np.arange(len(have))
    at = {v: i for i, v in enumerate(have.tolist())}
    if len(at) < len(have):
        raise DataError(
            f"{name} has {len(have) - len(at)} ids more than once, so its rows cannot be put in "
            "another order. Give every row its own id."
        )
    missing = [v for v in want.tolist() if v not in at]
    if len(have) != len(want) or missing:
        without = f", without {missing[:3]}" if missing else ""
        raise DataError(
            f"{name} has other rows: {len(have)} ids against {len(want)}{without}. Use one fold "
            "assignment and one reader for all."
        )
    return np.array([at[v] for v in want.tolist()])
