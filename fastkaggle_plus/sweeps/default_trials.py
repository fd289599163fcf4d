"""The trials of a competition: those its trials.py declares, else one of each family that is installed."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

from ..competition import Competition
from ..exceptions import ConfigError, UnknownName
from .trial import Sweep, Trial

_SMALL_NETWORK = {
    "arch": "tf_efficientnet_lite0",
    "item": 128,
    "batch": 96,
    "method": "squish",
    "epochs": 3,
    "bs": 32,
}  # minutes on a laptop
_SHORT_TRAINING = {"epochs": 2}  # minutes on a laptop, for some thousand short texts
_BOOSTERS = ("lightgbm", "xgboost", "catboost")


def trials_of(
    comp: Competition,
    declared: str = "TRIALS",  # which tuple of the competition's trials.py
) -> tuple[Trial, ...]:
    "Return the trials that the competition's trials.py declares, else `default_trials`. Raises ConfigError when they are no trials, UnknownName."
    module = comp.module("trials")
    if module is None and declared == "TRIALS":
        return default_trials(comp)
    trials = getattr(module, declared, None)
    if declared != "TRIALS" and trials is None:
        raise UnknownName(
            "list of trials",
            declared,
            _lists(module),
            f"A competition's trials.py declares them: {declared} = (Trial(...), ...).",
        )
    if not isinstance(trials, (tuple, list)) or not trials:
        came = (
            "is not there"
            if trials is None
            else "is empty"
            if isinstance(trials, (tuple, list))
            else f"is a {type(trials).__name__}"
        )
        raise ConfigError(
            f"{_file(module)}: {declared} must be a tuple of Trial, and it {came}. "
            "Declare at least one, or take the file away for the default trials."
        )
    if strangers := [t for t in trials if not isinstance(t, Trial)]:
        raise ConfigError(
            f'{_file(module)}: {declared} holds {strangers[0]!r}, which is no Trial. Write Trial("forest", "forest.forest_model").'
        )
    return Sweep(comp.slug, tuple(trials)).trials  # which refuses two of one name


def trial_lists(comp: Competition) -> dict[str, tuple[Trial, ...]]:
    "Return every list of trials of a competition's trials.py by its name, or the default trials as TRIALS where it has none."
    module = comp.module("trials")
    return (
        {name: tuple(getattr(module, name)) for name in _lists(module)}
        if module
        else {"TRIALS": default_trials(comp)}
    )


def _lists(module: ModuleType | None) -> list[str]:
    "The names of a module that hold trials."
    return (
        [
            name
            for name, value in vars(module).items()
            if isinstance(value, (tuple, list))
            and value
            and all(isinstance(t, Trial) for t in value)
        ]
        if module
        else []
    )


def _file(module: ModuleType | None) -> str:
    return str(module.__file__) if module else "trials.py"


def default_trials(comp: Competition) -> tuple[Trial, ...]:
    "Return one trial of each model family that is installed; the one-column rule is the floor and joins no ensemble."
    trials = [
        Trial(
            "one_r",
            "forest.one_r_model",
            hypothesis="how far a single column goes: the floor for all others",
            in_ensemble=False,
        ),
        Trial("forest", "forest.forest_model", hypothesis="a forest needs no tuning"),
        Trial(
            "hist_gb",
            "boosting.hist_gradient_boosting_model",
            hypothesis="boosting finds more than a forest",
        ),
        Trial(
            "ridge", "linear.ridge_model", hypothesis="a straight line errs elsewhere than trees do"
        ),
        *(
            Trial(
                name,
                f"boosting.{name}_model",
                hypothesis=f"{name} treats categories in its own way",
            )
            for name in _BOOSTERS
            if find_spec(name)
        ),
    ]
    if comp.kind == "images" and find_spec("fastai") and find_spec("timm"):
        trials.append(
            Trial(
                "network",
                "vision.vision_model",
                dict(_SMALL_NETWORK),
                "a pretrained network sees more than colours",
            )
        )
    if comp.kind == "text" and (arch := _language_model()):
        trials.append(
            Trial(
                "language model",
                "text.text_model",
                {"arch": arch, **_SHORT_TRAINING},
                "a pretrained language model knows what words mean",
            )
        )
    if comp.kind == "tabular" and find_spec("fastai"):
        trials.append(
            Trial(
                "tabular",
                "tabular.tabular_model",
                hypothesis="a net with embeddings errs elsewhere than trees do",
            )
        )
    return tuple(trials)


def _language_model() -> str:
    'The name of a language model that is on this machine, "" if none is: a default trial waits for no download.'
    if not (find_spec("transformers") and find_spec("torch")):
        return ""
    from ..modeling.text.weights import default_arch, find_weights

    found = find_weights(default_arch())
    return found.arch if found and found.folder else ""
