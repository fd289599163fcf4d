"""Plots of predictions. Each returns a matplotlib Figure and leaves pyplot alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..metrics import get_metric
from ..predictions import Predictions

BLUE, ORANGE, GREY = "#2f6f9f", "#d9822b", "#9aa5ad"
_MOST_CLASSES = 20  # more do not fit a readable confusion matrix
_MOST_LEVELS = 12  # and more boxes no picture of values


def _axes(width: float, height: float, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def plot_scores(members: Sequence[Predictions]) -> Figure:
    "Draw each oof_score with two standard errors, and the fold scores behind it, best on top."
    metric = get_metric(members[0].metric)
    ranked = sorted(members, key=lambda p: -metric.gain(p.oof_score, 0))[
        ::-1
    ]  # of equals the first is best, as on the board
    better = "higher" if metric.higher_is_better else "lower"
    is_holdout = all(len(p.fold_scores) == 1 for p in ranked)
    figure, axes = _axes(
        7,
        0.9 + 0.32 * len(ranked),
        f"{'Held-out' if is_holdout else 'Out-of-fold'} {metric.name} ({better} is better), ± 2 standard errors",
    )
    for i, preds in enumerate(ranked):
        axes.scatter(preds.fold_scores, [i] * len(preds.fold_scores), s=12, color=GREY, zorder=1)
        color = ORANGE if i == len(ranked) - 1 else BLUE
        axes.errorbar(
            preds.oof_score,
            i,
            xerr=2 * preds.oof_score_se,
            fmt="o",
            color=color,
            capsize=3,
            zorder=2,
        )
    axes.set_yticks(range(len(ranked)), [p.name for p in ranked])
    axes.set_xlabel("" if is_holdout else "grey dots: single folds")
    return figure


def plot_confusion(preds: Predictions) -> Figure | None:
    "Draw the confusion matrix of the out-of-fold labels; None for a regression or more classes than can be read."
    n = len(preds.vocab)
    if not 2 <= n <= _MOST_CLASSES:
        return None
    rows = preds.validated
    counts = np.zeros((n, n), dtype=int)
    np.add.at(counts, (preds.targs[rows], preds.oof[rows].argmax(1)), 1)
    figure, axes = _axes(2.6 + 0.45 * n, 2.2 + 0.4 * n, "Confusion, out of fold (row: truth)")
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(n):
        for j in range(n):
            axes.text(
                j,
                i,
                counts[i, j],
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[i, j] > 0.6 else "black",
            )
    axes.set_xticks(
        range(n),
        [str(v) for v in preds.vocab],
        rotation=45 if n > 4 else 0,
        ha="right" if n > 4 else "center",
    )
    axes.set_yticks(range(n), [str(v) for v in preds.vocab])
    axes.set_xlabel("predicted")
    return figure


def plot_calibration(preds: Predictions, *, bins: int = 10) -> Figure | None:
    "Draw how often the likeliest class (the second of two classes) is right against its probability; None for a regression."
    if not preds.vocab:
        return None
    rows = preds.validated
    oof, targs = preds.oof[rows], preds.targs[rows]
    binary = len(preds.vocab) == 2
    probability = oof[:, 1] if binary else oof.max(1)
    happened = (targs == 1) if binary else (targs == oof.argmax(1))
    which = np.clip((probability * bins).astype(int), 0, bins - 1)
    figure, axes = _axes(
        4.2,
        3.8,
        f"Calibration, out of fold ({f'class {preds.vocab[1]}' if binary else 'likeliest class'})",
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    for k in np.unique(which):
        m = which == k
        share, n = happened[m].mean(), int(m.sum())
        se = np.sqrt(max(share * (1 - share), 1 / n / 4) / n)
        axes.errorbar(
            probability[m].mean(),
            share,
            yerr=2 * se,
            fmt="o",
            color=BLUE,
            markersize=3 + 7 * n / len(which),
        )
    axes.set(
        xlabel="predicted probability",
        ylabel="share that happened, ± 2 standard errors",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )
    return figure


def plot_residuals(preds: Predictions) -> Figure | None:
    "Draw out-of-fold predictions against the truth (first target); None for classes."
    if preds.vocab:
        return None
    rows = np.flatnonzero(preds.validated)
    rows = rows[
        np.random.default_rng(0).permutation(len(rows))[:3000]
    ]  # more dots only make the file larger
    truth, guess = preds.targs.reshape(len(preds.targs), -1)[rows, 0], preds.oof[rows, 0]
    figure, axes = _axes(4.2, 3.8, "Predicted against true, out of fold")
    axes.scatter(truth, guess, s=6, alpha=0.4, color=BLUE, linewidths=0)
    ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.set(xlabel="true", ylabel="predicted")
    return figure


def plot_levels(preds: Predictions) -> Figure | None:
    "Draw the out-of-fold predictions of each true value as a box (first target); None for classes, and for more values than boxes can be read."
    if preds.vocab:
        return None
    rows = preds.validated
    truth, guess = preds.targs.reshape(len(preds.targs), -1)[rows, 0], preds.oof[rows, 0]
    levels = np.unique(truth)
    if len(levels) > _MOST_LEVELS:
        return None
    figure, axes = _axes(1.6 + 0.8 * len(levels), 3.6, "Predicted for each true value, out of fold")
    boxes = axes.boxplot(
        [guess[truth == level] for level in levels],
        widths=0.6,
        patch_artist=True,
        showcaps=False,
        flierprops={"markersize": 3, "markeredgecolor": GREY},
        medianprops={"color": ORANGE, "linewidth": 2},
    )
    for box in boxes["boxes"]:
        box.set(facecolor=BLUE, alpha=0.6)
    axes.plot(range(1, len(levels) + 1), levels, "D", color="black", markersize=5)
    axes.set_xticks(
        range(1, len(levels) + 1),
        [f"{level:g}\nn = {int((truth == level).sum())}" for level in levels],
    )
    axes.set(xlabel="true (diamond: the value itself)", ylabel="predicted")
    return figure


def plot_importances(preds: Predictions, *, top: int = 15) -> Figure | None:
    "Draw the features a model leans on most; None where the model does not tell."
    if not preds.importances:
        return None
    ranked = sorted(preds.importances.items(), key=lambda kv: kv[1])[-top:]
    figure, axes = _axes(6, 0.8 + 0.26 * len(ranked), f"What {preds.name} leans on")
    axes.barh([k for k, _ in ranked], [v for _, v in ranked], color=BLUE)
    axes.set_xlabel("share of the importance, mean over folds")
    return figure
