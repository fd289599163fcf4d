"""`fkp explain` fits a trial of the vault again and answers; nothing is sent."""

import json
import re
import shutil

import pytest

from fastkaggle_plus import Vault

from ..workflow.toy import fkp, make_toy

SWEEP = ("sweep", "toy", "--bundles", "bundles", "--workers", 0, "--folds", 3)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    place = tmp_path_factory.mktemp("toy")
    make_toy(place / "bundles", n=240, n_test=60)
    assert fkp(*SWEEP, cwd=place).returncode == 0
    return place


@pytest.fixture(scope="module")
def asked(swept):
    done = fkp("explain", "toy", "forest", "--json", "--drop", "c,d", "--refits", 1, cwd=swept)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_refit_is_the_stored_trial(swept, asked):
    stored = next(p for p in Vault(swept / "runs/toy/vault").latest("toy")[0] if p.name == "forest")
    page = (swept / asked["page"]).read_text("utf-8")
    assert asked["page"] == "runs/toy/explain-forest.html"
    assert f"CV score {stored.oof_score:.4f} ± {stored.oof_score_se:.4f}" in page
    assert "3 folds (stratified)" in page and "Questions to forest: Toy" in page


def test_json_has_the_numbers(asked):
    losses = {row["column"]: row["loss"] for row in asked["importances"]}
    assert list(losses)[:2] in (["a", "b"], ["b", "a"]) and set(losses) == {*"abcd", "color"}
    [dropped] = asked["dropped"]
    assert dropped["without"] == "c, d" and dropped["tried because"] == "asked"
    parts = asked["row"]
    assert parts["end"] == pytest.approx(parts["start"] + sum(parts["parts"].values()))


def test_people_get_tables_sentences_and_the_page(swept):
    done = fkp("explain", "toy", "one rule", "--refits", 0, "--row", 7, cwd=swept)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "out of fold" in lines[0] and lines[-1] == "runs/toy/explain-one-rule.html"
    assert re.search(r"row: 7, truth [01]: ", done.stdout) and "95%" not in lines[0]
    assert "confidence" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("forrest",), "'forrest'. Did you mean 'forest'"),
        (("forest", "--row", "99999"), "id of a training row"),
        (("forest", "--drop", "colour"), "'colour'"),
        (("forest@before",), "no earlier version"),
    ],
)
def test_what_does_not_exist_is_one_line(swept, arguments, message):
    done = fkp("explain", "toy", *arguments, cwd=swept)
    assert done.returncode == 1 and message in done.stderr and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def test_data_that_is_gone_or_changed_is_refused(swept, tmp_path):
    copy = shutil.copytree(swept, tmp_path / "copy")
    [folder] = (copy / "runs/toy").glob("bundle-*")
    vault = Vault(copy / "runs/toy/vault")
    data = next(run.facts["data"] for run in vault.runs("toy"))
    kept = shutil.copytree(data, tmp_path / "kept")
    shutil.rmtree(data)
    done = fkp("explain", "toy", "tree", cwd=copy)
    assert done.returncode == 1 and "not here any more" in done.stderr
    shutil.copytree(kept, data)
    assert (
        folder.is_dir() and fkp("explain", "toy", "tree", "--refits", 0, cwd=copy).returncode == 0
    )
