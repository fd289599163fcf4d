"""The submission contract: ids, columns and cells as the sample submission and Kaggle need them."""

from typing import Any

import numpy as np
import pandas as pd

from ..exceptions import SubmissionError, listed
from ..metrics import Metric, get_metric
from ..reading.labels import spelled, written

_SHOWN = 5  # rows named in an error
_SUM_TOLERANCE = 1e-3  # of a row of probabilities, from one


def check_submission(
    frame: pd.DataFrame,  # the submission: id column and answer columns, rows in any order
    sample: pd.DataFrame,  # the sample submission, its id column first
    *,
    metric: str | Metric,  # or its name; "": numbers, probabilities and labels are not checked
    labels: tuple[Any, ...] = (),  # allowed labels; () for any
) -> pd.DataFrame:
    """Return `frame` in the sample's row and column order, with labels spelled as in `labels`.

    Cells are checked as a csv would show them, so that a frame and its file give the same result.
    Raises SubmissionError with the wrong rows and the correction for: missing or extra columns;
    missing, extra, repeated or differently written ids; empty cells; cells with lists, like
    `[0.54]`; values that are not numbers, or infinite; unknown labels; probabilities outside 0 to 1
    or rows of them that do not sum to one.
    """
    id, *answers = sample.columns
    _check_columns(frame, sample)
    frame, allowed = _in_order(frame, sample[id]).set_index(id), {spelled(v) for v in labels}
    for column in answers:
        _check_cells(frame[column], allowed)
    if not metric:
        return frame.reset_index()[list(sample.columns)]
    want = get_metric(metric)
    if want.wants in ("value", "probability"):
        frame = frame.apply(_numbers)
    if want.wants == "probability":
        _check_probabilities(frame)
    if want.wants in ("label", "ranking") and labels and len(answers) == 1:
        frame = frame.apply(_labels, labels=labels, want=want)
    return frame.reset_index()[list(sample.columns)]


def _check_columns(frame: pd.DataFrame, sample: pd.DataFrame) -> None:
    if missing := [c for c in sample.columns if c not in frame.columns]:
        raise SubmissionError(
            f"The submission has no column {listed(missing)}. "
            f"It needs exactly {listed(sample.columns)}, and has {listed(frame.columns)}."
        )
    if extra := [c for c in frame.columns if c not in sample.columns]:
        raise SubmissionError(
            f"The submission has columns that the sample lacks: {listed(extra)}. Drop them; an "
            "unnamed one comes from writing the index (use to_csv(index=False))."
        )
    if (repeated := frame.columns[frame.columns.duplicated()]).size:
        raise SubmissionError(
            f"The submission has more than one column {listed(repeated.unique())}. "
            "Keep one of each."
        )


def _check_cells(cells: pd.Series, allowed: set[str]) -> None:
    """Refuse empty cells and cells that hold a list; the index is the ids."""
    advice = "A model predicted NaN, or the join by id found nothing: correct that, not the cell."
    _refuse_cells(cells, _is_empty(cells, allowed), "is empty", advice)
    if cells.dtype == object or isinstance(cells.dtype, pd.StringDtype):
        is_list = cells.astype(str).str.match(r"^\s*(\[.*\]|\(.*,.*\))\s*$", na=False)
        is_list |= cells.map(np.ndim).gt(0)
        advice = "Take the value out: preds[:, 0], or preds.squeeze()."
        _refuse_cells(cells, is_list, "holds a list like CELL, where one value belongs", advice)


