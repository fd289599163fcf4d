"""Read the rows as competition.toml describes them. Add your features here."""

from pathlib import Path

from fastkaggle_plus import Data, load_comp


def read(path: Path) -> Data:
    """Return the competition's rows.

    `data.raw_train` and `data.raw_test` are the unchanged files. `data.with_features` returns a
    copy with other columns.
    """
    return load_comp(Path(__file__).parent).read_files(path)
