"""Features of tables: texts, circles of dates, and mean targets that follow the split."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.data import Table
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import cross_validate, forest_model
from fastkaggle_plus.reading import read_tabular
from fastkaggle_plus.reading.columns import column_kind, date_parts
from fastkaggle_plus.reading.target_encoding import level_means
from fastkaggle_plus.reading.topics import Topics

RNG = np.random.default_rng(5)
N = 300
GOOD = "lovely warm quiet clean friendly room with a great view".split()
BAD = "noisy cold dirty rude broken shower bad smell and no view".split()


def sentence(is_good, n_words):
    return " ".join(RNG.choice(GOOD if is_good else BAD, n_words))


def write(folder, *, split=("y",), **columns):
    rows = pd.DataFrame({"id": range(N), "size": RNG.normal(size=N).round(3), **columns})
    rows.head(240).to_csv(folder / "train.csv", index=False)
    rows.tail(60).drop(columns="y").to_csv(folder / "test.csv", index=False)
    return read_tabular(folder, id="id", target=("y",), task="binary", metric="roc_auc")


@pytest.mark.parametrize("n_words", [3, 8])
def test_words_of_a_text_column_are_learned(tmp_path, n_words):
    y = RNG.integers(0, 2, N)
    data = write(tmp_path, remark=[f"{sentence(v, n_words)} {i}" for i, v in enumerate(y)], y=y)
    n_topics = sum("topic" in c for c in data.train.cont_names)
    assert n_topics == (16 if n_words > 4 else 8)
    assert "remark_letters" in data.train.x and list(data.left_out) == ["id"]
    assert list(data.train.x) == list(data.test.x) and data.train.x.notna().all(axis=None)
    preds = cross_validate(forest_model(n_estimators=30), data, make_folds(data.targs))
    assert preds.oof_score > 0.95


def test_topics_of_a_table_do_not_depend_on_the_test_rows_or_the_targets():
    train = pd.Series([sentence(i % 2, 6) for i in range(80)], name="t")
    topics, x = Topics.fit(train)
    pd.testing.assert_frame_equal(x, Topics.fit(train)[1])
    assert list(topics(pd.Series(["something else"]))) == list(x)
    pd.testing.assert_frame_equal(topics(train), x)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"Smith{i}, {('Mr', 'Mrs', 'Dr')[i % 3]}. {'AEIOU'[i % 5]}" for i in range(N)], "text"),
        ([f"x{i}" for i in range(N)], "id"),
        ([f"remark number {i}" for i in range(N)], "id"),
        ([f"{i * 7919 % 65536:04x}-{i * 104729 % 65536:04x}" for i in range(N)], "id"),
        (
            [f"{i % 150} bank of the {'north south east west'.split()[i % 4]}" for i in range(N)],
            "text",
        ),
        ([sentence(i % 2, 6) for i in range(5)] * 60, "category"),
        ([f"{a} {b}" for a in GOOD for b in BAD] * 4, "category"),
        ([f"{a} {b} {c}" for a in GOOD for b in BAD for c in GOOD[:3]] * 2, "phrases"),
    ],
)
def test_kinds_of_columns_of_words(values, kind):
    assert column_kind("c", pd.Series(values)) == kind


def test_phrases_are_a_category_and_a_text(tmp_path):
    y = RNG.integers(0, 2, N)
    phrases = [f"{a} {b} {c}" for a in GOOD for b in BAD for c in GOOD[:4]][:210]
    data = write(tmp_path, place=[phrases[i % 210] for i in range(N)], y=y)
    assert data.train.cat_names == ("place",)
    assert {"place_topic0", "place_count"} <= set(data.train.cont_names)


def test_circles_of_dates_have_no_jump():
    hours = pd.Series(pd.date_range("2021-12-30", periods=96, freq="h").astype(str), name="t")
    parts = date_parts(hours)
    for part in ("Month", "Dayofweek", "Dayofyear", "Hour"):
        circle = parts[[f"t_{part}_sin", f"t_{part}_cos"]]
        np.testing.assert_allclose((circle**2).sum(axis=1), 1)
        assert (circle.diff().abs().max() < 0.95).all()  # a month is 30 degrees, a weekday 51
    assert parts["t_Hour"].diff().abs().max() == 23


def table_of(targs, level, **split):
    x = pd.DataFrame({"level": pd.Categorical(level)})
    return Table(x, targs, ("level",), (), "regression", **split)


def test_mean_targets_do_not_leak_within_a_group():
    """Each group has its own level and its own target: only rows of the group itself know it."""
    group = np.repeat(np.arange(60), 10)
    targs = RNG.normal(size=60)[group] + RNG.normal(0, 0.1, 600)
    add = level_means(("level",))
    fit, _ = add(table_of(targs, group), table_of(targs, group))
    assert np.corrcoef(fit.x["level_mean"], targs)[0, 1] > 0.9  # within a group, as before
    groups = np.array([f"g{i}" for i in group])
    fit, rows = add(table_of(targs, group, groups=groups), table_of(targs, group))
    assert abs(np.corrcoef(fit.x["level_mean"], targs)[0, 1]) < 0.5
    assert np.corrcoef(rows.x["level_mean"], targs)[0, 1] > 0.9


def test_mean_targets_do_not_leak_within_a_day():
    """Each day shifts the targets of its rows, and has a level of its own."""
    day = np.repeat(np.arange(60), 10)
    order = RNG.permutation(600)
    targs = RNG.normal(size=60)[day] + RNG.normal(0, 0.1, 600)
    table = table_of(targs[order], day[order], time=day[order])
    fit, _ = level_means(("level",))(table, table)
    assert abs(np.corrcoef(fit.x["level_mean"], targs[order])[0, 1]) < 0.5


def test_one_group_or_one_time_still_has_mean_targets():
    targs, level = RNG.normal(size=40), np.arange(40) % 4
    for split in (dict(groups=np.zeros(40)), dict(time=np.zeros(40))):
        fit, _ = level_means(("level",))(table_of(targs, level, **split), table_of(targs, level))
        assert fit.x["level_mean"].notna().all()
