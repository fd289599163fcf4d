"""Predictions + sample submission -> a checked csv, joined by id. The submission contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .competition import Competition
from .exceptions import DataError, SubmissionError
from .metrics import Metric, get_metric
from .predictions import Predictions
from .reading import parse_csv, quoting_of, read_csv, read_sample
from .reading.labels import columns_of_classes, places_in_order, spelled, written

_SHOWN = 5  # rows named in an error
_SUMS_TO_ONE = 1e-3  # tolerance of a probability row


def write_submission(
    preds: Predictions,
    comp: Competition,
    path: str | Path,  # the folder with the competition's data, where the sample submission is
    *,
    file: str | Path = "submission.csv",
) -> Path:
    """Write the csv that Kaggle scores, in the sample submission's rows and columns, and return its path. Raises SubmissionError."""
    frame = submission_of(preds, comp, path)
    frame.to_csv(file, index=False, lineterminator="\n", quoting=quoting_of(frame))
    return Path(file)


def submission_of(preds: Predictions, comp: Competition, path: str | Path) -> pd.DataFrame:
    """Return what `write_submission` writes, checked. Raises SubmissionError."""
    sample = _sample(comp, Path(path), preds.vocab)
    return check_submission(
        answer_frame(preds, sample, get_metric(comp.metric), target=comp.target),
        sample,
        metric=comp.metric,
        labels=preds.vocab,
    )


def check_file(
    file: str | Path,
    comp: Competition,
    path: str | Path,  # the folder with the competition's data
    *,
    labels: tuple[Any, ...] = (),  # labels that may be answered; () for any
) -> pd.DataFrame:
    """Check a csv written elsewhere and return it in the sample's order. Raises SubmissionError."""
    try:
        frame = pd.read_csv(
            file, dtype=str, keep_default_na=False, na_values=[""]
        )  # in UTF-8: Kaggle reads no other
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as e:
        raise SubmissionError(f"{file} does not read as csv: {e}") from e
    return check_submission(
        frame, _sample(comp, Path(path), labels), metric=comp.metric, labels=labels
    )


def check_submission(
    frame: pd.DataFrame,  # the submission: id column and answer columns, rows in any order
    sample: pd.DataFrame,  # the sample submission, its id column first
    *,
    metric: str,
    labels: tuple[Any, ...] = (),  # labels that may be answered; () for any
) -> pd.DataFrame:
    """Return `frame` in the sample's row and column order, or raise SubmissionError saying which rows are wrong and how to mend them.

    Cells are judged as a csv would hold them, so that a frame and the file written from it pass or fail alike; labels are returned in
    the spelling of `labels`.
    Checked: columns; ids missing, extra, doubled or of another type; empty cells; cells that are lists, like `[0.54]`; numbers
    that are none or infinite; labels nobody knows; probabilities outside 0 to 1; probability rows that do not sum to one.
    """
    id, *answers = sample.columns
    if missing := [c for c in sample.columns if c not in frame.columns]:
        raise SubmissionError(
            f"The submission has no column {_list(missing)}. "
            f"It needs exactly {_list(sample.columns)}, and has {_list(frame.columns)}."
        )
    if extra := [c for c in frame.columns if c not in sample.columns]:
        raise SubmissionError(
            f"The submission has {'a column' if len(extra) == 1 else 'columns'} nobody asked for: {_list(extra)}. "
            "Drop it; an unnamed one comes from writing the index (use to_csv(index=False))."
        )
    if (twice := frame.columns[frame.columns.duplicated()]).size:
        raise SubmissionError(
            f"The submission has more than one column {_list(twice.unique())}. Keep one of each."
        )
    frame, allowed = _in_order(frame, sample[id]), {spelled(v) for v in labels}
    for column in answers:
        _refuse(
            _is_empty(frame[column], allowed),
            frame[id],
            f"{column!r} is empty",
            "A model predicted NaN, or the join by id found nothing: mend the cause, not the cell.",
        )
        cells = frame[column]
        if cells.dtype == object or isinstance(cells.dtype, pd.StringDtype):
            nested = cells.astype(str).str.match(
                r"^\s*(\[.*\]|\(.*,.*\))\s*$", na=False
            ) | cells.map(np.ndim).gt(0)
            _refuse(
                nested,
                frame[id],
                f"{column!r} holds a list like {_first(cells, nested)}, where one value belongs",
                "Take the value out: preds[:, 0], or preds.squeeze().",
            )
    want = get_metric(metric)
    if want.wants in ("value", "probability"):
        frame = frame.assign(**{c: _numbers(frame, id, c) for c in answers})
    if want.wants == "probability":
        _check_probabilities(frame, id, answers)
    if want.wants in ("label", "ranking") and labels and len(answers) == 1:
        frame = frame.assign(**{answers[0]: _labels(frame, id, answers[0], labels, want)})
    return frame[list(sample.columns)]


