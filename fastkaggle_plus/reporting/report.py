"""Write the report of a run: one static HTML file with tables, plots, scores and times."""

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

from ..competition import Competition
from ..predictions import Predictions
from ..sweeps.board import BoardRow
from .plots import plot_calibration, plot_confusion, plot_importances, plot_residuals, plot_scores


def write_report(
    file: str | Path,
    *,
    comp: Competition,
    rows: Sequence[BoardRow],  # best first
    members: Sequence[Predictions],  # of every finished trial
    ensemble: Predictions,
    is_live: bool = False,  # made with the real Kaggle, not in a rehearsal
    standing: Any = None,  # the Standing of the submission, if one was scored
    failed: Mapping[str, str] | None = None,  # trial -> traceback
    left_out: Mapping[str, str] | None = None,  # column -> why no model uses it
    seconds: Mapping[str, float] | None = None,  # step -> seconds
) -> Path:
    """Write the report and return its path. The page loads nothing from the network."""
    explained = _with_importances(members)
    figures = {
        "scores": plot_scores([*members, ensemble]),
        "confusion": plot_confusion(ensemble),
        "calibration": plot_calibration(ensemble),
        "residuals": plot_residuals(ensemble),
        "importances": plot_importances(explained) if explained else None,
    }
    hardware = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    template = resources.files(__package__).joinpath("report.html.jinja")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.from_string(template.read_text(encoding="utf-8")).render(
        comp=comp,
        is_live=is_live,
        rows=rows,
        ensemble=ensemble,
        standing=standing,
        failed=failed or {},
        left_out=left_out or {},
        seconds=seconds or {},
        figures={name: as_svg(f) for name, f in figures.items() if f is not None},
        n_rows=int(ensemble.validated.sum()),
        n_folds=len(ensemble.fold_scores),
        hardware=hardware,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    part = Path(file).with_suffix(".part")
    part.write_text(html, encoding="utf-8")
    return part.replace(file)


def as_svg(figure: Figure) -> str:
    """Return a figure as SVG for a page of HTML; the same figure gives the same bytes."""
    out = io.StringIO()
    fixed: Any = {"svg.hashsalt": "fastkaggle_plus", "svg.fonttype": "none"}
    with rc_context(fixed), warnings.catch_warnings():
        # texts stay texts: the browser has fonts for letters that matplotlib's font lacks
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    return re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.S)


def _with_importances(members: Sequence[Predictions]) -> Predictions | None:
    """Return a model with feature importances, a forest if there is one."""
    found = [m for m in members if m.importances]
    forests = [m for m in found if "forest" in m.name.lower()]
    return next(iter(forests + found), None)
