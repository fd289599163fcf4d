"""The trials of a competition: its own, or one of each model family that is installed."""

import sys
from pathlib import Path

import pytest

from fastkaggle_plus.competition import Competition, load_comp
from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.modeling import find_model
from fastkaggle_plus.modeling.text import weights
from fastkaggle_plus.modeling.text.weights import find_weights
from fastkaggle_plus.sweeps.default_trials import default_trials, trials_of
from fastkaggle_plus.sweeps.trial import Trial

defaults = sys.modules[default_trials.__module__]  # the package has a function of this name
FACTS = dict(slug="c", task="binary", metric="accuracy", id="id", target="y")


def make(folder, code):
    (folder / "c").mkdir(exist_ok=True)
    (folder / "c" / "competition.toml").write_text(
        'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
    )
    (folder / "c" / "trials.py").write_text(f"from fastkaggle_plus.sweeps import Trial\n{code}\n")
    return load_comp(folder / "c")


def test_default_trials_name_models_that_exist():
    comp = Competition(**FACTS)
    trials = default_trials(comp)
    assert len({t.name for t in trials}) == len(trials) >= 4
    for trial in trials:
        assert callable(find_model(trial.model, comp)) and trial.hypothesis
    assert not {t.name: t for t in trials}["one_r"].in_ensemble


def test_default_trials_leave_out_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(defaults, "find_spec", lambda name: name == "xgboost" or None)
    assert [t.name for t in default_trials(Competition(**FACTS))] == [
        "one_r",
        "forest",
        "hist_gb",
        "ridge",
        "xgboost",
    ]
    monkeypatch.setattr(defaults, "find_spec", lambda name: True)
    assert [t.name for t in default_trials(Competition(**FACTS))][-4:] == [
        "lightgbm",
        "xgboost",
        "catboost",
        "tabular",
    ]
    assert "tabular" not in {t.name for t in default_trials(Competition(**FACTS, kind="images"))}


def test_a_language_model_is_a_default_trial_if_it_is_on_this_machine(monkeypatch):
    words = Competition(**FACTS, kind="text")
    [trial] = [t for t in default_trials(words) if t.name == "language model"]
    found = find_weights(trial.params["arch"])
    assert (
        found.arch == trial.params["arch"]
        and found.folder.is_dir()
        and callable(find_model(trial.model, words))
    )
    assert "language model" not in {t.name for t in default_trials(Competition(**FACTS))}
    monkeypatch.setattr(weights, "PACKAGES", {})
    monkeypatch.setattr(weights, "_cached_config", lambda arch: "")
    monkeypatch.setattr(weights, "weights_folder", lambda: Path("nowhere"))
    assert "language model" not in {t.name for t in default_trials(words)}
    monkeypatch.setattr(defaults, "find_spec", lambda name: name == "xgboost" or None)
    assert [t.name for t in default_trials(words)] == [
        "one_r",
        "forest",
        "hist_gb",
        "ridge",
        "xgboost",
    ]


def test_without_own_trials_the_defaults_run():
    comp = Competition(**FACTS)
    assert trials_of(comp) == default_trials(comp)


def test_own_trials(tmp_path):
    code = (
        'Trial("a", "forest.forest_model"), Trial("b", "forest.tree_model", {"max_leaf_nodes": 9})'
    )
    assert trials_of(make(tmp_path, f"TRIALS = [{code}]")) == (
        Trial("a", "forest.forest_model"),
        Trial("b", "forest.tree_model", {"max_leaf_nodes": 9}),
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", r"trials\.py: TRIALS must be a tuple of Trial, and it is not there"),
        ("TRIALS = ()", "it is empty"),
        ("TRIALS = 'forest'", "it is a str"),
        (
            "TRIALS = ('forest.forest_model',)",
            "contains 'forest.forest_model', which is not a Trial",
        ),
        ("TRIALS = (Trial('a', 'x.y'), Trial('a', 'x.z'))", "Two trials are called 'a'"),
        ("TRIALS = (Trial('a', 'a forest'),)", "expected the name of a model"),
        ("TRIALS = (Trial('a', 'x.y', {'f': len}),)", "params must be plain data"),
        ("TRIALS = (oops,)", r"does not load \(NameError: name 'oops' is not defined, line 2\)"),
    ],
)
def test_mistakes_are_named(tmp_path, code, message):
    with pytest.raises(ConfigError, match=message):
        trials_of(make(tmp_path, code))
