"""Sweeps on a Ray cluster of two nodes: results of run_local, also when processes are killed."""

import os
import sys
import time
from types import SimpleNamespace

import pytest

from fastkaggle_plus.exceptions import ConfigError, MissingExtra
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, board, run_local, run_ray

from ..benchmarks.engines import Killer, make_comp
from .conftest import MODELS, make_toy

# a file that imports torch would use a GPU
CPU_MODELS = MODELS.replace("import torch", "pass").replace("pools.add(torch", "pass  # (torch")
RAY_MODELS = (
    CPU_MODELS
    + '''
def kills_its_worker(log=""):
    """Kill the process of Ray that started this one's fork server, in the first execution."""
    first = not os.path.exists(log)
    with open(log, "a") as f:
        f.write("started\\n")
    if first:
        server = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text()
        os.kill(int(server.rpartition(")")[2].split()[1]), 9)
        time.sleep(60)
    return tree_model(max_leaf_nodes=3)

def sees(log=""):
    pathlib.Path(log).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    return tree_model(max_leaf_nodes=6)

def where(log=""):
    with open(log, "a") as f:
        f.write(f"{os.getcwd()} {__file__}\\n")
    return tree_model(max_leaf_nodes=5)
'''
)


@pytest.fixture(scope="module")
def mixed(cluster, tmp_path_factory):
    """One sweep whose nodes get copies of the files; trials finish, fail, and are killed."""
    at = tmp_path_factory.mktemp("ray")
    toy, events = make_toy(at), []
    (toy.folder / "models.py").write_text(RAY_MODELS)
    logs = {name: str(at / name) for name in ("counted", "killed", "where")}
    trials = (
        *(
            Trial(f"tree{n}", "models.counted", {"n_leaves": n, "log": logs["counted"]})
            for n in (2, 3, 4)
        ),
        Trial("net", "models.epochs"),
        Trial("bad", "models.broken"),
        Trial("dies", "models.dies"),
        Trial("killed", "models.kills_its_worker", {"log": logs["killed"]}),
        Trial("where", "models.where", {"log": logs["where"]}),
        *(
            Trial(f"sees{n}", "models.sees", {"log": str(at / f"sees{n}")}, num_gpus=n)
            for n in (0, 0.5)
        ),
        Trial("threads", "models.threads", {"log": str(at / "threads")}),
    )
    sweep = Sweep("toy", trials, n_folds=3)
    results = run_ray(
        sweep,
        toy,
        toy.folder,
        vault=Vault(at / "vault"),
        shared=False,
        on_start=lambda trial: events.append(("start", trial.name)),
        on_progress=lambda trial, share, step: events.append((trial.name, share, step)),
        on_result=lambda result: events.append(("result", result.name)),
    )
    by_name = {r.name: r for r in results}
    return SimpleNamespace(
        at=at, toy=toy, sweep=sweep, results=results, by_name=by_name, events=events, logs=logs
    )


def test_the_leaderboard_is_that_of_run_local(mixed, tmp_path):
    good = [r.trial for r in mixed.results if not r.failed and r.name.startswith(("tree", "net"))]
    sweep = Sweep("toy", tuple(good), n_folds=3)
    here = run_local(sweep, mixed.toy, mixed.toy.folder, vault=Vault(tmp_path / "v"), workers=0)
    assert len(here) == 4
    for result in here:
        there = mixed.by_name[result.name].predictions
        assert result.predictions.oof.tobytes() == there.oof.tobytes()
        assert result.predictions.test.tobytes() == there.test.tobytes()
    ranked = [row for row in board(mixed.results) if row.name in {t.name for t in good}]
    assert [(r.name, r.oof_score) for r in ranked] == [(r.name, r.oof_score) for r in board(here)]


def test_both_places_give_runs_the_same_keys(mixed):
    again = run_local(
        mixed.sweep, mixed.toy, mixed.toy.folder, vault=Vault(mixed.at / "vault"), max_trials=0
    )
    assert [r.reused for r in again] == [not r.failed for r in mixed.results]


def test_a_failure_and_a_dead_trial_fail_alone(mixed):
    assert "the trial failed on purpose" in mixed.by_name["bad"].error
    assert "killed by SIGKILL" in mixed.by_name["dies"].error
    assert {r.name for r in mixed.results if r.failed} == {"bad", "dies"}


def test_the_trial_of_a_killed_worker_runs_again_and_is_stored_once(mixed):
    assert len((mixed.at / "killed").read_text().splitlines()) == 2
    runs = [run for run in Vault(mixed.at / "vault").runs() if run.trial == "killed"]
    assert [run.status for run in runs] == ["done"]


def test_progress_and_starts_are_reported(mixed):
    for name in mixed.by_name:
        assert mixed.events.index(("start", name)) < mixed.events.index(("result", name))
    assert any(len(event) == 3 for event in mixed.events)


