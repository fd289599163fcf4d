"""Combine predictions: mean, weighted, rank, or with fitted weights and a nested score."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data import Array
from ..exceptions import DataError, SelectionError, UnknownName
from ..predictions import Predictions
from ..reading.labels import places_in_order
from .weights import (
    ORDER_METRICS,
    FitWeights,
    fitted_metric,
    greedy_weights,
    has_optimum,
    optimum_weights,
    scales,
)

METHODS = ("auto", "mean", "weighted", "rank", "greedy", "optimum")
_FITTED: dict[str, FitWeights] = {"greedy": greedy_weights, "optimum": optimum_weights}

# What a method returns: weights of the test rows, combined oof, combined test predictions
Combined = tuple[Array, Array, Array]


def ensemble(
    members: Sequence[Predictions],
    *,
    method: str = "mean",  # auto | mean | weighted | rank | greedy | optimum
    # by member name, 1 by default, or one for each member in order; mean becomes weighted
    weights: Mapping[str, float] | Sequence[float] | None = None,
    keep_best: int | None = None,  # refused: see SelectionError
    name: str = "ensemble",
) -> Predictions:
    """Combine predictions of the same rows, joined by id and class.

    The order of rows, classes and members does not change the result. `oof` is out-of-fold for the
    weights too: where they are fitted (greedy, optimum), each fold is combined with weights fitted
    on the other folds. `about["weights"]` are the weights of the test rows, `about["nested_score"]`
    is the score of `oof`. auto takes the optimum if the metric has one (log loss, also for metrics
    of labels, squared errors, rmsle, Pearson), else greedy, and the mean for a single holdout;
    `about["method"]` says which.
    Source: Caruana et al., Ensemble selection from libraries of models (2004), for greedy.
    Raises DataError for members with different rows, classes, folds or metrics, UnknownName for a
    weight without a member, and SelectionError when asked to drop members by their own score.
    """
    if keep_best is not None:
        raise SelectionError(
            f"keep_best={keep_best} would choose members by the score they are judged by, which "
            "makes that score too good. Declare the members before scoring, or use "
            'method="auto": its weights are fitted on other folds than those they are scored on.'
        )
    aligned, names = _aligned(members), [m.name for m in members]
    first = aligned[0]
    by_member = _by_name(weights, names)
    if method == "auto":
        method = _best_method(aligned) if weights is None else "weighted"
    combine = _combination(first, method, by_member)
    vocab = tuple(first.vocab[i] for i in places_in_order(first.vocab))
    ids, test_ids = _sorted_ids(first.ids), _sorted_ids(first.test_ids)
    by_name = sorted(aligned, key=lambda m: m.name)
    ordered = [m.aligned(ids, test_ids, vocab) for m in by_name]
    shares, oof, test = combine(ordered)
    share_of = {m.name: float(f"{w:.6g}") for m, w in zip(ordered, shares, strict=True)}
    shared = {k: v for k, v in first.about.items() if all(m.about.get(k) == v for m in members)}
    method = "weighted" if method == "mean" and weights is not None else method
    result = replace(
        ordered[0],
        name=name,
        oof=oof,
        test=test,
        seconds_s=sum(m.seconds_s for m in members),
        importances={},
        about={**shared, "method": method, "weights": {name: share_of[name] for name in names}},
    )
    result = replace(result.aligned(first.ids, first.test_ids, first.vocab), folds=first.folds)
    return replace(result, about={**result.about, "nested_score": result.oof_score})


def write_lock(
    preds: Predictions, members: Sequence[Predictions], file: str | Path = "ensemble.lock"
) -> Path:
    """Write the method, the weights and a hash of each member, to make an ensemble again."""
    hashes = {
        m.name: hashlib.sha256(
            np.ascontiguousarray(m.oof).tobytes() + np.ascontiguousarray(m.test).tobytes()
        ).hexdigest()[:16]
        for m in members
    }
    facts = {**preds.about, "metric": preds.metric, "members": hashes}
    Path(file).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    return Path(file)


def _aligned(members: Sequence[Predictions]) -> list[Predictions]:
    """Return the members with the rows and classes of the first. Raises DataError."""
    if not members:
        raise DataError("An ensemble needs at least one member.")
    first, names = members[0], [m.name for m in members]
    if len(metrics := sorted({m.metric for m in members})) > 1:
        raise DataError(f"The members are scored by different metrics: {', '.join(metrics)}.")
    if len(set(names)) < len(names):
        raise DataError(
            f"Two members have one name: {', '.join(names)}. Weights are given by name: "
            "cross_validate(..., name=) sets it."
        )
    aligned = [m.aligned(first.ids, first.test_ids, first.vocab) for m in members]
    for m in aligned:
        if not np.array_equal(m.targs, first.targs):
            raise DataError(
                f"{m.name} has other targets than {first.name} for the same ids: they were made "
                "from different versions of the data. Run one of them again."
            )
        if not _is_same_split(m.folds, first.folds):
            raise DataError(
                f"{m.name} was validated on other folds than {first.name}. Make the folds once, "
                "and cross-validate every member on them."
            )
    return aligned


def _combination(
    first: Predictions, method: str, weights: dict[str, float] | None
) -> Callable[[Sequence[Predictions]], Combined]:
    """Return the function of a method; raise when the members or `weights` do not suit it."""
    if method not in METHODS:
        raise UnknownName("ensemble method", method, METHODS)
    if method == "rank" and first.task == "regression" and first.metric not in ORDER_METRICS:
        raise DataError(
            f'method="rank" turns predicted values into ranks from 0 to 1, and {first.metric} '
            "compares them with the targets themselves. Use mean or auto; ranks suit metrics "
            f"of order: auc, {', '.join(ORDER_METRICS)}."
        )
    if method == "weighted" and weights is None:
        example = f"weights={{{first.name!r}: 2.0}}"
        raise DataError(f'method="weighted" needs weights by member name: {example}.')
    if method in _FITTED and weights is not None:
        raise DataError(
            f'method="{method}" fits its own weights. Leave weights out, or use method="weighted".'
        )
    if method == "optimum" and not has_optimum(fitted_metric(first), first.oof.shape[1]):
        raise DataError(
            f'method="optimum" needs a convex loss, and {first.metric} has none that we know. '
            'Use "greedy", or "auto", which takes the optimum where there is one.'
        )
    if method in _FITTED:
        return lambda members: _fitted(members, _FITTED[method])
    average = _rank_mean if method == "rank" else _weighted_mean
    return lambda members: average(members, _given_shares(members, weights))


def _best_method(members: Sequence[Predictions]) -> str:
    """Return the method that "auto" means for these predictions."""
    first = members[0]
    if len(members) == 1 or len(np.unique(first.folds[_validated(members)])) < 2:
        return "mean"  # nothing to fit, or no fold to score the weights on
    return "optimum" if has_optimum(fitted_metric(first), first.oof.shape[1]) else "greedy"


def _by_name(
    weights: Mapping[str, float] | Sequence[float] | None, names: list[str]
) -> dict[str, float] | None:
    """Return weights by member name. Raises DataError, UnknownName."""
    if weights is None or isinstance(weights, Mapping):
        if unknown := set(weights or ()) - set(names):
            raise UnknownName("ensemble member", min(unknown), names)
        return None if weights is None else dict(weights)
    if len(weights) != len(names):
        raise DataError(
            f"Expected one weight for each of the {len(names)} members, got {len(weights)}: "
            f"{list(weights)}. Give them in the members' order, or by name as a dict."
        )
    return dict(zip(names, weights, strict=True))


def _given_shares(members: Sequence[Predictions], weights: dict[str, float] | None) -> Array:
    shares = np.array([(weights or {}).get(m.name, 1.0) for m in members], dtype=float)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise DataError(
            f"Weights must be numbers of zero or more with a positive sum, got {weights}."
        )
    return shares / shares.sum()


def _weighted_mean(members: Sequence[Predictions], shares: Array) -> Combined:
    oofs, tests = np.stack([m.oof for m in members]), np.stack([m.test for m in members])
    return shares, np.tensordot(shares, oofs, 1), np.tensordot(shares, tests, 1)


def _rank_mean(members: Sequence[Predictions], shares: Array) -> Combined:
    """Average ranks among the out-of-fold predictions instead of the predictions."""
    rows = ~np.isnan(np.stack([m.oof for m in members])).any((0, 2))
    ranked = [
        replace(m, oof=_ranks(m.oof, m.oof[rows]), test=_ranks(m.test, m.oof[rows]))
        for m in members
    ]
    return _weighted_mean(ranked, shares)


def _ranks(preds: Array, reference: Array) -> Array:
    """Return the share of the reference at or below each prediction; class rows sum to one."""
    columns = [
        np.searchsorted(np.sort(reference[:, j]), preds[:, j], side="right")
        for j in range(preds.shape[1])
    ]
    ranks = np.where(np.isnan(preds), np.nan, np.stack(columns, 1) / len(reference))
    return ranks / ranks.sum(1, keepdims=True).clip(1e-9) if preds.shape[1] > 1 else ranks


def _fitted(members: Sequence[Predictions], fit_weights: FitWeights) -> Combined:
    """Fit weights on all folds for the test rows, and on the other folds for each fold."""
    oofs, tests = np.stack([m.oof for m in members]), np.stack([m.test for m in members])
    folds, targs, has_classes = members[0].folds, members[0].targs, bool(members[0].vocab)
    metric = fitted_metric(members[0])
    rows = _validated(members)
    if len(np.unique(folds[rows])) < 2:
        raise DataError(
            "Fitted weights are scored on folds that did not fit them, so at least two folds need "
            "predictions, and one declared holdout has none left over to fit on. Use "
            'method="mean" or fixed weights, or predict by folds.'
        )
    center, spread = np.zeros((len(oofs), 1, oofs.shape[2])), np.ones(len(oofs))
    if not has_classes and metric.name in ORDER_METRICS:
        center, spread = scales(oofs[:, rows])
    used = np.isfinite(spread)
    scaled = ((oofs - center) / spread[:, None, None])[used]
    oof = np.full(oofs.shape[1:], np.nan)
    for k in np.unique(folds[rows]):
        fit, valid = rows & (folds != k), rows & (folds == k)
        oof[valid] = np.tensordot(
            fit_weights(metric, targs[fit], scaled[:, fit]), scaled[:, valid], 1
        )
    shares = np.zeros(len(oofs))
    shares[used] = fit_weights(metric, targs[rows], scaled[:, rows]) / spread[used]
    unit = 1 / shares.sum()
    shares = shares * unit
    return shares, np.tensordot(shares, center, 1) + oof * unit, np.tensordot(shares, tests, 1)


def _validated(members: Sequence[Predictions]) -> Array:
    """Return a mask of the rows that every member predicted out of fold."""
    return np.all([m.validated for m in members], axis=0)


def _sorted_ids(ids: Array) -> Array:
    """Return ids in one order for equal rounding and ties; unchanged if an id is repeated."""
    if len(set(ids.tolist())) < len(ids):
        return ids
    return ids[np.argsort(ids.astype(str) if ids.dtype == object else ids, kind="stable")]


def _is_same_split(folds: Array, others: Array) -> bool:
    """Say whether the same rows were validated together, even if folds are numbered differently."""
    pairs = len(np.unique(np.stack([folds, others]), axis=1).T)
    is_same = pairs == len(np.unique(folds)) == len(np.unique(others))
    return is_same and np.array_equal(folds < 0, others < 0)
