"""The board of a sweep: its finished trials, best first, with one verdict for all of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from ..evidence import Winner, best_of, best_set
from ..evidence.pooling import Pooled, pooled
from ..predictions import Predictions
from ..ui.records import Records, Row
from .pruning import FoldScores
from .trial import TrialResult

BEST, AMONG, WORSE = "best", "among the best", "worse"


@dataclass(frozen=True)
class BoardRow(Row):
    """One line of the board: a trial, with all its repeats."""

    name: str
    oof_score: float  # mean of the repeats
    oof_score_se: float  # with the spread of the repeats
    seconds_s: float  # of one run
    gain: float = 0.0  # over the best trial; a negative number is worse, for every metric
    # best | among the best: it cannot be told apart from the best | worse
    # of an ensemble, against the best trial: better | worse | cannot be told apart
    outcome: str = BEST
    p_value: float | None = None  # adjusted for all trials; None for the best
    test: str = ""  # the test that gave the p-values, and what it speaks of
    n_repeats: int = 1
    reused: bool = False
    peak_mb: float | None = None  # peak memory of its process; None if it shared a process
    gpu_peak_mb: float | None = None  # peak memory of the GPU, if the model measured it
    tta: dict[str, Any] | None = None  # gain of test-time augmentation, if the model tested it
    metric: str = ""
    higher_is_better: bool = True
    predicts_test: str = ""  # mean of 5 folds | refit on all rows | ...; "": not known
    version: dict[str, Any] | None = None  # hash, date, what changed: see `all_versions`
    winner: Winner | None = None  # of the best trial: its score, corrected for the choice

    @property
    def verdict(self) -> str:
        """The outcome, with the p-value of one that says more than the order of the rows."""
        return f"{self.outcome} (p = {self.p_value:.2g})" if self.shows_p else self.outcome

    @property
    def shows_p(self) -> bool:
        """Whether the verdict has a p-value."""
        return self.p_value is not None and self.outcome not in (BEST, AMONG)

    @property
    def shown_name(self) -> str:
        """The name, and how many repeats the row has."""
        return self.name if self.n_repeats == 1 else f"{self.name} ({self.n_repeats} repeats)"

    def as_row(self) -> dict[str, object]:
        """Return the cells that people read."""
        memory = [(self.peak_mb, ""), (self.gpu_peak_mb, " GPU")]
        return {
            "trial": self.shown_name,
            "CV score": f"{self.oof_score:.4f}",
            "SE": f"± {self.oof_score_se:.4f}",
            "seconds": f"{self.seconds_s:.1f}",
            "peak MB": " + ".join(f"{mb:.0f}{of}" for mb, of in memory if mb is not None),
            "to best": "" if self.outcome == BEST else f"{self.gain:+.4f}",
            "verdict": self.verdict,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {
            "name": self.name,
            "oof_score": self.oof_score,
            "oof_score_se": self.oof_score_se,
            "n_repeats": self.n_repeats,
            "seconds": round(self.seconds_s, 3),
            "peak_mb": self.peak_mb,
            "gpu_peak_mb": self.gpu_peak_mb,
            "to_best": None if self.outcome == BEST else self.gain,
            "p_value": self.p_value,
            "test": self.test or None,
            "verdict": self.verdict,
            "winner": self.winner and asdict(self.winner),
            "reused": self.reused,
            "tta": self.tta,
            "predicts_test": self.predicts_test,
            "version": self.version,
        }


class Board(Records[BoardRow]):
    """The rows of a board, and what their verdicts mean."""

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), *about_verdicts(self)])

    def _repr_html_(self) -> str:
        below = "".join(f"<p>{escape(sentence)}</p>" for sentence in about_verdicts(self))
        return super()._repr_html_() + below


def board(
    results: Sequence[TrialResult | Predictions],
    *,
    stopped: Sequence[FoldScores] = (),  # of trials that searches stopped, besides the results
) -> Board:
    """Return one row per finished trial, best first, with the verdict of `best_set`.

    Repeats of a trial ("name", "name #2", ...) are one row with their mean score. The first row has
    the corrected score of `best_of`, which counts the trials that a search stopped.
    """
    finished = finished_predictions(results)
    if not finished:
        return Board()
    pools, found = pooled(finished), best_set(finished)
    reused = {r.predictions for r in results if isinstance(r, TrialResult) and r.reused}
    chosen = best_of(finished, stopped=[*_stopped(results), *stopped])
    return Board(
        _row(
            pool,
            gain=pool.repeats[0].scoring.gain(pool.score, pools[0].score),
            outcome=BEST if pool is pools[0] else AMONG if pool.name in found.names else WORSE,
            p_value=None if pool is pools[0] else found.p_values[pool.name],
            test=found.about_test if len(pools) > 1 else "",
            reused=all(preds in reused for preds in pool.repeats),
            winner=chosen if pool is pools[0] else None,
        )
        for pool in pools
    )


def _row(pool: Pooled, **verdict: Any) -> BoardRow:
    first, n = pool.repeats[0], len(pool.repeats)
    abouts = [preds.about for preds in pool.repeats]
    return BoardRow(
        pool.name,
        pool.score,
        pool.score_se,
        sum(preds.seconds_s for preds in pool.repeats) / n,
        n_repeats=n,
        peak_mb=max((about["peak_mb"] for about in abouts if about.get("peak_mb")), default=None),
        gpu_peak_mb=first.about.get("gpu_peak_mb"),
        tta=tta if isinstance(tta := first.about.get("tta"), dict) else None,
        metric=first.metric,
        higher_is_better=first.scoring.higher_is_better,
        predicts_test=first.about.get("test", ""),
        version=first.about.get("version"),
        **verdict,
    )


def winner(results: Sequence[TrialResult]) -> Winner:
    """Return the best trial of a sweep or search, and its score corrected for the choice."""
    return best_of(finished_predictions(results), stopped=_stopped(results))


def _stopped(results: Sequence[TrialResult | Predictions]) -> list[FoldScores]:
    return [r.fold_scores for r in results if isinstance(r, TrialResult) and r.is_pruned]


def about_verdicts(rows: Sequence[BoardRow]) -> list[str]:
    """Return what the verdicts and the best score of a board mean, one sentence each."""
    found = []
    if chosen := next((row.winner for row in rows if row.winner), None):
        if chosen.n_tried > 1:
            found.append(f"{chosen.name}: {chosen}.")
    if test := next((row.test for row in rows if row.winner and row.test), ""):
        n = sum(row.outcome in (BEST, AMONG, WORSE) for row in rows)
        found.append(f"Verdicts: {test}; p-values are adjusted for {n} trials.")
    return found


def refits_of(rows: Sequence[BoardRow]) -> str:
    """Return which trials predict the test rows by a refit, in a sentence; "" for none."""
    names = [row.name for row in rows if row.predicts_test.startswith("refit")]
    if not names:
        return ""
    of = "all trials" if len(names) == len(rows) else ", ".join(names)
    return f"Test rows are predicted by a refit on all rows ({of}); scores are those of the folds."


def finished_predictions(results: Sequence[TrialResult | Predictions]) -> list[Predictions]:
    """Return the predictions of the trials that finished."""
    found = (r if isinstance(r, Predictions) else r.predictions for r in results)
    return [preds for preds in found if preds is not None]


def ranked_predictions(members: Sequence[Predictions]) -> list[Predictions]:
    """Return predictions ranked by oof_score, best first; of equal scores the first stays first."""
    return sorted(members, key=lambda p: -p.scoring.gain(p.oof_score, 0))
