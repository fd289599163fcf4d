"""Find the files of a competition in a folder: train, test, sample submission, images."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import ConfigError, listed
from .class_folders import FILE, LABEL, class_root, image_rows, is_test_folder
from .image_checks import image_sizes
from .image_files import SUFFIXES, files_below, images_below
from .images import image_names

_TABLE = re.compile(r"(?i)\.((csv|tsv|txt)(\.(gz|zip|bz2|xz))?|parquet|pq)$")
_ABOUT = re.compile(r"(?i)readme|license|data.description")
_SAMPLE = "sample|submission"


def find_files(folder: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of train, test and sample submission. The last two need not exist.

    Raises ConfigError without training rows.
    """
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    there = [n for n in names if _TABLE.search(n) and not _ABOUT.match(n)]

    def pick(key: str, pattern: str) -> str:
        usual = (f"{key}.csv", *there)
        found = (n for n in usual if n in there and re.search(pattern, n, re.I))
        return given.get(key) or next(found, "")

    sample = pick("sample_submission", _SAMPLE)
    test = pick("test", rf"^(?!.*({_SAMPLE}|train)).*test")
    others = [n for n in there if n not in (sample, test)]
    train = pick("train", "train") or next((n for n in others if "label" in n.lower()), "")
    no_test = "test.csv"
    if given["kind"] == "images":
        no_test = test_folder_in(folder) or "test"
        if not train and (root := class_root(folder)) is not None:
            train = root.relative_to(folder).as_posix()
    if not train and len(others) == 1:
        train = others[0]
    if not train or not (folder / train).exists():
        raise ConfigError(_no_train(folder, there, given["kind"]))
    return {
        "train": train,
        "test": test or sample or no_test,
        "sample_submission": sample or "sample_submission.csv",
    }


def image_folders(folder: Path, train: pd.DataFrame, id: str) -> dict[str, str]:
    """Return train_folder, test_folder and the name template of the images of a train file."""
    parents = {parent for file in images_below(folder) for parent in file.parents}
    having = sorted(d for d in parents if d.is_relative_to(folder) and d != folder)
    tops = [d for d in having if d.parent not in having]
    only = tops[0] if len(tops) == 1 else None
    train_folder = next((d for d in having if "train" in d.name.lower()), only)
    test_folder = next((d for d in having if is_test_folder(d)), only)
    if train_folder is None:
        raise ConfigError(
            f"Cannot find the training images in {folder}; expected one folder that is not for "
            f"the test, got {listed(d.name for d in having)}. Write the folder without --data and "
            'fill in its [images], or give images={"train_folder": ..., ...} to new_comp.'
        )
    if train.empty:
        raise ConfigError(
            f"The train file in {folder} has no rows, so the names of its images cannot be "
            "inferred. Download the competition's files again."
        )
    files = {f.relative_to(train_folder).as_posix() for f in images_below(train_folder)}
    starts = ["", *(f"{{{c}}}/" for c in train.columns if c != id)]
    suffixes = ["", *sorted({Path(f).suffix for f in files})]
    names = [f"{start}{{id}}{suffix}" for start in starts for suffix in suffixes]
    row = train[:1]
    return {
        "train_folder": train_folder.relative_to(folder).as_posix(),
        "test_folder": (test_folder or train_folder).relative_to(folder).as_posix(),
        "name": next((n for n in names if image_names(row, id=id, name=n)[0] in files), "{id}"),
    }


def describe_class_folders(folder: Path) -> str:
    """Return the classes of a folder with their numbers of images, and what is wrong with them."""
    rows = image_rows(folder)
    labelled = rows[rows[LABEL] != ""]
    counts = labelled[LABEL].value_counts()
    text = f"{len(labelled)} images in {len(counts)} class folders"
    tops = sorted({file.split("/")[0] for file in labelled[FILE]} - set(counts.index))
    if tops:
        text += f" of {' and '.join(tops)}"
    text += f": {listed((f'{c} {n}' for c, n in sorted(counts.items())), 5)}"
    if rare := [str(c) for c in counts.index if counts[c] == 1]:
        text += f"; {listed(rare, 5)} has one image only"
    if (outside := rows[FILE][rows[LABEL] == ""]).size:
        text += f"; left out, in no class folder: {listed(outside, 3)}"
    sizes = image_sizes(folder)
    broken = sizes["file"][(sizes["problem"] != "") & sizes["file"].isin(labelled[FILE])]
    if len(broken):
        text += f"; {len(broken)} of them broken: {listed(broken, 3)}"
    if twice := _in_two_classes(folder, labelled):
        text += f"; the same image in two classes: {listed(twice, 3)}"
    others = (f.relative_to(folder) for f in files_below(folder))
    if other := [p.as_posix() for p in others if p.suffix.lower() not in SUFFIXES]:
        text += f"; left out, not images: {listed(other, 3)}"
    return text


def _in_two_classes(folder: Path, labelled: pd.DataFrame) -> list[str]:
    """Return the images whose bytes are in two classes: "cat/1.jpg = dog/2.jpg"."""
    labels = dict(zip(labelled[FILE], labelled[LABEL], strict=True))
    by_size, by_hash = defaultdict(list), defaultdict(list)
    for file in labels:
        by_size[(folder / file).stat().st_size].append(file)
    for files in by_size.values():
        for file in files if len(files) > 1 else ():
            by_hash[hashlib.sha256((folder / file).read_bytes()).digest()].append(file)
    same = (files for files in by_hash.values() if len({labels[f] for f in files}) > 1)
    return [" = ".join(files) for files in same]


def test_folder_in(folder: Path) -> str:
    """Return the outermost folder of test images, or ""."""
    folders = {parent for file in images_below(folder) for parent in file.parents}
    inside = [f for f in folders if f.is_relative_to(folder) and f != folder and is_test_folder(f)]
    shortest = sorted(inside, key=lambda f: (len(f.parts), f))
    return shortest[0].relative_to(folder).as_posix() if shortest else ""


def _no_train(folder: Path, there: list[str], kind: str) -> str:
    """Explain why there are no training rows, and what to do."""
    images = images_below(folder)
    tables = f"its tables are {listed(there)}" if there else "it contains no table"
    problem = f"{folder} has no train file: {tables}."
    if kind != "images" and images and not there:
        return f"{problem} It has {len(images)} images: add --kind images."
    if kind == "images" and not there:
        places = sorted({f.parent.relative_to(folder).as_posix() for f in images})
        places = ["the folder itself" if p == "." else p for p in places]
        return (
            f"{folder} has no train file, and no class folders. Expected a csv with the labels, "
            f"or at least two folders of images that are named by their class, as in "
            f"{folder}/cat/1.jpg; got {len(images)} images in {listed(places, 5)}."
        )
    return (
        f"{problem} Give its name with --train (train=...), or download the competition's files "
        "there first."
    )