def test_nodes_get_a_copy_of_the_files_and_the_vault_names_the_drivers(mixed):
    [line] = (mixed.at / "where").read_text().splitlines()
    assert os.environ["FKP_HOME"] in line and "/ray/" in line  # the node's cache
    [run] = [run for run in Vault(mixed.at / "vault").runs() if run.trial == "where"]
    assert run.facts["competition"] == run.facts["data"] == str(mixed.toy.folder)
    assert not list((mixed.at / "vault" / "spool").iterdir())


def test_a_trial_has_its_own_number_of_threads(mixed):
    assert (mixed.at / "threads").read_text() == "[1]"


def test_a_trial_sees_a_gpu_only_if_it_uses_one(mixed):
    assert [(mixed.at / f"sees{n}").read_text() for n in (0, 0.5)] == ["", "0"]


def test_a_trial_that_no_node_can_hold_is_refused_at_once(mixed, tmp_path):
    def run(sweep=mixed.sweep, **options):
        comp, vault = mixed.toy, Vault(tmp_path / "vault")
        return run_ray(sweep, comp, comp.folder, vault=vault, max_trials=0, **options)

    with pytest.raises(
        ConfigError, match=r"'tree2' needs 3 CPUs, 0 GPUs, and no node.* has 1 CPUs"
    ):
        run(threads=3)
    with pytest.raises(ConfigError, match="MB"):
        run(memory_mb=1e9)
    with pytest.raises(ConfigError, match=r"'sees0.5' needs 3 CPUs, 0\.25 GPUs"):
        gpu = Sweep("toy", (mixed.by_name["sees0.5"].trial,))
        run(gpu, threads=3, num_gpus=0.25)
    assert all(
        r.not_run for r in run(threads=3, node_types=[{"CPU": 4, "GPU": 1}])
    )  # an autoscaler's node


def test_a_node_with_other_versions_is_refused_with_what_to_install(mixed, tmp_path, monkeypatch):
    from fastkaggle_plus.sweeps.ray_cluster import cluster_tasks, node_check

    facts = node_check.node_facts()
    options = dict(vault=Vault(tmp_path / "vault"))

    def driver_has(**changed):
        other = node_check.NodeFacts(**{**vars(facts), **changed})
        monkeypatch.setattr(cluster_tasks, "node_facts", lambda: other)

    driver_has(environment=facts.environment.replace("numpy ", "numpy 9."))
    with pytest.raises(ConfigError, match=r"expected numpy==9\..*pip install numpy==9\."):
        run_ray(mixed.sweep, mixed.toy, mixed.toy.folder, **options)
    driver_has(code="other", version="7.0")
    with pytest.raises(ConfigError, match=r"differs.*driver's version 7\.0.*same wheel"):
        run_ray(mixed.sweep, mixed.toy, mixed.toy.folder, **options)


def test_ctrl_c_ends_the_running_trials_and_the_next_call_goes_on(mixed, tmp_path):
    log = tmp_path / "log"
    params = {"log": str(log)}
    trials = (
        Trial("quick", "models.counted", {"n_leaves": 6, **params}),
        Trial("slow", "models.counted", {"n_leaves": 7, "wait": 30.0, **params}),
    )
    sweep, comp, vault = Sweep("toy", trials, n_folds=3), mixed.toy, Vault(tmp_path / "vault")

    def stop(result):
        while len(log.read_text().splitlines()) < 2:
            time.sleep(0.05)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_ray(sweep, comp, comp.folder, vault=vault, on_result=stop)
    [(_, pid)] = [line.split() for line in log.read_text().splitlines() if line[0] == "7"]
    for _ in range(100):  # it ends when its worker has ended
        if not os.path.exists(f"/proc/{pid}"):
            break
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{pid}")
    first, second = run_ray(sweep, comp, comp.folder, vault=vault, max_trials=0)
    assert first.reused and second.not_run


def test_without_ray_the_error_names_what_to_install(toy, tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("fastkaggle_plus.sweeps.ray_cluster")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    sweep = Sweep("toy", (Trial("net", "models.epochs"),))
    with pytest.raises(MissingExtra, match=r"fastkaggle_plus\[ray\]"):
        run_ray(sweep, toy, toy.folder, vault=Vault(tmp_path / "vault"))


def test_options_that_ray_would_refuse_late_are_refused_first(toy, tmp_path):
    sweep, options = Sweep("toy", ()), dict(vault=Vault(tmp_path / "vault"))
    for wrong in ({"threads": 0}, {"num_gpus": 2}, {"num_gpus": -1}):
        [(name, _)] = wrong.items()
        with pytest.raises(ConfigError, match=name):
            run_ray(sweep, toy, toy.folder, **options, **wrong)


@pytest.mark.slow
def test_kills_lose_and_double_no_result(cluster, tmp_path):
    make_comp(tmp_path)
    killer = Killer(tmp_path, 40, cluster, seed=0)
    killer.run(["worker", "driver", "node"], pause_s=1.0)
    counts = killer.counts()
    assert counts["lost"] == counts["doubled"] == 0
    assert len(killer.kills) == 3 and counts["drivers"] >= 2
    assert counts["executions"] < 40 + 20  # only what was in flight ran twice
