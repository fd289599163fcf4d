"""The sandbox's HTTP server: Kaggle's RPC over POST, transfers, and the proxy form in which unmodified clients reach it."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..exceptions import SandboxError, needs_extra

with needs_extra("sandbox"):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Route

from .auth import OPEN, Credentials
from .bundles import read_bundles
from .competitions import CompetitionService
from .datasets import DatasetService
from .fault_middleware import Droppable, Faulty
from .faults import Faults
from .inbox import InboxService
from .kernels.code_submissions import CodeSubmissions
from .kernels.mounts import served
from .kernels.quota import Limits
from .kernels.runs import KernelRuns
from .kernels.service import KernelService
from .kernels.sessions import KernelSessions
from .kernels.store import KernelStore
from .models import ModelService
from .page import PageService
from .rpc import Refused, Service
from .state import State
from .submissions import Submissions
from .transfers import Transfers
from .versions import Versions

HOST = "127.0.0.1"
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_START_S = 20
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class ProxyForm:
    "Accept `POST http://localhost/... HTTP/1.1`, as a proxy is asked, and refuse to fetch from anyone else."

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            target = scope["raw_path"].decode("latin-1") if "://" in scope["path"] else ""
            host = urlsplit(target).hostname if target else None
            if scope["method"] == "CONNECT" or (target and host not in _LOCAL):
                asked = host or scope["path"].lstrip("/") or "another host"
                refusal = JSONResponse(
                    {
                        "code": 403,
                        "message": f"The sandbox fetches nothing from {asked}: a rehearsal stays on this machine.",
                    },
                    403,
                )
                return await refusal(scope, receive, send)
            if target:
                parts = urlsplit(scope["path"])
                scope = {
                    **scope,
                    "path": parts.path or "/",
                    "raw_path": urlsplit(target).path.encode("latin-1"),
                }
        await self.app(scope, receive, send)


@dataclass
class Sandbox:
    "A running sandbox, with the organiser's view of it."

    url: str
    user: str
    key: str
    token: str
    submissions: Submissions
    faults: Faults

    @property
    def slugs(self) -> list[str]:
        "The competitions it serves."
        return sorted(self.submissions.bundles)

    def private_score(self, ref: int) -> float | None:
        "Return a submission's private score, deadline or not."
        row = self.submissions.one(ref)
        return None if row is None else row["private_score"]

    def rank(self, slug: str, ref: int) -> tuple[int | None, int | None, int]:
        "Return (public rank, private rank, number of entries) of the team that sent `ref`."
        row, (public, private) = (
            self.submissions.one(ref),
            (self.submissions.standings(slug, private=p) for p in (False, True)),
        )
        team = row and row["team"]
        found = [
            next((i for i, r in enumerate(rows, 1) if r["team"] == team), None)
            for rows in (public, private)
        ]
        return found[0], found[1], len(public)

    def leaderboard(self, slug: str) -> list[dict[str, Any]]:
        "Return every team's best scores, best public first: team, public_score, private_score, ours."
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


def make_app(
    services: Mapping[str, Service],  # by their RPC names
    credentials: Credentials,
    faults: Faults,
) -> App:
    "Return the ASGI application."

    async def rpc(request: Request) -> Response:
        service, method = request.path_params["service"], request.path_params["method"]
        name = f"{service}/{method}"
        if name not in OPEN and not credentials.admits(request.headers.get("authorization", "")):
            return _error(
                401,
                "Unauthenticated: the user name and key, or the token, are missing or not valid.",
            )
        try:
            fields = json.loads(await request.body() or b"{}")
            if not isinstance(fields, dict):
                raise ValueError("an object is expected")
            json.dumps(
                fields, ensure_ascii=False
            ).encode()  # half a character (a lone surrogate) could be neither kept nor sent back
        except ClientDisconnect:  # nobody waits for an answer
            return Response(status_code=400)
        except (ValueError, RecursionError) as e:
            return _error(400, f"The request body is not valid JSON: {e}")
        call = credentials.methods.get(name) or (
            services[service].method(method) if service in services else None
        )
        if call is None:
            return _error(404, f"The sandbox has no endpoint {name}.")
        try:
            answer = await run_in_threadpool(
                call, request, {k: v for k, v in fields.items() if v is not None}
            )
        except Refused as e:
            return _error(e.status, str(e))
        except (
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            sqlite3.ProgrammingError,
            sqlite3.InterfaceError,
        ) as e:  # a field of the wrong type
            return _error(400, f"The request does not fit {name}: {e}")
        return (
            answer
            if isinstance(answer, Response)
            else JSONResponse(answer, answer.get("code", 200))
        )

    routes: list[BaseRoute] = [
        Route(f"{prefix}/{{service}}/{{method}}", rpc, methods=["POST"])
        for prefix in ("/v1", "/api/v1")
    ]
    for service in services.values():
        routes += service.routes()
    handlers: dict[Any, Any] = {
        404: lambda request, e: _error(404, f"The sandbox has nothing at {request.url.path}."),
        405: lambda request, e: _error(405, "Method not allowed."),
        500: lambda request, e: _error(
            500,
            f"The sandbox failed: {type(e).__name__}. This is its own fault; its log has the traceback.",
        ),
    }
    return ProxyForm(
        Faulty(Starlette(routes=routes, exception_handlers=handlers), faults, credentials)
    )


@contextlib.contextmanager
def running(
    data: str | Path,  # folder of bundles
    *,
    state: str | Path,  # folder that keeps submissions, uploads and credentials
    port: int = 0,  # on 127.0.0.1; 0 takes a free one
    user: str | None = None,  # default: as before, else "kaggler"
    key: str | None = None,  # default: as before, else random
    token: str | None = None,
    faults: Iterable[str] = (),  # such as "429:CreateSubmission:nth=2"; see faults.py
    limits: Limits | None = None,  # of kernels: sessions, hours, layout of /kaggle/input
) -> Iterator[Sandbox]:
    "Serve bundles while the block runs. Raises ConfigError for a broken bundle, SandboxError when it cannot start."
    with (
        _opened(
            Path(data), Path(state), user=user, key=key, token=token, faults=faults, limits=limits
        ) as (app, box),
        _listening(port) as listener,
    ):
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="sandbox"
        )
        thread.start()
        try:
            deadline = time.monotonic() + _START_S
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise SandboxError(
                        f"The sandbox did not start on port {listener.getsockname()[1]}."
                    )
                time.sleep(0.01)
            box.url = f"http://{HOST}:{listener.getsockname()[1]}"
            yield box
        finally:
            server.should_exit = True
            thread.join(timeout=10)


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
    on_start: Callable[[Sandbox], None] | None = None,  # called once it listens
) -> None:
    "Serve bundles until interrupted; the parameters are those of `running`."
    with (
        _opened(
            Path(data), Path(state), user=user, key=key, token=token, faults=faults, limits=limits
        ) as (app, box),
        _listening(port) as listener,
    ):
        box.url = f"http://{HOST}:{listener.getsockname()[1]}"
        if on_start:
            on_start(box)
        uvicorn.Server(_config(app)).run(sockets=[listener])


@contextlib.contextmanager
def _opened(
    data: Path,
    folder: Path,
    *,
    user: str | None,
    key: str | None,
    token: str | None,
    faults: Iterable[str],
    limits: Limits | None,
) -> Iterator[tuple[App, Sandbox]]:
    bundles, state = read_bundles(data), State(folder)
    try:
        kept = state.credentials(user=user, key=key, token=token)
        account, wrong = (
            Credentials(kept["user"], kept["key"], kept["token"], state),
            Faults(faults),
        )
        submissions = Submissions(
            bundles, state, kept["user"], slow_s=lambda: wrong.seconds("slow-scoring")
        )
        versions = Versions(state, slow_s=lambda: wrong.seconds("slow-processing"))
        transfers = Transfers(state, kept["signing"])
        datasets, models = (
            DatasetService(versions, transfers, kept["user"]),
            ModelService(versions, transfers, kept["user"]),
        )
        runs = KernelRuns(
            state.folder / "kernels",
            hidden=[data],
            secrets=state.secrets,
            dies=lambda: wrong.wants("kernel-dies"),
        )
        sessions = KernelSessions(
            KernelStore(state),
            runs,
            served(bundles, dataset=datasets.folder, model=models.folder),
            limits=limits,
        )
        services: dict[str, Service] = {
            "competitions.CompetitionApiService": CompetitionService(
                bundles,
                submissions,
                transfers,
                kept["user"],
                CodeSubmissions(submissions, sessions),
            ),
            "blobs.BlobApiService": transfers,
            "admin.InboxFileService": InboxService(transfers),
            "datasets.DatasetApiService": datasets,
            "models.ModelApiService": models,
            "kernels.KernelsApiService": KernelService(sessions, transfers, account),
            "page": PageService(submissions, sessions, versions, kept["user"]),
        }
        try:
            wrong.know(
                {m for service in services.values() for m in service.methods}
                | {name.split("/")[1] for name in account.methods}
            )
            box = Sandbox("", kept["user"], kept["key"], kept["token"], submissions, wrong)
            yield make_app(services, account, wrong), box
        finally:
            sessions.close()
            versions.close()
            submissions.close()
    finally:
        state.close()


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as e:
            raise SandboxError(
                f"Port {port} of {HOST} cannot be had: {e.strerror}. Choose another with --port, or 0 for a free one."
            ) from e
        listener.listen()  # from here on a client waits to be served, and is not refused
        yield listener


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Droppable,
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=3,
        server_header=False,
    )


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"code": status, "message": message}, status)
