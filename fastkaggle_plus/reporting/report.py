"""One static HTML file: the table of trials, the plots, where the submission stands, and where the time went."""

from __future__ import annotations

import io
import os
import platform
import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..predictions import Predictions
from .plots import plot_calibration, plot_confusion, plot_importances, plot_residuals, plot_scores


def write_report(
    file: str | Path,
    *,
    comp: Any,  # the Competition
    rows: Sequence[Any],  # the board, best first
    members: Sequence[Predictions],  # every finished trial
    ensemble: Predictions,
    standing: Any = None,  # public_score, private_score, ranks and entries, where a submission was scored
    failed: Mapping[str, str] | None = None,  # trial -> traceback
    left_out: Mapping[str, str] | None = None,  # column -> why no model saw it
    seconds: Mapping[str, float] | None = None,  # step -> seconds
) -> Path:
    "Write the report and return its path. It loads nothing from anywhere."
    leaning = _leaning(members)
    figures = {
        "scores": plot_scores([*members, ensemble]),
        "confusion": plot_confusion(ensemble),
        "calibration": plot_calibration(ensemble),
        "residuals": plot_residuals(ensemble),
        "importances": plot_importances(leaning) if leaning else None,
    }
    html = _template().render(
        comp=comp,
        rows=rows,
        ensemble=ensemble,
        standing=standing,
        failed=failed or {},
        left_out=left_out or {},
        seconds=dict(seconds or {}),
        figures={k: as_svg(f) for k, f in figures.items() if f is not None},
        n_rows=int(ensemble.validated.sum()),
        n_folds=len(ensemble.fold_scores),
        hardware=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    part = Path(file).with_suffix(".part")
    part.write_text(html, encoding="utf-8")
    return part.replace(file)


def as_svg(figure: Figure) -> str:
    "Return a figure as SVG to stand inside HTML; the same figure gives the same bytes."
    out = io.StringIO()
    with (
        rc_context({"svg.hashsalt": "fastkaggle_plus", "svg.fonttype": "none"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings(
            "ignore", "Glyph"
        )  # text stays text: the browser has fonts for what matplotlib's lacks
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    return re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.S)


def _leaning(members: Sequence[Predictions]) -> Predictions | None:
    "The model to ask what it leans on: the forest where there is one, else the first that tells."
    telling = [m for m in members if m.importances]
    return next((m for m in telling if "forest" in m.name.lower()), telling[0] if telling else None)


def _template() -> Any:
    source = resources.files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
