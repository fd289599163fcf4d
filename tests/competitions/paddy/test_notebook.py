"""Paddy's notebook runs without internet; a failed or omitted part breaks nothing."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import DataError, NothingSent
from fastkaggle_plus.notebooks import find_faults, render_notebook
from fastkaggle_plus.notebooks.runtime_estimate import MARGIN, START_S
from fastkaggle_plus.predictions import load_predictions
from fastkaggle_plus.sweeps import TrialResult, Vault, trials_of
from fastkaggle_plus.workflow.callbacks import PushCallbacks
from fastkaggle_plus.workflow.push import push
from tests.making import make_predictions
from tests.notebooks.html_page import check_page, executed_in, text
from tests.workflow.toy import fkp, submissions

PARTS = ("PART_1", "PART_2", "PART_3", "PART_4")
SLUG = "paddy-disease-classification"


@pytest.fixture(scope="module")
def rendered(comp):
    return render_notebook(comp, owner="ada", libs_dataset="ada/library-fastkaggle-plus")


def code(rendered) -> list[str]:
    return [
        c.source
        for c in rendered.notebook.cells
        if c.cell_type == "code" and not c.source.startswith("%%")
    ]


def cell(rendered, words: str) -> str:
    [source] = [source for source in code(rendered) if words in source]
    return source


def test_it_passes_the_check_and_requests_a_gpu(rendered, comp):
    assert find_faults(rendered.notebook, metadata=rendered.metadata, comp=comp) == []
    wanted = {
        "enable_gpu": True,
        "machine_shape": "NvidiaTeslaT4",
        "enable_internet": True,
        "is_private": True,
        "competition_sources": [SLUG],
    }
    assert {k: rendered.metadata[k] for k in wanted} == wanted
    cells = rendered.notebook.cells
    prose_words = [w for c in cells if c.cell_type == "markdown" for w in c.source.split()]
    prose = " ".join(prose_words)
    for words in (
        "## Part 1: First steps",
        "## Part 2: Small models",
        "## Part 3: Scaling up",
        "## Part 4: Multi-target",
        "PART_3_LARGE",
        "nine hours",
        "dry run",
        "attach a dataset that holds them",
        "bills the hours once",
    ):
        assert words in prose, words
    assert all(f'trials_of(comp, "{part}")' in "\n".join(code(rendered)) for part in PARTS)


def test_the_forecast_says_the_billed_time_of_two_gpus(comp, tmp_path):
    """Each part is a sweep on one holdout, after the part before it; two networks at a time."""
    seconds = {t.name: 600 for part in PARTS for t in trials_of(comp, part)}
    rows = [f'"{name}",1,{s}' for name, s in seconds.items()]
    (tmp_path / "results.csv").write_text("\n".join(["trial,n_folds,seconds", *rows]) + "\n")
    steps = {}

    class Callbacks(PushCallbacks):
        def on_step(self, name, detail=""):
            steps[name] = detail

    with pytest.raises(NothingSent):
        push(SLUG, dest=tmp_path, confirm=lambda plan: False, callbacks=Callbacks())
    assert [len(trials_of(comp, part)) for part in PARTS] == [1, 4, 3, 2]
    rounds = 1 + 2 + 2 + 1
    minutes = (START_S + MARGIN * 600 * rounds) / 60
    text = f"about {minutes:.0f} min expected on Kaggle, billed once for 2 GPUs"
    assert steps["check"].endswith(text)


@pytest.fixture
def notebook(rendered, comp, capsys):
    """Return the notebook's names, and a function that runs its parts with given results."""
    labels = pd.DataFrame({"variety": ["ADT45", "ADT45", "RR"]})
    names = {"PARTS": "", "QUICK": True, "comp": comp, "labels": labels}
    for words in ("import tempfile", "def train("):
        exec(cell(rendered, words), names)

    def run(results):
        def train(part, trials):
            return [] if trials[0].model == "probe.probe_model" else results.get(f"PART_{part}", [])

        names["train"] = train
        sources = code(rendered)
        first = next(i for i, source in enumerate(sources) if source.startswith("part_1 = "))
        last = next(i for i, source in enumerate(sources) if source.startswith("done = "))
        for source in sources[first:last]:
            exec(source, names)
        return names["combined"], capsys.readouterr().out

    return names, run


def made(trial, *, right=0.9, **about):
    preds = make_predictions(
        trial.name, right=right, vocab=("blast", "hispa", "normal"), folds=1, seed=len(trial.name)
    )
    return TrialResult(trial, dataclasses.replace(preds, about={"arch": "x", "fits": [], **about}))


def test_an_omitted_part_shows_nothing(notebook):
    names, run = notebook
    [trial] = trials_of(names["comp"], "PART_1")
    assert names["train"]("1", (trial,)) == []
    combined, output = run({"PART_1": [made(trial)]})
    assert list(combined.about["weights"]) == [trial.name] and "no results" in output
    assert names["tried"] == [] and names["picture"] is None


