"""The answers to questions to a table's model, as one static HTML page with plots."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from ..files import write_atomically
from .digits import column_texts
from .explain_plots import plot_dendrogram, plot_dependence, plot_permutation, plot_waterfall
from .page_template import hardware, page_template
from .svg import as_svg
from .worst_rows import ShownTable

if TYPE_CHECKING:
    from ..modeling import Explanation


def write_explanation(
    file: str | Path,
    explanation: Explanation,
    *,
    title: str = "",  # of the competition
    again: str = "",  # the command that writes the page again
) -> Path:
    """Write the page and return its path. It loads nothing from the network."""
    e = explanation
    plots: dict[str, list[Figure | None]] = {
        "importance": [plot_permutation(e.importances)],
        "redundant": [plot_dendrogram(e.redundancy)],
        "dependence": [plot_dependence(curve) for curve in e.curves],
        "row": [plot_waterfall(e.parts)],
        "beyond": [plot_dependence(e.beyond)] if e.beyond else [],
    }
    html = page_template("explain.html.jinja").render(
        e=e,
        answers=e.answers,
        preds=e.models.preds,
        metric=e.models.preds.scoring,
        plots={
            name: [as_svg(figure, alt=name) for figure in figures if figure]
            for name, figures in plots.items()
        },
        table=shown_table,
        title=title,
        again=again,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        hardware=hardware(),
    )
    write_atomically(Path(file), html)
    return Path(file)


def shown_table(frame: pd.DataFrame) -> ShownTable:
    """Return a frame as texts, each column with as few decimals as it needs."""
    cells = [column_texts(frame[c]) for c in frame]
    styles = ["n" if pd.api.types.is_numeric_dtype(frame[c]) else "words" for c in frame]
    return ShownTable(tuple(map(str, frame)), list(zip(*cells, strict=True)), tuple(styles))
