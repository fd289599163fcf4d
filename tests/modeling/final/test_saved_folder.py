"""A saved model: what is refused and why, which code runs, and what the card says."""

import dataclasses
import functools
import json
import os
import shutil
import sys
import types

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import read_competition
from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.exceptions import DataError, MissingExtra
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import (
    VersionsDiffer,
    cross_validate,
    fit_final,
    forest_model,
    load_model,
    ridge_model,
)
from fastkaggle_plus.modeling.final.write_folder import file_hash, hash_of
from fastkaggle_plus.reading import read_tabular

from ..tables import make_data

TOML = 'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
OWN_CODE = '''
"""Own features and an own model."""
import helper
from fastkaggle_plus.modeling import FittedFunction, Model

RAN = open("ran.txt", "a").write("x")


def add_mean(fit, rows):
    mean = fit.targs.mean() + helper.ZERO
    added = [t.x[["size"]].rename(columns={"size": "size2"}) * 0 + mean for t in (fit, rows)]
    return fit.with_columns(added[0]), rows.with_columns(added[1])


class Rule:
    def __init__(self, share):
        self.share = share

    def predict(self, table):
        import numpy as np

        yes = np.where(table.x["color"] == "red", self.share, table.x["size2"].fillna(0.5))
        return np.column_stack([1 - yes, yes])


def rule_model():
    return Model("rule", lambda table: Rule(0.9))


def hidden_model():
    return Model("hidden", lambda table: lambda rows: rows.x)
'''


OWN_LEARNER = '''
"""A network of our own, trained by fastai's Learner."""
from dataclasses import dataclass

import torch
from fastai.tabular.all import DataLoaders, Learner

from fastkaggle_plus.modeling import Model


@dataclass
class Recipe:
    n_in: int

    def build(self):
        layers = torch.nn.Linear(self.n_in, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)
        net = torch.nn.Sequential(*layers)
        net.recipe = self
        return net


@dataclass
class Fitted:
    net: object

    def predict(self, table):
        with torch.no_grad():
            return self.net(numbers(table)).softmax(1).numpy()


def numbers(table):
    return torch.tensor(table.x[list(table.cont_names)].fillna(0).to_numpy(), dtype=torch.float)


def fit(table):
    rows = list(zip(numbers(table), torch.tensor(table.targs)))
    dls = DataLoaders.from_dsets(rows, rows[:8], bs=16, device="cpu")
    learn = Learner(dls, Recipe(2).build(), torch.nn.CrossEntropyLoss())
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    return Fitted(learn.model.eval())


def learner_model():
    return Model("learner", fit)
'''


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    """Return the folder of a small forest."""
    return fit_final(forest_model(5), data).save(tmp_path_factory.mktemp("model") / "forest")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def rewrite(folder, *, graph=None, **changes):
    """Change model.json or the graph, with right hashes: as one would who attacks."""
    facts = json.loads((folder / "model.json").read_text())
    facts.pop("sha256")
    if graph is not None:
        (folder / "graph.json").write_text(json.dumps(graph))
    facts["files"] = {n: file_hash(folder / n) for n in facts["files"]} | changes.pop("files", {})
    facts |= changes
    (folder / "model.json").write_text(json.dumps({**facts, "sha256": hash_of(facts)}))


@pytest.mark.parametrize("name", ["arrays.safetensors", "graph.json", "sklearn"])
def test_a_damaged_file_is_refused(folder, name):
    [file] = folder.glob(f"{name}*")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"{file.name} is damaged"):
        load_model(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "graph.json").unlink()
    with pytest.raises(DataError, match=r"lacks graph\.json"):
        load_model(folder)


def test_a_changed_or_broken_model_json_is_refused(folder):
    file = folder / "model.json"
    text = file.read_text()
    file.write_text(text.replace('"binary"', '"multiclass"'))
    with pytest.raises(DataError, match="changed after it was saved"):
        load_model(folder)
    file.write_text(text[:-20])
    with pytest.raises(DataError, match="is damaged"):
        load_model(folder)
    file.write_text("[1]")
    with pytest.raises(DataError, match="is damaged"):
        load_model(folder)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no model\.json, so it is no saved model"):
        load_model(tmp_path)
    with pytest.raises(DataError, match=r"no model\.json"):
        load_model(tmp_path / "none")


