"""A competition's own metric.py: used everywhere, edited without training, and its errors."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus import (
    Vault,
    compare,
    ensemble,
    load_comp,
    load_predictions,
    make_folds,
    rehearse,
)
from fastkaggle_plus.exceptions import ConfigError, DataError
from fastkaggle_plus.metrics import Metric
from fastkaggle_plus.modeling import cross_validate, forest_model, tree_model
from fastkaggle_plus.notebooks import render_notebook
from fastkaggle_plus.sandbox.bundles import read_bundle
from fastkaggle_plus.sandbox.scoring import score as sandbox_score
from fastkaggle_plus.submission import submission_of
from fastkaggle_plus.sweeps import find_predictions
from fastkaggle_plus.workflow.new_competition import new_comp

from .making import make_predictions
from .workflow.toy import fkp, last_json

COSTS = '''"""The cost of a mistake depends on the direction."""

import numpy as np

higher_is_better = False
wants = "label"


def score(targs, preds):
    """Return the mean cost: 3 for each grade too low, 1 for each grade too high."""
    gap = preds - targs
    return float(np.where(gap < 0, -3 * gap, gap).mean())
'''
WORDS = ("bad", "fair", "good")
TRIALS = """from fastkaggle_plus import Trial

TRIALS = (
    Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),
    Trial("forest", "forest.forest_model", {"n_estimators": 10}),
)
"""


def make_files(folder, labels=WORDS, n=240):
    """Write the files of a competition with classes, or with numbers if `labels` is empty."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n + 60, 2))
    hidden = x[:, 0] + 0.5 * x[:, 1] + rng.normal(0, 0.6, len(x))
    y = np.round(np.exp(hidden / 2), 3)
    if labels:
        codes = np.searchsorted(
            np.quantile(hidden, np.arange(1, len(labels)) / len(labels)), hidden
        )
        y = np.array(labels, dtype=object)[codes]
    rows = pd.DataFrame({"id": range(len(x)), "a": x[:, 0], "b": x[:, 1], "y": y})
    folder.mkdir(exist_ok=True)
    rows[:n].to_csv(folder / "train.csv", index=False)
    rows[n:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    rows[n:][["id"]].assign(y=y[0]).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def make_comp(place, code=COSTS, **facts):
    """Start a competition from its files, as `fkp new --metric metric.py` does; return it."""
    data = make_files(place / "data", facts.pop("labels", WORDS))
    folder = new_comp(
        "wood", dest=place / "competitions/wood", data=data, metric="metric.py", **facts
    )
    (folder / "metric.py").write_text(code)
    (folder / "trials.py").write_text(TRIALS)
    return load_comp(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished `fkp run`: its folder and its JSON. Do not change it."""
    place = tmp_path_factory.mktemp("own")
    make_comp(place)
    return place, run(place)


def run(place, *options):
    return last_json(fkp("run", "wood", "--workers", 0, "--json", *options, cwd=place))


def costs(targs, preds):
    gap = preds - targs
    return np.where(gap < 0, -3 * gap, gap).mean()


def test_new_writes_a_metric_that_runs(tmp_path):
    done = fkp(
        "new",
        "wood",
        "--data",
        make_files(tmp_path / "data"),
        "--metric",
        "metric.py",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    comp = load_comp(tmp_path / "competitions/wood")
    assert comp.metric == "metric.py" and comp.scoring.wants == "label"
    assert comp.scoring.score(np.array([0, 2]), np.eye(3)[[1, 2]]) == 0.5
    values = new_comp("numbers", dest=tmp_path / "numbers", task="regression", metric="pinball.py")
    scoring = load_comp(values).scoring
    assert (scoring.name, scoring.wants, scoring.higher_is_better) == ("pinball.py", "value", False)
    assert scoring.score(np.array([1.0, 2.0]), np.array([[1.5], [2.0]])) == 0.25
    plain = new_comp("plain", dest=tmp_path / "plain")
    assert not (plain / "metric.py").exists()


def test_a_run_is_scored_ranked_and_graded_by_the_own_metric(made):
    place, outcome = made
    preds, _ = Vault(place / "runs/wood/vault").latest("wood")
    comp = load_comp(place / "competitions/wood")
    for p in preds:
        expected = costs(p.targs, p.oof.argmax(1))
        assert p.scored_by(comp.scoring).oof_score == pytest.approx(expected)
        row = next(t for t in outcome["trials"] if t["name"] == p.name)
        assert row["oof_score"] == pytest.approx(expected)
    scores = [t["oof_score"] for t in outcome["trials"]]
    assert scores == sorted(scores) and outcome["metric"] == "metric.py"
    bundle = next(place.glob("runs/wood/rehearsal-*/bundles/wood"))
    answers = pd.read_csv(place / "runs/wood/submission.csv").set_index("id")
    truth = pd.read_csv(bundle / "solution.csv").set_index("id")
    code = {word: i for i, word in enumerate(WORDS)}
    for part in ("Public", "Private"):
        rows = truth[truth["Usage"] == part]
        guess = answers.loc[rows.index, "y"].map(code)
        assert outcome[f"{part.lower()}_score"] == pytest.approx(
            costs(rows["y"].map(code), guess), abs=1e-5
        )


def test_the_other_verbs_use_it_from_the_vault(made):
    place, outcome = made
    board = json.loads(fkp("board", "wood", "--json", cwd=place).stdout)
    assert [r["oof_score"] for r in board] == [t["oof_score"] for t in outcome["trials"]]
    said = fkp("compare", "wood", "tree", "forest", cwd=place).stdout
    assert "(metric.py, lower is better)" in said
    together = fkp("ensemble", "wood", "--weights", "tree=1,forest=3", "--json", cwd=place)
    assert together.returncode == 0, together.stderr
    assert json.loads(together.stdout)["weights"] == {"tree": 0.25, "forest": 0.75}
    each = ("--weights", "tree=1", "--weights", "forest=3")
    assert fkp("ensemble", "wood", *each, "--json", cwd=place).stdout == together.stdout
    shown = fkp("board", "wood", cwd=place).stdout
    assert 'In "to best", a negative number is worse: lower scores are better.' in shown
    assert "metric.py" in (place / "runs/wood/results.csv").read_text()


def test_an_edit_scores_again_without_training(made, tmp_path):
    place, first = made
    copy = shutil.copytree(place, tmp_path / "copy")
    file = copy / "competitions/wood/metric.py"
    file.write_text(
        "higher_is_better = True\nwants = 'label'\n"
        "def score(targs, preds):\n    return (targs == preds).mean()\n"
    )
    board = json.loads(fkp("board", "wood", "--json", cwd=copy).stdout)
    again = run(copy)
    assert all(t["reused"] for t in again["trials"]) and not any(
        t["reused"] for t in first["trials"]
    )
    preds, _ = Vault(copy / "runs/wood/vault").latest("wood")
    accuracy = {p.name: (p.oof.argmax(1) == p.targs).mean() for p in preds}
    for rows in (board, again["trials"]):
        assert {r["name"]: r["oof_score"] for r in rows} == pytest.approx(accuracy)
        assert [r["oof_score"] for r in rows] == sorted(accuracy.values(), reverse=True)


def test_workers_score_by_it_too(tmp_path):
    make_comp(tmp_path)
    done = fkp("sweep", "wood", "--workers", 1, "--trials", "tree", "--json", cwd=tmp_path)
    [row] = last_json(done)["trials"]
    assert row["name"] == "tree" and 0 < row["oof_score"] < 2


def test_predictions_from_a_file_say_which_metric_they_need(tmp_path, made):
    comp = load_comp(made[0] / "competitions/wood")
    data = comp.read(made[0] / "data")
    folds = make_folds(data.targs, n_folds=3)
    preds = cross_validate(forest_model(n_estimators=5), data, folds)
    assert preds.metric == "metric.py" and preds.oof_score == costs(data.targs, preds.oof.argmax(1))
    both = ensemble([preds, dataclasses.replace(preds, name="twin")], method="greedy")
    assert both.oof_score == preds.oof_score and compare(both, preds).p_value == 1
    read = load_predictions(preds.save(tmp_path / "p.npz"))
    with pytest.raises(ConfigError, match=r"Vault\(\.\.\., scoring=load_comp\(SLUG\)\.scoring"):
        _ = read.oof_score
    assert str(read).endswith(": metric.py, not scored (240 rows)")
    vault = Vault(made[0] / "runs/wood/vault", scoring=comp.scoring)
    assert compare(*find_predictions(vault, "wood", ["tree", "forest"])).metric == "metric.py"
    assert read.scored_by(comp.scoring).oof_score == preds.oof_score


@pytest.mark.filterwarnings("error")
def test_an_array_as_score_is_named_by_its_shape_without_a_warning(tmp_path):
    file = make_comp(tmp_path).folder / "metric.py"
    file.write_text(
        "higher_is_better = False\nwants = 'label'\ndef score(targs, preds):\n"
        "    return (targs - preds) / (targs * 0)\n"
    )
    scoring = load_comp(file.parent).scoring
    with pytest.raises(DataError, match=r"got an array of shape \(320,\) on 320 rows"):
        scoring.score(np.ones(320), np.eye(2)[np.ones(320, dtype=int)])


def test_a_metric_of_python_code_needs_no_file():
    def negative_errors(targs, answers):
        return -float(np.mean(targs != answers))

    metric = Metric("mine", True, "label", negative_errors)
    preds = make_predictions(right=0.8).scored_by(metric)
    assert preds.oof_score == pytest.approx(-(1 - make_predictions(right=0.8).oof_score))


PROBABILITY = "higher_is_better = False\nwants = 'probability'\ndef score(targs, preds):\n"
OWN = {  # labels, and the code of a metric.py that checks what it gets
    "label": (WORDS, COSTS),
    "probability": (
        ("no", "yes"),
        PROBABILITY + "    assert preds.ndim == 1 and set(targs) == {0, 1}\n"
        "    return ((targs - preds) ** 2 * (1 + targs)).mean()\n",
    ),
    "probabilities of two": (
        ("yes", "no"),
        PROBABILITY + "    return 1 - abs(targs - 2 * preds).mean()\n",
    ),
    "probabilities": (
        ("b", "c", "a"),
        PROBABILITY + "    assert preds.shape == (len(targs), 3)\n"
        "    return 1 - (preds[range(len(targs)), targs] * (1 + targs)).mean()\n",
    ),
    "ranking": (
        WORDS,
        "higher_is_better = True\nwants = 'ranking'\nk = 2\ndef score(targs, preds):\n"
        "    assert preds.shape == (len(targs), 2)\n"
        "    return ((preds == targs[:, None]) @ [1.0, 0.5]).mean()\n",
    ),
    "value": (
        (),
        "higher_is_better = False\nwants = 'value'\ndef score(targs, preds):\n"
        "    assert preds.shape == targs.shape == (len(targs),)\n"
        "    return abs(targs - preds).max()\n",
    ),
}
NAMED = {
    "f1": ("no", "yes"),
    "ap": (1, 2),
    "brier": ("no", "yes"),
    "gini": (1, 2),
    "mcc": ("no", "yes"),
    "f1_weighted": WORDS,
    "auc_ovo": WORDS,
    "balanced_log_loss": WORDS,
    "ndcg@3": WORDS,
    "map@3": WORDS,
    "gini_values": (),
    "mape": (),
}
CASES = [
    *(pytest.param(*case, "metric.py", id=f"own {wants}") for wants, case in OWN.items()),
    *(pytest.param(labels, "", name, id=name) for name, labels in NAMED.items()),
]


@pytest.mark.parametrize(("labels", "code", "metric"), CASES)
def test_the_sandbox_scores_as_the_library_does(tmp_path, labels, code, metric):
    """Held-out rows, predicted and uploaded as a csv, score like the codes and arrays here."""
    has_class_columns = metric in ("auc_ovo", "balanced_log_loss") or labels[:1] in (
        ("b",),
        ("yes",),
    )
    data = make_files(tmp_path / "data", labels)
    if has_class_columns:  # not in the order of the labels
        sample = pd.read_csv(data / "test.csv")[["id"]]
        sample = sample.assign(**{f"y_{v}": 1 / len(labels) for v in sorted(labels)[::-1]})
        sample.to_csv(data / "sample_submission.csv", index=False)
    facts = {"metric": metric} if labels else {"metric": metric, "task": "regression"}
    folder = new_comp("wood", dest=tmp_path / "c/wood", data=data, target="y", **facts)
    if code:
        (folder / "metric.py").write_text(code)
    comp = load_comp(folder)
    bundle = read_bundle(rehearse(comp, data, tmp_path / "bundles"))
    read = comp.read(bundle.folder / "files")
    preds = cross_validate(tree_model(min_samples_leaf=9), read, make_folds(read.targs, n_folds=3))
    frame = submission_of(preds, comp, bundle.folder / "files")
    found = sandbox_score(bundle, frame.to_csv(index=False).encode())
    usage = bundle.solution.set_index("id").loc[[str(i) for i in preds.test_ids]]
    spelled = [str(v) for v in read.vocab]
    for part, value in zip(("public", "private"), found, strict=True):
        rows = (usage["Usage"] == part).to_numpy()
        true = usage["y"][rows]
        true = true.map(spelled.index) if spelled else true.astype(float)
        assert value == pytest.approx(comp.scoring.score(true.to_numpy(), preds.test[rows]))


def test_the_notebook_writes_the_metric_before_the_competition_is_loaded(made):
    cells = render_notebook(load_comp(made[0] / "competitions/wood"), owner="ada").notebook.cells
    text = [c.source for c in cells]
    written = next(i for i, t in enumerate(text) if t.startswith("%%writefile code/wood/metric.py"))
    loaded = next(i for i, t in enumerate(text) if "comp = load_comp(code)" in t)
    assert written < loaded and COSTS.strip() in text[written]


@pytest.mark.slow
def test_a_pushed_notebook_is_scored_by_it(made):
    place, outcome = made
    done = fkp("push", "wood", "--wait", "--json", cwd=place)
    pushed = last_json(done)
    assert pushed["public_score"] == pytest.approx(outcome["public_score"], abs=0.5)
    assert "metric.py" in done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("higher_is_better = True\nwants = 'label'", r"no function score\(targs, preds\)"),
        (COSTS.replace("False", "0"), "expected higher_is_better = True or False, got 0"),
        (COSTS.replace('"label"', '"labels"'), r"expected wants = .*ranking\", got 'labels'"),
        (COSTS.replace('"label"', '"value"'), "does not fit task.*Correct the task or `wants`"),
        (COSTS.replace('"label"', '"ranking"'), "needs k"),
        ("def score(", r"does not load \(SyntaxError.*line 1\)\. Correct it\.$"),
    ],
)
def test_a_wrong_file_is_refused_when_the_competition_is_loaded(made, tmp_path, code, words):
    folder = shutil.copytree(made[0] / "competitions/wood", tmp_path / "wood")
    (folder / "metric.py").write_text(code)
    with pytest.raises(ConfigError, match=rf"metric\.py.*{words}"):
        load_comp(folder)


def test_a_missing_file_is_named(made, tmp_path):
    folder = shutil.copytree(made[0] / "competitions/wood", tmp_path / "wood")
    (folder / "metric.py").unlink()
    (folder / "grade.py").write_text("")  # only a bundle's grade.py is read, by the sandbox
    with pytest.raises(ConfigError, match=r"folder has no metric\.py. Write it"):
        _ = load_comp(folder).scoring


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("1 / 0", r"score\(\) failed on 2 rows \(ZeroDivisionError: division by zero, line 12\)"),
        ("float('nan')", r"score\(\) must return a finite number, got nan on 2 rows"),
        ("'good'", r"score\(\) must return a finite number, got 'good'"),
        ("None", r"score\(\) must return a finite number, got None"),
        ("preds", r"score\(\) must return a finite number, got an array of shape \(2,\)"),
    ],
)
def test_a_score_that_fails_or_is_no_number_names_the_file(made, tmp_path, result, words):
    folder = shutil.copytree(made[0] / "competitions/wood", tmp_path / "wood")
    code = COSTS.replace("float(np.where(gap < 0, -3 * gap, gap).mean())", result)
    (folder / "metric.py").write_text(code)
    with pytest.raises(DataError, match=rf"metric\.py: {words}"):
        load_comp(folder).scoring.score(np.array([0, 1]), np.eye(3)[[0, 1]])


def test_a_metric_without_a_score_for_some_rows_still_runs(tmp_path):
    """A correlation of constants is NaN, and some scores need more rows than a fold has."""
    code = (
        "import numpy as np\nhigher_is_better = True\nwants = 'value'\n"
        "def score(targs, preds):\n    assert len(targs) > 35\n"
        "    return np.corrcoef(targs, preds)[0, 1]\n"
    )
    comp = make_comp(tmp_path, code, labels=(), task="regression")
    outcome = run(tmp_path)
    assert outcome["failed"] == {} and 0.3 < outcome["ensemble"]["nested_score"] < 1
    preds = Vault(tmp_path / "runs/wood/vault").latest("wood")[0][0].scored_by(comp.scoring)
    expected = np.corrcoef(preds.targs, preds.oof[:, 0])[0, 1]
    assert preds.oof_score == pytest.approx(expected) and preds.oof_score_se > 0
    assert np.isnan(preds.fold_scores).all() and len(preds.fold_scores) == 5


def test_a_score_cannot_change_the_rows(made, tmp_path):
    folder = shutil.copytree(made[0] / "competitions/wood", tmp_path / "wood")
    (folder / "metric.py").write_text(COSTS.replace("gap =", "targs[:] = 0\n    gap ="))
    targs, preds = np.array([1, 2]), np.eye(3)[[0, 1]]
    load_comp(folder).scoring.score(targs, preds)
    assert targs.tolist() == [1, 2]
