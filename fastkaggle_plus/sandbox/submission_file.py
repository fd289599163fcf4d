"""Read an uploaded submission: a csv file, alone or compressed by zip or gzip."""

import gzip
import io
import zipfile
from typing import IO

import pandas as pd

EMPTY_CELLS = {"", "nan", "na", "n/a", "<na>", "null", "none", "#n/a"}
_MAX_BYTES = 256 << 20  # of an uncompressed csv


class InvalidSubmission(Exception):
    """An error in a submission, explained to the competitor."""


def read_submission(content: bytes) -> pd.DataFrame:
    """Return the rows of an uploaded file, all cells text. Raises InvalidSubmission."""
    if not content:
        raise InvalidSubmission("The file is empty.")
    try:
        return pd.read_csv(
            io.BytesIO(_decompress(content)), dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except UnicodeDecodeError as e:
        raise InvalidSubmission(f"The file is not UTF-8 text: {e.reason} at byte {e.start}.") from e
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
    ) as e:
        raise InvalidSubmission(f"The file does not read as csv: {e}") from e


def _decompress(content: bytes) -> bytes:
    if content[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(content)) as packed:
            return _read_limited(packed)
    if content[:2] != b"PK":
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as z:
        names = [n for n in z.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]
        if len(names) != 1:
            raise InvalidSubmission(
                f"A zip submission must hold exactly one csv file, and this one holds {len(names)}."
            )
        with z.open(names[0]) as member:
            return _read_limited(member)


def _read_limited(packed: IO[bytes] | gzip.GzipFile) -> bytes:
    content = packed.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InvalidSubmission(f"Unpacked, the file is larger than {_MAX_BYTES >> 20} MB.")
    return content
