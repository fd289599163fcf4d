"""The kernel endpoints: what each RPC method of KernelsApiService answers."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..auth import Credentials
from ..rpc import Fields, Refused, Service, changed, page, stamp, text, texts
from ..state import now
from ..transfers import Transfers
from .log_stream import LogStream
from .mounts import split_sources
from .quota import week_start
from .sessions import KernelSessions
from .store import ACTIVE, Version

_LANGUAGES, _TYPES = ("python", "r", "rmarkdown"), ("script", "notebook")
_DENIED = "Permission 'kernels.get' was denied"
# What a version keeps of its request; a field that is absent holds its default.
_KEPT: dict[str, Any] = {
    "language": "python",
    "kernelType": "script",
    "isPrivate": True,
    "enableGpu": False,
    "enableTpu": False,
    "enableInternet": False,
    "datasetDataSources": [],
    "competitionDataSources": [],
    "kernelDataSources": [],
    "modelDataSources": [],
    "categoryIds": [],
    "dockerImage": "",
    "machineShape": "",
    "sessionTimeoutSeconds": 0,
    "kernelExecutionType": "",
}


@dataclass
class KernelService(Service):
    "The methods, by their RPC names."

    sessions: KernelSessions
    transfers: Transfers
    credentials: Credentials

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v1/kernels/logs/stream/{owner}/{slug}", self.stream),
            Route("/api/v1/kernels/logs/stream/{owner}/{slug}", self.stream),
        )

    async def stream(self, request: Request) -> Response:
        "Give a version's log: live while it runs, as an array when it has ended."
        return await LogStream(self.sessions, self.credentials).answer(request, self._version)

    def rpc_save_kernel(self, request: Request, f: Fields) -> Fields:
        try:
            return self._save(f)
        except Refused as e:
            if e.status != 200:
                raise
            return {"ref": "", "url": "", "error": str(e), "invalidTags": [], "kernelId": 0}

    def rpc_get_kernel_session_status(self, request: Request, f: Fields) -> Fields:
        version = self._version(f)
        return {
            "status": version.status,
            **({"failureMessage": version.failure} if version.failure else {}),
        }

    def rpc_list_kernel_session_output(self, request: Request, f: Fields) -> Fields:
        version = self._version(f)
        answer = page(
            "files",
            [
                {"fileName": n, "url": self.transfers.link(request, p, Path(n).name)}
                for n, p in self._outputs(version).items()
            ],
            f,
        )
        return (
            answer
            if f.get("pageToken")
            else {
                **answer,
                "log": json.dumps(self.sessions.runs.log(version.session))
                if version.session
                else "",
            }
        )

    def rpc_list_kernel_files(self, request: Request, f: Fields) -> Fields:
        return page(
            "files",
            [
                {"name": n, "size": p.stat().st_size, "creationDate": changed(p)}
                for n, p in self._outputs(self._version(f)).items()
            ],
            f,
        )

    def rpc_get_kernel(self, request: Request, f: Fields) -> Fields:
        slug, _, number = text(f, "kernelSlug").partition(
            "/"
        )  # kaggle 2.2.4 sends a version this way
        version = self._version(
            {**f, "kernelSlug": slug, **({"versionLabel": f"v{number}"} if number else {})}
        )
        return {
            "metadata": self._facts(version),
            "blob": {
                "source": version.code,
                "language": version.asked["language"],
                "kernelType": version.asked["kernelType"],
                "slug": version.slug,
            },
        }

    def rpc_list_kernels(self, request: Request, f: Fields) -> Fields:
        wanted = text(f, "group").upper()
        found = self.sessions.store.all()
        for field, value in (("language", f.get("language")), ("kernelType", f.get("kernelType"))):
            if value and value.lower() != "all":
                found = [v for v in found if v.asked[field] == value.lower()]
        for field, value in (
            ("competitionDataSources", f.get("competition")),
            ("datasetDataSources", f.get("dataset")),
            ("kernelDataSources", f.get("parentKernel")),
        ):
            if value:
                found = [
                    v
                    for v in found
                    if any(
                        h.removeprefix("competitions/") == value or h.startswith(f"{value}/")
                        for h in v.asked[field]
                    )
                ]
        if f.get("user"):
            found = [v for v in found if v.owner == f["user"]]
        if wanted in ("UPVOTED", "COLLABORATION", "FORK", "BOOKMARKED"):
            found = []  # nobody votes or shares here
        if f.get("search"):
            found = [v for v in found if f["search"].lower() in f"{v.title} {v.slug}".lower()]
        if f.get("outputType", "all").lower() == "data":
            found = [v for v in found if self._outputs(v)]
        if f.get("sortBy", "").upper() == "DATE_CREATED":
            found.sort(key=lambda v: v.kernel, reverse=True)
        else:
            found.sort(key=lambda v: (v.started or 0.0, v.kernel), reverse=True)
        return page("kernels", [self._facts(v) for v in found], f)

    def rpc_download_kernel_output(self, request: Request, f: Fields) -> Response:
        number = _checked(f, "versionNumber", 0)
        version = self._version(
            {
                "userName": f.get("ownerSlug"),
                "kernelSlug": f.get("kernelSlug"),
                **({"versionLabel": f"v{number}"} if number else {}),
            }
        )
        files = self._outputs(version)
        if name := text(f, "filePath"):
            if name not in files:
                raise Refused(
                    404,
                    f"{name!r} is not in the output of {version.handle} version {version.number}.",
                )
            return RedirectResponse(self.transfers.link(request, files[name], Path(name).name), 302)
        return RedirectResponse(
            self.transfers.link(
                request, self.transfers.packed(files, f"{version.slug}.zip"), "archive.zip"
            ),
            302,
        )

    def rpc_download_kernel_output_zip(self, request: Request, f: Fields) -> Response:
        row = self._session(f)
        version = self.sessions.store.version(row["kernel"], row["version"])
        if version is None:
            raise Refused(404, f"Session {row['id']} was not found.")
        packed = self.transfers.packed(self._outputs(version), f"{version.slug}.zip")
        return RedirectResponse(self.transfers.link(request, packed, f"{version.slug}.zip"), 302)

    def rpc_delete_kernel(self, request: Request, f: Fields) -> Fields:
        self.sessions.delete(self._kernel(f)["id"])
        return {}

    def rpc_cancel_kernel_session(self, request: Request, f: Fields) -> Fields:
        row = self._session(f)
        return (
            {}
            if self.sessions.runs.stop(row["id"], "The session was cancelled.")
            else {"errorMessage": f"Session {row['id']} has ended."}
        )

    def rpc_get_accelerator_quota_statistics(self, request: Request, f: Fields) -> Fields:
        quota = {name: self.sessions.quota(name) for name in ("gpu", "tpu")}
        return {
            "quotaRefreshTime": stamp(week_start() + timedelta(days=7)),
            **{
                f"{name}Quota": {
                    "timeUsed": f"{q.used_s:.3f}s",
                    "timeReserved": f"{q.reserved_s:.3f}s",
                    "totalTimeAllowed": f"{q.total_s:.0f}s",
                    "minimumTimeAllowed": "0s",
                    "isPayToScaleEnabled": False,
                    "hasEverRun": q.has_ever_run,
                }
                for name, q in quota.items()
            },
        }

    def _save(self, f: Fields) -> Fields:
        "Make a version and start it. Refused with status 200 is what clients find in `error`."
        asked = {k: _checked(f, k, default) for k, default in _KEPT.items()}
        code = text(f, "text")
        if asked["language"] not in _LANGUAGES or asked["kernelType"] not in _TYPES:
            raise Refused(
                200,
                f"language must be one of {', '.join(_LANGUAGES)} and kernelType one of {', '.join(_TYPES)}.",
            )
        if not code:
            raise Refused(200, "The kernel has no source: text is empty.")
        if asked["kernelType"] == "notebook":
            _check_notebook(code)
        with self.sessions.store.state.writing():
            kernel = self._named(f)
            _, invalid = split_sources(asked, self.sessions.find_source)
            number, session = self.sessions.add(kernel["id"], asked, code)
        self.sessions.start(session)
        handle = f"{kernel['owner']}/{kernel['slug']}"
        return {
            "ref": f"/code/{handle}",
            "url": f"https://www.kaggle.com/code/{handle}",
            "versionNumber": number,
            "kernelId": kernel["id"],
            "error": "",
            "invalidTags": [],
            **{
                f"invalid{kind.title()}Sources": invalid.get(kind, [])
                for kind in ("dataset", "competition", "kernel", "model")
            },
        }

    def _named(self, f: Fields) -> Fields:
        "Return the row of the kernel that is meant, made or renamed: the title decides the name."
        store, title = self.sessions.store, text(f, "newTitle").strip()
        owner, _, slug = text(f, "slug").rpartition("/")
        owner = owner or self.credentials.user
        if owner != self.credentials.user:
            raise Refused(
                403,
                f"Permission 'kernels.create' was denied: you are {self.credentials.user}, and the kernel would belong to {owner}.",
            )
        if title and len(title) < 5:
            raise Refused(200, "Title must be at least five characters")
        number = _checked(f, "id", 0)
        found = store.by_id(number) if number else store.find(owner, slug or slugify(title))
        if number and found is None:
            raise Refused(403, _DENIED)
        wanted = slugify(title) if title else (found["slug"] if found else slug.lower())
        if not wanted:
            raise Refused(200, "The kernel has no name: give it a title or a slug.")
        other = store.find(owner, wanted)
        if other is not None and (found is None or other["id"] != found["id"]):
            raise Refused(
                200,
                f"The title {title!r} is in use by your kernel {owner}/{wanted}: choose another, or push to that one.",
            )
        if found is None:
            title = title or slug.replace("-", " ").title()
            return {
                "id": store.state.insert(
                    "kernels", owner=owner, slug=wanted, title=title, created=now()
                ),
                "owner": owner,
                "slug": wanted,
            }
        store.state.update(
            "update kernels set slug = ?, title = ? where id = ?",
            wanted,
            title or found["title"],
            found["id"],
        )
        return {**found, "slug": wanted}

    def _kernel(self, f: Fields) -> Fields:
        found = self.sessions.store.find(text(f, "userName"), text(f, "kernelSlug"))
        if found is None:
            raise Refused(403, _DENIED)
        return found

    def _version(self, f: Fields) -> Version:
        kernel, label = self._kernel(f), text(f, "versionLabel")
        number = re.fullmatch(r"v(\d{1,9})", label)
        version = (
            None
            if label and not number
            else self.sessions.store.version(kernel["id"], int(number[1]) if number else None)
        )
        if version is None:
            raise Refused(
                404,
                f"Version {label!r} of {kernel['owner']}/{kernel['slug']} was not found; a label reads like v1.",
            )
        return version

    def _session(self, f: Fields) -> Fields:
        row = self.sessions.store.session(_checked(f, "kernelSessionId", 0))
        if row is None or row["submission"] is not None:
            raise Refused(404, f"Session {f.get('kernelSessionId', 0)} was not found.")
        return row

    def _outputs(self, version: Version) -> dict[str, Path]:
        "The output files: none while the version runs."
        return {} if version.status in ACTIVE else self.sessions.store.outputs(version.session)

    def _facts(self, v: Version) -> Fields:
        ran = {"lastRunTime": stamp(datetime.fromtimestamp(v.started, UTC))} if v.started else {}
        kept = {
            k: value
            for k, value in v.asked.items()
            if k not in ("sessionTimeoutSeconds", "kernelExecutionType")
        }
        return {
            "id": v.kernel,
            "ref": v.handle,
            "title": v.title,
            "author": v.owner,
            "slug": v.slug,
            "totalVotes": 0,
            "currentVersionNumber": v.number,
            **kept,
            **ran,
        }


def slugify(title: str) -> str:
    "Return the name that a title leads to."
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _checked(f: Fields, name: str, default: Any) -> Any:
    "Return a field of the type its default has; what is of another type is refused before it is kept."
    value = f.get(name, default)
    if isinstance(default, str):
        return text(f, name, default)
    if isinstance(default, list) and isinstance(value, list):
        return texts(f, name)
    if type(value) is not type(default) or (type(value) is int and not 0 <= value < 1 << 31):
        raise Refused(400, f"{name} = {value!r} is not what it should be, such as {default!r}.")
    return value


def _check_notebook(code: str) -> None:
    try:
        cells = json.loads(code)["cells"]
        if not all(
            isinstance(c["source"], str | list) and c["cell_type"] in ("code", "markdown", "raw")
            for c in cells
        ):
            raise ValueError("a cell has no type or no source")
    except (ValueError, KeyError, TypeError) as e:
        raise Refused(
            200, f"The source is not a notebook of format 4: {type(e).__name__}: {e}"
        ) from e
