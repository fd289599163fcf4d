"""`fkp report` writes a run's report again from its vault: nothing is trained or sent."""

import re
import shutil
import sys
from dataclasses import replace

import pytest

from fastkaggle_plus import Vault

from ..workflow.toy import TRIALS, fkp, fkp_process, make_toy, run_json, submissions

SWEEP = ("sweep", "toy", "--bundles", "bundles", "--workers", 0)
LATER = (
    '    Trial("later", "forest.tree_model", {"max_leaf_nodes": 3}, "Two <b>questions</b>."),\n)'
)


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    place = tmp_path_factory.mktemp("toy")
    make_toy(place / "bundles")
    run_json(place)
    return place


@pytest.fixture
def place(run_once, tmp_path):
    return shutil.copytree(run_once, tmp_path / "copy")


def texts(file):
    return re.sub(
        r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]*>", " ", file.read_text("utf-8"), flags=re.S)
    )


def names(file):
    rows = file.read_text("utf-8").split('<table class="trials">')[1].split("</table>")[0]
    return re.findall(r"<tr(?: class=\"ours\")?><td>(.*?)</td>", rows)


def test_the_report_again_is_the_same(place):
    file = place / "runs/toy/report.html"
    first = file.read_text("utf-8")
    assert "Rehearsal: " in first and 'id="worst"' in first
    file.unlink()
    done = fkp("report", "toy", cwd=place)
    assert done.returncode == 0 and done.stdout.strip() == "runs/toy/report.html"
    assert file.read_text("utf-8") == first and submissions(place) == 1


def test_predictions_that_were_stored_without_a_sweep_are_shown(place):
    vault = Vault(place / "runs/toy/vault")
    vault.put("a" * 16, "toy", replace(vault.latest("toy")[0][0], name="from elsewhere"))
    done = fkp("report", "toy", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "from elsewhere" in names(place / "runs/toy/report.html")


def test_trials_that_ran_since_are_shown_with_their_hypothesis(place):
    file, trials = place / "runs/toy/report.html", place / "bundles/toy/trials.py"
    scores = re.findall(r"rank \d of \d", texts(file))
    assert sorted(names(file)) == ["ensemble", "forest", "one rule", "tree"] and scores
    trials.write_text(TRIALS.rstrip().removesuffix(")") + LATER)
    assert fkp(*SWEEP, cwd=place).returncode == 0
    assert fkp("report", "toy", cwd=place).returncode == 0
    assert "later" in names(file) and "Two &lt;b&gt;questions" in file.read_text("utf-8")
    assert re.findall(r"rank \d of \d", texts(file)) == scores  # of the run's submission


def test_a_sweep_alone_has_a_report_without_scores(tmp_path):
    make_toy(tmp_path / "bundles")
    trials = tmp_path / "bundles/toy/trials.py"
    fit = "    def fit(table):\n        raise ValueError('broken')\n"
    broken = f"def broken_model():\n{fit}    return fit\n"
    (trials.parent / "broken.py").write_text(broken)
    wrong = '    Trial("wrong", "broken_model"),\n)'
    trials.write_text(TRIALS.rstrip().removesuffix(")") + wrong)
    assert fkp(*SWEEP, "--holdout", 0.3, "--keep-going", cwd=tmp_path).returncode == 0
    assert fkp("report", "toy", cwd=tmp_path).returncode == 0
    file = tmp_path / "runs/toy/report.html"
    assert names(file)[-1] == "wrong" and "rank" not in texts(file) and "one holdout" in texts(file)
    shutil.rmtree(next(tmp_path.glob("runs/toy/bundle-*")))  # the data is gone
    assert fkp("report", "toy", cwd=tmp_path).returncode == 0
    assert "not here any more" in texts(file) and "forest" in names(file)


def test_without_a_vault_it_says_what_to_run(tmp_path):
    done = fkp("report", "titanic", cwd=tmp_path)
    assert done.returncode == 1 and not done.stdout and not list(tmp_path.iterdir())
    assert (
        done.stderr.startswith("error: runs/titanic has no vault")
        and "fkp sweep titanic" in done.stderr
    )
    assert len(done.stderr.splitlines()) == 1
    done = fkp("report", "titanic", "--live", cwd=tmp_path)
    assert (
        "runs/titanic/live has no vault" in done.stderr
        and "fkp sweep titanic --live" in done.stderr
    )


def test_the_report_of_the_real_kaggle_says_live(place):
    shutil.copytree(place / "runs/toy", place / "runs/toy/live")
    assert fkp("report", "toy", "--live", cwd=place).stdout.strip() == "runs/toy/live/report.html"
    assert texts(place / "runs/toy/live/report.html").split("Toy")[1].strip().startswith("Live: ")
    assert "Rehearsal: " in texts(place / "runs/toy/report.html")


def test_open_shows_the_file_in_the_browser(place, monkeypatch):
    script = place / "browser.py"
    script.write_text("import sys\nopen('opened', 'w').write(sys.argv[1])\n")
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s")
    done = fkp_process("report", "toy", "--open", cwd=place)
    assert done.returncode == 0, done.stderr
    assert (place / "opened").read_text() == (place / "runs/toy/report.html").as_uri()
