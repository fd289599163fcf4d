"""Submissions by notebook: run the version again on the hidden test set and score its output."""

import functools
from dataclasses import dataclass
from pathlib import Path

from ..bundles import Bundle
from ..rpc import Refused, need
from ..submissions import Submissions
from .mounts import mount_path, remove_folder
from .runs import EXCEEDED
from .sessions import KernelSessions
from .store import KernelVersion

_INTERRUPTED = """
select s.ref, s.slug, s.file_name, k.kernel, k.version
from submissions s join kernel_sessions k on k.submission = s.ref
where s.status = 'PENDING' and s.blob = '' group by s.ref
"""


@dataclass
class CodeSubmissions:
    """Submissions that name a kernel version instead of a file."""

    submissions: Submissions
    sessions: KernelSessions

    def resume(self) -> None:
        """Score the submissions that a stop of the sandbox interrupted."""
        for row in self.submissions.state.rows(_INTERRUPTED):
            version = self.sessions.store.version(row["kernel"], row["version"])
            bundle = self.submissions.bundles.get(row["slug"])
            if version is None or bundle is None:
                self.submissions.fail(row["ref"], "The notebook was deleted before it was scored.")
            else:
                session = self._add_session(version, row["ref"])
                self._start(bundle, version, row["file_name"], ref=row["ref"], session=session)

    def create(
        self,
        bundle: Bundle,
        handle: str,  # owner/slug of the kernel
        number: int | None,  # its version; None: the latest
        *,
        file_name: str,  # of its output
        description: str = "",
    ) -> int:
        """Enter a submission and return its ref. Raises Refused."""
        version = need(
            self.sessions.store.find_version(handle, number),
            f"Kernel {handle} version {number or 'latest'} was not found.",
        )
        if version.status != "COMPLETE":
            raise Refused(
                400,
                f"Version {version.number} of {handle} is {version.status}: "
                "only a version that has run to its end can be submitted.",
            )
        file_name = file_name or "submission.csv"
        with self.submissions.state.writing():
            ref = self.submissions.create_from_kernel(bundle.slug, file_name, description)
            session = self._add_session(version, ref)
        self._start(bundle, version, file_name, ref=ref, session=session)
        return ref

    def _add_session(self, version: KernelVersion, ref: int) -> int:
        return self.sessions.store.add_session(version.kernel, version.number, submission=ref)

    def _start(
        self, bundle: Bundle, version: KernelVersion, file_name: str, *, ref: int, session: int
    ) -> None:
        if not bundle.comp.code_competition:  # no hidden data: score the existing output
            self.sessions.store.set_status(session, "COMPLETE")
            return self._score(ref, version.session, file_name)
        if version.fields["enableInternet"]:
            self.sessions.store.set_status(session, "ERROR", "internet was on")
            return self.submissions.fail(
                ref,
                "Your Notebook cannot use internet access in this competition: "
                "turn it off, save a version and submit that.",
            )
        path = mount_path("competition", bundle.slug, self.sessions.limits.layout)
        hidden = {path: bundle.hidden} if bundle.hidden else {}
        done = functools.partial(self._end, ref, session, file_name)
        self.sessions.start(session, hidden=hidden, done=done)

    def _end(self, ref: int, session: int, file_name: str, status: str, reason: str) -> None:
        if self.sessions.is_closed:
            return  # the next start runs it again
        if status == "COMPLETE":
            self._score(ref, session, file_name)
        elif reason == EXCEEDED:
            self.submissions.fail(ref, f"Notebook Timeout: {reason}")
        else:
            self.submissions.fail(ref, f"Notebook Threw Exception: {reason}")
        folder: Path = self.sessions.store.folder / str(session)
        remove_folder(folder)  # it can contain parts of the hidden test set

    def _score(self, ref: int, session: int | None, file_name: str) -> None:
        outputs = self.sessions.store.outputs(session)
        if file_name in outputs:
            return self.submissions.score_file(ref, outputs[file_name])
        written = ", ".join(sorted(outputs)[:5]) or "nothing"
        self.submissions.fail(
            ref,
            f"Submission CSV Not Found: your notebook did not write {file_name!r} into its "
            f"working folder; it wrote {written}.",
        )
