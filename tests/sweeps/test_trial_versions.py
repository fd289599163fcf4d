"""Old runs of a trial stay comparable, and a change runs only the trials that use it again."""

import pytest

from fastkaggle_plus import compare
from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.sweeps import Sweep, Vault, run_local
from fastkaggle_plus.sweeps.trial_versions import all_versions, find_predictions

OWN = '''"""Own models."""
from numbers_of import columns

def knn_model(k=5):
    """Return the nearest rows."""
    from sklearn.neighbors import KNeighborsClassifier
    def fit(table):
        knn = KNeighborsClassifier(k).fit(columns(table), table.targs)
        return lambda rows: knn.predict_proba(columns(rows))  # (n, 2)
    return fit
'''
NUMBERS = 'def columns(table):\n    return table.x[["a", "b"]].fillna(0).to_numpy()\n'
TRIALS = """from fastkaggle_plus import Trial

STRENGTHS = (0.1, 1.0)

def line_model(strength=1.0):
    from sklearn.linear_model import LogisticRegression
    return LogisticRegression(C=1 / strength)

TRIALS = (
    *(Trial(f"line {s:g}", "line_model", {"strength": s}) for s in STRENGTHS),
    Trial("knn", "knn_model", {"k": 7}),
    Trial("tree", "tree_model", {"max_leaf_nodes": 4}),
)
"""
DATA = """from pathlib import Path
from fastkaggle_plus import load_comp

def read(path):
    data = load_comp(Path(__file__).parent).read_files(path)
    train, test = data.raw_train[list("abc")], data.raw_test[list("abc")]
    return data.with_features(train, test, cat_names=(), cont_names=tuple("abc"))
"""


@pytest.fixture
def own(toy):
    """The toy with own models, a grid and features."""
    for name, text in dict(own=OWN, numbers_of=NUMBERS, trials=TRIALS, data=DATA).items():
        (toy.folder / f"{name}.py").write_text(text)
    return toy


def edit(toy, name, old, new):
    file = toy.folder / f"{name}.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def ran(toy, vault, **split):
    """Run the declared trials, and return the names of those that were not reused."""
    trials = toy.module("trials").TRIALS
    results = run_local(
        Sweep("toy", trials, **{"n_folds": 3, **split}), toy, toy.folder, vault=vault, workers=0
    )
    assert not [r.error for r in results if r.failed]
    return {r.name for r in results if not r.reused}


