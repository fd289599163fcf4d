"""The hypothesis log: false verdicts of logs with many experiments, and verdicts on predictions."""

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from fastkaggle_plus import Predictions, Trial, hypothesis_log
from fastkaggle_plus.sweeps import LogEntry, TrialResult

from .rates import rate

N_ROWS, N_LOGS = 1000, 150
METRICS = ("accuracy", "log_loss", "rmse")
TRUE_GAIN = 0.1  # of a trial whose errors are 10% smaller, by RMSE


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield false verdicts of logs without an effect, then verdicts on true predictions."""
    n = max(round(N_LOGS * scale), 5)
    rows = []
    for metric in METRICS:
        for size in (1, 6, 12):
            for chosen in (False, True)[: 1 + (size > 1)]:
                logs = [null_log(rng, metric, size, chosen=chosen) for _ in range(n)]
                base = "the best so far" if chosen else "the first trial"
                rows.append({"metric": metric, "experiments": size, "base": base, **wrong(logs)})
    yield f"experiments without an effect, {N_ROWS} rows: logs with a false verdict", rows
    yield "the gain is the expected one (RMSE): verdicts on the prediction", [predictions(rng, n)]


def null_log(
    rng: np.random.Generator, metric: str, size: int, *, chosen: bool = False
) -> list[LogEntry]:
    """Return a log of trials of equal skill; their base is the first trial, or the best so far."""
    results = make_trials(rng, metric, ["first", *map(str, range(size))])
    best = results[0]
    for i, result in enumerate(results[1:], 1):
        base = best.name if chosen else "first"
        results[i] = TrialResult(Trial(result.name, "model", base=base), result.predictions)
        gain = result.predictions.scoring.gain
        if gain(result.predictions.oof_score, best.predictions.oof_score) > 0:
            best = results[i]
    return hypothesis_log(results, rows=())[1:]


def make_trials(
    rng: np.random.Generator, metric: str, names: list[str], shrink: float = 1.0
) -> list[TrialResult]:
    """Return trials on new rows with errors in common; `shrink` makes those after the first less.

    Their errors have a correlation of 0.64.
    """
    shared, found = rng.normal(size=N_ROWS), []
    is_value = metric == "rmse"
    targs = rng.normal(size=N_ROWS) if is_value else rng.integers(0, 2, N_ROWS)
    for name in names:
        error = 0.8 * shared + 0.6 * rng.normal(size=N_ROWS)
        error *= shrink if found else 1
        oof = (targs + error)[:, None]
        if not is_value:
            p = expit(2 * targs - 1 + error)
            oof = np.column_stack([1 - p, p])
        task, vocab = ("regression", ()) if is_value else ("binary", (0, 1))
        preds = Predictions(
            name,
            metric,
            task,
            vocab,
            np.arange(N_ROWS),
            targs,
            oof,
            np.arange(N_ROWS) % 5,
            np.arange(1),
            oof[:1],
            about={"expect": TRUE_GAIN},
        )
        found.append(TrialResult(Trial(name, "model"), preds))
    return found


def wrong(logs: list[list[LogEntry]]) -> dict[str, object]:
    """Return the shares of logs with a false verdict: with the adjustment, and without it."""
    by_word = {
        f"any {word}": rate(sum(any(e.verdict == word for e in log) for log in logs), len(logs))
        for word in ("better", "worse")
    }
    said = sum(any(e.verdict in ("better", "worse") for e in log) for log in logs)
    raw = sum(any(e.gain.p_value < 0.05 for e in log) for log in logs)
    return {"any verdict": rate(said, len(logs)), **by_word, "unadjusted": rate(raw, len(logs))}


def predictions(rng: np.random.Generator, n: int) -> dict[str, object]:
    """Return how often an expected gain that is the true one is called wrong."""
    outcomes = []
    for _ in range(4 * n):
        base, better = make_trials(rng, "rmse", ["base", "new"], shrink=1 - TRUE_GAIN)
        trial = Trial("new", "model", base="base", expect=TRUE_GAIN)
        entry = hypothesis_log([base, TrialResult(trial, better.predictions)], rows=())[1]
        outcomes.append(entry.outcome)
    words = ("as expected", "less than expected", "more than expected")
    return {word: rate(outcomes.count(word), len(outcomes)) for word in words}
