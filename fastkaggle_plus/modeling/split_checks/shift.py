"""Shift: a classifier that separates training rows from test rows, and the columns it uses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data import Data
from ...folds import Folds
from ...metrics import Metric
from ...reading.columns import column_kind
from ..model import Array
from ..quick_effect import holdout_effect, sampled
from .copies import shared_cells
from .later_rows import measured_columns
from .split_finding import LEVEL, Finding

_MOST_ROWS = 10_000  # of train, and of test
_FEW_TEST_ROWS = 40
_LEAST_AUC = 0.55  # a smaller shift is for information only
_RARE = 5  # rows: rarer levels are one level
_TOPICS, _WORDS = 8, 2**12  # of texts
_NAMED = 3  # columns at most
_MOST_SHUFFLED = 40  # columns, to see which of them matter
_DROP = 0.2  # a column is named if the AUC drops by this share of the largest drop without it


def check_shift(
    data: Data,
    folds: Folds,
    *,
    groups: tuple[Array, Array] | None = None,  # (n_train,), (n_test,): rows that belong together
    skip: tuple[str, ...] = (),  # columns known to differ
    along_time: bool = False,  # test rows are later: a drift is expected
    metric: str | Metric = "",
) -> Iterator[Finding]:
    """Yield a finding if a classifier can separate test rows from training rows.

    It is fitted to each half of the rows and judged on the other, by the permutation test of
    ranks (Mann-Whitney) of the halves; their z-values are averaged. Rows that belong together stay
    in one half and count once. Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample
    Tests (2017).
    """
    shift, n = train_test_shift(data, groups=groups, skip=skip), len(data.train)
    if shift is None or shift.p_value >= LEVEL:
        return
    x, auc, p_value, models = shift.x, shift.auc, shift.p_value, shift.models
    names = shift.columns
    key = np.mean([m.predict_proba(x[:n])[:, 1] for m in models], axis=0)
    is_note = along_time or auc < _LEAST_AUC
    held = "with the rows most like test held out"
    yield Finding(
        "shift between train and test",
        ", ".join(names),
        f"A classifier separates test rows from training rows with AUC {auc:.2f}, mostly by "
        f"{'; '.join(_difference(x[c], n, str(c), data) for c in names)}.",
        "It is expected if test rows are later."
        if along_time
        else "Drop or transform these columns if they say nothing about the target, and look at "
        "the score of the training rows that are most like test.",
        None if is_note else holdout_effect(data, folds, key, metric=metric, name=held),
        p_value,
        "Mann-Whitney test of a classifier, on other rows",
        is_note=is_note,
    )


@dataclass(frozen=True, eq=False)
class Shift:
    """How well a classifier separates test rows from training rows, and by which columns."""

    auc: float  # on rows that it was not fitted on; 0.5: not at all
    p_value: float
    drops: pd.Series  # column -> drop of the AUC if it is shuffled
    x: pd.DataFrame  # (n_train + n_test) rows as the classifier sees them
    models: list[Any]  # the classifiers of both halves

    @property
    def columns(self) -> list[str]:
        """The columns that it separates by, at most three; empty if chance explains the AUC."""
        return _named(self.drops) if self.p_value < LEVEL else []


def train_test_shift(
    data: Data,
    *,
    groups: tuple[Array, Array] | None = None,  # as in `check_shift`
    skip: tuple[str, ...] = (),
) -> Shift | None:
    """Separate test rows from training rows; None for too few test rows. See `check_shift`."""
    x, n = pooled_features(data, skip), len(data.train)
    if len(data.test) < _FEW_TEST_ROWS or x.empty:
        return None
    rows = np.concatenate([sampled(n, _MOST_ROWS), n + sampled(len(data.test), _MOST_ROWS)])
    is_test = rows >= n
    unit = rows
    if groups is not None:
        codes = [pd.factorize(g.astype(str))[0] for g in groups]
        unit = np.concatenate([codes[0], codes[1] + codes[0].max() + 1])[rows]
    auc, p_value, models, drops = _judge(x.iloc[rows], is_test, unit)
    return Shift(auc, p_value, drops, x, models)


def pooled_features(data: Data, skip: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return numbers for all train and test rows, made without looking at which is which.

    The features of models will not do: levels and frequencies of train only make train special.
    """
    cells = shared_cells(data).drop(columns=list(skip), errors="ignore")
    numbers = {c: v for c, (_, v) in measured_columns(data).items() if c not in skip}
    x: dict[str, Array] = {}
    for c in cells:
        kind = "number" if c in numbers else column_kind(str(c), cells[c])
        if kind == "number":
            x[str(c)] = numbers[str(c)]
        elif kind in ("category", "phrases"):
            words = cells[c].astype(str)
            counts = words.value_counts()
            known = {level: i for i, level in enumerate(counts[counts >= _RARE].index)}
            x[str(c)] = words.map(known).fillna(len(known)).to_numpy(dtype=float)
        if kind in ("text", "phrases"):
            x |= _topics(cells[c].fillna("").astype(str), str(c))
    if data.train.images is not None:
        for c in [c for c in data.train.cont_names if c not in data.raw_train]:
            x[c] = np.concatenate([data.train.x[c], data.test.x[c]])
    return pd.DataFrame(x)


