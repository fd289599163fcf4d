"""On the synthetic pictures, pretrained weights beat random ones significantly."""

import pytest

from fastkaggle_plus import Sweep, Trial, Vault, board, load_comp, run_local


@pytest.mark.slow
def test_pretrained_networks_beat_random_weights_with_both_resize_methods(tmp_path):
    comp = load_comp("paddy-disease-classification")
    bundle = comp.module("rehearsal").make(
        tmp_path / "bundle", seed=5, n_images=400, height_px=128, width_px=96
    )
    small = {"item": 80, "batch": 64, "epochs": 2, "bs": 16, "lr": 0.01}
    trials = tuple(
        Trial(
            f"{name}, {method}",
            "vision.vision_model",
            {"arch": arch, "method": method, "pretrained": name != "random", **small},
        )
        for name, arch, method in (
            ("lite0", "tf_efficientnet_lite0", "squish"),
            ("lite0", "tf_efficientnet_lite0", "crop"),
            ("random", "squeezenet1_1", "squish"),
        )
    )
    results = run_local(
        Sweep(comp.slug, trials, holdout=0.4),
        comp,
        bundle / "files",
        vault=Vault(tmp_path / "vault"),
    )
    assert not [r.error for r in results if r.predictions is None]
    rows = board(results)
    assert rows[-1].name == "random, squish"
    assert rows[-1].outcome == "worse" and rows[-1].p_value < 0.01
    facts = {r.name: r.predictions.about for r in results}
    assert all(
        about["peak_mb"] > 100 and about["tta"]["test"] == "mid-p McNemar"
        for about in facts.values()
    )
    assert (
        facts["lite0, crop"]["fits"][0]["weights_from"].startswith("package efficientnet-lite0")
        and facts["random, squish"]["weights"] == "none"
    )
    again = run_local(
        Sweep(comp.slug, trials, holdout=0.4),
        comp,
        bundle / "files",
        vault=Vault(tmp_path / "vault"),
    )
    assert all(r.reused for r in again)
