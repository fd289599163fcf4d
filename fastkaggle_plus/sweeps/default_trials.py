"""The trials of a competition: those in its trials.py, else default trials."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from ..competition import Competition
from ..competition.settings import Text
from ..data import Data
from ..environment import has_gpu
from ..exceptions import ConfigError, DataError, UnknownName, last_line
from ..predictions import Predictions
from .board import finished_predictions
from .trial import Sweep, Trial, TrialResult

_BOOSTERS = ("lightgbm", "xgboost", "catboost")
_NETWORKS = (  # of images: small, best first
    "convnext_tiny.in12k_ft_in1k",
    "convnext_nano.in12k_ft_in1k",
    "resnet26d.bt_in1k",
    "tf_efficientnet_lite2.in1k",
    "tf_efficientnet_lite0.in1k",
)
_DOWNLOADED = (_NETWORKS[1], _NETWORKS[-1])  # where there is none of them
_SMALL_IMAGES = dict(item=128, batch=96, method="squish")  # px; trains in minutes on a laptop


def trials_of(
    comp: Competition,
    declared: str = "TRIALS",  # name of the list in the competition's trials.py
    *,
    data: Data | None = None,  # for the default trials
) -> tuple[Trial, ...]:
    """Return the trials that the competition's trials.py declares, else `default_trials`.

    Raises ConfigError when the list is not a list of trials, UnknownName when there is none.
    """
    module = comp.module("trials")
    if module is None and declared == "TRIALS":
        return default_trials(comp, data)
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


def declared_ensemble(
    comp: Competition,
    results: Sequence[TrialResult | Predictions],  # of a sweep's trials; predictions always join
    **options: Any,  # of `ensemble`: weights, name
) -> Predictions:
    """Combine the trials that declare `in_ensemble`, with the method that trials.py declares.

    A trial that did not finish is left out. Raises DataError, with the reasons if none finished.
    """
    from ..ensembling import ensemble  # imports pandas

    declared = [r for r in results if isinstance(r, Predictions) or r.trial.in_ensemble]
    members = finished_predictions(declared)
    if declared and not members:
        errors = [f"{r.name}: {last_line(r.error)}" for r in declared if isinstance(r, TrialResult)]
        raise DataError(
            "All trials declared for the ensemble failed, so there is nothing to submit. Correct "
            "them in trials.py, then run again; finished trials are kept.\n" + "\n".join(errors)
        )
    method = getattr(comp.module("trials"), "ENSEMBLE", "auto")
    return ensemble(members, method=method, **options)


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


def default_trials(
    comp: Competition,
    data: Data | None = None,  # of the competition: shows whether photos have other columns
) -> tuple[Trial, ...]:
    """Return the trials to run first, for what is installed, the cheap ones first.

    A baseline for the others does not join the ensemble.
    """
    by_kind = {"images": _image_trials, "text": _text_trials}
    return tuple(by_kind.get(comp.kind, _table_trials)(comp, data))


def _table_trials(comp: Competition, data: Data | None) -> Iterator[Trial]:
    baseline = "how good a single column is: the baseline for all others"
    yield Trial("one_r", "forest.one_r_model", {}, baseline, in_ensemble=False)
    yield Trial("ridge", "linear.ridge_model", {}, "a linear model makes other errors than trees")
    yield Trial("forest", "forest.forest_model", {}, "a forest needs no tuning")
    yield from _boosters()
    if find_spec("fastai"):
        hypothesis = "a net with embeddings makes other errors than trees"
        yield Trial("tabular", "tabular.tabular_model", {}, hypothesis)


def _image_trials(comp: Competition, data: Data | None) -> Iterator[Trial]:
    yield Trial("colours", "forest.forest_model", {}, "how much colours and file sizes say")
    if data and {*data.train.cat_names, *data.train.cont_names} & set(data.raw_train):
        yield from _boosters()[:1]  # the photographs have other columns
    if not (find_spec("fastai") and find_spec("timm")):
        return
    archs = _local_networks() or _DOWNLOADED
    for arch in archs[:2]:
        name, hypothesis = arch.partition(".")[0], "a frozen network sees more than colours"
        yield Trial(f"probe {name}", "probe.probe_model", {"arch": arch}, hypothesis)
    trained = {"arch": archs[0]} if has_gpu() else {"arch": archs[-1], **_SMALL_IMAGES}
    hypothesis = "training the network on these photographs adds to its probe"
    yield Trial("network", "vision.vision_model", trained, hypothesis)


def _text_trials(comp: Competition, data: Data | None) -> Iterator[Trial]:
    facts = comp.text or Text()
    columns = facts.columns if data is None or data.train.texts is None else data.train.texts
    if len(set(columns) - {facts.context}) > 1:
        baseline = "how much the shared words say: the baseline for all others"
        yield Trial("overlap", "overlap_text.overlap_model", {}, baseline, in_ensemble=False)
    yield from _boosters()[:1]
    if arch := _installed_language_model():
        hypothesis = "a frozen language model knows what words mean"
        yield Trial("text probe", "text_probe.text_probe_model", {"arch": arch}, hypothesis)
        hypothesis = "training the language model on these texts adds to its probe"
        yield Trial("language model", "text.text_model", {"arch": arch}, hypothesis)
    else:
        yield Trial("ridge", "linear.ridge_model", {}, "a linear model suits counts of words")


def _boosters() -> list[Trial]:
    """Return a trial of each library for boosting that is installed, the fastest first."""
    installed = [name for name in _BOOSTERS if find_spec(name)]
    return [
        Trial(name, f"boosting.{name}_model", {}, f"{name} grows its trees in its own way")
        for name in installed or ["hist_gradient_boosting"]
    ]


def _local_networks() -> list[str]:
    """Return the small networks whose weights are on this machine, best first."""
    from ..modeling.vision.archs import Arch
    from ..modeling.vision.weights import find_weights

    found = []
    for full_name in _NETWORKS:
        # `resolve_arch` would import timm, which takes seconds
        name, tag = full_name.split(".")
        arch = Arch(name, name, tag, "timm", (0, 0), (), (), hub_id=f"timm/{full_name}")
        if (weights := find_weights(arch)) and weights.file:
            found.append(full_name)
    return found


def _installed_language_model() -> str:
    """Return the default language model if it is on this machine, else an empty string."""
    if not (find_spec("transformers") and find_spec("torch")):
        return ""
    from ..modeling.text.weights import default_arch, find_weights

    found = find_weights(default_arch())
    return found.arch if found and found.folder else ""
