"""`fkp probe`: pretrained networks ranked on a user's own images, as trials of the vault."""

import json
import os

import numpy as np
import pytest

from fastkaggle_plus.exceptions import ConfigError, UnknownName, WeightsMissing
from fastkaggle_plus.ui.records import Records
from fastkaggle_plus.workflow.probe_archs import probe
from tests.modeling.pictures import CLASSES, draw
from tests.modeling.vision.test_probe import share_weights

from .toy import fkp, make_toy

LITE, SQUEEZE = "tf_efficientnet_lite0", "squeezenet1_1"
LIMITS = ("--size", 64, "--holdout", 0.4, "--workers", 0, "--data", "stripes")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with pictures in class folders, and a competition made of them."""
    place, rng = tmp_path_factory.mktemp("probe"), np.random.default_rng(0)
    for i in range(60):
        file = place / "stripes" / CLASSES[i % 3] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(CLASSES[i % 3], rng).save(file)
    home = share_weights(place / "home")
    before = os.environ["FKP_HOME"]
    os.environ["FKP_HOME"] = str(home)
    assert "3 class folders" in fkp("new", "stripes", "--data", "stripes", cwd=place).stdout
    yield place
    os.environ["FKP_HOME"] = before


def test_networks_are_ranked_and_the_vault_has_them_as_trials(place, monkeypatch):
    names = f"{LITE}, {SQUEEZE},{LITE}"
    done = fkp("probe", "stripes", "--archs", names, *LIMITS, cwd=place)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    [header] = [line for line in lines if line.startswith("network")]
    assert header.split() == (
        "network px accuracy SE seconds to best verdict M params ImageNet".split()
    )
    ranked = [line.split() for line in lines if line.startswith((LITE, SQUEEZE))]
    assert len(ranked) == 2 and ranked[0][1] == "64" and "best" in ranked[0]
    assert {r[0]: r[-1] for r in ranked}[f"{LITE}.in1k"] == "74.8"  # published by timm
    assert float({r[0]: r[-1] for r in ranked}[SQUEEZE]) == 1.2  # parameters: no accuracy known

    board = fkp("board", "stripes", cwd=place).stdout
    assert f"probe {LITE}.in1k 64 px" in board and f"probe {SQUEEZE} 64 px" in board

    monkeypatch.chdir(place)
    again = probe("stripes", [SQUEEZE, LITE], size=64, holdout=0.4, workers=0, data="stripes")
    assert all(row.reused for row in again.rows) and isinstance(again.rows, Records)
    assert "ImageNet" in repr(again) and "<table" in again._repr_html_()
    assert again.rows[0].oof_score > 0.6 and again.rows[0].size_px == (64, 64)


def test_json_and_networks_without_weights(place, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = fkp("probe", "stripes", "--archs", f"resnet18,{SQUEEZE}", *LIMITS, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert [(t["name"], t["size_px"], t["top1"]) for t in shown["trials"]] == [
        (SQUEEZE, [64, 64], None)
    ]
    [(name, why)] = shown["skipped"].items()
    assert name.startswith("resnet18.") and "are not on this machine" in why
    assert "skipped" in done.stderr and "resnet18" in done.stderr
    monkeypatch.chdir(place)
    with pytest.raises(WeightsMissing, match=r"resnet18\..* are not on this machine"):
        probe("stripes", ["resnet18"], data="stripes")


def test_what_cannot_be_probed_is_refused_before_anything_runs(place, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(UnknownName, match="Did you mean 'tf_efficientnet_lite0'"):
        probe("stripes", ["tf_eficientnet_lite0"], data="stripes")
    make_toy(place / "bundles", n=40, n_test=20)
    with pytest.raises(ConfigError, match=r"A probe needs images, and toy has kind = 'tabular'"):
        probe("toy", bundles="bundles")
    done = fkp("probe", "stripes", "--archs", "levit_128", *LIMITS, cwd=place)
    assert done.returncode == 1 and "does not take images of 64 x 64 px" in done.stderr
