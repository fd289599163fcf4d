"""The public names are those of the stubs, they all exist, and importing them is fast."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import fastkaggle_plus

PACKAGE = Path(fastkaggle_plus.__file__).parent
STUBS = sorted(PACKAGE.rglob("__init__.pyi"))
# fastkaggle's functions keep their positional arguments.
MOST_POSITIONAL = {
    "create_libs_datasets": 4,
    "create_requirements_dataset": 6,
    "get_dataset": 4,
    "mk_dataset": 4,
    "nb_meta": 9,
    "push_notebook": 10,
}
HEAVY = {"torch", "pandas", "sklearn", "kaggle", "numpy", "fastai", "matplotlib", "starlette"}
LIGHT_VERBS = [
    ["list"],
    ["list", "--json"],
    ["board", "titanic"],
    ["submissions", "-c", "titanic"],
    ["sandbox", "serve", "--help"],
]


def packages_loaded_by(code: str) -> set[str]:
    """Return the top-level packages that a fresh Python imports for `code`."""
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {name.split(".")[0] for name in out.splitlines()}


def packages_loaded_by_fkp(*arguments: str) -> set[str]:
    """Return the packages that a command imports, even if it fails."""
    return packages_loaded_by(
        f"import sys; sys.argv = ['fkp', *{arguments!r}]\n"
        "from fastkaggle_plus.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )


def test_every_lazy_package_has_a_stub():
    lazy = [f for f in PACKAGE.rglob("__init__.py") if "attach_stub" in f.read_text("utf-8")]
    assert sorted(lazy) == [f.with_suffix(".py") for f in STUBS] and len(STUBS) >= 5


@pytest.mark.parametrize("stub", STUBS, ids=lambda f: f.parent.name)
def test_all_is_sorted_and_names_what_the_stub_imports(stub):
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    [declared] = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    names = ast.literal_eval(declared)
    assert names == sorted(imported)

    module = ".".join(stub.parent.relative_to(PACKAGE.parent).parts)
    package = importlib.import_module(module)
    assert sorted(package.__all__) == names and set(names) <= set(dir(package))
    assert [name for name in names if not hasattr(package, name)] == []
    assert not hasattr(package, "no_such_name")


def test_public_functions_have_a_docstring_and_few_positional_arguments():
    for name in fastkaggle_plus.__all__:
        value = getattr(fastkaggle_plus, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__name__ == name and inspect.getdoc(value), name
        if inspect.isfunction(value):
            parameters = list(inspect.signature(value).parameters.values())
            named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
            for parameter in parameters[MOST_POSITIONAL.get(name, 3) :]:
                assert parameter.kind in named, f"make {parameter.name} of {name} keyword-only"


def test_star_import_gives_exactly_all():
    names: dict[str, object] = {}
    exec("from fastkaggle_plus import *", names)
    assert set(names) - {"__builtins__"} == set(fastkaggle_plus.__all__)


def test_importing_loads_nothing_heavy():
    assert not packages_loaded_by("import fastkaggle_plus") & HEAVY


def test_star_import_loads_no_torch_and_no_kaggle():
    loaded = packages_loaded_by("from fastkaggle_plus import *")
    assert not loaded & {"torch", "fastai", "kaggle"}


def test_help_loads_nothing_heavy():
    assert not packages_loaded_by_fkp("--help") & HEAVY


@pytest.mark.parametrize("verb", LIGHT_VERBS, ids=" ".join)
def test_a_verb_that_needs_no_model_loads_no_heavy_package(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    allowed = {"numpy", "kaggle"} if verb[0] == "submissions" else {"numpy"}
    assert not packages_loaded_by_fkp(*verb) & (HEAVY - allowed)
