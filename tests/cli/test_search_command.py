"""`fkp search` runs what trials.py declares, and the board says which trials were stopped."""

import json

import pytest

from ..workflow.toy import fkp, make_toy

SEARCH = """
from fastkaggle_plus import Range, Search
SEARCH = Search(
    Trial("tree", "tree_model"), {"max_leaf_nodes": Range(2, 60), "min_samples_leaf": [1, 10]}, 12
)
"""
COMMAND = ("search", "toy", "--bundles", "bundles", "--workers", 0, "--folds", 3)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    at = tmp_path_factory.mktemp("search")
    make_toy(at / "bundles")
    trials = at / "bundles/toy/trials.py"
    trials.write_text(trials.read_text() + SEARCH)
    return at


def test_a_search_shows_the_corrected_score_and_the_trial_to_declare(place):
    done = fkp(*COMMAND, "--n-trials", 8, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "corrected for choosing among 8" in done.stdout
    assert 'declare   Trial("tree max_leaf_nodes=' in done.stdout
    assert '"search: max_leaf_nodes, min_samples_leaf"),' in done.stdout

    done = fkp(*COMMAND, "--json", cwd=place)
    found = json.loads(done.stdout)
    assert "8 of 12 trials were already in the vault" in done.stderr
    names = {row["name"] for row in found["trials"]}
    assert found["pruned"] and not names & set(found["pruned"])
    assert len(names) + len(found["pruned"]) == found["winner"]["n_tried"] == 12
    fitted = 3 * len(names) + sum(map(len, found["pruned"].values()))
    assert found["folds_fitted"] == fitted < 36
    assert found["best"]["name"] == found["winner"]["name"] == found["trials"][0]["name"]

    board = fkp("board", "toy", cwd=place)
    n = len(found["pruned"])
    assert f"pruned: {n} trial" in board.stdout and "not ranked" in board.stdout
    assert next(iter(found["pruned"])) not in board.stdout


def test_a_search_that_is_not_declared_is_named_with_those_that_are(place):
    done = fkp(*COMMAND, "--list", "DEEP", cwd=place)
    assert done.returncode == 1 and "Unknown search 'DEEP'" in done.stderr
    assert "SEARCH" in done.stderr
