"""`fkp run` and `fkp sweep` in the sandbox: scored, reproducible, resumable, nothing sent twice."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from fastkaggle_plus import Vault, load_comp, sweep
from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.workflow.callbacks import RunCallbacks

from .toy import (
    FACTS,
    TRIALS,
    expected_scores,
    fkp,
    fkp_process,
    last_json,
    make_code_competition,
    make_toy,
    run_json,
    submissions,
)

RUN = ("run", "toy", "--bundles", "bundles", "--workers", 0)
BROKEN = "def broken_model():\n    raise RuntimeError('failed on purpose')\n"
ONE_TRIAL = """from fastkaggle_plus import Trial
TRIALS = (Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),)
"""


@pytest.fixture
def place(tmp_path):
    make_toy(tmp_path / "bundles")
    return tmp_path


def edit_csv(file, **columns):
    frame = pd.read_csv(file)
    frame.assign(**columns).to_csv(file, index=False)


def test_a_run_is_scored_and_a_second_run_reuses_it(place):
    first = run_json(place)
    assert [t["name"] for t in first["trials"]][-1] == "one rule" and first["failed"] == {}
    scores = [first["public_score"], first["private_score"]]
    assert scores == pytest.approx(expected_scores(place), abs=1e-5)
    assert first["ensemble"]["nested_score"] > 0.7 and first["submission"]["sent"]
    file = place / first["submission"]["path"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == first["submission"]["sha256"]
    html = (place / first["report"]).read_text()
    assert html.count("<svg") >= 4 and "one rule" in html
    assert "http-equiv" not in html and "src=" not in html

    again = run_json(place)
    assert all(t["reused"] for t in again["trials"])
    assert not again["submission"]["sent"] and submissions(place) == 1
    assert again["submission"]["sha256"] == first["submission"]["sha256"]
    assert again["public_score"] == first["public_score"]


def test_the_text_says_what_was_reused(place):
    first, again = (fkp(*RUN, cwd=place).stdout for _ in range(2))
    for words in (
        "CV score (accuracy)",
        "best",
        "nested",
        "public 0.",
        "private 0.",
        "rank",
        "sample submission",
        "time ",
        "verified and unpacked",
        "trials: ",
        "reading ",
    ):
        assert words in first, first
    assert "already in" in again and "was not sent again" in again
    assert "3 of 3 trials were already in the vault: not run again" in again


def test_the_same_seed_gives_the_same_bytes_elsewhere(place, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    make_toy(other / "bundles")
    in_processes = last_json(fkp_process("run", "toy", "--bundles", "bundles", "--json", cwd=other))
    assert run_json(place)["submission"]["sha256"] == in_processes["submission"]["sha256"]


def test_a_missing_competition_or_file_is_named(place):
    assert "Did you mean 'toy'" in fkp("run", "tou", "--bundles", "bundles", cwd=place).stderr
    (place / "bundles/toy/files/test.csv").unlink()
    done = fkp(*RUN, cwd=place)
    assert done.returncode == 1 and "test.csv" in done.stderr


def test_a_folder_with_labelled_rows_is_rehearsed(place):
    run = ("run", "toy", "--workers", 0, "--data", "bundles/toy/files")
    done = fkp(*run, "--bundles", "bundles", cwd=place)
    assert done.returncode == 1 and "one of" in done.stderr.lower()
    own = place / "competitions/toy"
    own.mkdir(parents=True)
    (place / "bundles/toy/competition.toml").rename(place / "bundles/toy/kept")
    (own / "competition.toml").write_text(FACTS)
    (own / "trials.py").write_text(TRIALS)
    assert last_json(fkp(*run, "--json", cwd=place))["private_score"] > 0.6

    (own / "trials.py").write_text(TRIALS.replace("30", "20"))  # other trials, the same rows
    done = fkp(*run, "--json", cwd=place)
    assert "download  already in" in done.stderr and submissions(place) == 2
    assert "2 of 3 trials were already in the vault" in done.stderr
    assert len(list(place.glob("runs/toy/rehearsal-*"))) == 1
    edit_csv(place / "bundles/toy/files/train.csv", a=0.0)
    assert "download  verified and unpacked" in fkp(*run, cwd=place).stdout


def test_a_sweep_measures_into_the_vault_that_a_run_uses(place):
    broken = 'Trial("broken", "broken_model", in_ensemble=False)'
    (place / "bundles/toy/own.py").write_text(BROKEN)
    declared = TRIALS.replace('Trial("one rule"', f'{broken},\n    Trial("one rule"')
    (place / "bundles/toy/trials.py").write_text(declared)
    command = ("sweep", "toy", "--bundles", "bundles", "--json", "--max-trials", 3)
    assert fkp(*command, cwd=place).returncode == 1  # without --keep-going
    shutil.rmtree(place / "runs")
    done = fkp(*command, "--keep-going", cwd=place)
    swept = last_json(done)
    assert {t["name"] for t in swept["trials"]} == {"one rule", "tree"}
    assert all(t["peak_mb"] > 20 for t in swept["trials"])
    assert "on purpose" in swept["failed"]["broken"]
    assert swept["not_run"] == {"forest": "not run: the budget of 3 trials is used"}
    assert "max-T of all pairs" in swept["trials"][1]["test"]
    assert "/4] forest" in done.stderr and "the budget of 3 trials is used" in done.stderr
    assert submissions(place) == 0 and not (place / "runs/toy/submission.csv").exists()

    done = fkp(*RUN, cwd=place)
    assert done.returncode == 1 and submissions(place) == 0
    assert "1 of 4 trials failed, so nothing was submitted" in done.stderr
    outcome = run_json(place, "--keep-going")
    assert outcome["submission"]["sent"]
    reused = {t["name"]: t["reused"] for t in outcome["trials"]}
    assert reused == {"one rule": True, "tree": True, "forest": True}
    assert "broken" in outcome["failed"]

    rows = json.loads(fkp("board", "toy", "--json", cwd=place).stdout)
    assert [r["name"] for r in rows][2:] == ["one rule", "broken"]
    assert rows[0]["verdict"] == "best" and "max-T" in rows[1]["test"]
    assert "on purpose" in rows[-1]["error"] and "Traceback" not in rows[-1]["error"]
    assert "Traceback" in rows[-1]["traceback"]
    shown = fkp("board", "toy", cwd=place).stdout
    assert "peak MB" in shown and "CV score (accuracy)" in shown
    assert shown.index("one rule") < shown.index("broken") < shown.index("failed: ")


def test_an_unknown_parameter_stops_a_sweep_before_it_trains(place):
    (place / "bundles/toy/trials.py").write_text(
        "from fastkaggle_plus import Trial\n"
        'TRIALS = (Trial("broken", "forest.forest_model", {"n_trees": 1}),)\n'
    )
    command = ("sweep", "toy", "--bundles", "bundles", "--json", "--workers", 0)
    done = fkp(*command, cwd=place)
    assert done.returncode == 1
    assert "Trial 'broken': Unknown parameter" in done.stderr and "n_trees" in done.stderr
    assert not list(place.rglob("*.npz"))


def test_waiting_for_another_run_is_reported(place):
    lock = FileLock(place / "home/run.lock")
    steps = []

    class Release(RunCallbacks):
        def on_step(self, name, detail=""):
            steps.append(name)
            if name == "waiting":
                lock.release()

    (place / "home").mkdir()
    options = dict(bundles=place / "bundles", dest=place / "home", trials=["one rule"])
    with lock:
        sweep("toy", workers=0, callbacks=Release(), **options)
    assert steps[0] == "waiting"


def test_an_invalid_seed_is_refused(place):
    with pytest.raises(ConfigError, match="seed = -1"):
        sweep("toy", bundles=place / "bundles", dest=place / "home", seed=-1)


def test_a_sweep_of_chosen_trials_on_a_holdout_with_repeats(place):
    command = ("sweep", "toy", "--bundles", "bundles", "--trials", "forest", "--workers", 0)
    done = fkp(*command, "--holdout", 0.25, "--repeats", 2, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "2 trials, 25% held out, seed 42" in done.stdout
    assert "forest #2" in done.stdout and "repeated trial" in done.stdout
    found, failed = Vault(place / "runs/toy/vault").latest("toy")
    assert {p.name for p in found} == {"forest", "forest #2"} and failed == {}
    assert all(p.validated.sum() == 100 for p in found)
    assert (found[0].folds != found[1].folds).any()
    again = dict(bundles=place / "bundles", dest=place / "runs/toy", workers=0)
    with pytest.raises(UnknownName, match="Did you mean 'forest'"):
        sweep("toy", trials=["forrest"], **again)
    both = ["forest", "one rule"]  # the rule has no seed: only its splits differ
    swept = sweep("toy", trials=both, repeats=2, holdout=0.25, **again)
    assert [r.name for r in swept.results if not r.reused] == ["one rule", "one rule #2"]
    assert [s.name for s in swept.repeats] == both


def test_trials_are_compared_as_fits_and_if_repeated_as_recipes(place):
    command = ("sweep", "toy", "--bundles", "bundles", "--workers", 0, "--folds", 2)
    names = ("--trials", "tree", "--trials", "one rule")
    assert fkp(*command, *names, cwd=place).returncode == 0
    fits = fkp("compare", "toy", "tree", "one rule", cwd=place).stdout
    assert fits.startswith("fits: tree 0.") and "recipes:" not in fits
    advice = "fkp sweep toy --repeats 3 --trials tree --trials 'one rule'"
    assert fits.endswith(f"repeat both: {advice}\n")
    known = json.loads(fkp("compare", "toy", "tree", "one rule", "--json", cwd=place).stdout)
    assert (known["decides"], known["recipes"], known["to_repeat"]) == ("fits", None, advice)

    assert fkp(*command, *names, "--repeats", 3, cwd=place).returncode == 0
    both = fkp("compare", "toy", "tree", "one rule", "--rope", 0.01, cwd=place).stdout
    lines = both.splitlines()
    assert lines[0] == fits.splitlines()[0]
    assert lines[1].startswith("recipes: tree 0.") and "over 3 repeats x 2 folds" in lines[1]
    assert "P(within 0.01)" in lines[1] and lines[2].startswith("The recipes decide")
    known = json.loads(fkp("compare", "toy", "tree", "one rule", "--json", cwd=place).stdout)
    assert known["decides"] == "recipes" and known["recipes"]["n_repeats"] == 3
    assert known["fits"]["a"] == known["recipes"]["a"] == "tree"
    edited = TRIALS.replace('"max_leaf_nodes": 4', '"max_leaf_nodes": 3')
    (place / "bundles/toy/trials.py").write_text(edited)
    assert fkp(*command, *names, cwd=place).returncode == 0
    assert "recipes:" not in fkp("compare", "toy", "tree", "one rule", cwd=place).stdout


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
        ({}, {}, {}, ["--folds", "1"], "at least 2 folds, got 1"),
    ],
)
def test_errors_of_the_last_steps_appear_before_the_first_trial(
    place, facts, train, sample, arguments, words
):
    toml = place / "bundles/toy/competition.toml"
    kept = [line for line in FACTS.splitlines() if line.split(" ")[0] not in facts]
    toml.write_text("\n".join([*(f"{k} = {json.dumps(v)}" for k, v in facts.items()), *kept]))
    edit_csv(place / "bundles/toy/files/train.csv", **train)
    edit_csv(place / "bundles/toy/files/sample_submission.csv", **sample)
    done = fkp(*RUN, *arguments, cwd=place)
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert "trials " not in done.stdout, done.stdout


def test_a_code_competition_is_rehearsed_with_a_file_for_its_hidden_rows(place):
    make_code_competition(place)
    (place / "bundles/toy/trials.py").write_text(ONE_TRIAL)
    done = fkp(*RUN, "--json", cwd=place)
    outcome = last_json(done)
    assert "toy is a code competition" in done.stderr
    assert "`fkp push toy` rehearses the notebook" in done.stderr
    assert len(pd.read_csv(place / "runs/toy/submission.csv")) == 200
    assert len(pd.read_csv(place / "bundles/toy/files/test.csv")) == 3
    scores = [outcome["public_score"], outcome["private_score"]]
    assert scores == pytest.approx(expected_scores(place), abs=1e-5) and scores[1] > 0.6

    command = ("sweep", "toy", "--bundles", "bundles", "--json", "--workers", 0)
    swept = last_json(fkp(*command, cwd=place))
    assert all(t["reused"] for t in swept["trials"]) and submissions(place) == 1


def test_a_real_code_competition_refuses_a_file_before_any_work(place):
    make_code_competition(place)
    done = fkp("run", place / "bundles/toy", "--live", "--yes", cwd=place)
    assert done.returncode == 1
    assert "takes a notebook that Kaggle runs, not a file" in done.stderr, done.stderr
    assert "`fkp push toy --live`" in done.stderr and "`fkp sweep toy --live`" in done.stderr
    assert not (place / "runs/toy/live/vault").exists()


def test_columns_left_out_are_named_and_brackets_are_printed_unchanged(place):
    notes = "a remark that is far too long to be a category"
    for file in ("train.csv", "test.csv"):
        table = place / "bundles/toy/files" / file
        days = range(len(pd.read_csv(table)))
        edit_csv(table, notes=notes, flat=1, clock=days if file == "train.csv" else 9999)
    declared = TRIALS.replace('"tree"', '"tree [/v2]"')
    declared = declared.replace('"forest",', '"forest [bold]:smile:",')
    (place / "bundles/toy/trials.py").write_text(declared)
    done = fkp(*RUN, "--json", cwd=place)
    outcome = last_json(done)
    assert outcome["left_out"] == {"id": "id", "notes": "constant", "flat": "constant"}
    assert "columns   left out: notes (constant), flat (constant)" in done.stderr
    assert outcome["notes"] == {"clock": "100% of the test rows are beyond the training range"}
    assert "notes     clock (100% of the test rows" in done.stderr
    assert "Features that trees cannot extrapolate" in Path(place / outcome["report"]).read_text()
    assert "tree [/v2]" in done.stderr and "forest [bold]:smile: 0.50" in done.stderr
    assert "notes (constant)" in Path(place / outcome["report"]).read_text()

    command = ("ensemble", "toy", "tree [/v2]", "forest [bold]:smile:")
    made = json.loads(fkp(*command, "--json", cwd=place).stdout)
    assert made["weights"] == {"tree [/v2]": 0.5, "forest [bold]:smile:": 0.5}
    assert made["nested_score"] == made["oof_score"] > 0.6
    shown = fkp(*command, cwd=place).stdout
    assert "tree [/v2] 0.50" in shown and "nested" in shown
    given = ("ensemble", "toy", "--json", "--weights")
    made = json.loads(fkp(*given, "tree [/v2]=3,forest [bold]:smile:=1", cwd=place).stdout)
    assert made["weights"] == {"tree [/v2]": 0.75, "forest [bold]:smile:": 0.25}
    for weights, words in (
        ("tre=1", "Unknown trial 'tre'"),
        ("tree [/v2]=0", "positive sum"),
        ("tree [/v2]=one", "as in a=0.7,b=0.3"),
        ("tree [/v2]=1,tree [/v2]=2", "each trial once"),
        ("", "Name the trials to combine, or give --weights"),
    ):
        done = fkp(*given, weights, cwd=place)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    said = fkp("compare", "toy", "tree [/v2]", "forest [bold]:smile:", cwd=place).stdout
    assert re.match(
        r"fits: tree \[/v2\] 0\.\d{3} vs forest \[bold\]:smile: 0\.\d{3} \(accuracy, hi", said
    )


def test_a_folder_that_is_not_writable_is_one_line(place):
    (place / "runs").write_text("in the way")
    done = fkp("run", "toy", "--bundles", "bundles", cwd=place)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "runs" in done.stderr


def test_the_competitions_own_modules_are_found_from_the_folder_of_bundles(tmp_path, monkeypatch):
    bundle = make_toy(tmp_path / "bundles") / "toy"
    bundle.rename(bundle.with_name("titanic"))
    assert load_comp("titanic", bundles=".").module("data") is not None
    monkeypatch.chdir(tmp_path / "bundles")
    # The bundle has no data.py: this is the built-in one.
    assert load_comp("titanic", bundles=".").module("data") is not None


def start_run(cwd, **options):
    command = [sys.executable, "-m", "fastkaggle_plus", "run", "toy", "--bundles", "bundles"]
    return subprocess.Popen(command, cwd=cwd, **options)


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_resume(place):
    slow = TRIALS.replace('{"n_estimators": 30}', '{"n_estimators": 3000}')
    (place / "bundles/toy/trials.py").write_text(slow)
    run = start_run(
        place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and the processes they start, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while "trials " not in run.stdout.readline():
        pass
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 130 and "interrupted" in stderr and "Traceback" not in stderr


@pytest.mark.slow
def test_a_run_killed_at_any_moment_and_started_again_submits_once(place):
    rng = random.Random(0)
    start = time.monotonic()
    reference = last_json(
        fkp_process(
            "run", "toy", "--bundles", "bundles", "--json", "--dest", "reference", cwd=place
        )
    )
    whole_s = time.monotonic() - start
    for _ in range(6):
        run = start_run(place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * whole_s)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    final = run_json(place)
    assert final["submission"]["sha256"] == reference["submission"]["sha256"]
    assert submissions(place / "runs") == 1
