"""The only server that a kernel can reach: it attaches data sources, and passes on API calls."""

import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ..fault_middleware import App, Receive, Scope, Send
from ..rpc import Fields, Refused, Row, error_response
from ..serving import make_server, serving
from .isolation import GATEWAY_PORT, Control
from .job import KernelJob
from .mounts import Datasource
from .run_inputs import RunInputs

_ATTACH = "/kaggle-jwt-handler/AttachDatasourceUsingJwtRequest"
_OFF = (
    "The internet of this kernel is off, so it cannot reach {host}. It could not on Kaggle either."
)
_ON = (
    "This rehearsal has no internet; it cannot reach {host}. On Kaggle this kernel could. "
    "Attach what it needs as a dataset or a model, or push it to Kaggle with --live."
)
# Settings of programs that no guard of Python sees: the gateway is their proxy, and says why.
_PROXY_FILES = {
    ".curlrc": 'proxy = "{url}"\nnoproxy = "localhost,127.0.0.1"\n',
    ".wgetrc": "http_proxy = {url}\nhttps_proxy = {url}\nno_proxy = localhost,127.0.0.1\n",
    ".gitconfig": "[http]\n\tproxy = {url}\n",
}
_LOCAL = ("localhost", "127.0.0.1", "::1")
_API_OFF = (
    "The internet of this kernel is off, so it cannot call Kaggle's API. It could not on Kaggle "
    "either. Attach the data, read it with kagglehub, or set enable_internet to true."
)


@dataclass(frozen=True)
class KernelApi:
    """What the sandbox offers to kernels."""

    app: App  # Kaggle's API
    token: str  # of the sandbox's account
    find: Callable[[Fields], Datasource]  # see sandbox/datasources.py


class Gateway:
    """The server of one run, an ASGI application."""

    def __init__(
        self,
        job: KernelJob,
        inputs: RunInputs,
        api: KernelApi | None,
        *,
        has_own_network: bool,
        report: Callable[[str], None],  # adds a line to the log
    ):
        self._job, self._inputs, self._api, self._report = job, inputs, api, report
        self._reason = _ON if job.internet else _OFF
        self._proxy_token, self._secrets_token = secrets.token_hex(16), secrets.token_hex(16)
        # In its own network the kernel can use all ports; otherwise take a free one.
        self._listener = None if has_own_network else socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1] if self._listener else GATEWAY_PORT
        self.url = f"http://127.0.0.1:{port}"

    def write(self, at: Path) -> None:
        """Write what the kernel reads: its token, why an address is refused, and proxy settings."""
        (at / "lib" / "api_token").write_text(self._api.token if self._api else "")
        (at / "lib" / "no_internet.txt").write_text(self._reason)
        for name, text in _PROXY_FILES.items():
            (at / "home" / name).write_text(text.format(url=self.url))

    def variables(self, lib: Path) -> dict[str, str]:
        """Return the variables that point every Kaggle client at this server."""
        env = {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "KAGGLE_API_ENDPOINT": self.url,  # kaggle 1.6 knows only this
            "KAGGLE_API_V1_TOKEN": str(lib / "api_token"),
            "KAGGLE_DATA_PROXY_URL": self.url,
            "KAGGLE_DATA_PROXY_TOKEN": self._proxy_token,
            "KAGGLE_USER_SECRETS_TOKEN": self._secrets_token,
        }
        if self._listener:  # http://localhost is not this server, and addresses are not blocked
            env |= dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), self.url)
            env |= {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        return env

    @contextlib.contextmanager
    def serving(self, control: Control) -> Iterator[None]:
        """Serve a kernel that was started, while the block runs."""
        listener = self._listener or control.receive_listener()
        self._inputs.control = control
        if listener is None:  # the kernel ended before it had a network
            yield
            return
        with serving(make_server(self), listener, name=f"gateway of kernel {self._job.session}"):
            yield

    def close(self) -> None:
        """Release the port of a run that was not started."""
        if self._listener:
            self._listener.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        target = urlsplit(scope["path"])
        if target.path == _ATTACH and scope["method"] == "POST":
            answer = await self._attach(Request(scope, receive))
        elif scope["method"] == "CONNECT" or (target.hostname or "localhost") not in _LOCAL:
            answer = self._refuse(target.hostname or scope["path"].strip("/"))
        elif self._job.internet and self._api is not None:
            return await self._api.app(scope, receive, send)
        else:  # with a status that no client takes for a wrong token, or tries again
            answer = error_response(424, _API_OFF)
        await answer(scope, receive, send)

    def _refuse(self, host: str) -> Response:
        """Answer a program that takes the gateway for its proxy, and say why in the log."""
        text = self._reason.format(host=host)
        self._report(text + "\n")
        return error_response(403, text)

    async def _attach(self, request: Request) -> Response:
        """Answer a request to attach a data source."""
        given = (
            request.headers.get("x-kaggle-authorization", ""),
            request.headers.get("x-kaggle-proxy-data", ""),
        )
        wanted = (f"Bearer {self._secrets_token}", self._proxy_token)
        pairs = zip(given, wanted, strict=True)
        if not all([hmac.compare_digest(g.encode(), w.encode()) for g, w in pairs]):
            return error_response(401, "Unauthenticated: the tokens are not those of this kernel.")
        try:
            content = json.loads(await request.body())
            if not isinstance(content, dict):
                raise ValueError("an object is expected")
            result = await run_in_threadpool(self._attach_source, Fields(content))
        except ClientDisconnect:
            return Response(status_code=400)
        except (Refused, ValueError, TypeError, OSError) as e:
            return JSONResponse({"wasSuccessful": False, "errors": [str(e)]})
        return JSONResponse({"wasSuccessful": True, "result": result})

    def _attach_source(self, fields: Fields) -> Row:
        if self._api is None:
            raise Refused(404, "This kernel has no data sources.")
        source = self._api.find(fields)
        hidden = self._job.hidden.get(source.path)
        self._inputs.attach(source.path, [source.folder, *([hidden] if hidden else [])])
        version = {} if source.version is None else {"versionNumber": source.version}
        return {"mountSlug": source.path, **version}
