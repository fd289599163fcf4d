"""Convert a solution and a submission to the values that a metric compares."""

from typing import Any

import numpy as np
import pandas as pd

from ..metrics import Metric
from ..reading.labels import columns_of_classes
from .bundles import Bundle
from .submission_file import InvalidSubmission


def metric_inputs(
    bundle: Bundle, metric: Metric, truth: pd.DataFrame, answers: pd.DataFrame
) -> tuple[Any, Any]:
    """Return (true values, predictions) for metric.compare. Raises InvalidSubmission.

    Both frames contain texts and have the same rows. Labels become class codes for two classes and
    for a metric.py; a named metric compares other labels as they are.
    """
    if metric.wants == "ranking":
        return _rankings(bundle, metric, truth, answers)
    if metric.wants == "label":
        return _labels(bundle, truth, answers)
    columns = list(bundle.sample.columns[1:])
    numbers = np.column_stack([_numbers(bundle, answers, c) for c in columns])
    if metric.wants == "probability":
        is_outside = (numbers < 0) | (numbers > 1)
        if not metric.takes_any_scale and is_outside.any():
            raise InvalidSubmission("Probabilities must be between 0 and 1.")
        if len(columns) == 1:
            return _is_positive(bundle, truth), numbers[:, 0]
        ordered = columns_of_classes(_classes(bundle), columns) or columns
        numbers = numbers[:, [columns.index(c) for c in ordered]]
        true = _class_numbers(bundle, truth, ordered)
        return true, numbers[:, 1] if bundle.comp.task == "binary" else numbers
    names = [c if c in truth else t for c, t in zip(columns, bundle.comp.target, strict=True)]
    true = truth[names].astype(float).to_numpy()
    return (true[:, 0], numbers[:, 0]) if len(columns) == 1 else (true, numbers)


def _rankings(
    bundle: Bundle, metric: Metric, truth: pd.DataFrame, answers: pd.DataFrame
) -> tuple[Any, Any]:
    """Return the true labels of each row, and the predicted ones, the best first.

    A cell with several true labels separates them with blanks, as a prediction does. A metric.py
    gets one code a row, and (n, k) predicted codes; -1 is an unknown label or none.
    """
    true = [_spell(cell.split()) for cell in truth[bundle.comp.target[0]]]
    predicted = [_spell(cell.split()) for cell in answers[bundle.sample.columns[1]]]
    if not bundle.comp.own_metric_file:
        return true, predicted
    code = {label: i for i, label in enumerate(_classes(bundle))}
    rows = [[code.get(v, -1) for v in row[: metric.k]] for row in predicted]
    padded = np.array([row + [-1] * (metric.k - len(row)) for row in rows])
    return np.array([code[row[0]] for row in true]), padded


def _labels(bundle: Bundle, truth: pd.DataFrame, answers: pd.DataFrame) -> tuple[Any, Any]:
    """Return true and predicted labels: as integers where all are, else as texts."""
    column = bundle.sample.columns[1]
    true = np.array(_spell(truth[bundle.comp.target[0]]))
    predicted = np.array(_spell(answers[column]))
    _check_labels(bundle, column, answers, predicted)
    task = bundle.comp.task
    if task == "binary" or (task == "multiclass" and bundle.comp.own_metric_file):
        code = {label: i for i, label in enumerate(_classes(bundle))}
        return np.array([code[v] for v in true]), np.array([code[v] for v in predicted])
    if not all(_is_number(v) for v in {*true, *predicted}):
        return true, predicted
    true, predicted = true.astype(float), predicted.astype(float)
    is_whole = (np.r_[true, predicted] % 1 == 0).all()
    kind = int if is_whole else str
    return true.astype(kind), predicted.astype(kind)


def _is_positive(bundle: Bundle, truth: pd.DataFrame) -> Any:
    """Return 1 for each row with the positive label, which is the last in order, else 0."""
    positive = _classes(bundle)[-1]
    true = _spell(truth[bundle.comp.target[0]])
    return np.array([v == positive for v in true]).astype(int)


def _classes(bundle: Bundle) -> list[str]:
    """Return the labels by size and then by spelling: the place of a label is its code."""
    return sorted(set(_spell(bundle.labels)), key=_sort_key)


def _class_numbers(bundle: Bundle, truth: pd.DataFrame, columns: list[str]) -> Any:
    """Return for each row the place of its class among the columns of a submission."""
    if set(columns) <= set(truth):  # the solution has a 0/1 column for each class
        return truth[columns].astype(float).to_numpy().argmax(1)
    classes = _spell(columns)
    return np.array([classes.index(v) for v in _spell(truth[bundle.comp.target[0]])])


def _check_labels(bundle: Bundle, column: str, answers: pd.DataFrame, predicted: Any) -> None:
    """Allow the labels of the training file and the solution; for a regression, any number."""
    if bundle.comp.task == "regression":
        is_bad = ~np.array([_is_number(v) for v in predicted])
    else:
        is_bad = ~np.isin(predicted, sorted(set(_spell(bundle.labels))))
    _refuse(bundle, column, answers, is_bad, "no labels of this competition")


def _numbers(bundle: Bundle, answers: pd.DataFrame, column: str) -> Any:
    numbers = pd.to_numeric(answers[column], errors="coerce").to_numpy(dtype=float)
    _refuse(bundle, column, answers, ~np.isfinite(numbers), "no numbers")
    return numbers


def _refuse(bundle: Bundle, column: str, answers: pd.DataFrame, is_bad: Any, problem: str) -> None:
    if is_bad.any():
        first = answers[is_bad].iloc[0]
        raise InvalidSubmission(
            f"{int(is_bad.sum())} values of {column!r} are {problem}, like {first[column]!r} "
            f"for id {first[bundle.comp.id]!r}."
        )


def _spell(values: Any) -> list[str]:
    """Return labels in one spelling: 1, 1.0 and ' 1 ' are the same label."""
    stripped = [v.strip() for v in values]
    return [v[:-2] if v.endswith(".0") and _is_number(v) else v for v in stripped]


def _sort_key(label: str) -> tuple[bool, float, str]:
    is_number = _is_number(label)
    return not is_number, float(label) if is_number else 0.0, label


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False
