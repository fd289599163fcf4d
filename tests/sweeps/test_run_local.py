"""Sweeps run each trial once, keep what finished, and turn a failure into a row. The models here live in the competition's folder."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.sweeps import Sweep, Trial, board, run_local, write_results
from fastkaggle_plus.vault import Vault

FACTS = 'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n[split]\nkind = "stratified"\n'
MODELS = '''
import os, pathlib, time
from fastkaggle_plus.modeling import forest_model, tree_model

def counted(n_leaves=4, log="", wait=0.0, seed=0):
    with open(log, "a") as f:
        f.write(f"{n_leaves} {os.getpid()}\\n")
    time.sleep(wait)
    return tree_model(max_leaf_nodes=n_leaves)

def broken():
    raise RuntimeError("the wheel came off")

def dies():
    os.kill(os.getpid(), 9)
'''


@pytest.fixture
def toy(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    frame = pd.DataFrame(x, columns=list("abc")).assign(id=range(300), y=(x[:, 0] + 0.5 * rng.normal(size=300) > 0).astype(int))
    folder = tmp_path / "toy"
    folder.mkdir()
    frame[:200].to_csv(folder / "train.csv", index=False)
    frame[200:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(FACTS)
    (folder / "models.py").write_text(MODELS)
    return load_comp(folder)


def counted(toy, *leaves, wait=0.0):
    return tuple(Trial(f"tree{n}", "models.counted", {"n_leaves": n, "log": str(toy.folder.parent / "log"), "wait": wait}) for n in leaves)


def log(toy):
    file = toy.folder.parent / "log"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def sweep(toy, trials, tmp_path, **kw):
    return run_local(Sweep("toy", trials, n_folds=3), toy, toy.folder, vault=Vault(tmp_path / "vault"), **kw)


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
    assert log(toy) == ["2", "2", "2"] and blind.predictions.oof_score < 0.7   # it saw the new file, not the one this process had read


def test_a_failure_is_a_row_with_its_traceback(toy, tmp_path):
    good, bad, typo = sweep(toy, (*counted(toy, 4), Trial("bad", "models.broken"), Trial("typo", "forest.forrest_model")), tmp_path, workers=2)
    assert good.predictions is not None and bad.predictions is None
    assert "the wheel came off" in bad.error and "models.py" in bad.error
    assert "forest_model" in typo.error  # near matches
    assert [r.name for r in board([good, bad])] == ["tree4"]
    assert {r.trial: r.status for r in Vault(tmp_path / "vault").runs()} == {"tree4": "done", "bad": "error", "typo": "error"}


def test_a_worker_that_dies_does_not_end_the_sweep(toy, tmp_path):
    results = sweep(toy, (Trial("dies", "models.dies"), *counted(toy, 2, 4, 8)), tmp_path, workers=1)
    assert "worker process died" in results[0].error and all(r.predictions is not None for r in results[1:])


def test_board_compares_each_with_the_best(toy, tmp_path):
    rows = board(sweep(toy, (*counted(toy, 2, 8), Trial("guess", "forest.forest_model", {"n_estimators": 1, "min_samples_leaf": 100})), tmp_path, workers=0))
    assert rows[0].to_best is None and rows[0].verdict == "best"
    assert rows == sorted(rows, key=lambda r: -r.oof_score) and rows[-1].name == "guess" and rows[-1].verdict.startswith("worse")


@pytest.mark.slow
def test_killed_and_run_again_repeats_only_what_was_in_flight(toy, tmp_path):
    code = f"""
from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.sweeps import Sweep, Trial, run_local
from fastkaggle_plus.vault import Vault
if __name__ == "__main__":
    params = [{{"n_leaves": n, "log": {str(tmp_path / 'log')!r}, "wait": 1.0 if n > 3 else 0.0}} for n in (2, 3, 4, 5)]
    trials = tuple(Trial(f"tree{{p['n_leaves']}}", "models.counted", p) for p in params)
    comp = load_comp({str(toy.folder)!r})
    run_local(Sweep("toy", trials, n_folds=3), comp, comp.folder, vault=Vault({str(tmp_path / 'vault')!r}), workers=1)
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
    table = pd.read_csv(write_results(tmp_path / "results.csv", [r.predictions for r in results], scores={"tree8": (0.75, None)}))
    assert table["oof_score"].is_monotonic_decreasing and table.set_index("trial")["public_score"].to_dict()["tree8"] == 0.75
    assert (table[["n_rows", "n_folds", "split", "split_seed"]] == [200, 3, "stratified", 42]).all(axis=None)
    assert table["versions"].str.contains("scikit-learn").all() and table["hardware"].notna().all() and table["date"].str.match(r"\d{4}-\d\d-\d\d$").all()
