"""`fkp export`: a trial of the vault becomes a folder that predicts what the trial predicted."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fastkaggle_plus import sweep
from fastkaggle_plus.cli.app import app
from fastkaggle_plus.modeling import load_model

from ..modeling.tables import frame

TRIALS = """
from fastkaggle_plus import Trial

TRIALS = (
    Trial("ridge", "ridge_model", {"strength": 2.0}),
    Trial("two trees", "bag_model", {"model": "tree_model", "n": 2}),
)
"""
TOML = 'title = "Heavy things"\ntask = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the results of a sweep, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "things").mkdir()
    (folder / "things" / "competition.toml").write_text(TOML)
    (folder / "things" / "trials.py").write_text(TRIALS)
    x, hidden = frame(200)
    rows = x.assign(id=np.arange(200), y=np.where(hidden > 1, "heavy", "light"))
    (folder / "data").mkdir()
    rows.to_csv(folder / "data" / "train.csv", index=False)
    rows.drop(columns="y").head(30).to_csv(folder / "data" / "test.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = sweep("./things", data="data", n_folds=3, workers=0).results
    return folder, {result.name: result.predictions for result in found}


@pytest.fixture
def fkp(results, monkeypatch):
    """Return a function that runs `fkp` and returns what it printed, as JSON."""
    monkeypatch.chdir(results[0])

    def run(*words):
        done = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_the_folds_of_an_ensemble_predict_the_rows_of_the_files(results, fkp):
    folder, preds = results
    words = ["export", "things", "ridge", "two trees", "--keep-folds", "--to", "model", "--json"]
    answer = json.loads(fkp(*words))
    model = load_model(answer["folder"])
    rows = pd.read_csv(next((folder / "runs").rglob("test.csv")))
    mean = (preds["ridge"].test + preds["two trees"].test) / 2
    order = pd.Series(range(len(mean)), index=preds["ridge"].test_ids)[rows["id"]]
    np.testing.assert_allclose(model.predict(rows), mean[order], atol=1e-6)
    assert answer["card"]["title"] == "Heavy things" and answer["card"]["slug"] == "things"
    assert answer["card"]["made"] == "models of 3 folds" and len(model.members) == 6


def test_a_refit_is_shown_with_its_score_and_the_line_to_load_it(results, fkp):
    printed = fkp("export", "things", "ridge")
    score = f"{results[1]['ridge'].oof_score:.4f}"
    assert f"CV score     {score} ±" in printed and "fit on all" in printed
    assert 'load_model("runs/things/models/ridge").predict(rows)' in printed
    assert (results[0] / "runs" / "things" / "models" / "ridge" / "model_card.md").is_file()
