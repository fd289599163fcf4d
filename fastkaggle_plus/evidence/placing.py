"""Rank and medal on the private leaderboard, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Array
from ..ui.records import Shown
from .gap import Rows, Scores, noise_covariance
from .private_score import forecast
from .selection import best_pair

MEDALS = ("gold", "silver", "bronze")
_CORRELATION = 0.8  # of the errors of two teams, if fewer than three own submissions say more
_COVERED = 0.9  # by the interval of the rank
_DRAWS = 1_000


@dataclass(frozen=True, repr=False)
class Place(Shown):
    """The rank of a team on the private leaderboard, and its chances of a medal."""

    n_teams: int
    public_rank: int
    rank: int  # median
    lowest: int  # 90% interval
    highest: int
    medal: str  # at the median rank: gold, silver, bronze or none
    chances: dict[str, float]  # of gold, silver, bronze and none; empty if the rank is final
    medal_ranks: dict[str, int]  # the last rank of each medal

    @property
    def is_final(self) -> bool:
        """Whether the private leaderboard is published."""
        return not self.chances

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "is_final": self.is_final}

    def _facts(self) -> dict[str, object]:
        return dict(self.lines())

    def lines(self) -> dict[str, str]:
        """Return rank, medal and chances as texts, by name."""
        best, worst = (medal_of(rank, self.n_teams) for rank in (self.lowest, self.highest))
        facts = {
            "public": f"rank {self.public_rank:,} of {self.n_teams:,} teams",
            "private": f"rank {self.rank:,}, 90% interval {self.lowest:,} to {self.highest:,}",
            "medal": f"{self.medal}; {best} to {worst}" if best != worst else self.medal,
            "chances": ", ".join(f"{name} {p:.0%}" for name, p in self.chances.items()),
            "bands": ", ".join(f"{m} to {rank:,}" for m, rank in self.medal_ranks.items()),
        }
        if self.is_final:
            facts["private"] = f"rank {self.rank:,} of {self.n_teams:,} teams, final"
            del facts["public"], facts["chances"]
        return facts


def medal_ranks(n_teams: int) -> dict[str, int]:
    """Return the last rank of each medal, by the number of teams.

    Source: kaggle.com/progression, competition medals. Gold of the top 10 + 0.2% is one more medal
    for every 500 teams.
    """
    percent = {m: max(1, n_teams * p // 100) for m, p in zip(MEDALS, (10, 20, 40), strict=True)}
    if n_teams < 100:
        return percent
    if n_teams < 250:
        return {**percent, "gold": 10}
    gold = 10 + n_teams // 500
    if n_teams < 1000:
        return {"gold": gold, "silver": 50, "bronze": 100}
    return {"gold": gold, "silver": n_teams * 5 // 100, "bronze": n_teams * 10 // 100}


def medal_of(rank: int, n_teams: int) -> str:
    """Return gold, silver, bronze or none."""
    last = medal_ranks(n_teams)
    return next((m for m in MEDALS if rank <= last[m]), "none")


def final_place(own: float, others: Sequence[float], *, higher_is_better: bool) -> Place:
    """Return the place of a private score on the published private leaderboard."""
    rank, n_teams = _rank(own, np.array(others), 1 if higher_is_better else -1), len(others) + 1
    ranks = (n_teams, rank, rank, rank, rank)
    return Place(*ranks, medal_of(rank, n_teams), {}, medal_ranks(n_teams))


def place(
    submissions: Sequence[Scores],  # ours
    others: Sequence[float],  # public scores of the other teams
    rows: Rows,
) -> Place | None:
    """Return the private rank if the best pair is selected; None if none is sent.

    Luck is private minus public score. Ours is forecast from all our scores; that of another team
    is correlated with ours, because both are scored on the same rows. The public scores of the
    others are corrected for having been sorted by luck (Tweedie's formula; Efron, Tweedie's formula
    and selection bias, 2011). It is assumed that their submissions differ from ours as ours differ
    from each other.
    """
    pair = best_pair(submissions, rows)
    if pair is None:
        return None
    sign = 1 if rows.higher_is_better else -1
    teams = sign * np.array(others, dtype=float)
    own = max(sign * s.public for s in submissions if s.public is not None)
    covariance, seen = noise_covariance(submissions), forecast(submissions, rows)
    error, correlation = float(np.sqrt(np.median(np.diag(covariance)))), _correlation(covariance)
    public, private = (error**2 * rows.cv / n for n in (rows.public, rows.private))
    teams = _without_luck(teams, (1 - correlation) * public)
    luck = public + private
    rng = np.random.default_rng(0)
    chosen = [i for i, s in enumerate(submissions) if s.ref in pair.refs]
    at = np.ix_(chosen, chosen)
    draws = rng.multivariate_normal(seen.mean[chosen], seen.covariance[at], _DRAWS, method="eigh")
    ranks = []
    for score in draws.max(1):
        shared = correlation * (score - own)
        shared += rng.normal() * np.sqrt((correlation - correlation**2) * luck)
        noise = rng.normal(size=len(teams)) * np.sqrt((1 - correlation) * luck)
        ranks.append(_rank(score, teams + shared + noise, 1))
    n_teams, tail = len(teams) + 1, (1 - _COVERED) / 2
    cuts = np.quantile(ranks, (tail, 0.5, 1 - tail), method="nearest")
    low, middle, high = map(int, cuts)
    medals = [medal_of(rank, n_teams) for rank in ranks]
    chances = {m: medals.count(m) / _DRAWS for m in (*MEDALS, "none")}
    public_rank = _rank(own, sign * np.array(others, dtype=float), 1)
    ranges = (public_rank, middle, low, high)
    return Place(n_teams, *ranges, medal_of(middle, n_teams), chances, medal_ranks(n_teams))


def _rank(own: float, others: Array, sign: int) -> int:
    return int((sign * others > sign * own).sum()) + 1


def _correlation(covariance: Array) -> float:
    """Return the mean correlation of the errors of the submissions."""
    n = len(covariance)
    if n < 3:
        return _CORRELATION
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    return float(np.clip((correlation.sum() - n) / (n * (n - 1)), 0, 0.99))


def _without_luck(scores: Array, variance: float) -> Array:
    """Return the expected true scores of teams, given public scores with an error of `variance`.

    The density of the scores is smoothed with a normal kernel as wide as the error.
    """
    if not len(scores) or variance <= 0:
        return scores
    width = np.sqrt(variance)
    grid = np.unique(np.quantile(scores, np.linspace(0, 1, 400)))
    away = (scores[None, :] - grid[:, None]) / width
    kernel = np.exp(-(away**2) / 2)
    slope = (kernel * away).sum(1) / kernel.sum(1)  # of the log density, times width
    return scores + width * np.interp(scores, grid, slope)
