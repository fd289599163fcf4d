"""An unknown competition works from its competition.toml alone: models clearly beat a constant."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling import cross_validate, forest_model, hist_gradient_boosting_model
from fastkaggle_plus.sweeps import folds_for

N, N_TEST = 700, 150
MODELS = {
    "forest": forest_model(30),
    "hist_gb": hist_gradient_boosting_model(40, learning_rate=0.15),
}


def rows(seed=0, n=N + N_TEST):
    """Rows with dates, a category of many levels, gaps, a number written as text, and one hidden quantity in all of them."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 80, n)
    when = pd.Timestamp("2021-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 900, n)), unit="D")
    size, kind = rng.normal(size=n), rng.choice(["flat", "house", "farm"], n, p=[0.5, 0.4, 0.1])
    hidden = (
        size
        + rng.normal(0, 1, 80)[level]
        + (kind == "house")
        + 0.5 * np.sin(when.month / 2)
        + rng.normal(0, 0.3, n)
    )
    frame = pd.DataFrame(
        {
            "sold": when.strftime("%d.%m.%Y"),
            "street": [f"street {i}" for i in level],
            "size": size.round(3),
            "kind": kind,
            "rooms": [f"{1000 + 10 * r:,}" for r in rng.integers(0, 50, n)],
            "garage": np.where(rng.random(n) < 0.4, None, "yes"),
            "remark": "a remark that is far too long to be a category",
            "town": rng.integers(0, 25, n),
        }
    )
    frame.loc[rng.random(n) < 0.15, "size"] = None
    frame.loc[rng.random(n) < 0.05, "kind"] = None
    return frame, hidden, rng


def competition(folder, toml, frame, answers, sample=None, shuffle=True):
    """Write competition.toml and the three files as Kaggle gives them; the last rows are the test rows."""
    (folder / "never-seen").mkdir()
    (folder / "never-seen" / "competition.toml").write_text(toml)
    data = folder / "files"
    data.mkdir()
    frame = frame.assign(row_id=np.arange(len(frame)) + 1)
    train, test = pd.concat([frame, answers], axis=1).head(N), frame.tail(N_TEST)
    train.sample(frac=1 if shuffle else None, n=None if shuffle else N, random_state=0).to_csv(
        data / "train.csv", index=False
    )
    test.to_csv(data / "test.csv", index=False)
    columns = sample if sample is not None else dict.fromkeys(answers, 0)
    pd.DataFrame({"row_id": test["row_id"], **columns}).to_csv(
        data / "sample_submission.csv", index=False
    )
    comp = load_comp(folder / "never-seen")
    return comp, comp.read(data)


def facts(task, metric, target="y", split=""):
    return f'task = "{task}"\nmetric = "{metric}"\nid = "row_id"\ntarget = {target if target.startswith("[") else repr(target)}\n{split}'.replace(
        "'", '"'
    )


def constant_score(metric, preds):
    """The score of the best single answer for all rows."""
    targs = preds.targs[preds.validated]
    answer = (
        np.bincount(targs, minlength=len(preds.vocab)) / len(targs)
        if preds.vocab
        else targs.mean(0)
    )
    if metric.name == "rmsle":
        answer = np.expm1(np.log1p(targs).mean(0))
    return metric.score(targs, np.tile(answer, (len(targs), 1)))


def check(comp, data, factor):
    """Both models beat the constant: their distance from a perfect score is at most `factor` of its distance."""
    metric, folds = get_metric(comp.metric), folds_for(comp, data, n_folds=3)
    for name, model in MODELS.items():
        preds = cross_validate(model, data, folds)
        assert preds.metric == comp.metric
        assert preds.test.shape == (N_TEST, data.train.n_outputs) and np.isfinite(preds.test).all()
        score, constant, best = (
            preds.oof_score,
            constant_score(metric, preds),
            1.0 if metric.higher_is_better else 0.0,
        )
        assert abs(score - best) < factor * abs(constant - best), (
            f"{name}: {metric.name} {score:.3f}, constant {constant:.3f}"
        )
    return folds


def test_regression_with_rmsle_dates_gaps_and_many_levels(tmp_path):
    frame, hidden, _ = rows()
    comp, data = competition(
        tmp_path,
        facts("regression", "rmsle"),
        frame,
        pd.DataFrame({"y": np.exp(hidden + 3).round(2)}),
    )
    assert {"sold_Month", "sold_Elapsed", "size", "rooms", "street_count"} <= set(
        data.train.cont_names
    )
    assert (
        set(data.train.cat_names) == {"street", "kind", "garage"}
        and data.left_out["remark"] == "constant"
    )
    assert data.train.x["rooms"].max() == 1490
    check(comp, data, 0.7)


def test_multiclass_with_log_loss_and_a_column_for_each_class(tmp_path):
    frame, hidden, _ = rows(1)
    classes = np.array(["low", "middling", "high"])[np.digitize(hidden, (-0.3, 1.2))]
    comp, data = competition(
        tmp_path,
        facts("multiclass", "log_loss", "grade", '[split]\nkind = "stratified"'),
        frame,
        pd.DataFrame({"grade": classes}),
        {"high": 0.3, "low": 0.3, "middling": 0.4},
    )
    assert data.vocab == ("high", "low", "middling") == tuple(data.sample.columns[1:])
    check(comp, data, 0.85)


def test_a_split_along_time(tmp_path):
    frame, hidden, _ = rows(2)
    comp, data = competition(
        tmp_path,
        facts("regression", "rmse", split='[split]\nkind = "time"\ncolumn = "sold"'),
        frame,
        pd.DataFrame({"y": hidden}),
    )
    folds = check(comp, data, 0.75)
    when = pd.to_datetime(data.raw_train["sold"], format="%d.%m.%Y").to_numpy()
    for fit, valid in folds.splits():
        assert when[fit].max() < when[valid].min()


def test_a_grouped_split(tmp_path):
    frame, hidden, _ = rows(3)
    comp, data = competition(
        tmp_path,
        facts("regression", "mae", split='[split]\nkind = "group"\ncolumn = "town"'),
        frame,
        pd.DataFrame({"y": hidden}),
    )
    for fit, valid in check(comp, data, 0.7).splits():
        assert not set(data.groups[fit]) & set(data.groups[valid])


def test_several_targets(tmp_path):
    frame, hidden, rng = rows(4)
    comp, data = competition(
        tmp_path,
        facts("regression", "mean_columnwise_rmse", '["heat", "light"]'),
        frame,
        pd.DataFrame({"heat": hidden, "light": 2 * hidden + rng.normal(size=len(hidden))}),
    )
    assert data.targs.shape == (N, 2)
    check(comp, data, 0.75)


def test_auc_of_a_rare_class(tmp_path):
    frame, hidden, _ = rows(5)
    comp, data = competition(
        tmp_path,
        facts("binary", "auc"),
        frame,
        pd.DataFrame({"y": (hidden > 2.2).astype(int)}),
        {"y": 0.5},
    )
    assert 0.05 < data.targs.mean() < 0.25
    check(comp, data, 0.5)


def test_map_at_3_of_many_classes(tmp_path):
    frame, hidden, _ = rows(6)
    species = np.array([f"species{i}" for i in range(6)])[
        np.digitize(hidden, np.quantile(hidden, np.linspace(0, 1, 7)[1:-1]))
    ]
    comp, data = competition(
        tmp_path, facts("multiclass", "map@3", "species"), frame, pd.DataFrame({"species": species})
    )
    assert len(data.vocab) == 6
    check(comp, data, 0.85)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_quadratic_kappa_of_grades_as_classes_and_as_numbers(tmp_path, task):
    frame, hidden, _ = rows(7)
    comp, data = competition(
        tmp_path,
        facts(task, "quadratic_kappa"),
        frame,
        pd.DataFrame({"y": np.digitize(hidden, (-1, 0, 1, 2))}),
    )
    check(comp, data, 0.7)
