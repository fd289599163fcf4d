"""The progress of a sweep says what runs where; another process can read it."""

from fastkaggle_plus import Sweep, Trial, Vault, run_local
from fastkaggle_plus.sweeps.budget import gpu_hours
from fastkaggle_plus.sweeps.execution import SweepExecution
from fastkaggle_plus.sweeps.sweep_bar import ProgressFile, SweepBar
from fastkaggle_plus.ui import no_progress
from fastkaggle_plus.ui.displays import Display

TREES = tuple(Trial(f"tree{n}", "forest.tree_model", {"max_leaf_nodes": n}) for n in (2, 8))


class Recorder(Display):
    def __init__(self):
        self.labels = []

    def bar(self, share, label, left_s):
        self.labels.append(label)


def test_the_bar_says_where_trials_run_and_how_many_more(toy, tmp_path):
    display = Recorder()
    bar = SweepBar(display, 5)
    options = dict(on_start=bar.on_start, on_progress=bar.on_progress, vault=Vault(tmp_path / "v"))
    trials = (*TREES, Trial("bad", "models.broken"))
    execution = SweepExecution(Sweep("toy", trials), toy, toy.folder, **options)
    execution.resume()
    tasks = [execution.start_next() for _ in trials]
    for i, task in enumerate(tasks):
        execution.report(task, 0.5, "fold 2/5", where=f"card {i}")
    assert display.labels[-1] == (
        "0/5 trials  tree2: card 0, fold 2/5; tree8: card 1, fold 2/5; 1 more"
    )
    execution.report(tasks[0], 0.6, "fold 3/5")
    assert "tree2: fold 3/5" in display.labels[-1]


def test_another_process_reads_the_progress_while_the_sweep_runs(toy, tmp_path):
    vault, seen = Vault(tmp_path / "vault"), []
    file = ProgressFile(vault.folder)
    assert file.read() is None
    with no_progress():
        run_local(
            Sweep("toy", TREES, n_folds=3),
            toy,
            toy.folder,
            vault=vault,
            workers=0,
            on_start=lambda trial: seen.append(file.read()),
        )
    assert [label for _, label, _ in seen] == ["0/2 trials  tree2", "1/2 trials  tree8"]
    assert 0.4 < seen[1][0] < 0.6 and seen[1][2] > 0
    assert file.read() is None


def test_notes_of_a_place_are_passed_on(toy, tmp_path):
    steps = []
    options = dict(vault=Vault(tmp_path / "v"), on_step=lambda *step: steps.append(step))
    SweepExecution(Sweep("toy", TREES), toy, toy.folder, **options).note("quota", "30 h")
    assert steps == [("quota", "30 h")]


def test_gpu_time_reads_like_money():
    assert gpu_hours(1800) == "0.50 GPU hours used"
    assert gpu_hours(5400, 108_000) == "1.5 of 30.0 GPU hours used, 28.5 left"


def test_a_worker_that_dies_after_it_wrote_its_result_did_not_fail(toy, tmp_path):
    vault = Vault(tmp_path / "vault")
    execution = SweepExecution(Sweep("toy", TREES[:1]), toy, toy.folder, vault=vault, far=True)
    execution.resume()
    task = execution.start_next()
    from fastkaggle_plus.sweeps.execution import run_trial

    assert run_trial(task, lambda share, step: None) == ""
    execution.finish(task, "the connection to the worker was lost")
    [result] = execution.results
    assert result.predictions is not None and not result.error
    assert [run.status for run in vault.runs()] == ["done"]
