"""Execute a sweep, on any machine: run one trial, and resume, limit and report the whole sweep."""

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from ..competition import Competition, load_comp
from ..data import Data
from ..exceptions import ConfigError, FastkaggleError, MissingExtra
from ..predictions import Predictions
from .budget import Budget
from .pruning import FoldPruner, Pruned
from .resume import environment_fingerprint, run_parts
from .splits import split_of, splits_of
from .spool import take_in, write_result
from .trial import Sweep, Trial, TrialResult
from .vault import Vault, run_key


@dataclass(frozen=True)
class TrialTask:
    """A trial, and what a worker needs to run it and to store its predictions: plain data."""

    trial: Trial
    sweep: Sweep
    comp: str  # the competition's folder, or its slug
    path: str  # the competition's data
    vault: str  # folder
    key: str  # of the run in the vault
    parts: dict[str, str]  # of the key
    spool: str = ""  # folder of result files, for a worker far from the vault; see `spool`
    copies: tuple[str, str] | None = None  # of comp and path, if they are not on this machine
    gpu_share: float = 0.0  # of the memory of the GPU that it runs on; 0: it was given no GPU


def run_trial(
    task: TrialTask,
    report: Callable[[float, str], None],  # called with progress: (share done, step)
    foreign_mb: float | None = None,  # memory of packages of other trials; None: shared process
) -> str:
    """Run one trial in this process and store it. Return a traceback, empty for success."""
    try:
        preds, facts = measure_trial(task, report, foreign_mb)
        run, name = (task.key, task.sweep.slug), task.trial.name
        if task.spool:
            write_result(task.spool, *run, preds, name=name, **facts)
        elif preds is None:
            Vault(task.vault).put_pruned(*run, name, **facts)
        else:
            Vault(task.vault).put(*run, preds, **facts)
    except FastkaggleError as e:
        return f"{type(e).__name__}: {e}"
    except Exception:
        return traceback.format_exc()
    return ""


def measure_trial(
    task: TrialTask, report: Callable[[float, str], None], foreign_mb: float | None
) -> tuple[Predictions | None, dict[str, Any]]:
    """Run one trial in this process; return its predictions and the facts of the run.

    A trial that its search stops has no predictions, and `fold_scores` in its facts.
    """
    from ..modeling import cross_validate
    from ..modeling.progress import send_to
    from ..modeling.registry import build
    from ..modeling.seeding import seeded

    trial, sweep, start = task.trial, task.sweep, time.perf_counter()
    comp_folder, data_folder = task.copies or (task.comp, task.path)
    comp = load_comp(comp_folder)
    data = comp.read(data_folder)
    folds = split_of(sweep, comp, data, repeat=trial.repeat)
    pruner = None
    if sweep.prune and sweep.earlier:
        pruner = FoldPruner(sweep.earlier, metric=comp.scoring, n_folds=folds.n_folds)
    facts: dict[str, Any] = {"trial": asdict(trial), "parts": task.parts, "competition": task.comp}
    facts |= {"data": str(Path(task.path).resolve())}
    about: dict[str, Any] = {
        "versions": environment_fingerprint(),
        "date": datetime.now(UTC).date().isoformat(),
        "expect": trial.expect,  # a prediction, as it was made before the result
    }
    read_s, start = time.perf_counter() - start, time.perf_counter()
    seed, model = int(trial.fingerprint(), 16), build(trial.model, trial.params, comp)
    try:
        with _on_gpu(task.gpu_share) as gpu, seeded(seed), send_to(report):
            preds = cross_validate(
                model,
                data,
                folds,
                metric=comp.scoring,
                name=trial.name,
                on_fold=pruner,
                look_for_groups=False,
                test=sweep.test,
            )
    except Pruned as pruned:
        wall_s = time.perf_counter() - start
        return None, {**about, **facts, "wall_s": wall_s, "fold_scores": pruned.fold_scores}
    about = {**preds.about, **gpu, **about}
    if gpu:
        peaks = [fit.get("gpu_peak_mb", 0) for fit in about.get("fits", ())]
        about["gpu_peak_mb"] = max([gpu["gpu_peak_mb"], *peaks])
        about["hardware"] = f"{about['hardware']}, {gpu['gpu']}"
    about["seconds"] = {"read": read_s, **preds.about["seconds"]}
    if foreign_mb is not None:
        about["peak_mb"] = _peak_mb(foreign_mb)
    wall_s = time.perf_counter() - start
    return replace(preds, about=about), {**about, **facts, "wall_s": wall_s}


