"""QUICK mode: a slice of the rows and small models, so that a dry run takes a minute."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..data import CLEANING_FILE

ROWS, ROWS_WITH_IMAGES = 300, 150  # an image takes longer than a row of a table
# Upper limits for parameters that cost time.
SMALL = {"epochs": 1, "n_epochs": 1, "n_estimators": 30, "iterations": 30, "n": 2, "bs": 32}
SIZES_PX = {"item": 64, "batch": 48}  # longer side of the images
_STEP_PX = 16  # sides are multiples of this: the patch size of the tiny transformers

# Parameters that QUICK sets. `max_len`, as language models still predict all test rows.
_FIXED: dict[str, dict[str, Any]] = {
    "vision.vision_model": {
        **{"pretrained": False, "head": "fastai", "epochs": 1, "freeze_epochs": 0},
        **{"n_tta": 2, "bs": 32},
    },
    "text.text_model": {"epochs": 1, "max_len": 24},
}

# Start of an architecture's name -> tiny untrained network of its family.
_TINY = {
    "convnext": "test_convnext",
    "efficientnet": "test_efficientnet",
    "tf_efficientnet": "test_efficientnet",
    "vit": "test_vit",
    "deit": "test_vit",
    "beit": "test_vit",
    "swin": "test_mambaout",  # both have channels-last features
    "maxvit": "test_maxvit",
}
_TINY_DEFAULT = "test_resnet"


def rows_kept(comp: Competition) -> int:
    """Return about how many training rows QUICK keeps."""
    return ROWS_WITH_IMAGES if comp.kind == "images" else ROWS


def quick_copy(
    comp: Competition,
    path: str | Path,  # the competition's data
    dest: str | Path = "quick",  # folder to make
    *,
    rows: int | None = None,  # training rows to keep, about; None: 300, or 150 with images
    seed: int = 42,
) -> Path:
    """Make a folder with a slice of the training rows and links to all other files; return it.

    Each class keeps at least five rows, and the test rows stay complete.
    """
    from ..reading import parse_rows, quoting_of
    from ..reading.class_folders import FILE

    path, dest, rows = Path(path), Path(dest), rows_kept(comp) if rows is None else rows
    dest.mkdir(parents=True, exist_ok=True)
    train = parse_rows(path / comp.train, dtype=str, keep_default_na=False)
    shuffled = train.sample(frac=1.0, random_state=seed)
    if comp.task != "regression" and comp.target[0] in train:
        by_class = shuffled.groupby(comp.target[0])[comp.target[0]]
        share = min(1.0, rows / max(len(train), 1))
        kept = by_class.cumcount() < (by_class.transform("size") * share).clip(lower=5)
        shuffled = shuffled[kept]
    else:
        shuffled = shuffled.head(rows)
    made = {comp.train}
    if (path / comp.train).is_dir():  # class folders
        made = {Path(comp.train, file).parts[0] for file in train[FILE]}
        _link_images(shuffled[FILE], path / comp.train, dest / comp.train)
    for entry in path.iterdir():
        link = dest / entry.name
        if entry.name not in (*made, CLEANING_FILE) and not link.exists():
            link.symlink_to(entry.resolve(), target_is_directory=entry.is_dir())
    if (path / comp.train).is_file():
        shuffled.sort_index().to_csv(
            dest / comp.train, index=False, lineterminator="\n", quoting=quoting_of(shuffled)
        )
    return dest


def _link_images(files: Iterable[str], folder: Path, dest: Path) -> None:
    """Link images of class folders into a copy of the folders."""
    for file in files:
        link = dest / file
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to((folder / file).resolve())


def quick_trials(trials: Iterable[Any]) -> tuple[Any, ...]:
    """Return Trial records with one epoch, few trees and small bags.

    An image network is replaced by a tiny untrained one of its family, on small images: it needs no
    download, shows that everything runs, and its score means nothing. A language model stays the
    same, but is trained for one epoch on the first tokens of each row. A probe stays the same.
    """
    return tuple(dataclasses.replace(t, params=_smaller(t.model, t.params)) for t in trials)


def is_replaced(model: str, params: dict[str, Any]) -> bool:
    """Say whether QUICK replaces a trial's network. If so, a dry run says nothing on its time."""
    if _is_image_network(model) and "arch" in params:
        return True
    bagged = str(params.get("model", ""))  # a bag names the model that it repeats
    return any(is_replaced(bagged, value) for value in params.values() if isinstance(value, dict))


def _smaller(model: str, params: dict[str, Any]) -> dict[str, Any]:
    bagged = str(params.get("model", ""))
    smaller: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            smaller[name] = _smaller(bagged, value)
        elif name == "arch" and _is_image_network(model):
            families = [family for family in _TINY if str(value).startswith(family)]
            smaller[name] = _TINY[max(families, key=len)] if families else _TINY_DEFAULT
        elif name in SIZES_PX:
            smaller[name] = _smaller_size(value, SIZES_PX[name])
        elif name in SMALL and isinstance(value, (int, float)):
            smaller[name] = min(value, SMALL[name])
        else:
            smaller[name] = value
    return {**smaller, **_FIXED.get(model, {})}


def _is_image_network(model: str) -> bool:
    """Say whether a model trains the image network `arch`; a probe does not, nor do texts."""
    file = model.partition(".")[0]
    return "text" not in file and file != "probe"


def _smaller_size(size: Any, longer_px: int) -> Any:
    """Return a smaller square, or a smaller (height, width) of about the same shape."""
    if isinstance(size, int):
        return min(size, longer_px)
    scale = longer_px / max(size) / _STEP_PX
    return [max(_STEP_PX, round(side * scale) * _STEP_PX) for side in size]
