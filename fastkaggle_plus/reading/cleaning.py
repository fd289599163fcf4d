"""Clean a competition's training rows: images are moved, never deleted, and everything can be put back."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..exceptions import DataError, UnknownName
from .cleaning_journal import (
    JOURNAL,
    KEPT,
    Step,
    alone,
    as_rows,
    last_steps,
    read_steps,
    read_text_rows,
    settle,
    write_steps,
)
from .csv import need_columns
from .images import find_images
from .labels import spelled

if TYPE_CHECKING:
    from ..competition import Competition

KEEP, REMOVE = "keep", "remove"
_PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")
_SHOWN = 5  # ids named in an error
_COLUMNS = list(as_rows([Step(*[""] * 8)])[0])


def apply_cleaning(
    table: pd.DataFrame,  # columns `id` and `action`: "" or keep, remove, or the right class; as of `top_losses`
    comp: Competition,
    path: str | Path,  # the data folder, which is changed
    *,
    removed_to: str
    | Path
    | None = None,  # where removed images go; None = PATH-removed, beside the data folder
) -> pd.DataFrame:
    """Remove and relabel training rows, and return what was done, as rows of the journal.

    Images are moved, never deleted: removed ones to `removed_to` under the same relative path; of those in a folder of their label, relabelled
    ones to the folder of the new one. The train csv is rewritten, and stays beside it as NAME.orig. All is written down first in cleaning.csv:
    a call that was killed is completed by the next one, a repeated call does nothing, and `undo_cleaning` puts everything back.
    Raises UnknownName for an action that is none and no class, DataError for ids that the train csv lacks, or files that stand in the way.
    """
    folder = Path(path).resolve()
    away = Path(removed_to).resolve() if removed_to else folder.with_name(f"{folder.name}-removed")
    if (where := _where(comp)) and away.is_relative_to(folder / where[0]):
        raise DataError(
            f"removed_to = {str(away)!r} is inside the training images, where they would be read again. Give a folder outside of them."
        )
    facts = dict(id=comp.id, target=comp.target[0])
    actions = _actions(table)
    file = _train_file(comp, folder)
    with alone(folder):
        steps = read_steps(folder)
        settle(folder, steps, **facts)
        original = (
            []
            if steps
            else [Step("original", "", comp.train, comp.train, comp.train + KEPT, "", "", _now())]
        )
        if original and Path(f"{file}{KEPT}").exists():
            raise DataError(
                f"{file}{KEPT} is there already, and no {JOURNAL} says why. Move it away, so that the original can be kept under that name."
            )
        new = _plan(actions, comp, folder, away, steps)
        if new:
            for step in new:
                (folder / step.end).parent.mkdir(
                    parents=True, exist_ok=True
                )  # a folder that cannot be is told before anything is promised
            write_steps(folder, [*steps, *original, *new])
            settle(folder, [*steps, *original, *new], **facts)
    return _frame(new)


def undo_cleaning(
    path: str | Path,  # the data folder that was cleaned
) -> pd.DataFrame:
    """Put back every image, row and label that `apply_cleaning` changed, and return what was done. Raises DataError when a file stands in the way."""
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Give the data folder that was cleaned.")
    if not (folder / JOURNAL).exists():
        return _frame([])
    with alone(folder):
        steps, now = read_steps(folder), _now()
        first: dict[str, Step] = {}
        for step in steps:
            first.setdefault(step.id, step)
        new = [
            Step(
                "undo",
                s.id,
                s.file,
                s.end,
                first[s.id].start,
                s.label_after,
                first[s.id].label_before,
                now,
            )
            for s in last_steps(steps).values()
            if s.action != "undo"
        ]
        if new:
            write_steps(folder, [*steps, *new])
        settle(folder, [*steps, *new])
    return _frame(new)


def _actions(table: pd.DataFrame) -> dict[str, str]:
    """The action of each id that has one."""
    if missing := [c for c in ("id", "action") if c not in table]:
        raise DataError(
            f"The table has no column {missing[0]!r}; its columns: {', '.join(map(str, table.columns))}. Take the table of top_losses, "
            'set table["action"] = "", and then "remove" or the right class where you mean it.'
        )
    actions: dict[str, str] = {}
    for id, action in zip(
        table["id"].tolist(), table["action"].astype(object).tolist(), strict=True
    ):
        said = "" if pd.isna(action) else spelled(action)
        if said in ("", KEEP):
            continue
        if actions.setdefault(str(id), said) != said:
            raise DataError(
                f"The table has two actions for id {id}: {actions[str(id)]!r} and {said!r}. Keep one."
            )
    return actions


def _train_file(comp: Competition, folder: Path) -> Path:
    if comp.train.endswith(_PACKED):
        raise DataError(
            f"{folder / comp.train} is compressed, and cleaning rewrites it as text. Unpack it, and name the csv as `train` in {comp.facts_file}."
        )
    if not (folder / comp.train).is_file():
        raise DataError(
            f"{folder / comp.train} is not there. Give the data folder of {comp.slug}, as setup_comp returns it."
        )
    return folder / comp.train


def _plan(
    actions: dict[str, str], comp: Competition, folder: Path, away: Path, steps: Sequence[Step]
) -> list[Step]:
    """The steps that are left to do; nothing is touched."""
    file, id, (target, *_) = folder / comp.train, comp.id, comp.target
    rows = read_text_rows(file)
    need_columns(rows, {"id": (id,), "target": comp.target}, file, comp.facts_file)
    known = read_text_rows(kept) if (kept := folder / (comp.train + KEPT)).exists() else rows
    labels = (
        {spelled(v): v for v in known[target].unique().tolist() if v}
        if comp.task != "regression"
        else {}
    )
    if reserved := {KEEP, REMOVE} & labels.keys():
        raise DataError(
            f"{file} has a class called {reserved.pop()!r}, as an action is. Rename the class to clean this competition."
        )
    for said in actions.values():
        if said != REMOVE and said not in labels:
            raise UnknownName(
                "action",
                said,
                [KEEP, REMOVE, *labels],
                "An action is empty, keep, remove, or the class that is right.",
            )
    all_ids = set(known[id])
    if strange := [i for i in actions if i not in all_ids]:
        raise DataError(
            f"{len(strange)} ids of the table are not in {file}: {', '.join(strange[:_SHOWN])}. Was the table made from this competition's data?"
        )
    last = last_steps(steps)
    gone = {i for i, step in last.items() if step.action == REMOVE}
    if back := [i for i, said in actions.items() if i in gone and said != REMOVE]:
        raise DataError(
            f"{len(back)} rows to relabel were removed by an earlier cleaning: {', '.join(back[:_SHOWN])}. "
            "undo_cleaning(path) brings all that were removed back."
        )
    todo = [
        i
        for i, (this, label) in enumerate(zip(rows[id], rows[target], strict=True))
        if this in actions and spelled(label) != actions[this]
    ]
    images = _images(rows, comp, folder)
    _check_unique(
        rows[id].iloc[todo].tolist(), [images[i] for i in todo], rows[id].tolist(), images
    )
    new, now = [], _now()
    for i in todo:
        row, place = rows.iloc[i].to_dict(), images[i]
        remove = actions[row[id]] == REMOVE
        label = "" if remove else labels[actions[row[id]]]
        end = (
            ""
            if not place
            else Path(os.path.relpath(away / place, folder)).as_posix()
            if remove
            else _moved(place, comp, row, label)
        )
        file_at_first = last[row[id]].file if row[id] in last else place
        new.append(
            Step(
                REMOVE if remove else "relabel",
                row[id],
                file_at_first,
                place,
                end,
                row[target],
                label,
                now,
            )
        )
    _check_free(folder, new, steps)
    return new


def _where(comp: Competition) -> tuple[str, str] | None:
    """The folder and the name template of training images, None where the competition has none."""
    if comp.images:
        return comp.images.train_folder, comp.images.name
    return ("train_images", "{id}") if comp.kind == "images" else None  # as `read_images` has it


def _images(rows: pd.DataFrame, comp: Competition, folder: Path) -> list[str]:
    """Each row\'s image as a path in the data folder, "" where there is none."""
    if (where := _where(comp)) is None:
        return [""] * len(rows)
    found = find_images(rows, folder / where[0], id=comp.id, name=where[1])
    return [f.relative_to(folder).as_posix() if f else "" for f in found]


