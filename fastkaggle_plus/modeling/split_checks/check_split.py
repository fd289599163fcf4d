"""Check a split: all checks in one list, the severe findings first."""

from ...data import Data
from ...folds import Folds
from ...metrics import Metric
from ...ui.records import Records
from ..group_leaks import find_group_leak
from .column_checks import check_levels, check_target_copies, unused_columns
from .copies import check_copies, find_copies
from .later_rows import find_later_rows, later_columns
from .row_order import check_row_order
from .shift import check_shift
from .split_finding import Finding, by_severity


def check_split(
    data: Data,
    folds: Folds,  # the split to check
    *,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
) -> Records[Finding]:
    """Check whether this split mimics train -> test, and what in the data makes scores too good.

    Looks for groups across folds, copies of rows, images or texts, test rows that are later, a
    shift between train and test, ids and row order that predict the target, copies of the target,
    and columns that no model can use. Effects are measured with a few boosted trees on at most
    3,000 rows. Its tests share a level of 5%.
    """
    leak = find_group_leak(data, folds, metric=metric)
    column = leak.column if leak else data.group_name
    later = find_later_rows(data, folds, metric=metric, skip=column)
    findings = [later] if later else []
    skip: tuple[str, ...] = tuple(later_columns(data))
    if leak is not None:
        findings.append(
            Finding(
                "groups across folds",
                leak.column,
                f"{leak.shared:.0%} of the validation rows share their {leak.column} with "
                f"training rows, and the split is {leak.kind}.",
                f"Keep each {leak.column} in one fold.",
                leak.flatters,
                split={"kind": leak.advice, "column": leak.column},
            )
        )
    skip += (column,) * bool(column)
    copies, groups, n = find_copies(data), None, len(data.train)
    if not copies.are_by_chance:
        groups = copies.cluster[:n], copies.cluster[n:]
    if column in data.raw_train and column in data.raw_test:
        groups = data.raw_train[column].to_numpy(), data.raw_test[column].to_numpy()
    along_time = later is not None or folds.kind == "time"
    findings += check_copies(copies, data, folds, metric=metric)
    findings += check_levels(data, folds, metric=metric, skip=skip)
    findings += check_target_copies(data, folds, metric=metric)
    if not along_time:
        first = groups[0] if groups else data.groups
        findings += check_row_order(data, folds, groups=first, metric=metric)
    findings += check_shift(
        data, folds, groups=groups, skip=skip, along_time=along_time, metric=metric
    )
    findings += unused_columns(data)
    return Records(by_severity(findings))
