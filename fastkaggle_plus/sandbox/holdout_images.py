"""Copy the images of a rehearsal's training and held-out rows into its bundle."""

import shutil
from pathlib import Path

import pandas as pd

from ..competition import Competition, Images
from ..exceptions import DataError
from ..reading import parse_csv
from ..reading.images import find_images, image_names, path_endings


def copy_images(
    comp: Competition,
    path: Path,  # the competition's data
    files: Path,  # the bundle's files/, with its test file
    *,
    rest: pd.DataFrame,  # training rows of the bundle
    test: pd.DataFrame,  # held-out rows
) -> None:
    """Copy each row's image to where a competitor looks for it. Raises DataError.

    A folder name can be the label, so held-out images go into one flat folder. Their own folder is
    kept only if the test file names it.
    """
    where = comp.images or Images()
    folder = path / where.train_folder
    rest_files = find_images(rest, folder, id=comp.id, name=where.name)
    test_files = find_images(test, folder, id=comp.id, name=where.name)
    if not any((*rest_files, *test_files)):
        raise DataError(
            f"No image of {comp.id} = {rest[comp.id].iloc[0]!r}, nor of any other row, is in "
            f"{folder}. Check train_folder and name in [images] of {comp.facts_file}."
        )
    for source in rest_files:
        if source is not None:  # the reader reports a missing image
            _copy(source, files / source.relative_to(path))
    columns = parse_csv(files / comp.test, nrows=0).columns
    visible = test[[c for c in columns if c in test and c not in comp.target]]
    names = image_names(visible, id=comp.id, name=where.name)
    for source, name in zip(test_files, names, strict=True):
        if source is not None:
            inside = source.relative_to(folder)
            spellings = {inside.as_posix(), inside.with_suffix("").as_posix()}
            is_named = not spellings.isdisjoint(path_endings(name))
            _copy(source, files / where.test_folder / (inside if is_named else source.name))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
