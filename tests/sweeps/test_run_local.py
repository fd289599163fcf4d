"""Sweeps run each trial once, keep what finished, and turn a failure into a result."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import ConfigError, GroupsOverlap
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, board, run_local, trial_needs, write_results
from fastkaggle_plus.sweeps.local import schedule

from .conftest import MODELS, make_toy


def counted(toy, *leaves, wait=0.0):
    params = {"log": str(toy.folder.parent / "log"), "wait": wait}
    return tuple(Trial(f"tree{n}", "models.counted", {"n_leaves": n, **params}) for n in leaves)


def log(toy):
    """Return (number of leaves, process) of each `counted` trial that ran, in order."""
    file = toy.folder.parent / "log"
    rows = file.read_text().splitlines() if file.exists() else []
    return [tuple(map(int, row.split())) for row in rows]


def leaves_run(toy):
    return [leaves for leaves, _ in log(toy)]


def sweep(toy, trials, tmp_path, **kw):
    vault = Vault(tmp_path / "vault")
    return run_local(Sweep("toy", tuple(trials), n_folds=3), toy, toy.folder, vault=vault, **kw)


THREADED = """import threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""
NET_AND_BAG = (
    Trial("net", "models.epochs"),
    Trial("bag", "bagging.bag_model", {"model": "forest.tree_model", "n": 2}),
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """One sweep in two workers, of trials that finish and trials that fail in every way."""
    at = tmp_path_factory.mktemp("mixed")
    toy, progress = make_toy(at), []
    trials = (
        *counted(toy, 2, 3, 4),
        Trial("bad", "models.broken"),
        Trial("dies", "models.dies"),
        Trial("ends", "models.ends"),
        Trial("eats", "models.hungry", {"mb": 200}),
        Trial("fasts", "models.hungry"),
        Trial("threads", "models.threads", {"log": str(at / "threads")}),
        *NET_AND_BAG,
    )
    results = sweep(
        toy, trials, at, workers=2, on_progress=lambda trial, *step: progress.append((trial, *step))
    )
    by_name = {r.name: r for r in results}
    return SimpleNamespace(
        at=at, toy=toy, progress=progress, results=results, by_name=by_name, trials=trials
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_finished_trials_are_not_run_again(toy, tmp_path, workers):
    first = sweep(toy, counted(toy, 2, 4), tmp_path, workers=0)
    again = sweep(toy, counted(toy, 2, 4, 8), tmp_path, workers=workers)
    assert sorted(leaves_run(toy)) == [2, 4, 8] and [r.reused for r in again] == [True, True, False]
    for a, b in zip(first, again, strict=False):
        np.testing.assert_array_equal(a.predictions.oof, b.predictions.oof)
    assert [r.name for r in again] == ["tree2", "tree4", "tree8"]


def test_changed_code_or_data_is_run_again(toy, tmp_path):
    sweep(toy, counted(toy, 2), tmp_path, workers=0)
    (toy.folder / "models.py").write_text(
        MODELS.replace(
            "return tree_model(max_leaf_nodes=n_leaves)",
            "return tree_model(max_leaf_nodes=n_leaves, seed=1)",
        )
    )
    sweep(toy, counted(toy, 2), tmp_path, workers=0)
    train = pd.read_csv(toy.folder / "train.csv")
    train.assign(a=0).to_csv(toy.folder / "train.csv", index=False)
    [blind] = sweep(toy, counted(toy, 2), tmp_path, workers=0)
    assert leaves_run(toy) == [2, 2, 2]
    assert blind.predictions.oof_score < 0.7  # it read the new file, not the one in memory


def test_a_failure_is_a_result_with_its_traceback(mixed):
    bad = mixed.by_name["bad"]
    assert bad.predictions is None and bad.failed
    assert "the trial failed on purpose" in bad.error and "models.py" in bad.error
    assert not {"bad", "dies"} & {row.name for row in board(mixed.results)}
    status = {r.trial: r.status for r in Vault(mixed.at / "vault").runs()}
    assert status == {r.name: "error" if r.error else "done" for r in mixed.results}


def test_a_process_that_dies_fails_only_its_own_trial(mixed):
    killed, ended = mixed.by_name["dies"], mixed.by_name["ends"]
    assert "worker process died" in killed.error
    assert "killed by SIGKILL" in killed.error and "Out of memory" in killed.error
    assert "exit status 3" in ended.error and "sys.exit" in ended.error
    assert "memory" not in ended.error
    failed = {name for name, r in mixed.by_name.items() if r.predictions is None}
    assert failed == {"bad", "dies", "ends"}


def test_a_process_that_dies_leaves_a_parallel_trial_alone(toy, tmp_path):
    trials = (Trial("dies", "models.dies", {"wait": 0.3}), *counted(toy, 4, wait=0.8))
    dies, other = sweep(toy, trials, tmp_path, workers=2)
    assert "killed by SIGKILL" in dies.error
    assert other.predictions is not None and leaves_run(toy) == [4]  # it did not start again


def test_each_trial_has_its_own_process_and_none_is_left(mixed):
    pids = {pid for _, pid in log(mixed.toy)}
    assert len(pids) == 3 and os.getpid() not in pids
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_the_number_of_workers_does_not_change_the_predictions(mixed, tmp_path):
    [here] = sweep(mixed.toy, (mixed.trials[0],), tmp_path, workers=0)
    other = mixed.by_name["tree2"].predictions
    np.testing.assert_array_equal(here.predictions.oof, other.oof)
    np.testing.assert_array_equal(here.predictions.test, other.test)


def test_a_negative_number_of_workers_and_no_thread_are_refused(toy, tmp_path):
    with pytest.raises(ConfigError, match="workers = -1"):
        sweep(toy, counted(toy, 4), tmp_path, workers=-1)
    with pytest.raises(ConfigError, match="threads = 0"):
        sweep(toy, counted(toy, 4), tmp_path, threads=0)


def test_a_fork_server_that_dies_is_replaced(toy, tmp_path):
    trials = (Trial("kills", "models.kills_the_server"), *counted(toy, 4))
    first, second = sweep(toy, trials, tmp_path, workers=1)
    assert "process that starts the trials died (killed by SIGKILL). It imports" in first.error
    assert second.predictions is not None


def test_a_trial_uses_its_number_of_threads(mixed, toy, tmp_path):
    assert (mixed.at / "threads").read_text() == "[1]"
    (toy.folder / "preloaded.py").write_text(f'PRELOAD = ("torch",)\n{MODELS}')
    files = ("models", "preloaded")  # the second is forked from a server that imported torch
    trials = [
        Trial(file, f"{file}.threads", {"log": str(tmp_path / file), "use_torch": True})
        for file in files
    ]
    sweep(toy, trials, tmp_path, workers=1, threads=2)
    assert [(tmp_path / file).read_text() for file in files] == ["[2]", "[2]"]


@pytest.fixture
def scheduled(toy, tmp_path, monkeypatch):
    """Return a function that runs trials on a machine of 4 cores; it returns their threads.

    A trial called "net" has the packages of a network for images.
    """
    monkeypatch.setattr(schedule, "core_count", lambda: 4)
    monkeypatch.setattr(trial_needs, "core_count", lambda: 4)
    monkeypatch.setattr(trial_needs, "_NETWORKS", ("colorsys",))
    logs = "import os, time\nfrom fastkaggle_plus.environment import thread_limit\n" + (
        "from fastkaggle_plus.modeling import tree_model\n"
        "def logged(log, wait=0.0):\n"
        "    with open(log, 'a') as f:\n"
        "        f.write(f'{os.environ[\"OMP_NUM_THREADS\"]} {thread_limit()}\\n')\n"
        "    time.sleep(wait)\n"
        "    return tree_model(max_leaf_nodes=4)\n"
    )
    (toy.folder / "plain.py").write_text(logs)
    (toy.folder / "nets.py").write_text(f'PRELOAD = ("colorsys",)\n{logs}')

    def run(names, **options):
        files = {name: tmp_path / f"{name}.log" for name in names}
        trials = [
            Trial(name, f"{'nets' if 'net' in name else 'plain'}.logged", {"log": str(files[name])})
            for name in names
        ]
        started = []
        sweep(toy, trials, tmp_path, on_start=lambda t: started.append(t.name), **options)
        assert started == list(names)  # the declared order
        return [files[name].read_text().strip() for name in names]

    return run


@pytest.mark.parametrize("workers", [0, 1, None])
def test_threads_depend_on_the_model_alone(scheduled, workers):
    threads = scheduled(["a", "b", "net"], workers=workers)
    assert [t.split()[0] for t in threads] == ["1", "1", "4"]


def test_free_cores_go_to_libraries_that_can_use_them(scheduled):
    assert scheduled(["alone"]) == ["1 4"]
    assert scheduled(["a", "b"])[0] == "1 2"
    assert scheduled([*"cdefgh"])[0] == "1 1"
    assert scheduled(["two"], threads=2) == ["2 4"]


def test_a_network_waits_for_a_free_core_and_nothing_starts_beside_it(scheduled, toy, tmp_path):
    running, most = set(), []

    def start(trial):
        running.add(trial.name)
        most.append(set(running))

    trials = [
        Trial(name, f"{file}.logged", {"log": str(tmp_path / "log"), "wait": wait})
        for name, file, wait in (("a", "plain", 0.6), ("net", "nets", 0.6), ("b", "plain", 0.0))
    ]
    sweep(toy, trials, tmp_path, on_start=start, on_result=lambda r: running.discard(r.name))
    assert {"a", "net"} in most and {"a", "net", "b"} not in most


def test_memory_is_measured_for_each_trial(mixed, tmp_path):
    eats, fasts = (mixed.by_name[name].predictions.about["peak_mb"] for name in ("eats", "fasts"))
    assert eats > fasts + 190 and 20 < fasts < 2000
    rows = {row.name: row for row in board(mixed.results)}
    assert rows["fasts"].peak_mb == fasts == rows["fasts"].as_json()["peak_mb"]
    assert rows["fasts"].gpu_peak_mb is None
    [here] = sweep(mixed.toy, (Trial("fasts", "models.hungry"),), tmp_path, workers=0)
    assert "peak_mb" not in here.predictions.about  # this process does other things as well


@pytest.mark.parametrize("workers", [0, 2])
def test_progress_is_reported_in_order(mixed, toy, tmp_path, workers):
    reported = mixed.progress if workers else []
    if not workers:
        sweep(toy, NET_AND_BAG, tmp_path, workers=0, on_progress=lambda *p: reported.append(p))
    steps = {"net": [], "bag": []}
    for trial, share, step in reported:
        steps.setdefault(trial.name, []).append((round(share, 3), step))
    assert {
        (0.0, "fold 1/3"),
        (0.111, "fold 1/3, epoch 1/3"),
        (0.556, "fold 2/3, epoch 2/3"),
        (1.0, "fold 3/3"),
    } <= set(steps["net"])
    assert steps["net"] == sorted(steps["net"], key=lambda step: step[0])
    assert (0.5, "fold 2/3, member 2/2") in steps["bag"]


def test_processes_start_from_scratch_after_a_package_that_starts_threads(
    toy, tmp_path, monkeypatch
):
    (tmp_path / "threaded.py").write_text(THREADED)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    (toy.folder / "models.py").write_text(
        'PRELOAD = ("threaded", "no_such_package")\n'
        "import sys\nfrom fastkaggle_plus.modeling import tree_model\n"
        "def unforked():\n"
        "    assert 'threaded' not in sys.modules  # a fork would inherit it\n"
        "    return tree_model()\n"
    )
    [result] = sweep(toy, [Trial("unforked", "models.unforked")], tmp_path, workers=1)
    assert result.error == ""


def test_a_split_of_groups_is_reported_once_before_the_first_trial(toy, tmp_path, recwarn):
    patient = np.arange(200) % 40
    level = np.random.default_rng(1).random(40)[patient]
    train = pd.read_csv(toy.folder / "train.csv")
    train = train.assign(patient=patient, a=level, y=(level > 0.5).astype(int))
    train.to_csv(toy.folder / "train.csv", index=False)
    test = pd.read_csv(toy.folder / "test.csv").assign(patient=np.arange(100) % 20 + 100)
    test.to_csv(toy.folder / "test.csv", index=False)
    data = dataclasses.replace(toy.read(toy.folder), groups=patient, group_name="patient")
    calls = []
    options = dict(data=data, workers=0, on_start=lambda trial: calls.append(trial.name))
    sweep(toy, counted(toy, 2, 4), tmp_path, on_split=calls.append, **options)
    assert "share their 'patient'" in calls[0] and calls[1:] == ["tree2", "tree4"]
    sweep(toy, counted(toy, 2, 4), tmp_path, on_split=calls.append, **options)
    assert len(calls) == 3  # nothing ran
    assert not [w for w in recwarn if issubclass(w.category, GroupsOverlap)]
    with pytest.warns(GroupsOverlap, match="'patient'") as warned:
        sweep(toy, counted(toy, 8), tmp_path, **options)
    assert [w.filename for w in warned if issubclass(w.category, GroupsOverlap)] == [__file__]


def script_of(toy, trials, tmp_path):
    """Return a script that runs these trials, without `if __name__ == "__main__":`."""
    return f"""
from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, run_local
print("the script starts")
comp, vault = load_comp({str(toy.folder)!r}), Vault({str(tmp_path / "vault")!r})
sweep = Sweep("toy", {trials!r}, n_folds=3)
for result in run_local(sweep, comp, comp.folder, vault=vault, workers=1):
    print(result.name, result.error or "done")
"""


@pytest.mark.parametrize("from_stdin", [False, True])
def test_a_script_runs_once_without_asking_for_its_name(toy, tmp_path, from_stdin):
    (toy.folder / "preloaded.py").write_text(f'PRELOAD = ("threaded",)\n{MODELS}')
    (tmp_path / "threaded.py").write_text(THREADED)  # the second trial is not forked
    trials = (*counted(toy, 2), Trial("net", "preloaded.epochs"))
    script = tmp_path / "sweep.py"
    script.write_text(script_of(toy, trials, tmp_path))
    done = subprocess.run(
        [sys.executable, "-" if from_stdin else str(script)],
        input=script.read_text() if from_stdin else None,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["the script starts", "tree2 done", "net done"]
    assert all("/2 trials" in line for line in done.stderr.splitlines())  # only the progress
    assert done.returncode == 0


@pytest.mark.slow
def test_a_killed_sweep_resumes_with_the_trial_that_was_running(toy, tmp_path):
    trials = (*counted(toy, 2, 3), *counted(toy, 4, 5, wait=1.0))
    code = script_of(toy, trials, tmp_path)
    script = tmp_path / "sweep.py"
    script.write_text(code)
    first = subprocess.Popen([sys.executable, str(script)])
    while len(log(toy)) < 3:
        assert first.poll() is None
        time.sleep(0.05)
    _, worker = log(toy)[-1]
    first.send_signal(signal.SIGKILL)
    first.wait()
    for _ in range(100):  # the worker ends when its parent has ended
        if not os.path.exists(f"/proc/{worker}"):
            break
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{worker}")
    subprocess.run([sys.executable, str(script)], check=True)
    assert sorted(leaves_run(toy)) == [2, 3, 4, 4, 5]


def test_results_csv_has_scores_and_circumstances(toy, tmp_path):
    results = sweep(toy, counted(toy, 2, 8), tmp_path, workers=0)
    members, scores = [r.predictions for r in results], {"tree8": (0.75, None)}
    table = pd.read_csv(write_results(tmp_path / "results.csv", members, scores=scores))
    assert table["oof_score"].is_monotonic_decreasing
    assert table.set_index("trial")["public_score"].to_dict()["tree8"] == 0.75
    circumstances = table[["n_rows", "n_folds", "split", "split_seed"]]
    assert (circumstances == [200, 3, "stratified", 42]).all(axis=None)
    assert table["versions"].str.contains("scikit-learn").all() and table["hardware"].notna().all()
    assert table["date"].str.match(r"\d{4}-\d\d-\d\d$").all()
