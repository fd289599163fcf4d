"""Score the contenders on the hidden tests, and print tables and a summary."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus.metrics import Metric, get_metric, pseudo_values, standard_error

from .runs import Run
from .sets import DataSet

OURS, GOOD = "ours", "AutoGluon good"
SMALL, SMALL_S = 5_000, 300  # a default run of fewer rows ends within these seconds


@dataclass(frozen=True, eq=False)
class Row:
    """A contender's score on the hidden test of one data set."""

    of: DataSet
    n_train: int
    run: Run
    metric: Metric
    score: float
    values: np.ndarray  # `metrics.pseudo_values` on the hidden rows

    @property
    def name(self) -> str:
        return self.run.contender

    def gain(self, other: "Row") -> tuple[float, float]:
        """Return by how much this one is better, and the paired standard error."""
        gain = self.metric.gain(self.score, other.score)
        return gain, standard_error(self.values - other.values)

    def verdict(self, other: "Row") -> str:
        """Return wins, loses, or level: within one paired standard error."""
        gain, se = self.gain(other)
        return "level" if abs(gain) <= se else "wins" if gain > 0 else "loses"


def score_all(of: DataSet, runs: dict[str, Run], root: Path) -> list[Row]:
    """Score each run on the hidden answers."""
    n_train = len(pd.read_csv(root / "sets" / of.name / "train.csv"))
    targs = pd.read_csv(root / "solutions" / f"{of.name}.csv")[of.target].to_numpy()
    if of.task != "regression":
        targs = np.unique(targs, return_inverse=True)[1]
    metric, rows = get_metric(of.metric, task=of.task), []
    for run in runs.values():
        values = pseudo_values(metric, targs, run.test)
        rows.append(Row(of, n_train, run, metric, metric.score(targs, run.test), values))
    return rows


def print_cv(of: DataSet, runs: dict[str, Run]) -> None:
    """Print our CV score and trials, and the baseline's CV score on the same folds."""
    print(f"\n{of.name}: {of.metric}, {of.kind}, split {' '.join(of.rule).strip()}")
    for name, run in runs.items():
        facts, times = run.facts, f"{run.wall_s:.0f} s, {run.cpu_s:.0f} CPU s"
        lines = [(name, facts["cv"], facts["cv_se"], times)]
        for trial, (score, se, seconds_s) in facts.get("trials", {}).items():
            note = f"{seconds_s:.1f} s, weight {facts['weights'].get(trial, 0):.2f}"
            lines.append((f"  {trial}", score, se, note))
        for name, score, se, note in lines:
            print(f"  {name:20}{score:12.4f} ± {se:.4f}   {note}", flush=True)
        for trial, error in facts.get("failed", {}).items():
            print(f"    {trial} failed: {error}")


def print_scores(rows: list[Row]) -> None:
    """Print the contenders of one data set, and ours against each."""
    if not rows:
        return
    of, direction = rows[0].of, "higher" if rows[0].metric.higher_is_better else "lower"
    n, n_hidden = rows[0].n_train, len(rows[0].run.test)
    print(f"\n{of.name}: {of.metric} ({direction} is better), {n} rows, {n_hidden} hidden")
    ours = next((row for row in rows if row.name == OURS), None)
    for row in rows:
        run, note = row.run, ""
        if ours is row:
            note = f"CV {run.facts['cv']:.4f} ± {run.facts['cv_se']:.4f}"
        elif ours:
            gain, se = ours.gain(row)
            note = f"ours {ours.verdict(row)}: {gain:+.4f} ± {se:.4f}"
        times = f"{run.wall_s:5.0f} s {run.cpu_s:5.0f} CPU s"
        print(f"  {row.name:18}{row.score:12.4f}  {times}  {note}".rstrip(), flush=True)


def print_summary(rows: list[Row]) -> None:
    """Print wins and losses of ours, the mean ranks, and whether the claims hold."""
    sets: dict[str, dict[str, Row]] = defaultdict(dict)  # data set -> contender -> row
    for row in rows:
        sets[row.of.name][row.name] = row
    verdicts: dict[str, dict[str, str]] = defaultdict(dict)  # contender -> data set -> verdict
    for name, by_name in sets.items():
        for rival in by_name.keys() - {OURS} if OURS in by_name else ():
            verdicts[rival][name] = by_name[OURS].verdict(by_name[rival])
    print("\nOurs on the hidden tests; level is within one paired standard error")
    for rival, found in sorted(verdicts.items()):
        words = [f"{list(found.values()).count(w)} {w}" for w in ("wins", "level", "loses")]
        lost = [name for name, verdict in found.items() if verdict == "loses"]
        print(f"  against {rival:18}{', '.join(words)} {' '.join(lost)}".rstrip())
    ranks = mean_ranks(sets)
    print("  mean ranks: " + ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items()))
    for claim, holds in claims(sets, verdicts, ranks).items():
        print(f"  {'holds' if holds else 'FAILS'}: {claim}")


def mean_ranks(sets: dict[str, dict[str, Row]]) -> dict[str, float]:
    """Return each contender's mean rank, the best first, on the data sets that have them all."""
    losses = {
        s: {n: -r.metric.gain(r.score, 0) for n, r in rows.items()} for s, rows in sets.items()
    }
    ranks = pd.DataFrame(losses).dropna(axis=1).rank().mean(axis=1).dropna().sort_values()
    return {str(name): float(rank) for name, rank in ranks.items()}


def claims(
    sets: dict[str, dict[str, Row]], verdicts: dict[str, dict[str, str]], ranks: dict[str, float]
) -> dict[str, bool]:
    """Return what must hold, with numbers, and whether it does."""
    found = {}
    if cheap := verdicts.get("baseline"):
        found["never worse than the baseline by a standard error"] = "loses" not in cheap.values()
    if good := verdicts.get(GOOD):
        share = sum(verdict != "loses" for verdict in good.values()) / len(good)
        found[f"level with {GOOD} or better on two thirds: {share:.0%}"] = share >= 2 / 3
        for unit in ("wall_s", "cpu_s"):
            ours, peer = (sum(getattr(sets[s][n].run, unit) for s in good) for n in (OURS, GOOD))
            found[f"a fifth of its {unit}: {ours:.0f} of {peer:.0f}"] = ours <= peer / 5
    if OURS in ranks:
        found["the mean rank of ours is the first"] = ranks[OURS] == min(ranks.values())
    seconds = [r[OURS].run.wall_s for r in sets.values() if OURS in r and r[OURS].n_train < SMALL]
    if seconds:
        found[f"each set under {SMALL} rows in {SMALL_S} s: {max(seconds):.0f} s"] = (
            max(seconds) <= SMALL_S
        )
    return found
