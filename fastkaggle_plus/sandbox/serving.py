"""Serve an ASGI application on a socket, in a thread."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn

from ..exceptions import SandboxError
from .fault_middleware import App, DroppableProtocol

_START_TIMEOUT_S = 20


def make_server(app: App) -> uvicorn.Server:
    """Return a server for an application; its `run` serves until `should_exit` is set."""
    config = uvicorn.Config(
        app,
        http=DroppableProtocol,
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def serving(server: uvicorn.Server, listener: socket.socket, *, name: str) -> Iterator[None]:
    """Serve while the block runs. Raises SandboxError when the server cannot start."""
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, daemon=True, name=name
    )
    thread.start()
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise SandboxError(f"The server of the {name} did not start.")
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
