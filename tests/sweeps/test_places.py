"""One contract for all places to run: the same results, resumed, limited and reported alike."""

import multiprocessing
import warnings
from types import SimpleNamespace

import pytest

from fastkaggle_plus import Sweep, Trial, Vault, run_local
from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.sweeps.engines import engine_names, find_engine, given_options, own_options
from fastkaggle_plus.sweeps.execution import SweepExecution, run_trial

from .places import PLACES

BUDGET = 4  # trials
TRIALS = (
    Trial("small", "models.steps", {"max_leaf_nodes": 3}),
    Trial("left", "models.steps", {"max_leaf_nodes": 4}),  # by a driver that was killed
    Trial("bad", "models.broken"),
    Trial("dies", "models.dies"),
    Trial("small #2", "models.steps", {"max_leaf_nodes": 3}, in_ensemble=False),  # a repeat
    Trial("late", "models.steps", {"max_leaf_nodes": 5}),  # beyond the budget
)
GOOD = ("small", "left", "small #2", "late")


def sweep(*trials: Trial) -> Sweep:
    return Sweep("toy", trials, n_folds=3)


def test_every_place_is_tested():
    assert set(engine_names()) <= set(PLACES)


@pytest.fixture(scope="module", params=PLACES)
def place(request, tmp_path_factory):
    """A place that is ready, and the vault of its sweeps."""
    if request.param not in engine_names():
        pytest.skip(f"there is no run_{request.param} yet")
    at = tmp_path_factory.mktemp(request.param)
    with PLACES[request.param](at, request.getfixturevalue) as ready:
        yield SimpleNamespace(**vars(ready), name=request.param, vault=Vault(at / "vault"), at=at)


def run(place, trials, *, interrupt=False, **options):
    """Run trials in a place; return the results by name, and the calls of the callbacks.

    `interrupt`: press Ctrl-C when a trial that started reports its progress or its result.
    """
    calls = SimpleNamespace(started=[], progress=[], ended=[], splits=[], steps=[])

    def report(to, name, *values):
        to.append((name, *values) if values else name)
        if interrupt and name in calls.started:
            raise KeyboardInterrupt

    results = find_engine(place.name)(
        sweep(*trials),
        place.comp,
        place.path,
        vault=place.vault,
        on_start=lambda trial: calls.started.append(trial.name),
        on_progress=lambda trial, *step: report(calls.progress, trial.name, *step),
        on_result=lambda result: report(calls.ended, result.name),
        on_split=calls.splits.append,
        on_step=lambda *step: calls.steps.append(step),
        **place.options,
        **options,
    )
    return SimpleNamespace(results=results, by_name={r.name: r for r in results}, calls=calls)


@pytest.fixture(scope="module")
def first(place):
    """A sweep with a budget, after a driver that was killed before it took in a result."""
    far = SweepExecution(
        sweep(TRIALS[1]), place.comp, place.path, vault=place.vault, far=True, on_split=len
    )
    far.resume()
    assert run_trial(far.start_next(), lambda share, step: None) == ""
    assert list(place.vault.spool.glob("*.zip")) and not place.vault.runs()
    return run(place, TRIALS, max_trials=BUDGET)


@pytest.fixture(scope="module")
def interrupted(place, first):
    """The same sweep without the budget, interrupted by Ctrl-C; return what the vault has then."""
    with pytest.raises(KeyboardInterrupt):
        run(place, TRIALS, interrupt=True)
    assert not multiprocessing.active_children()
    return {run.trial for run in place.vault.runs("toy") if run.status == "done"}


@pytest.fixture(scope="module")
def again(place, interrupted):
    """The same sweep once more, to its end."""
    return run(place, TRIALS)


@pytest.fixture(scope="module")
def reference(place):
    """The same trials on this machine, in this process, into another vault."""
    trials = [trial for trial in TRIALS if trial.name in GOOD]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = run_local(
            sweep(*trials), place.comp, place.path, vault=Vault(place.at / "other"), workers=0
        )
    return {r.name: r.predictions for r in results}


def test_results_have_the_declared_order(first):
    assert [r.name for r in first.results] == [trial.name for trial in TRIALS]


