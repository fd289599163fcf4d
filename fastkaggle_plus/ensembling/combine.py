"""Combine predictions by one method, with a nested score where anything is fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data import Array
from ..exceptions import DataError, SelectionError, UnknownName
from ..metrics import pseudo_values, standard_error
from ..predictions import Predictions
from ..reading.labels import places_in_order
from .averages import Combined, geometric_mean, rank_mean, validated, weighted_mean
from .fitted import FITTED, combine_fitted
from .greedy import ROUNDS, Limits
from .optimum import has_optimum
from .pool import ORDER_METRICS, fitted_metric

_AVERAGES = {
    "mean": weighted_mean,
    "weighted": weighted_mean,
    "rank": rank_mean,
    "geometric": geometric_mean,
}
_CLEAR = 2.0  # standard errors by which the mean is clearly better than fitted weights
_DEFAULTS = {"rounds": ROUNDS, "negative": False}  # the other options are None
METHODS = ("auto", *_AVERAGES, *FITTED)


def ensemble(
    members: Sequence[Predictions],
    *,
    method: str = "mean",  # see METHODS
    # by member name, 1 by default, or one for each member in order; mean becomes weighted
    weights: Mapping[str, float] | Sequence[float] | None = None,
    keep_best: int | None = None,  # refused: see SelectionError
    name: str = "ensemble",
    rounds: int = ROUNDS,  # of each greedy search
    negative: bool = False,  # greedy: weights below zero too
    max_members: int | None = None,  # greedy, optimum, auto: members with a weight
    max_seconds: float | None = None,  # the same: the sum of `seconds_s` of those members
) -> Predictions:
    """Combine predictions of the same rows, joined by id and class.

    The order of rows, classes and members does not change the result. `oof` is out-of-fold for the
    weights too: where they are fitted (greedy, optimum, stack), each fold is combined with weights
    fitted on the other folds. `about["weights"]` are the weights of the test rows, those of stack
    its shares of the coefficients; `about["nested_score"]` is the score of `oof`.
    auto fits weights: the optimum if the metric has one (log loss, also for metrics of labels,
    squared errors, rmsle, Pearson), else greedy. It takes the mean for a single holdout, and if the
    nested score of the mean is better by more than two standard errors. `about["method"]` says
    which, `about["tried"]` has both nested scores.
    Raises DataError for members with different rows, classes, folds or metrics, UnknownName for a
    weight without a member, and SelectionError when asked to drop members by their own score.
    """
    if keep_best is not None:
        raise SelectionError(
            f"keep_best={keep_best} would choose members by the score they are judged by, which "
            "makes that score too good. Declare the members before scoring, or use "
            'method="auto": its weights are fitted on other folds than those they are scored on.'
        )
    aligned, names = align(members), [m.name for m in members]
    first = aligned[0]
    given = _by_name(weights, names)
    limits = Limits(rounds, negative, max_members, max_seconds)
    options = {"method": method, "weights": given, **vars(limits)}
    if given is not None and method in ("auto", "mean"):
        method = "weighted"
    _check(first, method, given, limits)
    vocab = tuple(first.vocab[i] for i in places_in_order(first.vocab))
    ordered = [
        m.aligned(first.ids, first.test_ids, vocab) for m in sorted(aligned, key=lambda m: m.name)
    ]
    tried = _combined(ordered, method, given, limits)
    method, (shares, oof, test), scores = _better(ordered, tried)
    if negative:
        oof, test = _without_negative(oof, first), _without_negative(test, first)
    share_of = {m.name: float(f"{w:.6g}") for m, w in zip(ordered, shares, strict=True)}
    shared = {k: v for k, v in first.about.items() if all(m.about.get(k) == v for m in members)}
    about = {"method": method, "weights": {name: share_of[name] for name in names}, **scores}
    about["options"] = {k: v for k, v in options.items() if v != _DEFAULTS.get(k)}
    result = replace(
        ordered[0],
        name=name,
        oof=oof,
        test=test,
        seconds_s=sum(m.seconds_s for m in members),
        importances={},
        about={**shared, **about},
    )
    result = replace(result.aligned(first.ids, first.test_ids, first.vocab), folds=first.folds)
    return replace(result, about={**result.about, "nested_score": result.oof_score})


def _combined(
    members: Sequence[Predictions], method: str, given: dict[str, float] | None, limits: Limits
) -> dict[str, Combined]:
    """Return the combination by `method`; for auto, those that it chooses from."""
    first, methods = members[0], [method]
    if method == "auto":
        fitted = "optimum" if has_optimum(fitted_metric(first), first.oof.shape[1]) else "greedy"
        n_folds = len(np.unique(first.folds[validated(members)]))
        if limits.is_capped:
            methods = [fitted]
        else:
            methods = ["mean", fitted] if len(members) > 1 and n_folds > 1 else ["mean"]
    order = _order_of_ids(first.ids)
    return {
        m: combine_fitted(members, m, limits=limits, order=order)
        if m in FITTED
        else _AVERAGES[m](members, _given_shares(members, given))
        for m in methods
    }


def _better(
    members: Sequence[Predictions], tried: dict[str, Combined]
) -> tuple[str, Combined, dict[str, Any]]:
    """Return the fitted method, or the mean if its nested score is clearly better, and the scores.

    Of small differences the nested scores say too little to give up the fitted weights.
    """
    if len(tried) == 1:
        method, result = next(iter(tried.items()))
        return method, result, {}
    metric, rows = fitted_metric(members[0]), validated(members)
    targs, groups = members[0].targs[rows], members[0].groups
    groups = None if groups is None else groups[rows]
    scores = {method: metric.score(targs, oof[rows]) for method, (_, oof, _) in tried.items()}
    values = [pseudo_values(metric, targs, oof[rows], groups) for _, oof, _ in tried.values()]
    lead_error = standard_error(values[0] - values[1])
    mean, fitted = scores
    is_clear = metric.gain(scores[mean], scores[fitted]) > _CLEAR * lead_error
    best = mean if is_clear else fitted
    return best, tried[best], {"tried": {"metric": metric.name, **scores}}


def _without_negative(preds: Array, like: Predictions) -> Array:
    """Return class probabilities of zero or more that sum to one."""
    if not like.vocab:
        return preds
    preds = np.clip(preds, 1e-15, None)
    return preds / preds.sum(1, keepdims=True)


def align(members: Sequence[Predictions]) -> list[Predictions]:
    """Return the members with the rows and classes of the first. Raises DataError."""
    if not members:
        raise DataError("An ensemble needs at least one member.")
    first, names = members[0], [m.name for m in members]
    if len(set(names)) < len(names):
        raise DataError(
            f"Two members have one name: {', '.join(names)}. Weights are given by name: "
            "cross_validate(..., name=) sets it."
        )
    aligned = [m.aligned_with(first) for m in members]
    for m in aligned:
        if not _is_same_split(m.folds, first.folds):
            raise DataError(
                f"{m.name} was validated on other folds than {first.name}. Make the folds once, "
                "and cross-validate every member on them."
            )
    return aligned


def _check(first: Predictions, method: str, given: dict[str, float] | None, limits: Limits) -> None:
    """Raise UnknownName or DataError when the members or the options do not suit the method."""
    if method not in METHODS:
        raise UnknownName("ensemble method", method, METHODS)
    if method == "rank" and first.task == "regression" and first.metric not in ORDER_METRICS:
        raise DataError(
            f'method="rank" turns predicted values into ranks from 0 to 1, and {first.metric} '
            "compares them with the targets themselves. Use mean or auto; ranks suit metrics "
            f"of order: auc, {', '.join(ORDER_METRICS)}."
        )
    if method == "weighted" and given is None:
        example = f"weights={{{first.name!r}: 2.0}}"
        raise DataError(f'method="weighted" needs weights by member name: {example}.')
    if method in FITTED and given is not None:
        raise DataError(
            f'method="{method}" fits its own weights. Leave weights out, or use method="weighted".'
        )
    if method == "optimum" and not has_optimum(fitted_metric(first), first.oof.shape[1]):
        raise DataError(
            f'method="optimum" needs a convex loss, and {first.metric} has none that we know. '
            'Use "greedy", or "auto", which takes the optimum where there is one.'
        )
    if limits.negative and method != "greedy":
        raise DataError(f'negative=True is for method="greedy", got method="{method}".')
    if limits.is_capped and method not in ("auto", "greedy", "optimum"):
        raise DataError(
            "max_members and max_seconds choose members by a greedy search. Use them with method="
            f'"auto", "greedy" or "optimum", got "{method}".'
        )
    for option, least in (("rounds", 1), ("max_members", 1)):
        if (value := getattr(limits, option)) is not None and value < least:
            raise DataError(f"{option} must be {least} or more, got {value}.")


def _by_name(
    weights: Mapping[str, float] | Sequence[float] | None, names: list[str]
) -> dict[str, float] | None:
    """Return weights by member name. Raises DataError, UnknownName."""
    if weights is None or isinstance(weights, Mapping):
        if unknown := set(weights or ()) - set(names):
            raise UnknownName("ensemble member", min(unknown), names)
        return None if weights is None else {k: float(w) for k, w in weights.items()}
    if len(weights) != len(names):
        raise DataError(
            f"Expected one weight for each of the {len(names)} members, got {len(weights)}: "
            f"{list(weights)}. Give them in the members' order, or by name as a dict."
        )
    return dict(zip(names, map(float, weights), strict=True))


def _given_shares(members: Sequence[Predictions], weights: dict[str, float] | None) -> Array:
    shares = np.array([(weights or {}).get(m.name, 1.0) for m in members], dtype=float)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise DataError(
            f"Weights must be numbers of zero or more with a positive sum, got {weights}."
        )
    return shares / shares.sum()


def _order_of_ids(ids: Array) -> Array:
    """Return the places of the ids in one order; those of repeated ids as they are."""
    if len(set(ids.tolist())) < len(ids):
        return np.arange(len(ids))
    return np.argsort(ids.astype(str) if ids.dtype == object else ids, kind="stable")


def _is_same_split(folds: Array, others: Array) -> bool:
    """Say whether the same rows were validated together, even if folds are numbered differently."""
    if np.array_equal(folds, others):
        return True
    codes = [np.unique(f, return_inverse=True)[1] for f in (folds, others)]
    n, n_others = (int(c.max()) + 1 for c in codes)
    n_pairs = len(np.unique(codes[0] * n_others + codes[1]))
    return n_pairs == n == n_others and np.array_equal(folds < 0, others < 0)
