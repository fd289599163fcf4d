"""The public names are exactly those written down, each can be had, and importing them loads nothing heavy."""

import inspect
import subprocess
import sys

import pytest

import fastkaggle_plus

# fastkaggle's names keep their argument order for ever.
LONG_BY_HERITAGE = {
    "create_libs_datasets": 4,
    "create_requirements_dataset": 6,
    "get_dataset": 4,
    "mk_dataset": 4,
    "nb_meta": 9,
    "push_notebook": 10,
}
HEAVY = ("torch", "pandas", "sklearn", "kaggle", "numpy", "fastai", "matplotlib", "starlette")


def loaded_by(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {name.split(".")[0] for name in out.splitlines()}


def test_all_is_sorted_and_matches_the_table_of_contents():
    assert fastkaggle_plus.__all__ == sorted(fastkaggle_plus.__all__)
    assert set(fastkaggle_plus.__all__) == set(fastkaggle_plus._HOME)


def test_every_public_name_exists_and_says_what_it_is():
    for name in fastkaggle_plus.__all__:
        value = getattr(fastkaggle_plus, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__name__ == name and inspect.getdoc(value), name
        if inspect.isfunction(value):
            for i, parameter in enumerate(inspect.signature(value).parameters.values()):
                is_named = parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
                assert i < LONG_BY_HERITAGE.get(name, 3) or is_named, (
                    f"{name}({parameter.name}) should be keyword-only"
                )


def test_star_import_gives_exactly_all():
    names: dict[str, object] = {}
    exec("from fastkaggle_plus import *", names)
    assert set(names) - {"__builtins__"} == set(fastkaggle_plus.__all__)


def test_unknown_name_is_an_attribute_error():
    assert not hasattr(fastkaggle_plus, "no_such_name")


def test_importing_loads_nothing_heavy():
    assert not loaded_by("import fastkaggle_plus") & set(HEAVY)


def test_star_import_loads_no_torch_and_no_kaggle():
    assert not loaded_by("from fastkaggle_plus import *") & {"torch", "fastai", "kaggle"}


def test_help_loads_nothing_heavy():
    code = "import sys; sys.argv = ['fkp', '--help']\nfrom fastkaggle_plus.cli.app import main\ntry: main()\nexcept SystemExit: pass"
    assert not loaded_by(code) & set(HEAVY)


@pytest.mark.parametrize(
    "verb",
    [
        ["list"],
        ["list", "--json"],
        ["board", "titanic"],
        ["submissions", "-c", "titanic"],
        ["sandbox", "serve", "--help"],
    ],
)
def test_a_verb_that_needs_no_model_loads_no_heavy_package(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    code = f"import sys; sys.argv = ['fkp', *{verb!r}]\nfrom fastkaggle_plus.cli.app import main\ntry: main()\nexcept SystemExit: pass"
    heavy = {"torch", "pandas", "sklearn", "fastai", "matplotlib", "starlette"} | (
        {"kaggle"} if verb[0] != "submissions" else set()
    )
    assert not loaded_by(code) & heavy
