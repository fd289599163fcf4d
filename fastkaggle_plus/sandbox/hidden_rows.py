"""Hide most test rows of a code competition's bundle, or show them again for a file submission."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from ..competition import COMPETITION_FILE, Competition, Images, read_competition
from ..exceptions import ConfigError
from ..reading.images import find_images
from .csv_text import read_text_csv, write_csv

_MAX_SHOWN = 36  # test rows that a competitor sees, as in the patent competition
_SHOWN_SHARE = 0.1  # of the test rows, if that is fewer: a notebook must not depend on seen rows
_CODE_COMPETITION = re.compile(r"""(?m)^(\s*["']?code_competition["']?\s*=\s*)true\b""")


def hide_rows(
    comp: Competition,
    bundle: Path,  # with all test rows, their sample submission and images in files/
    *,
    seed: int = 42,  # chooses the rows that stay visible
) -> None:
    """Keep a few test rows in files/, and move the full test file, sample and images to hidden/."""
    files, hidden, test_name = bundle / "files", bundle / "hidden", comp.test_name(bundle / "files")
    ids = read_text_csv(files / comp.sample_submission)[comp.id]  # in the order of the test rows
    n_shown = min(_MAX_SHOWN, max(1, round(_SHOWN_SHARE * len(ids))))
    shown = set(ids.iloc[np.random.default_rng(seed).choice(len(ids), n_shown, replace=False)])
    is_shown = ids.isin(shown).to_numpy()
    if comp.kind == "images":
        where = comp.images or Images()
        rows = pd.DataFrame({comp.id: ids})
        if (files / test_name).is_file():
            rows = read_text_csv(files / test_name).assign(**{comp.id: ids})
        rows = rows[~is_shown]
        for file in find_images(rows, files / where.test_folder, id=comp.id, name=where.name):
            if file is not None and file.exists():
                _move(file, hidden / file.relative_to(files))
    for name in dict.fromkeys((test_name, comp.sample_submission)):
        if (files / name).is_file():
            rows = read_text_csv(files / name)
            _move(files / name, hidden / name)
            write_csv(rows[is_shown], files / name, like=hidden / name)


def answered_by_file(
    bundle: Path,  # of a code competition
    dest: Path,  # folder of bundles; the new one is dest/<slug>
) -> Path:
    """Copy a bundle so that it takes files and shows all test rows. Raises ConfigError."""
    made = dest / bundle.name
    shutil.copytree(bundle, made, ignore=lambda at, names: ["hidden"] if Path(at) == bundle else [])
    if (bundle / "hidden").is_dir():
        shutil.copytree(bundle / "hidden", made / "files", dirs_exist_ok=True)
    facts = made / COMPETITION_FILE
    text = facts.read_text(encoding="utf-8")
    facts.write_text(_CODE_COMPETITION.sub(r"\1false", text), encoding="utf-8")
    if read_competition(facts).code_competition:
        raise ConfigError(
            f"{bundle / COMPETITION_FILE}: cannot find `code_competition = true`. "
            "Write it on its own line."
        )
    return made


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
