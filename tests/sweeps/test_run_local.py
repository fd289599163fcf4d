"""Sweeps run each trial once, keep what finished, and turn a failure into a row. The models here live in the competition's folder."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import ConfigError, GroupsOverlap
from fastkaggle_plus.sweeps import Sweep, Trial, board, run_local, write_results
from fastkaggle_plus.sweeps.vault import Vault

from .conftest import MODELS


def counted(toy, *leaves, wait=0.0):
    return tuple(
        Trial(
            f"tree{n}",
            "models.counted",
            {"n_leaves": n, "log": str(toy.folder.parent / "log"), "wait": wait},
        )
        for n in leaves
    )


def log(toy):
    file = toy.folder.parent / "log"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def sweep(toy, trials, tmp_path, **kw):
    return run_local(
        Sweep("toy", trials, n_folds=3), toy, toy.folder, vault=Vault(tmp_path / "vault"), **kw
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_what_finished_is_not_run_again(toy, tmp_path, workers):
    first = sweep(toy, counted(toy, 2, 4), tmp_path, workers=workers)
    again = sweep(toy, counted(toy, 2, 4, 8), tmp_path, workers=workers)
    assert sorted(log(toy)) == ["2", "4", "8"] and [r.reused for r in again] == [True, True, False]
    for a, b in zip(first, again, strict=False):
        np.testing.assert_array_equal(a.predictions.oof, b.predictions.oof)
    assert [r.name for r in again] == ["tree2", "tree4", "tree8"]


def test_other_data_or_code_runs_again(toy, tmp_path):
    sweep(toy, counted(toy, 2), tmp_path, workers=0)
    (toy.folder / "models.py").write_text(MODELS + "\n# another idea\n")
    sweep(toy, counted(toy, 2), tmp_path, workers=0)
    train = pd.read_csv(toy.folder / "train.csv")
    train.assign(a=0).to_csv(toy.folder / "train.csv", index=False)
    [blind] = sweep(toy, counted(toy, 2), tmp_path, workers=0)
    assert (
        log(toy) == ["2", "2", "2"] and blind.predictions.oof_score < 0.7
    )  # it saw the new file, not the one this process had read


def test_a_failure_is_a_row_with_its_traceback(toy, tmp_path):
    good, bad, typo = sweep(
        toy,
        (*counted(toy, 4), Trial("bad", "models.broken"), Trial("typo", "forest.forrest_model")),
        tmp_path,
        workers=2,
    )
    assert good.predictions is not None and bad.predictions is None
    assert "the wheel came off" in bad.error and "models.py" in bad.error
    assert "forest_model" in typo.error  # near matches
    assert [r.name for r in board([good, bad])] == ["tree4"]
    assert {r.trial: r.status for r in Vault(tmp_path / "vault").runs()} == {
        "tree4": "done",
        "bad": "error",
        "typo": "error",
    }


def test_a_worker_that_dies_does_not_end_the_sweep(toy, tmp_path):
    results = sweep(
        toy, (Trial("dies", "models.dies"), *counted(toy, 2, 4, 8)), tmp_path, workers=1
    )
    assert "worker process died" in results[0].error and all(
        r.predictions is not None for r in results[1:]
    )


def test_a_process_that_ends_itself_is_not_said_to_be_out_of_memory(toy, tmp_path):
    killed, ended = sweep(
        toy, (Trial("dies", "models.dies"), Trial("ends", "models.ends")), tmp_path, workers=2
    )
    assert "killed by SIGKILL" in killed.error and "Out of memory" in killed.error
    assert (
        "exit status 3" in ended.error and "memory" not in ended.error and "sys.exit" in ended.error
    )


def test_fewer_than_no_workers_are_refused(toy, tmp_path):
    with pytest.raises(ConfigError, match="workers = -1"):
        sweep(toy, counted(toy, 4), tmp_path, workers=-1)


def test_each_trial_has_a_process_of_its_own(toy, tmp_path):
    sweep(toy, counted(toy, 2, 3, 4, 5, 6), tmp_path, workers=2)
    pids = {int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()}
    assert len(pids) == 5 and os.getpid() not in pids
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_a_process_that_is_killed_fails_its_own_trial_alone(toy, tmp_path):
    dies, other = sweep(
        toy,
        (Trial("dies", "models.dies", {"wait": 0.3}), *counted(toy, 4, wait=0.8)),
        tmp_path,
        workers=2,
    )
    assert (
        "killed by SIGKILL" in dies.error and other.predictions is not None and log(toy) == ["4"]
    )  # it ran at the same time, and was not run again


def test_when_the_server_dies_another_goes_on(toy, tmp_path):
    first, second = sweep(
        toy, (Trial("kills", "models.kills_the_server"), *counted(toy, 4)), tmp_path, workers=1
    )
    assert (
        "process that starts the trials died (killed by SIGKILL). It imports the packages"
        in first.error
        and second.predictions is not None
    )


@pytest.mark.parametrize(("preload", "n"), [('PRELOAD = ("torch",)', 2), ("", 2), ("", 1)])
def test_a_trial_computes_on_as_many_threads_as_it_is_given(toy, tmp_path, preload, n):
    (toy.folder / "models.py").write_text(f"{preload}\n{MODELS}")
    sweep(
        toy,
        (Trial("threads", "models.threads", {"log": str(tmp_path / "told")}),),
        tmp_path,
        workers=1,
        threads=n,
    )
    assert (tmp_path / "told").read_text() == f"[{n}]"


def test_a_trial_needs_a_thread(toy, tmp_path):
    with pytest.raises(ConfigError, match="threads = 0"):
        sweep(toy, counted(toy, 4), tmp_path, threads=0)


def test_memory_is_measured_trial_by_trial(toy, tmp_path):
    trials = [Trial("eats", "models.hungry", {"mb": 300}), Trial("fasts", "models.hungry")]
    eats, fasts = (
        r.predictions.about["peak_mb"] for r in sweep(toy, tuple(trials), tmp_path, workers=1)
    )
    assert eats > fasts + 290 and 20 < fasts < 2000
    [here] = sweep(toy, (trials[1],), tmp_path / "here", workers=0)
    assert (
        "peak_mb" not in here.predictions.about
    )  # the memory of a process that does other things too


@pytest.mark.parametrize("workers", [0, 2])
def test_progress_comes_in_order(toy, tmp_path, workers):
    told = []
    trials = (
        Trial("net", "models.epochs"),
        Trial("bag", "bagging.bag_model", {"model": "forest.tree_model", "n": 2}),
    )
    sweep(
        toy,
        trials,
        tmp_path,
        workers=workers,
        on_progress=lambda trial, share, where: told.append((trial.name, share, where)),
    )
    net = [(round(share, 3), where) for name, share, where in told if name == "net"]
    for at in (
        (0.0, "fold 1/3"),
        (0.111, "fold 1/3, epoch 1/3"),
        (0.556, "fold 2/3, epoch 2/3"),
        (1.0, "fold 3/3"),
    ):
        assert at in net
    assert net == sorted(net, key=lambda at: at[0])
    assert (0.5, "fold 2/3, member 2/2") in [
        (round(share, 3), where) for name, share, where in told if name == "bag"
    ]


def test_a_package_that_starts_threads_when_imported_is_met_with_processes_from_nothing(
    toy, tmp_path, monkeypatch
):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]),
    )
    code = "import sys\ndef shy(n_leaves):\n    assert 'threaded' not in sys.modules   # a fork inherits it\n    return tree_model(max_leaf_nodes=n_leaves)\n"
    (toy.folder / "models.py").write_text(
        f'PRELOAD = ("threaded", "no_such_package")\n{MODELS}{code}'
    )
    results = sweep(
        toy,
        tuple(Trial(f"shy{n}", "models.shy", {"n_leaves": n}) for n in (2, 4)),
        tmp_path,
        workers=1,
    )
    assert [r.error for r in results] == ["", ""]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_split_that_tears_groups_apart_is_told_once_before_the_first_trial(
    toy, tmp_path, workers, recwarn
):
    train = pd.read_csv(toy.folder / "train.csv")
    level = np.random.default_rng(1).random(40)[np.arange(200) % 40]
    train.assign(patient=np.arange(200) % 40, a=level, y=(level > 0.5).astype(int)).to_csv(
        toy.folder / "train.csv", index=False
    )
    pd.read_csv(toy.folder / "test.csv").assign(patient=np.arange(100) % 20 + 100).to_csv(
        toy.folder / "test.csv", index=False
    )
    told = []
    data = dataclasses.replace(
        toy.read(toy.folder), groups=np.arange(200) % 40, group_name="patient"
    )
    options = dict(data=data, workers=workers, on_start=lambda trial: told.append(trial.name))
    sweep(toy, counted(toy, 2, 4), tmp_path, on_split=told.append, **options)
    assert "share their 'patient'" in told[0] and told[1:] == ["tree2", "tree4"]
    sweep(toy, counted(toy, 2, 4), tmp_path, on_split=told.append, **options)
    assert len(told) == 3  # nothing ran
    assert not [w for w in recwarn if issubclass(w.category, GroupsOverlap)]
    with pytest.warns(GroupsOverlap, match="'patient'"):
        sweep(toy, counted(toy, 8), tmp_path, **options)


def test_board_compares_each_with_the_best(toy, tmp_path):
    rows = board(
        sweep(
            toy,
            (
                *counted(toy, 2, 8),
                Trial("guess", "forest.forest_model", {"n_estimators": 1, "min_samples_leaf": 100}),
            ),
            tmp_path,
            workers=0,
        )
    )
    assert rows[0].to_best is None and rows[0].verdict == "best"
    assert (
        rows == sorted(rows, key=lambda r: -r.oof_score)
        and rows[-1].name == "guess"
        and rows[-1].verdict.startswith("worse")
    )


@pytest.mark.slow
def test_killed_and_run_again_repeats_only_what_was_in_flight(toy, tmp_path):
    code = f"""
