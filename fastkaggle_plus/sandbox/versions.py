"""Folders of files in versions, as datasets and models have them: taken from uploads, ready a moment later, kept over restarts."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .archives import BadArchive, expand, is_archive, unpacked_name
from .rpc import Fields, Refused, text
from .state import State, now

WHOLE = "archive.zip"  # kagglehub packs a folder of many files under this name
_DEEPEST = 40  # folders in folders of an upload
_OPEN = ("BLOBS_RECEIVED", "BLOBS_DECOMPRESSED")  # states that processing goes on from


class NotMade(ValueError):
    "An item or version that is not made; the text is the service's answer."


class Versions:
    "The items of every kind, and the thread that makes their versions ready."

    def __init__(
        self, state: State, *, delay_s: float = 0.1, slow_s: Callable[[], float] = lambda: 0.0
    ):
        self.state, self.delay_s, self._slow_s = state, delay_s, slow_s
        self._waiting: queue.Queue[tuple[int, int] | None] = queue.Queue()
        self._stopping = threading.Event()
        for row in state.rows(
            f"select item, number from versions where status in {_OPEN} order by date"
        ):  # left over by a stop
            self._waiting.put((row["item"], row["number"]))
        self._thread = threading.Thread(target=self._process_all, daemon=True, name="versions")
        self._thread.start()

    def close(self) -> None:
        "Stop; what is not ready yet is made ready by the next start."
        self._stopping.set()
        self._waiting.put(None)
        self._thread.join(timeout=30)

    def item(self, kind: str, handle: str) -> Fields | None:
        "Return an item, its facts read, or None."
        return next(iter(self._items("kind = ? and handle = ?", kind, handle.lower())), None)

    def asked(self, kind: str, noun: str, owner: str, name: str, *, user: str) -> Fields:
        "Return the item that `user` asks for; whether another's exists is not said. Raises Refused."
        if (item := self.item(kind, f"{owner}/{name}")) is not None:
            return item
        if owner.lower() == user.lower():
            raise Refused(404, f"{noun.capitalize()} {owner}/{name} was not found.")
        raise Refused(403, f"Permission '{noun}s.get' was denied")

    def items(self, kind: str) -> list[Fields]:
        "Return all items of a kind, last changed first."
        return self._items("kind = ? order by changed desc, id desc", kind)

    def numbered(self, kind: str, number: int) -> Fields | None:
        "Return the item with this number."
        return next(iter(self._items("kind = ? and id = ?", kind, number)), None)

    def create(
        self,
        kind: str,  # datasets, models, ...: its folder in the state
        handle: str,  # owner/name..., checked by the caller
        facts: Fields,
        *,
        files: Fields
        | None = None,  # the request's `files` and `directories`; None: an item without versions
        notes: str = "",
    ) -> Fields:
        "Enter an item with its first version and return it. Raises NotMade."
        with self.state.writing():
            if self.item(kind, handle):
                raise NotMade(f"{handle} exists already.")
            moment = now()
            number = self.state.insert(
                "items",
                kind=kind,
                handle=handle.lower(),
                facts=json.dumps(facts),
                created=moment,
                changed=moment,
            )
            if files is not None:
                self._enter(number, files, notes, replaces_all=False)
        if files is not None:
            self._waiting.put((number, 1))
        return self._items("id = ?", number)[0]

    def add(
        self,
        item: Fields,
        files: Fields,  # the request's `files` and `directories`
        *,
        notes: str = "",
        replaces_all: bool = False,  # older versions go once this one is ready
        facts: Fields | None = None,  # that change with it
    ) -> int:
        "Enter the next version of an item and return its number. Raises NotMade."
        with self.state.writing():
            number = self._enter(item["id"], files, notes, replaces_all=replaces_all)
            self._change(item, facts or {})
        self._waiting.put((item["id"], number))
        return number

    def change(self, item: Fields, facts: Fields) -> None:
        "Change some facts of an item."
        with self.state.writing():
            self._change(item, facts)

    def count_download(self, item: Fields) -> None:
        "Count one more download of an item."
        self.state.update("update items set downloads = downloads + 1 where id = ?", item["id"])

    def delete(self, item: Fields, number: int | None = None) -> None:
        "Delete an item, or one of its versions."
        if number is not None:
            with self.state.writing():
                self._drop(item, number)
            return
        with self.state.writing():
            self.state.update("delete from items where id = ?", item["id"])
            self.state.update("delete from versions where item = ?", item["id"])
        with (
            self.state.writing()
        ):  # a kill in between leaves files without an item, never an item without its files
            if self.item(item["kind"], item["handle"]) is None:
                shutil.rmtree(self._path(item), ignore_errors=True)

    def all(self, item: Fields) -> list[Fields]:
        "Return the versions of an item, newest first."
        return self.state.rows(
            "select * from versions where item = ? order by number desc", item["id"]
        )

    def ready(self, item: Fields, number: int | None = None) -> Fields | None:
        "Return the newest version that is ready, or the numbered one if it is."
        return next(
            (
                v
                for v in self.all(item)
                if v["status"] == "READY" and number in (None, 0, v["number"])
            ),
            None,
        )

    def folder(self, kind: str, handle: str, number: int | None = None) -> Path | None:
        "Return the folder with the files of a version that is ready, the newest by default."
        item = self.item(kind, handle)
        version = self.ready(item, number) if item else None
        return self._path(item) / str(version["number"]) if item and version else None

    def files(self, kind: str, handle: str, number: int | None = None) -> dict[str, Path]:
        "Return the files of a version that is ready, by their path in it."
        root = self.folder(kind, handle, number)
        return (
            {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}
            if root
            else {}
        )

    def _items(self, where: str, *values: Any) -> list[Fields]:
        return [
            {**r, "facts": json.loads(r["facts"])}
            for r in self.state.rows(f"select * from items where {where}", *values)
        ]

    def _path(self, item: Fields) -> Path:
        return self.state.folder / item["kind"] / item["handle"]

    def _drop(self, item: Fields, number: int) -> None:
        self.state.update("delete from versions where item = ? and number = ?", item["id"], number)
        shutil.rmtree(self._path(item) / str(number), ignore_errors=True)

    def _change(self, item: Fields, facts: Fields) -> None:
        kept = self._items("id = ?", item["id"])[0]["facts"]
        self.state.update(
            "update items set facts = ?, changed = ? where id = ?",
            json.dumps({**kept, **facts}),
            now(),
            item["id"],
        )

    def _enter(self, item: int, files: Fields, notes: str, *, replaces_all: bool) -> int:
        plan = self._plan(files)
        if not plan:
            raise NotMade("There are no files. Upload at least one.")
        for entry in plan:
            self.state.update("update uploads set used = 1 where token = ?", entry["token"])
        self.state.update(
            "update items set last = last + 1 where id = ?", item
        )  # a deleted version's number is not given again
        number = int(self.state.rows("select last from items where id = ?", item)[0]["last"])
        self.state.insert(
            "versions",
            item=item,
            number=number,
            status=_OPEN[0],
            date=now(),
            notes=notes,
            plan=json.dumps(plan),
            replaces_all=int(replaces_all),
        )
        return number

    def _plan(self, files: Fields) -> list[Fields]:
        "Say which upload goes where. Raises NotMade."
        plan: dict[str, Fields] = {}
        tokens: set[str] = set()

        def walk(folder: Fields, at: str, depth: int) -> None:
            if depth > _DEEPEST:
                raise NotMade(f"Folders lie more than {_DEEPEST} deep.")
            for file in folder.get("files") or []:
                token = text(file, "token")
                upload = next(
                    iter(self.state.rows("select * from uploads where token = ?", token)), None
                )
                if upload is None or not upload["done"] or upload["purpose"]:
                    raise NotMade(
                        "A file's token is unknown, or its upload is not complete. Upload the file again."
                    )
                path = at + _one_name(upload["file_name"])
                if upload["used"] or token in tokens:
                    raise NotMade(f"The upload of {path} was used before. Upload the file again.")
                if path in plan:
                    raise NotMade(f"Two files are called {path}.")
                tokens.add(token)
                plan[path] = {
                    "path": path,
                    "token": token,
                    "description": text(file, "description"),
                    "columns": file.get("columns") or [],
                }
            for inner in folder.get("directories") or []:
                walk(inner, f"{at}{_one_name(text(inner, 'name'))}/", depth + 1)

        walk(files, "", 0)
        return list(plan.values())

    def _process_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            if self._stopping.wait(self.delay_s + self._slow_s()):
                return
            try:
                self._process(*waiting)
            except Exception as e:  # one odd archive must not stop the others
                said = str(e) if isinstance(e, BadArchive) else f"{type(e).__name__}: {e}"
                self._fail(*waiting, f"The files could not be processed. {said}")

    def _process(self, number: int, version: int) -> None:
        "Lay out the files of a version and say READY. Repeating it after a kill does no harm."
        item, row = self._waiting_row(number, version)
        if item is None or row is None:  # deleted meanwhile
            return
        made, plan = self._path(item) / str(version), json.loads(row["plan"])
        part = made.with_name(f"{version}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for entry in plan:
            self._lay_out(entry, part, is_whole=len(plan) == 1 and entry["path"] == WHOLE)
        self.state.update(
            "update versions set status = ? where item = ? and number = ?",
            _OPEN[1],
            number,
            version,
        )
        size = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        with self.state.writing():
            if self._waiting_row(number, version)[1] is None:
                shutil.rmtree(part, ignore_errors=True)
                return
            shutil.rmtree(made, ignore_errors=True)
            part.replace(made)
            self.state.update(
                "update versions set status = 'READY', size = ? where item = ? and number = ?",
                size,
                number,
                version,
            )
            for old in self.all(item) if row["replaces_all"] else ():
                if old["number"] < version:
                    self._drop(item, old["number"])
        self._forget_uploads(plan)

    def _fail(self, number: int, version: int, error: str) -> None:
        item, row = self._waiting_row(number, version)
        if item and row:
            shutil.rmtree(self._path(item) / f"{version}.part", ignore_errors=True)
            self.state.update(
                "update versions set status = 'FAILED', error = ? where item = ? and number = ?",
                error,
                number,
                version,
            )
            self._forget_uploads(json.loads(row["plan"]))

    def _waiting_row(self, number: int, version: int) -> tuple[Fields | None, Fields | None]:
        items = self._items("id = ?", number)
        rows = self.state.rows(
            "select * from versions where item = ? and number = ?", number, version
        )
        return (items[0] if items else None), (rows[0] if items and rows else None)

    def _forget_uploads(self, plan: list[Fields]) -> None:
        for entry in plan:
            self.state.blob(entry["token"]).unlink(missing_ok=True)

    def _lay_out(self, entry: Fields, root: Path, *, is_whole: bool) -> None:
        blob, file = self.state.blob(entry["token"]), root / entry["path"]
        if is_archive(file.name, blob):
            expand(blob, root if is_whole else file.with_name(unpacked_name(file.name)))
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            raise BadArchive(f"Two files are called {entry['path']}.")
        try:
            os.link(blob, file)
        except OSError:  # a file system without links
            shutil.copyfile(blob, file)


def split_version(handle: str, parts: int) -> tuple[list[str], int | None]:
    "Return the parts of a handle and the version it may end with; no parts when it is no handle."
    found = handle.split("/")
    if len(found) == parts + 1 and re.fullmatch(r"[1-9]\d{0,9}", found[-1]):
        return found[:-1], int(found[-1])
    return (found if len(found) == parts else []), None


def _one_name(name: str) -> str:
    "A file or folder name that stays where it is put."
    if (
        not name
        or name in (".", "..")
        or len(name.encode()) > 255
        or any(c in name for c in "/\\\0")
    ):
        raise NotMade(f"{name!r} cannot be the name of a file or folder.")
    return name
