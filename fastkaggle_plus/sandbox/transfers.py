"""Downloads by signed links with ranges, resumable uploads, and the user's inbox."""

import base64
import functools
import hashlib
import hmac
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from .archives import LINK_LIFE_S, is_compressed, pack
from .rpc import Fields, Refused, Row, Service
from .state import State


class Transfers(Service):
    """The download links and uploads of one sandbox: BlobApiService and InboxFileService."""

    def __init__(self, state: State, signing: str, *, zip_above_bytes: int = 10 << 20):
        self.state, self._signing = state, signing.encode()
        self._zips, self._zip_above_bytes = state.folder / "zips", zip_above_bytes

    def rpc_start_blob_upload(self, fields: Fields) -> Row:
        return self.open_upload(fields, "name")

    def rpc_create_inbox_file(self, fields: Fields) -> Row:
        at = PurePosixPath(fields.text("virtualDirectory").strip("/"))
        if ".." in at.parts or "\0" in str(at):
            raise Refused(
                400,
                f"virtualDirectory = {str(at)!r} leads out of the inbox. Give a folder inside it.",
            )
        token = fields.text("blobFileToken")
        name = self.use_upload(token)
        if not name:
            raise Refused(400, "The upload is unknown, not complete, or was used before.")
        folder = self.state.folder / "inbox" / at
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.state.blob(token), folder / name)
        return {}

    def routes(self) -> Sequence[BaseRoute]:
        download = "/transfer/{ticket}/{expires}/{signature}/{name:path}"
        return (
            Route(download, self.send, methods=["GET", "HEAD"]),
            Route("/upload/{token}", self.receive, methods=["PUT"]),
        )

    def link(self, fields: Fields, file: Path, name: str = "") -> str:
        """Return a URL that gives `file` to anyone for an hour; its last segment is `name`."""
        expires = int(time.time()) + LINK_LIFE_S
        ticket = base64.urlsafe_b64encode(str(file).encode()).decode().rstrip("=")
        signature = self._sign(ticket, expires)
        return f"{fields.root}/transfer/{ticket}/{expires}/{signature}/{quote(name or file.name)}"

    def redirect(self, fields: Fields, file: Path, name: str = "") -> Response:
        """Answer with a redirect to a file."""
        return RedirectResponse(self.link(fields, file, name), 302)

    def redirect_to_one(
        self,
        fields: Fields,
        files: Mapping[str, Path],  # by their names
        name: str,
        *,
        where: str,  # for the refusal of an unknown name
        zips_large: bool = False,  # pack a file above the limit into NAME.zip
    ) -> Response:
        """Answer with a redirect to one of several files."""
        if name not in files:
            raise Refused(404, f"File {name!r} was not found in {where}.")
        file, base = files[name], PurePosixPath(name).name
        if zips_large and file.stat().st_size > self._zip_above_bytes and not is_compressed(file):
            file, base = pack(self._zips, {base: file}, f"{base}.zip"), f"{base}.zip"
        return self.redirect(fields, file, base)

    def redirect_to_all(
        self, fields: Fields, files: Mapping[str, Path], archive: str = "archive.zip"
    ) -> Response:
        """Answer with a redirect to an archive of all files."""
        return self.redirect(fields, pack(self._zips, files, archive))

    def open_upload(
        self,
        fields: Fields,  # with contentLength, in bytes
        name_field: str = "fileName",
        *,
        purpose: str = "",  # the competition of a submission; "" for other files
    ) -> Row:
        """Open an upload session and return its token and createUrl."""
        name, size = fields.text(name_field), fields.number("contentLength")
        if not name:
            raise Refused(400, f"{name_field} is missing.")
        if size < 0:
            raise Refused(400, f"contentLength = {size} is no size.")
        token = secrets.token_urlsafe(24)
        self.state.insert(
            "uploads", token=token, file_name=Path(name).name, size=size, purpose=purpose
        )
        return {"token": token, "createUrl": f"{fields.root}/upload/{token}"}

    def use_upload(self, token: str) -> str:
        """Mark a complete upload as used and return its file name; '' when that is not possible."""
        with self.state.writing():
            found = self.state.upload(token)
            if found is None or not found["done"] or found["used"] or found["purpose"]:
                return ""
            self.state.mark_used(token)
        return str(found["file_name"])

    async def send(self, request: Request) -> Response:
        """Answer GET and HEAD on a link with the whole file or a range of it."""
        p = request.path_params
        expires = int(p["expires"]) if re.fullmatch(r"\d{1,12}", p["expires"]) else 0
        is_signed = hmac.compare_digest(
            self._sign(p["ticket"], expires).encode(), p["signature"].encode()
        )
        if expires < time.time() or not is_signed:
            raise Refused(403, "The link is not valid, or it has expired.")
        file = Path(base64.urlsafe_b64decode(p["ticket"] + "=" * (-len(p["ticket"]) % 4)).decode())
        if not file.is_file():
            raise Refused(404, "The file no longer exists.")
        return _file_response(request, file)

    async def receive(self, request: Request) -> Response:
        """Answer PUT on an upload session: a whole file, a part, or a question for its progress."""
        try:
            return await self._receive(request)
        except ClientDisconnect:  # the bytes so far are kept: the client asks and resumes
            return Response(status_code=400)

    async def _receive(self, request: Request) -> Response:
        token = request.path_params["token"]
        session = self.state.upload(token)
        if session is None:
            raise Refused(404, "No such upload session.")
        file, size = self.state.blob(token), session["size"]
        if session["done"]:  # repeating a request that was complete changes nothing
            return JSONResponse({}, 200)
        file.touch()
        header = request.headers.get("content-range", "")
        span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", header)
        if span and span[1] is None:
            return self._progress(token, size)
        start, stop = (int(span[1]), int(span[2]) + 1) if span else (0, size)
        if (header and span is None) or stop > size or (span and span[3] not in ("*", str(size))):
            raise Refused(400, f"Content-Range {header!r} does not fit a file of {size} bytes.")
        if start > file.stat().st_size:
            return self._progress(token, size)
        received = await _write_part(request, file, start, stop)
        if received != stop - start:
            raise Refused(400, f"{received} bytes arrived, and {stop - start} were announced.")
        return self._progress(token, size)

    def _progress(self, token: str, size: int) -> Response:
        have = self.state.blob(token).stat().st_size
        if have >= size:
            self.state.change("uploads", {"token": token}, done=1)
            return JSONResponse({}, 200)
        return Response(status_code=308, headers={"Range": f"bytes=0-{have - 1}"} if have else {})

    def _sign(self, ticket: str, expires: int) -> str:
        return hmac.new(self._signing, f"{ticket}.{expires}".encode(), hashlib.sha256).hexdigest()