from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import ConfigError, GroupsOverlap
from fastkaggle_plus.sweeps import Sweep, Trial, run_local
from fastkaggle_plus.sweeps.vault import Vault
if __name__ == "__main__":
    params = [{{"n_leaves": n, "log": {str(tmp_path / "log")!r}, "wait": 1.0 if n > 3 else 0.0}} for n in (2, 3, 4, 5)]
    trials = tuple(Trial(f"tree{{p['n_leaves']}}", "models.counted", p) for p in params)
    comp = load_comp({str(toy.folder)!r})
    run_local(Sweep("toy", trials, n_folds=3), comp, comp.folder, vault=Vault({str(tmp_path / "vault")!r}), workers=1)
"""
    script = tmp_path / "sweep.py"
    script.write_text(code)
    first = subprocess.Popen([sys.executable, str(script)])
    while len(log(toy)) < 3:
        assert first.poll() is None
        time.sleep(0.05)
    worker = int((tmp_path / "log").read_text().splitlines()[-1].split()[1])
    first.send_signal(signal.SIGKILL)
    first.wait()
    for _ in range(100):  # the worker notices that its parent has gone
        if not os.path.exists(f"/proc/{worker}"):
            break
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{worker}")
    subprocess.run([sys.executable, str(script)], check=True)
    assert sorted(log(toy)) == ["2", "3", "4", "4", "5"]


def test_results_tell_their_circumstances(toy, tmp_path):
    results = sweep(toy, counted(toy, 2, 8), tmp_path, workers=0)
    table = pd.read_csv(
        write_results(
            tmp_path / "results.csv",
            [r.predictions for r in results],
            scores={"tree8": (0.75, None)},
        )
    )
    assert (
        table["oof_score"].is_monotonic_decreasing
        and table.set_index("trial")["public_score"].to_dict()["tree8"] == 0.75
    )
    assert (table[["n_rows", "n_folds", "split", "split_seed"]] == [200, 3, "stratified", 42]).all(
        axis=None
    )
    assert (
        table["versions"].str.contains("scikit-learn").all()
        and table["hardware"].notna().all()
        and table["date"].str.match(r"\d{4}-\d\d-\d\d$").all()
    )
