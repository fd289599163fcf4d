"""Find models by name, read their PRELOAD and ATTACH, and import them lightly."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from fastkaggle_plus import Trial, modeling
from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.environment import numeric_threads
from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.modeling import find_model, forest_model, language_models, preload_of
from fastkaggle_plus.modeling.registry import public_models
from fastkaggle_plus.modeling.text import weights

FOLDER = Path(modeling.__file__).parent
NO_MODELS = {"find_model", "load_model", "explain_model"}


def test_a_model_is_found_by_file_and_function():
    assert find_model("forest.forest_model") is forest_model
    assert find_model("boosting.xgboost_model")().name == "xgboost"


def test_the_competitions_own_folder_is_searched_first(tmp_path):
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
        ("forrest.forest_model", "forest_model"),
        ("forest.forestmodel", "forest_model"),
        ("boost.catboost_model", "catboost_model"),
        ("forrest_model", "forest_model"),
        ("sklearn.linear_model.Rigde", "sklearn.linear_model.Ridge"),
    ],
)
def test_a_typing_error_gets_the_name_that_was_meant(dotted, near):
    with pytest.raises(UnknownName, match="Did you mean") as e:
        find_model(dotted)
    assert near in e.value.near
    assert "Lasso" not in str(e.value)  # of a module's classes only the near ones


@pytest.mark.parametrize(
    "dotted",
    [
        "registry.find_model",
        "find_model",
        "forest.tree_curve",
        "sklearn.linear_model.ridge_regression",
        "sklearn.nowhere.Ridge",
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
def test_names_of_no_model_are_unknown(dotted):
    with pytest.raises(UnknownName):
        find_model(dotted)


@pytest.mark.parametrize("room", ["tabular", "vision", "text"])
def test_a_rooms_own_name_means_its_model_file(room):
    function = find_model(f"{room}.{room}_model")
    assert function is getattr(modeling, f"{room}_model")
    assert function.__module__ == f"fastkaggle_plus.modeling.{room}.model"


def test_every_model_of_every_file_is_found_and_exported():
    declared = {}
    for file in sorted(FOLDER.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.endswith("_model"):
                name = file.parent.name if file.name == "model.py" else file.stem
                declared[node.name] = f"{name}.{node.name}"
    declared = {k: v for k, v in declared.items() if k[0] != "_" and k not in NO_MODELS}
    assert set(declared) == {n for n in modeling.__all__ if n.endswith("_model")} - NO_MODELS
    for function, dotted in declared.items():
        assert find_model(dotted) is getattr(modeling, function)


def test_every_public_model_is_found_by_its_name_alone():
    for name, file in public_models().items():
        assert find_model(name) is getattr(modeling, name) and file.is_file()


def test_the_table_of_contents_is_exact():
    names = modeling.__all__
    assert len(set(names)) == len(names) and set(names) <= set(dir(modeling))
    for name in names:
        assert callable(getattr(modeling, name)), name
    with pytest.raises(AttributeError, match="frost"):
        _ = modeling.frost


@pytest.mark.parametrize("module", ["", ".tabular.forest", ".tabular.boosting", ".validation"])
def test_importing_models_loads_no_heavy_library(module):
    heavy = ("torch", "fastai", "lightgbm", "xgboost", "catboost", "timm", "transformers")
    name = f"fastkaggle_plus.modeling{module}"
    code = f"import sys, {name}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_preload_is_read_without_importing_the_file(tmp_path):
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


def test_language_models_are_read_without_importing_the_file(tmp_path, monkeypatch):
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


def test_preloading_starts_no_thread_and_uses_no_gpu():
    packages = sorted({name for model in public_models() for name in preload_of(model)})
    assert {"torch", "fastai.tabular.all", "sklearn.ensemble"} <= set(packages)
    code = f"""
import importlib, os, pandas, torch, warnings
warnings.simplefilter("ignore")
def touched(*args, **kw):
    raise SystemExit("the GPU was used")
for name in ("is_available", "device_count", "current_device", "init", "_lazy_init"):
    setattr(torch.cuda, name, touched)
for name in {packages}:
    importlib.import_module(name)
print(len(os.listdir("/proc/self/task")))
"""
    with numeric_threads(1):  # as the server that forks the trials is started
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr


def test_a_distribution_counts_once_in_the_folder_of_an_editable_installation(tmp_path):
    """The keys of runs name the versions of packages: they must not depend on the folder."""
    for path in (tmp_path / "site", tmp_path / "editable"):
        info = path / "toy_package-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n")
        (info / "top_level.txt").write_text("toy_package\n")
    code = (
        f"import sys; sys.path += [{str(tmp_path / 'site')!r}, {str(tmp_path / 'editable')!r}]\n"
        "from fastkaggle_plus.modeling.registry import distributions\n"
        "print(distributions()['toy_package'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['toy-package']"
