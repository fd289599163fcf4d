"""How the command line shows things: rich in a terminal, plain lines when piped, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..workflow.callbacks import PushWatcher, Watcher

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..sweeps.board import TrialResult
    from ..sweeps.eta import Eta
    from ..sweeps.repeats import Spread
    from ..sweeps.trial import Sweep, Trial
    from ..workflow.outcome import Outcome, Swept
    from ..workflow.push import Pushed

_PIPED_WIDTH = 140


def console(*, to_stderr: bool = False) -> Console:
    "Return a console that prints text as it is; piped it is wide and plain."
    plain: dict[str, Any] = dict(
        stderr=to_stderr, highlight=False, markup=False, emoji=False
    )  # data may hold [brackets] and :colons:
    out = Console(soft_wrap=False, **plain)
    return out if out.is_terminal else Console(width=_PIPED_WIDTH, no_color=True, **plain)


class RunWatcher(Watcher):
    "Shows the loop as it goes: a bar with fold, epoch and time left in a terminal, one line a trial when piped."

    def __init__(self, *, to_stderr: bool = False):
        self.out = console(to_stderr=to_stderr)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
        )
        self.progress = Progress(*columns, console=self.out, transient=True)
        self.task: Any = None
        self.running: dict[str, str] = {}  # name -> where it is
        self.eta: Eta | None = None  # from the start of the sweep on
        self.done = 0
        self.reused = 0
        self.total = 0

    def __enter__(self) -> RunWatcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if (
            self.task is not None
        ):  # piped there is no bar, and stopping it would leave an empty line
            self.progress.stop()

    def step(self, name: str, detail: str = "") -> None:
        self.out.print(f"{name:<10}{detail}", soft_wrap=True)

    def sweep_starts(self, sweep: Sweep) -> None:
        from ..sweeps.eta import (
            Eta,  # with the sweeps come numpy and more, which most commands do not need
        )

        self.total, self.eta = len(sweep.trials), Eta(len(sweep.trials))
        split = f"{sweep.holdout:.0%} held out" if sweep.holdout else f"{sweep.n_folds} folds"
        self.out.print(f"{'trials':<10}{self.total} trials, {split}, seed {sweep.seed}")
        if self.out.is_terminal:
            self.progress.start()
            self.task = self.progress.add_task("", total=self.total, left="")

    def trial_starts(self, trial: Trial) -> None:
        self.running[trial.name] = ""
        if self.eta:
            self.eta.start(trial.name)
        self._describe()

    def trial_progress(self, trial: Trial, share: float, detail: str) -> None:
        self.running[trial.name] = detail
        if self.eta:
            self.eta.update(trial.name, share)
        self._describe()

    def trial_ends(self, result: TrialResult) -> None:
        self.done += 1
        self.reused += result.reused
        self.running.pop(result.name, None)
        if self.eta:
            self.eta.end(result.name)
        if not result.reused:
            shown = (
                result.error
                if result.not_run
                else f"failed: {last_line(result.error)}"
                if result.predictions is None
                else (
                    f"{result.predictions.oof_score:.4f} ± {result.predictions.oof_score_se:.4f}  {result.predictions.seconds_s:6.1f} s"
                )
            )
            self.out.print(
                f"  [{self.done:>2}/{self.total}] {result.name:<32} {shown}", soft_wrap=True
            )
        if self.done == self.total and self.reused:
            self.out.print(
                f"{'':<10}{self.reused} of {self.total} trials were in the vault already and were not run again"
            )
        self._describe()

    def _describe(self) -> None:
        if self.task is not None and self.eta is not None:
            shown = "; ".join(
                f"{name}: {where}" if where else name
                for name, where in list(self.running.items())[:2]
            )
            left_s = self.eta.left_s
            self.progress.update(
                self.task,
                completed=self.done + self.eta.done,
                description=shown or "trials",
                left="" if left_s is None else f"ETA {_clock(left_s)}",
            )
            if self.done == self.total:
                self.progress.stop()


class PushShower(PushWatcher):
    "Shows a push as it goes, and what the notebook prints, line by line."

    shows_log = True

    def __init__(self, *, to_stderr: bool = False):
        self.out = console(to_stderr=to_stderr)
        self.rest = ""

    def __enter__(self) -> PushShower:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_line()

    def step(self, name: str, detail: str = "") -> None:
        self._end_line()
        self.out.print(f"{name:<10}{detail}", markup=False, soft_wrap=True)

    def log(self, text: str) -> None:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self._line(line)

    def _end_line(self) -> None:
        rest, self.rest = self.rest, ""
        if rest:
            self._line(rest)

    def _line(self, line: str) -> None:
        self.out.print(
            Text.from_ansi(f"  | {line.rsplit(chr(13), 1)[-1]}"), soft_wrap=True
        )  # of a progress bar its last state


def show_pushed(pushed: Pushed, *, to_stderr: bool = False) -> None:
    "Show where a push stands: the submission with its scores, or how to look at the notebook later."
    out, kernel = console(to_stderr=to_stderr), pushed.kernel
    if pushed.submission is not None:
        what = (
            f"{pushed.file} (sha256 {pushed.sha256[:12]})"
            if pushed.file
            else f"{kernel.handle} version {kernel.version}"
        )
        out.print(
            f"submitted {what} as number {pushed.submission.ref}"
            + ("" if pushed.submission.sent else ": it was there already and was not sent again"),
            markup=False,
            soft_wrap=True,
        )
    if pushed.standing is not None:
        where = pushed.standing
        out.print(
            f"scores    public {_score(where.public_score)}, private {_score(where.private_score)}"
        )
    if pushed.status is None:
        out.print(
            f"later     fkp status {kernel.handle} --version {kernel.version}\n{'':<10}fkp output {kernel.handle} --version {kernel.version} -p DIR"
        )
    out.print(_times(pushed.seconds), soft_wrap=True)


def show_outcome(outcome: Outcome, *, to_stderr: bool = False) -> None:
    "Show the table of trials, the ensemble, the scores with the rank, and where the time went."
    out, metric, ens = console(to_stderr=to_stderr), outcome.comp.metric, outcome.ensemble
    out.print()
    show_board(outcome.rows, out=out, metric=metric, failed=outcome.failed)
    show_ensemble(ens, out=out)
    where = outcome.standing
    out.print(
        f"submitted {outcome.submission} (sha256 {outcome.sha256[:12]}) as number {outcome.ref}"
        + ("" if outcome.sent else ": it was there already and was not sent again"),
        soft_wrap=True,
    )
    out.print(
        f"scores    public {_score(where.public_score)}, private {_score(where.private_score)}"
    )
    if where.entries:
        rank = f"rank {where.public_rank} public" + (
            f", {where.private_rank} private" if where.private_rank else ""
        )
        others = "; ".join(
            f"{e['team']} {_score(e['public_score'])} / {_score(e['private_score'])}"
            for e in where.entries
            if not e.get("ours")
        )
        among = (
            f"of {len(where.entries)} entries (public / private: {others})"
            if others
            else "the only entry"
        )
        out.print(f"{'':<10}{rank}, {among}", soft_wrap=True)
    out.print(f"report    {outcome.report}", soft_wrap=True)
    out.print(_times(outcome.seconds), soft_wrap=True)


def show_board(
    rows: Sequence[Any],
    *,
    out: Console | None = None,
    metric: str = "",
    failed: Mapping[str, str] | None = None,
) -> None:
    "Show the board: trial, oof_score with standard error, seconds, peak memory, difference to the best and what it is worth; failed trials last."
    cells = [
        [
            r.name,
            f"{r.oof_score:.4f}",
            f"± {r.oof_score_se:.4f}",
            f"{r.seconds_s:.1f}",
            _memory(r),
            f"{r.to_best.gain:+.4f}" if r.to_best else "",
            r.verdict,
        ]
        for r in rows
    ]
    cells += [
        [name, "", "", "", "", "", f"failed: {last_line(error)}"]
        for name, error in (failed or {}).items()
    ]
    header = [
        "trial",
        f"oof_score{f' ({metric})' if metric else ''}",
        "SE",
        "seconds",
        "peak MB",
        "to best",
        "verdict",
    ]
    show_table(header, cells, numbers=(1, 2, 3, 4, 5), out=out)
    if tried := [r for r in rows if r.tta]:
        show_views(tried, out=out)


def show_views(rows: Sequence[Any], *, out: Console | None = None) -> None:
    "Show what test-time augmentation was worth on out-of-fold rows, and whether it is used."
    cells = [
        [
            r.name,
            f"{r.tta['gain']:+.4f}",
            str(r.tta.get("wrong_to_right", "")),
            str(r.tta.get("right_to_wrong", "")),
            f"{r.tta['p_value']:.2g}",
            r.tta["chosen"],
        ]
        for r in rows
    ]
    show_table(
        ["random views", "gain", "mended", "spoiled", "p", "used"],
        cells,
        numbers=(1, 2, 3, 4),
        out=out,
    )


def show_repeats(spreads: Sequence[Spread], *, out: Console | None = None) -> None:
    "Show each repeated trial's mean and spread over its seeds."
    cells = [
        [s.name, str(s.n), f"{s.mean:.4f}", f"{s.sd:.4f}", f"{s.lowest:.4f} to {s.highest:.4f}"]
        for s in spreads
    ]
    show_table(
        ["repeated trial", "seeds", "mean oof_score", "SD", "range"],
        cells,
        numbers=(1, 2, 3),
        out=out,
    )


def show_sweep(swept: Swept, *, to_stderr: bool = False) -> None:
    "Show what a sweep found, what failed, what the budget left out, and where the time went."
    out = console(to_stderr=to_stderr)
    out.print()
    show_board(swept.rows, out=out, metric=swept.comp.metric, failed=swept.failed)
    if swept.repeats:
        show_repeats(swept.repeats, out=out)
    if swept.not_run:
        out.print(
            f"not run   {', '.join(swept.not_run)}: beyond the budget. The same command with more goes on from here.",
            soft_wrap=True,
        )
    out.print(_times(swept.seconds), soft_wrap=True)


def show_ensemble(ens: Predictions, *, out: Console | None = None) -> None:
    "Show an ensemble's nested score, its method and its weights."
    made = f"{ens.about['method']} of {', '.join(f'{name} {w:.2f}' for name, w in ens.about['weights'].items() if w)}"
    (out or console()).print(
        f"ensemble  {ens.metric} {ens.oof_score:.4f} ± {ens.oof_score_se:.4f} out of fold, nested ({made})",
        soft_wrap=True,
    )


def show_submissions(rows: Sequence[Any]) -> None:
    "Show submissions."
    cells = [
        [
            str(r.ref),
            str(r.date or ""),
            r.file_name,
            r.status,
            _score(r.public_score),
            _score(r.private_score),
            r.description,
        ]
        for r in rows
    ]
    show_table(
        ["ref", "date", "file", "status", "public_score", "private_score", "description"], cells
    )


def show_leaderboard(rows: Sequence[Any]) -> None:
    "Show a leaderboard."
    show_table(
        ["rank", "team", "score", "date"],
        [[str(r.rank), r.team, str(r.score), str(r.date or "")] for r in rows],
    )


def show_table(
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    out: Console | None = None,
) -> None:
    "Show a table, its `numbers` columns flush right."
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i in numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*[str(c) for c in row])
    (out or console()).print(table)


def show_json(value: Any, *, one_line: bool = False) -> None:
    "Print one JSON value to stdout."
    sys.stdout.write(json.dumps(value, indent=None if one_line else 2, default=str) + "\n")


def last_line(error: str) -> str:
    "Return what a traceback comes down to."
    return error.strip().splitlines()[-1] if error.strip() else ""


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def _memory(row: Any) -> str:
    main, gpu = (f"{mb:.0f}" if mb is not None else "" for mb in (row.peak_mb, row.gpu_peak_mb))
    return f"{main} + {gpu} GPU" if gpu else main


def _times(seconds: Mapping[str, float]) -> str:
    "The whole time, and where it went, the longest step first."
    longest_first = sorted(seconds.items(), key=lambda kv: -kv[1])
    return f"time      {sum(seconds.values()):.1f} s: " + ", ".join(
        f"{name} {s:.1f}" for name, s in longest_first
    )


def _score(value: Any) -> str:
    return "none" if value is None or value == "" else f"{float(value):.5f}"
