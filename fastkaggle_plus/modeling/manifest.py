"""Read the constants PRELOAD, GPU_ROWS and ATTACH of a model's file, without importing it.

PRELOAD = ("torch",): packages to import before worker processes are forked.
GPU_ROWS = {"function": 1000}: models that use a GPU for as many rows, without torch.
ATTACH = ("arch",): parameters that name a pretrained language model. A notebook on Kaggle must
attach that model. ATTACH = {"vectors": ("wordllama",)} excludes values that name no such model.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..exceptions import FastkaggleError
from .registry import locate

ON_GPU = {"torch", "fastai", "timm", "transformers"}  # packages of models that use a GPU


def preload_of(
    dotted: str,  # "file.function", as in Trial.model
    comp: Any = None,  # a Competition: its folder is searched first
) -> tuple[str, ...]:
    """Return the packages in the PRELOAD of a model's file; () if it has none or does not parse.

    PRELOAD may name packages that are slow to import. Their import must start no thread and use no
    GPU, because a forked process could use neither.
    """
    declared = _constant(_syntax_tree(dotted, comp), "PRELOAD")
    is_sklearn = not declared and dotted.startswith("sklearn.")
    return (dotted.rpartition(".")[0],) if is_sklearn else tuple(map(str, declared))


def uses_gpu(
    dotted: str,  # "file.function", as in Trial.model
    comp: Any = None,  # a Competition: its folder is searched first
    *,
    n_rows: int,  # training rows
) -> bool:
    """Say whether a model's file declares that it uses a GPU if there is one."""
    tree = _syntax_tree(dotted, comp)
    packages = {str(name).partition(".")[0] for name in _constant(tree, "PRELOAD")}
    least_rows = dict(_constant(tree, "GPU_ROWS")).get(dotted.rpartition(".")[2], n_rows + 1)
    return bool(ON_GPU & packages) or n_rows >= least_rows


def language_models(
    trials: Iterable[Any],  # Trial records
    comp: Any = None,  # a Competition: its folder is searched first
) -> tuple[str, ...]:
    """Return the pretrained language models that trials need, each once.

    A parameter in ATTACH that is empty, or has no text as its default, means `default_arch()`.
    A bag needs the language models of its inner model.
    """
    found = (name for t in trials for name in _language_models(t.model, t.params, comp))
    return tuple(dict.fromkeys(found))


def _language_models(dotted: str, params: Mapping[str, Any], comp: Any) -> Iterator[str]:
    from .text.weights import default_arch

    tree = _syntax_tree(dotted, comp)
    attach = _constant(tree, "ATTACH")
    defaults = _text_defaults(tree, dotted.rpartition(".")[2])
    for name in map(str, attach):
        if name in params or name in defaults:
            value = params.get(name) or defaults.get(name) or default_arch()
            if value not in (attach[name] if isinstance(attach, dict) else ()):
                yield str(value)
    inner, inner_params = params.get("model"), params.get("params")
    if isinstance(inner, str):
        inner_params = inner_params if isinstance(inner_params, Mapping) else {}
        yield from _language_models(inner, inner_params, comp)


def _syntax_tree(dotted: str, comp: Any) -> ast.Module:
    """Return the syntax tree of a model's file; an empty one if it is missing or has errors."""
    try:
        file = locate(dotted, comp).file
        return ast.parse(file.read_bytes() if file else b"")
    except (OSError, SyntaxError, ValueError, FastkaggleError):  # the trial itself will report it
        return ast.Module([], [])


def _constant(tree: ast.Module, name: str) -> Any:
    """Return the tuple, list or dictionary that a file assigns to a name; () if there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            try:
                value = ast.literal_eval(node.value)
            except (TypeError, ValueError):
                return ()
            return value if isinstance(value, (tuple, list, dict)) else ()
    return ()


def _text_defaults(tree: ast.Module, function: str) -> dict[str, str]:
    """Return the default of each parameter of a function, "" where it is no text."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            positional = [*node.args.posonlyargs, *node.args.args]
            no_default = [None] * (len(positional) - len(node.args.defaults))
            names = [arg.arg for arg in (*positional, *node.args.kwonlyargs)]
            values = [*no_default, *node.args.defaults, *node.args.kw_defaults]
            texts = [getattr(value, "value", "") for value in values]
            pairs = zip(names, texts, strict=True)
            return {name: text if isinstance(text, str) else "" for name, text in pairs}
    return {}
