"""Vaults are merged without loss, checked file by file, and cleaned of what no run needs."""

import os
import shutil

import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.sweeps import Vault, check_vault, find_garbage, merge_vault, remove_garbage
from fastkaggle_plus.sweeps.spool import write_result

from ..making import make_predictions


@pytest.fixture
def ours(tmp_path):
    vault = Vault(tmp_path / "ours")
    vault.put("k1", "titanic", make_predictions("forest"), seed=1)
    vault.put_error("k2", "titanic", "net", "no memory")
    return vault


@pytest.fixture
def theirs(tmp_path):
    vault = Vault(tmp_path / "runs" / "titanic" / "vault")
    vault.put("k1", "titanic", make_predictions("forest"), seed=1)
    vault.put("k2", "titanic", make_predictions("net", seed=1))
    vault.put("k3", "paddy", make_predictions("vit", seed=2))
    vault.put_error("k4", "titanic", "bad", "no idea")
    return vault


def rows(vault):
    return {run.key: run for run in vault.runs()}


def damage(file):
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def age(*files):
    for file in files:
        os.utime(file, (0, 0))


def test_a_merge_takes_runs_once_with_their_dates_and_files(ours, theirs):
    merged = merge_vault(ours, theirs.folder.parent)  # the parent is understood too
    assert sorted(run.key for run in merged.taken) == ["k2", "k3", "k4"]
    assert [run.key for run in merged.known] == ["k1"] and not merged.refused
    for key, run in rows(theirs).items():
        assert rows(ours)[key] == run  # the success replaced the failure; theirs are newer
    assert (ours.get("k3").oof == theirs.get("k3").oof).all()
    before = rows(ours)
    again = merge_vault(ours, theirs.folder)
    assert again.taken == [] and rows(ours) == before and check_vault(ours) == []


def test_a_merge_keeps_newer_dates_and_successes(ours, theirs):
    ours.put("k4", "titanic", make_predictions("bad", seed=4))
    ours.mark_current(["k1"])
    before = rows(ours)
    merge_vault(ours, theirs.folder)
    assert rows(ours)["k1"] == before["k1"] and rows(ours)["k4"] == before["k4"]


def test_a_merge_can_take_one_competition(ours, theirs):
    assert [run.key for run in merge_vault(ours, theirs.folder, slug="paddy").taken] == ["k3"]


def test_a_merge_refuses_a_damaged_file_by_name_and_takes_the_others(ours, theirs):
    file = theirs.file(rows(theirs)["k3"].predictions)
    damage(file)
    merged = merge_vault(ours, theirs.folder)
    assert [d.file for d in merged.refused] == [file] and "vit" in str(merged.refused[0])
    assert "k3" not in rows(ours) and "k2" in rows(ours)


def test_a_merge_repairs_a_damaged_file_of_ours(ours, theirs):
    file = ours.file(rows(ours)["k1"].predictions)
    file.write_bytes(file.read_bytes()[:100])
    assert ours.get("k1") is None and len(check_vault(ours)) == 1
    assert "k1" in [run.key for run in merge_vault(ours, theirs.folder).taken]
    assert ours.get("k1") is not None and check_vault(ours) == []


def test_a_merge_takes_result_files_and_leaves_them_there(ours, theirs, tmp_path):
    write_result(theirs.spool, "a" * 32, "titanic", make_predictions("far", seed=5))
    damaged = write_result(theirs.spool, "b" * 32, "titanic", None, name="cut", error="E")
    damage(damaged)
    for folder in (theirs.folder, theirs.spool):  # the second: an output that was downloaded
        merged = merge_vault(ours, folder)
        assert [d.file for d in merged.refused] == [damaged]
    assert ours.get("a" * 32).name == "far" and len(list(theirs.spool.glob("*.zip"))) == 2


def test_a_merge_only_reads_the_other_vault(ours, theirs):
    for name in ("vault.db-wal", "vault.db-shm"):
        (theirs.folder / name).unlink(missing_ok=True)
    content = {p: p.read_bytes() for p in theirs.folder.rglob("*") if p.is_file()}
    folders = [theirs.folder, *(p for p in theirs.folder.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        merge_vault(ours, theirs.folder)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert {p: p.read_bytes() for p in content} == content and "k3" in rows(ours)


def test_a_folder_without_a_vault_is_refused(ours, tmp_path):
    with pytest.raises(
        DataError, match=r"nothing has no vault: expected a folder with a vault\.db"
    ):
        merge_vault(ours, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_check_names_every_damaged_and_missing_file(theirs):
    assert check_vault(theirs) == []
    cut = theirs.file(rows(theirs)["k1"].predictions)
    gone = theirs.file(rows(theirs)["k2"].predictions)
    damage(cut)
    gone.unlink()
    result = write_result(theirs.spool, "a" * 32, "titanic", None, name="x", error="E")
    damage(result)
    found = {d.file: d.what for d in check_vault(theirs)}
    assert set(found) == {cut, gone, result}
    assert "damaged" in found[cut] and "forest" in found[cut] and "missing" in found[gone]


def test_garbage_is_what_no_run_needs_and_is_older_than_an_hour(theirs):
    theirs.put_error("old", "titanic", "net", "x" * 1000)
    with theirs.database() as db, db.conn:
        db.execute("update runs set date = '2020' where key = 'old'")
    file = theirs.file(rows(theirs)["k1"].predictions)
    orphan = shutil.copy(file, file.with_name("0" * 32 + ".npz"))
    fresh = shutil.copy(file, file.with_name("1" * 32 + ".npz"))
    theirs.spool.mkdir()
    part, cut = theirs.spool / ".a.1.part", theirs.spool / f"{'c' * 32}-{'d' * 32}.zip"
    part.write_bytes(b"half")
    cut.write_bytes(b"damaged")
    age(orphan, part, cut, file)
    found = find_garbage(theirs)
    assert {g.what: g.size for g in found} == {
        "predictions that no run names": orphan.stat().st_size,
        "unfinished files": 4,
        "damaged result files": 7,
        "failed runs whose trial ran again": 1000,
    }
    remove_garbage(theirs, found)
    assert not any(path.exists() for path in (orphan, part, cut))
    assert fresh.exists() and file.exists() and find_garbage(theirs) == []
    assert set(rows(theirs)) == {"k1", "k2", "k3", "k4"}  # k4: the trial's only run


def test_a_file_that_a_run_has_needed_since_is_kept(theirs):
    preds = make_predictions("new", seed=9)
    digest = theirs.put("k9", "titanic", preds).predictions
    with theirs.database() as db, db.conn:
        db.execute("delete from runs where key = 'k9'")
    age(theirs.file(digest))
    [garbage] = find_garbage(theirs)
    theirs.put("k9", "titanic", preds)
    remove_garbage(theirs, [garbage])
    assert theirs.get("k9") is not None