def answer_frame(
    preds: Predictions,
    sample: pd.DataFrame,  # the sample submission, its id column first
    metric: Metric,
    *,
    target: tuple[
        str, ...
    ] = (),  # names of several predicted values, in the order of the predictions' columns
) -> pd.DataFrame:
    """Return predictions as a submission's columns, in the form the sample submission asks for; rows in the order of the predictions.

    Between classes of equal probability, the first by size or spelling is answered. One column of probabilities is that of the larger of two
    numbers, else of the vocab's second class.
    """
    id, *columns = sample.columns
    if metric.wants in ("label", "ranking") or (
        len(preds.vocab) == 2 and not any(isinstance(v, str) for v in preds.vocab)
    ):
        preds = preds.aligned(
            preds.ids, preds.test_ids, tuple(preds.vocab[i] for i in places_in_order(preds.vocab))
        )
    answers = metric.answers(preds.test)
    labels = np.array(written(preds.vocab), dtype=object)
    frame = pd.DataFrame({id: preds.test_ids})
    if metric.wants == "ranking":
        _check_for_blanks(preds.vocab)
        return frame.assign(**{columns[0]: [" ".join(map(str, row)) for row in labels[answers]]})
    if metric.wants == "label":
        return frame.assign(**{columns[0]: labels[answers] if preds.vocab else answers})
    if metric.wants == "probability" and len(columns) > 1:
        if (found := columns_of_classes(preds.vocab, columns)) is None:
            raise SubmissionError(
                f"The sample submission has the columns {_list(columns)}, and the classes are {_list(labels)}. "
                "Check `target` and `task` in competition.toml."
            )
        return frame.assign(**{c: preds.test[:, found.index(c)] for c in columns})
    answers = answers.reshape(len(answers), -1)
    if answers.shape[1] != len(columns):
        raise SubmissionError(
            f"The sample submission has {len(columns)} answer columns ({_list(columns)}), and there are {answers.shape[1]} "
            "predictions a row. Check `target` and `metric` in competition.toml."
        )
    order = target if set(target) == set(columns) else tuple(columns)
    return frame.assign(**{c: answers[:, order.index(c)] for c in columns})


def _sample(comp: Competition, path: Path, labels: tuple[Any, ...]) -> pd.DataFrame:
    """The sample submission; without one, the test ids with the target columns, or a column a class for probabilities of several."""
    file, by_class = (
        path / comp.sample_submission,
        comp.task == "multiclass" and get_metric(comp.metric).wants == "probability",
    )
    if file.exists():
        return parse_csv(file, dtype=str, keep_default_na=False)
    try:
        test_ids = read_csv(path / comp.test, as_written=(comp.id,))[comp.id]
    except (DataError, KeyError) as e:
        raise DataError(
            f"Neither {file} nor the ids of {path / comp.test} can be read ({e}). Run `fkp setup {comp.slug}` first."
        ) from e
    return read_sample(
        path,
        comp.sample_submission,
        test_ids,
        tuple(map(spelled, labels)) if by_class and labels else comp.target,
    )


