"""Read the files of a competition into Data: tables, images, texts; and clean them."""

from .cleaning import apply_cleaning, undo_cleaning
from .csv import need_columns, quoting_of, separator_of
from .image_checks import check_images, image_sizes
from .new_rows import NewRows
from .row_ids import check_ids, ids_of_test, with_ids
from .rows import PARQUET, parse_rows, read_parquet, read_rows, read_sample
from .tables import as_time, read_tabular, values_of

__all__ = [
    "PARQUET",
    "NewRows",
    "apply_cleaning",
    "as_time",
    "check_ids",
    "check_images",
    "ids_of_test",
    "image_sizes",
    "need_columns",
    "parse_rows",
    "quoting_of",
    "read_parquet",
    "read_rows",
    "read_sample",
    "read_tabular",
    "separator_of",
    "undo_cleaning",
    "values_of",
    "with_ids",
]
