"""A small hand-made competition, and `fkp` as a function, for the tests of the workflow."""

import contextlib
import csv
import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd

from fastkaggle_plus.cli import main

# What a run imports: a process that is forked with it starts in milliseconds.
RUN_IMPORTS = tuple(
    f"fastkaggle_plus.{name}"
    for name in (
        "cli",
        "workflow.run",
        "modeling.tabular.forest",
        "reporting.report",
        "sandbox.server",
    )
)
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
    """Write a bundle as a user would, with trials, and return its parent folder."""
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


def make_code_competition(place: Path) -> None:
    """Let the toy accept notebooks only, and hide all but three of its test rows."""
    toy = place / "bundles/toy"
    facts = (toy / "competition.toml").read_text()
    (toy / "competition.toml").write_text(
        facts.replace("max_daily", "code_competition = true\nmax_daily")
    )
    (toy / "hidden").mkdir()
    for name in ("test.csv", "sample_submission.csv"):
        (toy / "files" / name).rename(toy / "hidden" / name)
        lines = (toy / "hidden" / name).read_text().splitlines(keepends=True)
        (toy / "files" / name).write_text("".join(lines[:4]))


def fkp(*arguments, cwd):
    """Run `fkp` in this process; return its exit status and output."""
    out, err, returncode = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["fkp", *map(str, arguments)]),
    ):
        try:
            main()
        except SystemExit as e:
            returncode = e.code if isinstance(e.code, int) else int(e.code is not None)
            if isinstance(e.code, str):
                err.write(f"{e.code}\n")
    return SimpleNamespace(returncode=returncode, stdout=out.getvalue(), stderr=err.getvalue())


def fkp_process(*arguments, cwd, **options):
    """Run `fkp` in its own process and wait for it."""
    command = [sys.executable, "-m", "fastkaggle_plus", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)


def last_json(done):
    """Return the JSON value of a run, a sweep or a push that succeeded."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def run_json(cwd, *arguments):
    """Run the toy in this process, its trials too, and return its JSON."""
    command = ("run", "toy", "--bundles", "bundles", "--json", "--workers", 0)
    return last_json(fkp(*command, *arguments, cwd=cwd))


def count_rows(cwd, query: str) -> int:
    """Sum a count over the databases of all sandboxes under a folder."""
    count = 0
    for db in Path(cwd).rglob("sandbox/*.db"):
        with sqlite3.connect(db) as connection:
            count += connection.execute(query).fetchone()[0]
    return count


def submissions(cwd) -> int:
    """Count the submissions in the sandboxes under a folder."""
    return count_rows(cwd, "select count(*) from submissions where not is_reference")


def expected_scores(place):
    """Return the public and private accuracy of the toy's submission.csv."""
    with (place / "runs/toy/submission.csv").open() as f:
        answers = {row["id"]: row["y"] for row in csv.DictReader(f)}
    with (place / "bundles/toy/solution.csv").open() as f:
        truth = list(csv.DictReader(f))
    return [
        np.mean([answers[r["id"]] == r["y"] for r in truth if r["Usage"] == part])
        for part in ("Public", "Private")
    ]
