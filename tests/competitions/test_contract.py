"""Rules for every competition folder, including the template."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import builtin_folder, load_comp
from fastkaggle_plus.data import Data
from fastkaggle_plus.modeling import find_model
from fastkaggle_plus.sweeps import folds_for, trials_of
from fastkaggle_plus.sweeps.results_csv import COLUMNS
from fastkaggle_plus.sweeps.trial import Sweep, Trial

FOLDERS = sorted(p.parent for p in builtin_folder().glob("*/competition.toml"))
PRIVATE = re.compile(
    r"""(^|[\s"'=(])(/(home|root|tmp|Users|kaggle|mnt|srv|var|workspace)/|[A-Z]:\\)"""
    r"""|KAGGLE_KEY\s*=|"key"\s*:\s*"[0-9a-f]{32}"|KGAT_""",
    re.M,
)


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda f: f.name)
def comp(request):
    return load_comp(request.param)


@pytest.fixture(scope="module")
def bundle(comp, tmp_path_factory):
    own = comp.module("rehearsal")
    assert own is not None, f"{comp.folder} has no rehearsal.py: copy the one of _template"
    return own.make(tmp_path_factory.mktemp("bundles"), seed=1)


def table(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def content(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_the_template_and_one_competition_of_each_kind_exist():
    assert {
        "_template",
        "titanic",
        "paddy-disease-classification",
        "us-patent-phrase-to-phrase-matching",
    } <= {f.name for f in FOLDERS}


def test_the_folder_name_is_the_slug(comp):
    assert comp.slug == comp.folder.name and comp.title
    assert comp.slug == "_template" or comp.url.endswith(f"/competitions/{comp.slug}")


def test_the_readme_describes_task_score_and_results(comp):
    title, text = (comp.folder / "README.md").read_text(encoding="utf-8").split("\n", 1)
    assert title.startswith("# ") and len(text) > 300
    for word in ("score", "results", "rehears"):
        assert word in text.lower(), word


def test_trials_are_plain_data_and_their_models_exist(comp):
    trials = trials_of(comp)
    assert trials and all(isinstance(t, Trial) for t in trials)
    rows = json.loads(Sweep(comp.slug, trials).to_json())["trials"]
    assert tuple(Trial(**row) for row in rows) == trials
    for trial in trials:
        assert callable(find_model(trial.model, comp)), trial.name


def test_results_are_complete_and_dated(comp):
    if (file := comp.folder / "results.csv").exists():
        rows = table(file)
        assert tuple(rows.columns) == COLUMNS and len(rows)
        required = [c for c in COLUMNS if c not in ("public_score", "private_score")]
        assert (
            (rows[required] != "").all(axis=None)
            and (rows["metric"] == comp.metric).all()
            and rows["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
        )


def test_no_file_contains_a_local_path_or_a_key(comp):
    for file in comp.folder.rglob("*"):
        if file.suffix in (".py", ".toml", ".md", ".csv", ".json"):
            assert not (found := PRIVATE.search(file.read_text(encoding="utf-8"))), (
                f"{file}: {found and found[0]}"
            )


def test_the_rehearsal_is_a_complete_bundle(comp, bundle):
    assert bundle.name == comp.slug and load_comp(bundle).metric == comp.metric
    # a notebook of a code competition runs again on the hidden files
    whole = bundle / ("hidden" if comp.code_competition else "files")
    solution, sample, train = (
        table(bundle / "solution.csv"),
        table(whole / comp.sample_submission),
        table(bundle / "files" / comp.train),
    )
    assert (
        sample[comp.id].tolist()
        and set(sample[comp.id]) == set(solution[comp.id])
        and sample[comp.id].is_unique
    )
    assert set(solution["Usage"]) == {"Public", "Private"} and set(comp.target) <= set(solution)
    assert set(table(whole / comp.test)[comp.id]) == set(sample[comp.id])
    seen = set(table(bundle / "files" / comp.test)[comp.id])
    assert (
        seen
        == set(table(bundle / "files" / comp.sample_submission)[comp.id])
        <= set(sample[comp.id])
    )
    assert not comp.code_competition or 1 <= len(seen) <= len(sample) / 5
    assert not set(train[comp.id]) & set(sample[comp.id]) and set(comp.target) <= set(train)


def test_served_files_contain_no_answers(comp, bundle):
    solution = table(bundle / "solution.csv").set_index(comp.id)[list(comp.target)]
    assert not list((bundle / "files").rglob("solution*"))
    for file in (bundle / "files").rglob("*.csv"):
        rows = table(file)
        if comp.id in rows and set(comp.target) <= set(rows):
            rows = rows[rows[comp.id].isin(solution.index)].set_index(comp.id)[list(comp.target)]
            assert rows.empty or (
                not rows.equals(solution.loc[rows.index]) and (rows.nunique() == 1).all()
            ), file.name  # a sample has the same answer in all rows
    for file in [
        p
        for p in (bundle / "files").rglob("*")
        if comp.images and p.is_file() and p.name in set(solution.index)
    ]:
        label = solution.loc[file.name].iloc[0]
        assert label not in file.relative_to(bundle).parent.parts


def test_the_bundle_depends_only_on_the_seed(comp, bundle, tmp_path):
    make = comp.module("rehearsal").make
    again, other = make(tmp_path / "again", seed=1), make(tmp_path / "other", seed=2)
    assert content(again) == content(bundle)
    assert content(other) != content(bundle)
    assert table(other / "solution.csv").to_csv() != table(bundle / "solution.csv").to_csv()


def test_train_and_test_have_the_same_features(comp, bundle):
    data = comp.read(bundle / "files")
    assert isinstance(data, Data) and data.task == comp.task and data.test.targs is None
    assert list(data.train.x) == list(data.test.x) and len(data.train.x.columns)
    assert sorted(data.train.x) == sorted((*data.train.cat_names, *data.train.cont_names))
    for c in data.train.cat_names:
        assert data.train.x[c].dtype == data.test.x[c].dtype == "category"
    assert np.isfinite(
        data.train.x[list(data.train.cont_names)].fillna(0).to_numpy(dtype=float)
    ).all()
    assert not {comp.id, *comp.target} & {*data.train.x} or comp.kind == "text"
    assert (
        len(data.ids) == len(data.train)
        and len(data.test_ids) == len(data.test)
        and set(data.sample[comp.id]) == set(data.test_ids)
    )
    assert comp.read(bundle / "files").fingerprint() == data.fingerprint()


def test_the_split_of_the_competition_is_possible(comp, bundle):
    data = comp.read(bundle / "files")
    folds = folds_for(comp, data)
    assert folds.kind == comp.split.kind and folds.n_folds >= 2
    fit, rows = data.fold(*next(iter(folds.splits())))
    assert list(fit.x) == list(rows.x)
