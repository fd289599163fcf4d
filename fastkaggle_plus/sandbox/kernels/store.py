"""Store kernels, their versions and their sessions. A session is one execution of a version."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..rpc import Row, now
from ..state import State

ACTIVE = ("QUEUED", "RUNNING")
_TABLES = (
    "create table if not exists kernels (id integer primary key autoincrement, owner text, "
    "slug text, title text, created text, unique (owner, slug))",
    "create table if not exists kernel_versions (kernel integer, number integer, created text, "
    "asked text, code text, primary key (kernel, number))",
    "create table if not exists kernel_sessions (id integer primary key autoincrement, "
    "kernel integer, version integer, submission integer, status text, failure text default '', "
    "accelerator text default '', started real, ended real)",
)
_VERSION = """
select k.id as kernel, k.owner, k.slug, k.title, v.number, v.asked as fields, v.code,
    s.id as session, coalesce(s.status, 'NEW_SCRIPT') as status,
    coalesce(s.failure, '') as failure, s.started, s.ended
from kernels k join kernel_versions v on v.kernel = k.id
left join kernel_sessions s
    on s.kernel = k.id and s.version = v.number and s.submission is null
where k.id = ? and (? is null or v.number = ?) order by v.number desc limit 1
"""


@dataclass(frozen=True)
class KernelVersion:
    """One version of a kernel, as it was pushed, and its session if it was run."""

    kernel: int
    owner: str
    slug: str
    title: str
    number: int
    fields: dict[str, Any]  # of SaveKernel, with their defaults
    code: str
    session: int | None  # None: saved without a run
    status: str  # a KernelWorkerStatus
    failure: str
    started: float | None  # seconds since 1970
    ended: float | None

    @property
    def handle(self) -> str:
        """owner/slug"""
        return f"{self.owner}/{self.slug}"


class KernelStore:
    """The kernels in the state's database, and the folder of each session."""

    def __init__(self, state: State):
        self.state, self.folder = state, state.folder / "kernels"
        for table in _TABLES:
            state.update(table)

    def find(self, owner: str, slug: str) -> Row | None:
        """Return a kernel's row (id, owner, slug, title, created), or None."""
        sql = "select * from kernels where owner = ? and slug = ?"
        return self.state.row(sql, owner, slug.lower())

    def find_version(self, handle: str, number: int | None = None) -> KernelVersion | None:
        """Return a version of the kernel owner/slug, by default the latest, or None."""
        owner, _, slug = handle.partition("/")
        kernel = self.find(owner, slug)
        return self.version(kernel["id"], number) if kernel else None

    def by_id(self, kernel: int) -> Row | None:
        """Return a kernel's row by its number, or None."""
        return self.state.row("select * from kernels where id = ?", kernel)

    def all(self) -> list[KernelVersion]:
        """Return the latest version of every kernel, the newest kernel first."""
        rows = self.state.rows("select id from kernels order by id desc")
        found = [self.version(r["id"]) for r in rows]
        return [v for v in found if v is not None]

    def version(self, kernel: int, number: int | None = None) -> KernelVersion | None:
        """Return a version of a kernel, by default the latest, or None."""
        r = self.state.row(_VERSION, kernel, number, number)
        return KernelVersion(**{**r, "fields": json.loads(r["fields"])}) if r else None

    def add_version(self, kernel: int, fields: dict[str, Any], code: str) -> int:
        """Add a version and return its number."""
        last = "select coalesce(max(number), 0) as n from kernel_versions where kernel = ?"
        number = int(self.state.rows(last, kernel)[0]["n"]) + 1
        self.state.insert(
            "kernel_versions",
            kernel=kernel,
            number=number,
            created=now(),
            asked=json.dumps(fields),
            code=code,
        )
        return number

    def add_session(
        self, kernel: int, version: int, *, accelerator: str = "", submission: int | None = None
    ) -> int:
        """Add a session that waits for its start and return its number."""
        return self.state.insert(
            "kernel_sessions",
            kernel=kernel,
            version=version,
            submission=submission,
            status="QUEUED",
            accelerator=accelerator,
        )

    def session(self, session: int) -> Row | None:
        """Return the row of a session whose kernel exists, or None."""
        sql = "select * from kernel_sessions where id = ? and kernel is not null"
        return self.state.row(sql, session)

    def set_status(self, session: int, status: str, failure: str = "") -> None:
        """Record that a session starts or ends."""
        column = "started" if status == "RUNNING" else "ended"
        columns = {"status": status, "failure": failure, column: time.time()}
        self.state.change("kernel_sessions", {"id": session}, **columns)

    def active(self, accelerator: str) -> list[Row]:
        """Return the sessions that wait or run on gpu, tpu or ""; scoring runs do not count."""
        return self.state.rows(
            "select * from kernel_sessions where status in ('QUEUED', 'RUNNING') "
            "and submission is null and accelerator = ?",
            accelerator,
        )

    def started(self, accelerator: str) -> list[Row]:
        """Return number, start and end of each started session, also those of deleted kernels."""
        return self.state.rows(
            "select id, started, ended from kernel_sessions where accelerator = ? "
            "and started is not null",
            accelerator,
        )

    def delete(self, kernel: int) -> list[int]:
        """Delete a kernel with all its versions and return the numbers of its sessions.

        The sessions end. Their rows are kept, because the hours they have used stay used.
        """
        sql = "select id from kernel_sessions where kernel = ?"
        end = "kernel = null, status = 'CANCEL_ACKNOWLEDGED', ended = coalesce(ended, ?)"
        with self.state.writing():
            sessions = [r["id"] for r in self.state.rows(sql, kernel)]
            self.state.update(
                f"update kernel_sessions set {end} where kernel = ?", time.time(), kernel
            )
            self.state.update("delete from kernel_versions where kernel = ?", kernel)
            self.state.update("delete from kernels where id = ?", kernel)
        return sessions

    def outputs(self, session: int | None) -> dict[str, Path]:
        """Return the output files of a session by their path, without links (they can lead out)."""
        if not session:
            return {}
        root = (self.folder / str(session) / "working").resolve()
        files = [p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink()]
        inside = [p for p in files if p.resolve().is_relative_to(root)]
        return {p.relative_to(root).as_posix(): p for p in inside}
