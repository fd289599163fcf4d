"""The sample submission of a competition, or one made from its test ids."""

from pathlib import Path
from typing import Any

import pandas as pd

from ..competition import Competition
from ..exceptions import DataError
from ..reading import ids_of_test, parse_rows, read_sample
from ..reading.labels import spelled


def read_sample_of(comp: Competition, path: Path, labels: tuple[Any, ...]) -> pd.DataFrame:
    """Read the sample submission, or make one from the test ids.

    Made ones have the target columns, or one column for each class of a multiclass probability.
    """
    file = path / comp.sample_submission
    if file.exists():
        return parse_rows(file, dtype=str, keep_default_na=False)
    try:
        test_ids = ids_of_test(path, train=comp.train, test=comp.test_name(path), id=comp.id)
    except (DataError, KeyError) as e:
        raise DataError(
            f"Cannot read {file}, nor the ids of {path / comp.test} ({e}). "
            f"Run `fkp setup {comp.slug} --live` first."
        ) from e
    by_class = comp.task == "multiclass" and comp.scoring.wants == "probability"
    columns = tuple(map(spelled, labels)) if by_class and labels else comp.target
    return read_sample(path, comp.sample_submission, test_ids, columns)
