"""The course's bubble chart of image models: accuracy against speed, one colour a family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ..exceptions import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = "osD^v"  # a colour comes back with another marker
_AREA = 55 / 224**2  # points², so that 224 px is a disc of about 8 points


def plot_models(
    table: pd.DataFrame,  # as model_table gives it
    file: str | Path | None = None,  # also save it here; the suffix decides the format
    *,
    title: str = "Which image models are best?",
) -> Figure:
    """Draw top-1 against images a second; area is the number of pixels read, a line joins the models that no other beats in both.

    As in the course's notebook "Which image models are best?". Raises DataError for an empty table, ConfigError for a suffix that
    matplotlib cannot write.
    """
    if not len(table):
        raise DataError("There is no model to draw: the filters left none. Loosen one of them.")
    if file is not None and (suffix := Path(file).suffix.removeprefix(".").lower()) not in (
        formats := Figure().canvas.get_supported_filetypes()
    ):
        raise ConfigError(
            f"{file} ends in {suffix or 'nothing'!r}, which is no format of pictures here. Take one of: {', '.join(sorted(formats))}."
        )
    families = list(table.groupby("family")["top1"].max().sort_values(ascending=False).index)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.add_subplot()
    handles = []
    for i, family in enumerate(families):
        rows = table[table["family"] == family]
        color, marker = (
            colormaps["tab20"](i * 2 % 20 if i % 20 < 10 else (i * 2 + 1) % 20),
            _MARKERS[i // 20 % len(_MARKERS)],
        )
        axes.scatter(
            rows["images_per_s"],
            rows["top1"],
            s=_AREA * rows["input_px"] ** 2,
            color=color,
            marker=marker,
            alpha=0.75,
            linewidths=0.5,
            edgecolors="white",
        )
        handles.append(
            Line2D([], [], linestyle="", marker=marker, markersize=7, color=color, label=family)
        )
    best = frontier(table)
    axes.plot(best["images_per_s"], best["top1"], color="#9aa5ad", linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e8ebee", linewidth=0.6)
    axes.set_axisbelow(True)
    for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        which(FuncFormatter(_thousands))
    axes.tick_params(axis="x", which="minor", labelsize=7)
    axes.set_xlabel("images a second (log); area of a mark: pixels of its input")
    axes.set_ylabel("ImageNet-1k top-1, per cent")
    axes.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8,
        ncols=1 + len(families) // 30,
    )
    _name(figure, axes, best)
    if file is not None:
        figure.savefig(file, dpi=130)
    return figure


def frontier(table: pd.DataFrame) -> pd.DataFrame:
    "Return the rows that no other row beats in both accuracy and speed, fastest first."
    ranked = table.sort_values(["images_per_s", "top1"], ascending=False)
    return ranked[ranked["top1"] > ranked["top1"].cummax().shift(fill_value=-np.inf)]


def _name(figure: Figure, axes: Any, best: pd.DataFrame) -> None:
    "Name the frontier's models, from the most accurate on, but for names that would cover another."
    figure.draw_without_rendering()  # only then is it known where texts come to lie
    room = axes.get_window_extent()
    taken: list[Any] = []
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


def _thousands(value: float, _: int) -> str:
    "1000 -> 1,000; only 1, 2 and 5 of a decade are written."
    digit = f"{value:.0e}"[0]
    return f"{value:,.0f}" if digit in "125" else ""
