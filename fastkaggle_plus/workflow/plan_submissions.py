"""`plan`: what to send today, which two to select at the end. `place`: the rank to expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition, load_comp
from ..evidence.gap import Gap, Rows, Scores, check_gap
from ..evidence.placing import Place, final_place, place
from ..evidence.selection import Candidate, Pair, best_pair, worth_sending
from ..exceptions import DataError
from ..kaggle_client import Submission, leaderboard, submissions
from ..kaggle_client.competitions import gives_medals
from ..kaggle_client.kernels.metadata import slugify
from ..kaggle_client.submissions import submissions_left
from ..predictions import Predictions
from ..submission import write_submission
from ..submission.cv_record import CvRecord
from ..ui.records import Shown
from .known_scores import (
    MOST,
    Account,
    GivenScores,
    join_scores,
    open_account,
    rows_of,
    scores_of,
    trials_to_send,
)
from .submit import known_comp


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SubmissionPlan(Shown):
    """What is known of the submissions, what to send next, and which two to select."""

    comp: Competition
    is_live: bool
    scores: list[Scores]  # of the submissions, newest first
    rows: Rows
    assumed: str  # about the rows; "": nothing
    left: str  # submissions of today
    gap: Gap | None
    candidates: list[Candidate]  # trials that are not sent, the most useful first
    pair: Pair | None
    files: dict[str, Path]  # candidate -> the file that was written for it

    def _facts(self) -> dict[str, object]:
        best = self.candidates[0] if self.candidates else None
        return {
            "competition": self.comp.slug,
            "submissions": f"{len(self.scores)}; left: {self.left}",
            "gap": self.gap,
            "send": best and f"{best.name}: {best.what}",
            "select": self.pair and f"{' and '.join(self.pair.names)}: {self.pair.why}",
        }

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp plan --json`."""
        shown = ("name", "ref", "cv", "se", "public", "private")
        return {
            "slug": self.comp.slug,
            "submissions": [{k: getattr(s, k) for k in shown} for s in self.scores],
            "rows": asdict(self.rows),
            "assumed": self.assumed,
            "left": self.left,
            "gap": self.gap and self.gap.as_json(),
            "send": [
                {**asdict(c), "file": str(self.files.get(c.name, ""))} for c in self.candidates
            ],
            "select": self.pair and asdict(self.pair),
        }


def plan(
    slug: str,
    *,
    live: bool = False,  # the submissions of the real Kaggle, not those of the rehearsal
    dest: str | Path | None = None,  # the output folder of `run`; default: runs/<slug>
    seed: int = 42,
    bundles: str | Path | None = None,  # as for `run`
    data: str | Path | None = None,
    given: GivenScores | None = None,
    write: bool = False,  # write the files of the candidates
) -> SubmissionPlan:
    """Read the submissions and the vault, and say what to send and which two to select.

    Nothing is sent: Kaggle has no API to select submissions, so that is done on its page. Raises
    DataError when there is nothing to plan with, ConfigError, KaggleError.
    """
    given = given or GivenScores()
    where: dict[str, Any] = {"dest": dest, "seed": seed, "bundles": bundles, "data": data}
    comp = load_comp(slug, bundles=bundles)
    with open_account(slug, live=live, **where) as account:
        listed = submissions(account.slug, client=account.client)
        scores, records = join_scores(listed, account, given)
        found = trials_to_send(account, comp, records)
        trials = [scores_of(name, record) for name, (_, record) in found.items()]
        known = [*records, *(record for _, record in found.values())]
        rows, assumed = rows_of(known, account, given, comp)
        if rows is None or not any(s.cv is not None for s in [*scores, *trials]):
            raise DataError(_nothing_to_plan(comp, listed, live=live))
        considered = _best_of(scores, rows, "public") + _best_of(trials, rows, "cv")
        candidates = worth_sending(considered, rows)
        left = submissions_left(account.slug, client=account.client)
        files = {}
        if write:
            files = _write(found, comp, account)
        return SubmissionPlan(
            comp=comp,
            is_live=live,
            scores=scores,
            rows=rows,
            assumed=assumed,
            left=left,
            gap=check_gap(scores, rows),
            candidates=candidates,
            pair=best_pair(considered, rows),
            files=files,
        )


def place_on_leaderboard(
    slug: str,
    *,
    live: bool = False,
    dest: str | Path | None = None,
    given: GivenScores | None = None,
) -> tuple[Place, bool, str]:
    """Return the place of the account's team, whether medals are given, and what was assumed.

    Raises DataError without a scored submission, or if nothing says how large the errors are.
    """
    given = given or GivenScores()
    with open_account(slug, live=live, dest=dest) as account:
        listed = submissions(account.slug, client=account.client)
        scores, records = join_scores(listed, account, given)
        if not scores:
            raise DataError(f"No submission to {slug} has a score yet, so it has no place.")
        comp = known_comp(slug)
        rows, assumed = rows_of(records, account, given, comp)
        team = next((s.team for s in listed if s.team), "")
        board = leaderboard(account.slug, client=account.client)
        teams = [(r.team, r.score) for r in board if r.score is not None]
        others = [score for name, score in teams if name != team]
        medals = gives_medals(account.slug, client=account.client)
        private = [s.private for s in scores if s.private is not None]
        if private:  # the end: the private leaderboard is shown
            is_up = rows.higher_is_better if rows else teams[0][1] >= teams[-1][1]
            best = max(private) if is_up else min(private)
            own = dict(teams).get(team, best)  # a team that joined after the end is not listed
            return final_place(own, others, higher_is_better=is_up), medals, ""
        if rows is None or not any(s.cv is not None for s in scores):
            raise DataError(
                f"The errors of the scores of {slug} are not known: no submission of this account "
                "was written here by write_submission. Give the CV score and its standard error of "
                "one: --cv REF=SCORE:SE --test-rows N."
            )
        found = place(_best_of(scores, rows, "public"), others, rows)
        assert found is not None  # there is a scored submission
        return found, medals, assumed


def _nothing_to_plan(comp: Competition, listed: Sequence[Submission], *, live: bool) -> str:
    flag = " --live" if live else ""
    if not listed:
        return (
            f"Nothing is known of {comp.slug} yet: no submission, and no trial in the vault. "
            f"Measure trials with `fkp sweep {comp.slug}{flag}`."
        )
    return (
        f"No CV score of the {len(listed)} submissions to {comp.slug} is known: they were not "
        "written here by write_submission. Give them by hand: --cv REF=SCORE:SE --test-rows N."
    )


def _best_of(scores: Sequence[Scores], rows: Rows, part: str) -> list[Scores]:
    """Return the best by this score, at most 40, in their order."""
    sign = -1 if rows.higher_is_better else 1
    best = sorted(scores, key=lambda s: sign * getattr(s, part))[:MOST]
    return [s for s in scores if s in best]


def _write(
    found: dict[str, tuple[Predictions, CvRecord]], comp: Competition, account: Account
) -> dict[str, Path]:
    """Write the submission file of each trial, where the competition's data is here."""
    if account.data is None:
        raise DataError(
            f"--write needs the data of {comp.slug} to check the files. Download it with "
            f"`fkp sweep {comp.slug} --live`."
        )
    folder = account.folder / "plan"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        name: write_submission(preds, comp, account.data, file=folder / f"{slugify(name)}.csv")
        for name, (preds, _) in found.items()
    }