class SweepOptions(TypedDict, total=False):
    """The options that every place to run takes: local, ray, kaggle."""

    data: Data | None  # the result of `comp.read(path)`, if it was read before
    on_result: Callable[[TrialResult], None] | None  # called when a trial ends
    on_start: Callable[[Trial], None] | None  # called when a trial starts
    on_progress: Callable[[Trial, float, str], None] | None  # (trial, share done, step)
    on_split: Callable[[str], None] | None  # called if groups are split; default: warn
    on_step: Callable[[str, str], None] | None  # (name, detail): a plan, a quota, the budget
    max_trials: int | None  # budget: trials to start
    max_epochs: int | None  # budget: epochs of all trials on all folds
    stop_after_s: float | None  # budget: seconds after which no trial starts


class SweepExecution:
    """One execution of a sweep: resume it, run its tasks anywhere, and finish each of them.

    The driver alone uses it, and writes what far workers left in the vault's spool into the vault.
    """

    def __init__(
        self,
        sweep: Sweep,
        comp: Competition,
        path: str | Path,  # the competition's data
        *,
        vault: Vault,
        far: bool = False,  # tasks write to the vault's spool, because they run elsewhere
        data: Data | None = None,  # default: read from path
        on_result: Callable[[TrialResult], None] | None = None,  # all these as in `SweepOptions`
        on_start: Callable[[Trial], None] | None = None,
        on_progress: Callable[[Trial, float, str], None] | None = None,
        on_split: Callable[[str], None] | None = None,
        on_step: Callable[[str, str], None] | None = None,
        **limits: Any,  # max_trials, max_epochs, stop_after_s
    ):
        self.sweep, self.comp, self.path, self.vault = sweep, comp, path, vault
        self.budget, self.on_result = Budget(sweep, comp, **limits), on_result
        self.on_start, self.on_split, self.on_progress = on_start, on_split, on_progress
        self.on_step = on_step
        self.spool = str(vault.spool) if far else ""
        self.data = data or comp.read(path)
        self.splits = splits_of(sweep, comp, self.data)
        self.parts = run_parts(sweep, comp, self.data, self.splits)
        self.keys = {name: run_key(**parts) for name, parts in self.parts.items()}
        self.pending: list[Trial] = []  # not finished by an earlier execution, and not started
        self._results: dict[str, TrialResult] = {}

    def resume(self) -> None:
        """Take finished trials from the vault; check the others and the split before they run."""
        take_in(self.vault.spool, self.vault)
        self.vault.mark_current(self.keys.values())
        for trial in self.sweep.trials:
            if (found := self._stored(trial)) is None:
                self.pending.append(trial)
            else:
                self._add(replace(found, reused=True))
        self._check_models()
        if self.pending and not self.sweep.earlier:  # the first round of a search checked it
            self._check_groups()

    def start_next(self) -> TrialTask | None:
        """Return the task of the next pending trial that the budget allows; None: none is left."""
        while self.pending:
            if (task := self.start(self.pending[0])) is not None:
                return task
        return None

    def start(self, trial: Trial) -> TrialTask | None:
        """Return the task of a pending trial; None: the budget refuses it."""
        self.pending.remove(trial)
        if refusal := self.budget.refuse(trial):
            self.skip(trial, refusal)
            return None
        if self.on_start:
            self.on_start(trial)
        comp, key = str(self.comp.folder or self.comp.slug), self.keys[trial.name]
        folders = comp, str(self.path), str(self.vault.folder)
        return TrialTask(trial, self.sweep, *folders, key, self.parts[trial.name], self.spool)

    def skip(self, trial: Trial, reason: str) -> None:
        """Add the result of a trial that does not run in this execution."""
        self._add(TrialResult(trial, None, reason, not_run=True))

    def report(self, task: TrialTask, share: float, step: str, *, where: str = "") -> None:
        """Pass on the progress of a running trial; `where` as in card 1, or node 10.0.0.2."""
        if self.on_progress:
            self.on_progress(task.trial, share, ", ".join(filter(None, (where, step))))

    def note(self, name: str, detail: str) -> None:
        """Pass on a fact for people, as in quota: 12.5 of 30.0 GPU hours left."""
        if self.on_step:
            self.on_step(name, detail)

    def finish(self, task: TrialTask, error: str) -> None:
        """Add the result of a trial that ended; `error` is its traceback, empty for success.

        A worker that died after it wrote the result did not fail.
        """
        take_in(self.vault.spool, self.vault)
        found = self._stored(task.trial)
        if found is None and error:
            slug, name = self.comp.slug, task.trial.name
            facts = {"trial": asdict(task.trial), "parts": task.parts}
            self.vault.put_error(task.key, slug, name, error, **facts)
        self._add(found or TrialResult(task.trial, None, error))

    @property
    def results(self) -> list[TrialResult]:
        """One result per trial, in the order of the sweep."""
        return [self._results[trial.name] for trial in self.sweep.trials]

    def _stored(self, trial: Trial) -> TrialResult | None:
        """Return a stored result, scored by the metric as it is now; in a search, a pruned too."""
        key = self.keys[trial.name]
        if preds := self.vault.get(key, name=trial.name):
            return TrialResult(trial, preds.scored_by(self.comp.scoring))
        scores = self.vault.fold_scores(key) if self.sweep.prune else []
        return TrialResult(trial, None, fold_scores=scores) if scores else None

    def _add(self, result: TrialResult) -> None:
        self._results[result.name] = result
        if self.on_result:
            self.on_result(result)

    def _check_models(self) -> None:
        """Raise ConfigError for models and parameters that cannot run, before any other trains."""
        from ..modeling.registry import check_declared

        problems = []
        for trial in self.pending:
            try:
                check_declared(trial.model, trial.params, self.comp)
            except MissingExtra:  # the others can run
                continue
            except FastkaggleError as e:
                problems.append(f"Trial {trial.name!r}: {e}")
        if problems:
            raise ConfigError("\n".join(problems))

    def _check_groups(self) -> None:
        """Report, once for all trials, a split that puts rows of one group on both sides."""
        from ..modeling.group_leaks import find_group_leak, warn_of_groups

        metric, folds = self.comp.scoring, self.splits[1]
        if self.on_split is None:  # level 6 is the caller of run_local
            warn_of_groups(self.data, folds, metric=metric, stacklevel=6)
        elif (leak := find_group_leak(self.data, folds, metric=metric)) is not None:
            self.on_split(str(leak))


@contextlib.contextmanager
def _on_gpu(share: float) -> Iterator[dict[str, Any]]:
    """Use a share of the memory of this process's GPU; yield facts, complete after the block."""
    facts: dict[str, Any] = {}
    if not share or "torch" not in sys.modules:  # a booster needs no torch
        yield facts
        return
    from ..modeling.hardware import limited_gpu

    with limited_gpu(share, facts):
        yield facts


def _peak_mb(foreign_mb: float) -> float | None:
    """Return the peak memory of this process without packages of other trials, if known."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KiB, on macOS in bytes
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10) - foreign_mb, 1)
