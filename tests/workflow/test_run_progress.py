"""Progress of a run: fold, epoch and time left in a terminal, one line per trial when piped."""

import io

import pytest
from rich.console import Console

from fastkaggle_plus.sweeps import Sweep, Trial, TrialResult
from fastkaggle_plus.ui import displays
from fastkaggle_plus.workflow.run_progress import RunProgress

from ..making import make_predictions

TRIALS = (
    Trial("forest", "forest.forest_model"),
    Trial("net [/v2]", "tabular.tabular_model"),
    Trial("late", "forest.tree_model"),
)


def show(monkeypatch, *, is_terminal):
    """Show two running trials, then how all three end; return the output after each step."""
    out = io.StringIO()
    plain = dict(markup=False, highlight=False)
    shown_on = Console(file=out, force_terminal=is_terminal, width=140, **plain)
    monkeypatch.setattr(displays, "console", lambda **_: shown_on)
    with RunProgress() as progress:
        progress.on_sweep_start(Sweep("toy", TRIALS, holdout=0.2))
        shown = []
        for trial, share, detail in (
            (TRIALS[0], 0.5, "fold 1/1, epoch 4/8"),
            (TRIALS[1], 0.25, "fold 1/1, epoch 1/4"),
        ):
            progress.on_trial_start(trial)
            progress.bar.eta.started[trial.name] -= 60
            progress.on_trial_progress(trial, share, detail)
            if is_terminal:
                progress.display.progress.refresh()
            shown.append(out.getvalue())
        progress.on_trial_end(TrialResult(TRIALS[0], make_predictions("forest")))
        error = "Traceback\n  ...\nRuntimeError: the trial failed on purpose\n"
        progress.on_trial_end(TrialResult(TRIALS[1], None, error))
        not_run = "not run: the budget of 2 trials is used"
        progress.on_trial_end(TrialResult(TRIALS[2], None, not_run, not_run=True))
    return shown, out.getvalue()


def test_a_terminal_shows_fold_epoch_and_the_time_left(monkeypatch):
    shown, _ = show(monkeypatch, is_terminal=True)
    first = "forest: fold 1/1, epoch 4/8"
    # One minute of two is left, and two trials of two minutes wait.
    assert first in shown[0] and "ETA 5:00" in shown[0]
    # (1 + 3 minutes left, + 3 for the last trial) / 2 in parallel.
    assert f"{first}; net [/v2]: fold 1/1, epoch 1/4" in shown[1] and "ETA 3:30" in shown[1]


def test_piped_there_is_one_line_per_trial(monkeypatch):
    _, text = show(monkeypatch, is_terminal=False)
    first, *lines = text.splitlines()
    assert first.split() == ["trials", "3", "trials,", "20%", "held", "out,", "seed", "42"]
    assert [line.split("]")[0] for line in lines] == ["  [ 1/3", "  [ 2/3", "  [ 3/3"]
    assert lines[1].endswith("failed: RuntimeError: the trial failed on purpose")
    assert lines[2].endswith("not run: the budget of 2 trials is used")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (80, "1:20"), (3600, "1:00:00"), (7400, "2:03:20")]
)
def test_durations_are_shown_as_a_clock(seconds, shown):
    assert displays.clock(seconds) == shown
