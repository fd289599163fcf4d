"""The gap between CV scores and the leaderboard: as expected, or a shift of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Array
from ..exceptions import ConfigError
from ..ui.records import Shown

ALPHA = 0.05
UNKNOWN_CORRELATION = 0.9  # of two submissions, if not both have predictions of the same rows
CV_ERROR = 1.25  # true over estimated error of a CV score: the folds share training rows
_OWN_SHIFT = 0.5  # in standard errors: what differs for each submission, see `_own_gaps`
_DRAWS = 10_000


@dataclass(frozen=True, eq=False)
class Scores:
    """One submission, or a trial that could be sent: its scores in CV, public and private."""

    name: str
    cv: float | None  # None: not known
    se: float | None = None  # standard error of `cv`
    public: float | None = None  # None: not sent, or not scored yet
    private: float | None = None  # None: not published
    values: Array | None = None  # (n_units,) pseudo-values, see `Predictions.pseudo_values`
    units: str = ""  # submissions with the same text have the same units in the same order
    ref: int = 0  # Kaggle's number; 0: not sent


@dataclass(frozen=True)
class Rows:
    """How many rows each score is measured on."""

    cv: int
    public: int
    private: int
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if min(self.cv, self.public, self.private) < 1:
            raise ConfigError(
                f"Each part needs at least one row; got {self.cv} rows in CV, {self.public} in "
                f"public and {self.private} in private. Check --public-share and --test-rows."
            )


@dataclass(frozen=True, repr=False)
class Gap(Shown):
    """By how much the leaderboard differs from CV, and whether the errors of both explain it."""

    means: dict[str, float]  # part -> mean score of the submissions: CV, public, private
    errors: dict[str, float]  # part -> error of its difference to CV
    p_value: float
    test: str  # the test that gave p_value
    n: int  # submissions
    odd: tuple[str, ...] = ()  # submissions whose gap differs from that of the others

    @property
    def is_as_expected(self) -> bool:
        """Whether the errors of both scores explain the difference (p >= 0.05)."""
        return self.p_value >= ALPHA

    @property
    def verdict(self) -> str:
        """What it means, in one sentence."""
        p = f"p = {self.p_value:.2g}, {self.test}"
        if self.is_as_expected:
            return f"as expected ({p})"
        if self.odd:
            return f"the gap of {', '.join(self.odd)} differs from the others ({p}): look there"
        return (
            f"the leaderboard disagrees with your CV by more than both errors allow ({p}): "
            "look for shift"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "odd": list(self.odd), "verdict": self.verdict}

    def _facts(self) -> dict[str, object]:
        return {"scores": self._differences(), "submissions": self.n, "verdict": self.verdict}

    def _differences(self) -> str:
        cv = self.means["CV"]
        parts = (
            f"{name} {self.means[name]:.4f} ({self.means[name] - cv:+.4f} ± {error:.4f})"
            for name, error in self.errors.items()
        )
        return f"CV {cv:.4f}, {', '.join(parts)}"

    def __str__(self) -> str:
        return f"{self._differences()}: {self.verdict}"


def check_gap(submissions: Sequence[Scores], rows: Rows) -> Gap | None:
    """Test whether CV, public and private score differ by more than their errors allow.

    Each is the true score plus noise of its rows; submissions on the same rows share their noise.
    The mean over the submissions is compared with a test of homogeneity (Cochran's Q, as an F test
    because the noise is estimated too). With three submissions or more, each one's own gap is
    compared with the mean gap, by a joint max-T; both tests share the 5%. The error of CV is taken
    as 1.25 times its estimate (Bates, Hastie and Tibshirani, Cross-validation: what does it
    estimate and how well does it do it?, 2024). None if no submission has a CV score with its error
    and a public score. Source: Cochran, The combination of estimates from different experiments
    (1954).
    """
    known = [s for s in submissions if s.cv is not None and s.public is not None]
    if all(s.se is None for s in known):
        return None
    noise = noise_covariance(known)
    n_units = min((len(s.values) for s in known if s.values is not None), default=rows.cv)
    sizes, columns = {"CV": rows.cv}, {"CV": [s.cv for s in known]}
    sizes["public"], columns["public"] = rows.public, [s.public for s in known]
    if all(s.private is not None for s in known):
        sizes["private"], columns["private"] = rows.private, [s.private for s in known]
    table = np.array([columns[part] for part in sizes], dtype=float)  # (n_parts, n)
    variances = noise.mean() * rows.cv / np.array(list(sizes.values()))
    variances[0] *= CV_ERROR**2
    p, test = _homogeneity(table.mean(1), variances, n_units), "F test"
    odd: tuple[str, ...] = ()
    if len(known) > 2:
        alone = _own_gaps(table[1] - table[0], noise * (CV_ERROR**2 + rows.cv / rows.public))
        p_alone, which = float(alone.min()), int(alone.argmin())
        if p_alone < p:
            test, odd = "max-T over submissions", (known[which].name,)
        p = min(1.0, 2 * min(p, p_alone))
    errors = {
        part: float(np.sqrt(variances[0] + variances[i]))
        for i, part in enumerate(sizes)
        if part != "CV"
    }
    means = dict(zip(sizes, map(float, table.mean(1)), strict=True))
    return Gap(means, errors, p, test, len(known), odd if p < ALPHA else ())


def noise_covariance(submissions: Sequence[Scores]) -> Array:
    """Return (n, n): the covariance of the errors of the CV scores.

    From the pseudo-values if two have the same units. For others the correlation is assumed to be
    0.9, and a missing standard error is the median of the known ones. Raises ConfigError if none is
    known.
    """
    known = [s.se for s in submissions if s.se is not None]
    if not known:
        names = ", ".join(s.name for s in submissions)
        raise ConfigError(
            f"No standard error of a CV score is known, of {names}. Give one as the second "
            "number: --cv REF=SCORE:SE."
        )
    errors = np.array([np.median(known) if s.se is None else s.se for s in submissions])
    n = len(submissions)
    correlation = np.full((n, n), UNKNOWN_CORRELATION)
    for units in {s.units for s in submissions if s.values is not None}:
        at = [i for i, s in enumerate(submissions) if s.values is not None and s.units == units]
        values = np.stack([submissions[i].values for i in at], 1)  # type: ignore[misc]
        values = values[~np.isnan(values).any(1)]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.nan_to_num(np.corrcoef(values, rowvar=False).reshape(len(at), len(at)))
        correlation[np.ix_(at, at)] = found
    np.fill_diagonal(correlation, 1)
    sizes, axes = np.linalg.eigh(correlation)  # assumed ones may contradict those found
    correlation = (axes * np.maximum(sizes, 1e-6)) @ axes.T
    errors /= np.sqrt(np.diag(correlation))
    return correlation * np.outer(errors, errors)


def _homogeneity(scores: Array, variances: Array, n_units: int) -> float:
    """Return the p-value of equal true scores; both arrays are (n_parts,)."""
    from scipy.stats import f

    weights = 1 / np.maximum(variances, np.finfo(float).tiny)
    spread = float((weights * (scores - np.average(scores, weights=weights)) ** 2).sum())
    freedom = len(scores) - 1
    return float(f.sf(spread / freedom, freedom, max(n_units - 1, 1)))


def _own_gaps(
    gaps: Array,  # (n,) public minus CV
    covariance: Array,  # (n, n) of the gaps
) -> Array:
    """Return (n,) p-values of each gap against the mean gap, corrected for looking at all.

    Half a standard error is allowed for what differs for each submission, such as the gain of
    averaging the models of the folds.
    """
    n = len(gaps)
    center = np.eye(n) - 1 / n
    covariance = center @ (covariance + _OWN_SHIFT**2 * np.diag(np.diag(covariance))) @ center
    scale = np.sqrt(np.diag(covariance))
    draws = np.random.default_rng(0).multivariate_normal(
        np.zeros(n), covariance, _DRAWS, method="eigh"
    )
    largest = np.abs(draws / scale).max(1)
    return np.array([(largest >= t).mean() for t in np.abs(center @ gaps) / scale])
