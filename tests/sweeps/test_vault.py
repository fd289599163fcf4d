"""The vault gives back what was put, tells runs apart by what could change them, and survives being killed."""

import multiprocessing
import os
import sqlite3

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.sweeps.vault import Vault, run_key

from ..making import make_predictions

FACTS = dict(data="d", split="s", trial="t", code="c", environment="e")


def test_round_trip(tmp_path):
    preds = make_predictions("forest")
    run = Vault(tmp_path).put("k", "titanic", preds, seed=42)
    back = Vault(tmp_path).get("k")
    np.testing.assert_array_equal(back.oof, preds.oof)
    assert (
        run.oof_score == preds.oof_score
        and Vault(tmp_path).runs("titanic")[0].facts == {"seed": 42}
        and Vault(tmp_path).runs("paddy") == []
    )


@pytest.mark.parametrize("part", FACTS)
def test_key_changes_with_each_part(part):
    assert run_key(**FACTS) == run_key(**FACTS) != run_key(**{**FACTS, part: "other"})


def test_same_content_is_one_file(tmp_path):
    vault = Vault(tmp_path)
    vault.put("k1", "titanic", make_predictions("forest"))
    vault.put("k2", "titanic", make_predictions("forest"))
    assert len(list((tmp_path / "predictions").glob("*.npz"))) == 1 and len(vault.runs()) == 2


def test_an_error_is_a_row_and_is_tried_again(tmp_path):
    vault = Vault(tmp_path)
    run = vault.put_error("k", "titanic", "forest", "Traceback: no memory")
    assert vault.get("k") is None and vault.runs()[0].status == "error"
    with pytest.raises(DataError, match="no memory"):
        vault.load(run)
    vault.put("k", "titanic", make_predictions("forest"))
    assert vault.get("k") is not None and [r.status for r in vault.runs()] == ["done"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f.unlink(),
        lambda f: f.write_bytes(f.read_bytes()[:100]),
        lambda f: f.write_bytes(b""),
    ],
)
def test_a_missing_or_damaged_file_means_not_run(tmp_path, damage):
    vault = Vault(tmp_path)
    run = vault.put("k", "titanic", make_predictions("forest"))
    damage(tmp_path / "predictions" / f"{run.predictions}.npz")
    assert vault.get("k") is None


def put_some(folder, start):
    for i in range(start, start + 8):
        Vault(folder).put(f"k{i}", "titanic", make_predictions(f"m{i}", seed=i, n=20))


def test_what_a_kill_left_is_cleared_away_once_it_is_old(tmp_path):
    Vault(tmp_path)
    old, new = (tmp_path / "predictions" / f".{name}.1.part" for name in ("old", "new"))
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    Vault(tmp_path)
    assert not old.exists() and new.exists()


def test_two_processes_write_at_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=put_some, args=(tmp_path, start)) for start in (0, 100)]
    for w in writers:
        w.start()
    for w in writers:
        w.join(60)
    assert [w.exitcode for w in writers] == [0, 0] and len(Vault(tmp_path).runs()) == 16


def test_the_store_is_plain_sqlite_in_wal_mode(tmp_path):
    Vault(tmp_path).put("k", "titanic", make_predictions("forest"))
    with sqlite3.connect(tmp_path / "vault.db") as db:
        assert db.execute("pragma journal_mode").fetchone() == ("wal",) and db.execute(
            "select trial from runs"
        ).fetchall() == [("forest",)]