def _topics(texts: pd.Series, name: str) -> dict[str, Array]:
    """Return the number of words of texts, and some topics."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer

    counts = HashingVectorizer(n_features=_WORDS, alternate_sign=False).transform(texts)
    topics = TruncatedSVD(_TOPICS, random_state=0).fit_transform(counts)
    found = {f"{name} (topic {i + 1})": topics[:, i] for i in range(_TOPICS)}
    return {f"{name} (words)": texts.str.count(r"\S+").to_numpy(dtype=float), **found}


def _judge(
    x: pd.DataFrame, is_test: Array, unit: Array
) -> tuple[float, float, list[Any], pd.Series]:
    """Return AUC, p-value, the classifiers of both halves, and the drop of AUC by column."""
    from scipy.stats import mannwhitneyu, norm
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    units, of = np.unique(unit, return_inverse=True)
    half = np.empty(len(units), dtype=bool)
    is_test_unit = np.zeros(len(units), dtype=bool)
    is_test_unit[of] = is_test
    for side in (False, True):
        members = rng.permutation(np.flatnonzero(is_test_unit == side))
        half[members] = np.arange(len(members)) % 2 == 0
    aucs, zs, models, drops = [], [], [], []
    with threadpool_limits(1):
        for fit in (half[of], ~half[of]):
            model = HistGradientBoostingClassifier(
                max_iter=40, min_samples_leaf=10, early_stopping=False, random_state=0
            ).fit(x[fit], is_test[fit])
            other = x[~fit]
            scores = pd.Series(model.predict_proba(other)[:, 1]).groupby(of[~fit]).mean()
            tests = is_test_unit[scores.index]
            u = mannwhitneyu(scores[tests], scores[~tests], alternative="greater")
            aucs.append(u.statistic / tests.sum() / (~tests).sum())
            zs.append(norm.isf(u.pvalue))
            models.append(model)
            if zs[-1] > 1:  # the drops take longest
                few = sampled(len(other), 2_000)
                drops.append(_drops(model, other.iloc[few], is_test[~fit][few]))
    drop = sum(drops, pd.Series(0.0, x.columns))
    return float(np.mean(aucs)), float(norm.sf(np.mean(zs))), models, drop


def _drops(model: Any, x: pd.DataFrame, is_test: Array) -> pd.Series:
    """Return by how much the AUC drops if a column is shuffled; 0 for columns that differ least."""
    from scipy.stats import ks_2samp
    from sklearn.metrics import roc_auc_score

    distances = {c: ks_2samp(x[c][is_test], x[c][~is_test], nan_policy="omit").statistic for c in x}
    rng, drops = np.random.default_rng(0), pd.Series(0.0, x.columns)
    auc = roc_auc_score(is_test, model.predict_proba(x)[:, 1])
    for c in pd.Series(distances).nlargest(_MOST_SHUFFLED).index:
        shuffled = x.assign(**{c: rng.permutation(x[c])})
        drops[c] = auc - roc_auc_score(is_test, model.predict_proba(shuffled)[:, 1])
    return drops


def _named(drops: pd.Series) -> list[str]:
    largest = drops.sort_values(ascending=False)[:_NAMED]
    return [str(c) for c in largest[largest >= _DROP * largest.iloc[0]].index]


def _difference(column: pd.Series, n: int, name: str, data: Data) -> str:
    """Return how a column differs between train and test: a level, missing values or medians."""
    parts = column[:n], column[n:]
    missing = [p.isna().mean() for p in parts]
    is_measured = name in measured_columns(data)
    if name in data.raw_train and not is_measured:
        raw = [f[name].astype(str) for f in (data.raw_train, data.raw_test)]
        shares = [words.value_counts(normalize=True) for words in raw]
        level = shares[1].sub(shares[0], fill_value=0).abs().idxmax()
        one, other = (f"{s.get(level, 0.0):.0%}" for s in shares)
        return f"{name} ({level!r}: {one} of train, {other} of test)"
    if abs(missing[0] - missing[1]) > 0.1:
        return f"{name} (missing: {missing[0]:.0%} of train, {missing[1]:.0%} of test)"
    one, other = (f"{p.median():.4g}" for p in parts)
    return f"{name} (median {one} in train, {other} in test)"
