"""Score the contenders on the hidden tests, and print tables and a summary."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus.metrics import Metric, get_metric, pseudo_values, standard_error

from .runs import Run
from .sets import ID, DataSet

OURS, BASELINE, PLAIN, MEDIUM, GOOD = (
    "ours",
    "baseline",
    "plain",
    "AutoGluon medium",
    "AutoGluon good",
)


@dataclass(frozen=True, eq=False)
class Row:
    """A contender's score on the hidden test of one data set."""

    of: DataSet
    run: Run
    score: float
    values: np.ndarray  # `metrics.pseudo_values` on the hidden rows
    metric: Metric

    def gain(self, other: "Row") -> tuple[float, float]:
        """Return by how much this one is better, and the paired standard error."""
        sign = 1 if self.metric.higher_is_better else -1
        return sign * (self.score - other.score), standard_error(self.values - other.values)


def scored(of: DataSet, runs: dict[str, Run], root: Path) -> list[Row]:
    """Score each run on the hidden answers."""
    answers = pd.read_csv(root / "solutions" / f"{of.name}.csv")
    test = pd.read_csv(root / "sets" / of.name / "test.csv")
    answers = answers.set_index(ID).loc[test[ID], of.target].to_numpy()
    targs = answers if of.task == "regression" else np.unique(answers, return_inverse=True)[1]
    metric = get_metric(of.metric, task=of.task)
    return [
        Row(of, run, metric.score(targs, run.test), pseudo_values(metric, targs, run.test), metric)
        for run in runs.values()
    ]


def print_cv(of: DataSet, runs: dict[str, Run]) -> None:
    """Print our CV score and trials, and the baseline's CV score on the same folds."""
    print(f"\n{of.name}: {of.metric}, {of.kind}, split {' '.join(of.split).strip()}")
    if "baseline cv" in runs:
        facts = runs["baseline cv"].facts
        print(f"  {'baseline':24} {facts['cv']:10.4f} ± {facts['cv_se']:.4f}")
    if (ours := runs.get(OURS)) is None:
        return
    print(
        f"  {'ours, ensemble':24} {ours.facts['cv']:10.4f} ± {ours.facts['cv_se']:.4f}"
        f"   {ours.wall_s:.0f} s, CPU {ours.cpu_s:.0f} s"
    )
    for name, (score, se, seconds_s) in ours.facts["trials"].items():
        weight = ours.facts["weights"].get(name, 0)
        print(f"    {name:22} {score:10.4f} ± {se:.4f}   {seconds_s:.1f} s, weight {weight:.2f}")
    for name, error in ours.facts["failed"].items():
        print(f"    {name:22} failed: {error}")


def print_rows(rows: list[Row]) -> None:
    """Print the contenders of one data set, and ours against each."""
    if not rows:
        return
    of, first = rows[0].of, rows[0]
    ours = next((row for row in rows if row.run.contender == OURS), None)
    better = "higher" if first.metric.higher_is_better else "lower"
    n = len(first.run.test)
    print(f"\n{of.name}: {of.metric} ({better} is better), {n} hidden rows", flush=True)
    for row in rows:
        line = f"  {row.run.contender:18}{row.score:10.4f}"
        line += f"  CV {row.run.facts['cv']:.4f}" if "cv" in row.run.facts else " " * 12
        line += f"  {row.run.wall_s:6.0f} s, CPU {row.run.cpu_s:6.0f} s"
        if ours and row is not ours:
            gain, se = ours.gain(row)
            line += f"   ours is better by {gain:+.4f} ± {se:.4f}"
        print(line, flush=True)


def verdicts(rows: list[Row], against: str) -> dict[str, str]:
    """Return for each data set if ours wins, is level (within one standard error), or loses."""
    found = {}
    for name, runs in _by_set(rows).items():
        if OURS in runs and against in runs:
            gain, se = runs[OURS].gain(runs[against])
            found[name] = "level" if abs(gain) <= se else "wins" if gain > 0 else "loses"
    return found


def mean_ranks(rows: list[Row]) -> dict[str, float]:
    """Return each contender's mean rank on the data sets that all of them did; 1 is best."""
    names = dict.fromkeys(row.run.contender for row in rows)
    complete = [runs for runs in _by_set(rows).values() if set(runs) == set(names)]
    ranks: dict[str, list[float]] = {name: [] for name in names}
    for runs in complete:
        sign = -1 if next(iter(runs.values())).metric.higher_is_better else 1
        scores = pd.Series({name: sign * row.score for name, row in runs.items()})
        for name, rank in scores.rank().items():
            ranks[str(name)].append(rank)
    return {name: float(np.mean(r)) for name, r in ranks.items() if r}


def print_summary(rows: list[Row]) -> None:
    """Print wins and losses, mean ranks, and what must hold."""
    print("\nOurs on the hidden tests; level is within one paired standard error")
    for against in (BASELINE, PLAIN, MEDIUM, GOOD):
        if found := verdicts(rows, against):
            counts = [
                f"{sum(v == w for v in found.values())} {w}" for w in ("wins", "level", "loses")
            ]
            lost = [name for name, v in found.items() if v == "loses"]
            print(f"  against {against:18} {', '.join(counts)}{': ' * bool(lost)}{', '.join(lost)}")
    for rank, name in sorted((r, n) for n, r in mean_ranks(rows).items()):
        print(f"  mean rank {rank:.2f} {name}")
    cheap, good = verdicts(rows, BASELINE), verdicts(rows, GOOD)
    if cheap:
        _must(
            "never worse than the baseline by over one standard error",
            "loses" not in cheap.values(),
        )
    if good:
        share = sum(v != "loses" for v in good.values()) / len(good)
        _must(f"at least level with AutoGluon good on two thirds ({share:.0%})", share >= 2 / 3)
        both = [runs for runs in _by_set(rows).values() if {OURS, GOOD} <= set(runs)]
        for what in ("wall_s", "cpu_s"):
            ours, peer = (sum(getattr(r[n].run, what) for r in both) for n in (OURS, GOOD))
            _must(f"a fifth of its {what}: {ours:.0f} of {peer:.0f}", ours <= peer / 5)
    ranks = mean_ranks(rows)
    if OURS in ranks:
        _must("the mean rank of ours is first", ranks[OURS] == min(ranks.values()))


def _must(what: str, holds: bool) -> None:
    print(f"  {'holds' if holds else 'FAILS'}: {what}")


def _by_set(rows: list[Row]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.of.name, {})[row.run.contender] = row
    return found
