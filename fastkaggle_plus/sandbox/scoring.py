"""Score an uploaded csv against the solution, or say what is wrong with it."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import numpy as np
import pandas as pd

from ..metrics import Metric, get_metric
from .bundles import Bundle

LARGEST = 256 << 20  # bytes of a csv
_EMPTY = {"", "nan", "na", "n/a", "<na>", "null", "none", "#n/a"}


class Malformed(Exception):
    "What is wrong with a submission, in words for the competitor."


def score(bundle: Bundle, content: bytes) -> tuple[float | None, float | None]:
    "Return (public, private) scores; None for a part without rows. Raises Malformed."
    answers = _checked(bundle, read_csv(content))
    return _part(bundle, answers, "public"), _part(bundle, answers, "private")


def read_csv(content: bytes) -> pd.DataFrame:
    "Read an upload: csv, alone or packed by zip or gzip; all cells text. Raises Malformed."
    if not content:
        raise Malformed("The file is empty.")
    try:
        if content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as z:
                names = [
                    n for n in z.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")
                ]
                if len(names) != 1:
                    raise Malformed(
                        f"A zip submission must hold exactly one csv file, and this one holds {len(names)}."
                    )
                with z.open(names[0]) as member:
                    content = _whole(member)
        elif content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as packed:
                content = _whole(packed)
        return pd.read_csv(
            io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
    ) as e:
        raise Malformed(f"The file does not read as csv: {e}") from e
    except UnicodeDecodeError as e:
        raise Malformed(f"The file is not UTF-8 text: {e.reason} at byte {e.start}.") from e


def _whole(packed: Any) -> bytes:
    "Unpack, but no more than a csv of answers can be."
    content: bytes = packed.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Malformed(f"Unpacked, the file is larger than {LARGEST >> 20} MB.")
    return content


def _checked(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    "Return the submission in the solution's row order."
    id, wanted = bundle.comp.id, list(bundle.sample.columns)
    if missing := [c for c in wanted if c not in frame.columns]:
        raise Malformed(
            f"Submission must have the columns {', '.join(wanted)}; missing: {', '.join(missing)}."
        )
    if extra := [c for c in frame.columns if c not in wanted]:
        raise Malformed(
            f"Submission must have exactly the columns {', '.join(wanted)}; found also: {', '.join(map(str, extra))}."
        )
    if len(frame) != len(bundle.solution):
        raise Malformed(
            f"Submission must have {len(bundle.solution)} rows, and has {len(frame)}.{_missing(bundle, frame)}"
        )
    if (twice := frame[id].duplicated()).any():
        raise Malformed(
            f"{int(twice.sum())} ids are there more than once, like {frame[id][twice].iloc[0]!r}."
        )
    order = pd.Index(frame[id]).get_indexer(pd.Index(bundle.solution[id]))
    if (order < 0).any():
        strangers = frame[id][~frame[id].isin(bundle.solution[id])]
        raise Malformed(
            f"{len(strangers)} ids are not in the test set, like {strangers.iloc[0]!r}.{_missing(bundle, frame)}"
        )
    for column in wanted[1:]:
        if (
            empty := frame[column].str.strip().str.lower().isin(_EMPTY)
            & ~frame[column].isin(bundle.labels)
        ).any():
            raise Malformed(
                f"{int(empty.sum())} values of {column!r} are empty, the first for id {frame[id][empty].iloc[0]!r}."
            )
    return frame.iloc[order].reset_index(drop=True)


def _missing(bundle: Bundle, frame: pd.DataFrame) -> str:
    absent = bundle.solution[bundle.comp.id][
        ~bundle.solution[bundle.comp.id].isin(frame[bundle.comp.id])
    ]
    return f" {len(absent)} ids are missing, like {absent.iloc[0]!r}." if len(absent) else ""


def _part(bundle: Bundle, answers: pd.DataFrame, usage: str) -> float | None:
    rows = (bundle.solution["Usage"] == usage).to_numpy()
    if not rows.any():
        return None
    truth, answers = (
        bundle.solution[rows].reset_index(drop=True),
        answers[rows].reset_index(drop=True),
    )
    try:
        if bundle.grade is not None:
            found = float(bundle.grade(_natural(answers), _natural(truth.drop(columns="Usage"))))
        else:
            metric = get_metric(bundle.comp.metric)
            found = float(metric.compare(*_arrays(bundle, metric, truth, answers)))
    except Malformed:
        raise
    except (
        Exception,
        SystemExit,
    ) as e:  # a metric that cannot score these answers is the submission's error, not the server's
        raise Malformed(f"The submission could not be scored by {bundle.comp.metric}: {e}") from e
    if not np.isfinite(found):
        raise Malformed(
            f"The submission could not be scored by {bundle.comp.metric}: the score is {found}."
        )
    return found


def _arrays(
    bundle: Bundle, metric: Metric, truth: pd.DataFrame, answers: pd.DataFrame
) -> tuple[Any, Any]:
    columns = list(bundle.sample.columns[1:])
    if metric.wants == "ranking":
        return [_plain(v) for v in truth[bundle.comp.target[0]]], [
            [_plain(v) for v in cell.split()] for cell in answers[columns[0]]
        ]
    if metric.wants == "label":
        true, said = (
            np.array([_plain(v) for v in d])
            for d in (truth[bundle.comp.target[0]], answers[columns[0]])
        )
        _refuse_strangers(bundle, columns[0], answers, said)
        if all(_is_number(v) for v in {*true, *said}):
            true, said = true.astype(float), said.astype(float)
            return (
                (true.astype(int), said.astype(int))
                if (np.r_[true, said] % 1 == 0).all()
                else (true.astype(str), said.astype(str))
            )
        return true, said
    numbers = np.column_stack([_numbers(bundle, answers, c) for c in columns])
    if metric.wants == "probability":
        if not metric.takes_any_scale and ((numbers < 0).any() or (numbers > 1).any()):
            raise Malformed("Probabilities must be between 0 and 1.")
        if len(columns) > 1:
            codes = (
                truth[columns].astype(float).to_numpy().argmax(1)
                if set(columns) <= set(truth)
                else _codes(truth[bundle.comp.target[0]], columns)
            )
            return codes, numbers
        labels = sorted(
            {_plain(v) for v in bundle.solution[bundle.comp.target[0]]},
            key=lambda v: (not _is_number(v), float(v) if _is_number(v) else 0.0, v),
        )
        return np.array([_plain(v) == labels[-1] for v in truth[bundle.comp.target[0]]]).astype(
            int
        ), numbers[:, 0]
    named = [c if c in truth else t for c, t in zip(columns, bundle.comp.target, strict=True)]
    true = truth[named].astype(float).to_numpy()
    return (true[:, 0], numbers[:, 0]) if len(columns) == 1 else (true, numbers)


def _refuse_strangers(bundle: Bundle, column: str, answers: pd.DataFrame, said: Any) -> None:
    "Labels must be ones that the training file or the solution knows; for a regression, numbers."
    known = {_plain(v) for v in bundle.labels}
    odd = (
        ~np.array([_is_number(v) for v in said])
        if bundle.comp.task == "regression"
        else ~np.isin(said, sorted(known))
    )
    if odd.any():
        raise Malformed(
            f"{int(odd.sum())} values of {column!r} are no labels of this competition, like {answers[column][odd].iloc[0]!r} "
            f"for id {answers[bundle.comp.id][odd].iloc[0]!r}."
        )


def _codes(labels: pd.Series, columns: list[str]) -> Any:
    plain = [_plain(c) for c in columns]
    return np.array([plain.index(_plain(v)) for v in labels])


def _numbers(bundle: Bundle, answers: pd.DataFrame, column: str) -> Any:
    numbers = pd.to_numeric(answers[column], errors="coerce").to_numpy(dtype=float)
    if (bad := ~np.isfinite(numbers)).any():
        raise Malformed(
            f"{int(bad.sum())} values of {column!r} are no numbers, like {answers[column][bad].iloc[0]!r} "
            f"for id {answers[bundle.comp.id][bad].iloc[0]!r}."
        )
    return numbers


def _plain(value: str) -> str:
    "One spelling for a label: 1, 1.0 and ' 1 ' are the same."
    value = value.strip()
    return value[:-2] if value.endswith(".0") and _is_number(value) else value


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def _natural(frame: pd.DataFrame) -> pd.DataFrame:
    "The frame as pandas would have read it."
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))
