"""Write the report of a run: one static HTML file with scores, tables, plots and worst rows."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..competition import Competition
from ..data import Data
from ..exceptions import DataError
from ..files import write_atomically
from ..predictions import Predictions
from ..sweeps.board import BoardRow, about_verdicts, ranked_predictions, refits_of
from ..sweeps.ensemble_row import ensemble_row, why_one_member, with_ensemble
from ..sweeps.hypothesis_log import hypothesis_log
from ..sweeps.trial import Trial, TrialResult
from .curves_plot import plot_curves
from .digits import decimals_for, p_text, score_text
from .page_template import hardware, page_template
from .plots import (
    plot_calibration,
    plot_confused,
    plot_confusion,
    plot_importances,
    plot_levels,
    plot_residuals,
    plot_scores,
)
from .summary import findings, next_steps
from .svg import as_svg
from .worst_rows import worst_photos, worst_table

_METHODS = {  # of an ensemble, in words
    "mean": "The mean of the trials with a weight.",
    "weighted": "The weighted mean of the trials with a weight.",
    "rank": "The mean of the ranks of the trials with a weight.",
    "geometric": "The geometric mean of the trials with a weight.",
    "greedy": "A weighted mean; a greedy search fitted the weights.",
    "optimum": "A weighted mean with the weights that fit best.",
    "stack": "A linear model of the trials' predictions.",
}
_DRAW: dict[str, Callable[[Predictions], Figure | None]] = {
    "confusion": plot_confusion,
    "confused": plot_confused,
    "levels": plot_levels,
    "residuals": plot_residuals,
    "calibration": plot_calibration,
}
_ALTS = {  # of the plots, for readers who do not see them
    "scores": "CV score of each trial with two standard errors, best on top",
    "confusion": "Confusion matrix: truth against prediction",
    "confused": "Most frequent confusions: rows of each pair of truth and prediction",
    "levels": "Predictions for each true value, as boxes",
    "residuals": "Predicted against true values",
    "calibration": "Share that happened against predicted probability",
    "importances": "Importance of each feature",
    "curves": "Training loss, validation loss and score after each epoch",
}
_MOST_CURVES = 4  # nets, the best ones


def write_report(
    file: str | Path,
    *,
    comp: Competition,
    rows: Sequence[BoardRow],  # of the finished trials, best first
    members: Sequence[Predictions],  # of every finished trial
    ensemble: Predictions | None,  # None: the trials could not be combined
    standing: Mapping[str, Any] | None = None,  # scores and ranks of the submission, if scored
    gap: str = "",  # whether the scores of the submission agree with CV
    failed: Mapping[str, str] | None = None,  # trial -> traceback
    left_out: Mapping[str, str] | None = None,  # column -> why no model uses it
    seconds: Mapping[str, float] | None = None,  # step -> seconds
    is_live: bool = False,  # whether the run used the real Kaggle, not the sandbox
    trials: Sequence[Trial] = (),  # for their hypotheses
    data: Data | None = None,  # the data of the trials; without it, no worst rows
    date: str = "",  # when the run ended; default: now
) -> Path:
    """Write the report and return its path. The page loads nothing from the network.

    A file of the same name that ends in .json keeps what the vault does not know, so that
    `rebuild_report` can write the report again.
    """
    date = date or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    failed, seconds = dict(failed or {}), dict(seconds or {})
    kept = {"date": date, "standing": standing and dict(standing), "gap": gap, "seconds": seconds}
    write_atomically(Path(file).with_suffix(".json"), json.dumps(kept, indent=2) + "\n")
    if len(members) < 2:
        ensemble = None  # it repeats the only trial
    chosen = ensemble or ranked_predictions(members)[0]
    combined = ensemble_row(ensemble, members, rows) if ensemble else None
    own_scores = [(standing or {}).get(k) for k in ("public_score", "private_score")]
    decimals = decimals_for([*(r.oof_score for r in rows), chosen.oof_score, *own_scores])
    by_name = {preds.name: preds for preds in members}
    log = hypothesis_log((TrialResult(t, by_name.get(t.name)) for t in trials), rows=rows)
    about, metric = ensemble.about if ensemble else {}, chosen.scoring
    html = page_template("report.html.jinja").render(
        comp=comp,
        is_live=is_live,
        date=date,
        chosen=chosen,
        best=rows[0],
        combined=combined,
        metric=metric,
        standing=standing or {},
        gap=gap,
        table=with_ensemble(rows, combined) if combined else rows,
        hypotheses={t.name: t.hypothesis for t in trials},
        answers={entry.trial.name: entry.answer for entry in log if entry.trial.base},
        tested=log.summary if any(entry.gain for entry in log) else "",
        weights=about.get("weights", {}),
        method=_METHODS.get(about.get("method", ""), ""),
        findings=findings(rows, combined, decimals=decimals),
        why_one=why_one_member(ensemble, rows) if ensemble else "",
        steps=next_steps(comp, rows, is_live=is_live, failed=list(failed)),
        failed=failed,
        refits=refits_of(rows),
        with_tta=[r for r in rows if r.tta],
        about_verdicts=about_verdicts(rows),
        early_stops={p.name: p.early_stops for p in members if p.early_stops},
        plots=_plots(chosen, [*([ensemble] if ensemble else []), *members], comp),
        **_worst(chosen, members, data, comp),
        left_out=left_out or {},
        notes=data.notes if data else {},
        seconds=seconds,
        n_rows=int(chosen.validated.sum()),
        n_folds=len(chosen.fold_scores),
        hardware=hardware(),
        p_text=p_text,
        score=lambda value, **options: score_text(value, decimals, **options),
    )
    write_atomically(Path(file), html)
    return Path(file)


def _plots(chosen: Predictions, shown: Sequence[Predictions], comp: Competition) -> dict[str, str]:
    """Return the plots that suit these predictions, as SVG by name."""
    figures = {"scores": plot_scores(shown)} | {name: f(chosen) for name, f in _DRAW.items()}
    if figures["levels"]:
        del figures["residuals"]
    if len(chosen.vocab) == 2:
        del figures["confused"]  # the matrix says it
    if comp.kind == "tabular" and (explained := _with_importances(shown)):
        figures["importances"] = plot_importances(explained)
    plots = {
        name: as_svg(figure, alt=f"{_ALTS[name]}; {chosen.name}")
        for name, figure in figures.items()
        if figure is not None
    }
    nets = [preds for preds in ranked_predictions(shown) if "curves" in preds.about]
    for i, net in enumerate(nets[:_MOST_CURVES], 1):
        if figure := plot_curves(net):
            plots[f"curves-{i}"] = as_svg(figure, alt=f"{_ALTS['curves']}; {net.name}")
    return plots


def _worst(
    chosen: Predictions, members: Sequence[Predictions], data: Data | None, comp: Competition
) -> dict[str, Any]:
    """Return the worst predictions as photographs or as a table, or why there are none."""
    if data is None:
        return {"no_worst": "The data of these trials is not here any more."}
    try:
        if data.train.images is not None:
            return {"photos": worst_photos(chosen, data)}
        explained = _with_importances(members)
        ranked = explained.importances if explained else {}
        features = sorted(ranked, key=lambda name: -ranked[name])
        return {"worst": worst_table(chosen, data, comp, features=features)}
    except DataError as e:  # the data changed since
        return {"no_worst": str(e)}


def _with_importances(members: Sequence[Predictions]) -> Predictions | None:
    """Return a model with feature importances, a forest if there is one."""
    found = [m for m in members if m.importances]
    forests = [m for m in found if "forest" in m.name.lower()]
    return next(iter(forests + found), None)
