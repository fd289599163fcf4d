"""The fast.ai course's bubble chart of image models: accuracy against speed, coloured by family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ..exceptions import ConfigError, DataError
from .figure import NotebookFigure

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = "osD^v"  # a repeated colour gets another marker
_AREA = 55 / 224**2  # square points per pixel: 224 px give a disc of about 8 points


def plot_models(
    table: pd.DataFrame,  # from `model_table`
    file: str | Path | None = None,  # also save it here, in the format of the suffix
    *,
    title: str = "Which image models are best?",
) -> Figure:
    """Draw top-1 accuracy against images per second, with areas that show the input's pixels.

    A line joins the models that no other model beats in both accuracy and speed. Raises DataError
    for an empty table, ConfigError for a suffix that matplotlib cannot write. Source: the course's
    notebook "Which image models are best?".
    """
    if not len(table):
        raise DataError("There is no model to draw: the filters left none. Loosen one of them.")
    if file is not None:
        _check_suffix(file)
    figure = NotebookFigure(figsize=(11, 6.4), layout="constrained")
    axes = figure.add_subplot()
    families = table.groupby("family")["top1"].max().sort_values(ascending=False).index
    handles = [
        _draw_family(axes, table[table["family"] == family], i, str(family))
        for i, family in enumerate(families)
    ]
    best = frontier(table)
    axes.plot(best["images_per_s"], best["top1"], color="#9aa5ad", linewidth=1, zorder=0)
    _decorate(axes, handles, title)
    _label_frontier(figure, axes, best)
    if file is not None:
        figure.savefig(file, dpi=130)
    return figure


def frontier(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that no other row beats in both accuracy and speed, fastest first."""
    ranked = table.sort_values(["images_per_s", "top1"], ascending=False)
    return ranked[ranked["top1"] > ranked["top1"].cummax().shift(fill_value=-np.inf)]


def _check_suffix(file: str | Path) -> None:
    suffix = Path(file).suffix.removeprefix(".").lower()
    formats = sorted(Figure().canvas.get_supported_filetypes())
    if suffix not in formats:
        raise ConfigError(
            f"Cannot save a plot as {file}: expected a suffix among {', '.join(formats)}; "
            f"got {suffix or 'nothing'!r}."
        )


def _draw_family(axes: Any, rows: pd.DataFrame, i: int, family: str) -> Line2D:
    """Draw the i-th family's models, and return its entry in the legend."""
    color = colormaps["tab20"](i * 2 % 20 if i % 20 < 10 else (i * 2 + 1) % 20)
    marker, areas = _MARKERS[i // 20 % len(_MARKERS)], _AREA * rows["input_px"] ** 2
    style: dict[str, Any] = dict(alpha=0.75, linewidths=0.5, edgecolors="white")
    x, y = rows["images_per_s"], rows["top1"]
    axes.scatter(x, y, s=areas, color=color, marker=marker, **style)
    return Line2D([], [], linestyle="", marker=marker, markersize=7, color=color, label=family)


def _decorate(axes: Any, handles: Sequence[Line2D], title: str) -> None:
    """Add scales, title, grid, labels and the legend."""
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e8ebee", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(FuncFormatter(_tick_label))
    axes.xaxis.set_minor_formatter(FuncFormatter(_tick_label))
    axes.tick_params(axis="x", which="minor", labelsize=7)
    axes.set_xlabel("images per second (log); the area of a mark shows the pixels of its input")
    axes.set_ylabel("ImageNet-1k top-1, per cent")
    place = dict(loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.legend(handles=handles, frameon=False, fontsize=8, ncols=1 + len(handles) // 30, **place)


def _label_frontier(figure: Figure, axes: Any, best: pd.DataFrame) -> None:
    """Name the models of the frontier, the most accurate first, where a name covers no other."""
    figure.draw_without_rendering()  # positions of texts are known after this
    room, taken = axes.get_window_extent(), list[Any]()
    row: Any
    for row in best.iloc[::-1].itertuples():
        text = axes.annotate(
            row.model.partition(".")[0],
            (row.images_per_s, row.top1),
            xytext=(6, 6),
            textcoords="offset points",
            fontsize=7,
            color="#444444",
        )
        if text.get_window_extent().x1 > room.x1:
            text.set(ha="right", position=(-8, -10))
        box = text.get_window_extent()
        if box.x0 < room.x0 or any(box.overlaps(other) for other in taken):
            text.remove()
        else:
            taken.append(box)


def _tick_label(value: float, _: int) -> str:
    """Return 1,000 for 1000; only 1, 2 and 5 of each decade get a label."""
    digit = f"{value:.0e}"[0]
    return f"{value:,.0f}" if digit in "125" else ""
