"""`fkp vault`: merge, check and clean, on the vaults of runs/."""

import json
import os

import pytest

from fastkaggle_plus.sweeps import Vault

from ..making import make_predictions
from ..workflow.toy import fkp


@pytest.fixture
def place(tmp_path):
    """A user's folder with a vault, and the runs of another machine."""
    here, there = tmp_path / "runs/toy/vault", tmp_path / "lab/runs/toy/vault"
    Vault(here).put("k1", "toy", make_predictions("tree"))
    other = Vault(there)
    other.put("k1", "toy", make_predictions("tree"))
    other.put("k2", "toy", make_predictions("forest", seed=1))
    other.put("k3", "paddy", make_predictions("vit", seed=2))
    return tmp_path


def cut(folder, key):
    """Cut off a file of predictions; return its name."""
    [run] = [run for run in Vault(folder).runs() if run.key == key]
    file = folder / "predictions" / f"{run.predictions}.npz"
    file.write_bytes(file.read_bytes()[:100])
    return file.name


def test_merge_puts_each_competition_into_its_own_folder(place):
    done = fkp("vault", "merge", "lab/runs/toy", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "runs/toy/vault: 1 runs taken (forest), 1 were there already" in done.stdout
    assert "runs/paddy/vault: 1 runs taken (vit), 0 were there already" in done.stdout
    again = fkp("vault", "merge", "lab/runs/toy", "--json", cwd=place)
    assert [v["taken"] for v in json.loads(again.stdout)["vaults"]] == [[], []]
    shown = fkp("board", "toy", "--json", cwd=place).stdout
    assert {row["name"] for row in json.loads(shown)} == {"tree", "forest"}


def test_merge_into_a_folder_and_live_runs(place):
    fkp("vault", "merge", "lab/runs/toy", "--dest", "all", "--live", cwd=place)
    assert len(Vault(place / "all/live/vault").runs()) == 3
    assert len(Vault(place / "runs/toy/vault").runs()) == 1


def test_merge_names_damaged_files_and_exits_with_1(place):
    name = cut(place / "lab/runs/toy/vault", "k2")
    done = fkp("vault", "merge", "lab/runs/toy", cwd=place)
    assert done.returncode == 1 and name in done.stderr and "forest is not taken" in done.stderr
    missing = fkp("vault", "merge", "nothing", cwd=place)
    assert missing.returncode == 1 and "error: nothing has no vault" in missing.stderr


def test_check_has_an_exit_status_and_a_list(place):
    sound = fkp("vault", "check", cwd=place)
    assert sound.returncode == 0
    assert sound.stdout == "runs/toy/vault: 1 runs, no damaged files\n"
    name = cut(place / "runs/toy/vault", "k1")
    done = fkp("vault", "check", "toy", cwd=place)
    assert done.returncode == 1
    assert f"{name}: is damaged" in done.stdout and "(of tree: run it again)" in done.stdout
    shown = fkp("vault", "check", "--json", cwd=place)
    [vault] = json.loads(shown.stdout)
    assert shown.returncode == 1 and name in vault["damaged"][0]["file"]
    none = fkp("vault", "check", "paddy", cwd=place)
    assert none.returncode == 1 and "no vault" in none.stderr
    assert not (place / "runs/paddy").exists()


def test_a_damaged_database_is_one_line(place):
    (place / "runs/toy/vault/vault.db").write_bytes(b"no database" * 1000)
    done = fkp("vault", "check", cwd=place)
    assert done.returncode == 1 and done.stderr.startswith("error: ")
    assert "not a database" in done.stderr and "fkp vault merge" in done.stderr


def test_gc_shows_first_and_removes_with_yes(place):
    orphan = place / "runs/toy/vault/predictions" / f"{'0' * 32}.npz"
    orphan.write_bytes(b"x" * 200_000)
    os.utime(orphan, (0, 0))
    asked = fkp("vault", "gc", cwd=place)  # the question has no answer here
    assert asked.returncode == 1 and "predictions that no run names" in asked.stdout
    assert "0.2" in asked.stdout and orphan.exists()
    done = fkp("vault", "gc", "toy", "--yes", cwd=place)
    assert done.returncode == 0 and "Removed 0.2 MB." in done.stdout and not orphan.exists()
    assert fkp("vault", "gc", cwd=place).stdout == "Nothing to remove.\n"
    assert len(Vault(place / "runs/toy/vault").runs()) == 1
