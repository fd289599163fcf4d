"""False positives and power of `compare`: two fixed models, also with dependent rows, rare classes.

The models see the same signal, with some noise that they share and some of their own. With noises
of one size they are equally good, so that every verdict but "cannot be told apart" is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from fastkaggle_plus import Predictions, compare
from fastkaggle_plus.metrics import get_metric

from .rates import rate

METRICS = (
    *("accuracy", "log_loss", "auc", "ap", "f1", "mcc"),
    *("f1_macro", "quadratic_kappa", "rmse", "mae", "pearson", "spearman"),
)
SLOW = ("ap", "spearman")  # scored again for each unit
OF_GROUPS = ("accuracy", "auc", "log_loss", "f1_macro", "rmse", "pearson")
OWN_NOISE = 0.7
ROWS_OF_TRUTH = 100_000  # on which a true difference is measured


@dataclass(frozen=True)
class World:
    """Where rows come from."""

    metric: str
    n: int
    rare: float = 0.5  # share of the rows of the rarer class; of four classes, of the rarest
    n_groups: int = 0  # 0: independent rows
    icc: float = 0.0  # correlation within a group, of targets and of errors
    uneven: bool = False  # sizes of groups
    phi: float = 0.0  # autocorrelation of the errors along time


def pair(
    world: World,
    rng: np.random.Generator,
    *,
    edge: float = 0.0,  # share of its own noise that the first model lacks
) -> tuple[Predictions, Predictions]:
    """Draw targets and the predictions of two models."""
    groups = _groups(world, rng)
    signal, shared, own_a, own_b = (_noise(world, groups, rng) for _ in range(4))
    a, b = (
        signal + OWN_NOISE * (shared + own * size)
        for own, size in ((own_a, 1 - edge), (own_b, 1.0))
    )
    wants, n = get_metric(world.metric), world.n
    if wants.wants == "value":
        vocab, targs = (), signal
        outputs = [a[:, None], b[:, None]]
    elif world.metric in ("f1_macro", "quadratic_kappa"):
        vocab = (0, 1, 2, 3)
        first = min(world.rare, 0.25)
        edges = norm.ppf(np.cumsum([first, *[(1 - first) / 3] * 2]))
        targs = np.searchsorted(edges, signal)
        centers = np.array([edges[0] - 0.3, *(edges[1:] + edges[:-1]) / 2, edges[-1] + 0.3])
        outputs = [np.exp(-2 * (f[:, None] / 1.4 - centers) ** 2) for f in (a, b)]
        outputs = [p / p.sum(1, keepdims=True) for p in outputs]
    else:
        vocab, border = (0, 1), norm.ppf(1 - world.rare)
        targs = (signal > border).astype(int)
        odds = [1 / (1 + np.exp(-2 * (f / 1.4 - border))) for f in (a, b)]
        outputs = [np.column_stack([1 - p, p]) for p in odds]
    task = {0: "regression", 2: "binary", 4: "multiclass"}[len(vocab)]
    rows, none = np.arange(n), np.empty((0, len(vocab) or 1))
    common = rows, rows % 5, rows[:0], none
    return tuple(
        Predictions(name, world.metric, task, vocab, rows, targs, oof, *common[1:], groups=groups)
        for name, oof in zip("ab", outputs, strict=True)
    )


def _groups(world: World, rng: np.random.Generator) -> np.ndarray | None:
    if world.phi:
        return np.arange(world.n) * 20 // world.n  # as `dependent_rows` makes along time
    if not world.n_groups:
        return None
    sizes = rng.lognormal(0, 1, world.n_groups) if world.uneven else np.ones(world.n_groups)
    some = rng.choice(world.n_groups, world.n - world.n_groups, p=sizes / sizes.sum())
    equal = np.arange(world.n) % world.n_groups
    return np.sort(np.concatenate([np.arange(world.n_groups), some]) if world.uneven else equal)


def _noise(world: World, groups: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) with variance 1."""
    rows = rng.normal(size=world.n)
    if world.phi:
        rows[1:] *= np.sqrt(1 - world.phi**2)
        return lfilter([1], [1, -world.phi], rows)
    if groups is None or not world.icc:
        return rows
    effects = rng.normal(size=world.n_groups)[groups]
    return np.sqrt(world.icc) * effects + np.sqrt(1 - world.icc) * rows


def verdicts(
    world: World, reps: int, rng: np.random.Generator, *, edge: float = 0.0, by_rows: bool = False
) -> tuple[int, int, np.ndarray]:
    """Return the numbers of differences claimed and of pairs without a test, and the gains."""
    claims, untested, gains = 0, 0, []
    for _ in range(reps):
        a, b = pair(world, rng, edge=edge)
        if by_rows:
            a, b = replace(a, groups=None), replace(b, groups=None)
        found = compare(a, b)
        claims += not found.is_noise
        untested += found.test.startswith("no test")
        gains.append(found.gain)
    return claims, untested, np.array(gains)


