from .bagging import Bag, bag, bag_model
from .cv_interval import CVInterval, cv_interval
from .explain.contributions import contributions
from .explain.dependence import interactions, partial_dependence
from .explain.drop_columns import drop_columns
from .explain.explanation import Explanation, explain_model
from .explain.fold_models import FoldModels, fit_fold_models
from .explain.permutation import permutation_importance
from .explain.redundancy import redundant_columns
from .explain.tree_spread import score_by_spread, tree_spread
from .final.final_card import ModelCard
from .final.final_model import FinalModel
from .final.fit_final import fit_final
from .final.load_model import VersionsDiffer, load_model
from .group_leaks import GroupLeak, find_group_leak
from .learning_rate import LearningRates, lr_find
from .manifest import language_models, preload_of
from .model import FittedFunction, Model
from .registry import find_model
from .split_checks import Finding, check_split, copy_groups, split_advice
from .split_checks.shift import train_test_shift
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
    "Explanation",
    "FewDeepTrees",
    "FinalModel",
    "Finding",
    "FittedFunction",
    "FoldModels",
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
    "contributions",
    "copy_groups",
    "cosine_model",
    "cross_validate",
    "cv_interval",
    "deep_net_model",
    "default_arch",
    "drop_columns",
    "explain_model",
    "fetch_weights",
    "find_group_leak",
    "find_model",
    "fit_final",
    "fit_fold_models",
    "forest_model",
    "gpu_fit",
    "hist_gradient_boosting_model",
    "interactions",
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
    "partial_dependence",
    "permutation_importance",
    "preload_of",
    "probe_model",
    "redundant_columns",
    "resolve_arch",
    "ridge_model",
    "score_by_spread",
    "sigmoid_model",
    "split_advice",
    "split_score",
    "static_text_model",
    "tabm_model",
    "tabular_model",
    "text_model",
    "text_probe_model",
    "train_test_shift",
    "tree_curve",
    "tree_model",
    "tree_spread",
    "vision_model",
    "without_model",
    "write_texts",
    "xgboost_model",
]
