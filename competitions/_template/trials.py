"""The declared candidates: one change at a time, each with what it is to find out."""

from fastkaggle_plus import Trial

TRIALS = (
    Trial("one_r", "forest.one_r_model", hypothesis="how far a single column goes: the floor for all others", in_ensemble=False),
    Trial("forest", "forest.forest_model", {"n_estimators": 100, "min_samples_leaf": 5}, hypothesis="a forest needs no tuning"),
    Trial("hist_gb", "boosting.hist_gradient_boosting_model", hypothesis="boosting finds more than a forest"),
    Trial("ridge", "linear.ridge_model", hypothesis="a straight line errs elsewhere than trees do"),
)
