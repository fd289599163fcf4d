"""Run one contender on one data set, in a separate process, and store what it predicts.

    python -m tests.benchmarks.unseen_parts.contender ours FOLDER-OF-THE-SET OUTPUT

It sees the competition's folder only: the hidden answers are stored elsewhere.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastkaggle_plus import load_comp
from fastkaggle_plus.competition import Competition
from fastkaggle_plus.metrics import pseudo_values, standard_error
from fastkaggle_plus.submission import write_submission
from fastkaggle_plus.sweeps import folds_for
from fastkaggle_plus.sweeps.default_trials import declared_ensemble, trials_of
from fastkaggle_plus.sweeps.run_local import run_local
from fastkaggle_plus.sweeps.trial import Sweep
from fastkaggle_plus.sweeps.vault import Vault

from . import baselines, plain

Answer = tuple[np.ndarray, dict[str, Any]]  # predictions (n_rows, n_outputs), and facts


def ours(comp: Competition, folder: Path, out: Path) -> Answer:
    """Run the recommended trials and their ensemble, from competition.toml alone."""
    results = run_local(Sweep(comp.slug, trials_of(comp)), comp, folder, vault=Vault(out / "vault"))
    found = [(r.trial.in_ensemble, r.predictions) for r in results if r.predictions is not None]
    combined = declared_ensemble(comp, [preds for joins, preds in found if joins])
    write_submission(combined, comp, folder, file=out / "submission.csv")
    return combined.test, dict(
        cv=combined.oof_score,
        cv_se=combined.oof_score_se,
        trials={p.name: [p.oof_score, p.oof_score_se, p.seconds_s] for _, p in found},
        failed={r.name: r.error.strip().splitlines()[-1] for r in results if r.failed},
        weights=combined.about.get("weights", {}),
    )


def baseline(comp: Competition, folder: Path, out: Path) -> Answer:
    train, test = _read(folder)
    x = baselines.features(comp, train, test, folder)
    n, targs = len(train), train[comp.target[0]].to_numpy()
    return baselines.fit_predict(comp, x[:n], targs, x[n:]), {}


def baseline_cv(comp: Competition, folder: Path, out: Path) -> Answer:
    """Score the baseline on the folds of ours; the test is not predicted."""
    data = comp.read(folder)
    train, test = _read(folder)
    train = train.set_index(comp.id, drop=False).loc[data.ids]
    x = baselines.features(comp, train, test, folder)[: len(train)]
    targs, oof = (
        train[comp.target[0]].to_numpy(),
        np.full((len(train), data.train.n_outputs), np.nan),
    )
    for fit, valid in folds_for(comp, data).splits():
        oof[valid] = baselines.fit_predict(comp, x[fit], targs[fit], x[valid])
    seen = ~np.isnan(oof).any(1)
    rows = data.targs[seen], oof[seen]
    se = standard_error(pseudo_values(comp.scoring, *rows))
    return oof, dict(cv=comp.scoring.score(*rows), cv_se=se)


def plain_script(comp: Competition, folder: Path, out: Path) -> Answer:
    return plain.predict(comp, *_read(folder), folder), {}


def _read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")


CONTENDERS = dict(ours=ours, baseline=baseline, baseline_cv=baseline_cv, plain=plain_script)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    contender, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    preds, facts = CONTENDERS[contender](load_comp(folder), folder, out)
    np.savez_compressed(out / "predictions.npz", test=preds)
    (out / "facts.json").write_text(json.dumps(facts, indent=1), "utf-8")
