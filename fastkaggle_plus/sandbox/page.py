"""The page at the sandbox's root: competitions, submissions, leaderboards, kernels, quota and datasets, for a person to look at."""

from __future__ import annotations

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
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .bundles import Bundle
from .competitions import score_text
from .datasets import KIND
from .kernels.sessions import KernelSessions
from .kernels.store import ACTIVE, Version
from .rpc import Fields, Service
from .submissions import Submissions, deadline, is_over
from .versions import Versions

_LOCAL = {"localhost", "127.0.0.1", "[::1]"}
_MOST = 50  # submissions, kernels, teams shown
_LOG_LINES = 200  # of a kernel's log, its last
_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What the page may do in a browser: show itself. A kernel's log is foreign text.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@dataclass
class PageService(Service):
    "What is served at the root. It shows what a competitor may see, and nothing that needs the organiser's eyes."

    submissions: Submissions
    sessions: KernelSessions
    versions: Versions
    user: str

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/", self.show, methods=["GET"]),)

    async def show(self, request: Request) -> Response:
        "Answer with the page; only when it is asked for by a name of this machine, so that no web page can read it under another."
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if host not in _LOCAL:
            return JSONResponse(
                {"code": 403, "message": f"The sandbox does not answer to the name {host!r}."}, 403
            )
        shown = await run_in_threadpool(self.facts)
        html = _template().render(url=f"http://{request.headers['host']}", **shown)
        return HTMLResponse(
            html,
            headers={
                "Content-Security-Policy": _POLICY,
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )

    def facts(self) -> Fields:
        "Return everything that is shown."
        bundles = self.submissions.bundles
        entries = sorted(
            (r for slug in bundles for r in self.submissions.of_team(slug)),
            key=lambda r: r["ref"],
            reverse=True,
        )
        return {
            "user": self.user,
            "now": _moment(datetime.now(UTC)),
            "competitions": [self._competition(b) for b in bundles.values()],
            "submissions": [self._submission(bundles[r["slug"]], r) for r in entries[:_MOST]],
            "n_submissions": len(entries),
            "kernels": [self._kernel(v) for v in self.sessions.store.all()[:_MOST]],
            "quota": [self._quota(name) for name in ("gpu", "tpu")],
            "datasets": [self._dataset(d) for d in self.versions.items(KIND)],
        }

    def _competition(self, bundle: Bundle) -> Fields:
        over, rows = (
            is_over(bundle),
            self.submissions.standings(bundle.slug, private=is_over(bundle)),
        )
        rank = next((i for i, r in enumerate(rows, 1) if not r["is_reference"]), None)
        limits = self.submissions.limits(bundle.slug)
        return {
            "slug": bundle.slug,
            "title": bundle.comp.title or bundle.slug,
            "metric": bundle.comp.metric,
            "is_code": bundle.comp.code_competition,
            "rules_accepted": bundle.comp.sandbox.rules_accepted,
            "is_over": over,
            "rank": rank,
            "n_teams": len(rows),
            "left_today": limits["numAllowedNow"],
            "deadline": _moment(deadline(bundle)) if bundle.comp.sandbox.deadline else "",
            "order": "higher" if bundle.higher_is_better else "lower",
            "board": [
                {
                    "rank": i,
                    "team": r["team"],
                    "score": score_text(r["score"]),
                    "is_ours": not r["is_reference"],
                    "date": _text(r["date"]),
                }
                for i, r in enumerate(rows[:_MOST], 1)
            ],
        }

    def _submission(self, bundle: Bundle, r: Fields) -> Fields:
        done = r["status"] == "COMPLETE"
        return {
            **{k: r[k] for k in ("ref", "slug", "description", "status")},
            "file": r["file_name"],
            "date": _text(r["date"]),
            "error": r["error"] or "",
            "public": score_text(r["public_score"]) if done else "",
            "private": score_text(r["private_score"])
            if done and (is_over(bundle) or r["late"])
            else "",
        }

    def _kernel(self, v: Version) -> Fields:
        end = v.ended or (datetime.now(UTC).timestamp() if v.status in ACTIVE else v.started)
        lines = "".join(e["data"] for e in self.sessions.runs.log_end(v.session)).splitlines()
        began = _moment(datetime.fromtimestamp(v.started, UTC)) if v.started else ""
        files = [] if v.status in ACTIVE else list(self.sessions.store.outputs(v.session))[:_MOST]
        return {
            "handle": v.handle,
            "title": v.title,
            "version": v.number,
            "status": v.status,
            "failure": v.failure,
            "files": files,
            "log": _COLORS.sub("", "\n".join(lines[-_LOG_LINES:])),
            "started": began,
            "seconds": f"{end - v.started:.0f}" if v.started and end else "",
            "gpu": bool(v.asked["enableGpu"]),
            "internet": bool(v.asked["enableInternet"]),
        }

    def _quota(self, name: str) -> Fields:
        q = self.sessions.quota(name)
        share = min(1.0, q.used_s / q.total_s) if q.total_s else 1.0
        return {
            "name": name.upper(),
            "used": f"{q.used_s / 3600:.2f}",
            "total": f"{q.total_s / 3600:.2f}",
            "share": share,
        }

    def _dataset(self, item: Fields) -> Fields:
        every = self.versions.all(item)
        last: Fields = (
            every[0] if every else {"number": 0, "status": "NOT_YET_PERSISTED", "size": 0}
        )
        return {
            "handle": item["handle"],
            "title": item["facts"].get("title", ""),
            "version": last["number"],
            "status": last["status"],
            "size_mb": f"{last['size'] / 1e6:.1f}",
            "is_private": bool(item["facts"].get("isPrivate", True)),
        }


def _moment(when: datetime) -> str:
    return when.strftime("%d %b %Y, %H:%M UTC")


def _text(stamp: Any) -> str:
    return _moment(datetime.fromisoformat(str(stamp).replace("Z", "+00:00")))


@functools.cache
def _template() -> Template:
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
