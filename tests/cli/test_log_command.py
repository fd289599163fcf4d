"""`fkp log` lists each hypothesis with its answer, and writes the log as a notebook."""

import json
import re
import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from ..workflow.toy import fkp, make_toy, run_json

TRIALS = """from fastkaggle_plus import Trial, experiment

ENSEMBLE = "mean"
STUMP = Trial("stump", "forest.tree_model", {"max_leaf_nodes": 2}, "One <question> is a start.")
TRIALS = (
    STUMP,
    experiment("Eight answers see more.", base=STUMP, change={"max_leaf_nodes": 8}, expect=0.02),
    experiment("The seed is luck.", base=STUMP, change={"seed": 3}, expect=0.1, name="[s] seed"),
)
LATER = (
    experiment("Forty answers see all.", base=STUMP, change={"max_leaf_nodes": 40}, name="forty"),
)
"""
EIGHT = "stump max_leaf_nodes=8"


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    place = tmp_path_factory.mktemp("toy")
    make_toy(place / "bundles")
    (place / "bundles/toy/trials.py").write_text(TRIALS)
    run_json(place)
    return place


@pytest.fixture
def place(run_once, tmp_path):
    return shutil.copytree(run_once, tmp_path / "copy")


def test_the_log_has_each_hypothesis_with_its_answer(place):
    done = fkp("log", "toy", cwd=place)
    assert done.returncode == 0, done.stderr
    first, eight, seed, end = re.split(r"\n(?=\d\. |\n)", done.stdout.rstrip())
    assert first.startswith("1. One <question> is a start.\n   stump\n   on the board: ")
    assert f"   {EIGHT}: stump, with max_leaf_nodes = 8 instead of 2\n" in eight
    line = r"   expected \+0.0200, got [+-]0.\d{4} ± 0.\d{4}: (better|cannot be told apart), "
    assert re.search(line, eight) and re.search(r"p = \S+ \(.+\), adjusted \d", eight)
    assert re.search(r"accuracy 0.\d{4} ± 0.\d{4}, 20\d\d-\d\d-\d\d, version \w{7}", eight)
    assert (
        "expected +0.1000, got +0.0000 ± 0.0000: cannot be told apart, the change made no" in seed
    )
    assert "2 experiments were tested" in end and "Forty" not in done.stdout


def test_a_list_appears_when_one_of_its_trials_has_run(place):
    sweep = ("sweep", "toy", "--bundles", "bundles", "--workers", 0, "--list", "LATER")
    assert fkp(*sweep, cwd=place).returncode == 0
    shown = json.loads(fkp("log", "toy", "--json", cwd=place).stdout)
    names = [entry["name"] for entry in shown["hypotheses"]]
    assert names == ["stump", EIGHT, "[s] seed", "forty"]
    forty = shown["hypotheses"][3]
    assert forty["base"] == "stump" and forty["gain"] and "3 experiments" in shown["summary"]
    assert forty["change"] == "max_leaf_nodes = 40 instead of 2" and forty["expect"] is None
    board = json.loads(fkp("board", "toy", "--json", cwd=place).stdout)
    by_name = {row["name"]: row for row in board}
    assert by_name["forty"]["answer"] == forty["answer"]
    assert by_name["forty"]["hypothesis"] == "Forty answers see all."


def test_board_and_report_answer_the_hypotheses(place):
    entries = json.loads(fkp("log", "toy", "--json", cwd=place).stdout)["hypotheses"]
    answer = next(e["answer"] for e in entries if e["name"] == EIGHT)
    assert answer in " ".join(fkp("board", "toy", cwd=place).stdout.split())
    page = (place / "runs/toy/report.html").read_text("utf-8")
    assert f'Eight answers see more.<div class="quiet">{answer}</div>' in page
    assert "2 experiments were tested against their base" in page


@pytest.mark.slow
def test_the_log_as_a_notebook_tells_the_story_and_runs(place):
    file = place / "stories/toy.ipynb"
    done = fkp("log", "toy", "--notebook", "stories/toy.ipynb", cwd=place)
    assert done.returncode == 0 and done.stdout.rstrip().endswith("stories/toy.ipynb"), done.stderr
    notebook = nbformat.read(file, 4)
    nbformat.validate(notebook)
    story = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    titles = [text.splitlines()[0] for text in story if text.startswith("#")]
    assert titles == [
        "# toy: what worked, and what did not",
        "## Which changes helped?",
        "## 1. One <question> is a start.",
        "## 2. Eight answers see more.",
        "## 3. The seed is luck.",
        "## What next?",
    ]
    text = "\n".join(story)
    assert (
        "is stump with max_leaf_nodes = 8 instead of 2. Before it ran, we expected a gain" in text
    )
    assert "2 experiments were tested" in text and str(place) not in file.read_text("utf-8")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    plots = [o for cell in code for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(plots) == 3 and all(cell.outputs for cell in code[1:])
    shutil.rmtree(place / "bundles")  # it needs the vault only
    resources = {"metadata": {"path": str(file.parent)}}
    again = NotebookClient(nbformat.read(file, 4), timeout=120, resources=resources).execute()
    texts = [[o.get("text") for o in c.outputs] for c in again.cells if c.cell_type == "code"]
    assert texts == [[o.get("text") for o in cell.outputs] for cell in code]


def test_without_a_run_it_says_what_to_do(tmp_path):
    done = fkp("log", "titanic", cwd=tmp_path)
    assert done.returncode == 1 and "fkp sweep titanic" in done.stderr
