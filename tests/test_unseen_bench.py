"""The benchmark of unseen data: its hidden tests are hidden by each set's rule, and it adds up."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus import load_comp
from tests.benchmarks.unseen_parts import contender, report
from tests.benchmarks.unseen_parts.runs import Run
from tests.benchmarks.unseen_parts.sets import ID, SETS, DataSet, write_rows


def rows(n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "word": rng.choice(["a", "b", "c"], n),
            "group": np.arange(n) // 6,
            "day": pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
            "price": np.exp(x + rng.normal(scale=0.1, size=n)),
            "sold": np.where(x + rng.normal(size=n) > 1, "yes", "no"),
        }
    )


def written(tmp_path, task="regression", metric="rmsle", target="price", split=""):
    of = DataSet("made", "tabular", task, metric, target, "", split)
    write_rows(of, rows(), tmp_path)
    folder = tmp_path / "sets" / "made"
    return of, folder, pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")


@pytest.mark.parametrize("split", ["", "group:group", "time:day"])
def test_the_hidden_rows_follow_the_rule_and_their_answers_are_elsewhere(tmp_path, split):
    of, folder, train, test = written(tmp_path, split=split)
    assert not set(train[ID]) & set(test[ID])
    assert len(train) + len(test) == 240 and 50 <= len(test) <= 70
    if split.startswith("group"):
        assert not set(train["group"]) & set(test["group"])
    if split.startswith("time"):
        assert train["day"].max() < test["day"].min()
    assert of.target not in test
    solution = pd.read_csv(tmp_path / "solutions" / "made.csv")
    assert solution[ID].tolist() == test[ID].tolist()
    original = rows().set_index("x")["price"]
    assert np.allclose(solution["price"], original.loc[test["x"]])
    assert not list(folder.rglob("*solution*"))
    comp = load_comp(folder)
    assert (comp.metric, comp.split.kind) == (of.metric, of.rule[0])
    assert len(comp.read(folder).test) == len(test)


def test_classes_keep_their_shares(tmp_path):
    _, _, train, _ = written(tmp_path, "binary", "auc", "sold")
    share = (rows()["sold"] == "yes").mean()
    assert abs((train["sold"] == "yes").mean() - share) < 0.01


def test_the_baseline_learns_and_is_scored_on_our_folds(tmp_path):
    of, folder, _, test = written(tmp_path, split="time:day")
    comp = load_comp(folder)
    preds, _ = contender.baseline(comp, folder, tmp_path)
    runs = {
        "baseline": Run("baseline", preds, {}, 1, 1),
        "ours": Run("ours", np.ones((len(test), 1)), {"cv": 1.0, "cv_se": 0.1}, 1, 1),
    }
    first, second = report.score_all(of, runs, tmp_path)
    assert first.score < second.score  # rmsle, lower is better
    assert second.verdict(first) == "loses" and first.verdict(second) == "wins"
    oof, facts = contender.baseline_cv(comp, folder, tmp_path)
    assert np.isnan(oof[:20]).all()  # along time, the first block is only trained on
    assert facts["cv"] < 0.6 and facts["cv_se"] > 0


def test_the_summary_says_what_holds(tmp_path, capsys):
    of, *_ = written(tmp_path)
    answers = pd.read_csv(tmp_path / "solutions" / "made.csv")[["price"]].to_numpy()
    noise = np.random.default_rng(1).normal(scale=0.3, size=answers.shape)
    guesses = {"baseline": 1, "AutoGluon good": 0.5, "ours": 0.1}
    runs = {
        name: Run(name, answers * np.exp(scale * noise), {"cv": 0.1, "cv_se": 0.01}, 400, 1)
        for name, scale in guesses.items()
    }
    report.print_summary(report.score_all(of, runs, tmp_path))
    lines = capsys.readouterr().out
    assert "against baseline          1 wins, 0 level, 0 loses" in lines
    assert "mean ranks: ours 1.00, AutoGluon good 2.00, baseline 3.00" in lines
    assert "holds: never worse than the baseline" in lines
    assert "FAILS: a fifth of its wall_s: 400 of 400" in lines
    assert "FAILS: each set under 5000 rows in 300 s: 400 s" in lines


def test_there_are_data_sets_of_all_kinds():
    names = [of.name for of in SETS]
    assert len(set(names)) == len(names) >= 14
    kinds = [of.kind for of in SETS]
    assert kinds.count("images") == kinds.count("text") == 2
    assert {of.rule[0] for of in SETS} == {"random", "stratified", "group", "time"}
    assert {of.task for of in SETS} == {"binary", "multiclass", "regression"}
