"""Store submissions, score them in the background, and rank teams."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .bundles import Bundle
from .limits import daily_submissions
from .rpc import Refused, Row, now
from .scoring import InvalidSubmission, score
from .state import State
from .worker import Worker

# Ranks the entries of each team by public score, then the best of them by {column}.
_STANDINGS = """
with entries as (
    select *, count(*) over (partition by team) as n_entries,
        row_number() over (partition by team order by public_score {order}, ref) as place
    from submissions where slug = ? and status = 'COMPLETE' and not late),
chosen as (
    select *, row_number() over (partition by team order by {column} {order}, ref) as nth
    from entries where place <= ? and {column} is not null)
select slug, team, {column} as score, date, ref, is_reference, n_entries from chosen where nth = 1
order by score {order}, is_reference desc, date
"""


class Submissions:
    """The submissions of all competitions."""

    def __init__(
        self,
        bundles: dict[str, Bundle],
        state: State,
        team: str,
        *,
        delay_s: float = 0.05,
        slow_s: Callable[[], float] = lambda: 0.0,
    ):
        self.bundles, self.state, self.team = bundles, state, team
        for bundle in bundles.values():
            self._enter_references(bundle)
        self._worker = Worker("scorer", self._score, delay_s=lambda: delay_s + slow_s())
        for row in state.rows(  # a stop left these over
            "select ref from submissions where status = 'PENDING' and blob <> ''"
        ):
            self._worker.put(row["ref"])

    def close(self) -> None:
        """Stop. The next start scores the remaining submissions."""
        self._worker.close()

    def create(self, slug: str, token: str, description: str) -> int:
        """Enter an uploaded file and return its ref. Raises Refused."""
        with self.state.writing():
            upload = self.state.upload(token)
            if upload is None or not upload["done"] or upload["purpose"] != slug:
                raise Refused(
                    400,
                    "The blob token is unknown for this competition, "
                    "or its upload is not complete.",
                )
            if upload["used"]:
                raise Refused(400, "This blob token was submitted before.")
            ref = self._insert(
                slug,
                description=description,
                file_name=upload["file_name"],
                size=upload["size"],
                blob=token,
            )
            self.state.mark_used(token)
        self._worker.put(ref)
        return ref

    def create_from_kernel(self, slug: str, file_name: str, description: str) -> int:
        """Enter a submission whose file a notebook will write; return its ref. Raises Refused."""
        return self._insert(slug, description=description, file_name=file_name, size=0, blob="")

    def score_file(self, ref: int, file: Path) -> None:
        """Score the file that a notebook wrote for a submission."""
        token = f"notebook-output-{ref}"
        shutil.copyfile(file, self.state.blob(token))
        self._update(ref, blob=token, size=file.stat().st_size)
        self._worker.put(ref)

    def fail(self, ref: int, reason: str) -> None:
        """End a submission with an error."""
        self._update(ref, status="ERROR", error=reason)

    def limits(self, slug: str) -> Row:
        """Return the fields of GetSubmissionLimits. Submissions in error do not count."""
        rows = self.state.rows(
            "select date from submissions where slug = ? and team = ? and status <> 'ERROR' "
            "and not is_reference",
            slug,
            self.team,
        )
        today = now()[:10]
        used = sum(r["date"].startswith(today) for r in rows)
        return {
            "numToday": used,
            "numTotal": len(rows),
            "numAllowedNow": max(0, daily_submissions(self.bundles[slug].comp) - used),
            "limitedByTotal": False,
        }

    def of_team(self, slug: str) -> list[Row]:
        """Return the competitor's submissions, the newest first."""
        return self.state.rows(
            "select * from submissions where slug = ? and not is_reference order by ref desc", slug
        )

    def one(self, ref: int) -> Row | None:
        """Return one of the competitor's submissions, or None."""
        sql = "select * from submissions where ref = ? and not is_reference"
        return self.state.row(sql, ref)

    def standings(self, slug: str, *, private: bool = False) -> list[Row]:
        """Return each team's best entry, the best first. Late entries do not count.

        On the private leaderboard the better of a team's two best public entries counts. Kaggle
        does the same when a team selects no entries.
        """
        order = "desc" if self.bundles[slug].higher_is_better else "asc"
        column, n_candidates = ("private_score", 2) if private else ("public_score", 1)
        sql = _STANDINGS.format(order=order, column=column)
        return self.state.rows(sql, slug, n_candidates)

    def _insert(self, slug: str, **row: Any) -> int:
        bundle = self.bundles[slug]
        if self.limits(slug)["numAllowedNow"] == 0:
            raise Refused(
                400,
                f"You have reached the daily limit of {daily_submissions(bundle.comp)} "
                "submissions. Try again after 00:00 UTC.",
            )
        return self.state.insert(
            "submissions",
            slug=slug,
            team=self.team,
            date=now(),
            status="PENDING",
            late=int(is_over(bundle)),
            **row,
        )

    def _enter_references(self, bundle: Bundle) -> None:
        """Score the reference entries when they are new or their file has changed."""
        for team, file in bundle.references.items():
            stat = file.stat()
            known = f"reference:{stat.st_size}:{stat.st_mtime_ns}"
            where = "slug = ? and team = ? and is_reference"
            old = self.state.row(f"select blob from submissions where {where}", bundle.slug, team)
            if old and old["blob"] == known:
                continue
            with self.state.writing():
                self.state.update(f"delete from submissions where {where}", bundle.slug, team)
                self.state.insert(
                    "submissions",
                    slug=bundle.slug,
                    team=team,
                    description="reference entry",
                    file_name=file.name,
                    size=stat.st_size,
                    blob=known,
                    date=now(),
                    is_reference=1,
                    **_result(bundle, file),
                )

    def _score(self, ref: int) -> None:
        row = self.state.rows("select * from submissions where ref = ?", ref)[0]
        self._update(ref, **_result(self.bundles[row["slug"]], self.state.blob(row["blob"])))

    def _update(self, ref: int, **columns: Any) -> None:
        self.state.change("submissions", {"ref": ref}, **columns)


def _result(bundle: Bundle, file: Path) -> Row:
    """Return the columns that scoring sets."""
    try:
        public, private = score(bundle, file.read_bytes())
        return {"status": "COMPLETE", "public_score": public, "private_score": private}
    except InvalidSubmission as e:
        return {"status": "ERROR", "error": str(e)}
    except Exception as e:  # one bad submission must not stop the scorer
        return {"status": "ERROR", "error": f"Scoring failed: {type(e).__name__}: {e}"}


def is_over(bundle: Bundle) -> bool:
    """Say whether the deadline has passed."""
    return bundle.comp.sandbox.deadline is not None and deadline(bundle) < datetime.now(UTC)


def deadline(bundle: Bundle) -> datetime:
    """Return the deadline, by default in 2099."""
    when = datetime.fromisoformat(bundle.comp.sandbox.deadline or "2099-01-01")
    return when if when.tzinfo else when.replace(tzinfo=UTC)
