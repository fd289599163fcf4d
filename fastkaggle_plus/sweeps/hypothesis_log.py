"""The hypothesis log: what each trial should show, the gain that was expected, and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

import numpy as np

from ..competition import load_comp
from ..evidence import Comparison, compare
from ..exceptions import DataError, last_line
from ..predictions import Predictions
from ..ui.records import Records, Row
from .board import BoardRow, board
from .default_trials import trial_lists
from .experiments import changes
from .trial import Trial, TrialResult
from .trial_versions import BEFORE, what_changed
from .vault import StoredRun, Vault, is_same_split

ALPHA = 0.05
BETTER, WORSE, TIE = "better", "worse", "cannot be told apart"
_OF_A_SEARCH = "search: "  # the hypothesis of its trials, which are on the board only


@dataclass(frozen=True, eq=False)
class LogEntry(Row):
    """One hypothesis and its answer."""

    trial: Trial
    change: str = ""  # what differs from the base, in words
    preds: Predictions | None = None
    gain: Comparison | None = None  # against the base
    p_adjusted: float = 1.0  # of `gain`, for the number of experiments in the log
    note: str = ""  # the answer of a trial without a gain
    version: str = ""  # short hashes of the runs in the vault
    base_version: str = ""
    earlier: tuple[StoredRun, ...] = ()  # older versions of the trial, newest first

    @property
    def verdict(self) -> str:
        """Better | worse | cannot be told apart, than its base; "" without a result."""
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

    def as_row(self) -> dict[str, object]:
        """Return the cells that people read."""
        base = f"{self.trial.base}: " if self.trial.base else ""
        return {
            "hypothesis": self.trial.hypothesis,
            "trial": self.trial.name,
            "change": f"{base}{self.change}",
            "answer": self.answer,
            "CV score": f"{self.preds.oof_score:.4f} ± {self.preds.oof_score_se:.4f}"
            if self.preds
            else "",
        }

    def as_json(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        preds, gain = self.preds, self.gain
        return {
            **asdict(self.trial),
            "change": self.change,
            "is_predicted": self.is_predicted,
            "gain": gain and gain.gain,
            "gain_se": gain and gain.se,
            "p_value": gain and gain.p_value,
            "p_adjusted": self.p_adjusted if gain else None,
            "test": gain and gain.test,
            "verdict": self.verdict,
            "outcome": self.outcome,
            "answer": self.answer,
            "oof_score": preds and preds.oof_score,
            "oof_score_se": preds and preds.oof_score_se,
            "date": preds and preds.about.get("date", ""),
            "version": self.version,
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
        found = [entry for entry in self if entry.gain]
        if not found:
            return "No experiment has a result yet. Declare one with `experiment`, and run it."
        n, counts = len(found), [e.verdict for e in found]
        said = ", ".join(f"{counts.count(v)} {v}" for v in (BETTER, WORSE, TIE) if v in counts)
        text = f"{_experiments(n)} tested against {'its' if n == 1 else 'their'} base: {said}."
        if n > 1:
            text += (
                f" The p-values are adjusted for {n} tests (Holm), so the chance of one or more"
                f" false verdicts in this log is at most {ALPHA:.0%}."
            )
        predicted = [e for e in found if e.gain and e.is_predicted]
        if len(predicted) > 1:
            expected = np.mean([e.trial.expect or 0 for e in predicted])
            got = np.mean([e.gain.gain for e in predicted if e.gain])
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

    A trial with a base is tested against it, and its p-value is adjusted for the number of such
    tests. Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    by_name = {result.name: result for result in results}
    verdicts = _verdicts(board(list(by_name.values())) if rows is None else rows)
    entries = []
    for result in by_name.values():
        note = verdicts.get(result.name) or str(result.as_row()["note"])
        entry = LogEntry(result.trial, preds=result.predictions, note=note)
        base = by_name.get(result.trial.base)
        entries.append(_tested(entry, base and base.trial, base and base.predictions))
    return _adjusted(entries)


def stored_log(
    vault: Vault,
    slug: str,
    declared: Iterable[Trial] = (),  # as they are in trials.py now; default: as they ran
) -> HypothesisLog:
    """Return the log of the declared trials, and of all others in a vault except for searches.

    A trial is tested against the newest run of its base on the same rows and folds.
    """
    runs = vault.runs(slug)
    trials = {t.name: t for t in stored_trials(declared, runs) if not _is_searched(t)}
    known = [run for run in runs if run.trial in trials]
    done = {r.key: replace(vault.load(r), name=r.trial) for r in known if r.status == "done"}
    verdicts = _verdicts(board([p for p in vault.latest(slug)[0] if p.name in trials]))
    entries = []
    for trial in trials.values():
        own = [run for run in known if run.trial == trial.name]
        if not own or own[0].key not in done:
            note = f"failed: {last_line(own[0].error)}" if own else "not run yet"
            entries.append(_tested(LogEntry(trial, note=note), trials.get(trial.base), None))
            continue
        note, older = verdicts.get(trial.name, ""), tuple(r for r in own[1:] if r.key in done)
        entry = LogEntry(trial, "", done[own[0].key], note=note, earlier=older)
        of = _base_run(trial.base, own[0], known, done)
        entry = _tested(entry, of and trials[of.trial], of and done[of.key])
        if of and of.trial == trial.name:
            entry = replace(entry, change=", ".join(what_changed(of, own[0])))
        versions = {"version": own[0].version, "base_version": of.version if of else ""}
        entries.append(replace(entry, **versions))
    return _adjusted(entries)


def declared_trials(vault: Vault, slug: str) -> list[Trial]:
    """Return the trials of each list in trials.py of which a trial has run. Raises ConfigError."""
    runs = vault.runs(slug)
    folder = next((r.facts["competition"] for r in runs if "competition" in r.facts), slug)
    names = {run.trial for run in runs}
    lists = trial_lists(load_comp(folder)).values()
    return [t for trials in lists if names & {t.name for t in trials} for t in trials]


def stored_trials(declared: Iterable[Trial], runs: Sequence[StoredRun]) -> list[Trial]:
    """Return the declared trials, then those that only the vault knows, the oldest run first."""
    trials = {trial.name: trial for trial in declared}
    for run in reversed(runs):
        if run.trial not in trials and "trial" in run.facts:
            trials[run.trial] = Trial(**run.facts["trial"])
    return list(trials.values())


def _base_run(
    base: str, run: StoredRun, runs: Sequence[StoredRun], done: Mapping[str, Predictions]
) -> StoredRun | None:
    """Return the newest run of a base, or of a version of it, on the same rows and folds."""
    is_name = any(other.trial == base for other in runs)
    name, _, version = (base, "", "") if is_name else base.rpartition("@")
    found = [r for r in runs if r.trial == name and r.key in done]
    found = found[1:] if version == BEFORE else [r for r in found if r.key.startswith(version)]
    same = (r for r in found if is_same_split(done[r.key], done[run.key]))
    return next(same, None)


def _tested(entry: LogEntry, base: Trial | None, preds: Predictions | None) -> LogEntry:
    """Return the entry with its change and, if it and its base have results, its gain."""
    if not entry.trial.base:
        return entry
    pairs = changes(base, entry.trial) if base else {}
    words = (f"{name} = {new} instead of {old}" for name, (old, new) in pairs.items())
    entry = replace(entry, change=", ".join(words))
    if entry.preds is None:
        return entry
    if preds is None:
        why = f"its base, {entry.trial.base}, has no result on the same rows and folds"
        return replace(entry, note=f"no answer: {why}")
    try:
        return replace(entry, gain=compare(entry.preds, preds))
    except DataError as e:
        return replace(entry, note=f"no answer: {e}")


def _adjusted(entries: Sequence[LogEntry]) -> HypothesisLog:
    """Return the log, with the p-values of all experiments adjusted by Holm's method."""
    tested = sorted((e for e in entries if e.gain), key=lambda e: e.gain.p_value if e.gain else 1)
    adjusted, highest = {}, 0.0
    for i, entry in enumerate(tested):
        p_value = entry.gain.p_value if entry.gain else 1.0
        highest = max(highest, min(1.0, (len(tested) - i) * p_value))
        adjusted[entry.trial.name] = highest
    named = ((e, adjusted.get(e.trial.name, 1.0)) for e in entries)
    return HypothesisLog(replace(e, p_adjusted=p) for e, p in named)


def _verdicts(rows: Sequence[BoardRow]) -> dict[str, str]:
    """Return the board's verdict of each trial: the answer of a hypothesis without a base."""
    return {row.name: f"on the board: {row.verdict}" for row in rows}


def _is_searched(trial: Trial) -> bool:
    return trial.hypothesis.startswith(_OF_A_SEARCH)


def _experiments(n: int) -> str:
    return "One experiment was" if n == 1 else f"{n} experiments were"