def _moved(place: str, comp: Competition, row: dict[str, Any], label: str) -> str:
    """Where an image belongs under its new label: elsewhere only if its path says the old one."""
    within, name = _where(comp) or ("", "")
    inside, suffix = Path(place).relative_to(within).as_posix(), Path(place).suffix
    before = {**row, "id": row[comp.id]}
    was, will = (
        re.sub(r"{(\w+)}", lambda m, v=values: v.get(m[1], m[0]), name)  # type: ignore[misc]
        for values in (before, {**before, comp.target[0]: label})
    )
    if inside not in (was, was + suffix):
        return place
    return (Path(within) / (will if inside == was else will + suffix)).as_posix()


def _check_unique(
    ids: list[str], images: list[str], all_ids: list[str], all_images: list[str]
) -> None:
    for what, ours, everyone in (("id", ids, all_ids), ("image", images, all_images)):
        counts = pd.Series(everyone).value_counts()
        if twice := [v for v in ours if v and counts[v] > 1]:
            raise DataError(
                f"The {what} {twice[0]} belongs to {counts[twice[0]]} training rows, so it cannot be cleaned for one of them. "
                "Mend the train csv."
            )


def _check_free(folder: Path, new: Sequence[Step], steps: Sequence[Step]) -> None:
    """Refuse to move an image to where another is, will be, or comes back to if all is undone."""
    claims = {
        place: s.id for s in steps if s.action != "original" for place in (s.start, s.end) if place
    }
    for step in new:
        if not step.end or step.end == step.start:
            continue
        if claims.setdefault(step.end, step.id) != step.id or (folder / step.end).exists():
            raise DataError(
                f"{step.start} would move to {folder / step.end}, and another file has that name. Move that one away, or give another removed_to."
            )


def _frame(steps: Sequence[Step]) -> pd.DataFrame:
    return pd.DataFrame(as_rows(steps), columns=_COLUMNS)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
