"""Run a sweep on this machine: each trial once, two at a time on two cores, whatever finished is never run again."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import multiprocessing
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..data import Data
from ..environment import one_thread
from ..exceptions import FastkaggleError
from ..folds import Folds, make_folds
from ..vault import Vault, run_key
from .results import TrialResult
from .trial import Sweep, Trial

OnResult = Callable[[TrialResult], None]
_VERSIONS = ("numpy", "pandas", "scikit-learn", "scipy", "torch", "fastai", "lightgbm", "xgboost", "catboost")


def folds_for(comp: Competition, data: Data, *, n_folds: int = 5, seed: int = 42) -> Folds:
    "Return the competition's own split of its training rows."
    return make_folds(data.targs, n_folds=n_folds, seed=seed, kind=comp.split.kind, groups=data.groups, time=data.time)


def run_local(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,                      # the competition's data
    *,
    vault: Vault,
    data: Data | None = None,              # what `comp.read(path)` gives, where it is there already
    workers: int | None = None,            # processes; default: one a core; 0: in this process
    on_result: OnResult | None = None,     # called as each trial ends
    on_start: Callable[[Trial], None] | None = None,
) -> list[TrialResult]:
    """Run what the vault does not hold yet and return one result per trial, in their order.

    A trial that fails is a result with a traceback. Killed at any moment, the next call repeats at most what was in flight.
    Every trial runs on one thread, so that the same seed gives the same bytes whatever the number of workers.
    """
    _CACHE.clear()   # the files may have changed since this process read them
    data = data or comp.read(path)
    folds = folds_for(comp, data, n_folds=sweep.n_folds, seed=sweep.seed)
    prints = dict(data=data.fingerprint(), split=folds.fingerprint(), code=code_fingerprint(comp), environment=environment_fingerprint())
    keys = {t.name: run_key(trial=t.fingerprint(), **prints) for t in sweep.trials}
    results: dict[str, TrialResult] = {}

    def finish(result: TrialResult) -> None:
        results[result.name] = result
        if on_result:
            on_result(result)

    todo = []
    for trial in sweep.trials:
        if (preds := vault.get(keys[trial.name])) is not None:
            finish(TrialResult(trial, dataclasses.replace(preds, name=trial.name), reused=True))
        else:
            todo.append(trial)
    jobs = [(trial, str(comp.folder or comp.slug), str(path), sweep, str(vault.folder), keys[trial.name]) for trial in todo]
    workers = min(len(todo), os.cpu_count() or 1) if workers is None else workers
    for job, error in (_in_processes(jobs, workers, on_start) if workers else _in_this_process(jobs, on_start)):
        trial = job[0]
        if error:
            vault.put_error(keys[trial.name], comp.slug, trial.name, error)
        preds = None if error else vault.get(keys[trial.name])
        finish(TrialResult(trial, preds and dataclasses.replace(preds, name=trial.name), error))
    return [results[t.name] for t in sweep.trials]


def run_trial(trial: Trial, folder: str, path: str, sweep: Sweep, vault: str, key: str) -> str:
    "Run one trial in this process and store it; return a traceback, or nothing when it went well."
    from ..competition import load_comp
    from ..modeling import cross_validate, find_model

    try:
        comp = load_comp(folder)
        data, folds = _read_once(comp, path, sweep.n_folds, sweep.seed)
        start = time.perf_counter()
        preds = cross_validate(find_model(trial.model, comp)(**trial.params), data, folds, metric=comp.metric, name=trial.name)
        about = {**preds.about, "versions": environment_fingerprint(), "date": datetime.now(UTC).date().isoformat()}
        preds = dataclasses.replace(preds, about=about)
        Vault(vault).put(key, comp.slug, preds, **about, trial=dataclasses.asdict(trial), wall_s=time.perf_counter() - start)
    except FastkaggleError as e:
        return f"{type(e).__name__}: {e}"
    except Exception:
        return traceback.format_exc()
    return ""


def code_fingerprint(comp: Competition) -> str:
    "Return a hash of the code that a result depends on: models, folds, metrics, readers, and the competition's own files."
    package = Path(__file__).resolve().parent.parent
    files = [*(f for folder in ("modeling", "reading") for f in sorted((package / folder).rglob("*.py"))),
             *(package / f"{m}.py" for m in ("data", "folds", "labels", "metrics")),
             *sorted((comp.folder or package / "none").glob("*.py")), *sorted((comp.folder or package / "none").glob("competition.toml"))]
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in files)).hexdigest()[:16]


def environment_fingerprint() -> str:
    "Return the versions that a result depends on."
    found = {}
    for name in _VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"python {platform.python_version()} {platform.machine()} " + " ".join(f"{k} {v}" for k, v in found.items())


Job = tuple[Trial, str, str, Sweep, str, str]


def _in_this_process(jobs: Sequence[Job], on_start: Callable[[Trial], None] | None) -> Any:
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    for job in jobs:
        if on_start:
            on_start(job[0])
        with threadpool_limits(1):
            error = run_trial(*job)
        yield job, error


def _in_processes(jobs: Sequence[Job], workers: int, on_start: Callable[[Trial], None] | None) -> Any:
    "Yield (job, traceback or nothing) as jobs end; a worker that dies is an error of the trials in flight, not the end of the sweep."
    waiting, running = list(jobs), dict[Future[str], Job]()
    while waiting or running:
        with one_thread(), ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (os.getpid(),)) as pool:
            broken = False
            while (waiting and not broken) or running:
                while waiting and len(running) < workers and not broken:
                    job = waiting.pop(0)
                    if on_start:
                        on_start(job[0])
                    running[pool.submit(run_trial, *job)] = job
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    try:
                        yield job, future.result()
                    except BrokenProcessPool as e:
                        broken = True
                        yield job, f"The worker process died while this trial ran ({e}). Out of memory is the usual cause: run it alone with workers=1."


def _start_worker(parent: int) -> None:
    "End when the parent has gone: a killed run leaves no process behind."
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_CACHE: dict[tuple[str, str, int, int], tuple[Data, Folds]] = {}


def _read_once(comp: Competition, path: str, n_folds: int, seed: int) -> tuple[Data, Folds]:
    "Read the data once per worker, not once per trial."
    key = (str(comp.folder), path, n_folds, seed)
    if key not in _CACHE:
        _CACHE.clear()
        data = comp.read(path)
        _CACHE[key] = data, folds_for(comp, data, n_folds=n_folds, seed=seed)
    return _CACHE[key]

