from .bagging import Bag, bag, bag_model
from .cv_interval import CVInterval, cv_interval
from .final.final_card import ModelCard
from .final.final_model import FinalModel
from .final.fit_final import fit_final
from .final.saved_folder import VersionsDiffer, load_model
from .group_leaks import GroupLeak, find_group_leak
from .learning_rate import LearningRates, lr_find
from .manifest import language_models, preload_of
from .model import FittedFunction, Model
from .registry import find_model
from .split_checks import Finding, check_split, copy_groups, split_advice
from .tabular.boosting import (
    catboost_model,
    hist_gradient_boosting_model,
    lightgbm_model,
    xgboost_model,
)
from .tabular.forest import (
    FewDeepTrees,
    forest_model,
    one_r_model,
    split_score,
    tree_curve,
    tree_model,
)
from .tabular.linear import ridge_model
from .tabular.model import tabular_model
from .tabular.scratch import deep_net_model, linear_model, net_model, sigmoid_model
from .tabular.tabm import tabm_model
from .text.encoding import Encoder, write_texts
from .text.loading import load_tokenizer
from .text.model import text_model
from .text.overlap_text import cosine_model, overlap_model
from .text.static_text import static_text_model
from .text.text_probe import text_probe_model
from .text.weights import default_arch, fetch_weights
from .validation import cross_validate
from .vision.archs import Arch, resolve_arch
from .vision.gpu_memory import gpu_fit
from .vision.model import augmented, vision_model
from .vision.model_table import model_table
from .vision.probe import probe_model
from .without import without_model

__all__ = [
    "Arch",
    "Bag",
    "CVInterval",
    "Encoder",
    "FewDeepTrees",
    "FinalModel",
    "Finding",
    "FittedFunction",
    "GroupLeak",
    "LearningRates",
    "Model",
    "ModelCard",
    "VersionsDiffer",
    "augmented",
    "bag",
    "bag_model",
    "catboost_model",
    "check_split",
    "copy_groups",
    "cosine_model",
    "cross_validate",
    "cv_interval",
    "deep_net_model",
    "default_arch",
    "fetch_weights",
    "find_group_leak",
    "find_model",
    "fit_final",
    "forest_model",
    "gpu_fit",
    "hist_gradient_boosting_model",
    "language_models",
    "lightgbm_model",
    "linear_model",
    "load_model",
    "load_tokenizer",
    "lr_find",
    "model_table",
    "net_model",
    "one_r_model",
    "overlap_model",
    "preload_of",
    "probe_model",
    "resolve_arch",
    "ridge_model",
    "sigmoid_model",
    "split_advice",
    "split_score",
    "static_text_model",
    "tabm_model",
    "tabular_model",
    "text_model",
    "text_probe_model",
    "tree_curve",
    "tree_model",
    "vision_model",
    "without_model",
    "write_texts",
    "xgboost_model",
]
