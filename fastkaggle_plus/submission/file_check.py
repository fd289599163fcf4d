"""Check a submission file before it is sent."""

from pathlib import Path
from typing import Any

import pandas as pd

from ..competition import Competition
from ..exceptions import SubmissionError
from ..metrics import Metric
from ..reading import parse_rows
from .contract import check_submission
from .sample import read_sample_of


def check_file(
    file: str | Path,
    comp: Competition,
    path: str | Path,  # the folder with the competition's data
    *,
    labels: tuple[Any, ...] = (),  # allowed labels; () for any
) -> pd.DataFrame:
    """Check a submission csv and return it in the sample's order. Raises SubmissionError."""
    frame = _read_answers(file)
    sample = read_sample_of(comp, Path(path), labels)
    return check_submission(frame, sample, metric=comp.scoring, labels=labels)


def check_with_sample(
    file: str | Path,
    sample: str | Path,  # the sample submission
    *,
    metric: str | Metric = "",  # or its name; "": the values of the answers are not checked
) -> pd.DataFrame:
    """Check a submission csv with a sample file, as `check_file` does. Raises SubmissionError."""
    frame = _read_answers(file)
    rows = parse_rows(Path(sample), dtype=str, keep_default_na=False)
    return check_submission(frame, rows, metric=metric)


def _read_answers(file: str | Path) -> pd.DataFrame:
    try:
        # Kaggle accepts only UTF-8
        return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as e:
        raise SubmissionError(
            f"{file} does not read as csv: {e}. Expected a csv in UTF-8. Write it again, for "
            "example with write_submission."
        ) from e
