"""Print results: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..exceptions import last_line
from ..ui.displays import console
from ..workflow.run_progress import step_line

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..sweeps.hypothesis_log import LogEntry
    from ..sweeps.repeats import Spread
    from ..workflow.outcome import PushOutcome, RunOutcome, SearchOutcome, Standing, SweepOutcome
    from ..workflow.probe_archs import ProbeOutcome
    from ..workflow.submit import Plan

_WIDE = 110  # columns of a terminal that shows every column of a ranking of networks
_MOST_CORRELATED = 12  # trials in a table of correlations
_MOST_TIMED = 4  # trials whose time is shown
_NOTHING = dict.fromkeys(("public", "private", "score"), "none")


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


def show_board(
    rows: Sequence[Any],
    *,
    out: Console | None = None,
    metric: str = "",
    failed: Mapping[str, str] | None = None,
) -> None:
    """Show trials with their verdicts, seconds and peak memory; failed ones last."""
    from ..sweeps.board import about_verdicts, refits_of

    cells = [list(r.as_row().values()) for r in rows]
    for name, error in (failed or {}).items():
        cells.append([name, "", "", "", "", "", f"failed: {last_line(error)}"])
    score = f"CV score ({metric})" if metric else "CV score"
    header = ["trial", score, "SE", "seconds", "peak MB", "to best", "verdict"]
    if rows and all(r.version for r in rows):
        header += ["version", "measured", "changed since"]
        for cell, r in zip(cells, rows, strict=False):  # the failed ones have no version
            cell += [r.version["hash"], r.version["date"], ", ".join(r.version["changed"])]
    show_table(header, cells, numbers=(1, 2, 3, 4, 5), out=out)
    lines = about_verdicts(rows)
    if len(rows) > 1 and not rows[0].higher_is_better:
        lines.append('In "to best", a negative number is worse: lower scores are better.')
    for line in filter(None, (*lines, refits_of(rows))):
        (out or console()).print(line, soft_wrap=True, highlight=False)
    if with_tta := [r for r in rows if r.tta]:
        _show_tta(with_tta, out)


def _show_tta(rows: Sequence[Any], out: Console | None) -> None:
    """Show the gain of test-time augmentation on out-of-fold rows, and which views are used."""
    cells = [
        [
            r.name,
            f"{r.tta['gain']:+.4f}",
            r.tta.get("wrong_to_right", ""),
            r.tta.get("right_to_wrong", ""),
            f"{r.tta['p_value']:.2g}",
            "no" if r.tta["chosen"] == "plain" else r.tta["chosen"],
        ]
        for r in rows
    ]
    header = ["test-time augmentation", "gain", "errors removed", "errors added", "p", "used"]
    show_table(header, cells, numbers=(1, 2, 3, 4), out=out)


def show_answers(entries: Sequence[LogEntry], *, out: Console | None = None) -> None:
    """Show what each experiment changed, and what the data say."""
    rows = [entry.as_row() for entry in entries]
    header = ["hypothesis", "trial", "answer"]
    show_table(header, [[row[name] for name in header] for row in rows], out=out)


def show_repeats(spreads: Sequence[Spread], *, out: Console | None = None) -> None:
    """Show each repeated trial's mean and spread over its repeats."""
    cells = [
        [s.name, s.n, f"{s.mean:.4f}", f"{s.sd:.4f}", f"{s.lowest:.4f} to {s.highest:.4f}"]
        for s in spreads
    ]
    header = ["repeated trial", "repeats", "mean CV score", "SD", "range"]
    show_table(header, cells, numbers=(1, 2, 3), out=out)


def show_ensemble(preds: Predictions, *, out: Console | None = None) -> None:
    """Show an ensemble's nested score, its method and its weights."""
    weights = ", ".join(f"{name} {w:.2f}" for name, w in preds.about["weights"].items() if w)
    method = {"mean": "equal", "weighted": "given"}.get(method := preds.about["method"], method)
    score = f"{preds.metric} {preds.oof_score:.4f} ± {preds.oof_score_se:.4f}"
    detail = f"{score} out of fold (nested score; {method} weights: {weights})"
    (out or console()).print(step_line("ensemble", detail), soft_wrap=True)
    if tried := dict(preds.about.get("tried", {})):
        metric = tried.pop("metric")
        scores = ", ".join(f"{method} {score:.5f}" for method, score in tried.items())
        text = f"auto took the better by nested {metric}: {scores}"
        (out or console()).print(step_line("", text), soft_wrap=True)


def show_error_correlation(rows: Sequence[Any]) -> None:
    """Show the correlation of the members' errors; columns have the numbers of the rows."""
    if 1 < len(rows) <= _MOST_CORRELATED:
        numbers = range(1, len(rows) + 1)
        cells = [
            [f"{i} {row.name}", *(f"{r:.2f}" for r in row.correlations.values())]
            for i, row in zip(numbers, rows, strict=True)
        ]
        show_table(["correlation of errors", *map(str, numbers)], cells, numbers=numbers)


def show_submissions(rows: Sequence[Any], *, cv: Mapping[int, str] | None = None) -> None:
    """Show submissions with their status and scores; `cv` has the CV scores that are known."""
    header = ["ref", "date", "file", "status", "CV score", "public", "private", "description"]
    if not cv:
        header.remove("CV score")
    records = [{**row.as_row(), "CV score": (cv or {}).get(row.ref, "")} for row in rows]
    show_table(header, [[r[h] or _NOTHING.get(h, "") for h in header] for r in records])


def show_leaderboard(rows: Sequence[Any]) -> None:
    """Show a leaderboard."""
    cells = [[c or _NOTHING.get(h, c) for h, c in row.as_row().items()] for row in rows]
    show_table(["rank", "team", "score", "date"], cells)


def show_inferred(rows: Sequence[tuple[str, Any, str]]) -> None:
    """Show the settings that were inferred from a competition's files, and why."""

    def words(value: Any) -> str:
        if isinstance(value, Mapping):
            return " ".join(words(v) for v in value.values() if v)
        return ", ".join(value) if isinstance(value, list) else str(value)

    if rows:
        show_table(["setting", "inferred", "why"], [(k, words(v), why) for k, v, why in rows])


def show_table(
    header: Sequence[str],
    cells: Sequence[Sequence[object]],
    *,
    numbers: Sequence[int] = (),  # columns to align right
    whole: Sequence[int] = (),  # columns that are not broken where the terminal is narrow
    out: Console | None = None,
) -> None:
    """Show a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        side: Any = "right" if i in numbers else "left"
        table.add_column(name, justify=side, overflow="fold", no_wrap=i in whole)
    for row in cells:
        table.add_row(*[str(c) for c in row])
    (out or console()).print(table)


def show_json(value: Any, *, one_line: bool = False) -> None:
    """Print one JSON value to stdout."""
    sys.stdout.write(json.dumps(value, indent=None if one_line else 2, default=str) + "\n")


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
