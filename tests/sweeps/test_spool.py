"""The spool: result files are complete or absent, and the vault stores each run once."""

from pathlib import Path

import pytest

from fastkaggle_plus import Sweep, Trial, Vault, run_local
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.sweeps.execution import SweepExecution, run_trial
from fastkaggle_plus.sweeps.spool import read_result, take_in, write_result


def test_a_worker_writes_a_file_that_the_next_driver_takes_in(spooled, vault):
    [file] = spooled.glob("*.zip")
    key, slug, preds, run = read_result(file)
    assert (slug, run["trial"]) == ("toy", "one rule")
    [stored] = take_in(spooled, vault)
    assert stored.key == key
    assert not list(spooled.iterdir())
    assert (vault.get(key).oof == preds.oof).all()


def test_a_result_that_was_measured_twice_is_stored_once(spooled, vault):
    [file] = spooled.glob("*.zip")
    copy = file.read_bytes()
    take_in(spooled, vault)
    file.write_bytes(copy)
    assert take_in(spooled, vault) == []
    assert len(vault.runs()) == 1
    assert not file.exists()


def test_a_damaged_file_is_left_and_its_trial_runs_again(spooled, vault):
    [file] = spooled.glob("*.zip")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match="damaged"):
        read_result(file)
    assert take_in(spooled, vault) == []
    assert file.exists()


def test_a_failure_is_stored_with_its_traceback(tmp_path, vault):
    write_result(tmp_path / "spool", "a" * 32, "toy", None, name="net", error="ValueError: no")
    [stored] = take_in(tmp_path / "spool", vault)
    assert (stored.status, stored.trial, stored.error) == ("error", "net", "ValueError: no")


@pytest.fixture
def vault(tmp_path) -> Vault:
    return Vault(tmp_path / "vault")


@pytest.fixture
def spooled(toy, vault) -> Path:
    """A spool with the result of one trial."""
    sweep = Sweep("toy", (Trial("one rule", "forest.one_r_model"),), n_folds=3)
    execution = SweepExecution(sweep, toy, toy.folder, vault=vault, far=True)
    execution.resume()
    assert run_trial(execution.start_next(), lambda share, step: None) == ""
    assert vault.runs() == []
    return vault.spool


def test_the_driver_stores_what_a_far_worker_wrote_before_a_kill(toy, vault, spooled):
    sweep = Sweep("toy", (Trial("one rule", "forest.one_r_model"),), n_folds=3)
    [result] = run_local(sweep, toy, toy.folder, vault=vault, workers=0)
    assert result.reused
