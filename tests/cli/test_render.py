"""What is shown while trials run: fold, epoch and time left in a terminal, one line a trial when piped."""

import io

import pytest
from rich.console import Console

from fastkaggle_plus.cli import render
from fastkaggle_plus.sweeps import Sweep, Trial, TrialResult

from ..making import make_predictions

TRIALS = (
    Trial("forest", "forest.forest_model"),
    Trial("net [/v2]", "tabular.tabular_model"),
    Trial("late", "forest.tree_model"),
)


def show(monkeypatch, *, is_terminal):
    out = io.StringIO()
    monkeypatch.setattr(
        render,
        "console",
        lambda **kw: Console(
            file=out, force_terminal=is_terminal, width=140, markup=False, highlight=False
        ),
    )
    with render.RunWatcher() as watcher:
        watcher.sweep_starts(Sweep("toy", TRIALS, holdout=0.2))
        shown = []
        for trial, share, where in (
            (TRIALS[0], 0.5, "fold 1/1, epoch 4/8"),
            (TRIALS[1], 0.25, "fold 1/1, epoch 1/4"),
        ):
            watcher.trial_starts(trial)
            watcher.pace.started[trial.name] -= 60
            watcher.trial_progress(trial, share, where)
            watcher.progress.refresh()
            shown.append(out.getvalue())
        watcher.trial_ends(TrialResult(TRIALS[0], make_predictions("forest")))
        watcher.trial_ends(
            TrialResult(TRIALS[1], None, "Traceback\n  ...\nRuntimeError: the wheel came off\n")
        )
        watcher.trial_ends(
            TrialResult(TRIALS[2], None, "not run: the budget of 2 trials is used", not_run=True)
        )
    return shown, out.getvalue()


def test_a_terminal_shows_fold_epoch_and_the_time_left(monkeypatch):
    shown, _ = show(monkeypatch, is_terminal=True)
    assert (
        "forest: fold 1/1, epoch 4/8" in shown[0] and "ETA 5:00" in shown[0]
    )  # 1 min left of 2, and two more as long
    assert (
        "forest: fold 1/1, epoch 4/8; net [/v2]: fold 1/1, epoch 1/4" in shown[1]
        and "ETA 3:30" in shown[1]
    )  # (1 + 3 left + 3 for the last) / 2


def test_piped_there_is_a_line_a_trial_and_no_more(monkeypatch):
    _, said = show(monkeypatch, is_terminal=False)
    first, *lines = said.splitlines()
    assert first.split() == ["trials", "3", "trials,", "20%", "held", "out,", "seed", "42"]
    assert [line.split("]")[0] for line in lines] == ["  [ 1/3", "  [ 2/3", "  [ 3/3"]
    assert lines[1].endswith("failed: RuntimeError: the wheel came off") and lines[2].endswith(
        "not run: the budget of 2 trials is used"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (80, "1:20"), (3600, "1:00:00"), (7400, "2:03:20")]
)
def test_times_are_shown_as_a_clock(seconds, shown):
    assert render._clock(seconds) == shown
