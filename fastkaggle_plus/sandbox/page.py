"""The web page at the sandbox's root."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

from jinja2 import Environment, Template
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from .bundles import Bundle
from .competitions import own_rank, visible_scores
from .datasets import KIND
from .kernels.sessions import KernelSessions
from .kernels.store import ACTIVE, KernelVersion
from .leaderboard_file import score_text
from .rpc import Refused, Row, Service
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
            raise Refused(403, f"The sandbox does not answer to the name {host!r}.")
        content = await run_in_threadpool(self.content)
        return HTMLResponse(
            _template().render(url=f"http://{address}", **content), headers=_HEADERS
        )

    def content(self) -> Row:
        """Return the values for the template."""
        bundles = self.submissions.bundles
        entries = [r for slug in bundles for r in self.submissions.of_team(slug)]
        entries.sort(key=lambda r: r["ref"], reverse=True)
        for r in entries[:_MAX_ROWS]:
            r["public"], r["private"] = visible_scores(bundles[r["slug"]], r)
        return {
            "user": self.user,
            "now": datetime.now(UTC),
            "competitions": [self._competition(b) for b in bundles.values()],
            "submissions": entries[:_MAX_ROWS],
            "n_submissions": len(entries),
            "kernels": [self._kernel(v) for v in self.sessions.store.all()[:_MAX_ROWS]],
            "quota": {name: self.sessions.quota(name) for name in ("gpu", "tpu")},
            "datasets": [(d, self.versions.all(d)[0]) for d in self.versions.items(KIND)],
        }

    def _competition(self, bundle: Bundle) -> Row:
        ended = is_over(bundle)
        board = self.submissions.standings(bundle.slug, private=ended)
        return {
            "bundle": bundle,
            "comp": bundle.comp,
            "title": bundle.comp.title or bundle.slug,
            "is_over": ended,
            "deadline": deadline(bundle) if bundle.comp.sandbox.deadline else None,
            "rank": own_rank(board),
            "n_teams": len(board),
            "board": board[:_MAX_ROWS],
            "left_today": self.submissions.limits(bundle.slug)["numAllowedNow"],
        }

    def _kernel(self, v: KernelVersion) -> Row:
        is_active = v.status in ACTIVE
        end = v.ended or (datetime.now(UTC).timestamp() if is_active else v.started)
        text = "".join(e["data"] for e in self.sessions.runs.log_end(v.session))
        files = [] if is_active else list(self.sessions.store.outputs(v.session))
        return {
            "version": v,
            "files": files[:_MAX_ROWS],
            "log": _COLORS.sub("", "\n".join(text.splitlines()[-_MAX_LOG_LINES:])),
            "seconds": end - v.started if v.started and end else None,
        }


def _time_text(when: datetime | str | float) -> str:
    """Return a datetime, a time in Kaggle's format, or seconds since 1970 for a reader."""
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    elif not isinstance(when, datetime):
        when = datetime.fromtimestamp(when, UTC)
    return when.strftime("%d %b %Y, %H:%M UTC")


@functools.cache
def _template() -> Template:
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"time": _time_text, "score": score_text}
    return environment.from_string(source)