def test_a_newer_format_is_refused(folder):
    rewrite(folder, format=99)
    with pytest.raises(DataError, match="format 99; this version of fastkaggle_plus reads 1"):
        load_model(folder)


def test_files_outside_the_folder_are_refused(folder):
    (folder.parent / "other").write_text("x")
    rewrite(folder, files={"../other": file_hash(folder.parent / "other")})
    with pytest.raises(DataError, match=r"lacks \.\./other"):
        load_model(folder)


@pytest.mark.parametrize(
    "name",
    [
        "subprocess:Popen",
        "os:system",
        "fastkaggle_plus.files:write_atomically",
        "fastkaggle_plus.modeling.registry:build",
        "fastkaggle_plus.modeling.model:np",
    ],
)
def test_only_classes_of_models_are_made(folder, name):
    rewrite(folder, graph={"class": name, "state": {}, "number": 0})
    with pytest.raises(DataError, match=f"names '{name}'; expected a class of a model"):
        load_model(folder)


def test_a_scikit_learn_file_with_other_objects_is_refused(folder):
    from skops import io

    io.dump(functools.partial(os.system, "touch ran"), next(folder.glob("*.skops")))
    rewrite(folder)
    with pytest.raises(DataError, match=r"unknown types: .*system"):
        load_model(folder)


@pytest.mark.parametrize("package", ["skops", "safetensors"])
def test_a_missing_package_is_named_with_its_install_line(folder, monkeypatch, package):
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"{package} is not installed.*fastkaggle_plus\[keep\]"):
        load_model(folder)


def test_other_versions_are_named(folder, data):
    card = json.loads((folder / "model.json").read_text())["card"]
    card["versions"]["scikit-learn"] = "0.99.1"
    rewrite(folder, card=card)
    with pytest.warns(VersionsDiffer, match=r"scikit-learn 0\.99\.1 \(here "):
        load_model(folder).predict(data.test.x)


def test_a_library_that_fails_is_explained_with_the_versions(folder):
    card = json.loads((folder / "model.json").read_text())["card"]
    card["versions"]["scikit-learn"] = "0.99.1"
    next(folder.glob("*.skops")).write_bytes(b"no zip")
    rewrite(folder, card=card)
    with pytest.raises(DataError, match=r"does not load .*scikit-learn 0\.99\.1 \(here"):
        load_model(folder)


