"""Read the files of a competition into Data: tables, images, texts; and clean them."""

from .cleaning import apply_cleaning, undo_cleaning
from .csv import need_columns, parse_csv, quoting_of, read_csv, read_sample
from .image_checks import check_images, image_sizes
from .tables import as_time, read_tabular, values_of

__all__ = [
    "apply_cleaning",
    "as_time",
    "check_images",
    "image_sizes",
    "need_columns",
    "parse_csv",
    "quoting_of",
    "read_csv",
    "read_sample",
    "read_tabular",
    "undo_cleaning",
    "values_of",
]
