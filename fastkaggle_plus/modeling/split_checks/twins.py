"""Compare how often validation rows and test rows have a twin in the rows a model is fitted to."""

from dataclasses import dataclass

import numpy as np

from ...folds import Folds
from ..model import Array

_SHUFFLES = 200  # enough for the mean and the spread of the null distribution


@dataclass(frozen=True)
class TwinShares:
    """Shares of rows with a twin among training rows, and whether chance explains their difference.

    A twin has the same code: a copy, or a row with the same level of a column.
    """

    validation: float  # of validation rows, in the training rows of their fold
    test: float  # of test rows, in train
    p_value: float  # of so large a difference, or a larger one; one-sided

    test_name = "permutation test"

    @property
    def difference(self) -> float:
        """By how much the share of validation rows is larger."""
        return self.validation - self.test


def surplus_of_twins(
    codes: Array,  # (n_train + n_test,) twins have the same
    folds: Folds,
) -> TwinShares:
    """Test whether validation rows have twins more often than test rows have.

    If the split mimics train -> test, which rows are train and which test is a matter of chance,
    so the null distribution is that of shuffled rows. A normal distribution is fitted to it.
    """
    from scipy.stats import norm

    validation, test = _shares(codes, folds)
    if len(codes) == len(folds) or validation <= test or folds.kind == "time":
        return TwinShares(validation, test, 1.0)
    rng = np.random.default_rng(0)
    null = np.array(
        [np.subtract(*_shares(rng.permutation(codes), folds)) for _ in range(_SHUFFLES)]
    )
    z = (validation - test - null.mean()) / max(float(null.std()), 1e-9)
    return TwinShares(validation, test, float(norm.sf(z)))


def _shares(codes: Array, folds: Folds) -> tuple[float, float]:
    """Return the shares of validation rows and of test rows with a twin."""
    n, n_codes = len(folds), int(codes.max()) + 1
    of, is_valid = codes[:n], folds.assignment >= 0
    in_fold = np.bincount(of + n_codes * (folds.assignment + 1), minlength=n_codes)
    n_same_fold = in_fold[of + n_codes * (folds.assignment + 1)]
    n_train = np.bincount(of, minlength=n_codes)
    has_twin = n_train[of] > n_same_fold
    test = n_train[codes[n:]] > 0
    return float(has_twin[is_valid].mean()), float(test.mean()) if len(test) else 0.0