async def _write_part(request: Request, file: Path, start: int, stop: int) -> int:
    """Write the body at `start` and return its length; a body of a wrong length is not kept."""
    received = 0
    with file.open("r+b") as out:
        out.seek(start)
        out.truncate()
        async for chunk in request.stream():
            out.write(chunk[: max(0, stop - start - received)])
            received += len(chunk)
        if received != stop - start:
            out.truncate(start)
    return received


def _file_response(request: Request, file: Path) -> Response:
    """Answer with a file or the requested range of it; an invalid range is ignored."""
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if span is None or (span[2] and int(span[1]) > int(span[2])):
        headers = [(k, v) for k, v in request.scope["headers"] if k != b"range"]
        request.scope["headers"] = headers
    stat = file.stat()
    md5 = _md5(file, stat.st_size, stat.st_mtime_ns)
    response = FileResponse(
        file,
        media_type="application/octet-stream",
        headers={"ETag": f'"{md5.hex()}"', "x-goog-hash": f"md5={base64.b64encode(md5).decode()}"},
        stat_result=stat,
    )
    response.chunk_size = 1 << 20
    return response


@functools.lru_cache(maxsize=10_000)
def _md5(file: Path, _size: int, _modified_ns: int) -> bytes:
    """Return the MD5 of a file; a changed size or time makes it new."""
    with file.open("rb") as f:
        return hashlib.file_digest(f, "md5").digest()
