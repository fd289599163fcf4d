"""Metrics of rankings: for each row several labels, the likeliest first."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .metric import Array, Metric, mean_metric

_SHOWN_K = (3, 5, 10)


def average_precisions(truth: Sequence[Any], answers: Sequence[Sequence[Any]], k: int) -> Array:
    """Return the average precision at `k` of each row.

    That is sum(P(i) over the ranks i <= k of right labels) / min(k, true labels), where P(i) is the
    share of right labels among the first i. A row's truth is one label, or a list of labels. With
    one, it is 1 / the rank of that label, or 0 if it is not among the first k.
    """

    def precision(true: set[Any], row: list[Any]) -> float:
        right = _first_hits(true, row[:k])
        found = [sum(right[: i + 1]) / (i + 1) for i, hit in enumerate(right) if hit]
        return sum(found) / min(k, len(true))

    return _by_row(precision, truth, answers)


def discounted_gains(truth: Sequence[Any], answers: Sequence[Sequence[Any]], k: int) -> Array:
    """Return the normalized discounted cumulative gain at `k` of each row.

    That is sum(1 / log2(i + 1) over the ranks i <= k of right labels), divided by the same sum of a
    perfect ranking. A row's truth is one label, or a list of labels, all of equal relevance.
    """

    def gain(true: set[Any], row: list[Any]) -> float:
        right = np.array(_first_hits(true, row[:k]), dtype=float)
        discounts = 1 / np.log2(np.arange(2, k + 2))
        found = (right * discounts[: len(right)]).sum()
        return float(found / discounts[: len(true)].sum())

    return _by_row(gain, truth, answers)


def _by_row(
    score: Callable[[set[Any], list[Any]], float],
    truth: Sequence[Any],
    answers: Sequence[Sequence[Any]],
) -> Array:
    several = (list, tuple, set, np.ndarray)
    true = [set(t) if isinstance(t, several) else {t} for t in truth]
    return np.array([score(t, list(row)) for t, row in zip(true, answers, strict=True)])


def _first_hits(true: set[Any], row: list[Any]) -> list[bool]:
    """Say for each answer whether it is right; a repeated answer is wrong."""
    return [a in true and a not in row[:i] for i, a in enumerate(row)]


def ranking_metric(name: str, k: int) -> Metric:
    """Return map@k or ndcg@k."""
    rowwise = {"map": average_precisions, "ndcg": discounted_gains}[name]
    return mean_metric(f"{name}@{k}", True, "ranking", partial(rowwise, k=k), k=k)


RANKING_METRICS = tuple(ranking_metric(name, k) for name in ("map", "ndcg") for k in _SHOWN_K)
