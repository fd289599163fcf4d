"""The board, and what a vault holds of it."""

import pytest

from fastkaggle_plus.sweeps import Sweep, Trial, board, in_vault, run_local
from fastkaggle_plus.sweeps.vault import Vault

TREES = tuple(Trial(f"tree{n}", "forest.tree_model", {"max_leaf_nodes": n}) for n in (2, 8))


@pytest.fixture
def vault(toy, tmp_path):
    return Vault(tmp_path / "vault")


def sweep(toy, vault, *trials, **kw):
    return run_local(Sweep("toy", trials, n_folds=3, **kw), toy, toy.folder, vault=vault, workers=0)


def test_a_row_tells_score_memory_and_an_exact_test(toy, tmp_path, vault):
    results = run_local(Sweep("toy", TREES, n_folds=3), toy, toy.folder, vault=vault, workers=1)
    best, other = rows = board(results)
    assert (
        best.to_best is None
        and other.to_best.test == "exact McNemar"
        and other.to_best.n_rows == 200
    )
    assert [20 < r.peak_mb < 2000 for r in rows] == [True, True] and best.gpu_peak_mb is None
    plain = other.as_json()
    assert (
        plain["p_value"] == other.to_best.p_value
        and plain["to_best"] == other.to_best.gain <= 0
        and plain["peak_mb"] == other.peak_mb
    )
    assert [(r.name, r.oof_score, r.peak_mb) for r in board(in_vault(vault, "toy")[0])] == [
        (r.name, r.oof_score, r.peak_mb) for r in rows
    ]


def test_a_vault_tells_what_failed_until_it_works(toy, vault):
    sweep(toy, vault, *TREES, Trial("bad", "models.broken"))
    found, failed = in_vault(vault, "toy")
    assert (
        {p.name for p in found} == {"tree2", "tree8"}
        and list(failed) == ["bad"]
        and failed["bad"].strip().endswith("the wheel came off")
    )
    models = toy.folder / "models.py"
    models.write_text(
        models.read_text().replace(
            'raise RuntimeError("the wheel came off")', "return tree_model()"
        )
    )
    sweep(toy, vault, *TREES, Trial("bad", "models.broken"))
    found, failed = in_vault(vault, "toy")
    assert {p.name for p in found} == {"tree2", "tree8", "bad"} and failed == {}
    assert in_vault(vault, "other") == ([], {})


def test_rows_of_another_split_are_not_in_one_table(toy, vault):
    sweep(toy, vault, *TREES)
    sweep(toy, vault, TREES[0], holdout=0.25)
    assert [(p.name, len(p.fold_scores)) for p in in_vault(vault, "toy")[0]] == [("tree2", 1)]
    sweep(toy, vault, TREES[1], holdout=0.25)
    assert {(p.name, len(p.fold_scores)) for p in in_vault(vault, "toy")[0]} == {
        ("tree2", 1),
        ("tree8", 1),
    }
