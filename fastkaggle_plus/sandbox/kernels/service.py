"""The kernel endpoints: the RPC methods of KernelsApiService."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ..auth import Account
from ..limits import week_start
from ..listing import file_rows
from ..rpc import Fields, Refused, Rejected, Row, Service, need, page, public_read, timestamp
from ..transfers import Transfers
from .mounts import SOURCE_FIELDS, find_sources
from .runs import KernelRuns
from .save_kernel import DENIED, save_name, source_code, strict, version_fields
from .sessions import KernelSessions
from .store import ACTIVE, KernelVersion

_OTHERS = ("UPVOTED", "COLLABORATION", "FORK", "BOOKMARKED")  # groups that are empty here
_KEEP_ALIVE_S = 2.0  # the time between comments that keep an idle log stream open
_NOT_SHOWN = ("sessionTimeoutSeconds", "kernelExecutionType")


@dataclass
class KernelService(Service):
    """The methods of KernelsApiService."""

    sessions: KernelSessions
    transfers: Transfers
    account: Account

    def routes(self) -> Sequence[BaseRoute]:
        path = "/v1/kernels/logs/stream/{owner}/{slug}"
        return (Route(path, self.stream_log), Route(f"/api{path}", self.stream_log))

    def rejection(self, error: Rejected) -> Row:
        return {"ref": "", "url": "", "error": str(error), "invalidTags": [], "kernelId": 0}

    async def stream_log(self, request: Request) -> Response:
        """Answer with a version's log: live events while it runs, a JSON array afterwards."""
        self.account.check(request.headers.get("authorization", ""))
        owner, slug = request.path_params["owner"], request.path_params["slug"]
        label = request.query_params.get("versionLabel", "")
        fields = Fields({"userName": owner, "kernelSlug": slug, "versionLabel": label})
        return self._log(await run_in_threadpool(self._version, fields))

    def rpc_get_kernel_session_logs_stream(self, fields: Fields) -> Response:
        if not fields.get("kernelSessionId"):
            return self._log(self._version(fields))
        row = self._session(fields)
        found = self.sessions.store.version(row["kernel"], row["version"])
        return self._log(need(found, f"Session {row['id']} was not found."))

    def _log(self, version: KernelVersion) -> Response:
        runs = self.sessions.runs
        if version.session is None or version.status not in ACTIVE:
            return Response(json.dumps(runs.log(version.session)), media_type="application/json")
        events, headers = _live_events(runs, version.session), {"Cache-Control": "no-cache"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    def rpc_save_kernel(self, fields: Fields) -> Row:
        kept = version_fields(fields)
        code = source_code(fields, kept["kernelType"])
        with self.sessions.store.state.writing():
            kernel = save_name(fields, self.sessions.store, self.account.user)
            sources = list(find_sources(kept, self.sessions.find_source))
            number, session = self.sessions.add(kernel["id"], kept, code)
        if session is not None:
            self.sessions.start(session)
        handle = f"{kernel['owner']}/{kernel['slug']}"
        answer: Row = {
            "ref": f"/code/{handle}",
            "url": f"https://www.kaggle.com/code/{handle}",
            "versionNumber": number,
            "kernelId": kernel["id"],
            "error": "",
            "invalidTags": [],
            **{f"invalid{kind.title()}Sources": [] for kind in SOURCE_FIELDS},
        }
        for kind, source, folder in sources:
            if folder is None:
                answer[f"invalid{kind.title()}Sources"].append(source)
        return answer

    @public_read
    def rpc_get_kernel_session_status(self, fields: Fields) -> Row:
        version = self._version(fields)
        status = self.sessions.shown.status(version)
        has_failed = bool(version.failure) and status not in ACTIVE
        return {"status": status, **({"failureMessage": version.failure} if has_failed else {})}

    @public_read
    def rpc_list_kernel_session_output(self, fields: Fields) -> Row:
        version = self._version(fields)
        rows = [
            {"fileName": n, "url": self.transfers.link(fields, p)}
            for n, p in self._outputs(version).items()
        ]
        answer = page("files", rows, fields)
        if not fields.get("pageToken"):
            log = self.sessions.runs.log(version.session)
            answer["log"] = json.dumps(log) if version.session else ""
        return answer

    @public_read
    def rpc_list_kernel_files(self, fields: Fields) -> Row:
        return page("files", file_rows(self._outputs(self._version(fields)), "size"), fields)

    @public_read
    def rpc_get_kernel(self, fields: Fields) -> Row:
        # kaggle 2.2.4 sends owner/slug/2 with the version in the slug
        slug, _, number = fields.text("kernelSlug").partition("/")
        label = {"versionLabel": f"v{number}"} if number else {}
        version = self._version(fields.replaced({"kernelSlug": slug, **label}))
        blob = {
            "source": version.code,
            "language": version.fields["language"],
            "kernelType": version.fields["kernelType"],
            "slug": version.slug,
        }
        return {"metadata": self._facts(version), "blob": blob}

    @public_read
    def rpc_list_kernels(self, fields: Fields) -> Row:
        visible = [v for v in self.sessions.store.all() if self._is_visible(v, fields)]
        found = [v for v in visible if self._matches(v, fields)]
        if fields.enum("group") in _OTHERS:
            found = []
        if fields.enum("sortBy") == "DATE_CREATED":
            found.sort(key=lambda v: v.kernel, reverse=True)
        else:
            found.sort(key=lambda v: (v.started or 0.0, v.kernel), reverse=True)
        return page("kernels", [self._facts(v) for v in found], fields)

    @public_read
    def rpc_download_kernel_output(self, fields: Fields) -> Response:
        number = strict(fields, "versionNumber", 0)
        names = {"userName": fields.text("ownerSlug"), "kernelSlug": fields.text("kernelSlug")}
        label = {"versionLabel": f"v{number}"} if number else {}
        version = self._version(fields.replaced(names | label))
        files = self._outputs(version)
        if name := fields.text("filePath"):
            where = f"the output of {version.handle} version {version.number}"
            return self.transfers.redirect_to_one(fields, files, name, where=where)
        return self.transfers.redirect_to_all(fields, files)

    def rpc_download_kernel_output_zip(self, fields: Fields) -> Response:
        row = self._session(fields)
        found = self.sessions.store.version(row["kernel"], row["version"])
        version = need(found, f"Session {row['id']} was not found.")
        return self.transfers.redirect_to_all(fields, self._outputs(version), f"{version.slug}.zip")

    def rpc_delete_kernel(self, fields: Fields) -> Row:
        self.sessions.delete(self._kernel(fields)["id"])
        return {}

    def rpc_cancel_kernel_session(self, fields: Fields) -> Row:
        session = self._session(fields)["id"]
        if self.sessions.runs.stop(session, "The session was cancelled."):
            return {}
        return {"errorMessage": f"Session {session} has ended."}

    def rpc_get_accelerator_quota_statistics(self, fields: Fields) -> Row:
        answer: Row = {"quotaRefreshTime": timestamp(week_start() + timedelta(days=7))}
        for name in ("gpu", "tpu"):
            q = self.sessions.quota(name)
            answer[f"{name}Quota"] = {
                "timeUsed": f"{q.used_s:.3f}s",
                "timeReserved": "0s",  # as was seen at Kaggle while a session ran
                "totalTimeAllowed": f"{q.total_s:.3f}s",
                "minimumTimeAllowed": "0s",
                "isPayToScaleEnabled": False,
                "hasEverRun": q.has_ever_run,
            }
        return answer

    def find_output(self, fields: Fields) -> tuple[KernelVersion, Path]:
        """Return a version that has run to its end, by default the newest, and its output folder.

        Raises Refused.
        """
        version = self._version(fields)
        folder = self.sessions.find_source("kernel", f"{version.handle}/{version.number}")
        return version, need(folder, f"{version.handle} has no output: it is {version.status}.")

    def find(self, fields: Fields) -> Row:
        """Return the kernel of a request that names ownerSlug and kernelSlug. Raises Refused."""
        return self._kernel(fields.replaced({"userName": fields.text("ownerSlug")}))

    def _kernel(self, fields: Fields) -> Row:
        found = self.sessions.store.find(fields.text("userName"), fields.text("kernelSlug"))
        latest = self.sessions.store.version(found["id"]) if found else None
        is_visible = latest is not None and self._is_visible(latest, fields)
        return need(found if is_visible else None, DENIED, status=403)

    def _version(self, fields: Fields) -> KernelVersion:
        kernel, label = self._kernel(fields), fields.text("versionLabel")
        version, number = None, re.fullmatch(r"v(\d{1,9})", label)
        if number or not label:
            version = self.sessions.store.version(kernel["id"], int(number[1]) if number else None)
        handle = f"{kernel['owner']}/{kernel['slug']}"
        return need(version, f"Version {label!r} of {handle} was not found; a label reads like v1.")

    def _session(self, fields: Fields) -> Row:
        id = strict(fields, "kernelSessionId", 0)
        row = self.sessions.store.session(id)
        if row is None or row["submission"] is not None:
            raise Refused(404, f"Session {id} was not found.")
        return row

    def _outputs(self, version: KernelVersion) -> dict[str, Path]:
        """Return the output files of a version; none while it runs."""
        if version.status in ACTIVE:
            return {}
        return self.sessions.store.outputs(version.session)

    def _is_visible(self, v: KernelVersion, fields: Fields) -> bool:
        """Say whether the sender of a request may see a kernel: it is public, or their own."""
        is_own = v.owner == self.account.user and not fields.is_anonymous
        return is_own or not v.fields["isPrivate"]

    def _matches(self, v: KernelVersion, fields: Fields) -> bool:
        """Say whether a kernel fits the filters of a ListKernels request."""
        sources = (
            ("competition", "competitionDataSources"),
            ("dataset", "datasetDataSources"),
            ("parentKernel", "kernelDataSources"),
        )
        return (
            all(
                fields.text(name).lower() in ("", "all", v.fields[name])
                for name in ("language", "kernelType")
            )
            and all(_has_source(v.fields[field], fields.text(name)) for name, field in sources)
            and fields.text("user") in ("", v.owner)
            and fields.text("search").lower() in f"{v.title} {v.slug}".lower()
            and (fields.text("outputType").lower() != "data" or bool(self._outputs(v)))
        )

    def _facts(self, v: KernelVersion) -> Row:
        facts = {
            "id": v.kernel,
            "ref": v.handle,
            "title": v.title,
            "author": v.owner,
            "slug": v.slug,
            "totalVotes": 0,
            "currentVersionNumber": v.number,
            **{name: value for name, value in v.fields.items() if name not in _NOT_SHOWN},
        }
        if v.started:
            facts["lastRunTime"] = timestamp(datetime.fromtimestamp(v.started, UTC))
        return facts


def _live_events(runs: KernelRuns, session: int) -> Iterator[str]:
    """Yield the events of a running kernel's log from its first line on."""
    n_sent = 0  # bytes of the log, which has one event a line
    while True:
        length = runs.wait_for_log(session, n_sent, _KEEP_ALIVE_S)
        lines = runs.log_lines(session, n_sent)
        yield from (f"data: {line.decode()}\n\n" for line in lines)
        n_sent += sum(len(line) + 1 for line in lines)
        if length is None:
            yield "data: END_OF_LOG\n\n"
            return
        if not lines:
            yield ": still running\n\n"


def _has_source(handles: list[str], wanted: str) -> bool:
    """Say whether `wanted` is a source of a kernel, in any version; "" fits every kernel."""
    names = [h.removeprefix("competitions/") for h in handles]
    return not wanted or any(f"{n}/".startswith(f"{wanted}/") for n in names)
