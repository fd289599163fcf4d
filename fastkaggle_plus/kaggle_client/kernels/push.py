"""Push a notebook once, whatever happens to the answer, and know which version it became."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...exceptions import KaggleError, NotFound, PermissionDenied, PushRefused, QuotaReached
from .. import api, errors, send_once, session
from ..outbox import Entry, Journal
from . import attached_sources, error_rules, lookup, source_code, status
from .lookup import Kernel
from .metadata import check_meta, nb_meta

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

SOURCE_KINDS = ("dataset", "competition", "kernel", "model")


@dataclass(frozen=True)
class KernelVersion:
    "One version of a notebook on Kaggle."

    handle: str  # owner/name
    version: int
    url: str
    sent: bool = False  # by the call that returned this; False = it was there already

    @property
    def version_number(self) -> int:
        "Return the version under the name it has in Kaggle's own answer."
        return self.version


def push_notebook(
    user: str,  # whose notebook it becomes
    id: str,  # its name in its address, the title in lower case with dashes
    title: str,  # 5 to 50 characters
    file: str | Path,  # the notebook, or a .py script
    path: str | Path = ".",  # the folder it is in; nothing is written there
    competition: str | Iterable[str] | None = None,  # slug, or several
    private: bool = True,
    gpu: bool = False,
    internet: bool = True,  # most code competitions want False
    linked_datasets: Iterable[str] | None = None,  # owner/name[/version]
    *,
    tpu: bool = False,
    machine_shape: str
    | None = None,  # accelerator by Kaggle's name; None = T4 x2 with gpu, v5e-8 with tpu
    linked_models: Iterable[str] | None = None,  # owner/model/framework/variation/version
    linked_notebooks: Iterable[str] | None = None,  # owner/name, for its output
    docker_image: str | None = None,  # an exact image, as `kaggle kernels pull -m` writes it
    docker_image_pinning_type: str | None = None,  # original | latest
    timeout_s: float | None = None,  # longest run; None = Kaggle's own limit
    keywords: Iterable[str] = (),
    run: bool = True,  # False = save it and run nothing
    client: KaggleApi | None = None,
    queue_s: float = 3600.0,  # how long to wait for a free GPU session before QuotaReached
    poll_s: float = 15.0,  # longest pause between looks
    progress: Callable[[str], None] | None = None,  # called with one line while it waits
    journal: str
    | Path
    | Journal
    | None = None,  # where attempts are written down; None = under environment.home()
    again: bool = False,  # make a version even if the same notebook is the current one and has not failed
) -> KernelVersion:
    """Push notebook `file` to Kaggle Notebooks and return the version it became.

    The attempt is journaled first. If an answer got lost, here or in a process that was killed, Kaggle's copy is compared before
    anything is sent again. A push that Kaggle refuses, or takes without one of its inputs, raises PushRefused.
    """
    meta = nb_meta(
        user,
        id,
        title,
        str(file),
        competition,
        private,
        gpu,
        internet,
        linked_datasets,
        tpu=tpu,
        machine_shape=machine_shape,
        linked_models=linked_models,
        linked_notebooks=linked_notebooks,
        docker_image=docker_image,
        docker_image_pinning_type=docker_image_pinning_type,
        timeout_s=timeout_s,
        keywords=keywords,
    )
    check_meta(meta)
    file = Path(path) / file
    source = source_code.read_source(file)
    client = client or session.import_kaggle()
    source_code.refuse_secrets(
        source, meta, folders=(file.parent, Path(path), Path.cwd()), own=api.secrets_of(client)
    )
    push = _Push(client, meta, source.text, run, poll_s)
    book = journal if isinstance(journal, Journal) else Journal(journal)
    ends = time.monotonic() + queue_s
    while True:
        try:
            with book.lock(600.0):
                return push.send(book, file.name, again)
        except QuotaReached as e:
            left = ends - time.monotonic()
            if not re.search(error_rules.SESSION_CAP, e.said, re.IGNORECASE):
                raise
            if left <= 0:
                raise QuotaReached(
                    f"No accelerator session became free within {queue_s:.0f} s. Kaggle said: {e.said} Wait for a running "
                    "notebook to end, stop one at https://www.kaggle.com/code, or give a longer queue_s. Nothing was "
                    "pushed.",
                    said=e.said,
                ) from None
            if progress:
                progress(f"{id}: {e.said} Waiting up to {left:.0f} s for a session.")
        time.sleep(max(0.0, min(poll_s, left)))


@dataclass(frozen=True)
class _Push:
    "What is pushed, and how to find it again."

    client: Any
    meta: dict[str, Any]
    text: str
    run: bool
    poll_s: float

    @property
    def kernel(self) -> Kernel:
        return Kernel(*self.meta["id"].split("/"))

    def send(self, book: Journal, file_name: str, again: bool) -> KernelVersion:
        "Return the version that is there already, or the one made now."
        entry = self.entry(file_name)
        if not again and (old := self.look_back(book, entry)):
            return self.version(old, sent=False)
        attached_sources.refuse_absent(self.client, self.meta)
        self.check_quota()
        entry = replace(entry, before=(self.current(),))
        entry, answer = send_once.send_once(
            book,
            entry,
            create=self.create,
            find=self.find,
            poll_s=min(self.poll_s, 5.0),
            deadline_s=getattr(self.client, "deadline_s", 300.0),
            explained=lambda: lookup.explained(self.client, kernel=self.kernel, doing="push"),
        )
        if answer is None:
            self.refuse_missing(book, entry, self.not_attached(entry.ref))
            return self.version(entry, sent=True)
        if answer.error:
            book.write(replace(entry, state="refused"))
            raise self.refusal(answer.error)
        entry = book.write(replace(entry, state="sent", ref=answer.version_number))
        if answer.invalid_tags:
            warnings.warn(
                f"Kaggle knows no tags {', '.join(answer.invalid_tags)}; {self.kernel} goes without them.",
                stacklevel=4,
            )
        self.refuse_missing(
            book,
            entry,
            {
                kind: bad
                for kind in SOURCE_KINDS
                if (bad := list(getattr(answer, f"invalid_{kind}_sources") or []))
            },
        )
        return self.version(entry, sent=True, ref=answer.ref)

    def entry(self, file_name: str) -> Entry:
        told = {k: v for k, v in self.meta.items() if k != "code_file"}
        sha256 = hashlib.sha256(
            json.dumps([told, self.text, self.run], sort_keys=True).encode()
        ).hexdigest()
        return Entry(
            uuid.uuid4().hex,
            api.origin(self.client),
            self.client.config_values.get("username") or "",
            self.kernel.handle,
            sha256,
            len(self.text.encode()),
            file_name,
            "",
            datetime.now(UTC).isoformat(),
            kind="kernel",
        )

    def look_back(self, book: Journal, new: Entry) -> Entry | None:
        "Return the journaled attempt that made a version of this very notebook, None if a new one is to be made."
        old = next((e for e in book.attempts(new.key) if e.state in ("creating", "sent")), None)
        if old is None:
            return None
        if old.state == "creating":
            found = send_once.look(self.find, old, looks=3, poll_s=min(self.poll_s, 5.0))
            if found:
                self.refuse_missing(book, found, self.not_attached(found.ref))
            return found and book.write(found)
        is_there = self.current() == old.ref and self.is_mine(old.ref)
        # One that failed is pushed again: its input may have been mended.
        is_failed = is_there and status.status_of(self.client, self.numbered(old.ref)).status in (
            "ERROR",
            "CANCEL_ACKNOWLEDGED",
        )
        return old if is_there and not is_failed else None

    def find(self, entry: Entry) -> Entry | None:
        "Return `entry` with the version it made: a new one with this source."
        newest = self.current()
        known = entry.before[0] if entry.before else 0
        n = next((n for n in range(newest, known, -1) if self.is_mine(n)), 0)
        return replace(entry, state="sent", ref=n) if n else None

    def is_mine(self, version: int) -> bool:
        return source_code.is_same(
            status.pulled(self.client, self.numbered(version)).blob.source or "", self.text
        )

    def numbered(self, version: int) -> Kernel:
        return replace(self.kernel, version=version)

    def current(self) -> int:
        "Return the current version's number, 0 if there is no such notebook."
        try:
            return int(status.pulled(self.client, self.kernel).metadata.current_version_number or 0)
        except (NotFound, PermissionDenied):
            # What is not there, or belongs to somebody else; the push itself then says which.
            return 0

    def create(self) -> Any:
        answer = lookup.send(self.client, "save_kernel", self.request())
        if not (answer.error or answer.version_number):
            raise ValueError("an answer without a version")
        return answer

    def request(self) -> Any:
        from kagglesdk.kernels.types.kernels_api_service import ApiSaveKernelRequest
        from kagglesdk.kernels.types.kernels_enums import KernelExecutionType

        meta, request = self.meta, ApiSaveKernelRequest()
        request.slug, request.new_title, request.text = meta["id"], meta["title"], self.text
        request.language, request.kernel_type = meta["language"], meta["kernel_type"]
        request.is_private, request.enable_internet = meta["is_private"], meta["enable_internet"]
        request.enable_gpu, request.enable_tpu = meta["enable_gpu"], meta["enable_tpu"]
        for kind in SOURCE_KINDS:
            setattr(request, f"{kind}_data_sources", meta[f"{kind}_sources"])
        request.category_ids = meta["keywords"]
        for key in (
            "machine_shape",
            "docker_image",
            "docker_image_pinning_type",
            "session_timeout_seconds",
        ):
            if key in meta:
                setattr(request, key, meta[key])
        if not self.run:
            request.kernel_execution_type = KernelExecutionType.QUICK_SAVE
        return request

    def check_quota(self) -> None:
        "Raise QuotaReached if the week's hours are known to be used up."
        wanted = "TPU" if self.meta["enable_tpu"] else "GPU" if self.meta["enable_gpu"] else ""
        if not wanted or not self.run:
            return
        try:
            quotas = status.quota(client=self.client)
        except KaggleError:
            return  # Kaggle itself refuses the push if it has to
        for q in quotas:
            if q.accelerator == wanted and 0 < q.allowed_s <= q.used_s:
                raise QuotaReached(
                    f"No {wanted} hours are left this week: {q.used_s / 3600:.1f} of {q.allowed_s / 3600:.1f} h are used. They "
                    f"are refreshed {q.refreshes or 'weekly'}. Push without the accelerator, or then. Nothing was pushed."
                )

    def refusal(self, said: str) -> KaggleError:
        said = errors.scrub(said, api.secrets_of(self.client))
        if re.search(rf"{error_rules.SESSION_CAP}|{error_rules.NO_HOURS}", said, re.IGNORECASE):
            return QuotaReached(
                f"No accelerator session or hour is left for {self.kernel}. Kaggle said: {said} See quota(). Nothing was "
                "pushed.",
                said=said,
            )
        return PushRefused(
            f"Kaggle did not take {self.kernel}: {said} Nothing was pushed; mend that and push again.",
            said=said,
        )

    def not_attached(self, version: int) -> dict[str, list[str]]:
        "Return the inputs that a version was to have and has not, by kind; for where the answer that would say so got lost."
        has = status.pulled(self.client, self.numbered(version)).metadata
        missing = {}
        for kind in SOURCE_KINDS:
            there = {_core(kind, s) for s in getattr(has, f"{kind}_data_sources") or []}
            missing[kind] = [s for s in self.meta[f"{kind}_sources"] if _core(kind, s) not in there]
        return {kind: names for kind, names in missing.items() if names}

    def refuse_missing(self, book: Journal, entry: Entry, missing: dict[str, list[str]]) -> None:
        if not missing:
            return
        book.write(replace(entry, state="refused"))
        named = "; ".join(
            f"{kind} {', '.join(map(repr, names))}" for kind, names in missing.items()
        )
        raise PushRefused(
            f"Kaggle made version {entry.ref} of {self.kernel} without {named}: the name is mistyped, or it is not yours to read, or not READY "
            f"yet, or the rules of the competition are not accepted. Stop that version at {self.kernel.url}, mend the input, then push again.",
            said=named,
        )

    def version(self, entry: Entry, *, sent: bool, ref: str = "") -> KernelVersion:
        # Kaggle names a notebook after its title, and says so.
        kernel = lookup.kernel_of(ref, None, self.client) if ref else self.kernel
        return KernelVersion(kernel.handle, entry.ref, kernel.url, sent)


def _core(kind: str, source: str) -> str:
    "Return the part of an input's name that tells it apart, without its version."
    parts = source.lower().strip("/").split("/")
    return parts[-1] if kind == "competition" else "/".join(parts[:2])