def _in_order(frame: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """Join by id: rows in the sample's order, each id once."""
    if (absent := np.flatnonzero(frame[wanted.name].isna())).size:
        raise SubmissionError(
            f"The submission has no id in {len(absent)} of its rows, the first in row "
            f"{absent[0] + 1}. Every row needs one (and an integer column with a missing value "
            "becomes a float: fill the gap before the ids are written)."
        )
    ids, known = (c.map(_whole).astype(str) for c in (frame[wanted.name], wanted))
    advice = "Group or drop_duplicates by id before writing."
    _refuse(ids.duplicated(), pd.Index(ids), "the id is there more than once", advice)
    unknown = ~ids.isin(known)
    if unknown.any() and ids.str.replace(r"\.0$", "", regex=True).isin(known).all():
        raise SubmissionError(
            f"The ids are written {ids[unknown].iloc[0]!r} where the sample has "
            f"{known.iloc[0]!r}: read or keep the id column as it is in the sample (an integer "
            "column with a missing value becomes a float)."
        )
    advice = "Predict the rows of the test file, and only those."
    _refuse(unknown, pd.Index(ids), "the id is not in the sample submission", advice)
    sizes = f"The sample has {len(known)} rows, the submission {len(ids)}."
    _refuse(~known.isin(ids), pd.Index(known), "the id is missing", sizes)
    order = pd.Index(ids).get_indexer(pd.Index(known))
    answers = frame.drop(columns=wanted.name).iloc[order].reset_index(drop=True)
    return pd.concat([wanted.reset_index(drop=True), answers], axis=1)


def _is_empty(cells: pd.Series, allowed: set[str]) -> pd.Series:
    """Say which cells are empty in a csv, or hold the word for NaN that is not an allowed label."""
    if pd.api.types.is_numeric_dtype(cells):
        return cells.isna()
    words = cells.astype(str).str.strip()
    is_nan = words.str.lower().isin(("", "nan", "nat", "<na>")) & ~words.isin(allowed)
    return cells.isna() | is_nan


def _numbers(cells: pd.Series) -> pd.Series:
    """Return a column as floats; dates and booleans are not numbers."""
    types = pd.api.types
    is_plain = types.is_numeric_dtype(cells) and not (
        types.is_bool_dtype(cells) or types.is_complex_dtype(cells)
    )
    numbers = pd.to_numeric(cells if is_plain else cells.astype(str), errors="coerce").astype(float)
    advice = "Write plain numbers with a decimal point."
    _refuse_cells(cells, numbers.isna(), "holds CELL, which is not a number", advice)
    _refuse_cells(cells, numbers.abs() == np.inf, "is infinite", "Clip the predictions.")
    return numbers


def _check_probabilities(answers: pd.DataFrame) -> None:
    advice = "Use predict_proba, or apply sigmoid or softmax to the logits."
    for c in answers:
        outside = (answers[c] < 0) | (answers[c] > 1)
        _refuse_cells(answers[c], outside, "holds CELL, outside 0 to 1", advice)
    if len(answers.columns) > 1:
        sums = answers.sum(axis=1)
        if (is_off := (sums - 1).abs() > _SUM_TOLERANCE).any():
            what = f"the probabilities sum to {sums[is_off].iloc[0].round(4)!r}"
            _refuse(is_off, answers.index, what, "Divide each row by its sum.")


def _labels(cells: pd.Series, labels: tuple[Any, ...], want: Metric) -> pd.Series:
    """Return answered labels as they are spelled in `labels`; refuse unknown ones."""
    known = {spelled(v): v for v in written(labels)}
    words, is_ranking = cells.astype(str), want.wants == "ranking"
    distinct = words.unique()  # each is looked at once
    answers = {w: [spelled(v) for v in (w.split() if is_ranking else [w])] for w in distinct}
    advice = "Round or decode the predictions: labels are needed, not probabilities."
    if is_ranking:
        check_for_blanks(labels)
        is_long = words.map({w: len(v) > want.k for w, v in answers.items()})
        what = f"holds more than {want.k} labels"
        _refuse_cells(cells, is_long, what, f"Keep the {want.k} likeliest.")
        advice = "Check the vocab."
    unknown = words.map({w: not known.keys() >= set(v) for w, v in answers.items()})
    what = f"holds CELL, which is none of the labels {listed(sorted(known))}"
    _refuse_cells(cells, unknown, what, advice)
    if is_ranking:
        return words.map({w: " ".join(str(known[i]) for i in v) for w, v in answers.items()})
    return words.map({w: known[v[0]] for w, v in answers.items()})


def check_for_blanks(labels: tuple[Any, ...]) -> None:
    """Refuse labels that contain the separator of a ranking."""
    if odd := [v for v in labels if len(str(v).split()) != 1]:
        raise SubmissionError(
            f"A ranking separates its labels with blanks, and the label {odd[0]!r} holds a blank "
            "itself, so no cell can hold it. Rename the label where it comes from (big_cat), or "
            "use another metric."
        )


def _whole(value: Any) -> Any:
    """Return an id as it is written: 1.0 from a column with gaps is 1."""
    is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return int(value) if is_whole else value


def _refuse_cells(cells: pd.Series, wrong: pd.Series, problem: str, advice: str) -> None:
    """Raise if any cell of a column is wrong; CELL in `problem` stands for the first one."""
    if wrong.any():
        problem = problem.replace("CELL", repr(cells[wrong].iloc[0]), 1)
        _refuse(wrong, cells.index, f"{cells.name!r} {problem}", advice)


def _refuse(wrong: pd.Series, ids: pd.Index, what: str, advice: str) -> None:
    """Raise if any row is wrong, with the first few ids."""
    if n := int(wrong.sum()):
        shown = listed(ids[wrong].unique(), _SHOWN)
        rows = "row" if n == 1 else "rows"
        raise SubmissionError(
            f"The submission is wrong in {n} {rows} (id {shown}): {what}. {advice}"
        )
