"""The hypothesis log: what each trial should show, the gain that was expected, and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

import numpy as np

from ..evidence import Comparison, RecipeComparison, compare, compare_recipes
from ..evidence.max_t import over_all_pairs
from ..evidence.pooling import shared_values
from ..exceptions import DataError
from ..predictions import Predictions
from ..ui.records import Records, Row
from .board import BoardRow, board, finished_predictions
from .experiments import changes
from .repeats import by_recipe
from .stored_run import StoredRun
from .trial import Trial, TrialResult

ALPHA = 0.05
BETTER, WORSE, TIE = "better", "worse", "cannot be told apart"
Repeats = Mapping[int, Predictions]  # of a trial, by their number: 1 for the trial itself


@dataclass(frozen=True, eq=False)
class LogEntry(Row):
    """One hypothesis and its answer."""

    trial: Trial
    preds: Predictions | None = None
    note: str = ""  # the answer of a trial without a gain
    change: str = ""  # what differs from the base, in words
    gain: Comparison | RecipeComparison | None = None  # over the base
    repeats: tuple[int, ...] = ()  # numbers of the repeats that were compared; (): none
    base_preds: Predictions | None = None
    p_adjusted: float = 1.0  # of `gain`, for all pairs of trials in the log
    version: str = ""  # short hash of the run in the vault
    base_version: str = ""
    earlier: tuple[StoredRun, ...] = ()  # older versions of the trial, newest first

    @property
    def verdict(self) -> str:
        """Better than its base, worse, or cannot be told apart; "" without a result."""
        if self.gain is None:
            return ""
        return TIE if self.p_adjusted >= ALPHA else BETTER if self.gain.gain > 0 else WORSE

    @property
    def is_predicted(self) -> bool:
        """Whether the expected gain was declared before the trial ran."""
        about = self.preds.about if self.preds else {}
        return self.trial.expect is not None and about.get("expect") == self.trial.expect

    @property
    def outcome(self) -> str:
        """The gain against the expected one; "" without a prediction, or without a result."""
        if self.gain is None or not self.is_predicted:
            return ""
        if not self.gain.gain and not self.gain.se:
            return "the change made no difference"
        beyond = self.gain.gain - (self.trial.expect or 0)
        if abs(beyond) > 2 * self.gain.se:
            return "more than expected" if beyond > 0 else "less than expected"
        return "the expected gain is possible" if self.verdict == TIE else "as expected"

    @property
    def answer(self) -> str:
        """What was expected, what the data say, and the verdict, in one sentence."""
        if self.gain is None:
            return self.note
        got = f"got {self.gain.gain:+.4f} ± {self.gain.se:.4f}"
        if self.trial.expect is not None:
            when = "" if self.is_predicted else " (declared after it ran)"
            got = f"expected {self.trial.expect:+.4f}{when}, {got}"
        return f"{got}: {', '.join(filter(None, (self.verdict, self.outcome)))}"

    @property
    def test(self) -> str:
        """The test that gave the p-value, and whether it speaks of fits or of recipes."""
        n = len(self.repeats)
        return f"{self.gain.test}, {f'{n} repeats' if n else 'these fits'}" if self.gain else ""

    def as_row(self) -> dict[str, object]:
        """Return the cells that people read."""
        preds = self.preds
        return {
            "hypothesis": self.trial.hypothesis,
            "trial": self.trial.name,
            "change": f"{self.trial.base}: {self.change}" if self.trial.base else "",
            "answer": self.answer,
            "CV score": f"{preds.oof_score:.4f} ± {preds.oof_score_se:.4f}" if preds else "",
        }

    def as_json(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        preds, gain = self.preds, self.gain
        words = ("change", "is_predicted", "verdict", "outcome", "answer", "test", "version")
        return {
            **asdict(self.trial),
            **{name: getattr(self, name) for name in words},
            "gain": gain and gain.gain,
            "gain_se": gain and gain.se,
            "p_value": gain and gain.p_value,
            "p_adjusted": self.p_adjusted if gain else None,
            "oof_score": preds and preds.oof_score,
            "oof_score_se": preds and preds.oof_score_se,
            "date": preds and preds.about.get("date", ""),
            "earlier": [
                {"version": r.version, "date": r.measured, "oof_score": r.oof_score}
                for r in self.earlier
            ],
        }


class HypothesisLog(Records[LogEntry]):
    """Hypotheses in the order of their declaration, and how many of them were tested."""

    @property
    def summary(self) -> str:
        """How many experiments were tested, and what that means for their verdicts."""
        tested = [(e, e.gain) for e in self if e.gain]
        if not (n := len(tested)):
            return "No experiment has a result yet. Declare one with `experiment`, and run it."
        verdicts = [entry.verdict for entry, _ in tested]
        said = ", ".join(f"{verdicts.count(v)} {v}" for v in (BETTER, WORSE, TIE) if v in verdicts)
        if n == 1:
            return f"One experiment was tested against its base: {said}."
        text = (
            f"{n} experiments were tested against their base: {said}. The p-values are adjusted "
            "for all pairs of these trials (max-T): the chance of any false verdict is about "
            f"{ALPHA:.0%}, also if a base was chosen because it scored best."
        )
        pairs = [(e.trial.expect or 0, gain.gain) for e, gain in tested if e.is_predicted]
        if len(pairs) > 1:
            expected, got = np.mean(pairs, 0)
            text += f" Expected on average {expected:+.4f}, got {got:+.4f}."
        return text

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{self.summary}"

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}<p>{escape(self.summary)}</p>"


def hypothesis_log(
    results: Iterable[TrialResult],
    *,
    rows: Sequence[BoardRow] | None = None,  # of the board; default: make them
) -> HypothesisLog:
    """Return the hypothesis of each trial of a sweep with its answer.

    A trial with a base is tested against it: their recipes if both were repeated, else these fits.
    The p-values are adjusted for all pairs of the tested trials and their bases, because a base may
    have been chosen for its score.
    """
    by_name = {result.name: result for result in results}
    repeats = by_recipe(finished_predictions(list(by_name.values())))
    verdicts = board_verdicts(board(list(by_name.values())) if rows is None else rows)
    entries = []
    for name, result in by_name.items():
        if result.trial.repeat > 1:
            continue
        note = verdicts.get(name) or str(result.as_row()["note"])
        entry = LogEntry(result.trial, result.predictions, note)
        base = by_name[result.trial.base].trial if result.trial.base in by_name else None
        own, of = (repeats.get(n, {}) for n in (name, result.trial.base))
        entries.append(tested(entry, base, own, of))
    return adjusted(entries)


def tested(entry: LogEntry, base: Trial | None, own: Repeats, of: Repeats) -> LogEntry:
    """Return the entry with its change and, if it and its base have results, its gain."""
    if not entry.trial.base:
        return entry
    pairs = changes(base, entry.trial) if base else {}
    words = (f"{name} = {new} instead of {old}" for name, (old, new) in pairs.items())
    entry = replace(entry, change=", ".join(words))
    if entry.preds is None:
        return entry
    if 1 not in of:
        why = f"its base, {entry.trial.base}, has no result on the same rows and folds"
        return replace(entry, note=f"no answer: {why}")
    preds, entry = entry.preds, replace(entry, base_preds=of[1])
    numbers = tuple(sorted(own.keys() & of.keys()))
    try:
        if len(numbers) > 1:
            gain = compare_recipes(*([of_all[k] for k in numbers] for of_all in (own, of)))
            return replace(entry, gain=gain, repeats=numbers)
        return replace(entry, gain=compare(preds, of[1]))
    except DataError as e:
        return replace(entry, note=f"no answer: {e}")


def adjusted(entries: Iterable[LogEntry]) -> HypothesisLog:
    """Return the log, with the p-values of all experiments adjusted for all pairs of trials."""
    log = HypothesisLog(entries)
    places = [i for i, entry in enumerate(log) if entry.gain]
    if places:
        p_values = np.array([entry.gain.p_value for entry in log if entry.gain])
        trials = [preds for i in places for preds in (log[i].preds, log[i].base_preds) if preds]
        trials = list({(preds.name, preds.oof_score): preds for preds in trials}.values())
        try:
            found = over_all_pairs(p_values, shared_values(trials))
        except DataError:  # trials of another version of the data: Bonferroni
            found = np.minimum(p_values * (len(trials) * (len(trials) - 1) // 2), 1)
        for place, p_value in zip(places, found, strict=True):
            log[place] = replace(log[place], p_adjusted=float(p_value))
    return log


def board_verdicts(rows: Iterable[BoardRow]) -> dict[str, str]:
    """Return the board's verdict of each trial: the answer of a hypothesis without a base."""
    return {row.name: f"on the board: {row.verdict}" for row in rows}
