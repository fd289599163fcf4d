"""Submissions: write predictions as a csv, and check a csv against the sample submission."""

from .contract import check_submission
from .file_check import check_file, check_with_sample
from .write import answer_frame, submission_of, write_submission

__all__ = [
    "answer_frame",
    "check_file",
    "check_submission",
    "check_with_sample",
    "submission_of",
    "write_submission",
]
