"""Submit from the command line, a run or a push: plan, check, confirm, then send."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import kaggle_client
from ..competition import Competition, load_comp
from ..exceptions import KaggleError, SubmissionError, UnknownName
from ..kaggle_client import Submission, api
from ..kaggle_client.competitions import download_sample, find_data
from ..kaggle_client.kernels.code_submission import code_entry
from ..kaggle_client.kernels.kernel import kernel_of
from ..kaggle_client.kernels.lookup import with_version
from ..kaggle_client.kernels.metadata import slugify
from ..kaggle_client.live_writes import refuse_rehearsed
from ..kaggle_client.outbox import Entry, journal_of
from ..kaggle_client.services import about_competition, slug_of
from ..kaggle_client.submission_status import is_gone
from ..kaggle_client.submissions import file_entry, other_message, submissions_left
from ..kaggle_client.wheels.requirements import parse_requirements
from ..submission import check_file, check_with_sample


@dataclass(frozen=True)
class Plan:
    """What a write to Kaggle will send, shown before it is sent."""

    what: str  # as in "submit to titanic"
    is_live: bool  # False: it goes to a sandbox
    facts: dict[str, str]  # name -> value, in the order to show them
    warning: str = ""
    is_repeat: bool = False  # it exists already, so nothing will be sent

    def as_json(self) -> dict[str, Any]:
        """Return the value of `--dry-run --json`."""
        return {"plan": self.what, **self.facts, "warning": self.warning, "sent": False}


Confirm = Callable[[Plan], bool]  # shows the plan; returns whether to send


def submit_file(
    file: Path,
    message: str,
    competition: Competition | str,
    *,
    client: Any,
    confirm: Confirm | None = None,  # None: send without a plan, as a rehearsal does
    journal: Path | None = None,
    data: Path | None = None,  # folder with the competition's data, if it is known
    check: bool = True,  # check the file before it is sent
    again: bool = False,
    live: bool = False,  # send it to the real Kaggle even if a rehearsal wrote it
    **options: Any,  # of kaggle_client.submit
) -> Submission | None:
    """Submit a csv; return None if `confirm` refused. Raises SubmissionError, KaggleError."""
    slug, sha256 = slug_of(competition), ""
    if confirm is not None:
        new = file_entry(file, message, slug, client=client)
        if not (api.is_local(client) or live):
            refuse_rehearsed(file)
        rows, checked = "unknown", "skipped: --no-check"
        if check:
            rows, checked = _check(file, competition, data, client=client)
        sha256 = new.sha256
        facts = {"file": f"{file}, sha256 {new.sha256[:12]}", "rows": rows, "check": checked}
        if not confirm(_plan(new, facts, journal, again=again, client=client)):
            return None
    announce = confirm is None and not api.is_local(client)
    options |= {"client": client, "journal": journal, "again": again, "announce": announce}
    options["sha256"] = sha256
    return kaggle_client.submit(file, message, slug, live=live, **options)


def submit_notebook(
    handle: Any,  # owner/name, or the result of push_notebook
    version: int | None,
    message: str,
    *,
    competition: str,
    client: Any,
    confirm: Confirm | None = None,
    file_name: str = "submission.csv",
    journal: Path | None = None,
    again: bool = False,
    **options: Any,  # of kaggle_client.submit_code
) -> Submission | None:
    """Submit a notebook version; return None if `confirm` refused. Raises KaggleError."""
    if confirm is not None:
        slug = slug_of(competition)
        kernel = with_version(client, kernel_of(handle, version, client))
        new = code_entry(kernel, message, slug, file_name=file_name, client=client)
        facts = {
            "notebook": f"{kernel}, its file {file_name}",
            "rows": "unknown: Kaggle runs the notebook again on the hidden rows",
        }
        if not confirm(_plan(new, facts, journal, again=again, client=client)):
            return None
    options |= {"client": client, "journal": journal, "again": again, "file_name": file_name}
    return kaggle_client.submit_code(
        handle, version, message, competition=competition, announce=confirm is None, **options
    )


def plan_libs(names: list[str], owner: str, *, client: Any) -> Plan:
    """Return what publishing libraries will send."""
    libraries = [parse_requirements([name])[0].name for name in names]
    made = ", ".join(f"{owner}/{slugify(f'library-{name}')}" for name in libraries)
    facts = {"account": api.user_of(client), "libraries": ", ".join(names), "datasets": made}
    return Plan("publish private datasets of wheels", not api.is_local(client), facts)


def _plan(
    new: Entry, facts: dict[str, str], journal: Path | None, *, again: bool, client: Any
) -> Plan:
    book, about = journal_of(journal), about_competition(client, new.slug)
    sent = [e for e in book.attempts(new) if e.state == "sent" and not is_gone(about, e)]
    is_repeat = bool(sent) and not again
    warning = "" if is_repeat else other_message(about, book, new)
    return Plan(
        what=f"submit to {new.slug}",
        is_live=not api.is_local(client),
        facts={
            "account": new.user,
            "competition": new.slug,
            **facts,
            "message": new.description or "none",
            "left": submissions_left(new.slug, client=client),
        },
        warning=warning,
        is_repeat=is_repeat,
    )


def _check(
    file: Path, competition: Competition | str, data: Path | None, *, client: Any
) -> tuple[str, str]:
    """Check a file with the sample submission; return its number of rows, and what was checked.

    Uses the competition's data on this machine, else downloads the sample. Raises SubmissionError.
    """
    is_csv = ".csv" in file.suffixes
    comp = competition if isinstance(competition, Competition) else known_comp(competition)
    slug = slug_of(competition)
    places = [data] if data else [Path(slug), Path("runs") / slug / "live" / "data"]
    if comp and (folder := find_data(slug, places, client=client)):
        if not is_csv:
            return _without_csv(file, slug, has_sample=(folder / comp.sample_submission).is_file())
        return f"{len(check_file(file, comp, folder))}", f"as the sample submission in {folder}"
    with tempfile.TemporaryDirectory() as work:
        name = comp.sample_submission if comp else ""
        try:
            sample = download_sample(slug, Path(work), client=client, name=name)
        except KaggleError as e:
            raise SubmissionError(
                f"Nothing was submitted: {file} was not checked, because the sample submission of "
                f"{slug} could not be read. {e} To send the file unchecked, use `fkp submit` with "
                "--no-check."
            ) from e
        if not is_csv:
            return _without_csv(file, slug, has_sample=sample is not None)
        if sample is None:
            return "unknown", f"skipped: {slug} has no sample submission"
        rows = len(check_with_sample(file, sample, metric=comp.scoring if comp else ""))
    values = "" if comp else "; only ids and columns, as there is no competition folder"
    return f"{rows}", f"as Kaggle's sample submission{values}"


def _without_csv(file: Path, slug: str, *, has_sample: bool) -> tuple[str, str]:
    """Return the check of a file that is not a csv. Raises SubmissionError if a csv is needed."""
    if has_sample:
        raise SubmissionError(
            f"Nothing was submitted: {slug} takes a csv, as its sample submission is one; expected "
            f"a file named like submission.csv, got {file.name}. Rename it if it is a csv, or send "
            "it unchecked: `fkp submit` with --no-check."
        )
    return "unknown", f"skipped: {file.name} is not a csv, and {slug} has no sample submission"


def known_comp(slug: str) -> Competition | None:
    """Return a competition, None if it has no folder here."""
    try:
        return load_comp(slug)
    except UnknownName:
        return None
