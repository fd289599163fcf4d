"""The loop, end to end, in the sandbox: scored, repeatable, nothing done twice, and killed at any moment it still ends well."""

import csv
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from fastkaggle_plus import Vault, load_comp, sweep
from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.workflow.callbacks import Watcher

from ..fkp_process import run_fkp as fkp

FACTS = """title = "Toy"
kind = "tabular"
task = "binary"
metric = "accuracy"
id = "id"
target = "y"
max_daily_submissions = 5
[split]
kind = "stratified"
"""
TRIALS = """from fastkaggle_plus import Trial

ENSEMBLE = "mean"
TRIALS = (
    Trial("one rule", "forest.one_r_model", in_ensemble=False),
    Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),
    Trial("forest", "forest.forest_model", {"n_estimators": 30}),
)
"""


def make_toy(folder: Path, *, n=400, n_test=200, seed=0) -> Path:
    "Write a bundle by hand, as a user would, and the competition's own trials beside it."
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + n_test, 4))
    y = (x[:, 0] - x[:, 1] + rng.normal(size=len(x)) > 0).astype(int)
    frame = pd.DataFrame(x, columns=list("abcd")).assign(
        id=np.arange(len(x)) + 1, color=rng.choice(["red", "blue"], len(x)), y=y
    )
    toy = folder / "toy"
    (toy / "files").mkdir(parents=True)
    frame[:n].to_csv(toy / "files" / "train.csv", index=False)
    frame[n:].drop(columns="y").to_csv(toy / "files" / "test.csv", index=False)
    frame[n:][["id"]].assign(y=0).to_csv(toy / "files" / "sample_submission.csv", index=False)
    usage = np.where(np.arange(n_test) % 2, "Private", "Public")
    frame[n:][["id", "y"]].assign(Usage=usage).to_csv(toy / "solution.csv", index=False)
    (toy / "competition.toml").write_text(FACTS)
    (toy / "trials.py").write_text(TRIALS)
    return folder


