"""The web page at the sandbox's root."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, Template
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from .bundles import Bundle
from .competitions import own_rank, score_text, visible_scores
from .datasets import KIND
from .kernels.sessions import KernelSessions
from .kernels.store import ACTIVE, KernelVersion
from .rpc import Row, Service, error_response
from .submissions import Submissions, deadline, is_over
from .versions import Versions

_LOCAL = {"localhost", "127.0.0.1", "[::1]"}
_MAX_ROWS = 50  # submissions, kernels, teams, files of a kernel
_MAX_LOG_LINES = 200  # the last lines of a kernel's log
_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The browser must run no script: a kernel's log is untrusted text.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@dataclass
class PageService(Service):
    """The page. It shows only what a competitor may see."""

    submissions: Submissions
    sessions: KernelSessions
    versions: Versions
    user: str

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/", self.show, methods=["GET"]),)

    async def show(self, request: Request) -> Response:
        """Answer with the page.

        The request must name this machine as its host: then no web page on another host can read
        the answer.
        """
        address = request.headers.get("host", "")
        host = address.rpartition(":")[0] or address
        if host not in _LOCAL:
            return error_response(403, f"The sandbox does not answer to the name {host!r}.")
        content = await run_in_threadpool(self.content)
        return HTMLResponse(
            _template().render(url=f"http://{address}", **content), headers=_HEADERS
        )

    def content(self) -> Row:
        """Return the values for the template."""
        bundles = self.submissions.bundles
        entries = [r for slug in bundles for r in self.submissions.of_team(slug)]
        entries.sort(key=lambda r: r["ref"], reverse=True)
        return {
            "user": self.user,
            "now": _time_text(datetime.now(UTC)),
            "competitions": [self._competition(b) for b in bundles.values()],
            "submissions": [self._submission(r) for r in entries[:_MAX_ROWS]],
            "n_submissions": len(entries),
            "kernels": [self._kernel(v) for v in self.sessions.store.all()[:_MAX_ROWS]],
            "quota": [self._quota(name) for name in ("gpu", "tpu")],
            "datasets": [self._dataset(d) for d in self.versions.items(KIND)],
        }

    def _competition(self, bundle: Bundle) -> Row:
        comp, ended = bundle.comp, is_over(bundle)
        rows = self.submissions.standings(bundle.slug, private=ended)
        board = [
            {
                "rank": i,
                "team": r["team"],
                "score": score_text(r["score"]),
                "is_ours": not r["is_reference"],
                "date": _date_text(r["date"]),
            }
            for i, r in enumerate(rows[:_MAX_ROWS], 1)
        ]
        return {
            "slug": bundle.slug,
            "title": comp.title or bundle.slug,
            "metric": comp.metric,
            "is_code": comp.code_competition,
            "rules_accepted": comp.sandbox.rules_accepted,
            "is_over": ended,
            "rank": own_rank(rows),
            "n_teams": len(rows),
            "left_today": self.submissions.limits(bundle.slug)["numAllowedNow"],
            "deadline": _time_text(deadline(bundle)) if comp.sandbox.deadline else "",
            "order": "higher" if bundle.higher_is_better else "lower",
            "board": board,
        }

    def _submission(self, r: Row) -> Row:
        public, private = visible_scores(self.submissions.bundles[r["slug"]], r)
        return {
            **{k: r[k] for k in ("ref", "slug", "description", "status")},
            "file": r["file_name"],
            "date": _date_text(r["date"]),
            "error": r["error"] or "",
            "public": public,
            "private": private,
        }

    def _kernel(self, v: KernelVersion) -> Row:
        is_active = v.status in ACTIVE
        end = v.ended or (datetime.now(UTC).timestamp() if is_active else v.started)
        text = "".join(e["data"] for e in self.sessions.runs.log_end(v.session))
        files = [] if is_active else list(self.sessions.store.outputs(v.session))
        return {
            "handle": v.handle,
            "title": v.title,
            "version": v.number,
            "status": v.status,
            "failure": v.failure,
            "files": files[:_MAX_ROWS],
            "log": _COLORS.sub("", "\n".join(text.splitlines()[-_MAX_LOG_LINES:])),
            "started": _time_text(datetime.fromtimestamp(v.started, UTC)) if v.started else "",
            "seconds": f"{end - v.started:.0f}" if v.started and end else "",
            "gpu": bool(v.fields["enableGpu"]),
            "internet": bool(v.fields["enableInternet"]),
        }

    def _quota(self, name: str) -> Row:
        q = self.sessions.quota(name)
        return {
            "name": name.upper(),
            "used": f"{q.used_s / 3600:.2f}",
            "total": f"{q.total_s / 3600:.2f}",
            "share": min(1.0, q.used_s / q.total_s) if q.total_s else 1.0,
        }

    def _dataset(self, item: Row) -> Row:
        newest = self.versions.all(item)[0]
        return {
            "handle": item["handle"],
            "title": item["facts"].get("title", ""),
            "version": newest["number"],
            "status": newest["status"],
            "size_mb": f"{newest['size'] / 1e6:.1f}",
            "is_private": bool(item["facts"].get("isPrivate", True)),
        }


def _time_text(when: datetime) -> str:
    return when.strftime("%d %b %Y, %H:%M UTC")


def _date_text(stored: Any) -> str:
    return _time_text(datetime.fromisoformat(str(stored)))


@functools.cache
def _template() -> Template:
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
