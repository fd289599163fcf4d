"""The template's notebook runs for other tasks, splits and metrics than Titanic's."""

import nbformat
import pytest
from nbclient import NotebookClient

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.notebooks import find_faults, render_notebook
from fastkaggle_plus.predictions import load_predictions
from fastkaggle_plus.submission import check_file
from fastkaggle_plus.workflow.new_competition import new_comp

from .html_page import check_page, text

TRIALS = '''"""Three."""

from fastkaggle_plus import Trial

TRIALS = (
    Trial("forest", "forest.forest_model", {"n_estimators": 30}, "A floor."),
    Trial("ridge", "linear.ridge_model", hypothesis="A linear model."),
    Trial("broken", "broken_model", hypothesis="A failing trial."),
)


def broken_model():
    def fit(table):
        raise ValueError("broken")

    return fit
'''


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "quick"),
    [
        (
            dict(
                task="regression",
                target=["y", "z"],
                metric="mean_columnwise_rmse",
                split={"kind": "time", "column": "seen"},
            ),
            False,
        ),
        (
            dict(task="multiclass", metric="accuracy", split={"kind": "group", "column": "team"}),
            True,
        ),
    ],
)
def test_the_template_runs_unchanged(tmp_path, monkeypatch, options, quick):
    folder = new_comp("my-new-one", dest=tmp_path / "my-new-one", **options)
    (folder / "trials.py").write_text(TRIALS)
    comp = load_comp(folder)
    files = comp.module("rehearsal").make(tmp_path / "bundles", seed=3) / "files"
    mount = tmp_path / "input/competitions"
    mount.mkdir(parents=True)
    (mount / "my-new-one").symlink_to(files)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(tmp_path / "input"))
    rendered = render_notebook(comp, quick=quick, owner="ada", params={"N_FOLDS": 2})
    assert find_faults(rendered.notebook, metadata=rendered.metadata, comp=comp) == []
    working = tmp_path / "working"
    working.mkdir()
    notebook = nbformat.from_dict(rendered.notebook)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(working)}}
    ).execute()
    check_file(working / "submission.csv", comp, files)
    both = load_predictions(working / "ensemble.npz")
    assert (
        both.metric == comp.metric
        and len(both.fold_scores) == 2
        and set(both.about["weights"]) == {"forest", "ridge"}
    )
    assert "failed: ValueError: broken" in text(notebook)
    check_page(notebook, pictures=4)