def cell(world: World, reps: int, rng: np.random.Generator, *, by_rows: bool = False) -> str:
    claims, untested, _ = verdicts(world, reps, rng, by_rows=by_rows)
    if untested == reps:
        return "no test"
    return rate(claims, reps) + (f", {untested / reps:.0%} no test" if untested else "")


def power(world: World, reps: int, rng: np.random.Generator) -> dict[str, object]:
    """Return the power for a true difference of 3 SE, and that of a z-test that knows the SE."""
    sd, seed = verdicts(world, reps, rng)[2].std(), int(rng.integers(2**31))
    ratio = max(ROWS_OF_TRUTH // world.n, 1)
    many = replace(world, n=world.n * ratio, n_groups=world.n_groups * ratio)
    low, high = 0.0, 1.0
    for _ in range(8):
        edge = (low + high) / 2
        a, b = pair(many, np.random.default_rng(seed), edge=edge)
        gain = a.scoring.gain(a.oof_score, b.oof_score)
        low, high = (low, edge) if gain > 3 * sd else (edge, high)
    claims, _, gains = verdicts(world, reps, rng, edge=edge)
    return {
        "true difference": f"{gains.mean() / sd:.1f} SE",
        "power": rate(claims, reps),
        "of a z-test with the true SE": rate((np.abs(gains) > 1.96 * gains.std()).sum(), reps),
    }


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield the tables of fits."""

    def reps(metric: str, n: int = 200) -> int:
        few = (16 if metric in SLOW else 1) * (2 if n > 1_000 else 1)
        return max(round(200 * scale / few), 5)

    sizes = 50, 200, 1_000, 5_000
    rows: list[dict[str, object]] = []
    for metric in METRICS:
        counts = [reps(metric, n) for n in sizes]
        claims = [verdicts(World(metric, n), k, rng)[0] for n, k in zip(sizes, counts, strict=True)]
        cells = {f"n = {n}": rate(*c) for n, *c in zip(sizes, claims, counts, strict=True)}
        rows.append({"metric": metric, **cells, "all": rate(sum(claims), sum(counts))})
    yield "two equal models, independent rows; p < 0.05", rows
    yield (
        "rare classes; p < 0.05",
        [
            {"metric": m, "rarest class": f"{rare:.0%}"}
            | {f"n = {n}": cell(World(m, n, rare), reps(m, n), rng) for n in (50, 200, 1_000)}
            for m in ("auc", "f1_macro", "f1")
            for rare in (0.01, 0.05, 0.2)
        ],
    )
    shapes = [World("", 195 * 15, n_groups=195, icc=icc) for icc in (0.1, 0.6)]
    shapes += [World("", 40 * 50, n_groups=40, icc=icc) for icc in (0.1, 0.6)]
    shapes += [World("", 1_000, n_groups=40, icc=0.3, uneven=True)]
    yield (
        "groups; p < 0.05",
        [
            {"metric": m}
            | {
                f"{w.n_groups} groups{', uneven' * w.uneven}, icc {w.icc}": cell(
                    replace(w, metric=m), reps(m), rng
                )
                for w in shapes
            }
            | {
                "195, icc 0.6, by rows": cell(
                    replace(shapes[1], metric=m), reps(m) // 4, rng, by_rows=True
                )
            }
            for m in OF_GROUPS
        ],
    )
    yield (
        "errors that are autocorrelated along time, 1,000 rows in 20 blocks; p < 0.05",
        [
            {"metric": m}
            | {f"phi = {phi}": cell(World(m, 1_000, phi=phi), reps(m), rng) for phi in (0.5, 0.8)}
            | {"0.8, by rows": cell(World(m, 1_000, phi=0.8), reps(m) // 4, rng, by_rows=True)}
            for m in ("accuracy", "auc", "rmse", "pearson")
        ],
    )
    worlds = [World(m, 500) for m in METRICS if m not in SLOW]
    worlds += [World(m, 40 * 50, n_groups=40, icc=0.3) for m in ("accuracy", "auc", "rmse")]
    worlds += [World("rmse", 1_000, phi=0.5), World("auc", 1_000, rare=0.05)]
    yield (
        "power for a true difference of 3 SE",
        [
            {"metric": w.metric, "n": w.n, "rows": _words(w)} | power(w, reps(""), rng)
            for w in worlds
        ],
    )


def _words(world: World) -> str:
    if world.n_groups:
        return f"{world.n_groups} groups, icc {world.icc}"
    if world.phi:
        return f"along time, phi {world.phi}"
    return "independent" if world.rare == 0.5 else f"{world.rare:.0%} positive"