def test_a_failure_has_its_traceback(first):
    bad, dies = first.by_name["bad"], first.by_name["dies"]
    assert bad.failed and bad.predictions is None
    assert "the trial failed on purpose" in bad.error and "models.py" in bad.error
    assert dies.failed and "died" in dies.error and "SIGKILL" in dies.error


def test_the_budget_is_respected(first):
    late = first.by_name["late"]
    assert late.not_run and not late.failed and f"budget of {BUDGET} trials" in late.error
    assert set(first.calls.started) == {"small", "bad", "dies", "small #2"}


def test_the_callbacks_are_called(place, first):
    calls = first.calls
    assert sorted(calls.ended) == sorted(trial.name for trial in TRIALS)
    assert len(calls.started) == len(set(calls.started))
    assert {name for name, *_ in calls.progress} <= set(calls.started)
    assert all(0 <= share <= 1 for _, share, _ in calls.progress)
    assert any(place.where in step for _, _, step in calls.progress)


def test_a_result_that_a_killed_driver_left_is_taken_in(place, first):
    assert first.by_name["left"].reused
    assert not list(place.vault.spool.glob("*"))


def test_groups_on_both_sides_are_reported_once(first):
    assert len(first.calls.splits) == 1 and "'patient'" in first.calls.splits[0]


def test_the_next_sweep_runs_only_what_did_not_finish(interrupted, again):
    assert {"small", "left", "small #2"} <= interrupted
    assert {"bad", "dies"} <= set(again.calls.started) <= {"bad", "dies", "late"}
    assert {"small", "left", "small #2"} <= {r.name for r in again.results if r.reused}
    assert [r.name for r in again.results if r.failed] == ["bad", "dies"]


def test_each_run_is_stored_once(place, again):
    rows = [(run.trial, run.status) for run in place.vault.runs("toy")]
    expected = [(t.name, "done" if t.name in GOOD else "error") for t in TRIALS]
    assert sorted(rows) == sorted(expected)
    assert not list(place.vault.folder.glob("progress.json*"))


@pytest.mark.parametrize("name", GOOD)
def test_the_predictions_are_those_of_a_local_sweep(again, reference, name):
    ours, local = again.by_name[name].predictions, reference[name]
    assert ours.oof.tobytes() == local.oof.tobytes()
    assert ours.test.tobytes() == local.test.tobytes()
    assert ours.ids.tolist() == local.ids.tolist()


def test_a_repeat_has_another_split(again):
    first, repeat = (again.by_name[name].predictions for name in ("small", "small #2"))
    assert (first.folds != repeat.folds).any()
    assert repeat.about["split_seed"] == first.about["split_seed"] + 1


def test_own_options_are_those_of_the_signature():
    assert {"workers", "threads"} <= set(own_options("local"))
    assert not {"vault", "sweep", "max_trials"} & set(own_options("local"))
    options = {"workers": 0, "threads": None, "address": None, "max_trials": 2}
    assert given_options("local", options) == {"workers": 0, "max_trials": 2}


def test_an_option_that_no_place_takes_is_refused():
    with pytest.raises(UnknownName, match="threadz"):
        given_options("local", {"threadz": 2})
    with pytest.raises(UnknownName, match="place to run"):
        given_options("cluster", {})


def test_an_option_of_another_place_is_refused(tmp_path, monkeypatch):
    """A place that only this test knows: its module is next to the others."""
    import fastkaggle_plus.sweeps.engines as engines

    def run_moon(sweep, comp, path, *, vault, rockets=1, **options): ...

    real = engines.find_engine
    monkeypatch.setattr(engines, "engine_names", lambda: ["local", "moon"])
    monkeypatch.setattr(
        engines, "find_engine", lambda name: run_moon if name == "moon" else real(name)
    )
    with pytest.raises(ConfigError, match="local do not take the option rockets: only moon does"):
        given_options("local", {"rockets": 2})
    assert given_options("moon", {"rockets": 2, "stop_after_s": 9.0}) == {
        "rockets": 2,
        "stop_after_s": 9.0,
    }
