"""Paddy's notebook runs without internet; a failed or omitted part breaks nothing."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import NothingSent
from fastkaggle_plus.notebooks import find_faults, render_notebook
from fastkaggle_plus.notebooks.runtime_estimate import MARGIN, START_S
from fastkaggle_plus.predictions import load_predictions
from fastkaggle_plus.sweeps import TrialResult, trials_of
from fastkaggle_plus.workflow.callbacks import PushCallbacks
from fastkaggle_plus.workflow.push import push
from tests.making import make_predictions
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
    ):
        assert words in prose, words
    assert all(f'train_all("{part}")' in "\n".join(code(rendered)) for part in PARTS)


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
    names = {"PARTS": "", "QUICK": True, "comp": comp}
    for words in (
        "import random",
        "def neat",
        "def train_all",
        "def show_board",
        "def show_pairs",
        "def show_tta",
        "def average",
    ):
        exec(
            re.sub(r"(?m)^(%.*|(plt|random|np\.random|code)\b.*)$", "", cell(rendered, words)),
            names,
        )

    def run(results):
        names["train_all"] = lambda declared: results.get(declared, [])
        names["data"] = type(
            "Data", (), {"raw_train": pd.DataFrame({"variety": ["ADT45", "ADT45", "RR"]})}
        )
        sources = code(rendered)
        first = next(i for i, source in enumerate(sources) if source.startswith("part_1 = "))
        last = next(i for i, source in enumerate(sources) if source.startswith("everything = "))
        for source in sources[first : last + 1]:
            exec(source, names)
        return names["both"], capsys.readouterr().out

    return names, run


def made(trial, *, right=0.9, **about):
    preds = make_predictions(
        trial.name, right=right, vocab=("blast", "hispa", "normal"), folds=1, seed=len(trial.name)
    )
    return TrialResult(trial, dataclasses.replace(preds, about={"arch": "x", **about}))


def test_an_omitted_part_shows_nothing(notebook):
    names, run = notebook
    assert all(names["train_all"](part) == [] for part in PARTS)
    assert (
        names["show_board"]([]) is None
        and names["show_tta"]([]) is None
        and names["average"]([]) is None
    )
    names["show_pairs"]([], ("a", "b"))
    [trial] = trials_of(names["comp"], "PART_1")
    both, output = run({"PART_1": [made(trial)]})
    assert (
        list(both.about["weights"]) == [trial.name]
        and output.startswith("Best: resnet26d.\n")
        and output.count("\n") == 2
    )


def test_a_failed_trial_is_reported_and_the_others_continue(notebook):
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
    both, output = run(parts)
    assert (
        list(both.about["weights"]) == ["convnext, rectangle", "swinv2, squish"]
        and both.about["method"] == "mean"
    )
    assert (
        " vs swinv2, squish 0." in output
        and "convnext, rectangle: 0.50, swinv2, squish: 0.50" in output
    )  # the one of double weight is not there
    assert "disease and variety 0." in output and output.startswith("Best: resnet26d.")
    shown = names["show_tta"](parts["PART_3"]).data
    assert shown["trial"].tolist() == ["convnext, rectangle"] and shown["used"].tolist() == [
        "whole"
    ]
    assert shown[["corrected", "made wrong"]].iloc[0].tolist() == [3, 9]
    names["show_result"](broken)


def test_if_nothing_finished_it_ends_with_the_reasons(notebook):
    names, run = notebook
    broken = {
        part: [
            TrialResult(t, None, f"Traceback\n  somewhere\nWeightsMissing: none of {part}")
            for t in trials_of(names["comp"], part)
        ]
        for part in PARTS
    }
    with pytest.raises(RuntimeError, match="nothing to submit") as error:
        run(broken)
    assert str(error.value).splitlines()[1:] == [
        f"WeightsMissing: none of {part}" for part in PARTS
    ]


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
    assert (
        log.count("| Best: ") == 4
        and "accuracy" in log
        and "from the store" in log
        and f"{n_test} predictions" in log
    )
    for words in (
        "convnext, crop 0.",
        " vs resnet26d, crop 0.",
        " vs vit, crop 0.",
        "vit, crop: 0.50",
        " vs disease alone 0.",
        "variety: 0.",
        "no GPU here: memory was not measured",
    ):
        assert words in log, words
    output = tmp_path / result["output"]["path"]
    answers = pd.read_csv(output / "submission.csv")
    assert len(answers) == n_test and list(answers) == ["image_id", "label"]
    kept = {p.name: p for p in map(load_predictions, (output / "predictions").glob("*.npz"))}
    assert (
        len(kept) == 11
        and kept["vit, crop"].about["arch"].startswith("test_vit")
        and kept["vit, crop"].about["method"] == "crop"
    )
    ensemble, members = (
        kept["ensemble"],
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
    assert len(pd.read_csv(output / "results.csv")) == 11
