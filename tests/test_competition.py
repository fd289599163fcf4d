"""competition.toml: errors with file, key, value and allowed values; where it is found."""

import time

import pandas as pd
import pytest

from fastkaggle_plus.competition import (
    Competition,
    builtin_folder,
    list_comps,
    load_comp,
    read_competition,
)
from fastkaggle_plus.data import Data
from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName

GOOD = 'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'


def make(folder, text=GOOD, slug="my-comp", **files):
    """Write a competition folder."""
    (folder / slug).mkdir(parents=True, exist_ok=True)
    (folder / slug / "competition.toml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / slug / f"{name}.py").write_text(content, encoding="utf-8")
    return folder / slug


def make_data(folder):
    folder.mkdir(exist_ok=True)
    pd.DataFrame({"id": range(20), "a": range(20), "y": [0, 1] * 10}).to_csv(
        folder / "train.csv", index=False
    )
    pd.DataFrame({"id": range(20, 30), "a": range(10)}).to_csv(folder / "test.csv", index=False)
    return folder


def test_defaults_and_every_key(tmp_path):
    comp = read_competition(make(tmp_path) / "competition.toml")
    assert (comp.slug, comp.target, comp.kind, comp.train, comp.split.kind) == (
        "my-comp",
        ("y",),
        "tabular",
        "train.csv",
        "random",
    )
    assert (
        comp.page == "https://www.kaggle.com/competitions/my-comp"
        and comp.folder == tmp_path / "my-comp"
    )
    comp = read_competition(
        make(
            tmp_path,
            GOOD.replace("binary", "regression")
            .replace("accuracy", "rmse")
            .replace('"y"', '["y", "z"]')
            + """
title = "T"
kind = "text"
url = "https://example.org"
max_daily_submissions = 3
code_competition = true
[split]
kind = "time"
column = "day"
[text]
columns = "words"
[images]
name = "{id}.png"
[sandbox]
rules_accepted = false
max_daily_submissions = 2
deadline = "2030-01-01T00:00:00Z"
""",
        )
        / "competition.toml"
    )
    assert (
        comp.target == ("y", "z")
        and comp.text.columns == ("words",)
        and comp.images.name == "{id}.png"
        and comp.split.column == "day"
    )
    assert (
        comp.sandbox.max_daily_submissions == 2
        and not comp.sandbox.rules_accepted
        and comp.page == "https://example.org"
    )
    assert Competition(**comp.model_dump()) == comp  # plain data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD + 'taks = "x"',
            r"unknown key taks = 'x'\. Did you mean 'task'\? Allowed: code_competition, id",
        ),
        (
            GOOD + '[split]\nkindd = "time"',
            r"unknown key \[split\] kindd = 'time'\. Did you mean 'kind'\? Allowed: column, kind",
        ),
        (GOOD + '[spilt]\nkind = "time"', r"unknown key spilt = \{\.\.\.\}\. Did you mean 'split'"),
        (
            GOOD.replace("binary", "binry"),
            r"'binry' is not one of 'binary', 'multiclass' or 'regression'\. Did you mean 'binary'",
        ),
        (GOOD + 'kind = "image"', r"kind = 'image' is not one of .*Did you mean 'images'"),
        (
            GOOD + '[split]\nkind = "tiem"\ncolumn = "d"',
            r"\[split\] kind = 'tiem' is not one of .*Did you mean 'time'",
        ),
        (GOOD + '[split]\nkind = "group"', r"\[split\] kind = 'group' needs `column`"),
        (
            GOOD + 'split = "time"',
            r"split = 'time', and split is a section\. Write \[split\] .*below it: kind, column",
        ),
        (
            GOOD.replace("accuracy", "acuracy"),
            r"metric = 'acuracy'.*Did you mean 'accuracy'.*write metric\.py",
        ),
        (
            GOOD.replace("accuracy", "rmse"),
            r"'rmse' does not fit task = \"binary\": it is for regression.*one of: accuracy",
        ),
        (
            GOOD.replace("binary", "regression").replace("accuracy", "auc"),
            r"'auc' does not fit task = \"regression\": it is for binary.*rmsle",
        ),
        (GOOD.replace("accuracy", "map@3"), r"'map@3' does not fit.*it is for multiclass"),
        (
            'task = "binary"',
            r"(?s)metric is missing\. Write, .*metric = 'accuracy'.*id is .*target is missing",
        ),
        (GOOD.replace('"y"', "[]"), r"target = \[\] \(list\): name at least one"),
        (GOOD.replace('"y"', "3"), r"target = 3 \(int\): a name or a list of names is needed"),
        (GOOD.replace('"y"', '["y", 3]'), r"target = 3 \(int\)"),
        (
            GOOD.replace('"y"', '["y", "z"]'),
            r"task = 'binary' takes one target column, and 2 are named",
        ),
        (GOOD.replace('"y"', '"id"'), r"id and target both name 'id'"),
        (GOOD + 'max_daily_submissions = "ten"', r"max_daily_submissions = 'ten' \(str\).*integer"),
        (
            GOOD + "max_daily_submissions = -1",
            r"max_daily_submissions = -1.*greater than or equal to 0",
        ),
        (GOOD + '[sandbox]\ndeadline = "soon"', r"\[sandbox\] deadline = 'soon'.*[Ii]soformat"),
        (GOOD + 'max_daily_submissions = "5"', r"max_daily_submissions = '5' \(str\).*integer"),
        (GOOD + "max_daily_submissions = true", r"max_daily_submissions = True \(bool\).*integer"),
        (GOOD + 'code_competition = "yes"', r"code_competition = 'yes' \(str\).*boolean"),
        (
            GOOD + "[sandbox]\nrules_accepted = 1",
            r"\[sandbox\] rules_accepted = 1 \(int\).*boolean",
        ),
        (GOOD.replace('"y"', '""'), r"target = '' \(str\): an empty name"),
        (GOOD.replace('"id"', '""'), r"id = '' \(str\): an empty name"),
        (
            GOOD.replace("binary", "regression")
            .replace("accuracy", "mean_columnwise_rmse")
            .replace('"y"', '["y", "y"]'),
            r"target names 'y' twice",
        ),
        (GOOD + '[split]\nkind = "group"\ncolumn = "y"', r"\[split\] column = 'y' is the target"),
        (GOOD + 'slug = "x"', r"'slug' is not a key: the folder's name is the slug"),
        ("task = ", r"is not valid TOML"),
    ],
)
def test_each_mistake_names_file_key_and_allowed_values(tmp_path, text, message):
    file = make(tmp_path, text) / "competition.toml"
    with pytest.raises(ConfigError, match=message) as e:
        read_competition(file)
    assert str(e.value).startswith(str(file))


