"""What fine-tuning is worth on the written bank, by paired tests on grouped out-of-fold rows; what a blend adds on rows that did not fit its weights."""

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
def test_a_fine_tuned_model_beats_itself_untrained_and_shared_words_and_a_blend_beats_them_all(
    made, comp
):
    data, styles = comp.read(made / "files"), comp.module("trials").STYLES
    folds = make_folds(data.targs, n_folds=2, kind="stratified-group", groups=data.groups)
    models = {
        "tuned": text_model(SMALL, styles["pair"], 3, lr=1e-4, bs=32, loss="bce"),
        "cosine": cosine_model(SMALL, PAIR),
        "overlap": overlap_model(PAIR),
        "static": static_text_model(SMALL, PAIR),
        "trees": hist_gradient_boosting_model(),
    }
    preds = {
        name: cross_validate(model, data, folds, metric="pearson", name=name)
        for name, model in models.items()
    }
    for floor in ("cosine", "overlap"):
        found = compare(preds["tuned"], preds[floor])
        assert found.gain > 0 and found.p_value < 0.01, f"{floor}: {found}"
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
