"""Titanic's notebook runs in the sandbox and in Kaggle's older layout, as `fkp run titanic`."""

import json
import os
import re
import shutil

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from fastkaggle_plus import Vault, load_comp, load_predictions, run
from fastkaggle_plus.notebooks import render_notebook
from fastkaggle_plus.submission import check_file
from tests.notebooks.html_page import check_page, text
from tests.workflow.toy import fkp, last_json, submissions


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A local run with two folds, and its data."""
    place = tmp_path_factory.mktemp("local")
    outcome = run("titanic", dest=place, seed=42, n_folds=2)
    return outcome, next(place.glob("rehearsal-*/data"))


@pytest.fixture
def execute(tmp_path, monkeypatch, local):
    """Execute a rendered notebook as Kaggle did before 2026; return its folder and itself."""

    def of(rendered):
        data = tmp_path / "kaggle/input/titanic"
        data.mkdir(parents=True)
        for file in local[1].glob("*.csv"):
            shutil.copy(file, data)
        working = tmp_path / "kaggle/working"
        working.mkdir()
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
        monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(tmp_path / "kaggle/input"))
        for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        notebook = nbformat.from_dict(rendered.notebook)
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(working)}},
        ).execute()
        return working, notebook

    return of


@pytest.mark.slow
def test_the_pushed_notebook_gives_the_same_bytes_and_scores_as_a_local_run(local, tmp_path):
    outcome = local[0]
    done = fkp("push", "titanic", "--wait", "--folds", "2", "--json", cwd=tmp_path)
    pushed = last_json(done)
    for words in (
        "render",
        "check",
        "libs",
        "version 1 made",
        "  | ensemble: accuracy",
        "titanic-with-evidence version 1: complete",
        "submission.csv",
    ):
        assert words in done.stderr, words
    assert pushed["submission"]["sha256"] == outcome.sha256
    for score in ("public_score", "private_score"):
        assert pushed[score] == outcome.as_json()[score]
    assert pushed["public_score"] > 0.8 and pushed["status"] == "COMPLETE"
    assert pushed["submission"]["sent"] and submissions(tmp_path) == 1

    output = tmp_path / pushed["output"]["path"]
    both = load_predictions(output / "ensemble.npz")
    assert both.oof_score == outcome.ensemble.oof_score and both.about["split_seed"] == 42
    assert (both.oof == outcome.ensemble.aligned(both.ids, both.test_ids, both.vocab).oof).all()
    kept, _ = Vault(output / "vault").latest("titanic")
    assert {p.name for p in kept} == {r.name for r in outcome.results}
    folds = pd.read_csv(output / "folds.csv")
    assert (
        folds["fold"].tolist() == both.folds.tolist()
        and folds["PassengerId"].tolist() == both.ids.tolist()
    )
    # the command that the last cell prints plans with the CV score of this submission
    [command] = re.findall(r"fkp (plan titanic --live --cv REF=.+)", done.stderr)
    ref = pushed["submission"]["ref"]
    words = command.replace("--live ", "").replace("REF", str(ref)).split()
    [sent] = json.loads(fkp(*words, "--json", cwd=tmp_path).stdout)["submissions"]
    assert sent["ref"] == ref and sent["cv"] == round(both.oof_score, 4)


@pytest.mark.slow
def test_quick_in_the_older_layout_writes_a_complete_submission(execute, local):
    working, notebook = execute(render_notebook("titanic", quick=True))
    answers = check_file(working / "submission.csv", load_comp("titanic"), local[1], labels=(0, 1))
    truth = load_predictions(working / "ensemble.npz")
    assert (
        len(answers) == len(pd.read_csv(local[1] / "test.csv"))
        and len(truth.ids) < 320
        and truth.oof_score > 0.7
    )
    assert not np.isnan(truth.test).any()
    check_page(notebook, pictures=6)
    output = text(notebook)
    for words in (
        "among the best",
        "corrected for choosing among",
        "women and children",
        "Running on",
        "ensemble: accuracy",
        "Master",
    ):
        assert words in output, words
