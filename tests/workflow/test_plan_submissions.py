"""`fkp plan`, `fkp submissions`, `fkp leaderboard --place`: CV joined with real scores."""

import json

import pandas as pd
import pytest

from fastkaggle_plus import load_predictions, rehearsal
from fastkaggle_plus.sandbox import running
from fastkaggle_plus.submission.cv_record import cv_of

from .live_kaggle import as_real_kaggle, only_this_machine
from .toy import fkp, last_json, make_toy

RUN = ("run", "toy", "--bundles", "bundles", "--workers", 0)
TRIALS = """from fastkaggle_plus import Trial
TRIALS = (
    Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),
    Trial("one rule", "forest.one_r_model", in_ensemble=False),
)
"""


@pytest.fixture
def two_trials(place):
    for folder in ("bundles", "competitions"):
        (place / folder / "toy/trials.py").write_text(TRIALS)
    return place


def test_a_rehearsal_says_gap_and_plan(two_trials):
    ran = last_json(fkp(*RUN, "--json", cwd=two_trials))
    assert ran["gap"]["means"]["CV"] == pytest.approx(ran["ensemble"]["oof_score"])
    assert set(ran["gap"]["errors"]) == {"public", "private"}
    shown = fkp(*RUN, cwd=two_trials).stdout
    assert "gap " in shown and "F test" in shown
    report = (two_trials / "runs/toy/report.html").read_text()
    assert "Leaderboard: CV 0." in report
    record = cv_of(ran["submission"]["sha256"])
    assert record.score == ran["ensemble"]["oof_score"] and record.n_rows == 120

    plan = json.loads(fkp("plan", "toy", "--bundles", "bundles", "--json", cwd=two_trials).stdout)
    [sent] = plan["submissions"]
    assert sent["ref"] == ran["submission"]["ref"] and sent["private"] is None
    assert sent["cv"] == pytest.approx(ran["ensemble"]["oof_score"])
    assert plan["rows"] == {"cv": 120, "public": 30, "private": 30, "higher_is_better": True}
    assert [c["name"] for c in plan["send"]] == ["one rule"]  # the tree alone was sent
    assert plan["select"]["refs"] == [sent["ref"]]

    text = fkp("plan", "toy", "--bundles", "bundles", "--write", cwd=two_trials).stdout
    assert "4 submissions; 1 sent today" in text and "one rule" in text
    assert "select " in text and "is the only submission" in text
    written = two_trials / "runs/toy/plan/one-rule.csv"
    assert len(pd.read_csv(written)) == 60


def test_a_live_account_is_joined_by_the_file(two_trials, real):
    sent = last_json(fkp("run", "toy", "--live", "--workers", 0, "--yes", "--json", cwd=two_trials))
    ref = sent["submission"]["ref"]
    by_hand = two_trials / "by hand.csv"
    frame = pd.read_csv(two_trials / "runs/toy/live/submission.csv")
    frame.assign(y=1 - frame.y).to_csv(by_hand, index=False)
    message = "fkp run: the same words as the other"
    done = fkp("submit", "toy", "-f", by_hand, "-m", message, "--live", "--yes", cwd=two_trials)
    assert done.returncode == 0, done.stderr

    done = fkp("submissions", "toy", "--live", "--json", cwd=two_trials)
    second, first = json.loads(done.stdout)
    assert first["cv_score"] == pytest.approx(sent["ensemble"]["oof_score"])
    assert second["cv_score"] is None
    text = fkp("submissions", "toy", "--live", cwd=two_trials).stdout
    assert "CV score" in text and "gap: CV 0." in text

    given = ("--cv", f"{second['ref']}=0.7:0.05", "--public-share", "0.5")
    plan = json.loads(fkp("plan", "toy", "--live", "--json", *given, cwd=two_trials).stdout)
    assert plan["submissions"][0]["cv"] == 0.7
    assert not plan["assumed"] and plan["rows"]["public"] == 30
    assert plan["select"]["refs"][0] == ref  # the other one answers the opposite
    text = fkp("plan", "toy", "--live", *given, cwd=two_trials).stdout
    assert "Kaggle has no API for it" in text and "competitions/toy/submissions" in text

    done = fkp("leaderboard", "toy", "--place", "--live", "--json", cwd=two_trials)
    place = json.loads(done.stdout)
    assert place["public_rank"] == 1 and place["n_teams"] == 2 and not place["gives_medals"]
    assert "30%" in place["assumed"] and not place["is_final"]
    text = fkp("leaderboard", "toy", "--place", "--live", cwd=two_trials).stdout
    assert "gives no medals" in text and "90% interval" in text


