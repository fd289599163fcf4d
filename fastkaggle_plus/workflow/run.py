"""`run`: from data to a scored submission."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..competition import Competition
from ..data import Data
from ..ensembling import write_lock
from ..evidence.gap import Gap, Rows, check_gap
from ..exceptions import ConfigError, DataError, last_line
from ..files import file_hash
from ..predictions import Predictions
from ..submission import submission_of, write_submission
from ..submission.cv_record import cv_record
from ..sweeps.default_trials import declared_ensemble, trials_of
from ..sweeps.results_csv import write_results
from ..sweeps.trial import Sweep
from .callbacks import RunCallbacks
from .known_scores import PUBLIC_SHARE, scores_of
from .measure import check_plan, download, measure
from .outcome import RunOutcome, Standing, SweepOutcome
from .run_progress import RunProgress, with_progress
from .submit import Confirm, submit_file
from .workspace import Workspace, open_workspace


@with_progress(RunProgress)
def run(
    slug: str,
    *,
    bundles: str | Path | None = None,  # rehearse with these sandbox bundles
    data: str | Path | None = None,  # or: rehearse with rows held out from the files in here
    dest: str | Path | None = None,  # output folder, default runs/<slug>; live: `live` in it
    live: bool = False,  # use the real Kaggle with your account, not the sandbox
    seed: int = 42,
    n_folds: int = 5,
    workers: int | None = None,
    keep_going: bool = False,  # submit without the trials that failed, instead of nothing
    callbacks: RunCallbacks | None = None,  # default: show the progress
    confirm: Confirm | None = None,  # shows the plan of the submission; None: send it
    test: str = "auto",  # who predicts test rows: folds | refit | auto, see `cross_validate`
) -> RunOutcome:
    """Run the whole loop once: trials, ensemble, checked submission, score, report.

    Live results are written to the folder `live` in `dest`. A second call reuses what the first one
    finished. A rehearsal of a code competition predicts its hidden rows from a file; for the real
    one, see `push`. Raises FastkaggleError.
    """
    check_plan(n_folds, test)
    callbacks = callbacks or RunCallbacks()
    with open_workspace(
        slug, dest, seed, bundles=bundles, data=data, live=live, callbacks=callbacks, as_files=True
    ) as work:
        comp = work.comp
        _check_accepts_files(work.sandbox.comp if work.sandbox else comp)
        path, read = download(work)
        _try_final_steps(comp, read, path)
        declared = Sweep(comp.slug, trials_of(comp, data=read), n_folds, seed, test=test)
        measured = measure(work, declared, path, read, workers=workers)
        _check_failures(measured, callbacks, keep_going=keep_going)
        finished = [r.predictions for r in measured.results if r.predictions is not None]
        combined = declared_ensemble(comp, measured.results)
        weights = combined.about["weights"]
        members = [p for p in finished if p.name in weights]
        write_lock(combined, members, work.folder / "ensemble.lock")
        work.end_step("ensemble")
        file = write_submission(combined, comp, path, file=work.folder / "submission.csv")
        sha256 = file_hash(file)
        message = (
            f"fkp run: {combined.about['method']} of {len(weights)} trials, "
            f"{n_folds} folds, seed {seed} [{sha256[:12]}]"
        )
        sent = submit_file(
            file,
            message,
            comp,
            client=work.client,
            confirm=confirm,
            journal=work.journal,
            data=path,
            live=work.is_live,  # this run wrote the file
        )
        standing = work.standing(sent) if sent else Standing(None, None)
        scores = {combined.name: (standing.public_score, standing.private_score)}
        write_results(work.folder / "results.csv", [*finished, combined], scores=scores)
        gap = _gap(combined, standing, work, len(read.test))
        work.end_step("submit")
        from ..reporting import write_report  # matplotlib is slow to import

        report = write_report(
            work.folder / "report.html",
            comp=comp,
            is_live=work.is_live,
            rows=measured.rows,
            members=finished,
            ensemble=combined,
            standing=asdict(standing),
            gap=str(gap or ""),
            failed=measured.failed,
            left_out=measured.left_out,
            seconds=work.seconds,
            trials=declared.trials,
            data=read,
        )
        work.end_step("report")
        return RunOutcome(
            **vars(measured),
            ensemble=combined,
            submission=file,
            sha256=sha256,
            ref=sent.ref if sent else 0,
            sent=bool(sent and sent.sent),
            standing=standing,
            gap=gap,
            report=report,
        )


def _gap(preds: Predictions, standing: Standing, work: Workspace, n_test: int) -> Gap | None:
    """Return whether the scores of the submission agree with its CV score."""
    n_public = round((work.comp.public_share or PUBLIC_SHARE) * n_test)
    public, private = work.part_rows or (n_public, n_test - n_public)
    if not (public and private):
        return None
    scores = scores_of(preds.name, cv_record(preds, work.comp.slug))
    scores = replace(scores, public=standing.public_score, private=standing.private_score)
    rows = Rows(int(preds.validated.sum()), public, private, preds.scoring.higher_is_better)
    return check_gap([scores], rows)


def _check_accepts_files(comp: Competition) -> None:
    if comp.code_competition:
        raise ConfigError(
            f"{comp.facts_file}: code_competition = true: {comp.slug} takes a notebook that Kaggle "
            f"runs, not a file of predictions. `fkp push {comp.slug} --live` runs its notebook on "
            f"Kaggle and submits it; `fkp sweep {comp.slug} --live` measures its trials here on "
            "the real rows and submits nothing."
        )


def _try_final_steps(comp: Competition, data: Data, path: Path) -> None:
    """Score shuffled targets, and write constant predictions as a submission, before any training.

    So an error of these last steps appears before the first trial, not after the last one.
    """
    targs, n, n_test = data.targs, len(data.train), len(data.test)
    if data.vocab:
        constant = np.bincount(targs, minlength=len(data.vocab)) / n
    else:
        constant = np.atleast_1d(targs.mean(0))
    guess = np.random.default_rng(0).permutation(targs)  # a correlation needs numbers that differ
    preds = Predictions(
        "constant",
        comp.metric,
        data.task,
        data.vocab,
        data.ids,
        targs,
        np.eye(len(data.vocab))[guess] if data.vocab else guess.reshape(n, -1),
        np.zeros(n, dtype=int),
        data.test_ids,
        np.tile(constant, (n_test, 1)),
    )
    comp.scoring.score(targs, preds.oof)
    submission_of(preds, comp, path)


def _check_failures(measured: SweepOutcome, callbacks: RunCallbacks, *, keep_going: bool) -> None:
    """Stop before the ensemble if a trial failed; with `keep_going` only report it."""
    if not (failed := measured.failed):
        return
    count = f"{len(failed)} of {len(measured.results)} trials failed"
    if keep_going:
        callbacks.on_step("failed", f"{count} and are left out: {', '.join(failed)}")
        return
    errors = "\n".join(f"{name}: {last_line(error)}" for name, error in failed.items())
    raise DataError(
        f"{count}, so nothing was submitted. Correct them and run again: finished trials are kept. "
        f"Or submit without them: --keep-going, in Python keep_going=True.\n{errors}"
    )
