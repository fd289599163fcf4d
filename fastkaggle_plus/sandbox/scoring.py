"""Score an uploaded csv against the solution, or explain what is wrong with it."""

import io

import numpy as np
import pandas as pd

from .bundles import Bundle
from .metric_inputs import metric_inputs
from .submission_file import EMPTY_CELLS, InvalidSubmission, read_submission

__all__ = ["InvalidSubmission", "score"]


def score(bundle: Bundle, content: bytes) -> tuple[float | None, float | None]:
    """Return (public, private) scores; None for a part without rows. Raises InvalidSubmission."""
    answers = _in_solution_order(bundle, read_submission(content))
    return _score_part(bundle, answers, "public"), _score_part(bundle, answers, "private")


def _score_part(bundle: Bundle, answers: pd.DataFrame, usage: str) -> float | None:
    """Score the rows with one Usage."""
    is_part = (bundle.solution["Usage"] == usage).to_numpy()
    if not is_part.any():
        return None
    truth = bundle.solution[is_part].reset_index(drop=True)
    answers = answers[is_part].reset_index(drop=True)
    failure = f"The submission could not be scored by {bundle.comp.metric}"
    try:
        if bundle.grade is not None:
            truth = truth.drop(columns="Usage")
            value = float(bundle.grade(_with_types(answers), _with_types(truth)))
        else:
            metric = bundle.comp.scoring
            value = float(metric.compare(*metric_inputs(bundle, metric, truth, answers)))
    except InvalidSubmission:
        raise
    except (Exception, SystemExit) as e:  # a failing metric must not stop the server
        raise InvalidSubmission(f"{failure}: {str(e).rstrip('.')}") from e
    if not np.isfinite(value):
        raise InvalidSubmission(f"{failure}: the score is {value}.")
    return value


def _in_solution_order(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """Check columns, ids and empty cells, and return the rows in the solution's order."""
    _check_columns(list(bundle.sample.columns), list(frame.columns))
    given, expected = frame[bundle.comp.id], bundle.solution[bundle.comp.id]
    missing = expected[~expected.isin(given)]
    note = f" {len(missing)} ids are missing, like {missing.iloc[0]!r}." if len(missing) else ""
    if len(given) != len(expected):
        raise InvalidSubmission(
            f"Submission must have {len(expected)} rows, and has {len(given)}.{note}"
        )
    if (repeated := given.duplicated()).any():
        raise InvalidSubmission(
            f"{int(repeated.sum())} ids are there more than once, like {given[repeated].iloc[0]!r}."
        )
    unknown = given[~given.isin(expected)]
    if len(unknown):
        raise InvalidSubmission(
            f"{len(unknown)} ids are not in the test set, like {unknown.iloc[0]!r}.{note}"
        )
    for column in bundle.sample.columns[1:]:
        cells = frame[column]
        is_empty = cells.str.strip().str.lower().isin(EMPTY_CELLS) & ~cells.isin(bundle.labels)
        if is_empty.any():
            raise InvalidSubmission(
                f"{int(is_empty.sum())} values of {column!r} are empty, "
                f"the first for id {given[is_empty].iloc[0]!r}."
            )
    return frame.set_index(bundle.comp.id, drop=False).loc[expected].reset_index(drop=True)


def _check_columns(expected: list[str], given: list[str]) -> None:
    shown = ", ".join(expected)
    if missing := [c for c in expected if c not in given]:
        raise InvalidSubmission(
            f"Submission must have the columns {shown}; missing: {', '.join(missing)}."
        )
    if extra := [str(c) for c in given if c not in expected]:
        raise InvalidSubmission(
            f"Submission must have exactly the columns {shown}; found also: {', '.join(extra)}."
        )


def _with_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of texts with the types that pandas would have read."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))
