"""What a model's file says of itself, read without importing it: what to import before processes are forked, what a notebook has to have attached."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .registry import model_files


def preload_of(
    dotted: str,  # "file.function", as in Trial.model
    comp: Any = None,  # a Competition: its folder is looked in first
) -> tuple[str, ...]:
    """Return the packages that the model's file names in PRELOAD = ("torch", ...); () where it names none or cannot be read.

    Name there what takes long to import and starts no thread and no GPU meanwhile: a forked process could use neither.
    The file is read and not imported: what else it does is the trial's own business.
    """
    return tuple(map(str, _constant(_parsed(dotted, comp), "PRELOAD")))


def language_models(
    trials: Iterable[Any],  # Trial records
    comp: Any = None,  # a Competition: its folder is looked in first
) -> tuple[str, ...]:
    """Return the pretrained language models that trials need, by the names they give them.

    A model's file names in ATTACH = ("arch",) the parameters that hold such a name; one that is left empty stands for `default_arch()`. With
    ATTACH = {"vectors": ("wordllama",)} these values are no model's names. A bag needs what the model needs that it repeats.
    """
    return tuple(dict.fromkeys(name for t in trials for name in _named(t.model, t.params, comp)))


def _named(dotted: str, params: Mapping[str, Any], comp: Any) -> Iterator[str]:
    from .text.weights import default_arch

    tree = _parsed(dotted, comp)
    attach = _constant(tree, "ATTACH")
    defaults = _defaults(tree, dotted.rpartition(".")[2])
    for name in map(str, attach):
        if name in params or name in defaults:
            value = params.get(name) or defaults.get(name) or default_arch()
            if value not in (attach[name] if isinstance(attach, dict) else ()):
                yield str(value)
    inner, given = params.get("model"), params.get("params")
    if isinstance(inner, str):
        yield from _named(inner, given if isinstance(given, Mapping) else {}, comp)


def _parsed(dotted: str, comp: Any) -> ast.Module:
    "The source of a model's file; empty where there is none, or none that reads: the trial will say what is wrong with it."
    name = dotted.partition(".")[0]
    own = [comp.folder / f"{name}.py"] if comp is not None and comp.folder else []
    for file in (*own, model_files().get(name)):
        if file is not None and file.is_file():
            try:
                return ast.parse(file.read_bytes())
            except (OSError, SyntaxError, ValueError):
                break
    return ast.Module([], [])


def _constant(tree: ast.Module, name: str) -> Any:
    "The tuple, list or dictionary that a file assigns to a name; () where it assigns none."
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            try:
                value = ast.literal_eval(node.value)
            except (TypeError, ValueError):
                return ()
            return value if isinstance(value, (tuple, list, dict)) else ()
    return ()


def _defaults(tree: ast.Module, function: str) -> dict[str, str]:
    "The text that each parameter of a function has for a default,  where it has another one or none."
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            positional, given = [*node.args.posonlyargs, *node.args.args], node.args
            values = [
                *[None] * (len(positional) - len(given.defaults)),
                *given.defaults,
                *given.kw_defaults,
            ]
            return {
                arg.arg: value.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
                else ""
                for arg, value in zip([*positional, *given.kwonlyargs], values, strict=True)
            }
    return {}
