"""Submissions by notebook: the version runs again on the hidden test set, and what it writes there is scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..bundles import Bundle
from ..rpc import Refused
from ..submissions import Submissions
from .mounts import place, remove
from .sessions import KernelSessions
from .store import Version


@dataclass
class CodeSubmissions:
    "Submissions that name a kernel version instead of a file."

    submissions: Submissions
    sessions: KernelSessions

    def __post_init__(self) -> None:
        for row in self._interrupted():
            version = self.sessions.store.version(row["kernel"], row["version"])
            if version is None or row["slug"] not in self.submissions.bundles:
                self.submissions.fail(row["ref"], "The notebook was deleted before it was scored.")
            else:
                self._start(
                    self.submissions.bundles[row["slug"]],
                    version,
                    row["file_name"],
                    row["ref"],
                    self._session(version, row["ref"]),
                )

    def create(
        self,
        bundle: Bundle,
        handle: str,  # owner/slug of the kernel
        number: int | None,  # its version; None: the latest
        *,
        file_name: str,  # of its output
        description: str = "",
    ) -> int:
        "Enter a submission and return its ref. Raises Refused."
        owner, _, slug = handle.partition("/")
        kernel = self.sessions.store.find(owner, slug)
        version = self.sessions.store.version(kernel["id"], number) if kernel else None
        if version is None:
            raise Refused(404, f"Kernel {handle} version {number or 'latest'} was not found.")
        if version.status != "COMPLETE":
            raise Refused(
                400,
                f"Version {version.number} of {handle} is {version.status}: only a version that has run to its end can be submitted.",
            )
        file_name = file_name or "submission.csv"
        found: list[int] = []
        ref = self.submissions.create_from_kernel(
            bundle.slug,
            file_name,
            description,
            and_then=lambda ref: found.append(self._session(version, ref)),
        )
        self._start(bundle, version, file_name, ref, found[0])
        return ref

    def _session(self, version: Version, ref: int) -> int:
        return self.sessions.store.add_session(version.kernel, version.number, submission=ref)

    def _start(
        self, bundle: Bundle, version: Version, file_name: str, ref: int, session: int
    ) -> None:
        if not bundle.comp.code_competition:  # the data is what it was: nothing to run again for
            self.sessions.store.set_status(session, "COMPLETE")
            return self._score(ref, self.sessions.store.outputs(version.session), file_name)
        if version.asked["enableInternet"]:
            self.sessions.store.set_status(session, "ERROR", "internet was on")
            return self.submissions.fail(
                ref,
                "Your Notebook cannot use internet access in this competition: turn it off, save a version and submit that.",
            )
        layout = self.sessions.limits.layout

        def done(status: str, reason: str) -> None:
            outputs = self.sessions.store.outputs(session)
            if self.sessions.is_closed:
                return  # it is run again at the next start
            if status == "COMPLETE":
                self._score(ref, outputs, file_name)
            elif "time limit" in reason:
                self.submissions.fail(ref, f"Notebook Timeout: {reason}")
            else:
                self.submissions.fail(ref, f"Notebook Threw Exception: {reason}")
            remove(self.sessions.store.folder / str(session))  # it has seen the hidden test set

        over = {place("competition", bundle.slug, layout): bundle.hidden} if bundle.hidden else {}
        self.sessions.start_again(session, version, over=over, done=done)

    def _score(self, ref: int, outputs: dict[str, Path], file_name: str) -> None:
        if file_name in outputs:
            self.submissions.score_file(ref, outputs[file_name])
        else:
            written = ", ".join(sorted(outputs)[:5]) or "nothing"
            self.submissions.fail(
                ref,
                f"Submission CSV Not Found: your notebook did not write {file_name!r} into its working folder; it wrote {written}.",
            )

    def _interrupted(self) -> list[dict]:
        "Submissions whose notebook was running when the sandbox stopped."
        return self.submissions.state.rows(
            "select s.ref, s.slug, s.file_name, k.kernel, k.version from submissions s join kernel_sessions k on k.submission = s.ref "
            "where s.status = 'PENDING' and s.blob = '' group by s.ref"
        )
