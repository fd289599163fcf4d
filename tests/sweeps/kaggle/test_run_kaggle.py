"""Sweeps in the sandbox's kernels: every trial has one result, whatever Kaggle does meanwhile."""

import json
import sqlite3

import numpy as np
import pytest

from fastkaggle_plus import Sweep, Trial, Vault, run_local
from fastkaggle_plus.environment import rehearsing
from fastkaggle_plus.exceptions import ConfigError, NothingSent
from fastkaggle_plus.kaggle_client.kernels.sweep_kernels import delete_sweep_kernel, sweep_kernels
from fastkaggle_plus.sandbox import Limits
from fastkaggle_plus.sweeps.run_kaggle import run_kaggle

from ...workflow.toy import fkp
from .kernel_toy import make_bundles, served, slow_trials

BAD = Trial("bad", "models.broken")


class Place:
    """A served competition, and `run_kaggle` with the options of a test."""

    def __init__(self, at, comp, path, box, client):
        self.at, self.comp, self.path, self.box, self.client = at, comp, path, box, client
        self.vault, self.steps = Vault(at / "vault"), []

    def run(self, *trials, on_step=None, **options):
        defaults = {
            "client": self.client,
            "journal": self.at / "journal",
            "start_s": 15.0,  # a loaded machine is slow
            "margin_s": 5.0,
            "poll_s": 0.3,
            "on_progress": lambda *step: None,
            "on_step": on_step or (lambda *step: self.steps.append(step)),
            "vault": self.vault,
        }
        sweep = Sweep("waits", trials, n_folds=3)
        path = options.pop("path", self.path)
        return run_kaggle(sweep, self.comp, path, **{**defaults, **options})

    def query(self, sql):
        [file] = (self.at / "state").glob("*.db")
        with sqlite3.connect(file) as db:
            return db.execute(sql).fetchall()

    @property
    def versions(self):
        """The number of runs that were pushed, also of kernels that are deleted now."""
        return self.query("select count(*) from kernel_sessions")[0][0]

    @property
    def kernels(self):
        return sorted(kernel.name[-2:] for kernel in sweep_kernels(client=self.client))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    return make_bundles(tmp_path_factory.mktemp("competition"))


@pytest.fixture
def place(bundles, tmp_path):
    with served(bundles, tmp_path) as opened:
        yield Place(tmp_path, *opened)


@pytest.fixture(scope="module")
def swept(bundles, tmp_path_factory):
    """Three trials and a broken one; the answer to the push was lost, and the status is wrong."""
    at = tmp_path_factory.mktemp("swept")
    faults = ["drop-after:SaveKernel", "false-cancel", "429:GetKernelSessionStatus:retry_after=0"]
    with served(bundles, at, faults=faults) as opened:
        place = Place(at, *opened)
        place.results = place.run(*slow_trials(3), BAD, gpu=True)
        yield place


def test_results_are_those_of_this_machine(swept, tmp_path):
    local = run_local(
        Sweep("waits", slow_trials(3), n_folds=3), swept.comp, swept.path, vault=Vault(tmp_path)
    )
    for ours, theirs in zip(local, swept.results, strict=False):
        np.testing.assert_array_equal(ours.predictions.oof, theirs.predictions.oof)
        np.testing.assert_array_equal(ours.predictions.test, theirs.predictions.test)
    stored = {run.trial: run for run in swept.vault.runs()}
    here = {run.trial: run for run in Vault(tmp_path).runs()}
    for name in ("t2", "t3", "t4"):
        assert stored[name].key == here[name].key
        for fact in ("parts", "competition", "data"):
            assert stored[name].facts[fact] == here[name].facts[fact]


def test_a_trial_that_fails_is_a_result_with_its_traceback(swept):
    assert swept.results[-1].failed
    assert "the trial failed on purpose" in swept.results[-1].error


def test_a_push_whose_answer_was_lost_is_sent_once(swept):
    assert {fault.kind: fault.done for fault in swept.box.faults.listed()}["drop-after"] == 1
    assert swept.versions == 1


def test_what_is_in_the_vault_is_not_sent_again(swept):
    again = swept.run(*slow_trials(3))
    assert all(result.reused for result in again)
    assert swept.versions == 1


def test_the_hours_are_read_before_and_after(swept):
    [(_, detail)] = [step for step in swept.steps if step[0] == "quota"]
    left = float(detail.split()[-2])
    assert 29.9 < left < 30


