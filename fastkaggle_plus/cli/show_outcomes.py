"""Print what a verb did: its scores, what it sent, and its time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..exceptions import last_line
from ..ui.displays import console
from ..workflow.run_progress import step_line
from .display import show_json, show_table
from .show_trials import show_board, show_ensemble, show_repeats

if TYPE_CHECKING:
    from ..workflow.outcome import PushOutcome, RunOutcome, SearchOutcome, Standing, SweepOutcome
    from ..workflow.probe_archs import ProbeOutcome
    from ..workflow.submit import Plan

_WIDE = 110  # columns of a terminal that shows every column of a ranking of networks
_MOST_TIMED = 4  # trials whose time is shown


def show_run(outcome: RunOutcome, *, as_json: bool = False) -> None:
    """Show the table of trials, the ensemble, the scores with the rank, and the times."""
    from ..sweeps.ensemble_row import why_one_member

    out = console(to_stderr=as_json)
    out.print()
    show_board(outcome.rows, out=out, metric=outcome.comp.metric, failed=outcome.failed)
    show_ensemble(outcome.ensemble, out=out)
    if why := why_one_member(outcome.ensemble, outcome.rows):
        out.print(step_line("", why), soft_wrap=True)
    if outcome.ref:
        what = f"{outcome.submission} (sha256 {outcome.sha256[:12]}) as number {outcome.ref}"
        _show_submitted(out, what, sent=outcome.sent, standing=outcome.standing)
    else:
        show_not_submitted(out, outcome.submission, outcome.comp.slug)
    if outcome.standing.entries:
        out.print(step_line("", _rank(outcome.standing)), soft_wrap=True)
    if outcome.gap:
        out.print(step_line("gap", str(outcome.gap)), soft_wrap=True)
    out.print(step_line("report", str(outcome.report)), soft_wrap=True)
    _show_end(out, outcome, as_json, outcome.trial_seconds)


def show_sweep(outcome: SweepOutcome, *, as_json: bool = False) -> None:
    """Show the table of trials, the failures, the trials beyond the budget, and the times."""
    out = console(to_stderr=as_json)
    out.print()
    show_board(outcome.rows, out=out, metric=outcome.comp.metric, failed=outcome.failed)
    if outcome.repeats:
        show_repeats(outcome.repeats, out=out)
    by_reason: dict[str, list[str]] = {}
    for name, reason in outcome.not_run.items():
        by_reason.setdefault(reason.removeprefix("not run: "), []).append(name)
    for reason, names in by_reason.items():
        out.print(step_line("not run", f"{', '.join(names)}: {reason}"), soft_wrap=True)
    _show_end(out, outcome, as_json, outcome.trial_seconds)


def show_search(outcome: SearchOutcome, *, as_json: bool = False) -> None:
    """Show the trials of a search, the best with its corrected score, and how to declare it."""
    out, n = console(to_stderr=as_json), len(outcome.results)
    out.print()
    show_board(outcome.rows, out=out, metric=outcome.comp.metric, failed=outcome.failed)
    if outcome.pruned:
        fitted = f"{outcome.folds_fitted} folds were fitted"
        detail = f"{len(outcome.pruned)} of {n} trials after a fold or more: {fitted}"
        out.print(step_line("pruned", detail))
    if outcome.not_run:
        out.print(step_line("not run", "the rest: the time is used. Run it again to go on."))
    if outcome.winner and outcome.best:
        best = outcome.best
        out.print(step_line("winner", f"{best.name}: {outcome.winner}"), soft_wrap=True)
        trial = f'Trial("{best.name}", "{best.model}", {best.params!r}, "{best.hypothesis}"),'
        out.print(step_line("declare", trial), soft_wrap=True, markup=False)
    _show_end(out, outcome, as_json, outcome.trial_seconds)


def show_probe(outcome: ProbeOutcome, *, as_json: bool = False) -> None:
    """Show the ranking of image networks, those that failed, and the times."""
    from ..sweeps.board import about_verdicts

    out = console(to_stderr=as_json)
    out.print()
    if rows := [row.as_row() for row in outcome.rows]:
        published = ("M", "ImageNet")
        shown = [name for name in rows[0] if out.width >= _WIDE or name not in published]
        header = [outcome.comp.metric if name == "CV score" else name for name in shown]
        cells = [[row[name] for name in shown] for row in rows]
        show_table(header, cells, numbers=(1, 2, 3, 4, 6, 7), whole=range(5), out=out)
        if shown[-1] in published:
            out.print("M: million parameters. ImageNet: published accuracy in %, by timm.")
    for line in about_verdicts(outcome.rows):
        out.print(line, soft_wrap=True, highlight=False)
    for name, error in outcome.failed.items():
        out.print(step_line("failed", f"{name}: {last_line(error)}"), soft_wrap=True)
    _show_end(out, outcome, as_json)


def show_push(outcome: PushOutcome, *, as_json: bool = False) -> None:
    """Show the submission with its scores, or how to follow the notebook later."""
    out, kernel = console(to_stderr=as_json), outcome.kernel
    if outcome.submission is not None and outcome.standing is not None:
        what = f"{kernel.handle} version {kernel.version}"
        if outcome.file:
            what = f"{outcome.file} (sha256 {outcome.sha256[:12]})"
        what += f" as number {outcome.submission.ref}"
        _show_submitted(out, what, sent=outcome.submission.sent, standing=outcome.standing)
    elif outcome.file is not None:
        show_not_submitted(out, outcome.file, outcome.comp.slug)
    if outcome.quick:
        out.print(step_line("QUICK", "a dry run: its output is not submitted"))
    if outcome.status is None:
        version = f"{kernel.handle} --version {kernel.version} --live"
        out.print(step_line("later", f"fkp status {version}"))
        out.print(step_line("", f"fkp output {version} -p DIR"))
    _show_end(out, outcome, as_json)


def show_plan(plan: Plan, *, to_stderr: bool = False) -> None:
    """Show what a write will send, and to which Kaggle."""
    out = console(to_stderr=to_stderr)
    where = "on the real Kaggle" if plan.is_live else "in the sandbox"
    out.print(f"{plan.what}, {where}", soft_wrap=True)
    warning = {"warning": plan.warning} if plan.warning else {}
    for name, value in {**plan.facts, **warning}.items():
        out.print(f"  {name:<12}{value}", soft_wrap=True)


def show_not_submitted(out: Console, file: Path, slug: str) -> None:
    """Say that the user did not confirm a submission, and how to send it later."""
    out.print(f"not submitted: {file}", soft_wrap=True)
    out.print(step_line("later", f'fkp submit {slug} --live -f {file} -m "..."'), soft_wrap=True)


def _show_submitted(out: Console, what: str, *, sent: bool, standing: Standing) -> None:
    note = "" if sent else ": it exists already and was not sent again"
    out.print(f"submitted {what}{note}", soft_wrap=True)
    public, private = _score(standing.public_score), _score(standing.private_score)
    out.print(step_line("scores", f"public {public}, private {private}"))


def _rank(standing: Standing) -> str:
    """Return the ranks, and the scores of the other entries."""
    rank = f"rank {standing.public_rank} public"
    if standing.private_rank:
        rank += f", {standing.private_rank} private"
    others = "; ".join(
        f"{e['team']} {_score(e['public_score'])} / {_score(e['private_score'])}"
        for e in standing.entries
        if not e.get("ours")
    )
    if not others:
        return f"{rank}, the only entry"
    return f"{rank}, of {len(standing.entries)} entries (public / private: {others})"


def _show_end(
    out: Console,
    outcome: SweepOutcome | PushOutcome,
    as_json: bool,
    by_trial: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Show the total time, that of each step and trial, longest first; then JSON on stdout."""
    steps = sorted(outcome.seconds.items(), key=lambda step: -step[1])
    by_step = ", ".join(f"{name} {s:.1f}" for name, s in steps)
    total_s = sum(outcome.seconds.values())
    out.print(step_line("time", f"{total_s:.1f} s: {by_step}"), soft_wrap=True)
    if by_trial:
        out.print(step_line("", _slowest(by_trial)), soft_wrap=True)
    if as_json:
        show_json(outcome.as_json(), one_line=True)


def _slowest(by_trial: Mapping[str, Mapping[str, float]]) -> str:
    """Return the seconds of the longest trials and of their parts, in one line."""
    from ..sweeps.budget import gpu_hours

    named = []
    for name, seconds in list(by_trial.items())[:_MOST_TIMED]:
        parts = [f"{k} {seconds[k]:.1f}" for k in ("fit", "refit", "predict") if k in seconds]
        named.append(f"{name} {seconds['all']:.1f} ({', '.join(parts)})")
    if len(by_trial) > _MOST_TIMED:
        named.append(f"{len(by_trial) - _MOST_TIMED} shorter")
    read_s = sum(seconds.get("read", 0.0) for seconds in by_trial.values())
    gpu_s = sum(seconds.get("gpu", 0.0) for seconds in by_trial.values())
    gpu = f"; {gpu_hours(gpu_s)}" if gpu_s else ""
    return f"trials: {'; '.join(named)}; reading data {read_s:.1f}{gpu}"


def _score(value: Any) -> str:
    return "none" if value is None or value == "" else f"{float(value):.5f}"