EVERY = {"line 0.1", "line 1", "knn", "tree"}
LINES = {"line 0.1", "line 1"}
EDITS = {
    "docstring": ("own", '"""Own models."""', '"""Models of our own."""', set()),
    "comment": ("own", "  # (n, 2)", "  # one column a class", set()),
    "comment in data.py": ("data", "def read", "# reads\n\n\ndef read", set()),
    "own model": ("own", "lambda rows: knn", "lambda rows: 0.5 * 2 * knn", {"knn"}),
    "what it imports": ("numbers_of", '["a", "b"]', '["a", "c"]', {"knn"}),
    "a larger grid": ("trials", "(0.1, 1.0)", "(0.1, 1.0, 10.0)", {"line 10"}),
    "a model in trials.py": ("trials", "C=1 / strength", "C=2 / strength", LINES),
    "features": ("data", 'tuple("abc")', 'tuple("ab")', EVERY),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_change_runs_only_the_trials_that_use_it(own, tmp_path, name):
    vault = Vault(tmp_path / "vault")
    assert ran(own, vault) == EVERY and ran(own, vault) == set()
    file, old, new, expected = EDITS[name]
    edit(own, file, old, new)
    assert ran(own, vault) == expected


def test_a_table_that_the_code_names_counts_and_the_record_of_results_does_not(own, tmp_path):
    vault = Vault(tmp_path / "vault")
    edit(own, "data", "def read", 'USED = "levels.csv", "results.csv"\n\n\ndef read')
    for name in ("levels", "results"):
        (own.folder / f"{name}.csv").write_text("a\n1\n")
    assert ran(own, vault) == EVERY
    (own.folder / "results.csv").write_text("a\n2\n")  # `fkp run` writes it after the trials
    assert ran(own, vault) == set()
    (own.folder / "levels.csv").write_text("a\n2\n")
    assert ran(own, vault) == EVERY


def test_a_comment_in_the_facts_runs_nothing_and_another_split_runs_all(own, tmp_path):
    vault, facts = Vault(tmp_path / "vault"), own.folder / "competition.toml"
    ran(own, vault)
    facts.write_text('# Toy\ntitle = "Toy"\n' + facts.read_text())
    assert ran(type(own)(**{**own.model_dump(), "title": "Toy"}), vault) == set()
    assert ran(own, vault, seed=7) == EVERY


def test_code_that_imports_by_other_means_counts_every_file(own, tmp_path):
    vault = Vault(tmp_path / "vault")
    edit(own, "own", "from numbers_of import columns", "from importlib import import_module\n"
         "from pathlib import Path\nfrom fastkaggle_plus import load_comp\n"
         "columns = load_comp(Path(__file__).parent).module('numbers_of').columns")  # fmt: skip
    ran(own, vault)
    edit(own, "numbers_of", '["a", "b"]', '["a", "c"]')
    assert ran(own, vault) == {"knn"}


def test_versions_are_compared_by_name(own, tmp_path):
    vault = Vault(tmp_path / "vault")
    ran(own, vault)
    with pytest.raises(DataError, match="no earlier version"):
        find_predictions(vault, "toy", ["tree@before"])
    features, blind = 'data.raw_train[list("abc")]', 'data.raw_train[list("abc")].assign(a=0.0)'
    edit(own, "data", features, blind)
    ran(own, vault)
    before, now = find_predictions(vault, "toy", ["tree@before", "tree"])
    assert compare(before, now).gain > 0.1 and before.name == "tree@before"
    versions, others = all_versions(vault, "toy")
    assert len(versions) == 8 and others == []
    [old] = [p for p in versions if p.name.startswith("tree@")]
    assert set(old.about["version"]["changed"]) == {"features", "code"}
    assert old.about["version"]["date"].startswith("20")
    [same] = find_predictions(vault, "toy", [f"tree@{old.about['version']['hash'][:5]}"])
    assert same.oof_score == before.oof_score
    with pytest.raises(UnknownName, match="tree@before"):
        find_predictions(vault, "toy", ["tree@fffffff"])

    edit(own, "data", blind, features)  # back again: nothing runs
    assert ran(own, vault) == set()
    [back] = find_predictions(vault, "toy", ["tree"])
    assert back.oof_score == before.oof_score
    assert {p.oof_score for p in vault.latest("toy")[0]} >= {before.oof_score}


def test_other_folds_are_refused_and_the_same_ones_preferred(own, tmp_path):
    vault = Vault(tmp_path / "vault")
    ran(own, vault)
    ran(own, vault, seed=7)
    with pytest.raises(
        DataError, match=r"different folds .3 folds, stratified, seed 42, and 3 fold"
    ):
        find_predictions(vault, "toy", ["tree@before", "tree"])
    assert len(all_versions(vault, "toy")[1]) == 4
    edit(own, "data", 'tuple("abc")', 'tuple("ab")')
    ran(own, vault)  # again on the first folds
    assert len(find_predictions(vault, "toy", ["tree@before", "tree"])) == 2


def test_the_newest_run_counts_when_it_failed(own, tmp_path):
    vault = Vault(tmp_path / "vault")
    ran(own, vault)
    edit(own, "own", "KNeighborsClassifier(k)", "KNeighborsClassifier(-k)")
    with pytest.raises(AssertionError):
        ran(own, vault)
    found, failed = vault.latest("toy")
    assert list(failed) == ["knn"] and "knn" not in {p.name for p in found}
    with pytest.raises(DataError, match=r"newest run of 'knn' failed.*Its error: .+Error: [^\n]+$"):
        find_predictions(vault, "toy", ["knn"])
    assert find_predictions(vault, "toy", ["knn@before"])


def test_unknown_models_and_parameters_fail_before_anything_trains(own, tmp_path):
    vault = Vault(tmp_path / "vault")
    edit(own, "trials", '{"k": 7}', '{"n": 7}')
    with pytest.raises(ValueError, match="Trial 'knn': Unknown parameter of knn_model 'n'"):
        ran(own, vault)
    edit(own, "trials", '"knn_model", {"n": 7}', '"knnn_model"')
    with pytest.raises(ConfigError, match=r"Trial 'knn': .*Did you mean 'knn_model'"):
        ran(own, vault)
    assert vault.runs() == []


def test_an_old_vault_is_read(own, tmp_path):
    """Runs that an earlier release stored have no parts, and dates in whole seconds."""
    vault = Vault(tmp_path / "vault")
    ran(own, vault)
    with vault.database() as db, db.conn:
        db.execute("update runs set facts = '{}', key = 'a' || key, date = '2026-01-02T03:04:05'")
    assert ran(own, vault) == EVERY
    before, now = find_predictions(vault, "toy", ["tree@before", "tree"])
    assert compare(before, now).gain == 0
    versions = {p.name: p.about["version"] for p in all_versions(vault, "toy")[0]}
    assert len(versions) == 8
    assert all(v["date"] == "2026-01-02" for name, v in versions.items() if "@" in name)
