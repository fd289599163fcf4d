"""The loop, end to end: setup -> trials -> out-of-fold predictions -> evidence -> ensemble -> checked submission -> leaderboard."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..competition import Competition, load_comp
from ..data import Data
from ..ensembling import ensemble, write_lock
from ..exceptions import ConfigError, DataError, UnknownName
from ..kaggle_client import Submission, setup_comp, submit
from ..metrics import get_metric
from ..predictions import Predictions
from ..submission import submission_of, write_submission
from ..sweeps.board import BoardRow, TrialResult, board
from ..sweeps.default_trials import trials_of
from ..sweeps.repeats import repeat_spread, repeated
from ..sweeps.results_csv import write_results
from ..sweeps.run_local import run_local
from ..sweeps.trial import Sweep, Trial
from ..sweeps.vault import Vault
from .callbacks import Watcher
from .outcome import Outcome, Standing, Swept
from .rehearse import Rehearsal, rehearsal

_SEEDS = 2**32  # numpy's and scikit-learn's are below that


def run(
    slug: str,
    *,
    bundles: str
    | Path
    | None = None,  # folder of sandbox bundles to run against instead of the built-in rehearsal
    data: str
    | Path
    | None = None,  # or: a folder with the competition's own files, of which labelled rows are held out
    dest: str | Path | None = None,  # where everything goes; default: runs/<slug>
    live: bool = False,  # the real Kaggle, with your account; otherwise the sandbox
    seed: int = 42,
    n_folds: int = 5,
    workers: int | None = None,
    watcher: Watcher | None = None,
) -> Outcome:
    """Run the whole loop once; what an earlier call finished is not done again. Raises FastkaggleError.

    Of a code competition a rehearsal answers the hidden rows from a file; the real one takes a notebook, see `push`.
    """
    _enough_folds(n_folds)
    watcher = watcher or Watcher()
    with staged(
        slug,
        bundles=bundles,
        data=data,
        dest=dest,
        live=live,
        seed=seed,
        watcher=watcher,
        as_files=True,
    ) as stage:
        comp, home, place, clock = stage.comp, stage.home, stage.place, stage.clock
        _takes_files(stage.box.comp if stage.box else comp)
        path, read = _download(stage, watcher)
        _check_the_end(comp, read, path)
        results = _measure(
            stage,
            Sweep(comp.slug, trials_of(comp), n_folds, seed),
            path,
            read,
            watcher,
            workers=workers,
        )
        rows = board(results)
        both = _ensemble(comp, results)
        write_lock(
            both,
            [
                r.predictions
                for r in results
                if r.predictions is not None and r.name in both.about["weights"]
            ],
            home / "ensemble.lock",
        )
        clock.lap("ensemble")
        file = write_submission(both, comp, path, file=home / "submission.csv")
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        message = f"fkp run: {both.about['method']} of {len(both.about['weights'])} trials, {n_folds} folds, seed {seed} [{sha256[:12]}]"
        sent = submit(file, message, comp.slug, journal=place / "journal")
        standing = stage.standing(sent)
        finished = [r.predictions for r in results if r.predictions is not None]
        write_results(
            home / "results.csv",
            [*finished, both],
            scores={both.name: (standing.public_score, standing.private_score)},
        )
        clock.lap("submit")
        report = _report(
            home / "report.html", comp, results, rows, both, standing, read.left_out, clock.laps
        )
        clock.lap("report")
        return Outcome(
            comp=comp,
            results=results,
            rows=rows,
            ensemble=both,
            submission=file,
            sha256=sha256,
            ref=sent.ref,
            sent=sent.sent,
            standing=standing,
            report=report,
            left_out=read.left_out,
            seconds=clock.laps,
        )


def sweep(
    slug: str,
    *,
    bundles: str | Path | None = None,  # as for `run`
    data: str | Path | None = None,
    dest: str
    | Path
    | None = None,  # the vault is that of `run`: what it measured is not measured again
    live: bool = False,
    seed: int = 42,
    n_folds: int = 5,
    holdout: float | None = None,  # the share of one declared holdout, instead of folds
    declared: str = "TRIALS",  # which tuple of trials.py to run
    trials: Sequence[str] | None = None,  # names of those of it to run; default: all
    repeats: int = 1,  # runs of each trial, with other seeds
    watcher: Watcher | None = None,
    **limits: Any,  # workers, threads, max_trials, max_epochs, stop_after_s: see `run_local`
) -> Swept:
    "Measure a competition's trials and submit nothing; what an earlier call finished is not done again. Raises FastkaggleError."
    if holdout is None:
        _enough_folds(n_folds)
    watcher = watcher or Watcher()
    with staged(
        slug,
        bundles=bundles,
        data=data,
        dest=dest,
        live=live,
        seed=seed,
        watcher=watcher,
        as_files=True,
    ) as stage:
        comp = stage.comp
        chosen = repeated(_named(trials_of(comp, declared), trials), repeats, comp=comp)
        path, read = _download(stage, watcher)
        results = _measure(
            stage, Sweep(comp.slug, chosen, n_folds, seed, holdout), path, read, watcher, **limits
        )
        return Swept(
            comp=comp,
            results=results,
            rows=board(results),
            repeats=repeat_spread(results),
            left_out=read.left_out,
            seconds=stage.clock.laps,
        )


@dataclass(frozen=True)
class Stage:
    "Where a run or a push happens: Kaggle, or a rehearsal of it."

    comp: Competition
    home: Path  # what the user gets
    place: Path  # what belongs to this very Kaggle: its journal
    data: Path  # the competition's files
    box: Rehearsal | None  # None: the real one
    clock: Clock

    def standing(self, sent: Submission) -> Standing:
        "Return where a submission stands; the rehearsal's organiser tells all of it."
        if self.box is None:
            return Standing(sent.public_score, sent.private_score)
        return _organisers_view(self.box.server, self.comp.slug, sent.ref)


@contextlib.contextmanager
def staged(
    slug: str,
    *,
    bundles: str | Path | None,
    data: str | Path | None,
    dest: str | Path | None,
    live: bool,
    seed: int,
    watcher: Watcher,
    as_files: bool = False,  # a rehearsed code competition takes files, see `rehearsal`
) -> Iterator[Stage]:
    "Find the competition and serve its rehearsal, unless the real Kaggle is meant; one run or push at a time in a folder."
    if live and (bundles or data):
        raise ConfigError(
            "live means the real Kaggle; bundles and data are for a rehearsal. Give one of them."
        )
    if not 0 <= seed < _SEEDS:
        raise ConfigError(f"seed = {seed}: a seed is a whole number from 0 to {_SEEDS - 1}.")
    clock, comp = Clock(), load_comp(slug, bundles=bundles)
    home = Path(dest or Path("runs") / comp.slug)
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home, watcher), contextlib.ExitStack() as stack:
        if live:
            yield Stage(comp, home, home / "live", home / "live/data", None, clock)
            return
        box = stack.enter_context(
            rehearsal(comp, bundles=bundles, data=data, dest=home, seed=seed, as_files=as_files)
        )
        clock.lap("sandbox")
        watcher.step("sandbox", f"{comp.slug} served at {box.url}, nothing leaves this machine")
        if box.as_files:
            watcher.step(
                "notebook",
                f"{comp.slug} is a code competition: this run answers its hidden rows from a file; `fkp push {comp.slug}` rehearses "
                "the notebook",
            )
        yield Stage(comp, home, box.place, box.data, box, clock)


@contextlib.contextmanager
def _alone(home: Path, watcher: Watcher) -> Iterator[None]:
    "Hold a folder while the block runs; say so where another run has to end first."
    lock = FileLock(home / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        watcher.step("waiting", f"for another run in {home} to end; --dest names another folder")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _enough_folds(n_folds: int) -> None:
    if n_folds < 2:
        raise ConfigError(
            f"Out-of-fold predictions need at least 2 folds, and {n_folds} came (--folds)."
        )


def _named(trials: tuple[Trial, ...], names: Sequence[str] | None) -> tuple[Trial, ...]:
    known = {t.name: t for t in trials}
    if unknown := [name for name in names or () if name not in known]:
        raise UnknownName("trial", unknown[0], known)
    return tuple(known[name] for name in dict.fromkeys(names)) if names else trials


def _download(stage: Stage, watcher: Watcher) -> tuple[Path, Data]:
    was_there = stage.data.exists()
    path = setup_comp(stage.comp.slug, dest=stage.data)
    stage.clock.lap("download")
    watcher.step("download", f"{'already in' if was_there else 'verified and unpacked to'} {path}")
    read = stage.comp.read(path)
    if read.train.texts is not None:
        columns = list(map(str, read.train.texts))
        watcher.step("texts", f"in the column{'s'[: len(columns) - 1]} {', '.join(columns)}")
    if unseen := [f"{c} ({why})" for c, why in read.left_out.items() if c != stage.comp.id]:
        watcher.step("columns", f"left out: {', '.join(unseen)}")
    return path, read


def _measure(
    stage: Stage, declared: Sweep, path: Path, data: Data, watcher: Watcher, **limits: Any
) -> list[TrialResult]:
    watcher.sweep_starts(declared)
    results = run_local(
        declared,
        stage.comp,
        path,
        vault=Vault(stage.home / "vault"),
        data=data,
        on_start=watcher.trial_starts,
        on_progress=watcher.trial_progress,
        on_result=watcher.trial_ends,
        on_split=lambda said: watcher.step("split", said),
        **limits,
    )
    stage.clock.lap("trials")
    return results


def _takes_files(comp: Competition) -> None:
    if comp.code_competition:
        raise ConfigError(
            f"{comp.facts_file}: code_competition = true: {comp.slug} takes a notebook that Kaggle runs, not a file of answers. "
            f"`fkp push {comp.slug} --live` runs its notebook there and submits it; `fkp sweep {comp.slug} --live` measures its trials here "
            "on the real rows and submits nothing."
        )


def _check_the_end(comp: Competition, data: Data, path: Path) -> None:
    "Answer every row alike, score and write that: what would fail after the last trial fails before the first."
    targs, n, n_test = data.targs, len(data.train), len(data.test)
    row = (
        np.bincount(targs, minlength=len(data.vocab)) / n
        if data.vocab
        else np.atleast_1d(targs.mean(0))
    )
    alike = Predictions(
        "constant",
        comp.metric,
        data.task,
        data.vocab,
        data.ids,
        targs,
        np.tile(row, (n, 1)),
        np.zeros(n, dtype=int),
        data.test_ids,
        np.tile(row, (n_test, 1)),
    )
    get_metric(comp.metric).score(targs, alike.oof)
    submission_of(alike, comp, path)


def _ensemble(comp: Competition, results: list[TrialResult]) -> Predictions:
    "Combine the trials that were declared for it, by the method that trials.py declares."
    members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
    if not members:
        raise DataError(
            "No trial of the ensemble finished.\n"
            + "\n".join(f"{r.name}: {r.error}" for r in results if r.error)
        )
    return ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "greedy"))


def _organisers_view(server: Any, slug: str, ref: int) -> Standing:
    "Where a submission stands in the sandbox, the private part included; scores as Kaggle writes them, with five decimals."

    def rounded(score: float | None) -> float | None:
        return None if score is None else round(score, 5)

    public_rank, private_rank, _ = server.rank(slug, ref)
    entries = tuple(
        {
            **e,
            "public_score": rounded(e["public_score"]),
            "private_score": rounded(e["private_score"]),
        }
        for e in server.leaderboard(slug)
    )
    ours: dict[str, Any] = server.submissions.one(ref) or {}
    return Standing(
        rounded(ours.get("public_score")),
        rounded(ours.get("private_score")),
        public_rank,
        private_rank,
        entries,
    )


def _report(
    file: Path,
    comp: Competition,
    results: list[TrialResult],
    rows: list[BoardRow],
    both: Predictions,
    standing: Standing,
    left_out: dict[str, str],
    seconds: dict[str, float],
) -> Path:
    from ..reporting import (
        write_report,  # matplotlib takes long to import, and a name of this file should not
    )

    finished = [r.predictions for r in results if r.predictions is not None]
    failed = {r.name: r.error for r in results if r.failed}
    return write_report(
        file,
        comp=comp,
        rows=rows,
        members=finished,
        ensemble=both,
        standing=standing,
        failed=failed,
        left_out=left_out,
        seconds=seconds,
    )


class Clock:
    "Seconds by step, in the order of the steps."

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0) + now - self._last
        self._last = now
