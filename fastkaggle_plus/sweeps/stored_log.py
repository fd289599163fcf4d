"""The hypothesis log of a vault: every trial that ran, on its own rows and folds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..competition import load_comp
from ..exceptions import last_line
from ..predictions import Predictions
from .board import BoardRow, board
from .current_runs import is_same_split
from .default_trials import trial_lists
from .hypothesis_log import HypothesisLog, LogEntry, adjusted, board_verdicts, tested
from .repeats import by_recipe
from .stored_run import StoredRun
from .trial import Trial
from .trial_versions import BEFORE, what_changed
from .vault import Vault

_OF_A_SEARCH = "search: "  # the hypothesis of its trials, which are on the board only


def stored_log(
    vault: Vault,
    slug: str,
    declared: Iterable[Trial] = (),  # as they are in trials.py now; default: as they ran
    *,
    rows: Sequence[BoardRow] | None = None,  # of the board; default: make them
) -> HypothesisLog:
    """Return the log of the declared trials, and of all others in a vault except for searches.

    A trial is tested against the newest run of its base on the same rows and folds.
    """
    runs = [run for run in vault.runs(slug) if run.repeat == 1]
    trials = {t.name: t for t in stored_trials(declared, runs) if not _is_searched(t)}
    runs = [run for run in runs if run.trial in trials]
    done = {r.key: replace(vault.load(r), name=r.trial) for r in runs if r.status == "done"}
    latest = vault.latest(slug)[0]
    repeats, verdicts = by_recipe(latest), board_verdicts(board(latest) if rows is None else rows)
    entries = []
    for trial in trials.values():
        own = [run for run in runs if run.trial == trial.name]
        if not own or own[0].key not in done:
            note = f"failed: {last_line(own[0].error)}" if own else "not run yet"
            entries.append(tested(LogEntry(trial, None, note), trials.get(trial.base), {}, {}))
            continue
        newest, preds = own[0], done[own[0].key]
        entry = LogEntry(trial, preds, verdicts.get(trial.name, ""), version=newest.version)
        entry = replace(entry, earlier=tuple(run for run in own[1:] if run.key in done))
        if (base := _base_run(trial.base, newest, runs, done)) is None:
            entries.append(tested(entry, trials.get(trial.base), {}, {}))
            continue
        current, of = repeats.get(trial.name, {}), repeats.get(trial.base, {})
        if not (1 in current and 1 in of and is_same_split(current[1], preds)):
            current, of = {1: preds}, {1: done[base.key]}
        entry = tested(entry, trials[base.trial], current, of)
        if base.trial == trial.name:
            entry = replace(entry, change=", ".join(what_changed(base, newest)))
        entries.append(replace(entry, base_version=base.version))
    return adjusted(entries)


def declared_trials(vault: Vault, slug: str) -> list[Trial]:
    """Return the trials of the lists in trials.py with a trial that ran. Raises ConfigError."""
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


def _is_searched(trial: Trial) -> bool:
    return trial.hypothesis.startswith(_OF_A_SEARCH)
