"""A proxy between client and sandbox that loses, delays and damages traffic on demand."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Reply = tuple[int, dict[str, str], bytes]
Action = Callable[[BaseHTTPRequestHandler, Callable[[], Reply]], None]
HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass
class Faults:
    """The proxy's address, its log, and the faults for the next requests."""

    upstream: str
    url: str = ""
    log: list[str] = field(
        default_factory=list
    )  # METHOD path?query, plus Range where there was one
    rules: list[list[Any]] = field(default_factory=list)

    def on(self, part: str, action: Action, *, nth: int = 1, times: int = 1) -> None:
        """Do `action` to the `nth` next request whose line contains `part`, and `times` - 1 more."""
        self.rules.append([part, nth, times, action])

    def seen(self, part: str) -> int:
        return sum(part in line for line in self.log)

    def action_for(self, line: str) -> Action:
        for rule in self.rules:
            part, nth, times, action = rule
            if part in line:
                rule[1] -= 1
                if nth <= 1 and times > 0:
                    rule[2] -= 1
                    return action
        return passed


def passed(handler: Any, forward: Callable[[], Reply]) -> None:
    answer(handler, *forward())


def drop_before(handler: Any, forward: Callable[[], Reply]) -> None:
    handler.close_connection = True


def drop_after(handler: Any, forward: Callable[[], Reply]) -> None:
    forward()
    handler.close_connection = True


def status(
    code: int, message: str = "", headers: dict[str, str] | None = None, body: bytes | None = None
) -> Action:
    def act(handler: Any, forward: Callable[[], Reply]) -> None:
        text = json.dumps({"code": code, "message": message}).encode() if body is None else body
        answer(handler, code, {"Content-Type": "application/json", **(headers or {})}, text)

    return act


def status_after(code: int) -> Action:
    """Process the request, and answer with an error."""

    def act(handler: Any, forward: Callable[[], Reply]) -> None:
        forward()
        answer(handler, code, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")

    return act


def body_of(change: Callable[[bytes], bytes], *, tell_md5: bool = True) -> Action:
    """Change the body, Content-Length included."""

    def act(handler: Any, forward: Callable[[], Reply]) -> None:
        code, headers, body = forward()
        answer(
            handler,
            code,
            {k: v for k, v in headers.items() if tell_md5 or k.lower() != "x-goog-hash"},
            change(body),
        )

    return act


def cut(size: int) -> Action:
    """Send the first `size` bytes of the body and hang up."""

    def act(handler: Any, forward: Callable[[], Reply]) -> None:
        code, headers, body = forward()
        answer(handler, code, headers, body[:size], length=len(body))
        handler.close_connection = True

    return act


def hang(until: threading.Event, *, after: bool = False) -> Action:
    """Never answer, before or after the request is processed."""

    def act(handler: Any, forward: Callable[[], Reply]) -> None:
        if after:
            forward()
        until.wait(30)
        handler.close_connection = True

    return act


def answer(
    handler: Any, code: int, headers: dict[str, str], body: bytes, *, length: int | None = None
) -> None:
    handler.send_response_only(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
        handler.wfile.flush()


@contextlib.contextmanager
def between(upstream: str) -> Iterator[Faults]:
    """Run the proxy in front of `upstream`."""
    faults = Faults(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            target = urlsplit(self.path)
            path = target.path + (f"?{target.query}" if target.query else "")
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = " ".join(filter(None, [self.command, path, self.headers.get("Range", "")]))
            faults.log.append(line)

            def forward() -> Reply:
                link = http.client.HTTPConnection(urlsplit(faults.upstream).netloc, timeout=30)
                try:
                    link.request(
                        self.command,
                        path,
                        sent,
                        {k: v for k, v in self.headers.items() if k.lower() not in HOP},
                    )
                    got = link.getresponse()
                    return (
                        got.status,
                        {k: v for k, v in got.getheaders() if k.lower() not in HOP},
                        got.read(),
                    )
                finally:
                    link.close()

            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                faults.action_for(line)(self, forward)

        do_GET = do_POST = do_PUT = do_HEAD = handle_any

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    faults.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()
