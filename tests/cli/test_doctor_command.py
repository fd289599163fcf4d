"""fkp doctor SLUG: findings, advice, JSON and exit status; without SLUG it checks the machine."""

import json

import pytest

from ..modeling.split_checks import planted
from ..workflow.toy import FACTS, fkp, make_toy


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a competition whose rows of one patient are split."""
    place = tmp_path_factory.mktemp("doctor")
    folder = place / "competitions" / "visits"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(FACTS.replace("Toy", "Visits"))
    data = planted.groups(place)
    names = {"row_id": "id"}
    data.raw_train.rename(columns=names).to_csv(folder / "train.csv", index=False)
    data.raw_test.rename(columns=names).to_csv(folder / "test.csv", index=False)
    return place


def test_a_severe_finding_is_shown_with_its_effect_and_the_split(place):
    done = fkp("doctor", "visits", cwd=place)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "visits: 360 training rows, 180 test rows; 5 folds, stratified, seed 42" in text
    assert "severe groups across folds: patient" in text
    assert "It makes the score of a quick model too good (accuracy 0." in text
    assert '[split] kind = "stratified-group" column = "patient"' in text
    assert not (place / "runs").exists()


def test_json_and_strict(place):
    done = fkp("doctor", "visits", "--json", "--strict", cwd=place)
    found = json.loads(done.stdout)
    assert done.returncode == 1 and found["train_rows"] == 360 and found["n_folds"] == 5
    first = found["findings"][0]
    assert (first["severity"], first["column"]) == ("severe", "patient") and first["gain"] > 0
    assert first["split"] == {"kind": "stratified-group", "column": "patient"}


def test_a_clean_bundle_is_quiet_also_when_strict(tmp_path):
    bundles = make_toy(tmp_path / "bundles")
    done = fkp("doctor", "toy", "--bundles", bundles, "--strict", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Nothing calls for action: the split mimics train and test." in done.stdout
    files = bundles / "toy" / "files"
    (tmp_path / "competitions" / "toy").mkdir(parents=True)
    (tmp_path / "competitions" / "toy" / "competition.toml").write_text(FACTS)
    done = fkp("doctor", "toy", "--data", files, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["findings"] == [], done.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--strict",), "need SLUG"),
        (("visits", "--online"), "--online checks this machine"),
        (("visits", "--data", ".", "--bundles", "."), "Give one"),
        (("visits", "--folds", "1"), "at least 2 folds"),
        (("vizits",), "visits"),
    ],
)
def test_options_that_do_not_fit_are_refused(place, arguments, problem):
    done = fkp("doctor", *arguments, cwd=place)
    assert done.returncode == 1 and problem in done.stderr
