"""Start and stop a sandbox: build its services and serve them on 127.0.0.1."""

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import SandboxError, needs_extra

with needs_extra("sandbox"):
    import starlette  # noqa: F401  the services need it
    import uvicorn

from .auth import Account
from .bundles import read_bundles
from .competitions import CompetitionService
from .datasets import DatasetService
from .datasources import Datasources
from .discussions import DiscussionService
from .episodes import EpisodeService
from .faults import Faults
from .kernels.code_submissions import CodeSubmissions
from .kernels.gateway import KernelApi
from .kernels.mounts import ServedSources
from .kernels.operations import KernelOperations
from .kernels.runs import KernelRuns
from .kernels.service import KernelService
from .kernels.sessions import KernelSessions
from .kernels.store import KernelStore
from .limits import Limits
from .models import ModelService
from .page import PageService
from .routes import make_app
from .rpc import Service, Services
from .search import SearchService
from .serving import make_server, serving
from .state import State
from .submissions import Submissions
from .transfers import Transfers
from .versions import Versions

_HOST = "127.0.0.1"


@dataclass
class Sandbox:
    """A running sandbox, as its organiser sees it."""

    url: str
    user: str
    key: str
    token: str
    submissions: Submissions
    faults: Faults

    @property
    def slugs(self) -> list[str]:
        """The competitions that it serves."""
        return sorted(self.submissions.bundles)

    def private_score(self, ref: int) -> float | None:
        """Return a submission's private score, also before the deadline."""
        row = self.submissions.one(ref)
        return None if row is None else row["private_score"]

    def part_rows(self, slug: str) -> tuple[int, int]:
        """Return the number of public and private test rows."""
        usage = self.submissions.bundles[slug].solution["Usage"]
        return int((usage == "public").sum()), int((usage == "private").sum())

    def rank(self, slug: str, ref: int) -> tuple[int | None, int | None, int]:
        """Return (public rank, private rank, number of entries) of the team that sent `ref`."""
        row = self.submissions.one(ref)
        ranks = []
        for is_private in (False, True):
            teams = [r["team"] for r in self.submissions.standings(slug, private=is_private)]
            ranks.append(teams.index(row["team"]) + 1 if row and row["team"] in teams else None)
        return ranks[0], ranks[1], len(self.submissions.standings(slug))

    def leaderboard(self, slug: str) -> list[dict[str, Any]]:
        """Return every team as {team, public_score, private_score, ours}, the best public first."""
        private = {r["team"]: r["score"] for r in self.submissions.standings(slug, private=True)}
        return [
            {
                "team": r["team"],
                "public_score": r["score"],
                "private_score": private.get(r["team"]),
                "ours": not r["is_reference"],
            }
            for r in self.submissions.standings(slug)
        ]


@contextlib.contextmanager
def running(
    data: str | Path,  # folder of bundles
    *,
    state: str | Path,  # folder that keeps submissions, uploads and credentials
    port: int = 0,  # on 127.0.0.1; 0 takes a free one
    user: str | None = None,  # default: as in the last run, else "kaggler"
    key: str | None = None,  # default: as in the last run, else random
    token: str | None = None,
    faults: Iterable[str] = (),  # such as "429:CreateSubmission:nth=2"; see faults.py
    limits: Limits | None = None,  # sessions, hours, layout of /kaggle/input, file sizes
) -> Iterator[Sandbox]:
    """Serve bundles while the block runs.

    Raises ConfigError for a bad bundle, and SandboxError when the server cannot start.
    """
    account = dict(user=user, key=key, token=token)
    opened = _opened(data, state, port=port, account=account, faults=faults, limits=limits)
    with opened as (server, listener, box), serving(server, listener, name="sandbox"):
        yield box


def serve(
    data: str | Path,
    *,
    state: str | Path,
    port: int = 0,
    user: str | None = None,
    key: str | None = None,
    token: str | None = None,
    faults: Iterable[str] = (),
    limits: Limits | None = None,
    on_start: Callable[[Sandbox], None] | None = None,  # called before the first request
) -> None:
    """Serve bundles until interrupted. The parameters are those of `running`."""
    account = dict(user=user, key=key, token=token)
    opened = _opened(data, state, port=port, account=account, faults=faults, limits=limits)
    with opened as (server, listener, box):
        if on_start:
            on_start(box)
        server.run(sockets=[listener])


