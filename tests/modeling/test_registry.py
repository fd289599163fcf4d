"""Finding models by name, and what importing them costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastkaggle_plus import Trial, modeling
from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.modeling import find_model, forest_model, language_models, preload_of
from fastkaggle_plus.modeling.text import weights


def test_a_model_is_found_by_file_and_function():
    assert find_model("forest.forest_model") is forest_model
    assert find_model("boosting.xgboost_model")().name == "xgboost"


def test_the_competitions_own_folder_is_looked_in_first(tmp_path):
    comp = load_comp("titanic")
    assert (
        find_model("women_and_children.women_and_children_model", comp)().name
        == "women and children"
    )
    assert find_model("forest.forest_model", comp) is forest_model
    (tmp_path / "forest.py").write_text("def forest_model():\n    return 'own'\n")
    (tmp_path / "competition.toml").write_text((comp.folder / "competition.toml").read_text())
    assert find_model("forest.forest_model", load_comp(tmp_path))() == "own"


@pytest.mark.parametrize(
    "dotted, near",
    [
        ("forrest.forest_model", "forest"),
        ("forest.forestmodel", "forest.forest_model"),
        ("boost.catboost_model", "boosting"),
        ("forest_model", "forest.forest_model"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(dotted, near):
    with pytest.raises(UnknownName, match="Did you mean") as e:
        find_model(dotted)
    assert near in e.value.near


@pytest.mark.parametrize(
    "dotted",
    [
        "forest_model",
        "forest.",
        "",
        "a.b.c",
        "model.Array.x",
        "os.getcwd",
        "forest.FEW_TREES",
        "__init__.find_model",
        "..forest.forest_model",
    ],
)
def test_what_is_no_model_is_an_unknown_name(dotted):
    with pytest.raises(UnknownName):
        find_model(dotted)


def test_the_table_of_contents_is_exact():
    assert modeling.__all__ == sorted(modeling.__all__) and len(set(modeling.__all__)) == len(
        modeling.__all__
    )
    for name in modeling.__all__:
        assert callable(getattr(modeling, name)), name
    assert set(modeling.__all__) == {*modeling._HOME, "find_model"} <= set(dir(modeling))
    with pytest.raises(AttributeError, match="no attribute 'frost'"):
        _ = modeling.frost


def test_every_model_in_the_folder_is_in_it():
    declared = {
        node.name
        for file in Path(modeling.__file__).parent.glob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and node.name.endswith("_model")
        and node.name[0] != "_"
    }
    assert declared == {n for n in modeling.__all__ if n.endswith("_model")}


@pytest.mark.parametrize(
    "module",
    [
        "fastkaggle_plus.modeling",
        *(f"fastkaggle_plus.modeling.{m}" for m in ("forest", "boosting", "validation")),
    ],
)
def test_importing_models_loads_no_heavy_library(module):
    heavy = ("torch", "fastai", "lightgbm", "xgboost", "catboost", "timm", "transformers")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_what_a_model_wants_imported_first_is_read_and_not_imported(tmp_path):
    assert (
        preload_of("scratch.net_model") == ("torch",)
        and preload_of("bagging.bag_model") == preload_of("nowhere.x_model") == ()
    )
    (tmp_path / "competition.toml").write_text(
        'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
    )
    (tmp_path / "scratch.py").write_text(
        'PRELOAD = ("timm", "torch")\nraise RuntimeError("imported")\n'
    )
    comp = load_comp(tmp_path)
    assert preload_of("scratch.net_model", comp) == ("timm", "torch")
    (tmp_path / "scratch.py").write_text("PRELOAD = (")
    assert preload_of("scratch.net_model", comp) == ()


def test_the_language_models_that_trials_need_are_read_and_not_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "default_arch", lambda: "the/default")
    (tmp_path / "competition.toml").write_text(
        'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
    )
    (tmp_path / "reader.py").write_text(
        'ATTACH = ("arch",)\ndef read_model(arch="", *, bs=2): ...\ndef rule_model(bs=2): ...\n'
        'def small_model(*, arch="its/own"): ...\nraise RuntimeError("imported")\n'
    )
    (tmp_path / "vectors.py").write_text(
        'ATTACH = {"vectors": ("bundled",)}\ndef mean_model(vectors=""): ...\n'
    )
    comp = load_comp(tmp_path)

    def named(dotted, **params):
        return language_models([Trial("x", dotted, params)], comp)

    assert named("reader.read_model", arch="a/b") == ("a/b",) and named(
        "reader.read_model", bs=1
    ) == ("the/default",)
    assert (
        named("reader.small_model") == ("its/own",)
        and named("reader.rule_model") == named("forest.forest_model") == named("nowhere.x") == ()
    )
    assert named(
        "bagging.bag_model", model="reader.read_model", n=2, params={"arch": "./mine"}
    ) == ("./mine",)
    assert named(
        "bagging.bag_model", model="bagging.bag_model", params={"model": "reader.read_model"}
    ) == ("the/default",)
    assert named("vectors.mean_model", vectors="bundled") == () and named("vectors.mean_model") == (
        "the/default",
    )
    assert language_models(
        [Trial(n, "reader.read_model", {"arch": "a/b"}) for n in "xy"], comp
    ) == ("a/b",)


def test_what_is_imported_before_a_fork_leaves_the_gpu_and_threads_alone():
    folder = Path(modeling.__file__).parent
    packages = sorted(
        {name for file in folder.glob("*.py") for name in preload_of(f"{file.stem}.x")}
    )
    assert {"torch", "fastai.tabular.all", "sklearn.ensemble"} <= set(packages)
    code = f"""
import importlib, os, torch, warnings
warnings.simplefilter("ignore")
def touched(*args, **kw):
    raise SystemExit("the GPU was asked for")
for name in ("is_available", "device_count", "current_device", "init", "_lazy_init"):
    setattr(torch.cuda, name, touched)
for name in {packages}:
    importlib.import_module(name)
print(len(os.listdir("/proc/self/task")))
"""
    one_thread = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=one_thread
    )
    assert said.stdout.strip() == "1", said.stderr
