"""Reading tables: dates, categories, gaps, unusual numbers, targets and files."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading import read_tabular
from fastkaggle_plus.reading.columns import as_numbers, column_kind, date_parts, read_dates

RNG = np.random.default_rng(11)
N = 60


def write(folder, columns, *, targets=None, n_test=20, sample=True, **test_columns):
    """Write train, test and sample files; by default test has the first rows of train."""
    train = pd.DataFrame({"id": range(1, N + 1), **columns})
    test = train.head(n_test).assign(**{"id": range(1001, 1001 + n_test), **test_columns})
    train["y"] = RNG.integers(0, 2, N) if targets is None else targets
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    if sample:
        pd.DataFrame({"id": test["id"], "y": 0}).to_csv(
            folder / "sample_submission.csv", index=False
        )
    return folder


def read(folder, **facts):
    return read_tabular(folder, **{"id": "id", "target": ("y",), "task": "binary", **facts})


NUMBER = RNG.normal(size=N).round(3)


# --- kinds of columns ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "%Y-%m-%d",
        "%d.%m.%Y",
        "%m/%d/%Y",
        "%d/%m/%Y",
        "%Y/%m/%d",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S",
        "%d-%b-%Y",
        "%d %B %Y",
        "%b %d, %Y",
        "%Y%m%d",
        "%d.%m.%Y %H:%M",
        "%a, %d %b %Y",
        "%a, %d %b %Y %H:%M:%S +0000",
        "%a %b %d %H:%M:%S %Y",
        "%a %b %d %H:%M:%S UTC %Y",
    ],
)
def test_dates_in_many_formats_become_their_parts(tmp_path, written):
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(RNG.permutation(400)[:N], unit="D")
    data = read(write(tmp_path, {"when": days.strftime(written)}))
    assert data.train.cat_names == ()
    assert (data.train.x["when_Month"] == days.month).all() and (
        data.train.x["when_Day"] == days.day
    ).all()
    assert (
        data.train.x["when_Elapsed"].diff().dropna()
        == np.diff(days.to_numpy()) / np.timedelta64(1, "D")
    ).all()
    assert (data.test.x["when_Dayofweek"] == days.day_of_week[:20]).all()


@pytest.mark.parametrize("written", ["%b %Y", "%B %Y", "%b-%Y"])
def test_months_are_dates(written):
    months = pd.Series(pd.date_range("2015-01-01", periods=N, freq="MS"))
    assert (
        column_kind("when", months.dt.strftime(written)) == "date"
        and read_dates(months.dt.strftime(written)).tolist() == months.tolist()
    )


@pytest.mark.parametrize("unknown", ["?", "-", "unknown", "N/A"])
def test_words_for_unknown_do_not_make_numbers_a_category(unknown):
    column = pd.Series([*map(str, NUMBER), *[unknown] * N])
    assert column_kind("size", column) == "number" and as_numbers(column).isna().sum() == N
    assert column_kind("word", pd.Series(["a", "b", unknown] * N)) == "category"
    assert column_kind("word", pd.Series([unknown, "None"] * N)) == "category"


@pytest.mark.parametrize("zero", ["0000-00-00", "00.00.0000", "0000-00-00 00:00:00"])
def test_dates_of_zeros_do_not_make_dates_a_category(zero):
    column = pd.Series([*pd.date_range("2015-01-01", periods=N).strftime("%Y-%m-%d"), *[zero] * N])
    assert column_kind("when", column) == "date" and read_dates(column).isna().sum() == N


def test_the_training_column_decides_between_day_first_and_month_first():
    train, test = pd.Series(["01/02/2020", "25/02/2020"]), pd.Series(["03/04/2020"])
    assert read_dates(test, like=train)[0] == pd.Timestamp("2020-04-03")
    assert read_dates(test)[0] == pd.Timestamp("2020-03-04")
    assert read_dates(pd.Series(["03.04.2020"]))[0] == pd.Timestamp("2020-04-03")
    assert read_dates(pd.Series(["2020-03-04", "25.12.2020"])).tolist() == [
        pd.Timestamp("2020-03-04"),
        pd.Timestamp("2020-12-25"),
    ]


def test_hours_are_kept_and_time_zones_converted():
    parts = date_parts(
        pd.Series(["2020-01-01T12:00:00+02:00", "2020-01-01T12:00:00Z", None], name="t")
    )
    assert parts["t_Hour"].tolist()[:2] == [10, 12]
    assert parts["t_Elapsed"].iloc[1] == pytest.approx(7305.5) and parts.iloc[2].isna().all()


def test_dates_with_gaps_and_a_few_other_values(tmp_path):
    days = list(
        (pd.Timestamp("2021-03-01") + pd.to_timedelta(range(N), unit="D")).strftime("%Y-%m-%d")
    )
    data = read(write(tmp_path, {"when": [None, "soon", *days[2:]]}))
    assert data.train.x["when_Elapsed"].isna().sum() == 2 and "when" not in data.train.cat_names


@pytest.mark.parametrize(
    "values",
    [
        [2001 + i % 20 for i in range(N)],
        [str(i % 7) + ".5" for i in range(N)],
        [10_000_000 + 7 * i for i in range(N)],
    ],
)
def test_years_and_plain_numbers_are_no_dates(tmp_path, values):
    assert read(write(tmp_path, {"c": values})).train.cont_names == ("c",)


def test_versions_and_addresses_are_no_dates():
    assert column_kind("v", pd.Series([f"1.{i % 5}.{i % 3}" for i in range(N)])) == "category"
    assert column_kind("v", pd.Series([f"555-12-{i % 10:04d}" for i in range(N)])) == "category"


def test_words_are_categories_and_unseen_levels_are_missing(tmp_path):
    data = read(write(tmp_path, {"c": [" red", "green ", "blue"] * 20}, c=["red", "pink"] * 10))
    assert data.train.cat_names == ("c",)
    assert (
        list(data.train.x["c"].cat.categories)
        == ["blue", "green", "red"]
        == list(data.test.x["c"].cat.categories)
    )
    assert data.test.x["c"].isna().sum() == 10


def test_numbers_with_gaps_stay_numbers(tmp_path):
    data = read(
        write(tmp_path, {"a": np.where(RNG.random(N) < 0.3, np.nan, NUMBER), "b": range(N)})
    )
    assert data.train.cont_names == ("a", "b")
    assert data.train.x["a"].isna().any() and data.train.x.dtypes.eq(float).all()


def test_a_column_with_few_values_is_kept_for_its_gaps(tmp_path):
    data = read(
        write(
            tmp_path,
            {
                "flag": ["x", *[None] * (N - 1)],
                "number": [*[None] * (N - 1), 1.0],
                "empty": [None] * N,
            },
            n_test=N,
        )
    )
    assert data.left_out["empty"] == "constant"
    assert data.train.x["number"].notna().sum() == 1 and data.train.x["flag"].notna().sum() == 1


@pytest.mark.parametrize("gap", [True, False])
def test_booleans_are_numbers(tmp_path, gap):
    values = [True, False] * 30
    data = read(
        write(
            tmp_path, {"flag": [None, *values[1:]] if gap else values}, flag=[None, *values[1:20]]
        )
    )
    assert data.train.cont_names == ("flag",)
    assert data.train.x["flag"].tolist()[2:4] == [1.0, 0.0] and np.isnan(data.test.x["flag"][0])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,234.5", 1234.5),
        ("3,14", 3.14),
        ("1.234,5", 1234.5),
        ("$5", 5),
        ("12%", 12),
        ("1e3", 1000),
        (" -7 ", -7),
        ("€ 2", 2),
    ],
)
def test_numbers_written_as_text(written, value):
    assert as_numbers(pd.Series([written, "?", None, "n/a"])).tolist()[0] == value
    assert as_numbers(pd.Series([written, "?", None, "n/a"])).isna().tolist() == [
        False,
        True,
        True,
        True,
    ]


def test_thousands_and_question_marks_in_a_file(tmp_path):
    values = [f"{v:,}" for v in range(900, 900 + 10 * N, 10)]
    data = read(write(tmp_path, {"price": ["?", *values[1:]]}, price=["1,000", *["?"] * 19]))
    assert data.train.cont_names == ("price",)
    assert (
        data.train.x["price"].max() == 1490
        and data.test.x["price"][0] == 1000
        and data.test.x["price"].isna().sum() == 19
    )


def test_mixed_words_and_numbers_are_one_category_in_both_files(tmp_path):
    data = read(
        write(tmp_path, {"cabin": ["7", "B2", "C3"] * 20}, cabin=["7"] * 19 + [None])
    )  # in test pandas alone would see 7.0
    assert data.train.cat_names == ("cabin",)
    assert (data.test.x["cabin"].dropna() == "7").all() and len(data.test.x["cabin"].dropna()) == 19


def test_infinite_numbers_are_missing(tmp_path):
    data = read(write(tmp_path, {"a": [np.inf, -np.inf, *NUMBER[2:]]}))
    assert data.train.x["a"].isna().tolist()[:3] == [True, True, False]


def test_huge_integers(tmp_path):
    data = read(write(tmp_path, {"big": [10**25 + i % 7 * 10**20 for i in range(N)], "a": NUMBER}))
    assert data.train.x["big"].max() == pytest.approx(10**25 + 6 * 10**20)


def test_unused_columns_are_listed_with_the_reason(tmp_path):
    write(
        tmp_path,
        {
            "row_id": range(500, 500 + N),
            "code": [f"x{i}" for i in range(N)],
            "same": 1,
            "late": NUMBER,
            "a": NUMBER,
        },
    )
    pd.read_csv(tmp_path / "test.csv").drop(columns="late").assign(extra=1).to_csv(
        tmp_path / "test.csv", index=False
    )
    data = read(tmp_path)
    assert data.left_out == {
        "extra": "not in the train file",
        "id": "id",
        "row_id": "id",
        "code": "id",
        "same": "constant",
        "late": "not in the test file",
    }
    assert list(data.train.x) == list(data.test.x) == ["a"]


def test_a_category_with_other_values_in_test_is_left_out(tmp_path):
    data = read(
        write(
            tmp_path,
            {"store": [f"s{i % 6}" for i in range(N)], "a": NUMBER},
            store=[f"t{i % 3}" for i in range(20)],
        )
    )
    assert data.left_out["store"] == "test has other values"


def test_nothing_left_to_learn_from_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"No column is left.*same \(constant\)"):
        read(write(tmp_path, {"same": 1}))


# --- categories with many levels -----------------------------------------------------------------


def many_levels(folder, n=600):
    rng = np.random.default_rng(0)
    level = np.concatenate([rng.integers(0, 60, n - 2), [98, 99]])
    frame = pd.DataFrame(
        {"id": range(n), "shop": [f"s{i}" for i in level], "y": level % 2 + rng.normal(0, 0.1, n)}
    )
    frame.to_csv(folder / "train.csv", index=False)
    frame.head(50).assign(id=range(n, n + 50)).replace({"shop": {"s1": "never seen"}}).drop(
        columns="y"
    ).to_csv(folder / "test.csv", index=False)
    return read(folder, task="regression")


def test_many_levels_get_a_frequency_and_rare_ones_are_merged(tmp_path):
    data = many_levels(tmp_path)
    assert data.train.cont_names == ("shop_count",)
    assert (data.train.x["shop"].tail(2) == "(rare)").all()
    unseen = (data.raw_test["shop"] == "never seen").to_numpy()
    assert unseen.any() and (data.test.x["shop"][unseen] == "(rare)").all()
    assert (
        data.train.x["shop_count"][0] == (data.raw_train["shop"] == data.raw_train["shop"][0]).sum()
    )


def test_mean_targets_use_only_the_rows_to_fit(tmp_path):
    data = many_levels(tmp_path)
    fit_rows, valid_rows = np.arange(0, 500), np.arange(500, 600)
    fit, valid = data.fold(fit_rows, valid_rows)
    assert "shop_mean" in fit.cont_names and "shop_mean" in valid.cont_names
    assert abs(np.corrcoef(valid.x["shop_mean"], valid.targs)[0, 1]) > 0.9
    spoiled = data.train.targs.copy()
    spoiled[valid_rows] = 1e6
    other = dataclasses.replace(data, train=dataclasses.replace(data.train, targs=spoiled))
    assert other.fold(fit_rows, valid_rows)[1].x.equals(valid.x)


def test_no_mean_uses_the_rows_own_target(tmp_path):
    data = many_levels(tmp_path)
    rows = np.arange(600)
    before = data.fold(rows, None)[0].x["shop_mean"]
    for row in (0, 17, 599):
        changed = data.train.targs.copy()
        changed[row] += 1000
        after = (
            dataclasses.replace(data, train=dataclasses.replace(data.train, targs=changed))
            .fold(rows, None)[0]
            .x["shop_mean"]
        )
        assert after[row] == before[row] and (after != before).any()


@pytest.mark.parametrize(
    ("task", "targets", "added"),
    [
        ("binary", [i % 2 for i in range(N)], ["c_mean"]),
        ("multiclass", ["a", "b", "c"] * 20, ["c_mean", "c_mean1", "c_mean2"]),
        ("multiclass", [f"k{i % 12}" for i in range(N)], []),
    ],
)
def test_mean_targets_by_task(tmp_path, task, targets, added):
    data = read(
        write(tmp_path, {"c": [f"v{i % 40}" for i in range(N)]}, targets=targets), task=task
    )
    fit, test = data.fold(np.arange(N), None)
    assert (
        [c for c in fit.cont_names if "_mean" in c]
        == added
        == [c for c in test.cont_names if "_mean" in c]
    )


def test_replaced_features_get_no_mean_targets(tmp_path):
    data = many_levels(tmp_path)
    own = data.with_features(
        pd.DataFrame({"n": range(600)}),
        pd.DataFrame({"n": range(50)}),
        cat_names=(),
        cont_names=("n",),
    )
    assert list(own.fold(np.arange(600), None)[0].x) == ["n"]


# --- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "vocab"),
    [
        (["yes", "no"] * 30, ("no", "yes")),
        ([True, False] * 30, (False, True)),
        ([1.0, 0.0] * 30, (0, 1)),
        ([1.0, 0.0] * 29 + [None, None], (0, 1)),
        ([True, False] * 29 + [None, None], (False, True)),
        ([10**12, 5] * 30, (5, 10**12)),
        (["None", "NA"] * 30, ("NA", "None")),
    ],
)
def test_class_labels_in_columns_with_gaps(tmp_path, written, vocab):
    data = read(write(tmp_path, {"a": NUMBER}, targets=written))
    assert data.vocab == vocab and [type(v) for v in data.vocab] == [type(v) for v in vocab]
    kept = [v for v in written if v is not None]
    assert len(data.train) == len(kept) == len(data.ids)
    assert [data.vocab[c] for c in data.targs[:4]] == kept[:4]


def test_a_class_called_none_is_not_a_gap(tmp_path):
    data = read(
        write(tmp_path, {"a": NUMBER}, targets=["None", "mild", "bad"] * 19 + [None] * 3),
        task="multiclass",
    )
    assert data.vocab == ("None", "bad", "mild") and len(data.train) == 57


def test_values_with_gaps_and_written_as_text(tmp_path):
    data = read(
        write(tmp_path, {"a": NUMBER}, targets=[f"{v:,}" for v in range(990, 1049)] + [""]),
        task="regression",
    )
    assert data.targs.tolist() == list(range(990, 1049)) and data.vocab == ()


def test_several_targets(tmp_path):
    write(tmp_path, {"a": NUMBER, "z": NUMBER * 2})
    data = read(tmp_path, task="regression", target=("y", "z"))
    assert data.targs.shape == (N, 2) and data.train.n_outputs == 2 and list(data.train.x) == ["a"]


@pytest.mark.parametrize(
    ("task", "targets", "message"),
    [
        ("binary", ["a", "b", "c"] * 20, "needs two classes, and 'y' holds 3: 'a', 'b', 'c'"),
        ("multiclass", ["a"] * N, "at least two classes, and 'y' holds 1"),
        ("multiclass", NUMBER, 'For values use task = "regression"'),
        ("regression", ["a", "b"] * 30, "'y' holds 'a'. For classes"),
        ("regression", [np.inf, *NUMBER[1:]], "'y' holds inf"),
        ("binary", [None] * N, "no row with a value in y"),
    ],
)
def test_targets_that_do_not_fit_the_task(tmp_path, task, targets, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, {"a": NUMBER}, targets=targets), task=task)


# --- ids, groups, time ---------------------------------------------------------------------------


def test_ids_stay_as_they_are_written(tmp_path):
    write(tmp_path, {"a": NUMBER})
    for name in ("train", "test", "sample_submission"):
        frame = pd.read_csv(tmp_path / f"{name}.csv")
        frame.assign(id=[f"{i:05d}" for i in frame["id"]]).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    data = read(tmp_path)
    assert data.ids[0] == "00001" and data.test_ids[0] == "01001" == data.sample["id"][0]
    assert read(write(tmp_path, {"a": NUMBER})).ids.dtype == np.int64


def test_ids_only_in_the_sample_submission(tmp_path):
    write(tmp_path, {"a": NUMBER})
    for name in ("train", "test"):
        pd.read_csv(tmp_path / f"{name}.csv").drop(columns="id").to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    data = read(tmp_path)
    assert (
        data.test_ids.tolist() == list(range(1001, 1021))
        and len(set(data.ids)) == N
        and list(data.train.x) == ["a"]
    )


def test_repeated_and_empty_ids_are_refused(tmp_path):
    with pytest.raises(DataError, match="more than once, the first 7"):
        read(write(tmp_path, {"a": NUMBER}, id=7))
    with pytest.raises(DataError, match="'id' is empty in row 2"):
        read(write(tmp_path, {"a": NUMBER}, id=[1, None, *range(3, 21)]))


def test_groups_and_time(tmp_path):
    write(
        tmp_path,
        {
            "a": NUMBER,
            "team": ["x", None, "y"] * 20,
            "day": [f"{i % 28 + 1:02d}.02.2020" for i in range(N)],
        },
    )
    data = read(tmp_path, group_column="team", time_column="day")
    assert set(data.groups) == {"x", "y", "(missing)"}
    assert data.time[1] == np.datetime64("2020-02-02")
    write(tmp_path, {"a": NUMBER, "day": ["2020-01-01", "never"] * 30})
    with pytest.raises(
        DataError,
        match=r"split. column = .day.: 30 values that are neither .*train\.csv, .*2 \('never'\)",
    ):
        read(tmp_path, time_column="day")


# --- files ---------------------------------------------------------------------------------------


def test_without_a_sample_submission_the_test_rows_are_used(tmp_path):
    data = read(write(tmp_path, {"a": NUMBER}, sample=False))
    assert list(data.sample) == ["id", "y"] and data.sample["id"].tolist() == data.test_ids.tolist()


def test_the_sample_submission_may_be_the_test_file(tmp_path):
    write(tmp_path, {"a": NUMBER})
    with pytest.raises(DataError, match="No column is left"):
        read(tmp_path, test="sample_submission.csv")
    data = read(tmp_path, test="sample_submission.csv", keep_text=True)
    assert data.test_ids.tolist() == list(range(1001, 1021)) and len(data.test.x.columns) == 0


def test_byte_order_mark_and_western_european_letters(tmp_path):
    write(tmp_path, {"a": NUMBER, "town": ["Köln", "Paris"] * 30})
    text = (tmp_path / "train.csv").read_text(encoding="utf-8")
    (tmp_path / "train.csv").write_text(text, encoding="utf-8-sig")
    assert set(read(tmp_path).train.x["town"]) == {"Köln", "Paris"}
    (tmp_path / "train.csv").write_text(text, encoding="latin-1")
    assert set(read(tmp_path).train.x["town"]) == {"Köln", "Paris"}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_read(tmp_path, encoding):
    write(tmp_path, {"a": NUMBER, "town": ["Z\u00fcrich", "Gen\u00e8ve"] * 30})
    file = tmp_path / "train.csv"
    file.write_text(file.read_text(encoding="utf-8"), encoding=encoding)
    assert set(read(tmp_path).train.x["town"].cat.categories) == {"Z\u00fcrich", "Gen\u00e8ve"}


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan"])
def test_an_id_may_be_called_na(tmp_path, name):
    write(tmp_path, {"a": NUMBER})
    for file in ("train.csv", "test.csv", "sample_submission.csv"):
        df = pd.read_csv(tmp_path / file, dtype=str)
        df.loc[3, "id"] = name
        df.to_csv(tmp_path / file, index=False)
    data = read(tmp_path)
    assert data.ids[3] == data.test_ids[3] == data.sample["id"][3] == name and data.ids[4] == "5"


def test_line_breaks_inside_quotes(tmp_path):
    data = read(write(tmp_path, {"c": ["one\ntwo", "one, two"] * 30}))
    assert len(data.train) == N and set(data.train.x["c"]) == {"one\ntwo", "one, two"}


def test_repeated_column_names_become_distinct(tmp_path):
    write(tmp_path, {"a": NUMBER, "b": NUMBER * 2})
    for name in ("train", "test"):
        text = (tmp_path / f"{name}.csv").read_text()
        (tmp_path / f"{name}.csv").write_text(text.replace("id,a,b", "id,a,a", 1))
    assert list(read(tmp_path).train.x) == ["a", "a.1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "does not read as csv"),
        ('id,y\n1,"open', "does not read as csv"),
        ("id,y\n1,2\n3,4,5,6\n", "does not read as csv"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    write(tmp_path, {"a": NUMBER})
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(DataError, match=rf"train\.csv.*{message}"):
        read(tmp_path)


def test_missing_files_and_columns_say_what_there_is(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read(tmp_path / "nowhere")
    write(tmp_path, {"a": NUMBER})
    with pytest.raises(
        DataError,
        match=r"trian\.csv does not exist \(its folder has: sample_submission\.csv, test\.csv",
    ):
        read(tmp_path, train="trian.csv")
    with pytest.raises(
        DataError,
        match=r"toml: id = .Id.: .*has no such column\. Did you mean 'id'\? Its columns: id",
    ):
        read(tmp_path, id="Id")
    with pytest.raises(
        DataError, match=r'target = "z": .*train\.csv has no such column\. Its columns: id, a, y'
    ):
        read(tmp_path, target=("z",))


def test_reading_twice_gives_the_same_fingerprint(tmp_path):
    many_levels(tmp_path)
    assert (
        read(tmp_path, task="regression").fingerprint()
        == read(tmp_path, task="regression").fingerprint()
    )
