"""Run one contender on one data set, in a process of its own, and store what it predicts.

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
from fastkaggle_plus.sweeps.default_trials import declared_ensemble, trials_of
from fastkaggle_plus.sweeps.execution import folds_for
from fastkaggle_plus.sweeps.run_local import run_local
from fastkaggle_plus.sweeps.trial import Sweep
from fastkaggle_plus.sweeps.vault import Vault

from . import baselines, plain

Answer = tuple[np.ndarray, dict[str, Any]]  # test predictions (n_test, n_outputs), and facts


def main(contender: str, folder: Path, out: Path) -> None:
    """Run a contender; write its predictions and facts to `out`."""
    warnings.simplefilter("ignore")
    test, facts = CONTENDERS[contender](load_comp(folder), folder, out)
    np.savez_compressed(out / "predictions.npz", test=test)
    (out / "facts.json").write_text(json.dumps(facts, indent=1), "utf-8")


def ours(comp: Competition, folder: Path, out: Path) -> Answer:
    """Run the recommended trials and their ensemble, from competition.toml alone."""
    from fastkaggle_plus.submission import write_submission

    sweep = Sweep(comp.slug, trials_of(comp))
    results = run_local(sweep, comp, folder, vault=Vault(out / "vault"))
    done = [r.predictions for r in results if r.predictions is not None]
    members = [r.predictions for r in results if r.predictions and r.trial.in_ensemble]
    combined = declared_ensemble(comp, members)
    write_submission(combined, comp, folder, file=out / "submission.csv")
    trials = {p.name: [p.oof_score, p.oof_score_se, p.seconds_s] for p in done}
    failed = {r.name: r.error.strip().splitlines()[-1] for r in results if r.failed}
    facts = dict(cv=combined.oof_score, cv_se=combined.oof_score_se, trials=trials, failed=failed)
    return combined.test, {**facts, "weights": combined.about.get("weights", {})}


def baseline(comp: Competition, folder: Path, out: Path) -> Answer:
    return baselines.predict(comp, *_read(folder), folder), {}


def baseline_cv(comp: Competition, folder: Path, out: Path) -> Answer:
    """Score the baseline on the folds of ours; the test is not predicted."""
    train, test = _read(folder)
    data = comp.read(folder)
    folds, metric = folds_for(comp, data), comp.scoring
    train = train.set_index(comp.id, drop=False).loc[data.ids]
    x, _ = baselines.features(comp, train, test, folder)
    targs = train[comp.target[0]].to_numpy()
    oof = np.full((len(train), len(data.vocab) or 1), np.nan)
    for fit, valid in folds.splits():
        oof[valid] = baselines.fit_predict(comp, x[fit], targs[fit], x[valid])
    seen = ~np.isnan(oof).any(1)
    score = metric.score(data.targs[seen], oof[seen])
    se = standard_error(pseudo_values(metric, data.targs[seen], oof[seen]))
    return oof, dict(cv=score, cv_se=se)


def plain_fastai(comp: Competition, folder: Path, out: Path) -> Answer:
    return plain.predict(comp, *_read(folder), folder), {}


def _read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")


CONTENDERS = {"ours": ours, "baseline": baseline, "baseline cv": baseline_cv, "plain": plain_fastai}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
