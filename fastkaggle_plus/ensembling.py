"""Average predictions by id and class: mean, weighted, rank, greedy; with an honest (nested) score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .exceptions import DataError, SelectionError, UnknownName
from .metrics import Metric, get_metric
from .predictions import Predictions
from .reading.labels import places_in_order

Array = np.ndarray[Any, Any]
METHODS = ("mean", "weighted", "rank", "greedy")
GREEDY_ROUNDS = 20
_NO_SPREAD = 1e-9  # of the size of the values: what is left of a constant after rounding
_OF_ORDER = ("pearson", "spearman")  # metrics of values that any scale suits


def ensemble(
    members: Sequence[Predictions],
    *,
    method: str = "mean",  # mean | weighted | rank | greedy
    weights: dict[str, float]
    | None = None,  # by member name; a member that is not named weighs 1. Of mean they make weighted
    keep_best: int | None = None,  # refused: see SelectionError
    name: str = "ensemble",
) -> Predictions:
    """Combine predictions of the same rows into one, joined by id and class: what order rows, classes and members come in changes nothing.

    `oof` of the result is honest: where weights are fitted (greedy), each fold's rows are combined with weights fitted on the
    other folds. `about["weights"]` are the weights the test rows got, `about["nested_score"]` the score of the honest `oof`.
    Source: Caruana et al., Ensemble selection from libraries of models (2004), for greedy selection with replacement.
    Raises DataError for members of different rows, classes, folds or metrics, UnknownName for the weight of no member, and SelectionError
    when asked to drop members on their own score.
    """
    if keep_best is not None:
        raise SelectionError(
            f"keep_best={keep_best} would choose members by the score they are then judged on, which flatters. Declare the members before scoring, "
            'or use method="greedy": its weights are fitted on other folds than those they are scored on.'
        )
    if not members:
        raise DataError("An ensemble needs at least one member.")
    if method not in METHODS:
        raise UnknownName("ensemble method", method, METHODS)
    if len({m.metric for m in members}) > 1:
        raise DataError(
            f"The members are scored by different metrics: {', '.join(sorted({m.metric for m in members}))}."
        )
    if len({m.name for m in members}) < len(members):
        raise DataError(
            f"Two members have one name: {', '.join(m.name for m in members)}. Weights are given by name: cross_validate(..., name=) sets it."
        )
    first = members[0]
    members = [m.aligned(first.ids, first.test_ids, first.vocab) for m in members]
    if any(not np.array_equal(m.targs, first.targs) for m in members):
        raise DataError(
            "The members have other targets for the same ids: they come from different versions of the data."
        )
    if odd := [m.name for m in members if not _same_split(m.folds, first.folds)]:
        raise DataError(
            f"{odd[0]} was validated on other folds than {first.name}. Make the folds once, and cross-validate every member on them."
        )
    if method == "rank" and first.task == "regression" and first.metric not in _OF_ORDER:
        raise DataError(
            f'method="rank" turns predicted values into ranks from 0 to 1, and {first.metric} compares them with the targets themselves. '
            f"Use mean or greedy; ranks suit scores of order: auc, {', '.join(_OF_ORDER)}."
        )
    if method == "weighted" and weights is None:
        raise DataError(
            'method="weighted" needs weights, by member name: weights={'
            + f"{first.name!r}: 2.0"
            + "}."
        )
    if method == "greedy" and weights is not None:
        raise DataError(
            'method="greedy" fits its own weights. Leave weights out, or use method="weighted".'
        )
    method = "weighted" if method == "mean" and weights is not None else method
    if unknown := set(weights or ()) - {m.name for m in members}:
        raise UnknownName("ensemble member", sorted(unknown)[0], [m.name for m in members])
    given, vocab = members, tuple(first.vocab[i] for i in places_in_order(first.vocab))
    members = [
        m.aligned(_sorted(first.ids), _sorted(first.test_ids), vocab)
        for m in sorted(members, key=lambda m: m.name)
    ]
    oofs, tests = np.stack([m.oof for m in members]), np.stack([m.test for m in members])
    if method == "rank":
        rows = ~np.isnan(oofs).any((0, 2))
        tests = np.stack([_ranks(t, o[rows]) for t, o in zip(tests, oofs, strict=True)])
        oofs = np.stack([_ranks(o, o[rows]) for o in oofs])
    shares, oof = _combine(members, oofs, method, weights)
    common = {
        k: v for k, v in first.about.items() if all(m.about.get(k) == v for m in members)
    }  # the split, the hardware, the versions
    by_name = {m.name: float(f"{w:.6g}") for m, w in zip(members, shares, strict=True)}
    combined = replace(
        members[0],
        name=name,
        oof=oof,
        test=np.tensordot(shares, tests, 1),
        seconds_s=sum(m.seconds_s for m in members),
        importances={},
        about={**common, "method": method, "weights": {m.name: by_name[m.name] for m in given}},
    )
    honest = replace(combined.aligned(first.ids, first.test_ids, first.vocab), folds=first.folds)
    return replace(honest, about={**honest.about, "nested_score": honest.oof_score})


def write_lock(
    preds: Predictions, members: Sequence[Predictions], file: str | Path = "ensemble.lock"
) -> Path:
    """Write what an ensemble was made of (method, weights, a hash of each member's predictions), so that it can be made again."""
    hashes = {
        m.name: hashlib.sha256(
            np.ascontiguousarray(m.oof).tobytes() + np.ascontiguousarray(m.test).tobytes()
        ).hexdigest()[:16]
        for m in members
    }
    Path(file).write_text(
        json.dumps(
            {**preds.about, "metric": preds.metric, "members": hashes}, indent=2, sort_keys=True
        )
        + "\n"
    )
    return Path(file)


def _combine(
    members: Sequence[Predictions], oofs: Array, method: str, weights: dict[str, float] | None
) -> tuple[Array, Array]:
    """Return (weights of the test rows, honest oof)."""
    if method != "greedy":
        shares = np.array([(weights or {}).get(m.name, 1.0) for m in members], dtype=float)
        if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
            raise DataError(
                f"Weights must be numbers of zero or more with a positive sum; {weights} came."
            )
        shares = shares / shares.sum()
        return shares, np.tensordot(shares, oofs, 1)
    metric, folds, targs = get_metric(members[0].metric), members[0].folds, members[0].targs
    if metric.wants == "label" and members[0].vocab:
        metric = get_metric(
            "log_loss"
        )  # right or wrong is too coarse to fit weights on; the result is still scored by its own metric
    rows = ~np.isnan(oofs).any((0, 2)) & (folds >= 0)
    if len(np.unique(folds[rows])) < 2:
        raise DataError(
            "Greedy weights are scored on folds that did not fit them, so at least two folds need predictions, and one declared holdout "
            'has none left over to fit on. Use method="mean" or fixed weights, or predict by folds.'
        )
    center, spread = np.zeros((len(oofs), 1, oofs.shape[2])), np.ones((len(oofs), 1, 1))
    if (
        not members[0].vocab and metric.name in _OF_ORDER
    ):  # each on a scale of its own, as nothing in the score tells which
        center, deviations = (
            oofs[:, rows].mean(1, keepdims=True),
            np.sqrt(oofs[:, rows].var(1).mean(1)),
        )
        spread = np.where(deviations > _NO_SPREAD * np.abs(center).max((1, 2)), deviations, np.inf)[
            :, None, None
        ]  # one answer for all rows counts nothing
        if np.isinf(spread).all():
            spread = np.ones_like(spread)
    scaled, some, oof = (
        (oofs - center) / spread,
        np.isfinite(spread[:, 0, 0]),
        np.full(oofs.shape[1:], np.nan),
    )
    for k in np.unique(folds[rows]):
        fit, valid = rows & (folds != k), rows & (folds == k)
        oof[valid] = np.tensordot(
            _greedy(metric, targs[fit], scaled[some][:, fit]), scaled[some][:, valid], 1
        )
    shares = np.zeros(len(oofs))
    shares[some] = (
        _greedy(metric, targs[rows], scaled[some][:, rows]) / spread[some, 0, 0]
    )  # of the members as they are
    shares, unit = shares / shares.sum(), 1 / shares.sum()
    return shares, np.tensordot(shares, center, 1) + oof * unit


def _sorted(ids: Array) -> Array:
    """Ids in one order, so that sums and ties come out alike; as they are where one is repeated, for then no id tells its row."""
    return (
        ids[np.argsort(ids.astype(str) if ids.dtype == object else ids, kind="stable")]
        if len(set(ids.tolist())) == len(ids)
        else ids
    )


def _same_split(folds: Array, others: Array) -> bool:
    """Whether the same rows were validated together, whatever the numbers of the folds."""
    pairs = len(np.unique(np.stack([folds, others]), axis=1).T)
    return np.array_equal(folds < 0, others < 0) and pairs == len(np.unique(folds)) == len(
        np.unique(others)
    )


def _greedy(metric: Metric, targs: Array, oofs: Array) -> Array:
    """Add, with replacement, the member that helps most; stop where the score was best."""
    counts, total, best = np.zeros(len(oofs)), np.zeros(oofs.shape[1:]), None
    for i in range(GREEDY_ROUNDS):
        scores = [metric.score(targs, (total + o) / (i + 1)) for o in oofs]
        pick = int(np.argmax(scores) if metric.higher_is_better else np.argmin(scores))
        counts[pick] += 1
        total = total + oofs[pick]
        if best is None or metric.gain(scores[pick], best[0]) > 0:
            best = scores[pick], counts.copy()
    assert best is not None
    return np.asarray(best[1] / best[1].sum())


def _ranks(preds: Array, reference: Array) -> Array:
    """Share of the reference predictions at or below each prediction, per output; classes are rescaled to sum to one."""
    ranks = np.stack(
        [
            np.searchsorted(np.sort(reference[:, j]), preds[:, j], side="right")
            for j in range(preds.shape[1])
        ],
        1,
    ) / len(reference)
    ranks = np.where(np.isnan(preds), np.nan, ranks)
    return ranks / ranks.sum(1, keepdims=True).clip(1e-9) if preds.shape[1] > 1 else ranks
