"""The life of a submission: taken, scored a moment later, and shown as much as the competition allows."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .bundles import Bundle
from .rpc import Refused
from .scoring import Malformed, score
from .state import State, now


class Submissions:
    "Every competition's submissions, and the thread that scores them."

    def __init__(
        self,
        bundles: dict[str, Bundle],
        state: State,
        team: str,
        *,
        delay_s: float = 0.05,
        slow_s: Callable[[], float] = lambda: 0.0,
    ):
        self.bundles, self.state, self.team, self.delay_s, self._slow_s = (
            bundles,
            state,
            team,
            delay_s,
            slow_s,
        )
        self._stopping = threading.Event()
        self._waiting: queue.Queue[int | None] = queue.Queue()
        for bundle in bundles.values():
            self._enter_references(bundle)
        for row in state.rows(
            "select ref from submissions where status = 'PENDING' and blob <> ''"
        ):  # left over by a stop
            self._waiting.put(row["ref"])
        self._scorer = threading.Thread(target=self._score_all, daemon=True, name="scorer")
        self._scorer.start()

    def close(self) -> None:
        "Finish what is being scored and stop; what is slow on purpose is scored after the next start."
        self._stopping.set()
        self._waiting.put(None)
        self._scorer.join(timeout=30)

    def create(self, slug: str, token: str, description: str) -> int:
        "Enter an uploaded file and return its ref. Raises Refused."
        bundle = self.bundles[slug]
        with self.state.writing():
            upload = next(
                iter(self.state.rows("select * from uploads where token = ?", token)), None
            )
            if upload is None or not upload["done"] or upload["purpose"] != slug:
                raise Refused(
                    400,
                    "The blob token is unknown for this competition, or its upload is not complete.",
                )
            if upload["used"]:
                raise Refused(400, "This blob token was submitted before.")
            self._check_limit(bundle)
            self.state.update("update uploads set used = 1 where token = ?", token)
            ref = self.state.insert(
                "submissions",
                slug=slug,
                team=self.team,
                description=description,
                file_name=upload["file_name"],
                size=upload["size"],
                blob=token,
                date=now(),
                status="PENDING",
                late=int(is_over(bundle)),
            )
        self._waiting.put(ref)
        return ref

    def create_from_kernel(
        self,
        slug: str,
        file_name: str,
        description: str,
        *,
        and_then: Callable[[int], None],  # told the ref, in the same step
    ) -> int:
        "Enter a submission whose file a notebook is still to write, and return its ref. Raises Refused."
        bundle = self.bundles[slug]
        with self.state.writing():
            self._check_limit(bundle)
            ref = self.state.insert(
                "submissions",
                slug=slug,
                team=self.team,
                description=description,
                file_name=file_name,
                size=0,
                blob="",
                date=now(),
                status="PENDING",
                late=int(is_over(bundle)),
            )
            and_then(ref)
        return ref

    def score_file(self, ref: int, file: Path) -> None:
        "Score what a notebook wrote for a submission."
        token = f"notebook-output-{ref}"
        shutil.copyfile(file, self.state.blob(token))
        self.state.update(
            "update submissions set blob = ?, size = ? where ref = ?",
            token,
            file.stat().st_size,
            ref,
        )
        self._waiting.put(ref)

    def fail(self, ref: int, reason: str) -> None:
        "End a submission that cannot be scored."
        self.state.update(
            "update submissions set status = 'ERROR', error = ? where ref = ?", reason, ref
        )

    def _check_limit(self, bundle: Bundle) -> None:
        if self.limits(bundle.slug)["numAllowedNow"] == 0:
            raise Refused(
                400,
                f"You have reached the daily limit of {self.daily_limit(bundle)} submissions. Try again after 00:00 UTC.",
            )

    def daily_limit(self, bundle: Bundle) -> int:
        "Submissions a team may make in one UTC day."
        own = bundle.comp.sandbox.max_daily_submissions
        return bundle.comp.max_daily_submissions if own is None else own

    def limits(self, slug: str) -> dict[str, Any]:
        "Return the fields of GetSubmissionLimits; submissions in error do not count."
        today = now()[:10]
        rows = self.state.rows(
            "select date from submissions where slug = ? and team = ? and status <> 'ERROR' and not is_reference",
            slug,
            self.team,
        )
        used = sum(r["date"].startswith(today) for r in rows)
        return {
            "numToday": used,
            "numTotal": len(rows),
            "numAllowedNow": max(0, self.daily_limit(self.bundles[slug]) - used),
            "limitedByTotal": False,
        }

    def of_team(self, slug: str) -> list[dict[str, Any]]:
        "Return the competitor's submissions, newest first."
        return self.state.rows(
            "select * from submissions where slug = ? and not is_reference order by ref desc", slug
        )

    def one(self, ref: int) -> dict[str, Any] | None:
        "Return one of the competitor's submissions."
        return next(
            iter(
                self.state.rows("select * from submissions where ref = ? and not is_reference", ref)
            ),
            None,
        )

    def standings(self, slug: str, *, private: bool = False) -> list[dict[str, Any]]:
        """Return each team's best entry, best first; late entries do not count.

        On the private leaderboard a team stands with the better of the two entries that were best in public, as Kaggle chooses when
        nobody selects.
        """
        order = "desc" if self.bundles[slug].higher_is_better else "asc"
        column, candidates = ("private_score", 2) if private else ("public_score", 1)
        return self.state.rows(
            f"with entries as (select *, row_number() over (partition by team order by public_score {order}, ref) as place from submissions "
            "where slug = ? and status = 'COMPLETE' and not late), "
            f"chosen as (select *, row_number() over (partition by team order by {column} {order}, ref) as nth from entries where place <= ? "
            f"and {column} is not null) "
            f"select team, {column} as score, date, ref, is_reference from chosen where nth = 1 order by score {order}, is_reference desc, date",
            slug,
            candidates,
        )

    def _enter_references(self, bundle: Bundle) -> None:
        "Score the reference entries once, and again when their file has changed."
        for team, file in bundle.references.items():
            content, known = (
                file.read_bytes(),
                f"reference:{file.stat().st_size}:{file.stat().st_mtime_ns}",
            )
            if self.state.rows(
                "select 1 from submissions where slug = ? and team = ? and is_reference and blob = ?",
                bundle.slug,
                team,
                known,
            ):
                continue
            row: dict[str, Any] = dict(
                slug=bundle.slug,
                team=team,
                description="reference entry",
                file_name=file.name,
                size=len(content),
                blob=known,
                date=now(),
                is_reference=1,
            )
            try:
                public, private = score(bundle, content)
                row.update(status="COMPLETE", public_score=public, private_score=private)
            except Malformed as e:
                row.update(status="ERROR", error=str(e))
            with self.state.writing():
                self.state.update(
                    "delete from submissions where slug = ? and team = ? and is_reference",
                    bundle.slug,
                    team,
                )
                self.state.insert("submissions", **row)

    def _score_all(self) -> None:
        while (ref := self._waiting.get()) is not None:
            row = self.state.rows("select * from submissions where ref = ?", ref)[0]
            if (slow_s := self._slow_s()) and self._stopping.wait(slow_s):
                continue
            time.sleep(self.delay_s)
            try:
                public, private = score(
                    self.bundles[row["slug"]], self.state.blob(row["blob"]).read_bytes()
                )
                self.state.update(
                    "update submissions set status = 'COMPLETE', public_score = ?, private_score = ? where ref = ?",
                    public,
                    private,
                    ref,
                )
            except Malformed as e:
                self.state.update(
                    "update submissions set status = 'ERROR', error = ? where ref = ?", str(e), ref
                )
            except BaseException as e:  # one odd submission must not stop the scorer
                self.state.update(
                    "update submissions set status = 'ERROR', error = ? where ref = ?",
                    f"Scoring failed: {type(e).__name__}: {e}",
                    ref,
                )


def is_over(bundle: Bundle) -> bool:
    "Say whether the deadline has passed."
    return bundle.comp.sandbox.deadline is not None and deadline(bundle) < datetime.now(UTC)


def deadline(bundle: Bundle) -> datetime:
    "Return the deadline; a bundle without one runs for years."
    when = datetime.fromisoformat(bundle.comp.sandbox.deadline or "2099-01-01")
    return when if when.tzinfo else when.replace(tzinfo=UTC)
