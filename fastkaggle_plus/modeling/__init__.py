"""Models: each file a family, each `*_model` a declared model, `cross_validate` what turns one into Predictions.

    from fastkaggle_plus.modeling import cross_validate, forest_model, tabular_model

A new family is a new file: `Trial("mine", "file.function")` finds it; its PRELOAD, see `preloads`, makes many trials of it start fast, and
its ATTACH takes the language models that it needs to Kaggle.
The table below only makes names importable from here.
"""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import UnknownName

if TYPE_CHECKING:
    from .awd_lstm import awd_lstm_model
    from .bagging import Bag, bag, bag_model
    from .boosting import catboost_model, hist_gradient_boosting_model, lightgbm_model, xgboost_model
    from .forest import FewDeepTrees, forest_model, one_r_model, split_score, tree_curve, tree_model
    from .group_leak import GroupLeak, find_group_leak
    from .imaging.archs import Arch, resolve_arch
    from .imaging.memory import gpu_fit
    from .imaging.model_table import model_table
    from .language.inputs import Encoder, write_texts
    from .language.weights import default_arch, fetch_weights, load_tokenizer
    from .linear import ridge_model
    from .model import FittedFunction, Model
    from .overlap_text import cosine_model, overlap_model
    from .preloads import language_models, preload_of
    from .scratch import deep_net_model, linear_model, net_model, sigmoid_model
    from .static_text import static_text_model
    from .tabular import tabular_model
    from .text import text_model
    from .validation import cross_validate
    from .vision import augmented, vision_model

_HOME = {
    "awd_lstm_model": "awd_lstm",
    "Bag": "bagging", "bag": "bagging", "bag_model": "bagging",
    "catboost_model": "boosting", "hist_gradient_boosting_model": "boosting", "lightgbm_model": "boosting", "xgboost_model": "boosting",
    "FewDeepTrees": "forest", "forest_model": "forest", "one_r_model": "forest", "split_score": "forest", "tree_curve": "forest", "tree_model": "forest",
    "GroupLeak": "group_leak", "find_group_leak": "group_leak",
    "Arch": "imaging.archs", "resolve_arch": "imaging.archs", "gpu_fit": "imaging.memory", "model_table": "imaging.model_table",
    "Encoder": "language.inputs", "write_texts": "language.inputs",
    "default_arch": "language.weights", "fetch_weights": "language.weights", "load_tokenizer": "language.weights",
    "ridge_model": "linear",
    "FittedFunction": "model", "Model": "model",
    "cosine_model": "overlap_text", "overlap_model": "overlap_text",
    "language_models": "preloads", "preload_of": "preloads",
    "deep_net_model": "scratch", "linear_model": "scratch", "net_model": "scratch", "sigmoid_model": "scratch",
    "static_text_model": "static_text",
    "tabular_model": "tabular",
    "text_model": "text",
    "cross_validate": "validation",
    "augmented": "vision", "vision_model": "vision",
}

__all__ = [
    "Arch", "Bag", "Encoder", "FewDeepTrees", "FittedFunction", "GroupLeak", "Model", "augmented", "awd_lstm_model", "bag", "bag_model", "catboost_model",
    "cosine_model", "cross_validate", "deep_net_model", "default_arch", "fetch_weights", "find_group_leak", "find_model", "forest_model", "gpu_fit",
    "hist_gradient_boosting_model", "language_models", "lightgbm_model", "linear_model", "load_tokenizer", "model_table", "net_model",
    "one_r_model", "overlap_model", "preload_of", "resolve_arch", "ridge_model", "sigmoid_model", "split_score", "static_text_model", "tabular_model",
    "text_model", "tree_curve", "tree_model", "vision_model", "write_texts", "xgboost_model",
]


def find_model(
    dotted: str,     # "file.function", as in Trial.model
    comp: Any = None,   # a Competition: its folder is looked in first
) -> Any:
    "Return the function that makes a model. Raises UnknownName with near matches."
    file, _, function = dotted.partition(".")
    if not (file.isidentifier() and function.isidentifier()):
        raise UnknownName("model", dotted, sorted(f"{home}.{name}" for name, home in _HOME.items() if name.endswith("_model")), "Write it as file.function.")
    module = comp.module(file) if comp is not None else None
    if module is None:
        files = {p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_")}
        if file not in files or importlib.util.find_spec(f"{__name__}.{file}") is None:
            raise UnknownName("model file", file, files, f"{dotted!r} is looked up in the competition's folder and in fastkaggle_plus.modeling.")
        module = import_module(f".{file}", __name__)
    if not callable(found := getattr(module, function, None)):
        raise UnknownName("model", dotted, [f"{file}.{n}" for n in vars(module) if n.endswith("_model") or n == "bag"])
    return found


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