def test_kernels_of_sweeps_are_listed_fetched_and_stopped(swept, tmp_path):
    [kernel] = sweep_kernels(client=swept.client)
    box = swept.box
    with rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        [listed] = json.loads(fkp("kernels", "list", "--json", cwd=tmp_path).stdout)
        assert (listed["kernel"], listed["competition"]) == (kernel.handle, "waits")
        [fetched] = json.loads(fkp("kernels", "fetch", "waits", "--json", cwd=tmp_path).stdout)
        assert sorted(fetched["new"].split(", ")) == ["bad", "t2", "t3", "t4"]
        vault = Vault(tmp_path / "runs" / "waits" / "vault")
        assert {run.key for run in vault.runs()} == {run.key for run in swept.vault.runs()}
        refused = fkp("kernels", "stop", "my-own-notebook", "--yes", cwd=tmp_path)
        assert refused.returncode and "no sweep made it" in refused.stderr
        assert fkp("kernels", "stop", kernel.handle, "--yes", cwd=tmp_path).returncode == 0
        assert fkp("kernels", "list", "--json", cwd=tmp_path).stdout.strip() == "[]"


def test_no_kernel_command_reaches_kaggle_without_live(tmp_path):
    done = fkp("kernels", "list", cwd=tmp_path)
    assert done.returncode and "--live" in done.stderr


def test_a_killed_call_goes_on_and_a_dead_kernel_is_replaced(bundles, tmp_path):
    """The first kernel dies after the call was killed; the next one stays RUNNING for a while."""
    faults = ["drop-before:SaveKernel", "kernel-dies:nth=1,at=4", "stale-running=60:nth=2"]

    def kill(name, detail):
        if "sent" in detail:
            raise KeyboardInterrupt

    with served(bundles, tmp_path, faults=faults) as opened:
        place = Place(tmp_path, *opened)
        trials = slow_trials(4, wait=0.3)
        with pytest.raises(KeyboardInterrupt):
            place.run(*trials, on_step=kill)
        results = place.run(*trials)
        assert [r.predictions is not None for r in results] == [True] * 4
        assert sum(run.status == "done" for run in place.vault.runs()) == 4
        assert place.versions == 2
        # what the dead kernel had finished was kept; what is called RUNNING is deleted
        n_results = [detail for _, detail in place.steps if "have results" in detail]
        assert "died" in n_results[0] and "done" in n_results[1]
        assert place.kernels == ["01"]


def test_nothing_is_sent_without_hours(bundles, tmp_path):
    with served(bundles, tmp_path, limits=Limits(quota_s={"gpu": 10.0, "tpu": 0})) as opened:
        place = Place(tmp_path, *opened)
        results = place.run(*slow_trials(2), gpu=True)
        assert [r.not_run for r in results] == [True, True]
        assert "0.00 GPU hours are left" in results[0].error
        assert place.versions == 0


def test_a_dry_run_and_a_refused_plan_send_nothing(place):
    plans = []
    results = place.run(
        *slow_trials(2), gpu=True, dry_run=True, confirm=lambda plan: not plans.append(plan)
    )
    assert all("kernel 1 of 1" in result.error for result in results)
    assert "30.00 before" in plans[0].as_facts()["hours left"]
    with pytest.raises(NothingSent):
        place.run(*slow_trials(2), confirm=lambda plan: False)
    assert place.versions == 0


def test_a_budget_follows_the_declared_order(place):
    """Kernels run the longest trial first, here the last one."""
    trials = (*slow_trials(2), *slow_trials(1, wait=0.3, first=8))
    results = place.run(*trials, max_trials=2, dry_run=True)
    assert ["budget of 2" in result.error for result in results] == [False, False, True]


def test_a_kernel_that_the_user_deletes_is_not_sent_again(place):
    def delete(name, detail):
        if "sent" in detail:
            delete_sweep_kernel(detail.split()[0], client=place.client)

    [result] = place.run(*slow_trials(1), on_step=delete)
    assert result.not_run and "was deleted" in result.error
    assert place.versions == 1


def test_other_data_on_kaggle_is_refused_before_a_trial_runs(place, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    for file in place.path.iterdir():
        (here / file.name).write_text(file.read_text().replace("-0.1", "-0.2"))
    with pytest.raises(ConfigError, match="another data"):
        place.run(*slow_trials(1), path=here)
    assert place.vault.runs() == []


def test_at_least_one_kernel_is_needed(place):
    with pytest.raises(ConfigError, match="n_kernels = 0"):
        place.run(*slow_trials(1), n_kernels=0)
