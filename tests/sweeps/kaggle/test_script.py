"""The script of a kernel has the competition's folder unchanged, and no path of this machine."""

import ast

import pytest

from fastkaggle_plus import Sweep, Vault
from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import ConfigError, FastkaggleError
from fastkaggle_plus.sweeps.execution import SweepExecution
from fastkaggle_plus.sweeps.kaggle_kernels.in_kernel import check_parts, written_competition
from fastkaggle_plus.sweeps.kaggle_kernels.script import folder_files, write_script
from fastkaggle_plus.sweeps.kaggle_kernels.shards import Shard

from .kernel_toy import make_bundles, slow_trials

LIMITS = {"longest_s": 60.0, "start_s": 10.0, "left_s": float("inf")}


@pytest.fixture
def execution(tmp_path):
    comp = load_comp(make_bundles(tmp_path) / "waits")
    sweep = Sweep("waits", slow_trials(2), n_folds=3)
    return SweepExecution(sweep, comp, comp.folder / "files", vault=Vault(tmp_path / "vault"))


def script_of(execution):
    shard = Shard("fkp-00000000-01", ("t3", "t2"), 120.0, 300.0)
    return write_script(execution, shard, **LIMITS)


def value_of(script, name):
    """Return a constant that a script assigns."""
    for node in ast.parse(script).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def test_the_folder_is_the_same_after_the_journey(execution, tmp_path):
    folder = execution.comp.folder
    (folder / "table.bin").write_bytes(b"\xff\x00\xfe")
    (folder / "more.py").write_text('TABLE = "table.bin"\r\n')
    sent = value_of(script_of(execution), "FILES")
    there = written_competition("waits", sent, tmp_path / "there").folder
    names = {"competition.toml", "models.py", "rules.txt", "table.bin", "more.py"}
    assert set(sent) == names
    for name in names:
        assert (there / name).read_bytes() == (folder / name).read_bytes()


def test_the_script_names_no_folder_of_this_machine(execution, tmp_path):
    assert str(tmp_path) not in script_of(execution)


def test_a_trial_starts_only_if_the_longest_would_still_end_in_time(execution):
    shard = value_of(script_of(execution), "SHARD")
    assert (shard["deadline_s"], shard["stop_after_s"]) == (300.0, 240.0)
    assert [trial["name"] for trial in shard["trials"]] == ["t3", "t2"]


def test_a_built_in_competition_needs_no_files():
    assert folder_files(load_comp("titanic")) == {}


def test_a_folder_that_is_too_large_is_refused_with_its_largest_file(execution):
    (execution.comp.folder / "rules.txt").write_text("x" * 1_100_000)
    with pytest.raises(ConfigError, match=r"rules\.txt"):
        script_of(execution)


def test_a_trial_that_would_not_be_the_same_is_refused():
    sent = {"tree": {"data": "a", "split": "b", "trial": "c", "code": "d"}}
    check_parts(sent, sent)
    with pytest.raises(FastkaggleError, match="another data and code"):
        check_parts(sent, {"tree": {**sent["tree"], "data": "x", "code": "y"}})
