"""fastkaggle's public names keep their names, argument order and defaults."""

from __future__ import annotations

import ast
import inspect
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastkaggle_plus
from fastkaggle_plus import kaggle_client


def arguments_in_fastkaggle(name: str) -> list[tuple[str, object]]:
    """(name, default) of every argument; read from its source, as importing it would authenticate."""
    spec = find_spec("fastkaggle")
    assert spec and spec.origin
    tree = ast.parse((Path(spec.origin).parent / "core.py").read_text(encoding="utf-8"))
    function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    names = [a.arg for a in function.args.args]
    defaults = [ast.literal_eval(d) for d in function.args.defaults]
    return list(
        zip(names, [inspect.Parameter.empty] * (len(names) - len(defaults)) + defaults, strict=True)
    )


@pytest.mark.parametrize(
    "name",
    [
        "import_kaggle",
        "setup_comp",
        "competition_submit",
        "nb_meta",
        "push_notebook",
        "check_ds_exists",
        "mk_dataset",
        "get_dataset",
        "get_pip_library",
        "get_pip_libraries",
        "push_dataset",
        "get_local_ds_ver",
        "create_libs_datasets",
        "create_requirements_dataset",
    ],
)
def test_signature_begins_as_in_fastkaggle(name):
    theirs = arguments_in_fastkaggle(name)
    ours = list(inspect.signature(getattr(kaggle_client, name)).parameters.values())
    assert [(p.name, p.default) for p in ours[: len(theirs)]] == theirs
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in ours[len(theirs) :]), (
        "what is new is keyword-only"
    )
    assert inspect.signature(getattr(fastkaggle_plus, name)) == inspect.signature(
        getattr(kaggle_client, name)
    )


def test_every_name_of_fastkaggle_is_here():
    spec = find_spec("fastkaggle")
    assert spec and spec.origin
    tree = ast.parse((Path(spec.origin).parent / "core.py").read_text(encoding="utf-8"))
    [theirs] = [
        ast.literal_eval(n.value)
        for n in tree.body
        if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"
    ]
    assert len(theirs) == 15 and not set(theirs) - set(kaggle_client.__all__)
    assert not set(theirs) - set(fastkaggle_plus.__all__)