def run_json(cwd, *arguments):
    done = fkp("run", "toy", "--bundles", "bundles", "--json", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def submissions(cwd) -> int:
    "How many submissions the sandboxes under `cwd` hold, counted in their own stores."
    count = 0
    for db in Path(cwd).rglob("sandbox/*.db"):
        with sqlite3.connect(db) as connection:
            count += connection.execute(
                "select count(*) from submissions where not is_reference"
            ).fetchone()[0]
    return count


@pytest.fixture
def place(tmp_path):
    make_toy(tmp_path / "bundles")
    return tmp_path


def expected_scores(place):
    answers = {
        row["id"]: row["y"] for row in csv.DictReader((place / "runs/toy/submission.csv").open())
    }
    truth = list(csv.DictReader((place / "bundles/toy/solution.csv").open()))
    return [
        np.mean([answers[r["id"]] == r["y"] for r in truth if r["Usage"] == part])
        for part in ("Public", "Private")
    ]


def test_from_data_to_a_score_and_again(place):
    first = run_json(place)
    assert [t["name"] for t in first["trials"]][-1] == "one rule" and first["failed"] == {}
    assert first["public_score"] == pytest.approx(expected_scores(place)[0], abs=1e-5)
    assert first["private_score"] == pytest.approx(expected_scores(place)[1], abs=1e-5)
    assert first["ensemble"]["nested_score"] > 0.7 and first["submission"]["sent"]
    file = place / first["submission"]["path"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == first["submission"]["sha256"]
    html = (place / first["report"]).read_text()
    assert (
        html.count("<svg") >= 4
        and "one rule" in html
        and "http-equiv" not in html
        and "src=" not in html
    )

    again = run_json(place)
    assert (
        all(t["reused"] for t in again["trials"])
        and not again["submission"]["sent"]
        and submissions(place) == 1
    )
    assert (
        again["submission"]["sha256"] == first["submission"]["sha256"]
        and again["public_score"] == first["public_score"]
    )


def test_words_say_what_was_not_done_again(place):
    first, again = (fkp("run", "toy", "--bundles", "bundles", cwd=place).stdout for _ in range(2))
    for words in (
        "oof_score (accuracy)",
        "best",
        "nested",
        "public 0.",
        "private 0.",
        "rank",
        "sample submission",
        "time ",
    ):
        assert words in first, first
    assert "verified and unpacked" in first and "already in" in again
    assert (
        "3 of 3 trials were in the vault already and were not run again" in again
        and "was not sent again" in again
    )


def test_same_seed_same_bytes_elsewhere(place, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    make_toy(other / "bundles")
    assert (
        run_json(place)["submission"]["sha256"]
        == run_json(other, "--workers", "0")["submission"]["sha256"]
    )


def test_what_is_missing_is_said(place):
    assert "Did you mean 'toy'" in fkp("run", "tou", "--bundles", "bundles", cwd=place).stderr
    (place / "bundles/toy/files/test.csv").unlink()
    done = fkp("run", "toy", "--bundles", "bundles", cwd=place)
    assert done.returncode == 1 and "test.csv" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_with_labelled_rows_is_rehearsed(place):
    done = fkp("run", "toy", "--data", "bundles/toy/files", "--bundles", "bundles", cwd=place)
    assert done.returncode == 1 and "one of" in done.stderr.lower()
    make = place / "competitions"
    make.mkdir()
    (place / "bundles/toy/competition.toml").rename(place / "bundles/toy/kept")
    (make / "toy").mkdir()
    (make / "toy/competition.toml").write_text(FACTS)
    (make / "toy/trials.py").write_text(TRIALS)
    done = fkp("run", "toy", "--data", "bundles/toy/files", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["private_score"] > 0.6

    (make / "toy/trials.py").write_text(TRIALS.replace("30", "20"))  # other trials, the same rows
    done = fkp("run", "toy", "--data", "bundles/toy/files", "--json", cwd=place)
    assert (
        "download  already in" in done.stderr
        and "2 of 3 trials were in the vault already" in done.stderr
        and submissions(place) == 2
    )
    assert len(list(place.glob("runs/toy/rehearsal-*"))) == 1
    edit(place / "bundles/toy/files/train.csv", a=0.0)
    assert (
        "download  verified and unpacked"
        in fkp("run", "toy", "--data", "bundles/toy/files", cwd=place).stdout
    )


def test_a_sweep_measures_into_the_vault_that_a_run_uses(place):
    broken = 'Trial("broken", "forest.forest_model", {"n_estimators": -1}, in_ensemble=False),\n    Trial("one rule"'
    (place / "bundles/toy/trials.py").write_text(TRIALS.replace('Trial("one rule"', broken))
    done = fkp("sweep", "toy", "--bundles", "bundles", "--json", "--max-trials", 3, cwd=place)
    assert done.returncode == 0, done.stderr
    swept = json.loads(done.stdout.splitlines()[-1])
    assert {t["name"] for t in swept["trials"]} == {"one rule", "tree"} and all(
        t["peak_mb"] > 20 for t in swept["trials"]
    )
    assert "n_estimators" in swept["failed"]["broken"] and swept["not_run"] == {
        "forest": "not run: the budget of 3 trials is used"
    }
    assert (
        swept["trials"][1]["test"] == "exact McNemar"
        and "/4] forest" in done.stderr
        and "beyond the budget" in done.stderr
    )
    assert submissions(place) == 0 and not (place / "runs/toy/submission.csv").exists()

    outcome = run_json(place)
    assert {t["name"]: t["reused"] for t in outcome["trials"]} == {
        "one rule": True,
        "tree": True,
        "forest": False,
    } and "broken" in outcome["failed"]

    rows = json.loads(fkp("board", "toy", "--json", cwd=place).stdout)
    assert (
        [r["name"] for r in rows][2:] == ["one rule", "broken"]
        and rows[0]["verdict"] == "best"
        and "n_estimators" in rows[-1]["error"]
    )
    assert (
        "Traceback" not in rows[-1]["error"]
        and "Traceback" in rows[-1]["traceback"]
        and rows[1]["test"] == "exact McNemar"
    )
    shown = fkp("board", "toy", cwd=place).stdout
    assert (
        "peak MB" in shown
        and "oof_score (accuracy)" in shown
        and shown.index("one rule") < shown.index("broken") < shown.index("failed: ")
    )


def test_a_sweep_that_measured_nothing_says_so_by_its_exit_status(place):
    (place / "bundles/toy/trials.py").write_text(
        'from fastkaggle_plus import Trial\nTRIALS = (Trial("broken", "forest.forest_model", {"n_trees": 1}),)'
    )
    done = fkp("sweep", "toy", "--bundles", "bundles", "--json", "--workers", 0, cwd=place)
    assert (
        done.returncode == 1
        and "n_trees" in json.loads(done.stdout.splitlines()[-1])["failed"]["broken"]
    )


def test_who_waits_for_another_run_says_so(place):
    told, lock = [], FileLock(place / "home/run.lock")
    watcher = Watcher()
    watcher.step = lambda name, detail="": (
        told.append(name),
        lock.release() if name == "waiting" else None,
    )
    (place / "home").mkdir()
    with lock:
        sweep(
            "toy",
            bundles=place / "bundles",
            dest=place / "home",
            trials=["one rule"],
            workers=0,
            watcher=watcher,
        )
    assert told[0] == "waiting"


def test_a_seed_that_is_none_is_refused(place):
    with pytest.raises(ConfigError, match="seed = -1"):
        sweep("toy", bundles=place / "bundles", dest=place / "home", seed=-1)


def test_a_sweep_of_chosen_trials_on_a_holdout_with_repeats(place):
    done = fkp(
        "sweep",
        "toy",
        "--bundles",
        "bundles",
        "--holdout",
        0.25,
        "--repeats",
        2,
        "--trials",
        "forest",
        "--workers",
        1,
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "2 trials, 25% held out, seed 42" in done.stdout
        and "forest #2" in done.stdout
        and "repeated trial" in done.stdout
    )
    found, failed = Vault(place / "runs/toy/vault").latest("toy")
    assert (
        {p.name for p in found} == {"forest", "forest #2"}
        and failed == {}
        and all(p.validated.sum() == 100 for p in found)
    )
    again = dict(bundles=place / "bundles", dest=place / "runs/toy", workers=0)
    with pytest.raises(ConfigError, match=r"take no `seed`.*: one rule"):
        sweep("toy", repeats=2, **again)
    with pytest.raises(UnknownName, match="Did you mean 'forest'"):
        sweep("toy", trials=["forrest"], **again)
    swept = sweep("toy", trials=["forest"], repeats=2, holdout=0.25, **again)
    assert all(r.reused for r in swept.results) and [s.name for s in swept.repeats] == ["forest"]


FAST = ["run", "toy", "--bundles", "bundles"]


def edit(file, **changes):
    frame = pd.read_csv(file)
    frame.assign(**changes).to_csv(file, index=False)


@pytest.mark.parametrize(
    ("facts", "train", "sample", "arguments", "words"),
    [
        (
            {"task": "regression", "metric": "rmsle"},
            {"y": -1.5},
            {},
            [],
            "rmsle needs targets of zero or more, and the smallest is -1.5",
        ),
        (
            {"task": "multiclass", "metric": "log_loss"},
            {"y": ["a", "b"] * 200},
            {"c": 0},
            [],
            "has the columns y, c, and the classes are a, b",
        ),
        (
            {"task": "multiclass", "metric": "map@3"},
            {"y": ["big cat", "b"] * 200},
            {},
            [],
            "the label 'big cat' holds a blank",
        ),
        ({}, {}, {}, ["--folds", "1"], "at least 2 folds, and 1 came"),
    ],
)
def test_what_would_fail_at_the_end_fails_before_the_first_trial(
    place, facts, train, sample, arguments, words
):
    toml = place / "bundles/toy/competition.toml"
    lines = [line for line in FACTS.splitlines() if line.split(" ")[0] not in facts]
    toml.write_text("\n".join([*(f"{k} = {json.dumps(v)}" for k, v in facts.items()), *lines]))
    edit(place / "bundles/toy/files/train.csv", **train)
    edit(place / "bundles/toy/files/sample_submission.csv", **sample)
    done = fkp(*FAST, *arguments, cwd=place)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, (
        done.stderr
    )
    assert "trials " not in done.stdout, done.stdout


def as_code_competition(place) -> None:
    "Make the toy take notebooks only, and hide all but three of its test rows."
    toy = place / "bundles/toy"
    (toy / "competition.toml").write_text(
        FACTS.replace("max_daily", "code_competition = true\nmax_daily")
    )
    (toy / "hidden").mkdir()
    for name in ("test.csv", "sample_submission.csv"):
        (toy / "files" / name).rename(toy / "hidden" / name)
        pd.read_csv(toy / "hidden" / name).head(3).to_csv(toy / "files" / name, index=False)


def test_a_code_competition_is_rehearsed_with_a_file_for_its_hidden_rows(place):
    as_code_competition(place)
    (place / "bundles/toy/trials.py").write_text(
        'from fastkaggle_plus import Trial\nTRIALS = (Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),)'
    )
    done = fkp("run", "toy", "--bundles", "bundles", "--json", "--workers", 0, cwd=place)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert (
        "toy is a code competition" in done.stderr
        and "`fkp push toy` rehearses the notebook" in done.stderr
    )
    assert (
        len(pd.read_csv(place / "runs/toy/submission.csv")) == 200
        and len(pd.read_csv(place / "bundles/toy/files/test.csv")) == 3
    )
    assert [outcome["public_score"], outcome["private_score"]] == pytest.approx(
        expected_scores(place), abs=1e-5
    ) and outcome["private_score"] > 0.6

    swept = json.loads(
        fkp(
            "sweep", "toy", "--bundles", "bundles", "--json", "--workers", 0, cwd=place
        ).stdout.splitlines()[-1]
    )
    assert all(t["reused"] for t in swept["trials"]) and submissions(place) == 1


def test_the_real_code_competition_takes_no_file_and_that_is_said_before_any_work(place):
    as_code_competition(place)
    done = fkp("run", place / "bundles/toy", "--live", "--dest", "runs/live", cwd=place)
    assert (
        done.returncode == 1 and "takes a notebook that Kaggle runs, not a file" in done.stderr
    ), done.stderr
    assert (
        "`fkp push toy --live`" in done.stderr
        and "`fkp sweep toy --live`" in done.stderr
        and not (place / "runs/live/vault").exists()
    )


def test_columns_left_out_are_named_and_brackets_are_shown_as_they_are(place):
    for file in ("train.csv", "test.csv"):
        edit(
            place / "bundles/toy/files" / file,
            notes="a remark that is far too long to be a category",
            flat=1,
        )
    (place / "bundles/toy/trials.py").write_text(
        TRIALS.replace('"tree"', '"tree [/v2]"').replace('"forest",', '"forest [bold]:smile:",')
    )
    done = fkp(*FAST, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["left_out"] == {"id": "id", "notes": "constant", "flat": "constant"}
    assert "columns   left out: notes (constant), flat (constant)" in done.stderr
    assert "tree [/v2]" in done.stderr and "forest [bold]:smile: 0.50" in done.stderr
    assert "notes (constant)" in Path(place / outcome["report"]).read_text()

    made = json.loads(
        fkp("ensemble", "toy", "tree [/v2]", "forest [bold]:smile:", "--json", cwd=place).stdout
    )
    assert (
        made["weights"] == {"tree [/v2]": 0.5, "forest [bold]:smile:": 0.5}
        and made["nested_score"] == made["oof_score"] > 0.6
    )
    shown = fkp("ensemble", "toy", "tree [/v2]", "forest [bold]:smile:", cwd=place).stdout
    assert "tree [/v2] 0.50" in shown and "nested" in shown


def test_a_folder_that_may_not_be_written_is_one_line(place):
    (place / "runs").write_text("in the way")
    done = fkp("run", "toy", "--bundles", "bundles", cwd=place)
    assert (
        done.returncode == 1
        and done.stderr.startswith("error: ")
        and "runs" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_from_the_folder_of_bundles_the_competitions_own_trials_are_found(tmp_path):
    bundle = make_toy(tmp_path / "bundles") / "toy"
    bundle.rename(bundle.with_name("titanic"))
    assert load_comp("titanic", bundles=".").module("data") is not None
    previous = Path.cwd()
    try:
        os.chdir(tmp_path / "bundles")
        assert (
            load_comp("titanic", bundles=".").module("data") is not None
        )  # the built-in one; the bundle has no data.py
    finally:
        os.chdir(previous)


@pytest.mark.slow
def test_interrupted_it_says_so_and_goes_on_later(place):
    slow = TRIALS.replace('{"n_estimators": 30}', '{"n_estimators": 3000}')
    (place / "bundles/toy/trials.py").write_text(slow)
    command = [sys.executable, "-m", "fastkaggle_plus", "run", "toy", "--bundles", "bundles"]
    listening = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731  # a shell's background jobs do not, nor what they start
    run = subprocess.Popen(
        command,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listening,
    )
    while "trials " not in run.stdout.readline():
        pass
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130 and "interrupted" in told and "Traceback" not in told


@pytest.mark.slow
def test_killed_at_any_moment_and_started_again_submits_once(place):
    rng = random.Random(0)
    start = time.monotonic()
    reference = run_json(place, "--dest", "reference")
    whole = time.monotonic() - start
    for _ in range(6):
        command = [sys.executable, "-m", "fastkaggle_plus", "run", "toy", "--bundles", "bundles"]
        run = subprocess.Popen(
            command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.3, 1.0) * whole)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    final = run_json(place)
    assert final["submission"]["sha256"] == reference["submission"]["sha256"]
    assert submissions(place / "runs") == 1
