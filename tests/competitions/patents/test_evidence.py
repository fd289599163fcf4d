"""On the synthetic pairs, fine-tuning beats the baselines, and an ensemble beats its members."""

import numpy as np
import pytest

from fastkaggle_plus import compare, ensemble, make_folds
from fastkaggle_plus.modeling import (
    cosine_model,
    cross_validate,
    hist_gradient_boosting_model,
    overlap_model,
    static_text_model,
    text_model,
)
from fastkaggle_plus.modeling.text.weights import SMALL, find_weights

PAIR = ["anchor", "target"]
needs_weights = pytest.mark.skipif(
    find_weights(SMALL).folder is None, reason="the package of the extra offline is not installed"
)


@needs_weights
@pytest.mark.slow
def test_fine_tuning_beats_the_baselines_and_an_ensemble_beats_its_members(made, comp):
    data, styles = comp.read(made / "files"), comp.module("trials").STYLES
    folds = make_folds(data.targs, n_folds=2, kind="stratified-group", groups=data.groups)
    models = {
        "tuned": text_model(SMALL, styles["pair"], 2, lr=1e-4, bs=32, loss="bce"),
        "cosine": cosine_model(SMALL, PAIR),
        "overlap": overlap_model(PAIR),
        "static": static_text_model(SMALL, PAIR),
        "trees": hist_gradient_boosting_model(),
    }
    preds = {
        name: cross_validate(model, data, folds, metric="pearson", name=name)
        for name, model in models.items()
    }
    # counted by whole anchors, which are fewer than rows
    for floor, p_value in (("cosine", 0.05), ("overlap", 0.01)):
        found = compare(preds["tuned"], preds[floor])
        assert found.gain > 0 and found.p_value < p_value, f"{floor}: {found}"
    members = [preds["tuned"], preds["static"], preds["trees"]]
    for method in ("mean", "rank", "greedy"):
        blend = ensemble(members, method=method)
        assert np.isfinite(blend.oof).all() and set(blend.about["weights"]) == {
            "tuned",
            "static",
            "trees",
        }
    assert all(blend.oof_score > m.oof_score for m in members), (
        "fitted weights, each fold's on the other"
    )
