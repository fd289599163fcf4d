"""Choose submissions: which to send today, and which two count at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..data import Array
from .gap import Rows, Scores
from .private_score import Forecast, forecast

_NODES = 9  # of the integral over the public score that a submission will get
_TOO_LITTLE = 0.05  # share of the variance of the lead
_TOO_SMALL = 0.01  # gain, in standard errors of the trial's CV score


@dataclass(frozen=True)
class Pair:
    """The submissions to select: the one of them that is better in private counts."""

    names: tuple[str, ...]  # two, or one if there is only one
    refs: tuple[int, ...]  # Kaggle's numbers
    expected: float  # private score of the better one
    single: float  # expected private score of the first one alone
    second_wins: float  # probability that the second is better than the first
    why: str


@dataclass(frozen=True)
class Candidate:
    """A trial that is not sent, and the use of sending it."""

    name: str
    cv: float
    expected: float  # private score
    gain: float  # by how much the expected score of the best choice grows; 0 or more
    explained: float  # share of the variance of its private lead that its public score removes
    against: str  # the submission that it is compared with; "": none is sent
    what: str
    is_useful: bool = True


def best_pair(submissions: Sequence[Scores], rows: Rows) -> Pair | None:
    """Return the pair whose better private score is expected to be best; None if none is sent.

    Kaggle counts the better of the two selected submissions, so a safe one and a different one are
    worth more than two that fail on the same rows. Source: Clark, The greatest of a finite set of
    random variables (1961).
    """
    at = [i for i, s in enumerate(submissions) if s.public is not None]
    if not at:
        return None
    seen = forecast(submissions, rows)
    value, chosen = _best(seen.mean, seen.covariance, at)
    first, *rest = sorted(chosen, key=lambda i: -seen.mean[i])
    sign = 1 if rows.higher_is_better else -1
    names = tuple(submissions[i].name for i in (first, *rest))
    wins = _chance(seen, rest[0], first) if rest else 0.0
    gain = value - seen.mean[first]
    return Pair(
        names,
        tuple(submissions[i].ref for i in (first, *rest)),
        sign * value,
        sign * float(seen.mean[first]),
        wins,
        _why(names, wins, gain),
    )


def worth_sending(submissions: Sequence[Scores], rows: Rows) -> list[Candidate]:
    """Return the trials that are not sent, the one with the largest expected gain first.

    The gain is that of the best pair, averaged over the public scores that the trial may get: it
    can be chosen once it is sent, and its public score says more about it (the knowledge gradient,
    Frazier, Powell and Dayanik 2008). Candidates without a CV score are left out.
    """
    sent = [i for i, s in enumerate(submissions) if s.public is not None]
    trials = [i for i, s in enumerate(submissions) if s.public is None and s.cv is not None]
    if not trials:
        return []
    seen = forecast(submissions, rows)
    now = _best(seen.mean, seen.covariance, sent)[0] if sent else float("-inf")
    leader = max(sent, key=lambda i: seen.mean[i]) if sent else None
    found = [_candidate(submissions, rows, seen, i, (sent, leader, now)) for i in trials]
    sign = 1 if rows.higher_is_better else -1
    return sorted(found, key=lambda c: (-c.gain, -c.expected * sign))


def _candidate(
    submissions: Sequence[Scores],
    rows: Rows,
    seen: Forecast,
    i: int,
    known: tuple[list[int], int | None, float],  # sent ones, the best one, value of the best pair
) -> Candidate:
    sent, leader, now = known
    trial, sign = submissions[i], 1 if rows.higher_is_better else -1
    expected = sign * float(seen.mean[i])
    if leader is None:
        what = "nothing is sent yet: its public score says whether CV can be trusted"
        return Candidate(trial.name, float(trial.cv or 0), expected, 0.0, 1.0, "", what)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    spread = np.sqrt(seen.public_variance[i])
    values = [
        _best(*seen.after(i, seen.public_mean[i] + spread * node), [*sent, i])[0] for node in nodes
    ]
    gain = max(0.0, float(weights @ values / weights.sum()) - now)
    lead = np.zeros(len(submissions))
    lead[i], lead[leader] = 1, -1
    before = lead @ seen.covariance @ lead
    explained = float((lead @ seen.with_public[:, i]) ** 2 / seen.public_variance[i] / before)
    against = submissions[leader].name
    what = f"its public score removes {explained:.0%} of the doubt whether it beats {against}"
    is_useful = explained >= _TOO_LITTLE and gain >= _TOO_SMALL * (trial.se or 0)
    if not is_useful:
        what = f"nothing: it differs from {against} by less than the public part can show"
    facts = expected, gain, explained, against, what, is_useful
    return Candidate(trial.name, float(trial.cv or 0), *facts)


def _best(mean: Array, covariance: Array, at: Sequence[int]) -> tuple[float, tuple[int, ...]]:
    """Return the largest expected maximum of two of these scores, and which two."""
    if len(at) == 1:
        return float(mean[at[0]]), (at[0],)
    from scipy.special import ndtr

    a, b = np.array(list(combinations(at, 2))).T
    variance = covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]
    sd = np.sqrt(np.maximum(variance, 1e-24))
    t = (mean[a] - mean[b]) / sd
    density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
    expected = mean[a] * ndtr(t) + mean[b] * ndtr(-t) + sd * density
    k = int(expected.argmax())
    return float(expected[k]), (int(a[k]), int(b[k]))


def _chance(seen: Forecast, i: int, j: int) -> float:
    """Return the probability that the private score of i is better than that of j."""
    from scipy.special import ndtr

    c = seen.covariance
    sd = np.sqrt(max(c[i, i] + c[j, j] - 2 * c[i, j], 1e-24))
    return float(ndtr((seen.mean[i] - seen.mean[j]) / sd))


def _why(names: tuple[str, ...], wins: float, gain: float) -> str:
    if len(names) == 1:
        return f"{names[0]} is the only submission"
    return (
        f"{names[0]} has the best expected private score; {names[1]} is the safest complement: it "
        f"is better in {wins:.0%} of cases and raises the expected better score by {gain:.4f}"
    )
