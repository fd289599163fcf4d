"""Push a notebook once and return the version that Kaggle made of it."""

from __future__ import annotations

import hashlib
import json
import re
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...exceptions import KaggleError, NotFound, PermissionDenied, PushRefused, QuotaReached
from .. import api, error_rules, errors, live_writes, outbox, session
from ..api import KaggleApi
from ..outbox import Entry, Journal
from . import attached_sources, lookup, source_code, status
from .kernel import Kernel, KernelVersion, kernel_of
from .metadata import check_meta, nb_meta

SOURCE_KINDS = ("dataset", "competition", "kernel", "model")
_LOCK_TIMEOUT_S = 600.0


def push_notebook(
    user: str,  # whose notebook it becomes
    id: str,  # its name in its address, the title in lower case with dashes
    title: str,  # 5 to 50 characters
    file: str | Path,  # the notebook, or a .py script
    path: str | Path = ".",  # the folder it is in; nothing is written there
    competition: str | Iterable[str] | None = None,  # slug, or several
    private: bool = True,
    gpu: bool = False,
    internet: bool = True,  # most code competitions need False
    linked_datasets: Iterable[str] | None = None,  # owner/name[/version]
    *,
    tpu: bool = False,
    machine_shape: str | None = None,  # accelerator by Kaggle's name; None = T4 x2 / TPU v5e-8
    linked_models: Iterable[str] | None = None,  # owner/model/framework/variation/version
    linked_notebooks: Iterable[str] | None = None,  # owner/name, for its output
    docker_image: str | None = None,  # an exact image, as `kaggle kernels pull -m` writes it
    docker_image_pinning_type: str | None = None,  # original | latest
    timeout_s: float | None = None,  # longest run; None = Kaggle's own limit
    keywords: Iterable[str] = (),
    run: bool = True,  # False = save it without running it
    client: KaggleApi | None = None,
    queue_s: float = 3600.0,  # how long to wait for a free GPU session before QuotaReached
    poll_s: float = 15.0,  # longest pause between polls
    progress: Callable[[str], None] | None = None,  # called with one line while it waits
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
    again: bool = False,  # make a version even if the current one is the same and has not failed
    announce: bool = True,  # print account and target before it is sent to the real Kaggle
) -> KernelVersion:
    """Push notebook `file` to Kaggle Notebooks and return its version there.

    The attempt is journaled first. After a lost answer, also of a process that was killed, Kaggle's
    copy is compared before anything is sent again. Raises PushRefused if Kaggle refuses the push or
    makes a version without one of its inputs.
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
    push = _Push(client, outbox.journal_of(journal), meta, source.text, run, poll_s, announce)
    ends = time.monotonic() + queue_s
    while True:
        try:
            with push.book.lock(_LOCK_TIMEOUT_S):
                return push.send(file.name, again=again)
        except QuotaReached as e:
            left = ends - time.monotonic()
            if not re.search(error_rules.SESSION_CAP, e.said, re.IGNORECASE):
                raise
            if left <= 0:
                raise QuotaReached(
                    f"No accelerator session became free within {queue_s:.0f} s. Kaggle said: "
                    f"{e.said} Wait until a running notebook has ended, stop one at "
                    "https://www.kaggle.com/code, or give a longer queue_s. Nothing was pushed.",
                    said=e.said,
                ) from None
            if progress:
                progress(f"{id}: {e.said} Waiting up to {left:.0f} s for a session.")
        time.sleep(max(0.0, min(poll_s, left)))


@dataclass
class _Push:
    """One notebook on its way to Kaggle."""

    client: Any
    book: Journal
    meta: dict[str, Any]
    text: str  # the source
    run: bool
    poll_s: float
    announce: bool
    answer: Any = None  # Kaggle's, once it made a version

    @property
    def kernel(self) -> Kernel:
        return Kernel(*self.meta["id"].split("/"))

    def send(self, file_name: str, *, again: bool) -> KernelVersion:
        """Return the version that is there already, or a new one."""
        sent_fields = {k: v for k, v in self.meta.items() if k != "code_file"}
        identity = json.dumps([sent_fields, self.text, self.run], sort_keys=True)
        new = Entry(
            api.origin(self.client),
            api.user_of(self.client),
            self.kernel.handle,
            sha256=hashlib.sha256(identity.encode()).hexdigest(),
            size=len(self.text.encode()),
            file_name=file_name,
            description=self.meta["title"],
            kind="kernel",
        )
        kernel, find, poll_s = self.kernel, self._find, self.poll_s
        if not again and (old := self.book.earlier(new, find, self._is_current, poll_s=poll_s)):
            return KernelVersion(kernel.handle, old.ref, kernel.url)
        attached_sources.check_sources(self.client, self.meta)
        if self.run:
            _check_quota(self.client, self.meta)
        if self.announce:
            live_writes.announce(self.client, f"push {file_name} as {kernel.handle}")
        entry = self.book.send(
            lookup.about(self.client, kernel),
            replace(new, before=(self._current_version(),)),
            doing="push",
            create=self._create,
            find=find,
            poll_s=poll_s,
        )
        if self.answer:
            self._refuse_missing_inputs(entry)
        if self.answer and self.answer.ref:  # Kaggle may name a notebook after its title
            kernel = kernel_of(self.answer.ref, None, self.client)
        return KernelVersion(kernel.handle, entry.ref, kernel.url, sent=True)

    def _is_current(self, old: Entry) -> bool:
        """Say whether an earlier version is the current one and has not failed."""
        if self._current_version() != old.ref or not self._has_our_source(old.ref):
            return False
        # Push a failed one again: its input may have been repaired.
        state = lookup.read_status(self.client, replace(self.kernel, version=old.ref)).status
        return state not in ("ERROR", "CANCEL_ACKNOWLEDGED")

    def _find(self, entry: Entry) -> Entry | None:
        """Return `entry` with the version it made: a new one with this source."""
        before = max(entry.before, default=0)
        for version in range(self._current_version(), before, -1):
            if self._has_our_source(version):
                self._refuse_missing_inputs(replace(entry, ref=version))
                return replace(entry, state="sent", ref=version)
        return None

    def _has_our_source(self, version: int) -> bool:
        at_version = replace(self.kernel, version=version)
        theirs = lookup.get_kernel(self.client, at_version).blob.source or ""
        return source_code.is_same(theirs, self.text)

    def _current_version(self) -> int:
        """Return the current version's number, 0 if there is no such notebook."""
        try:
            metadata = lookup.get_kernel(self.client, self.kernel).metadata
            return int(metadata.current_version_number or 0)
        except (NotFound, PermissionDenied):
            return 0  # if it belongs to another user, the push itself is refused

    def _create(self) -> int:
        about = replace(lookup.about(self.client, self.kernel), fields={})
        answer = about.send("save_kernel", **_request(self.meta, self.text, self.run))
        if answer.error:
            raise self._refusal(answer.error)
        if not answer.version_number:
            raise ValueError("an answer without a version")
        self.answer = answer
        if answer.invalid_tags:
            warnings.warn(
                f"Kaggle knows no tags {', '.join(answer.invalid_tags)}; {self.kernel} has none of "
                "them.",
                stacklevel=5,
            )
        return int(answer.version_number)

    def _refusal(self, message: str) -> KaggleError:
        said = errors.scrub(message, api.secrets_of(self.client))
        no_session = f"{error_rules.SESSION_CAP}|{error_rules.NO_HOURS}"
        if re.search(no_session, said, re.IGNORECASE):
            text = error_rules.NO_SESSION.format(name=self.kernel)
            return QuotaReached(
                f"{text} Kaggle said: {said} See quota(). Nothing was pushed.", said=said
            )
        return PushRefused(
            f"Kaggle did not take {self.kernel}: {said} Nothing was pushed; fix that and push "
            "again.",
            said=said,
        )

    def _refuse_missing_inputs(self, entry: Entry) -> None:
        """Raise PushRefused if Kaggle made the version without one of its inputs."""
        if self.answer:
            missing = {
                kind: list(getattr(self.answer, f"invalid_{kind}_sources") or [])
                for kind in SOURCE_KINDS
            }
        else:  # the answer was lost: compare with what the version has
            at_version = replace(self.kernel, version=entry.ref)
            has = lookup.get_kernel(self.client, at_version).metadata
            missing = {kind: _missing(kind, self.meta, has) for kind in SOURCE_KINDS}
        names = "; ".join(f"{k} {', '.join(map(repr, v))}" for k, v in missing.items() if v)
        if names:
            self.book.write(entry, state="refused")
            raise PushRefused(
                f"Kaggle made version {entry.ref} of {self.kernel} without {names}: the name is "
                "mistyped, or it is not yours to read, or not READY yet, or the rules of the "
                f"competition are not accepted. Stop that version at {self.kernel.url}, correct "
                "the input, then push again.",
                said=names,
            )


