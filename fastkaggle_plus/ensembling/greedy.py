"""Greedy search for the weights of an ensemble, for any metric."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..data import Array
from ..exceptions import DataError
from ..metrics import Metric
from .pool import Pool

ROUNDS = 100  # of each search, at most
BAGS = 5  # searches of many rows, each on a random part of them, whose weights are averaged
_PATIENCE = 25  # rounds without a gain after which a search ends
_MOST_ROWS = 10_000  # of one search
_LEAST_SIZE = 5  # members in the mix before one may be subtracted
_TILE = 32_768  # numbers that a pass keeps in the cache
_FACTORS = 16  # probabilities that are multiplied before their logarithm is taken
_LEAST_P = 1e-15
_EQUAL = 1e-9  # relative difference of losses that counts as none

# (sum of the members in the mix, their number, +1 or -1) -> loss with each member added so often
Losses = Callable[[Array, int, int], Array]


@dataclass(frozen=True)
class Limits:
    """What a greedy search may do."""

    rounds: int = ROUNDS
    negative: bool = False  # also subtract members
    max_members: int | None = None  # with a weight
    max_seconds: float | None = None  # of all members with a weight

    @property
    def is_capped(self) -> bool:
        """Whether members with a weight are limited."""
        return self.max_members is not None or self.max_seconds is not None


NO_LIMITS = Limits()


def greedy_weights(pool: Pool, at: Array, limits: Limits = NO_LIMITS) -> Array:
    """Return shares by greedy search. Of many rows, the mean of searches on random 10,000 of them.

    at: (n,) places of the rows to fit. A cap chooses the members by one search first.
    Source: Caruana et al., Ensemble selection from libraries of models (2004).
    """
    if len(at) <= _MOST_ROWS:
        return _search(pool, at, limits, np.ones(len(pool.oofs), dtype=bool))
    allowed, rng = capped_members(pool, at, limits), np.random.default_rng(0)
    bags = [at[np.sort(rng.choice(len(at), _MOST_ROWS, replace=False))] for _ in range(BAGS)]
    return np.asarray(np.mean([_search(pool, bag, limits, allowed) for bag in bags], 0))


def capped_members(pool: Pool, at: Array, limits: Limits) -> Array:
    """Return a mask (members,) of those that may have a weight. Raises DataError."""
    if not limits.is_capped:
        return np.ones(len(pool.oofs), dtype=bool)
    if len(at) > _MOST_ROWS:
        at = np.sort(np.random.default_rng(1).choice(at, _MOST_ROWS, replace=False))
    return np.asarray(_search(pool, at, limits, np.ones(len(pool.oofs), dtype=bool)) != 0)


def _search(pool: Pool, at: Array, limits: Limits, allowed: Array) -> Array:
    """Add the best member again and again, with replacement; return the best shares met."""
    values, targs = pool.take(at), pool.targs[at]
    losses_of, values = _losses(pool.metric, targs, values)
    counts, total = np.zeros(len(values)), np.zeros(values.shape[1:], values.dtype)
    best_loss, best, since = np.inf, counts, 0
    for _ in range(limits.rounds):
        size, open_to = int(counts.sum()), allowed & _within(limits, counts, pool.costs)
        if not open_to.any():
            raise DataError(
                f"No member fits max_seconds={limits.max_seconds}: the fastest took "
                f"{pool.costs.min():.1f} s. Allow more, or add a faster member."
            )
        sign, losses = 1, np.where(open_to, losses_of(total, size, 1), np.inf)
        if limits.negative and size >= _LEAST_SIZE:
            less = np.where(open_to, losses_of(total, size, -1), np.inf)
            sign, losses = (-1, less) if less.min() < losses.min() else (1, losses)
        pick = _first_of_best(losses, counts)
        counts[pick] += sign
        total += sign * values[pick]
        if losses[pick] < best_loss - _EQUAL * abs(losses[pick]):
            best_loss, best, since = losses[pick], counts.copy(), 0
        elif (since := since + 1) >= _PATIENCE:
            break
    return np.asarray(best / best.sum())


def _within(limits: Limits, counts: Array, costs: Array) -> Array:
    """Return a mask of the members that the caps allow next."""
    used = counts != 0
    open_to = np.ones(len(counts), dtype=bool)
    if limits.max_members is not None and used.sum() >= limits.max_members:
        open_to &= used
    if limits.max_seconds is not None:
        open_to &= used | (costs[used].sum() + costs <= limits.max_seconds)
    return open_to


def _first_of_best(losses: Array, counts: Array) -> int:
    """Return the best member; of equal ones one that is in the mix already, then the first."""
    losses = np.where(np.isnan(losses), np.inf, losses)
    ties = np.flatnonzero(losses <= losses.min() + _EQUAL * abs(losses.min()))
    used = ties[counts[ties] != 0]
    return int(used[0] if len(used) else ties[0])


def _losses(metric: Metric, targs: Array, values: Array) -> tuple[Losses, Array]:
    """Return a function to the losses of all members, and the values that it adds up."""
    if values.ndim == 2:
        values = values.astype(float)
        if metric.name == "log_loss":
            return _log_losses(values)
        if metric.name in ("rmse", "mse", "r2", "brier"):
            return _squared(values - targs.ravel())
        if metric.name == "mae":
            return _absolute(values - targs.ravel(), float(targs.std()) or 1.0)
        if metric.name in ("auc", "gini"):
            return _auc(values, targs)
        values = values[:, :, None]
    worse = -1 if metric.higher_is_better else 1

    def losses(total: Array, size: int, sign: int) -> Array:
        mixes = ((total + sign * v) / (size + sign) for v in values)
        return np.array([worse * metric.score(targs, mix) for mix in mixes])

    return losses, values


def _squared(errors: Array) -> tuple[Losses, Array]:
    """Mean squared errors, from the products of all pairs of errors."""
    own = np.einsum("ij,ij->i", errors, errors)

    def losses(total: Array, size: int, sign: int) -> Array:
        return (total @ total + 2 * sign * (errors @ total) + own) / (
            (size + sign) ** 2 * errors.shape[1]
        )

    return losses, errors


def _absolute(errors: Array, scale: float) -> tuple[Losses, Array]:
    """Mean absolute errors."""
    errors = (errors / scale).astype(np.float32)

    def of_tile(tile: Array, size: int) -> Array:
        return np.abs(tile, out=tile).sum(1) / (size * errors.shape[1])

    return _tiled(errors, of_tile), errors


def _log_losses(values: Array) -> tuple[Losses, Array]:
    """Log losses, with one logarithm for the product of several probabilities."""
    n = values.shape[1]
    padded = np.ones((len(values), -(-n // _FACTORS) * _FACTORS))  # log(1) = 0 changes no sum
    padded[:, :n] = values

    def of_tile(tile: Array, size: int) -> Array:
        np.maximum(tile, size * _LEAST_P, out=tile)
        products = np.multiply.reduce(tile.reshape(len(tile), _FACTORS, -1), axis=1)
        return (padded.shape[1] * np.log(size) - np.log(products).sum(1)) / n

    return _tiled(padded, of_tile), padded


def _auc(values: Array, targs: Array) -> tuple[Losses, Array]:
    """1 - AUC, by one sort of whole numbers whose last bit is the class."""
    values, positive = values.astype(np.float32), (targs == 1).astype(np.int32)
    n_pairs = float(positive.sum()) * float(len(targs) - positive.sum())

    def of_tile(tile: Array, size: int) -> Array:
        bits = tile.view(np.int32)
        keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)) & ~1 | positive  # in the order of the floats
        keys.sort(axis=1)
        return np.array([1 - _pairs_in_order(row) / max(n_pairs, 1) for row in keys])

    return _tiled(values, of_tile), values


def _pairs_in_order(keys: Array) -> float:
    """Return the pairs of a positive above a negative; equal predictions count half."""
    of_positives = np.flatnonzero(keys & 1)
    below = of_positives - np.arange(len(of_positives))  # negatives at or below each positive
    scores = keys >> 1
    tied = scores[1:] == scores[:-1]
    pairs = float(below.sum())
    if tied.any():
        ends = np.append(np.flatnonzero(~tied), len(keys) - 1)
        positives = np.cumsum(keys & 1)[ends]
        in_group = np.diff(positives, prepend=0)
        pairs -= 0.5 * float(in_group @ (np.diff(ends, prepend=-1) - in_group))
    return pairs


def _tiled(values: Array, of_tile: Callable[[Array, int], Array]) -> Losses:
    """Return the losses of sums, computed for few members at a time, which stay in the cache.

    of_tile: (sums (members, n) of `size` members, size) -> losses (members,)
    """
    n_members, n = values.shape
    of_each = max(1, _TILE // n)
    buffer = np.empty((of_each, n), values.dtype)

    def losses(total: Array, size: int, sign: int) -> Array:
        found = np.empty(n_members)
        for start in range(0, n_members, of_each):
            part = values[start : start + of_each]
            tile = buffer[: len(part)]
            (np.add if sign > 0 else np.subtract)(total, part, out=tile)
            found[start : start + len(part)] = of_tile(tile, size + sign)
        return found

    return losses
