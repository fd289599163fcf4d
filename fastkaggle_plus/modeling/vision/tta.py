"""Test-time augmentation: several random views of each image, mixed; whether that helped is decided by a paired test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...evidence import compare
from ...exceptions import UnknownName
from ...predictions import Predictions

Array = np.ndarray[Any, Any]
MIXES = ("plain", "mean", "max", "beta")
BETA = 0.25  # fastai's: the share of the plain prediction
DEFAULT = "beta"  # what "auto" may take instead of plain: one candidate, declared beforehand


def mix(
    plain: Array,  # (n, n_outputs) predictions of the whole images
    views: Sequence[Array],  # the same of each random view
    *,
    classes: bool = True,  # whether they are probabilities
) -> dict[str, Array]:
    """Return the predictions by each way of mixing.

    plain: no view. mean: of all, the whole image included. max: the largest for each class, scaled to sum to one. beta: fastai's `learn.tta`, a quarter
    plain and three quarters the mean of the views. Source: fastai.learner.tta 2.8.
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
    """Return the mix to use, and the facts that speak for it. Raises UnknownName.

    auto takes `beta` where a paired test on the out-of-fold rows says that it is better, and the plain predictions otherwise: they cost a fifth.
    """
    if tta != "auto" and tta not in variants:
        raise UnknownName("way of mixing (tta)", tta, ("auto", *variants))
    if "plain" not in variants or len(variants) == 1:
        return tta if tta != "auto" else next(iter(variants)), {}
    candidate = DEFAULT if tta in ("auto", "plain") else tta
    found = compare(variants[candidate], variants["plain"])
    chosen = (
        tta if tta != "auto" else candidate if found.gain > 0 and not found.is_noise else "plain"
    )
    facts = {
        "chosen": chosen,
        "asked": tta,
        "against": candidate,
        "gain": round(found.gain, 6),
        "p_value": found.p_value,
        "test": found.test,
        "scores": {name: round(p.oof_score, 6) for name, p in variants.items()},
        **flips(variants["plain"], variants[candidate]),
    }
    return chosen, {"tta": facts}


def flips(plain: Predictions, mixed: Predictions) -> dict[str, int]:
    "Count the validated rows that mixing turns from right to wrong, and from wrong to right; none for a regression."
    if not plain.vocab:
        return {}
    rows = plain.validated
    was, now = (p.oof[rows].argmax(1) == p.targs[rows] for p in (plain, mixed))
    return {"right_to_wrong": int((was & ~now).sum()), "wrong_to_right": int((~was & now).sum())}
