"""The trials of a competition: those in its trials.py, else default trials."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError, UnknownName
from ..predictions import Predictions
from .trial import Sweep, Trial

# trains in minutes on a laptop
_SMALL_NETWORK = dict(
    arch="tf_efficientnet_lite0", item=128, batch=96, method="squish", epochs=3, bs=32
)
_BOOSTERS = ("lightgbm", "xgboost", "catboost")


def trials_of(
    comp: Competition,
    declared: str = "TRIALS",  # name of the list in the competition's trials.py
) -> tuple[Trial, ...]:
    """Return the trials that the competition's trials.py declares, else `default_trials`.

    Raises ConfigError when the list is not a list of trials, UnknownName when there is none.
    """
    module = comp.module("trials")
    if module is None and declared == "TRIALS":
        return default_trials(comp)
    trials: Any = getattr(module, declared, None)
    if module is None or (trials is None and declared != "TRIALS"):
        known = trial_lists(comp) if module else {}
        hint = f"Declare it in the competition's trials.py: {declared} = (Trial(...), ...)."
        raise UnknownName("list of trials", declared, known, hint)
    if problem := _problem(trials):
        raise ConfigError(f"{module.__file__}: {declared} must be a tuple of Trial, and {problem}")
    return Sweep(comp.slug, tuple(trials)).trials  # Sweep refuses two trials of one name


def trial_lists(comp: Competition) -> dict[str, tuple[Trial, ...]]:
    """Return each list of trials in the competition's trials.py by its name.

    Without a trials.py, the default trials are returned as TRIALS.
    """
    module = comp.module("trials")
    if module is None:
        return {"TRIALS": default_trials(comp)}
    return {name: tuple(v) for name, v in vars(module).items() if _problem(v) == ""}


def declared_ensemble(comp: Competition, members: Sequence[Predictions]) -> Predictions:
    """Combine predictions with the method that trials.py declares. Raises DataError."""
    from ..ensembling import ensemble  # imports pandas

    return ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "auto"))


def _problem(value: Any) -> str:
    """Say why a value is not a list of trials; empty when it is one."""
    remedy = "Declare at least one trial, or delete the file to use the default trials."
    if value is None:
        return f"it is not there. {remedy}"
    if not isinstance(value, (tuple, list)):
        return f"it is a {type(value).__name__}. {remedy}"
    if not value:
        return f"it is empty. {remedy}"
    for trial in value:
        if not isinstance(trial, Trial):
            example = 'Trial("forest", "forest.forest_model")'
            return f"it contains {trial!r}, which is not a Trial. Write {example}."
    return ""


def default_trials(comp: Competition) -> tuple[Trial, ...]:
    """Return one trial of each model family that is installed.

    The trial of one column is a baseline for the others and does not join the ensemble.
    """
    baseline = "how good a single column is: the baseline for all others"
    about_boosting = "boosting finds more than a forest"
    trials = [
        Trial("one_r", "forest.one_r_model", {}, baseline, in_ensemble=False),
        Trial("forest", "forest.forest_model", {}, "a forest needs no tuning"),
        Trial("hist_gb", "boosting.hist_gradient_boosting_model", {}, about_boosting),
        Trial("ridge", "linear.ridge_model", {}, "a linear model makes other errors than trees"),
    ]
    for name in filter(find_spec, _BOOSTERS):
        hypothesis = f"{name} grows its trees in another way"
        trials.append(Trial(name, f"boosting.{name}_model", {}, hypothesis))
    if comp.kind == "images" and find_spec("fastai") and find_spec("timm"):
        hypothesis = "a pretrained network sees more than colours"
        trials.append(Trial("network", "vision.vision_model", dict(_SMALL_NETWORK), hypothesis))
    if comp.kind == "text" and (arch := _installed_language_model()):
        hypothesis = "a pretrained language model knows what words mean"
        params = dict(arch=arch, epochs=2)
        trials.append(Trial("language model", "text.text_model", params, hypothesis))
    if comp.kind == "tabular" and find_spec("fastai"):
        hypothesis = "a net with embeddings makes other errors than trees"
        trials.append(Trial("tabular", "tabular.tabular_model", {}, hypothesis))
    return tuple(trials)


def _installed_language_model() -> str:
    """Return the default language model if it is on this machine, else an empty string."""
    if not (find_spec("transformers") and find_spec("torch")):
        return ""
    from ..modeling.text.weights import default_arch, find_weights

    found = find_weights(default_arch())
    return found.arch if found and found.folder else ""