@contextlib.contextmanager
def _opened(
    data: str | Path,
    folder: str | Path,
    *,
    port: int,
    account: dict[str, str | None],
    faults: Iterable[str],
    limits: Limits | None,
) -> Iterator[tuple[uvicorn.Server, socket.socket, Sandbox]]:
    """Open the state, the socket and the background threads, and close them at the end."""
    bundles = read_bundles(Path(data))
    with contextlib.ExitStack() as stack:
        state = State(Path(folder))
        stack.callback(state.close)
        values = state.credentials(**account)
        user = values["user"]
        owner, active_faults = Account(user, values["key"], values["token"], state), Faults(faults)
        submissions = Submissions(
            bundles, state, user, slow_s=lambda: active_faults.seconds("slow-scoring")
        )
        stack.callback(submissions.close)
        versions = Versions(state, slow_s=lambda: active_faults.seconds("slow-processing"))
        stack.callback(versions.close)
        limits = limits or Limits()
        zip_above_bytes = limits.zip_above_bytes
        transfers = Transfers(state, values["signing"], zip_above_bytes=zip_above_bytes)
        datasets = DatasetService(versions, transfers, user)
        models = ModelService(versions, transfers, user)
        runs = KernelRuns(
            state.folder / "kernels",
            hidden=[Path(data)],
            # A user of fastkaggle has the first two in every notebook.
            secrets=lambda: {
                "kaggle_username": user,
                "kaggle_key": values["key"],
                **state.secrets(),
            },
            dies=lambda: active_faults.take_hook("kernel-dies"),
        )
        sources = ServedSources(bundles, dataset=datasets.folder, model=models.folder)
        sessions = KernelSessions(
            KernelStore(state), runs, sources.find, limits=limits, faults=active_faults
        )
        stack.callback(sessions.close)
        code = CodeSubmissions(submissions, sessions)
        competitions = CompetitionService(bundles, submissions, transfers, user, code)
        kernels, operations = (
            KernelService(sessions, transfers, owner),
            KernelOperations(sessions, user),
        )
        discussions = DiscussionService(
            bundles, {"dataset": datasets.find, "model": models.find, "kernel": kernels.find}
        )
        searched = dict(
            COMPETITION=competitions,
            DATASET=datasets,
            KERNEL=kernels,
            MODEL=models,
            TOPIC=discussions,
        )
        services: dict[str, Service] = {
            "competitions.CompetitionApiService": Services(
                competitions, EpisodeService(submissions, transfers), discussions
            ),
            "blobs.BlobApiService": transfers,
            "admin.InboxFileService": transfers,
            "datasets.DatasetApiService": datasets,
            "models.ModelApiService": models,
            "kernels.KernelsApiService": Services(kernels, operations),
            "common.OperationsService": operations,
            "discussions.DiscussionApiService": discussions,
            "search.SearchApiService": SearchService(searched, user),
            "security.OAuthService": owner,
            "users.AccountService": owner,
            "api.v1.DiagnosticsService": owner,
            "page": PageService(submissions, sessions, versions, user),
        }
        active_faults.check_places({m for service in services.values() for m in service.methods})
        listener = stack.enter_context(socket.socket())
        url = _listen(listener, port)
        box = Sandbox(url, user, owner.key, owner.token, submissions, active_faults)
        app = make_app(services, owner, active_faults)
        layout = sessions.limits.layout
        found = Datasources(competitions, datasets, models, kernels, layout)
        runs.api = KernelApi(app, owner.token, found.find)
        code.resume()
        yield make_server(app), listener, box


def _listen(listener: socket.socket, port: int) -> str:
    """Listen on a port of this machine and return the URL. Clients can connect from now on."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as e:
        raise SandboxError(
            f"Port {port} of {_HOST} is not available: {e.strerror}. "
            "Choose another with --port, or 0 for a free one."
        ) from e
    listener.listen()
    return f"http://{_HOST}:{listener.getsockname()[1]}"
