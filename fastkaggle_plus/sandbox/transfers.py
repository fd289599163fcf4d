"""Bytes in and out: signed download links with ranges, and resumable uploads. No credentials needed, as at Kaggle."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from .archives import pack
from .bundles import Bundle
from .rpc import Fields, Refused, Service
from .state import State

LINK_S = 3600  # life of a download link
_CHUNK = 1 << 20


class Transfers(Service):
    "Download links and upload sessions of one sandbox, and the blob service that opens them."

    def __init__(self, state: State, signing: str):
        self.state, self._signing = state, signing.encode()
        self._files: dict[str, Path] = {}

    def rpc_start_blob_upload(self, request: Request, f: Fields) -> Fields:
        if not f.get("name"):
            raise Refused(400, "name is missing.")
        return self.upload(request, f["name"], int(f.get("contentLength", 0)))

    def routes(self) -> Sequence[BaseRoute]:
        "Return the routes of bytes in and out."
        return (
            Route(
                "/transfer/{ticket}/{expires}/{signature}/{name:path}",
                self.send,
                methods=["GET", "HEAD"],
            ),
            Route("/upload/{token}", self.receive, methods=["PUT"]),
        )

    def link(self, request: Request, file: Path, name: str) -> str:
        "Return a URL that gives `file` to whoever holds it, for an hour; its last segment is `name`."
        expires = int(time.time()) + LINK_S
        ticket = base64.urlsafe_b64encode(str(file).encode()).decode().rstrip("=")
        return f"{_root(request)}/transfer/{ticket}/{expires}/{self._sign(ticket, expires)}/{quote(name)}"

    def upload(
        self,
        request: Request,
        file_name: str,
        size: int,  # bytes
        *,
        purpose: str = "",  # the competition a submission is for; "": a dataset's or model's file
    ) -> dict[str, str]:
        "Open an upload session and return token and createUrl. Raises Refused."
        if size < 0:
            raise Refused(400, f"contentLength = {size} is no size.")
        token = secrets.token_urlsafe(24)
        self.state.insert(
            "uploads", token=token, file_name=Path(file_name).name, size=size, purpose=purpose
        )
        return {"token": token, "createUrl": f"{_root(request)}/upload/{token}"}

    def take(self, token: str) -> str:
        "Mark a complete upload as used, once, and return its file's name; '' for one that is not there to take."
        with self.state.writing():
            free = self.state.rows(
                "select file_name from uploads where token = ? and done and not used and purpose = ''",
                token,
            )
            self.state.update("update uploads set used = 1 where token = ?", token if free else "")
        return str(free[0]["file_name"]) if free else ""

    async def send(self, request: Request) -> Response:
        "Answer GET and HEAD on a link: whole, a range, or why not."
        p = request.path_params
        expires = int(p["expires"]) if re.fullmatch(r"\d{1,12}", p["expires"]) else 0
        if expires < time.time() or not hmac.compare_digest(
            self._sign(p["ticket"], expires).encode(), p["signature"].encode()
        ):
            return JSONResponse(
                {"code": 403, "message": "The link is not valid, or no longer."}, 403
            )
        file = Path(base64.urlsafe_b64decode(p["ticket"] + "=" * (-len(p["ticket"]) % 4)).decode())
        if not file.is_file():
            return JSONResponse({"code": 404, "message": "The file is gone."}, 404)
        return _file_response(request, file, self._md5(file))

    async def receive(self, request: Request) -> Response:
        "Answer PUT on an upload session: whole, a part, or a question how far it came."
        try:
            return await self._receive(request)
        except ClientDisconnect:  # what came is kept: the client asks how far it got and goes on
            return Response(status_code=400)

    async def _receive(self, request: Request) -> Response:
        token = request.path_params["token"]
        session = next(iter(self.state.rows("select * from uploads where token = ?", token)), None)
        if session is None:
            return JSONResponse({"code": 404, "message": "No such upload session."}, 404)
        file, size = self.state.blob(token), session["size"]
        if session["done"]:
            return JSONResponse(
                {}, 200
            )  # what is complete stays as it is: a repeated request changes nothing
        file.touch()
        said = request.headers.get("content-range", "")
        span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", said)
        if span and span[1] is None:
            return self._so_far(token, size)
        start, stop = (int(span[1]), int(span[2]) + 1) if span else (0, size)
        if (said and span is None) or stop > size or (span and span[3] not in ("*", str(size))):
            return JSONResponse(
                {
                    "code": 400,
                    "message": f"Content-Range {said!r} does not fit a file of {size} bytes.",
                },
                400,
            )
        if start > file.stat().st_size:
            return self._so_far(token, size)
        with file.open("r+b") as out:
            out.seek(start)
            out.truncate()
            came = 0
            async for chunk in request.stream():
                came += len(chunk)
                out.write(chunk[: max(0, stop - start - came + len(chunk))])
            if came != stop - start:
                out.truncate(start)  # a body of another length is not a part of the file
                return JSONResponse(
                    {
                        "code": 400,
                        "message": f"{came} bytes arrived, and {stop - start} were announced.",
                    },
                    400,
                )
        return self._so_far(token, size)

    def bundle_zip(self, bundle: Bundle) -> Path:
        "Return the zip of all files of a bundle."
        return self.packed(bundle.files, f"{bundle.slug}.zip")

    def packed(self, files: Mapping[str, Path], name: str) -> Path:
        "Return a *.zip or *.tar.gz of files, made once."
        return pack(self.state.folder / "zips", files, name)

    def _so_far(self, token: str, size: int) -> Response:
        have = self.state.blob(token).stat().st_size
        if have >= size:
            self.state.update("update uploads set done = 1 where token = ?", token)
            return JSONResponse({}, 200)
        return Response(status_code=308, headers={"Range": f"bytes=0-{have - 1}"} if have else {})

    def _sign(self, ticket: str, expires: int) -> str:
        return hmac.new(self._signing, f"{ticket}.{expires}".encode(), hashlib.sha256).hexdigest()

    def _md5(self, file: Path) -> str:
        stat = file.stat()
        key = f"{file} {stat.st_size} {stat.st_mtime_ns}"
        if key not in _MD5:
            with file.open("rb") as f:
                _MD5[key] = base64.b64encode(hashlib.file_digest(f, "md5").digest()).decode()
        return _MD5[key]


_MD5: dict[str, str] = {}


def _root(request: Request) -> str:
    "The address as the client wrote it: right through a proxy, and directly."
    return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"


def _file_response(request: Request, file: Path, md5: str) -> Response:
    size, modified = file.stat().st_size, formatdate(file.stat().st_mtime, usegmt=True)
    etag = f'"{base64.b64decode(md5).hex()}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": modified,
        "x-goog-hash": f"md5={md5}",
        "Content-Type": "application/octet-stream",
    }
    start, end, status = 0, size - 1, 200
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    is_range = wanted is not None and (not wanted[2] or int(wanted[1]) <= int(wanted[2]))
    if wanted and is_range and request.headers.get("if-range", etag) in (etag, modified):
        start, end = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
        if start >= size:
            return Response(
                status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"}
            )
        status, headers["Content-Range"] = 206, f"bytes {start}-{end}/{size}"
    headers["Content-Length"] = str(end - start + 1)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_read(file, start, end), status, headers)


def _read(file: Path, start: int, end: int) -> Iterator[bytes]:
    with file.open("rb") as f:
        f.seek(start)
        left = end - start + 1
        while left > 0 and (chunk := f.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk
