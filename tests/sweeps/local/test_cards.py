"""A sweep on two fake GPUs: one trial at a time on each, longest first, CPU trials next to them."""

import dataclasses
import itertools
import json
import os
import time
from types import SimpleNamespace

import pytest

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, run_local
from fastkaggle_plus.sweeps.earlier_runs import earlier_runs
from fastkaggle_plus.sweeps.execution import SweepExecution
from fastkaggle_plus.sweeps.local import schedule
from fastkaggle_plus.sweeps.local.schedule import Schedule

from ..conftest import make_toy

MODELS = """
import json, os, pathlib, random, time
import numpy as np
from fastkaggle_plus.modeling import Model, tree_model

def logged(at, name, meet="", error="", dies=False):
    at, card = pathlib.Path(at), os.environ.get("CUDA_VISIBLE_DEVICES")
    start = time.time()
    (at / f"{name}.started").touch()
    end = start + 60
    while meet and not (at / f"{meet}.started").exists():  # they run at the same time
        if time.time() > end:
            raise TimeoutError(meet)
        time.sleep(0.02)
    with open(at / "log", "a") as f:
        f.write(json.dumps([name, card, os.getpid(), start, time.time()]) + "\\n")
    if error and not (at / f"{name}.failed").exists():
        (at / f"{name}.failed").touch()
        raise RuntimeError(error)
    if dies:
        os.kill(os.getpid(), 9)
    return tree_model(max_leaf_nodes=4)

def unseeded():
    def fit(table):
        leaves = 2 + int(np.random.randint(30)) + random.randrange(30)
        return tree_model(max_leaf_nodes=leaves).fit(table)
    return Model("unseeded", fit)
"""
OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 20.00 MiB."


@pytest.fixture
def toy(tmp_path):
    toy = make_toy(tmp_path)
    (toy.folder / "models.py").write_text(MODELS)
    return toy


def logged(at, name, num_gpus=1.0, **params):
    params = {"at": str(at), "name": name, **params}
    return Trial(name, "models.logged", params, num_gpus=num_gpus)


def log_of(at):
    """Return name, card, process, start and end of each trial that ran, in the order of ends."""
    keys = ("name", "card", "pid", "start", "end")
    rows = (json.loads(row) for row in (at / "log").read_text().splitlines())
    return [SimpleNamespace(**dict(zip(keys, row, strict=True))) for row in rows]


@pytest.fixture(scope="module")
def on_two(tmp_path_factory):
    """One sweep on two cards, with a trial that runs out of memory once, and one that dies."""
    at = tmp_path_factory.mktemp("cards")
    toy = make_toy(at)
    (toy.folder / "models.py").write_text(MODELS)
    trials = (
        logged(at, "cpu", 0.0, meet="b"),
        logged(at, "a", meet="b"),
        logged(at, "b", meet="a"),
        logged(at, "full", error=OUT_OF_MEMORY),
        logged(at, "dies", dies=True),
        logged(at, "last"),
        Trial("unseeded", "models.unseeded", num_gpus=1),
    )
    steps = []
    results = run_local(
        Sweep("toy", trials, n_folds=3),
        toy,
        toy.folder,
        vault=Vault(at / "vault"),
        cards=["0", "1"],
        on_progress=lambda trial, share, step: steps.append((trial.name, step)),
    )
    by_name = {r.name: r for r in results}
    return SimpleNamespace(
        at=at, toy=toy, trials=trials, results=by_name, steps=steps, log=log_of(at)
    )


def test_each_card_runs_one_trial_at_a_time_and_both_at_once(on_two):
    runs = [run for run in on_two.log if run.name != "cpu"]
    assert {run.card for run in runs} == {"0", "1"}
    for card in "01":
        ends = 0.0
        for run in sorted((r for r in runs if r.card == card), key=lambda r: r.start):
            assert run.start >= ends
            ends = run.end
    a, b = (next(r for r in runs if r.name == name) for name in "ab")  # they waited for each other
    assert a.card != b.card and on_two.results["a"].predictions is not None


def test_a_cpu_trial_runs_next_to_them_and_sees_no_card(on_two):
    [cpu] = [run for run in on_two.log if run.name == "cpu"]
    assert cpu.card == "" and on_two.results["cpu"].predictions is not None
    assert cpu.pid not in {run.pid for run in on_two.log if run.name != "cpu"}


def test_a_process_is_kept_for_its_card_and_replaced_after_a_failure(on_two):
    first_full = next(run for run in on_two.log if run.name == "full")
    for card in "01":
        runs = [run for run in on_two.log if run.card == card]
        for before, after in itertools.pairwise(runs):
            failed = before.name == "dies" or before is first_full
            assert (before.pid != after.pid) == failed


def test_a_trial_out_of_gpu_memory_is_run_once_more_and_a_dead_one_is_not(on_two):
    runs = [run.name for run in on_two.log]
    assert runs.count("full") == 2 and on_two.results["full"].predictions is not None
    assert ("full", "out of GPU memory: waits for a GPU of its own") in on_two.steps
    assert runs.count("dies") == 1 and "killed by SIGKILL" in on_two.results["dies"].error
    assert [n for n, r in on_two.results.items() if r.failed] == ["dies"]


def test_no_process_is_left(on_two):
    assert not [run for run in on_two.log if os.path.exists(f"/proc/{run.pid}")]


def test_progress_names_the_card(on_two):
    assert ("last", "fold 1/3") not in on_two.steps
    assert {("last", "card 0, fold 1/3"), ("last", "card 1, fold 1/3")} & set(on_two.steps)
    assert ("cpu", "fold 1/3") in on_two.steps


def test_cards_do_not_change_the_bytes_even_without_a_seed(on_two, tmp_path):
    [*_, last, unseeded] = on_two.trials
    sweep = Sweep("toy", (unseeded, last), n_folds=3)
    here = {}
    for workers in (0, 1):
        vault = Vault(tmp_path / str(workers))
        found = run_local(sweep, on_two.toy, on_two.toy.folder, vault=vault, workers=workers)
        here[workers] = {r.name: r.predictions for r in found}
    for name in ("unseeded", "last"):
        expected = on_two.results[name].predictions
        assert expected.oof.tobytes() == here[0][name].oof.tobytes() == here[1][name].oof.tobytes()
        assert expected.test.tobytes() == here[1][name].test.tobytes()


@pytest.fixture
def planned(toy, tmp_path, monkeypatch):
    """Return a function that makes the schedule of trials on a machine of 4 cores."""
    monkeypatch.setattr(schedule, "core_count", lambda: 4)

    def plan(trials, cards=("0", "1"), workers=None, **limits):
        vault = Vault(tmp_path / "vault")
        sweep = Sweep("toy", tuple(trials), n_folds=3)
        execution = SweepExecution(sweep, toy, toy.folder, vault=vault, **limits)
        execution.resume()
        return Schedule(execution, workers=workers, threads=None, cards=cards)

    return plan


def trial(name, num_gpus=None):
    return Trial(name, "tree_model", {"max_leaf_nodes": 2 + len(name)}, num_gpus=num_gpus)


def started(plan, running=()):
    """Start jobs until no further one may start; return all that run."""
    running = list(running)
    while (job := plan.next_job(running)) is not None:
        running.append(job)
    return running


def placed(jobs):
    return [(job.task.trial.name, job.card, job.task.gpu_share) for job in jobs]


def test_small_trials_share_the_emptiest_card_and_a_large_one_is_not_overtaken(planned):
    plan = planned([*(trial("s" * i, 0.5) for i in (1, 2, 3)), trial("large", 1), trial("x", 0.5)])
    jobs = started(plan)
    assert placed(jobs) == [("s", "0", 0.5), ("ss", "1", 0.5), ("sss", "0", 0.5)]
    assert not any(job.is_alone for job in jobs)
    jobs = started(plan, jobs[::2])  # "ss" ended
    assert placed(jobs)[2:] == [("large", "1", 1.0)] and jobs[2].is_alone
    assert placed(started(plan, jobs[2:])) == [("large", "1", 1.0), ("x", "0", 0.5)]


