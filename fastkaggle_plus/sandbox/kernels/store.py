"""What the sandbox remembers of kernels: names, versions and their sessions (one execution each)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..state import State, now

ACTIVE = ("QUEUED", "RUNNING")
_TABLES = (
    "create table if not exists kernels (id integer primary key autoincrement, owner text, slug text, title text, created text, unique (owner, slug))",
    "create table if not exists kernel_versions (kernel integer, number integer, created text, asked text, code text, primary key (kernel, number))",
    "create table if not exists kernel_sessions (id integer primary key autoincrement, kernel integer, version integer, submission integer, "
    "status text, failure text default '', accelerator text default '', started real, ended real)",
)


@dataclass(frozen=True)
class Version:
    "One version of a kernel, as it was pushed, and its session if it ran."

    kernel: int
    owner: str
    slug: str
    title: str
    number: int
    created: str
    asked: dict[str, Any]  # the fields of SaveKernel, with their defaults
    code: str
    session: int | None  # None: saved without a run
    status: str  # a KernelWorkerStatus
    failure: str
    started: float | None  # seconds since 1970
    ended: float | None

    @property
    def handle(self) -> str:
        "owner/slug"
        return f"{self.owner}/{self.slug}"


class KernelStore:
    "Rows of kernels, and the folder of each session."

    def __init__(self, state: State):
        self.state, self.folder = state, state.folder / "kernels"
        for table in _TABLES:
            state.update(table)

    def find(self, owner: str, slug: str) -> dict[str, Any] | None:
        "Return a kernel's row (id, owner, slug, title, created), or None."
        return next(
            iter(
                self.state.rows(
                    "select * from kernels where owner = ? and slug = ?", owner, slug.lower()
                )
            ),
            None,
        )

    def by_id(self, number: int) -> dict[str, Any] | None:
        "Return a kernel's row by its number, or None."
        return next(iter(self.state.rows("select * from kernels where id = ?", number)), None)

    def all(self) -> list[Version]:
        "Return the latest version of every kernel, the kernel made last first."
        return [
            v
            for r in self.state.rows("select id from kernels order by id desc")
            if (v := self.version(r["id"])) is not None
        ]

    def version(self, kernel: int, number: int | None = None) -> Version | None:
        "Return a version of a kernel, the latest by default, or None."
        rows = self.state.rows(
            "select k.owner, k.slug, k.title, v.*, s.id as session, s.status, s.failure, s.started, s.ended from kernels k "
            "join kernel_versions v on v.kernel = k.id left join kernel_sessions s on s.kernel = k.id and s.version = v.number and s.submission is null "
            "where k.id = ? and (? is null or v.number = ?) order by v.number desc limit 1",
            kernel,
            number,
            number,
        )
        if not rows:
            return None
        r = rows[0]
        return Version(
            kernel,
            r["owner"],
            r["slug"],
            r["title"],
            r["number"],
            r["created"],
            json.loads(r["asked"]),
            r["code"],
            r["session"],
            r["status"] or "NEW_SCRIPT",
            r["failure"] or "",
            r["started"],
            r["ended"],
        )

    def add_version(self, kernel: int, asked: dict[str, Any], code: str) -> int:
        "Add a version and return its number."
        number = self.state.rows(
            "select coalesce(max(number), 0) + 1 as n from kernel_versions where kernel = ?", kernel
        )[0]["n"]
        self.state.insert(
            "kernel_versions",
            kernel=kernel,
            number=number,
            created=now(),
            asked=json.dumps(asked),
            code=code,
        )
        return int(number)

    def add_session(
        self, kernel: int, version: int, *, accelerator: str = "", submission: int | None = None
    ) -> int:
        "Add a session that waits for its start and return its number."
        return self.state.insert(
            "kernel_sessions",
            kernel=kernel,
            version=version,
            submission=submission,
            status="QUEUED",
            accelerator=accelerator,
        )

    def session(self, number: int) -> dict[str, Any] | None:
        "Return a session's row, or None."
        return next(
            iter(self.state.rows("select * from kernel_sessions where id = ?", number)), None
        )

    def set_status(self, session: int, status: str, failure: str = "") -> None:
        "Note that a session starts or ends."
        column = "started" if status == "RUNNING" else "ended"
        self.state.update(
            f"update kernel_sessions set status = ?, failure = ?, {column} = ? where id = ?",
            status,
            failure,
            time.time(),
            session,
        )

    def active(self, accelerator: str | None = None) -> list[dict[str, Any]]:
        "Return the sessions that wait or run: all, or those with an accelerator (`gpu`, `tpu`, or `` for none); re-runs do not count."
        rows = self.state.rows(
            "select * from kernel_sessions where status in ('QUEUED', 'RUNNING') and submission is null"
        )
        return [r for r in rows if accelerator is None or r["accelerator"] == accelerator]

    def used_s(self, accelerator: str, since: float) -> float:
        "Return the seconds that sessions with an accelerator have run since a moment, running ones included."
        rows = self.state.rows(
            "select started, ended from kernel_sessions where accelerator = ? and started is not null",
            accelerator,
        )
        return sum(max(0.0, (r["ended"] or time.time()) - max(r["started"], since)) for r in rows)

    def delete(self, kernel: int) -> list[int]:
        "Forget a kernel with all its versions and return the numbers of its sessions."
        with self.state.writing():
            sessions = [
                r["id"]
                for r in self.state.rows("select id from kernel_sessions where kernel = ?", kernel)
            ]
            for table, column in (
                ("kernel_sessions", "kernel"),
                ("kernel_versions", "kernel"),
                ("kernels", "id"),
            ):
                self.state.update(f"delete from {table} where {column} = ?", kernel)
        return sessions

    def outputs(self, session: int | None) -> dict[str, Path]:
        "Return what a session left in its working folder: name -> file. Links are not followed: they could lead out."
        root = (self.folder / str(session) / "working").resolve()
        inside = (
            p
            for p in sorted(root.rglob("*"))
            if p.is_file() and not p.is_symlink() and p.resolve().is_relative_to(root)
        )
        return {p.relative_to(root).as_posix(): p for p in inside} if session else {}