def _in_order(frame: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """Join by id: rows in the sample's order, each id once."""
    if (absent := np.flatnonzero(frame[wanted.name].isna())).size:
        raise SubmissionError(
            f"The submission has no id in {len(absent)} of its rows, the first in row {absent[0] + 1}. Every row needs one "
            "(and an integer column with a missing value becomes a float: fill the gap before the ids are written)."
        )
    ids, as_given, wanted = (
        frame[wanted.name].map(_whole).astype(str),
        wanted,
        wanted.map(_whole).astype(str),
    )
    _refuse(
        ids.duplicated(),
        ids,
        "the id is there more than once",
        "Group or drop_duplicates by id before writing.",
    )
    known = pd.Index(wanted)
    stranger = ~ids.isin(known)
    if stranger.any() and ids.str.replace(r"\.0$", "", regex=True).isin(known).all():
        raise SubmissionError(
            f"The ids are written {ids[stranger].iloc[0]!r} where the sample has {wanted.iloc[0]!r}: read or keep the id column "
            "as it is in the sample (an integer column with a missing value becomes a float)."
        )
    _refuse(
        stranger,
        ids,
        "the id is not in the sample submission",
        "Predict the rows of the test file, and only those.",
    )
    _refuse(
        pd.Series(~known.isin(ids)),
        wanted.reset_index(drop=True),
        "the id is missing",
        f"The sample has {len(wanted)} rows, the submission {len(ids)}.",
    )
    order = pd.Index(ids).get_indexer(known)
    answers = frame.drop(columns=wanted.name).iloc[order].reset_index(drop=True)
    return pd.concat([as_given.reset_index(drop=True), answers], axis=1)


def _is_empty(cells: pd.Series, allowed: set[str]) -> pd.Series:
    """Say which cells a csv would show as nothing, or as the word that pandas or numpy has for it, unless that is a label."""
    if pd.api.types.is_numeric_dtype(cells):
        return cells.isna()
    words = cells.astype(str).str.strip()
    return cells.isna() | (
        words.str.lower().isin(("", "nan", "nat", "<na>")) & ~words.isin(allowed)
    )


def _numbers(frame: pd.DataFrame, id: str, column: str) -> pd.Series:
    cells = frame[column]
    plain = pd.api.types.is_numeric_dtype(cells) and not (
        pd.api.types.is_bool_dtype(cells) or pd.api.types.is_complex_dtype(cells)
    )
    numbers = pd.to_numeric(cells if plain else cells.astype(str), errors="coerce").astype(
        float
    )  # dates and truth values are no numbers
    _refuse(
        numbers.isna(),
        frame[id],
        f"{column!r} holds {_first(frame[column], numbers.isna())}, which is no number",
        "Write plain numbers with a decimal point.",
    )
    _refuse(np.isinf(numbers), frame[id], f"{column!r} is infinite", "Clip the predictions.")
    return numbers


def _check_probabilities(frame: pd.DataFrame, id: str, columns: list[str]) -> None:
    for c in columns:
        outside = (frame[c] < 0) | (frame[c] > 1)
        _refuse(
            outside,
            frame[id],
            f"{c!r} holds {_first(frame[c], outside)}, outside 0 to 1",
            "Use predict_proba, or apply sigmoid or softmax to the logits.",
        )
    if len(columns) > 1:
        off = (frame[columns].sum(axis=1) - 1).abs() > _SUMS_TO_ONE
        sums = frame[columns].sum(axis=1).round(4)
        _refuse(
            off,
            frame[id],
            f"the probabilities sum to {_first(sums, off)}",
            "Divide each row by its sum.",
        )


def _labels(
    frame: pd.DataFrame, id: str, column: str, labels: tuple[Any, ...], want: Metric
) -> pd.Series:
    """Return answered labels in the spelling of `labels`, each a known one."""
    known, words, is_ranking = (
        {spelled(v): v for v in written(labels)},
        frame[column].astype(str),
        want.wants == "ranking",
    )
    said = {
        w: [spelled(v) for v in (w.split() if is_ranking else [w])] for w in words.unique()
    }  # each distinct cell once
    if is_ranking:
        _check_for_blanks(labels)
        _refuse(
            words.map({w: len(v) > want.k for w, v in said.items()}),
            frame[id],
            f"{column!r} holds more than {want.k} labels",
            f"Keep the {want.k} likeliest.",
        )
    unknown = words.map({w: not known.keys() >= set(v) for w, v in said.items()})
    mend = (
        "Check the vocab."
        if is_ranking
        else "Round or decode the predictions: labels are asked for, not probabilities."
    )
    _refuse(
        unknown,
        frame[id],
        f"{column!r} holds {_first(frame[column], unknown)}, which is none of the labels {_list(sorted(known)[:12])}",
        mend,
    )
    return words.map(
        {
            w: " ".join(str(known[i]) for i in v) if is_ranking else known[v[0]]
            for w, v in said.items()
        }
    )


def _check_for_blanks(labels: tuple[Any, ...]) -> None:
    """Refuse labels that a ranking cannot hold."""
    if odd := [v for v in labels if len(str(v).split()) != 1]:
        raise SubmissionError(
            f"A ranking names its labels with blanks between them, and the label {odd[0]!r} holds a blank itself, so no cell can hold it. "
            "Rename the label where it comes from (big_cat), or use another metric."
        )


def _whole(value: Any) -> Any:
    """An id as it is written: 1.0 read from a column with gaps is 1."""
    return (
        int(value)
        if isinstance(value, (float, np.floating)) and float(value).is_integer()
        else value
    )


def _refuse(wrong: Any, ids: pd.Series, what: str, mend: str) -> None:
    """Raise when any row is wrong, naming the first few."""
    wrong = np.asarray(wrong, dtype=bool)
    if not (n := int(wrong.sum())):
        return
    named = ", ".join(map(str, ids[wrong].drop_duplicates().head(_SHOWN))) + (
        ", ..." if n > _SHOWN else ""
    )
    raise SubmissionError(
        f"The submission is wrong in {n} row{'s' if n > 1 else ''} (id {named}): {what}. {mend}"
    )


def _first(cells: pd.Series, wrong: Any) -> str:
    wrong = np.asarray(wrong, dtype=bool)
    return repr(cells[wrong].iloc[0]) if wrong.any() else ""


def _list(names: Any) -> str:
    return ", ".join(map(str, names))
