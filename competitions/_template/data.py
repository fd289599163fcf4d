"""Read the rows: by the facts of competition.toml alone, until you add features."""

from pathlib import Path

from fastkaggle_plus import Data, load_comp


def read(path: Path) -> Data:
    """Return the competition's rows.

    `data.raw_train` and `data.raw_test` are the files as they are, `data.with_features` takes better columns.
    """
    return load_comp(Path(__file__).parent).read_files(path)