def test_cpu_trials_get_the_cores_and_one_core_is_kept_for_each_card(planned):
    plan = planned([trial("a", 1), trial("bb", 1), *(trial("c" * i) for i in range(3, 8))])
    jobs = started(plan)
    assert placed(jobs) == [("a", "0", 1), ("bb", "1", 1), ("ccc", "", 0), ("cccc", "", 0)]
    assert placed(started(planned([trial("a", 1), trial("bb", 1)], workers=1))) == [("a", "0", 1)]


def test_a_retry_waits_for_a_card_of_its_own_and_happens_once(planned):
    plan = planned([trial("s", 0.5), trial("ss", 0.5), trial("sss", 0.5)], cards=["0"])
    s, ss = started(plan)
    assert not plan.retry(s, "ValueError: not enough values")
    assert plan.retry(s, f"torch.OutOfMemoryError: {OUT_OF_MEMORY}")
    assert started(plan, [ss]) == [ss]  # not even a small one starts before the retry
    [again] = started(plan)
    assert placed([again]) == [("s", "0", 1.0)]
    assert not plan.retry(again, OUT_OF_MEMORY)
    assert placed(started(plan)) == [("sss", "0", 0.5)]


def test_the_longest_trials_of_earlier_runs_start_first_unless_there_is_a_budget(planned, toy):
    names = ["quick", "new", "longest", "longer"]
    rows = ["longest,5,500", "quick,5,5", "longer,1,60"]
    (toy.folder / "results.csv").write_text("\n".join(["trial,n_folds,seconds", *rows]) + "\n")
    trials = [trial(name, 1) for name in names]
    trials = [
        dataclasses.replace(t, params={"max_leaf_nodes": 2 + i}) for i, t in enumerate(trials)
    ]
    order = [t.name for t in planned(trials).execution.pending]
    assert order == ["longest", "longer", "new", "quick"]  # 100, 60, unknown, 1 s for each fold
    assert [t.name for t in planned(trials, max_trials=2).execution.pending] == names
    assert [t.name for t in planned(trials, cards=()).execution.pending] == names


def test_a_measured_need_becomes_the_share_of_a_card(toy, tmp_path, planned):
    vault = Vault(tmp_path / "vault")
    (measured,) = run_local(
        Sweep("toy", (trial("small"),), n_folds=3), toy, toy.folder, vault=vault, workers=0
    )
    for name, peak_mb in (("small", 1000), ("tiny", 10), ("large", 9000)):
        preds = dataclasses.replace(measured.predictions, name=name)
        vault.put(name, "toy", preds, **preds.about, gpu_mb=16_000, gpu_peak_mb=peak_mb)
        time.sleep(0.001)
    shares = {name: run.gpu_share for name, run in earlier_runs(toy, vault).items()}
    assert shares == {"small": 0.25, "tiny": 0.25, "large": 1.0}
    assert earlier_runs(toy, vault)["small"].fold_s == pytest.approx(
        measured.predictions.seconds_s / 3
    )
    # this version of "tiny" did not run yet; that it uses a GPU is seen from its code
    (toy.folder / "nets.py").write_text(
        "from fastkaggle_plus.modeling import tree_model\n"
        "def net():\n    import torch\n    return tree_model()\n"
    )
    plan = planned([Trial("tiny", "nets.net"), Trial("large", "nets.net", num_gpus=0.5)])
    assert plan.shares == {"tiny": 0.25, "large": 0.5}
    assert planned([Trial("tiny", "nets.net", num_gpus=0)]).shares == {}
    assert planned([trial("forest")]).shares == {}
    (toy.folder / "models.py").write_text(
        "from nets import net\n\ndef model():\n    return net()\n"
    )
    assert planned([Trial("other", "models.model")]).shares == {"other": 1.0}


def test_wrong_cards_are_refused(toy, tmp_path):
    for cards in ("0,1", ["0", "0"]):
        with pytest.raises(ConfigError, match="Expected different GPUs"):
            run_local(Sweep("toy", ()), toy, toy.folder, vault=Vault(tmp_path / "v"), cards=cards)
    with pytest.raises(ConfigError, match=r"num_gpus from 0 to 1, got 2\. Write 0 for none"):
        Trial("a", "tree_model", num_gpus=2)