def test_a_failed_trial_is_left_out_and_the_others_continue(notebook):
    names, run = notebook
    parts = {part: [made(t) for t in trials_of(names["comp"], part)] for part in PARTS}
    broken = TrialResult(parts["PART_3"][1].trial, None, "WeightsMissing: not found")
    tta = {
        "chosen": "plain",
        "against": "beta",
        "scores": {"plain": 0.8, "beta": 0.7},
        "wrong_to_right": 3,
        "right_to_wrong": 9,
        "p_value": 0.15,
    }
    better = made(parts["PART_3"][0].trial, right=1.0, tta=tta)
    parts |= {"PART_2": [], "PART_3": [better, broken, parts["PART_3"][2]]}
    combined, output = run(parts)
    assert (
        list(combined.about["weights"]) == ["convnext, rectangle", "swinv2, squish"]
        and combined.about["method"] == "mean"
    )
    assert "vit twice 0." in output and "ensemble: accuracy 0." in output
    assert names["tried"] == [{"trial": "convnext, rectangle", **tta}]
    assert names["picture"] is not None


def test_a_failed_trial_prints_its_reason(notebook, capsys):
    names, _ = notebook
    [trial] = trials_of(names["comp"], "PART_1")
    broken = TrialResult(trial, None, "Traceback\n  somewhere\nWeightsMissing: not found")
    names |= {"PARTS": "1", "N_FOLDS": 2, "SEED": 1, "HOLDOUT": None, "path": "", "data": None}
    names |= {"run_local": lambda *_, **__: [broken], "Vault": str}
    assert names["train"]("1", (trial,)) == [broken]
    assert "failed: WeightsMissing: not found" in capsys.readouterr().out


def test_if_nothing_finished_it_ends_with_the_reasons(notebook):
    names, run = notebook
    broken = {
        part: [
            TrialResult(t, None, f"Traceback\n  somewhere\nWeightsMissing: none of {part}")
            for t in trials_of(names["comp"], part)
        ]
        for part in PARTS
    }
    with pytest.raises(DataError, match="nothing to submit") as error:
        run(broken)
    assert all(f"WeightsMissing: none of {part}" in str(error.value) for part in PARTS)


@pytest.mark.slow
def test_a_dry_run_runs_without_internet(rehearsal, tmp_path):
    bundle = rehearsal.make(tmp_path / "bundles", n_images=240, height_px=96, width_px=72)
    n_test = len(pd.read_csv(bundle / "files" / "sample_submission.csv"))
    options = ("--bundles", "bundles", "--quick", "--no-internet", "--wait", "--json")
    done = fkp("push", SLUG, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    result, log = json.loads(done.stdout.splitlines()[-1]), done.stderr
    meta = json.loads(
        Path(tmp_path, result["notebook"]).with_name("kernel-metadata.json").read_text()
    )
    assert (meta["enable_gpu"], meta["enable_internet"]) == (True, False)
    assert result["status"] == "COMPLETE" and result["forecast_s"] is None
    assert result["submission"] is None and submissions(tmp_path) == 0, "QUICK is never submitted"
    for words in ("Traceback", "failed:", "Error", "nan"):
        assert words not in log, words
    for words in ("vit twice 0.", "right: [0.", f"{n_test} predictions", "ensemble: accuracy"):
        assert words in log, words
    executed = executed_in(tmp_path)
    check_page(executed, pictures=8)
    shown = text(executed)
    for words in (
        "arch = test_convnext instead of test_resnet",
        "among the best",
        "also = ['variety'] instead of its default",
        "no GPU here: memory was not measured",
        "wrong_to_right",
    ):
        assert words in shown, words
    output = tmp_path / result["output"]["path"]
    answers = pd.read_csv(output / "submission.csv")
    assert len(answers) == n_test and list(answers) == ["image_id", "label"]
    kept = {p.name: p for p in Vault(output / "vault").latest(SLUG)[0]}
    assert (
        len(kept) == 10  # "disease alone" is the run of "convnext, squish"
        and kept["vit, crop"].about["arch"].startswith("test_vit")
        and kept["vit, crop"].about["method"] == "crop"
    )
    ensemble, members = (
        load_predictions(output / "ensemble.npz"),
        [kept[n] for n in ("convnext, rectangle", "vit, crop", "swinv2, squish")],
    )
    np.testing.assert_allclose(
        ensemble.test,
        np.mean(
            [m.aligned(ensemble.ids, ensemble.test_ids, ensemble.vocab).test for m in members], 0
        ),
    )
    assert dict(
        zip(ensemble.test_ids, np.array(ensemble.vocab)[ensemble.test.argmax(1)], strict=True)
    ) == dict(answers.to_numpy())
    assert pd.read_csv(output / "folds.csv")["fold"].tolist() == ensemble.folds.tolist() and set(
        ensemble.folds
    ) == {-1, 0}
    assert len(pd.read_csv(output / "results.csv")) == 12
