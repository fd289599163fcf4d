"""Test-time augmentation: mix the predictions of random views, if a paired test shows a gain."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...evidence import compare
from ...exceptions import UnknownName
from ...predictions import Predictions
from ..model import Array

MIXES = ("plain", "mean", "max", "beta")
BETA = 0.25  # fastai's: the share of the plain prediction
CANDIDATE = "beta"  # the only mix that "auto" compares with plain, declared beforehand


def check_tta(tta: str, known: Sequence[str] = MIXES) -> None:
    """Raise UnknownName for a word that names no way of mixing."""
    if tta not in ("auto", *known):
        raise UnknownName("way of mixing (tta)", tta, ("auto", *known))


def mix(
    plain: Array,  # (n, n_outputs) predictions of the whole images
    views: Sequence[Array],  # the same of each random view
    *,
    classes: bool = True,  # whether they are probabilities
) -> dict[str, Array]:
    """Return the predictions by each way of mixing.

    plain: no views. mean: of the views and the whole image. max: the largest for each class, scaled
    to sum to one. beta: a quarter plain, three quarters the mean of the views, as in fastai's
    `learn.tta`. Source: fastai.learner.tta 2.8.
    """
    if not len(views):
        return {"plain": plain}
    stacked = np.stack(views)
    mixed = {
        "plain": plain,
        "mean": np.concatenate([stacked, plain[None]]).mean(0),
        "beta": (1 - BETA) * stacked.mean(0) + BETA * plain,
    }
    if classes:
        largest = np.maximum(stacked.max(0), plain)
        mixed["max"] = largest / largest.sum(1, keepdims=True)
    return mixed


def choose(
    variants: dict[str, Predictions],  # by way of mixing, of the same rows
    tta: str,  # auto | plain | mean | max | beta
) -> tuple[str, dict[str, Any]]:
    """Return the mix to use, and the facts behind it. Raises UnknownName.

    auto is `beta` if a paired test on the out-of-fold rows finds it better, and plain otherwise:
    plain predictions cost a fifth of the time.
    """
    check_tta(tta, tuple(variants))
    if len(variants) == 1:
        return next(iter(variants)), {}
    candidate = CANDIDATE if tta in ("auto", "plain") else tta
    found = compare(variants[candidate], variants["plain"])
    better = candidate if found.gain > 0 and not found.is_noise else "plain"
    chosen = better if tta == "auto" else tta
    facts = {
        "chosen": chosen,
        "asked": tta,
        "against": candidate,
        "gain": round(found.gain, 6),
        "p_value": found.p_value,
        "test": found.test,
        "scores": {name: round(p.oof_score, 6) for name, p in variants.items()},
    }
    if variants["plain"].vocab:
        rows, pair = variants["plain"].validated, (variants["plain"], variants[candidate])
        was, now = (p.oof[rows].argmax(1) == p.targs[rows] for p in pair)
        facts["right_to_wrong"] = int((was & ~now).sum())
        facts["wrong_to_right"] = int((~was & now).sum())
    return chosen, {"tta": facts}
