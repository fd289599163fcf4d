"""The QUICK switch: a slice of the rows and small models, so that a dry run takes a minute."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..data import CLEANING_FILE

ROWS, ROWS_WITH_IMAGES = 300, 150  # an image takes longer than a row of a table
SMALL = {
    "epochs": 1,
    "n_epochs": 1,
    "n_estimators": 30,
    "iterations": 30,
    "n": 2,
    "bs": 32,
}  # parameters of models that cost time
SIZES_PX = {"item": 64, "batch": 48}  # longer side of the images that a network is given
_STEP_PX = 16  # sides that every tiny network takes: whole patches of a transformer

# Beside what a trial says of its network. Tokens cost most in answering the test rows, which stay as many as they are.
_BESIDE: dict[str, dict[str, Any]] = {
    "vision.vision_model": {"pretrained": False, "freeze_epochs": 0, "n_tta": 2, "bs": 32},
    "text.text_model": {"max_len": 24},
}

# The tiny network that stands for a family, by how names begin; another family's is a small ResNet. None of them has learned anything.
_TINY = {
    "convnext": "test_convnext",
    "efficientnet": "test_efficientnet",
    "tf_efficientnet": "test_efficientnet",
    "vit": "test_vit",
    "deit": "test_vit",
    "beit": "test_vit",
    "swin": "test_mambaout",
    "maxvit": "test_maxvit",
}  # like swin's, mambaout's features are channels last
_SMALLEST = "test_resnet"


def rows_kept(comp: Competition) -> int:
    "Return about how many training rows QUICK keeps."
    return ROWS_WITH_IMAGES if comp.kind == "images" else ROWS


def quick_copy(
    comp: Competition,
    path: str | Path,  # the competition's data
    dest: str | Path = "quick",  # folder to make
    *,
    rows: int
    | None = None,  # training rows to keep, about; each class keeps a few. None: 300, or 150 with images
    seed: int = 42,
) -> Path:
    "Make a folder that holds a slice of the training rows and links to all other files, and return it; the submission stays whole."
    from ..reading import parse_csv, quoting_of

    path, dest, rows = Path(path), Path(dest), rows_kept(comp) if rows is None else rows
    dest.mkdir(parents=True, exist_ok=True)
    train = parse_csv(path / comp.train, dtype=str, keep_default_na=False)
    share = min(1.0, rows / max(len(train), 1))
    shuffled = train.sample(frac=1.0, random_state=seed)
    if comp.task != "regression" and comp.target[0] in train:
        place = shuffled.groupby(comp.target[0]).cumcount()
        size = shuffled.groupby(comp.target[0])[comp.id].transform("size")
        shuffled = shuffled[place < (size * share).clip(lower=5)]
    else:
        shuffled = shuffled.head(rows)
    for entry in path.iterdir():
        link = dest / entry.name
        if entry.name not in (comp.train, CLEANING_FILE) and not link.exists():
            link.symlink_to(entry.resolve(), target_is_directory=entry.is_dir())
    shuffled.sort_index().to_csv(
        dest / comp.train, index=False, lineterminator="\n", quoting=quoting_of(shuffled)
    )
    return dest


def quick_trials(
    trials: Iterable[Any],  # Trial records
) -> tuple[Any, ...]:
    """Return the trials with one epoch, few trees and small bags, where they say how many.

    A network that looks at images becomes a tiny one of its family that has learned nothing, on small images: it needs no download, and shows
    that everything runs. What it scores says nothing. A language model stays what it is, and is trained for one epoch on the first tokens of each row.
    """
    return tuple(dataclasses.replace(t, params=_smaller(t.model, t.params)) for t in trials)


def is_replaced(
    model: str,  # "file.function", as in Trial.model
    params: dict[str, Any],  # of the trial
) -> bool:
    "Say whether QUICK puts another network in the place of a trial's own, so that a dry run does not tell how long that one takes."
    inner = str(params.get("model", ""))  # a bag names what it repeats
    return (_looks(model) and "arch" in params) or any(
        is_replaced(inner, value) for value in params.values() if isinstance(value, dict)
    )


def _smaller(model: str, params: dict[str, Any]) -> dict[str, Any]:
    inner = str(params.get("model", ""))  # a bag names what it repeats
    smaller = {
        name: _smaller(inner, value) if isinstance(value, dict) else _least(model, name, value)
        for name, value in params.items()
    }
    return {**smaller, **_BESIDE.get(model, {})}


def _least(model: str, name: str, value: Any) -> Any:
    if name == "arch" and _looks(model):
        return _tiny(str(value))
    if name in SIZES_PX:
        return _small_px(value, SIZES_PX[name])
    return min(value, SMALL[name]) if name in SMALL and isinstance(value, (int, float)) else value


def _looks(model: str) -> bool:
    "Say whether a model's `arch` is a network that looks at images: a language model, in a file named like text.py, keeps its own, which is attached."
    return not model.partition(".")[0].endswith("text")


def _tiny(arch: str) -> str:
    "The tiny network of the family whose name is the longest beginning of this one's."
    family = max((begin for begin in _TINY if arch.startswith(begin)), key=len, default="")
    return _TINY.get(family, _SMALLEST)


def _small_px(size: Any, longer_px: int) -> Any:
    "A square or (height, width), in about its shape."
    if isinstance(size, int):
        return min(size, longer_px)
    return [
        max(_STEP_PX, round(side * longer_px / max(size) / _STEP_PX) * _STEP_PX) for side in size
    ]