def test_nothing_is_read_from_the_real_kaggle_without_live(place, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    with only_this_machine():
        assert "Add --live" in fkp("leaderboard", "toy", "--place", cwd=place).stderr
        done = fkp("plan", "toy", "--bundles", "bundles", cwd=place)
    assert done.returncode == 1 and "no submission, and no trial" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--public-share", "30"), "between 0 and 1"),
        (("--cv", "12:0.8"), "REF=SCORE:SE"),
        (("--cv", "12=0.8"), "submission 12, which toy does not have"),
        (("--test-rows", "1"), "at least 2"),
    ],
)
def test_what_the_user_gives_is_checked(place, words, said):
    done = fkp("plan", "toy", "--bundles", "bundles", *words, cwd=place)
    assert done.returncode == 1 and said in done.stderr


def test_a_notebook_needs_no_command(place):
    """Predictions that `write_submission` wrote are known by the hash of the file."""
    from fastkaggle_plus import load_comp, make_folds, setup_comp, write_submission
    from fastkaggle_plus.files import file_hash
    from fastkaggle_plus.modeling import cross_validate, tree_model

    with rehearsal("toy", bundles=place / "bundles", dest=place / "runs/toy"):
        comp = load_comp("toy", bundles=place / "bundles")
        path = setup_comp("toy", dest=place / "data")
        data = comp.read(path)
        tree = cross_validate(tree_model(max_leaf_nodes=4), data, make_folds(data.targs))
        file = write_submission(tree, comp, path, file=place / "mine.csv")
    kept = cv_of(file_hash(file))
    assert (kept.name, kept.score, kept.n_test) == ("tree", tree.oof_score, 60)
    assert kept.values == pytest.approx(load_predictions(tree.save(place / "t.npz")).pseudo_values)


def test_after_the_end_the_private_rank_is_final(place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ended")
    toy = make_toy(folder / "bundles", n=120, n_test=60, seed=1) / "toy"
    submit = ("submit", "toy", "--live", "--yes", "-f", "mine.csv", "-m", "mine")
    sample = pd.read_csv(toy / "files/sample_submission.csv")
    sample.assign(y=1).to_csv(place / "mine.csv", index=False)
    with running(folder / "bundles", state=folder / "sandbox") as box, as_real_kaggle(box):
        assert fkp(*submit, cwd=place).returncode == 0
    facts = toy / "competition.toml"
    facts.write_text(f'{facts.read_text()}[sandbox]\ndeadline = "2026-01-01"\n')
    with running(folder / "bundles", state=folder / "sandbox") as box, as_real_kaggle(box):
        show = ("leaderboard", "toy", "--place", "--live")
        found = json.loads(fkp(*show, "--json", cwd=place).stdout)
        text = fkp(*show, cwd=place).stdout
        [sent] = json.loads(fkp("submissions", "toy", "--live", "--json", cwd=place).stdout)
        ranks = [r["team"] for r in box.submissions.standings("toy", private=True)]
    assert found["is_final"] and found["rank"] == ranks.index(box.user) + 1
    assert found["n_teams"] == len(ranks) and sent["private_score"] is not None
    assert "final" in text and "chances" not in text
