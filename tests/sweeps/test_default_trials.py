"""The trials of a competition: its own, or a short list of what is installed."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from fastkaggle_plus.competition import Competition, load_comp
from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.modeling.registry import check_declared
from fastkaggle_plus.modeling.text import weights
from fastkaggle_plus.modeling.text.weights import find_weights
from fastkaggle_plus.modeling.vision import packaged_weights
from fastkaggle_plus.notebooks.quick import quick_trials
from fastkaggle_plus.sweeps.default_trials import default_trials, trials_of
from fastkaggle_plus.sweeps.trial import Trial

from ..modeling.tables import make_table

defaults = sys.modules[default_trials.__module__]  # the package has a function of this name
PROBES = {"images": "vision.probe", "text": "text.text_probe"}
FACTS = dict(slug="c", task="binary", metric="accuracy", id="id", target="y")


def make(folder, code):
    (folder / "c").mkdir(exist_ok=True)
    (folder / "c" / "competition.toml").write_text(
        'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
    )
    (folder / "c" / "trials.py").write_text(f"from fastkaggle_plus.sweeps import Trial\n{code}\n")
    return load_comp(folder / "c")


def names(comp, data=None):
    return [t.name for t in default_trials(comp, data)]


@pytest.mark.parametrize("kind", ["tabular", "images", "text"])
def test_default_trials_name_models_that_exist(kind):
    comp = Competition(**FACTS, kind=kind)
    trials = default_trials(comp)
    assert len({t.name for t in trials}) == len(trials) >= 3
    for trial in trials:
        if "probe" in trial.model:
            pytest.importorskip(f"fastkaggle_plus.modeling.{PROBES[kind]}")
        check_declared(trial.model, trial.params, comp)
        assert trial.hypothesis


def test_tables_have_cheap_trials_first_and_a_baseline_outside_of_the_ensemble(monkeypatch):
    monkeypatch.setattr(defaults, "find_spec", lambda name: True)
    trials = default_trials(Competition(**FACTS))
    assert [t.name for t in trials] == [
        *("one_r", "ridge", "forest", "lightgbm", "xgboost", "catboost", "tabular")
    ]
    assert [t.name for t in trials if not t.in_ensemble] == ["one_r"]
    assert not any(t.params for t in trials)  # the models' defaults are the recommendation


def test_default_trials_leave_out_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(defaults, "find_spec", lambda name: name == "xgboost" or None)
    assert names(Competition(**FACTS)) == ["one_r", "ridge", "forest", "xgboost"]
    assert names(Competition(**FACTS, kind="images")) == ["colours"]
    assert names(Competition(**FACTS, kind="text")) == ["xgboost", "ridge"]
    monkeypatch.setattr(defaults, "find_spec", lambda name: None)
    assert names(Competition(**FACTS))[-1] == "hist_gradient_boosting"


def test_photographs_have_two_probes_and_one_network_of_weights_on_this_machine(
    monkeypatch, tmp_path
):
    photos = Competition(**FACTS, kind="images")
    assert "tf_efficientnet_lite0.in1k" in defaults._local_networks()
    _, *trials = default_trials(photos)
    assert [t.model for t in trials[-2:]] == ["probe.probe_model", "vision.vision_model"]
    assert {t.params["arch"] for t in trials} <= set(defaults._local_networks())
    (tmp_path / "cache/weights").mkdir(parents=True)
    (tmp_path / "cache/weights/resnet26d.bt_in1k.safetensors").touch()
    monkeypatch.setenv("FKP_HOME", str(tmp_path))
    monkeypatch.setattr(packaged_weights, "PACKAGES", {})
    assert names(photos) == ["colours", "probe resnet26d", "network"]
    (tmp_path / "cache/weights/resnet26d.bt_in1k.safetensors").unlink()
    assert names(photos)[1:3] == ["probe convnext_nano", "probe tf_efficientnet_lite0"]


@pytest.mark.parametrize("column", ["age", "brightness"])
def test_photographs_with_other_columns_have_a_booster(column):
    table = make_table(cat=(), cont=("size",))
    table = dataclasses.replace(table, cont_names=(column,))
    data = SimpleNamespace(train=table, raw_train=pd.DataFrame({"id": [1], "age": [2]}))
    found = names(Competition(**FACTS, kind="images"), data)
    assert ("lightgbm" in found) == (column == "age")


def test_texts_have_an_overlap_floor_if_there_are_two():
    pair = pd.DataFrame({"a": ["x"], "b": ["y"], "topic": ["z"]})
    words = Competition(**FACTS, kind="text", text={"context": "topic"})
    for columns, expected in ((["a", "topic"], False), (["a", "b", "topic"], True)):
        data = SimpleNamespace(train=SimpleNamespace(texts=pair[columns]))
        assert ("overlap" in names(words, data)) == expected
    declared = Competition(**FACTS, kind="text", text={"columns": ["a", "b"]})
    [overlap] = [t for t in default_trials(declared) if t.name == "overlap"]
    assert not overlap.in_ensemble


def test_language_models_are_default_trials_if_one_is_on_this_machine(monkeypatch):
    words = Competition(**FACTS, kind="text")
    [trial] = [t for t in default_trials(words) if t.name == "language model"]
    found = find_weights(trial.params["arch"])
    assert found.arch == trial.params["arch"] and found.folder.is_dir()
    assert names(words) == ["lightgbm", "text probe", "language model"]
    assert "language model" not in names(Competition(**FACTS))
    monkeypatch.setattr(weights, "PACKAGES", {})
    monkeypatch.setattr(weights, "_cached_config", lambda arch: "")
    monkeypatch.setattr(weights, "weights_folder", lambda: Path("nowhere"))
    assert names(words) == ["lightgbm", "ridge"]


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


def test_a_dry_run_of_the_default_trials_keeps_frozen_networks_and_trains_for_one_epoch():
    for kind in ("images", "text"):
        trials = default_trials(Competition(**FACTS, kind=kind))
        for trial, quick in zip(trials, quick_trials(trials), strict=True):
            if "probe" in trial.model:
                assert quick == trial
            if trial.model == "text.text_model":
                assert quick.params == {**trial.params, "epochs": 1, "max_len": 24}