def _request(meta: dict[str, Any], text: str, run: bool) -> dict[str, Any]:
    """Return the fields of the request that saves a notebook."""
    from kagglesdk.kernels.types.kernels_enums import KernelExecutionType

    renamed = {"id": "slug", "title": "new_title", "keywords": "category_ids"}
    renamed |= {f"{kind}_sources": f"{kind}_data_sources" for kind in SOURCE_KINDS}
    request = {renamed.get(key, key): v for key, v in meta.items() if key != "code_file"}
    request["text"] = text
    if not run:
        request["kernel_execution_type"] = KernelExecutionType.QUICK_SAVE
    return request


def _check_quota(client: Any, meta: dict[str, Any]) -> None:
    """Raise QuotaReached if no accelerator hours are left this week."""
    wanted = "TPU" if meta["enable_tpu"] else "GPU" if meta["enable_gpu"] else ""
    if not wanted:
        return
    try:
        quotas = status.quota(client=client)
    except KaggleError:
        return  # Kaggle itself refuses the push if necessary
    for q in quotas:
        if q.accelerator == wanted and 0 < q.allowed_s <= q.used_s:
            raise QuotaReached(
                f"No {wanted} hours are left this week: {q.used_s / 3600:.1f} of "
                f"{q.allowed_s / 3600:.1f} h are used. New hours: {q.refreshes or 'weekly'}. Push "
                "without the accelerator, or wait. Nothing was pushed."
            )


def _missing(kind: str, meta: dict[str, Any], has: Any) -> list[str]:
    """Return the inputs in `meta` that a version on Kaggle does not have."""
    attached = {_without_version(kind, s) for s in getattr(has, f"{kind}_data_sources") or []}
    return [s for s in meta[f"{kind}_sources"] if _without_version(kind, s) not in attached]


def _without_version(kind: str, source: str) -> str:
    """Return the part of an input's name that identifies it."""
    parts = source.lower().strip("/").split("/")
    return parts[-1] if kind == "competition" else "/".join(parts[:2])
