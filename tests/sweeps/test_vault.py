"""The vault returns what was stored, distinguishes runs, and survives kills."""

import multiprocessing
import os
import sqlite3

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, run_local
from fastkaggle_plus.sweeps.vault import run_key

from ..making import make_predictions

FACTS = dict(data="d", split="s", trial="t", code="c", environment="e")
TREES = tuple(Trial(f"tree{n}", "forest.tree_model", {"max_leaf_nodes": n}) for n in (2, 8))


def test_round_trip(tmp_path):
    preds = make_predictions("forest")
    run = Vault(tmp_path).put("k", "titanic", preds, seed=42)
    np.testing.assert_array_equal(Vault(tmp_path).get("k").oof, preds.oof)
    assert run.oof_score == preds.oof_score and Vault(tmp_path).runs("titanic") == [run]
    assert run.facts == {"seed": 42} and Vault(tmp_path).runs("paddy") == []


@pytest.mark.parametrize("part", FACTS)
def test_the_key_changes_with_each_part(part):
    assert run_key(**FACTS) == run_key(**FACTS) != run_key(**{**FACTS, part: "other"})


def test_equal_predictions_share_one_file(tmp_path):
    vault = Vault(tmp_path)
    vault.put("k1", "titanic", make_predictions("forest"))
    vault.put("k2", "titanic", make_predictions("forest"))
    assert len(list((tmp_path / "predictions").glob("*.npz"))) == 1 and len(vault.runs()) == 2


def test_an_error_is_stored_and_replaced_by_a_success(tmp_path):
    vault = Vault(tmp_path)
    run = vault.put_error("k", "titanic", "forest", "Traceback: no memory")
    assert vault.get("k") is None and vault.runs()[0].status == "error"
    with pytest.raises(DataError, match="no memory"):
        vault.load(run)
    vault.put("k", "titanic", make_predictions("forest"))
    assert vault.get("k") is not None and [r.status for r in vault.runs()] == ["done"]


@pytest.mark.parametrize("kept", [None, 100, 0])
def test_a_missing_or_damaged_file_counts_as_not_run(tmp_path, kept):
    vault = Vault(tmp_path)
    run = vault.put("k", "titanic", make_predictions("forest"))
    file = tmp_path / "predictions" / f"{run.predictions}.npz"
    content = file.read_bytes()
    file.unlink()
    if kept is not None:
        file.write_bytes(content[:kept])
    assert vault.get("k") is None


def test_old_unfinished_files_are_deleted(tmp_path):
    Vault(tmp_path)
    old, new = (tmp_path / "predictions" / f".{name}.1.part" for name in ("old", "new"))
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    Vault(tmp_path)
    assert not old.exists() and new.exists()


def put_some(folder, start):
    for i in range(start, start + 8):
        Vault(folder).put(f"k{i}", "titanic", make_predictions(f"m{i}", seed=i, n=20))


def test_two_processes_write_in_parallel(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=put_some, args=(tmp_path, start)) for start in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [w.exitcode for w in writers] == [0, 0] and len(Vault(tmp_path).runs()) == 16


def test_the_database_is_plain_sqlite_in_wal_mode(tmp_path):
    Vault(tmp_path).put("k", "titanic", make_predictions("forest"))
    with sqlite3.connect(tmp_path / "vault.db") as db:
        assert db.execute("pragma journal_mode").fetchone() == ("wal",)
        assert db.execute("select trial from runs").fetchall() == [("forest",)]


def sweep(toy, vault, *trials, **kw):
    return run_local(Sweep("toy", trials, n_folds=3, **kw), toy, toy.folder, vault=vault, workers=0)


def test_latest_returns_failures_until_they_succeed(toy, tmp_path):
    vault, trials = Vault(tmp_path / "vault"), (*TREES, Trial("bad", "models.broken"))
    sweep(toy, vault, *trials)
    found, failed = vault.latest("toy")
    assert {p.name for p in found} == {"tree2", "tree8"} and list(failed) == ["bad"]
    assert failed["bad"].strip().endswith("the trial failed on purpose")
    models = toy.folder / "models.py"
    broken, whole = 'raise RuntimeError("the trial failed on purpose")', "return tree_model()"
    models.write_text(models.read_text().replace(broken, whole))
    sweep(toy, vault, *trials)
    found, failed = vault.latest("toy")
    assert {p.name for p in found} == {"tree2", "tree8", "bad"} and failed == {}
    assert vault.latest("other") == ([], {})


def test_latest_does_not_mix_splits(toy, tmp_path):
    vault = Vault(tmp_path / "vault")
    sweep(toy, vault, *TREES)
    sweep(toy, vault, TREES[0], holdout=0.25)
    assert [(p.name, len(p.fold_scores)) for p in vault.latest("toy")[0]] == [("tree2", 1)]
    sweep(toy, vault, TREES[1], holdout=0.25)
    found = {(p.name, len(p.fold_scores)) for p in vault.latest("toy")[0]}
    assert found == {("tree2", 1), ("tree8", 1)}
