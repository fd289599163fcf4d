"""Ensembling against a plain search, two packages and the speed of memory.

    python tests/benchmarks/ensembles.py [--quick]

Prints ratios of CPU times of one run: one fit of the weights of 100 members on 10,000 rows, and all
of `ensemble` for 300 members, 100,000 rows and 10 classes in float32, next to the time to read the
arrays once. `hillclimbers` and `hill-climbing` take part if they are installed.
"""

import argparse
import contextlib
import io
import resource
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.ensembling.greedy import greedy_weights
from fastkaggle_plus.ensembling.optimum import has_optimum, optimum_weights
from fastkaggle_plus.ensembling.pool import Pool
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.predictions import Predictions

ROUNDS = 100
METRICS = ("log_loss", "auc", "rmse", "mae")
OF_PACKAGES = ("log_loss", "rmse")  # on other metrics they take many minutes


def make(metric: str, members: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return targets (n,) and predictions (members, n, outputs) of unequal members."""
    rng = np.random.default_rng(0)
    noise = 0.7 + rng.random((members, 1))
    if metric in ("log_loss", "auc"):
        targs = rng.integers(0, 2, n)
        logits = 1.2 * (2 * targs - 1) + noise * rng.normal(size=(members, n)) + rng.normal(size=n)
        p = 1 / (1 + np.exp(-logits))
        return targs, np.stack([1 - p, p], 2)
    targs = rng.normal(size=n)
    return targs, (targs + noise * rng.normal(size=(members, n)) + 0.5 * rng.normal(size=n))[
        ..., None
    ]


def plain_caruana(metric: str, targs: np.ndarray, oofs: np.ndarray) -> np.ndarray:
    """Return counts of a search of 100 rounds on all rows, each round in a few calls of numpy."""
    if metric == "log_loss":
        values = oofs[:, np.arange(len(targs)), targs]
    else:
        values = oofs[:, :, -1]
    positive = targs == 1
    n_pairs = positive.sum() * (len(targs) - positive.sum())

    def losses(mixes: np.ndarray) -> np.ndarray:
        if metric == "log_loss":
            return -np.log(mixes).mean(1)
        if metric == "rmse":
            return ((mixes - targs) ** 2).mean(1)
        if metric == "mae":
            return np.abs(mixes - targs).mean(1)
        ranks = rankdata(mixes, axis=1)[:, positive].sum(1)
        return -(ranks - positive.sum() * (positive.sum() + 1) / 2) / n_pairs

    total, counts = np.zeros(values.shape[1]), np.zeros(len(values))
    for i in range(ROUNDS):
        pick = int(losses((total + values) / (i + 1)).argmin())
        total += values[pick]
        counts[pick] += 1
    return counts


def packages(metric: str, targs: np.ndarray, oofs: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return the search of each installed package."""
    import pandas as pd

    found: dict[str, Callable[[], object]] = {}
    table = pd.DataFrame(oofs[:, :, -1].T, columns=[f"m{i}" for i in range(len(oofs))])
    scored, sign = get_metric(metric), -1 if get_metric(metric).higher_is_better else 1

    def loss(truth: object, preds: object) -> float:
        p = np.asarray(preds)
        answers = np.column_stack([1 - p, p]) if oofs.shape[2] == 2 else p[:, None]
        return sign * scored.score(np.asarray(truth), answers)

    with contextlib.suppress(ImportError):
        from hillclimbers import climb_hill, partial

        metric_of = partial(loss)
        found["hillclimbers"] = lambda: climb_hill(
            train=pd.DataFrame({"y": targs}),
            oof_pred_df=table,
            test_pred_df=table.head(1),
            target="y",
            objective="minimize",
            eval_metric=metric_of,
            plot_hill=False,
        )
    with contextlib.suppress(ImportError):
        from hill_climbing import Climber

        found["hill-climbing"] = lambda: Climber("minimize", loss, n_jobs=1, verbose=False).fit(
            table, targs
        )
    return found


def cpu_s(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the shortest CPU time of several calls, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        times.append(time.process_time() - start)
    return min(times)


def fits(members: int, n: int, *, with_packages: bool) -> None:
    """Print the time of one fit of the weights against the plain search and the packages."""
    print(f"\nOne fit, {members} members, {n} rows (CPU s; in brackets: times ours)")
    for name in METRICS:
        targs, oofs = make(name, members, n)
        metric, rows = get_metric(name), np.arange(n)
        pool = Pool(metric, targs, list(oofs), rows, np.ones(members))
        ours = cpu_s(lambda: greedy_weights(pool, rows), 3)  # noqa: B023
        plain = cpu_s(lambda: plain_caruana(name, targs, oofs), 2)  # noqa: B023
        line = f"{name:9} greedy {ours:7.3f}   plain Caruana {plain:7.3f} ({plain / ours:.1f})"
        if has_optimum(metric, oofs.shape[2]):
            best = cpu_s(lambda: optimum_weights(metric, targs, pool.take(rows)), 2)  # noqa: B023
            line += f"   optimum {best:7.3f} ({best / ours:.2f})"
        for package, search in (
            packages(name, targs, oofs).items() if with_packages and name in OF_PACKAGES else ()
        ):
            theirs = cpu_s(search)
            line += f"   {package} {theirs:.1f} ({theirs / ours:.0f})"
        print(line, flush=True)


def large(members: int, n: int, classes: int) -> None:
    """Print the time of all of `ensemble` against reading the arrays once, and the peak memory."""
    rng = np.random.default_rng(0)
    targs = rng.integers(0, classes, n)
    made = []
    for i in range(members):
        p = rng.random((n, classes), np.float32)
        p[np.arange(n), targs] += np.float32(0.5 + rng.random())
        p /= p.sum(1, keepdims=True)
        made.append(
            Predictions(
                f"m{i:03}",
                "log_loss",
                "multiclass",
                tuple(range(classes)),
                np.arange(n),
                targs,
                p,
                np.arange(n) % 5,
                np.arange(5),
                p[:5],
            )
        )
    mb = members * made[0].oof.nbytes / 1e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    read = cpu_s(lambda: [m.oof.sum() for m in made], 3)
    print(f"\n{members} x {n} x {classes} in float32, {mb:.0f} MB; read once: {read:.2f} s")
    pool = Pool(made[0].scoring, targs, [m.oof for m in made], np.arange(n), np.ones(members))
    rows = np.arange(n)
    numbers = cpu_s(lambda: pool.numbers)
    print(f"column of the true class: {numbers:.2f} s ({numbers / read:.1f} times reading)")
    for method in ("greedy", "optimum"):
        fit = greedy_weights if method == "greedy" else _optimum
        seconds = cpu_s(lambda: fit(pool, rows))  # noqa: B023
        print(f"one fit, {method}: {seconds:.2f} s ({seconds / read:.1f} times reading)")
    for method in ("mean", "greedy", "optimum"):
        seconds = cpu_s(lambda: ensemble(made, method=method))  # noqa: B023
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"ensemble({method}), 5 folds: {seconds:.2f} s ({seconds / read:.1f} times reading); "
            f"peak memory {peak:.0f} MB, {before:.0f} before",
            flush=True,
        )


def _optimum(pool: Pool, rows: np.ndarray) -> np.ndarray:
    return optimum_weights(pool.metric, pool.targs, pool.take(rows))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, no packages")
    quick = parser.parse_args().quick
    fits(100, 1000 if quick else 10_000, with_packages=not quick)
    large(300, 10_000 if quick else 100_000, 10)


if __name__ == "__main__":
    main()
