"""Join the submissions of an account with the CV scores of the predictions that were sent."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..competition import Competition, load_comp
from ..environment import points_to_sandbox
from ..evidence.gap import Gap, Rows, Scores, check_gap
from ..exceptions import ConfigError
from ..kaggle_client import Submission, api, import_kaggle, setup_comp
from ..kaggle_client.competitions import find_data
from ..kaggle_client.outbox import Journal
from ..kaggle_client.services import slug_of
from ..predictions import Predictions
from ..submission.cv_record import CvRecord, cv_of, cv_record
from ..sweeps.vault import Vault, output_folder
from .callbacks import RunCallbacks
from .submit import known_comp
from .workspace import is_running, open_workspace

_REPEAT = re.compile(r" #\d+$")  # in the name of a trial that ran before with another seed
PUBLIC_SHARE = 0.3  # of the test rows, if it is not known: often used by organisers
MOST = 40  # submissions, and trials, that a plan considers: the best ones


@dataclass(frozen=True)
class Account:
    """An account on a Kaggle, real or sandbox, as one competition sees it."""

    slug: str
    client: Any
    folder: Path  # the output folder, with the vault
    journals: tuple[Journal, ...]
    data: Path | None = None  # the competition's data, if it is here
    part_rows: tuple[int, int] | None = None  # public and private rows, if the sandbox says them


@dataclass(frozen=True)
class GivenScores:
    """What the user knows of a competition and no file says."""

    public_share: float | None = None  # of the test rows
    test_rows: int | None = None
    cv: Mapping[int, tuple[float, float | None]] = field(default_factory=dict)  # ref -> score, SE


@contextlib.contextmanager
def open_account(
    slug: str,  # or a competition's folder
    *,
    live: bool,
    dest: str | Path | None = None,
    seed: int = 42,
    bundles: str | Path | None = None,
    data: str | Path | None = None,
) -> Iterator[Account]:
    """Connect to the real Kaggle if `live`, to the sandbox of the environment, or to a rehearsal.

    A rehearsal is that of `fkp run` with the same options: its submissions are kept.
    """
    if live or points_to_sandbox():
        name = load_comp(slug).slug if Path(slug).is_dir() else slug_of(slug)
        folder, client = output_folder(name, dest, live=live), import_kaggle()
        files = find_data(name, [folder / "data", Path(name)], client=client)
        yield Account(name, client, folder, (Journal(),), files)
        return
    folder = output_folder(Path(slug).resolve().name, dest, live=False)
    if is_running(folder):
        raise ConfigError(f"A run or a sweep works in {folder} now. Wait until it ends.")
    options: dict[str, Any] = {"bundles": bundles, "data": data, "live": False, "as_files": True}
    with open_workspace(slug, dest, seed, callbacks=RunCallbacks(), **options) as work:
        journals = Journal(work.journal), Journal()
        files = setup_comp(work.comp.slug, dest=work.data, client=work.client)
        yield Account(work.comp.slug, work.client, work.folder, journals, files, work.part_rows)


def join_scores(
    submissions: Sequence[Submission], account: Account, given: GivenScores | None = None
) -> tuple[list[Scores], list[CvRecord | None]]:
    """Return the scores of the scored submissions, and what is known of the files sent.

    The journal has the hash of the file for each number; the CV score was kept under that hash. A
    CV score given by hand wins. Raises ConfigError for a number that is not in the list.
    """
    by_hand = (given or GivenScores()).cv
    if unknown := set(by_hand) - {s.ref for s in submissions}:
        refs = ", ".join(str(s.ref) for s in submissions) or "none"
        raise ConfigError(
            f"--cv names submission {min(unknown)}, which {account.slug} does not have. "
            f"Your submissions: {refs}."
        )
    origin = api.origin(account.client)
    entries = [
        e
        for journal in account.journals
        for e in journal.entries()
        if (e.kind, e.origin, e.slug) == ("submission", origin, account.slug) and e.ref
    ]
    scores, records = [], []
    for s in submissions:
        if s.public_score is None:
            continue
        hashes = [e.sha256 for e in entries if e.ref == s.ref and e.date in ("", s.date)]
        record = cv_of(hashes[-1]) if hashes else None
        records.append(record)
        scores.append(_scores(s, record, by_hand.get(s.ref)))
    return scores, records


def rows_of(
    records: Sequence[CvRecord | None],
    account: Account,
    given: GivenScores,
    comp: Competition | None = None,
) -> tuple[Rows | None, str]:
    """Return the sizes of the parts, and what was assumed about them ("": nothing).

    None if neither a joined submission nor the user says how many test rows there are.
    """
    known = [r for r in records if r is not None]
    if comp is not None:
        higher_is_better = comp.scoring.higher_is_better
    elif known:
        higher_is_better = known[0].higher_is_better
    else:
        return None, ""
    n_test = given.test_rows or max((r.n_test for r in known), default=0)
    n_cv = max((r.n_rows for r in known), default=n_test)
    if account.part_rows and not (given.public_share or given.test_rows):
        return Rows(n_cv or sum(account.part_rows), *account.part_rows, higher_is_better), ""
    if not n_test:
        return None, ""
    share, assumed = given.public_share or (comp and comp.public_share), ""
    if not share:
        share = PUBLIC_SHARE
        assumed = (
            f"{share:.0%} of the {n_test} test rows are public; the leaderboard's page says how "
            "many, for --public-share"
        )
    n_public = max(1, round(share * n_test))
    return Rows(n_cv, n_public, max(1, n_test - n_public), higher_is_better), assumed


def gap_of(
    submissions: Sequence[Submission], account: Account, given: GivenScores | None = None
) -> tuple[list[Scores], Gap | None]:
    """Return the joined scores, and whether the leaderboard agrees with CV."""
    given = given or GivenScores()
    scores, records = join_scores(submissions, account, given)
    rows, _ = rows_of(records, account, given, known_comp(account.slug))
    return scores, check_gap(scores, rows) if rows else None


def trials_to_send(
    account: Account, comp: Competition, sent: Sequence[CvRecord | None]
) -> dict[str, tuple[Predictions, CvRecord]]:
    """Return the trials of the vault that were not sent as they are, by name; without repeats."""
    if not (account.folder / "vault").is_dir():
        return {}
    found, _ = Vault(account.folder / "vault", scoring=comp.scoring).latest(account.slug)
    trials = {p.name: (p, cv_record(p, account.slug)) for p in found if not _REPEAT.search(p.name)}
    return {
        name: (preds, record)
        for name, (preds, record) in trials.items()
        if not any(r is not None and _is_same(record, r) for r in sent)
    }


def scores_of(name: str, record: CvRecord, **others: Any) -> Scores:
    """Return the scores of predictions whose CV score is known, without an error that is NaN."""
    if not np.isfinite(record.se):
        return Scores(name, record.score, **others)
    return Scores(name, record.score, record.se, values=record.values, units=record.units, **others)


def _scores(
    s: Submission, record: CvRecord | None, by_hand: tuple[float, float | None] | None
) -> Scores:
    name = f"{s.ref} ({record.name if record else s.file_name or 'no file'})"
    parts: dict[str, Any] = {"public": s.public_score, "private": s.private_score, "ref": s.ref}
    if by_hand is not None:
        return Scores(name, *by_hand, **parts)
    return scores_of(name, record, **parts) if record else Scores(name, None, **parts)


def _is_same(a: CvRecord, b: CvRecord) -> bool:
    return a.units == b.units and np.allclose(
        a.values, b.values, rtol=1e-4, atol=1e-6, equal_nan=True
    )
