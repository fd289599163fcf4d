"""The patents' notebook runs without internet, again on the hidden pairs, and gets its score."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus import load_predictions, rehearsal, submit_code
from fastkaggle_plus.notebooks import find_faults, render_notebook
from fastkaggle_plus.notebooks.attached_models import models_needed
from fastkaggle_plus.sweeps.default_trials import trial_lists
from fastkaggle_plus.workflow.push import push
from tests.notebooks.html_page import check_page, executed_in
from tests.workflow.toy import submissions

from .conftest import SLUG

N_HIDDEN = 160


@pytest.fixture(scope="module")
def rendered(comp):
    names = {
        name
        for names in models_needed(comp, render_notebook(comp).notebook).values()
        for name in names
        if name.startswith("weights-")
    }
    return render_notebook(
        comp,
        owner="ada",
        libs_dataset="ada/library-fastkaggle-plus",
        datasets=[f"ada/{name}" for name in names],
    )


def code(rendered) -> list[str]:
    return [c.source for c in rendered.notebook.cells if c.cell_type == "code"]


def place(rendered, words: str) -> int:
    [at] = [
        i
        for i, c in enumerate(rendered.notebook.cells)
        if words in c.source and c.cell_type == "code"
    ]
    return at


def test_it_passes_the_check_without_internet(rendered, comp):
    assert (
        find_faults(
            rendered.notebook,
            metadata=rendered.metadata,
            comp=comp,
            weights=models_needed(comp, rendered.notebook),
        )
        == []
    )
    assert not rendered.metadata["enable_internet"] and rendered.metadata[
        "competition_sources"
    ] == [SLUG]


def test_the_model_is_looked_up_before_the_data_is_read(rendered):
    assert (
        place(rendered, "fetch_weights(default_arch())")
        < place(rendered, "setup_comp(comp.slug)")
        < place(rendered, "run_local(")
    )


def test_it_explains_its_code_and_names_every_list_of_trials(rendered, comp):
    cells = rendered.notebook.cells
    prose_words = [w for c in cells if c.cell_type == "markdown" for w in c.source.split()]
    prose = " ".join(prose_words)
    for words in (
        *trial_lists(comp),
        "[0.54]",
        "code competition",
        "never among them",
        "--holdout 0.25",
    ):
        assert words in prose, words
    pieces = [c for c in code(rendered) if re.match(r"%%writefile (-a )?code/", c)]
    assert (
        len(pieces) > 10
        and max(len(c.splitlines()) for c in pieces if ".csv" not in c.splitlines()[0]) < 45
    )


def test_another_list_can_be_chosen_and_needs_its_models(comp):
    chosen = render_notebook(comp, params={"LIST": "WINNERS"})
    assert any('LIST = "WINNERS"' in c for c in code(chosen)) and models_needed(
        comp, chosen.notebook
    )


@pytest.fixture
def bundles(made, tmp_path):
    """The rehearsal with 160 hidden pairs: the 36 that are shown, and others."""
    bundle = tmp_path / "bundles" / SLUG
    shutil.copytree(made, bundle)
    shown, hidden = (pd.read_csv(bundle / at / "test.csv")["id"] for at in ("files", "hidden"))
    kept = [*shown, *hidden[~hidden.isin(shown)][: N_HIDDEN - len(shown)]]
    for name in ("hidden/test.csv", "hidden/sample_submission.csv", "solution.csv"):
        rows = pd.read_csv(bundle / name, dtype=str, keep_default_na=False)
        rows[rows["id"].isin(kept)].to_csv(bundle / name, index=False)
    return bundle.parent


@pytest.mark.slow
def test_a_dry_run_can_be_scored_on_all_hidden_pairs(bundles, tmp_path, monkeypatch):
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))
    done = push(SLUG, quick=True, n_folds=2, bundles=bundles, dest=tmp_path / "runs")
    assert (
        done.status.is_done
        and done.rendered.metadata["enable_internet"] is False
        and len(done.weights_datasets) == 1
    )
    assert done.submission is None and submissions(tmp_path) == 0, "QUICK is never submitted"
    with rehearsal(SLUG, bundles=bundles, dest=tmp_path / "runs") as box:
        scored = submit_code(done.kernel, None, "a dry run", competition=SLUG, poll_s=0.5)
        private_score = box.server.submissions.one(scored.ref)["private_score"]
    assert scored.status == "COMPLETE" and submissions(tmp_path) == 1
    assert -1 <= scored.public_score <= 1 and -1 <= private_score <= 1 and private_score != 0
    output = tmp_path / "runs" / "output"
    shown = pd.read_csv(output / "submission.csv")
    hidden = pd.read_csv(bundles / SLUG / "hidden" / "test.csv")
    assert (
        list(shown) == ["id", "score"]
        and len(shown) == 36
        and shown["score"].dtype == float
        and len(hidden) == N_HIDDEN
    )
    log = (output / done.output.log).read_text()
    for words in ("Traceback", "failed:", "Warning", "nan"):
        assert words not in log, words
    for words in (
        "weights-all-minilm-l6-v2",
        "Most folds that one anchor is in: 1",
        "36 predictions",
    ):
        assert words in log, words
    check_page(executed_in(tmp_path), pictures=5)
    ensemble = load_predictions(output / "ensemble.npz")
    assert dict(zip(ensemble.test_ids, ensemble.test[:, 0].round(6), strict=True)) == dict(
        zip(shown["id"], shown["score"].round(6), strict=True)
    )
    folds = pd.read_csv(output / "folds.csv")
    assert (folds.groupby("anchor")["fold"].nunique() == 1).all() and folds[
        "fold"
    ].tolist() == ensemble.folds.tolist()
    assert np.isfinite(ensemble.oof).all() and len(pd.read_csv(output / "results.csv")) > 4