def test_a_folder_with_other_files_is_not_replaced(data, saved, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    final = load_model(saved)
    with pytest.raises(DataError, match="has other files"):
        final.save(tmp_path)
    assert final.save(tmp_path / "new") and final.save(tmp_path / "new")  # a model is replaced
    assert [f.name for f in tmp_path.iterdir()] == ["thesis.tex", "new"] or len(
        list(tmp_path.iterdir())
    ) == 2
    preds = load_model(tmp_path / "new").predict(data.test.x)
    np.testing.assert_array_equal(preds, final.predict(data.test.x))


@pytest.fixture
def own(tmp_path, data, monkeypatch):
    """Return a competition's folder with own code, and that code."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "comps" / "mine"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML)
    (folder / "own.py").write_text(OWN_CODE)
    (folder / "helper.py").write_text("ZERO = 0.0\n")
    comp = read_competition(folder / "competition.toml")
    return comp, comp.module("own")


def test_own_code_runs_only_if_allowed(own, data, tmp_path):
    comp, code = own
    data = dataclasses.replace(data, in_fold=code.add_mean)
    folds = make_folds(data.targs, n_folds=2, seed=0)
    preds = cross_validate(code.rule_model(), data, folds, test="refit")
    folder = fit_final(code.rule_model(), data, predictions=preds, comp=comp).save(tmp_path / "m")
    shutil.rmtree(comp.folder)
    (tmp_path / "ran.txt").unlink()
    with pytest.raises(
        DataError, match=r"own code: code/competition\.toml, code/helper\.py, code/own\.py"
    ):
        load_model(folder)
    assert not (tmp_path / "ran.txt").exists()
    final = load_model(folder, run_code=True)
    assert (tmp_path / "ran.txt").exists()
    np.testing.assert_allclose(final.predict(data.test.x), preds.test, atol=1e-9)
    assert set(final.card.code) == {"code/competition.toml", "code/helper.py", "code/own.py"}
    card = (folder / "model_card.md").read_text()
    compile(card.partition("```python")[2].partition("```")[0], "the card's example", "exec")
    assert "the targets of its training rows" in card and "run_code=True" in card
    again = final.save(tmp_path / "again")  # a loaded model can be saved too
    np.testing.assert_allclose(load_model(again, run_code=True).predict(data.test.x), preds.test)


def test_a_learner_of_fastai_is_kept_as_its_weights(own, data, tmp_path):
    comp, _ = own
    (comp.folder / "learner.py").write_text(OWN_LEARNER)
    final = fit_final(comp.module("learner").learner_model(), data, comp=comp)
    folder = final.save(tmp_path / "m")
    shutil.rmtree(comp.folder)
    loaded = load_model(folder, run_code=True)
    np.testing.assert_array_equal(loaded.predict(data.test.x), final.predict(data.test.x))
    assert "torch" in loaded.card.versions
    assert {f.name for f in folder.glob("*.safetensors")} == {"weights.safetensors"}


def test_a_function_inside_a_function_is_refused_with_the_way_out(own, data, tmp_path):
    with pytest.raises(DataError, match=r"hidden_model .*Return an object of a class"):
        fit_final(own[1].hidden_model(), data).save(tmp_path / "m")
    assert not (tmp_path / "m").exists() and not list(tmp_path.glob("*.part"))


def test_code_of_no_competition_is_refused(data, tmp_path):
    class Odd:
        def predict(self, table):
            return np.zeros((len(table), 2))

    with pytest.raises(DataError, match="cannot be kept"):
        fit_final(lambda table: Odd(), data).save(tmp_path / "m")
    with pytest.raises(DataError, match="cannot be kept"):
        fit_final(lambda table: types.SimpleNamespace(predict=lambda t: t), data).save(
            tmp_path / "m"
        )


def test_means_of_levels_are_kept_without_the_rows(tmp_path):
    rng, n = np.random.default_rng(0), 300
    city = rng.integers(0, 40, n)
    frame = pd.DataFrame({"id": np.arange(n), "city": [f"c{i}" for i in city], "y": city % 7 + 1.0})
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame.drop(columns="y").head(60).to_csv(tmp_path / "test.csv", index=False)
    data = read_tabular(tmp_path, id="id", target=("y",), task="regression", metric="rmsle")
    folds = make_folds(data.targs, n_folds=3, seed=0)
    preds = cross_validate(forest_model(10), data, folds)
    folder = fit_final(forest_model(10), data, folds=folds).save(tmp_path / "m")
    final = load_model(folder)
    np.testing.assert_allclose(final.predict(data.raw_test), preds.test, atol=1e-9)
    assert final.card.cv_score == pytest.approx(preds.oof_score) and final.card.kind == "table"
    assert "training rows" not in (folder / "model_card.md").read_text()
    with pytest.raises(DataError, match="predicts values"):
        final.label_probabilities(data.raw_test)


def test_an_ensemble_has_the_weights_and_the_score_of_its_members(data, tmp_path):
    folds = make_folds(data.targs, n_folds=3, seed=0)
    models = [forest_model(5), ridge_model()]
    preds = [cross_validate(m, data, folds) for m in models]
    whole = ensemble(preds, weights=[3, 1])
    final = fit_final(models, data, folds=folds, predictions=preds, combined=whole)
    np.testing.assert_allclose(final.predict(data.test.x), whole.test, atol=1e-6)
    assert final.card.cv_score == whole.oof_score and len(final.members) == 6
    with pytest.raises(DataError, match="ensemble by rank cannot be kept"):
        fit_final(models, data, predictions=preds, combined=ensemble(preds, method="rank"))
    with pytest.raises(DataError, match="one Predictions for each of the 2 models, got 1"):
        fit_final(models, data, predictions=preds[:1])


def test_it_is_shown_in_a_few_lines(data, saved):
    final = load_model(saved)
    assert "not cross-validated" in repr(final) and "forest" in final._repr_html_()
    rows = final.label_probabilities(data.test.x.head(2))
    assert [set(r) for r in rows] == [{"no", "yes"}] * 2
    np.testing.assert_allclose([r["yes"] for r in rows], final.predict(data.test.x)[:2, 1])
    assert final.predict(data.test.x.head(0)).shape == (0, 2)
