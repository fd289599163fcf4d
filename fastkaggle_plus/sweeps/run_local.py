"""Run a sweep on this machine: each trial once, in a process of its own, two at a time on two cores; whatever finished is never run again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..competition import Competition
from ..data import Data
from ..environment import has_gpu
from ..exceptions import ConfigError, FastkaggleError
from ..folds import Folds, make_folds
from .board import TrialResult
from .budget import Budget
from .trial import Sweep, Trial
from .vault import Vault, run_key
from .worker_pool import Job, Place, in_processes, using_threads

_VERSIONS = (
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "torch",
    "torchvision",
    "timm",
    "fastai",
    "transformers",
    "tokenizers",
    "lightgbm",
    "xgboost",
    "catboost",
)
_PRELOAD = (
    "fastkaggle_plus.modeling.validation",
    "sklearn.metrics",
    "sqlite_utils",
    "threadpoolctl",
)  # what every trial needs


def folds_for(
    comp: Competition,
    data: Data,
    *,
    n_folds: int = 5,
    seed: int = 42,
    holdout: float | None = None,  # the share of one declared holdout, instead of folds
) -> Folds:
    "Return the competition's own split of its training rows."
    return make_folds(
        data.targs,
        n_folds=n_folds,
        seed=seed,
        kind=comp.split.kind,
        groups=data.groups,
        time=data.time,
        holdout=holdout,
    )


def run_local(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,  # the competition's data
    *,
    vault: Vault,
    data: Data | None = None,  # what `comp.read(path)` gives, where it is there already
    workers: int
    | None = None,  # trials at once; default: one for each `threads` cores, or one on a GPU; 0: in this process
    on_result: Callable[[TrialResult], None] | None = None,  # called as each trial ends
    on_start: Callable[[Trial], None] | None = None,
    on_progress: Callable[[Trial, float, str], None]
    | None = None,  # (trial, share done, where it is: "fold 2/5, epoch 3/8")
    threads: int = 1,  # numeric threads of each trial
    max_trials: int | None = None,  # budget: trials started; what the vault holds costs nothing
    max_epochs: int | None = None,  # budget: epochs of all trials on all folds
    stop_after_s: float
    | None = None,  # seconds after which no trial starts; those that run go on to their end
    on_split: Callable[[str], None]
    | None = None,  # called before the first trial with what is wrong with the split, if anything is; default: a warning
) -> list[TrialResult]:
    """Run what the vault does not hold yet and return one result per trial, in their order.

    A trial that fails, or whose process dies, is a result with a traceback; one beyond the budget is a result that was not run.
    Killed at any moment, the next call repeats at most what was in flight. Every trial runs in a fresh process and on one thread unless
    `threads` says otherwise, so that the same seed gives the same bytes whatever the number of workers. Raises ConfigError, DataError.
    """
    if threads < 1:
        raise ConfigError(
            f"threads = {threads}: a trial computes on at least one. More than one suits few large trials."
        )
    if workers is not None and workers < 0:
        raise ConfigError(
            f"workers = {workers}: at least one trial runs at once, and 0 runs them in this process. Leave it out for one a core."
        )
    data = data or comp.read(path)
    folds = folds_for(comp, data, n_folds=sweep.n_folds, seed=sweep.seed, holdout=sweep.holdout)
    prints = dict(
        data=data.fingerprint(), split=folds.fingerprint(), environment=environment_fingerprint()
    )
    keys = {
        t.name: run_key(trial=t.fingerprint(), code=code_fingerprint(comp, t), **prints)
        for t in sweep.trials
    }
    budget = Budget(
        sweep, comp, max_trials=max_trials, max_epochs=max_epochs, stop_after_s=stop_after_s
    )
    results: dict[str, TrialResult] = {}

    def finish(result: TrialResult) -> None:
        results[result.name] = result
        if on_result:
            on_result(result)

    def jobs() -> Iterator[Job]:
        "What is to run, each as its turn comes."
        for trial in todo:
            if refusal := budget.take(trial):
                finish(TrialResult(trial, None, refusal, not_run=True))
                continue
            if on_start:
                on_start(trial)
            what = TrialJob(
                trial,
                str(comp.folder or comp.slug),
                str(path),
                sweep,
                str(vault.folder),
                keys[trial.name],
            )
            yield Job(what, (*_PRELOAD, *_preload(trial, comp)), threads)

    def progress(job: Job, share: float, where: str) -> None:
        if on_progress:
            on_progress(job.what.trial, share, where)

    todo = []
    for trial in sweep.trials:
        if (preds := vault.get(keys[trial.name])) is not None:
            finish(TrialResult(trial, dataclasses.replace(preds, name=trial.name), reused=True))
        else:
            todo.append(trial)
    if todo:
        _tell_of_groups(data, folds, comp, on_split)
    if workers is None:
        wants_gpu = has_gpu() and any("torch" in _preload(t, comp) for t in todo)
        workers = 1 if wants_gpu else min(len(todo), max((os.cpu_count() or 1) // threads, 1))
    ended = (
        in_processes(run_trial, jobs(), workers=workers, on_progress=progress)
        if workers
        else _in_this_process(jobs(), progress)
    )
    with contextlib.closing(ended):
        for job, error in ended if todo else ():
            trial = job.what.trial
            if error:
                vault.put_error(keys[trial.name], comp.slug, trial.name, error)
            preds = None if error else vault.get(keys[trial.name])
            finish(TrialResult(trial, preds and dataclasses.replace(preds, name=trial.name), error))
    return [results[t.name] for t in sweep.trials]


def _tell_of_groups(
    data: Data, folds: Folds, comp: Competition, on_split: Callable[[str], None] | None
) -> None:
    "Say, once for all trials, that the split tears groups apart."
    from ..modeling.group_leaks import find_group_leak, warn_of_groups

    if on_split is None:
        warn_of_groups(data, folds, metric=comp.metric, stacklevel=4)
    elif (leak := find_group_leak(data, folds, metric=comp.metric)) is not None:
        on_split(str(leak))


@dataclasses.dataclass(frozen=True)
class TrialJob:
    "A trial, and where to run it."

    trial: Trial
    folder: str  # of the competition
    path: str  # its data
    sweep: Sweep
    vault: str  # folder
    key: str  # of the run


def run_trial(job: TrialJob, place: Place) -> str:
    "Run one trial in this process and store it; return a traceback, or nothing when it went well."
    from ..competition import load_comp
    from ..modeling import cross_validate, find_model, progress

    trial, sweep = job.trial, job.sweep
    try:
        comp = load_comp(job.folder)
        data = comp.read(job.path)
        folds = folds_for(comp, data, n_folds=sweep.n_folds, seed=sweep.seed, holdout=sweep.holdout)
        start = time.perf_counter()
        with progress.send_to(place.tell):
            preds = cross_validate(
                find_model(trial.model, comp)(**trial.params),
                data,
                folds,
                metric=comp.metric,
                name=trial.name,
                look_for_groups=False,
            )
        memory = {} if place.foreign_mb is None else {"peak_mb": _peak_mb(place.foreign_mb)}
        about = {
            **preds.about,
            **memory,
            "versions": environment_fingerprint(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        preds = dataclasses.replace(preds, about=about)
        Vault(job.vault).put(
            job.key,
            comp.slug,
            preds,
            **about,
            trial=dataclasses.asdict(trial),
            wall_s=time.perf_counter() - start,
        )
    except FastkaggleError as e:
        return f"{type(e).__name__}: {e}"
    except Exception:
        return traceback.format_exc()
    return ""


def code_fingerprint(comp: Competition, trial: Trial) -> str:
    """Return a hash of the code that a trial's result depends on: models, tests, folds, metrics, readers, and the competition's own files.

    Of these not the notebook and the rehearsal, and the list of trials only where the trial's model stands in it: each trial has a hash of its own.
    """
    package = Path(__file__).resolve().parent.parent
    passed_over = {
        "notebook.py",
        "rehearsal.py",
        *(() if "trials.py" in _own_files(trial) else ("trials.py",)),
    }
    folder = comp.folder or package / "none"
    files = [
        *(
            f
            for part in ("evidence", "modeling", "reading")
            for f in sorted((package / part).rglob("*.py"))
        ),
        *(package / f"{m}.py" for m in ("data", "folds", "metrics")),
        *(f for f in sorted(folder.glob("*.py")) if f.name not in passed_over),
        *sorted(folder.glob("competition.toml")),
    ]
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in files)).hexdigest()[:16]


def _own_files(trial: Trial) -> set[str]:
    "The files that a trial's model, and the model that it repeats, may stand in."
    return {
        f"{str(word).partition('.')[0]}.py" for word in (trial.model, trial.params.get("model", ""))
    }


def environment_fingerprint() -> str:
    "Return the versions that a result depends on."
    found = {}
    for name in _VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"python {platform.python_version()} {platform.machine()} " + " ".join(
        f"{k} {v}" for k, v in found.items()
    )


def _in_this_process(
    jobs: Iterator[Job], on_progress: Callable[[Job, float, str], None]
) -> Generator[tuple[Job, str]]:
    for job in jobs:
        with using_threads(job.threads):
            error = run_trial(job.what, Place(functools.partial(on_progress, job)))
        yield job, error


def _preload(trial: Trial, comp: Competition) -> tuple[str, ...]:
    "The packages that a trial's model asks to have imported first, and the model that a bag repeats."
    from ..modeling import preload_of

    inner = trial.params.get("model")
    return (
        *preload_of(trial.model, comp),
        *(preload_of(inner, comp) if isinstance(inner, str) else ()),
    )


def _peak_mb(foreign_mb: float) -> float | None:
    "The most memory that this process has held so far, less what other trials' packages take; None where the system does not tell."
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KiB, on macOS in bytes
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10) - foreign_mb, 1)