def test_a_bundle_with_a_grader_needs_no_named_metric(tmp_path):
    assert (
        read_competition(
            make(tmp_path, GOOD.replace("accuracy", "my_own"), grade="") / "competition.toml"
        ).metric
        == "my_own"
    )


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(ConfigError, match="fkp new SLUG"):
        read_competition(tmp_path / "competition.toml")


def test_the_nearest_folder_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundles = tmp_path / "elsewhere"
    for folder, title in (
        (bundles, "bundle"),
        (tmp_path, "here"),
        (tmp_path / "competitions", "folder"),
    ):
        make(folder, GOOD + f'title = "{title}"')
        assert load_comp("my-comp", bundles=bundles).title == title
    assert load_comp(bundles / "my-comp").title == "bundle"
    assert load_comp("./my-comp").title == "here"


def test_a_missing_folder_of_bundles_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nope is no folder"):
        load_comp("my-comp", bundles=tmp_path / "nope")


def test_unknown_slugs_have_near_matches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "competitions")
    make(tmp_path / "competitions", slug="_hidden")
    with pytest.raises(
        UnknownName,
        match=r"Unknown competition 'my-cmp'\. Did you mean 'my-comp'\?.*fkp new my-cmp",
    ) as e:
        load_comp("my-cmp")
    assert "_hidden" not in e.value.known
    with pytest.raises(UnknownName):
        load_comp("")


def test_the_list_has_own_and_built_in_competitions_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "competitions", GOOD + 'title = "mine"', slug="paddy-disease-classification")
    make(tmp_path / "competitions", slug="_template")
    comps = {c.slug: c for c in list_comps()}
    assert (
        comps["paddy-disease-classification"].title == "mine"
        and "us-patent-phrase-to-phrase-matching" in comps
        and "_template" not in comps
    )
    assert len(comps) == len(list_comps()) and list(comps) == sorted(comps)
    assert (builtin_folder() / "_template" / "competition.toml").exists()


def test_reading_with_and_without_a_data_py(tmp_path):
    path = make_data(tmp_path / "data")
    assert list(load_comp(make(tmp_path)).read(path).train.x) == ["a"]
    own = make(
        tmp_path,
        slug="own",
        data="""
from pathlib import Path
from fastkaggle_plus.competition import load_comp
def read(path):
    data = load_comp(Path(__file__).parent).read_files(path)
    x, x_test = (f.assign(b=f["a"] * 2)[["b"]] for f in (data.raw_train, data.raw_test))
    return data.with_features(x, x_test, cat_names=(), cont_names=("b",))
""",
    )
    data = load_comp(own).read(path)
    assert isinstance(data, Data) and data.train.x["b"].tolist()[:3] == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (
            "import nothing_like_it\n",
            ConfigError,
            r"data\.py does not load \(ModuleNotFoundError: .*'nothing_like_it', line 1\)",
        ),
        ("def read(path:\n", ConfigError, r"data\.py does not load \(SyntaxError: .*line 1\)"),
        ("x = 1\n", ConfigError, r"has no function read\(path\)"),
        ("def read(path):\n    return None\n", ConfigError, "must return a Data, got NoneType"),
        (
            "def read(path):\n    return {}['Age']\n",
            DataError,
            r"read\(\) failed \(KeyError: 'Age', line 2\)",
        ),
    ],
)
def test_a_broken_reader_is_named_with_its_line(tmp_path, code, error, message):
    comp = load_comp(make(tmp_path, data=code))
    with pytest.raises(error, match=message):
        comp.read(make_data(tmp_path / "data"))


def test_an_edited_file_is_loaded_again(tmp_path):
    folder = make(tmp_path, trials="N = 1")
    assert load_comp(folder).module("trials").N == 1 and load_comp(folder).module(
        "trials"
    ) is load_comp(folder).module("trials")
    time.sleep(0.01)
    (folder / "trials.py").write_text("N = 22")
    assert load_comp(folder).module("trials").N == 22
    assert load_comp(folder).module("rehearsal") is None


def test_the_split_column_reaches_the_data(tmp_path):
    path = make_data(tmp_path / "data")
    for kind, group, when in (
        ("group", True, False),
        ("stratified-group", True, False),
        ("time", False, True),
        ("stratified", False, False),
    ):
        data = load_comp(make(tmp_path, GOOD + f'[split]\nkind = "{kind}"\ncolumn = "a"')).read(
            path
        )
        assert (data.groups is not None, data.time is not None) == (group, when)
