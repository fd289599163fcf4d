"""An experiment is one declared change of a trial; it is a Trial like others."""

import json
from dataclasses import asdict, replace

import pytest

from fastkaggle_plus import Trial, experiment
from fastkaggle_plus.competition import builtin_folder, load_comp
from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.sweeps import Sweep
from fastkaggle_plus.sweeps.default_trials import trial_lists
from fastkaggle_plus.sweeps.experiments import changes

CROP = Trial("crop", "vision.vision_model", {"method": "crop", "item": 192}, "A start.", False, 0.5)
BAG = {"model": "tabular.tabular_model", "n": 5, "params": {"layers": [10], "lr": 0.1}}
WHY = "squish keeps the whole leaf"


def test_one_change_is_a_trial_with_a_base_and_an_expected_gain():
    trial = experiment(WHY, base=CROP, change={"method": "squish"}, expect=0.005)
    assert trial.name == "crop method=squish" and trial.hypothesis == WHY
    assert trial.params == {"method": "squish", "item": 192} and CROP.params["method"] == "crop"
    assert (trial.base, trial.expect) == ("crop", 0.005)
    assert (trial.in_ensemble, trial.num_gpus) == (False, 0.5)  # as the base
    assert experiment(WHY, base=CROP, change={"item": 8}, in_ensemble=True, name="x").in_ensemble


def test_base_and_expected_gain_change_no_result_and_survive_json():
    trial = experiment(WHY, base=CROP, change={"item": 128}, expect=0.005)
    by_hand = Trial("by hand", CROP.model, {"item": 128, "method": "crop"})
    assert trial.fingerprint() == by_hand.fingerprint()
    read = json.loads(Sweep("paddy", (CROP, trial)).to_json())["trials"]
    assert [Trial(**facts) for facts in read] == [CROP, trial]
    assert Trial(**{k: v for k, v in asdict(CROP).items() if k not in ("base", "expect")}) == CROP
    assert "expected  +0.005" in repr(trial._repr_html_()) or "+0.005" in trial._repr_html_()


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "changes nothing"),
        ({"change": {"item": 192}}, "changes nothing"),
        ({"change": {"item": 192.0}, "model": CROP.model}, "changes nothing"),
        ({"change": {"item": 128, "method": "pad"}}, r"changes 2 things at once \(.*method"),
        ({"change": {"item": 128}, "model": "probe_model"}, r"2 things at once \(model, item\)"),
        ({"change": {"item": lambda x: x}}, "plain data"),
        ({"change": {"item": 128}, "name": "crop"}, "is its own base"),
        ({"change": {"item": 128}, "expect": float("nan")}, "a finite number as expect, got nan"),
        ({"change": {"item": 128}, "base": "crop"}, "trials=TRIALS"),
        ({"change": {"item": 128}, "base": 3}, "needs a Trial.* got a int"),
        ({"change": {"item": 128}, "hypothesis": " "}, "has no hypothesis"),
    ],
)
def test_what_is_not_one_change_is_refused(options, words):
    given = {"hypothesis": WHY, "base": CROP, **options}
    with pytest.raises((ConfigError, UnknownName), match=words):
        experiment(given.pop("hypothesis"), **given)


def test_several_changes_need_to_be_declared_and_a_value_that_stays_is_no_change():
    both = {"item": 128, "method": "pad"}
    assert experiment(WHY, base=CROP, change=both, several=True).params == both
    assert experiment(WHY, base="crop", trials=[CROP], change={**both, "item": 192}).base == "crop"


def test_changes_inside_a_dictionary_and_of_a_bag_are_counted_one_by_one():
    net = Trial("net", "tabular.tabular_model", BAG["params"])
    bag = Trial("bag", "bagging.bag_model", BAG)
    model = ("tabular.tabular_model", "bagging.bag_model of tabular.tabular_model")
    assert changes(net, bag) == {"model": model, "bag.n": ("its default", 5)}
    faster = experiment(WHY, base=bag, change={"params": {"layers": [10], "lr": 0.3}})
    assert changes(bag, faster) == {"lr": (0.1, 0.3)}
    with pytest.raises(ConfigError, match=r"2 things at once \(layers, lr\)"):
        experiment(WHY, base=bag, change={"params": {"lr": 0.3}})
    nested = replace(net, name="deep", params={"loss": {"name": "focal", "gamma": 2}})
    other = experiment(WHY, base=nested, change={"loss": {"name": "focal", "gamma": 3}})
    assert changes(nested, other) == {"loss.gamma": (2, 3)}


@pytest.mark.parametrize("slug", ["titanic", "paddy-disease-classification",
                                  "us-patent-phrase-to-phrase-matching"])  # fmt: skip
def test_the_competitions_declare_their_bases(slug):
    for trials in trial_lists(load_comp(builtin_folder() / slug)).values():
        declared = {trial.name for trial in trials}
        assert {trial.base for trial in trials} - {""} <= declared
