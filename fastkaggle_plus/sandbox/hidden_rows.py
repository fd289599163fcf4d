"""The hidden rows of a code competition: taken out of sight in a bundle, or laid open, so that a file may answer them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np

from ..competition import FACTS, Competition, Images, read_competition
from ..exceptions import ConfigError
from ..reading.images import find_images
from .csv_rows import read_rows, write_rows

SHOWN = 36  # test rows that a competitor sees, as in the patent competition
SHOWN_SHARE = (
    0.1  # of the test rows, where that is fewer: a notebook must not get by on what it sees
)

_TAKES_NOTEBOOKS = re.compile(r"""(?m)^(\s*["']?code_competition["']?\s*=\s*)true\b""")


def hide_rows(
    comp: Competition,
    bundle: Path,  # with all test rows, their sample and their images in files/
    *,
    seed: int = 42,  # draws the rows that stay to be seen
) -> None:
    "Leave a few of the test rows in files/, and put test file, sample submission and images of all of them into hidden/."
    files, hidden = bundle / "files", bundle / "hidden"
    test = read_rows(files / comp.test)
    ids, n = test[comp.id], min(SHOWN, max(1, round(SHOWN_SHARE * len(test))))
    shown = set(ids.iloc[np.random.default_rng(seed).choice(len(ids), n, replace=False)])
    if comp.kind == "images":
        where = comp.images or Images()
        for file in find_images(
            test[~ids.isin(shown)], files / where.test_folder, id=comp.id, name=where.name
        ):
            if file is not None and file.exists():
                _move(file, hidden / file.relative_to(files))
    for name in dict.fromkeys((comp.test, comp.sample_submission)):
        rows = read_rows(files / name)
        _move(files / name, hidden / name)
        write_rows(rows[rows[comp.id].isin(shown)], files / name)


def answered_by_file(
    bundle: Path,  # of a code competition
    dest: Path,  # folder of bundles; the new one goes to dest/<slug>
) -> Path:
    "Copy a bundle so that it takes files and shows its hidden rows as its test rows, and return the copy. Raises ConfigError."
    made = dest / bundle.name
    shutil.copytree(
        bundle,
        made,
        ignore=lambda at, names: {"hidden"} & set(names) if Path(at) == bundle else set(),
    )
    if (bundle / "hidden").is_dir():
        shutil.copytree(bundle / "hidden", made / "files", dirs_exist_ok=True)
    facts = made / FACTS
    facts.write_text(
        _TAKES_NOTEBOOKS.sub(r"\1false", facts.read_text(encoding="utf-8")), encoding="utf-8"
    )
    if read_competition(facts).code_competition:
        raise ConfigError(
            f"{bundle / FACTS} says code_competition = true in a way that is not found again. Write it on a line of its own."
        )
    return made


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
