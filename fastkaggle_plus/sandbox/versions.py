"""Datasets and models: folders of files in versions, made from uploads in the background."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .archives import BadArchive
from .rpc import Fields, Rejected, Row, now
from .state import State
from .upload_plan import plan_files, write_files
from .worker import Worker

_IN_PROGRESS = ("BLOBS_RECEIVED", "BLOBS_DECOMPRESSED")


class Versions:
    """The items (datasets, models, variations) of a sandbox and their versions."""

    def __init__(
        self, state: State, *, delay_s: float = 0.1, slow_s: Callable[[], float] = lambda: 0.0
    ):
        self.state = state
        self._worker = Worker("versions", self._process, delay_s=lambda: delay_s + slow_s())
        for row in state.rows(  # a stop left these over
            f"select item, number from versions where status in {_IN_PROGRESS} order by date"
        ):
            self._worker.put((row["item"], row["number"]))

    def close(self) -> None:
        """Stop. The next start processes the remaining versions."""
        self._worker.close()

    def item(self, kind: str, handle: str) -> Row | None:
        """Return an item with its parsed facts, or None."""
        return self._item("kind = ? and handle = ?", kind, handle.lower())

    def item_by_id(self, kind: str, id: int) -> Row | None:
        """Return the item with this number, or None."""
        return self._item("kind = ? and id = ?", kind, id)

    def items(self, kind: str) -> list[Row]:
        """Return all items of a kind, the last changed first."""
        return self._items("kind = ? order by changed desc, id desc", kind)

    def create(
        self,
        kind: str,  # datasets, models, ...: its folder in the state
        handle: str,  # owner/name..., checked by the caller
        facts: Row,
        *,
        files: Fields | None = None,  # with `files` and `directories`; None: no version
        notes: str = "",
    ) -> Row:
        """Add an item with its first version and return it. Raises Rejected."""
        with self.state.writing():
            if self.item(kind, handle):
                raise Rejected(f"{handle} already exists.", 409)
            columns = {"kind": kind, "handle": handle.lower(), "facts": json.dumps(facts)}
            moment = now()
            id = self.state.insert("items", **columns, created=moment, changed=moment)
            item = self._items("id = ?", id)[0]
            if files is not None:
                self.add(item, files, notes=notes)
        return item

    def add(
        self,
        item: Row,
        files: Fields,  # with `files` and `directories`
        *,
        notes: str = "",
        replaces_all: bool = False,  # delete older versions once this one is ready
        facts: Row | None = None,  # that change with it
    ) -> int:
        """Add the next version of an item and return its number. Raises Rejected."""
        id = item["id"]
        with self.state.writing():
            plan = plan_files(self.state, files)
            for entry in plan:
                self.state.mark_used(entry["token"])
            # Counted apart from the versions: a deleted version's number is not used again.
            self.state.update("update items set last = last + 1 where id = ?", id)
            number = int(self._items("id = ?", id)[0]["last"])
            self.state.insert(
                "versions",
                item=id,
                number=number,
                status=_IN_PROGRESS[0],
                date=now(),
                notes=notes,
                plan=json.dumps(plan),
                replaces_all=int(replaces_all),
            )
            self.change(item, facts or {})
            self._worker.put((id, number))
        return number

    def change(self, item: Row, facts: Row) -> None:
        """Change some facts of an item."""
        with self.state.writing():
            current = self._items("id = ?", item["id"])[0]["facts"]
            merged = json.dumps({**current, **facts})
            self.state.change("items", {"id": item["id"]}, facts=merged, changed=now())

    def count_download(self, item: Row) -> None:
        """Count one more download of an item."""
        self.state.update("update items set downloads = downloads + 1 where id = ?", item["id"])

    def delete(self, item: Row) -> None:
        """Delete an item with all its versions."""
        with self.state.writing():
            self.state.update("delete from items where id = ?", item["id"])
            self.state.update("delete from versions where item = ?", item["id"])
        # A kill here leaves files without an item, never an item without its files.
        with self.state.writing():
            if self.item(item["kind"], item["handle"]) is None:
                shutil.rmtree(self._folder(item), ignore_errors=True)

    def delete_version(self, item: Row, number: int) -> None:
        """Delete one version of an item."""
        with self.state.writing():
            key = (item["id"], number)
            self.state.update("delete from versions where item = ? and number = ?", *key)
            shutil.rmtree(self._folder(item) / str(number), ignore_errors=True)

    def all(self, item: Row) -> list[Row]:
        """Return the versions of an item, the newest first."""
        sql = "select * from versions where item = ? order by number desc"
        return self.state.rows(sql, item["id"])

    def ready(self, item: Row, number: int | None = None) -> Row | None:
        """Return the newest version that is ready, or version `number` if it is ready."""
        for version in self.all(item):
            if version["status"] == "READY" and number in (None, 0, version["number"]):
                return version
        return None

    def current(self, item: Row) -> Row:
        """Return the version that is shown: the newest that is ready, or else the newest."""
        return self.ready(item) or self.all(item)[0]

    def folder(self, kind: str, handle: str, number: int | None = None) -> Path | None:
        """Return the folder of a version that is ready, by default the newest."""
        item = self.item(kind, handle)
        version = self.ready(item, number) if item else None
        return self._folder(item) / str(version["number"]) if item and version else None

    def files(self, item: Row, number: int | None = None) -> dict[str, Path]:
        """Return the files of a version that is ready, by their path in it."""
        root = self.folder(item["kind"], item["handle"], number)
        found = sorted(root.rglob("*")) if root else []
        return {p.relative_to(root).as_posix(): p for p in found if root and p.is_file()}

    def _items(self, where: str, *values: Any) -> list[Row]:
        rows = self.state.rows(f"select * from items where {where}", *values)
        return [{**r, "facts": json.loads(r["facts"])} for r in rows]

    def _item(self, where: str, *values: Any) -> Row | None:
        return next(iter(self._items(where, *values)), None)

    def _folder(self, item: Row) -> Path:
        return self.state.folder / item["kind"] / item["handle"]

    def _process(self, which: tuple[int, int]) -> None:
        """Write the files of a version and set READY or FAILED."""
        item, version = self._item("id = ?", which[0]), self._version(*which)
        if item is None or version is None:  # deleted since
            return
        made = self._folder(item) / str(version["number"])
        part = made.with_name(f"{made.name}.part")
        plan = json.loads(version["plan"])
        try:
            shutil.rmtree(part, ignore_errors=True)  # a kill left it
            part.mkdir(parents=True)
            write_files(self.state, plan, part)
            self._update(version, status=_IN_PROGRESS[1])
            self._publish(item, version, part, made)
        except Exception as e:  # one bad archive must not stop the others
            reason = str(e) if isinstance(e, BadArchive) else f"{type(e).__name__}: {e}"
            shutil.rmtree(part, ignore_errors=True)
            error = f"The files could not be processed. {reason}"
            self._update(version, status="FAILED", error=error)
        for entry in plan:
            self.state.blob(entry["token"]).unlink(missing_ok=True)

    def _publish(self, item: Row, version: Row, part: Path, made: Path) -> None:
        size = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        with self.state.writing():
            if self._version(item["id"], version["number"]) is None:  # deleted since
                shutil.rmtree(part, ignore_errors=True)
                return
            shutil.rmtree(made, ignore_errors=True)
            part.replace(made)
            self._update(version, status="READY", size=size)
            for old in self.all(item) if version["replaces_all"] else ():
                if old["number"] < version["number"]:
                    self.delete_version(item, old["number"])

    def _version(self, id: int, number: int) -> Row | None:
        return self.state.row("select * from versions where item = ? and number = ?", id, number)

    def _update(self, version: Row, **columns: Any) -> None:
        key = {name: version[name] for name in ("item", "number")}
        self.state.change("versions", key, **columns)
