"""Declare experiments: one change of a trial, with the gain that is expected before it runs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..exceptions import ConfigError, UnknownName
from .trial import Trial

_MOST_LETTERS = 24  # of a value in the name of a trial
DEFAULT = "its default"  # of a parameter that a trial does not give


def experiment(
    hypothesis: str,  # why the change should help, in one line
    *,
    base: Trial | str,  # the trial to change, or its name in `trials`
    change: Mapping[str, Any] | None = None,  # parameter -> its new value
    expect: float | None = None,  # gain in the metric; positive is better, for every metric
    model: str = "",  # another model, with the parameters of the base
    name: str = "",  # default: the base's name and the new values
    several: bool = False,  # accept two or more changes, which can only be judged together
    in_ensemble: bool | None = None,  # default: as the base
    trials: Iterable[Trial] = (),  # where a base is looked up by its name
) -> Trial:
    """Return a trial that changes one thing of another; `fkp log` gives the answer.

    Raises ConfigError when nothing changes, or two or more parameters without `several`;
    UnknownName for an unknown base.
    """
    if isinstance(base, str):
        known = {trial.name: trial for trial in trials}
        if base not in known:
            hint = "Give the trial itself, or the list that has it: trials=TRIALS."
            raise UnknownName("base of an experiment", base, known, hint)
        base = known[base]
    if not isinstance(base, Trial):
        got = type(base).__name__
        raise ConfigError(f"An experiment needs a Trial, or its name, as `base`; got a {got}.")
    if not hypothesis.strip():
        raise ConfigError(
            f"An experiment on {base.name!r} has no hypothesis. Say in one line why the change "
            'should help, as in experiment("squish keeps the whole leaf", base=crop, ...).'
        )
    values = dict(change or {})
    given = {"model": _short(model)} if model else {}
    shown = " ".join(f"{key}={_shortened(value)}" for key, value in (given | values).items())
    trial = replace(
        base,
        name=name or f"{base.name} {shown}",
        model=model or base.model,
        params={**base.params, **values},
        hypothesis=hypothesis,
        in_ensemble=base.in_ensemble if in_ensemble is None else in_ensemble,
        base=base.name,
        expect=expect,
    )
    found = changes(base, trial)
    if not found:
        raise ConfigError(
            f"The experiment {trial.name!r} changes nothing: {base.name!r} has the same model and "
            "parameters. Give another value in `change`, or another `model`."
        )
    if len(found) > 1 and not several:
        raise ConfigError(
            f"The experiment {trial.name!r} changes {len(found)} things at once "
            f"({', '.join(found)}), so its result would not say which of them helped. Make an "
            "experiment of each, or write several=True if they only make sense together."
        )
    return trial


def changes(base: Trial, trial: Trial) -> dict[str, tuple[Any, Any]]:
    """Return the model or parameters that differ, each with its value in `base` and in `trial`.

    A value inside a dictionary is named with a dot. Parameters of a bag, or of another model that
    wraps one, have its name before them: bag.n.
    """
    old, new = (_spec(t.model, json.loads(json.dumps(t.params))) for t in (base, trial))
    pairs = {key: (old.get(key, DEFAULT), new.get(key, DEFAULT)) for key in {**old, **new}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _spec(model: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model and its parameters, without dictionaries inside."""
    if not isinstance(repeated := params.get("model"), str):
        return {"model": model, **_flat(params)}
    inner = _spec(repeated, params.get("params") or {})
    own = {key: value for key, value in params.items() if key not in ("model", "params")}
    return {**inner, **_flat(own, f"{_short(model)}."), "model": f"{model} of {inner['model']}"}


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in params.items():
        is_inner = isinstance(value, dict) and value
        found |= _flat(value, f"{prefix}{key}.") if is_inner else {f"{prefix}{key}": value}
    return found


def _short(model: str) -> str:
    return model.rpartition(".")[2].removesuffix("_model")


def _shortened(value: object) -> str:
    text = str(value).replace("/", "-")  # names become file names
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
