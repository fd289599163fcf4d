"""Image models: they learn, repeat to the last bit, and survive bad files and full memory."""

import dataclasses
import os

import numpy as np
import pytest
import torch

from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.folds import Folds, make_folds
from fastkaggle_plus.modeling import augmented, cross_validate, vision_model
from fastkaggle_plus.modeling.vision.precision import predicting_precision, training_precision
from fastkaggle_plus.modeling.vision.targets import Targets
from tests.modeling.pictures import make_pictures, read_pictures

TINY = dict(item=32, batch=32, epochs=1, bs=16, pretrained=False, method="squish")


@pytest.fixture
def data(tmp_path):
    return make_pictures(tmp_path / "pictures")


def holdout(data, share=0.25, seed=0):
    """Folds with one part that validates and the rest that is only fitted on."""
    assignment = np.full(len(data.train), -1)
    assignment[
        np.random.default_rng(seed).permutation(len(assignment))[: int(len(assignment) * share)]
    ] = 0
    return Folds(assignment, "random", seed)


@pytest.mark.slow
def test_a_network_from_scratch_learns_what_is_in_the_pictures(tmp_path):
    data = make_pictures(tmp_path / "many", n=120, n_test=9)
    preds = cross_validate(
        vision_model(
            "test_resnet",
            **{**TINY, "epochs": 8, "freeze_epochs": 0, "lr": 0.02},
            tta="plain",
            mult=0.3,
        ),
        data,
        holdout(data),
    )
    assert preds.oof_score > 0.75  # a third by chance
    assert (
        preds.vocab == ("across", "grid", "upright")
        and preds.oof.shape == (120, 3)
        and preds.test.shape == (9, 3)
    )
    assert (
        preds.about["arch"].startswith("test_resnet")
        and preds.about["weights"] == "none"
        and preds.about["fits"][0]["train_s"] > 0
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(data):
    def run(seed):
        return cross_validate(
            vision_model("test_resnet", **TINY, n_tta=2, seed=seed), data, holdout(data)
        ).oof

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first, again, other = run(1), run(1), run(2)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[~np.isnan(first)], other[~np.isnan(other)])


def test_tta_is_chosen_on_out_of_fold_rows_and_its_flips_are_recorded(data):
    folds = make_folds(data.targs, n_folds=2, seed=0)
    auto, plain = (
        cross_validate(vision_model("test_resnet", **TINY, tta=tta), data, folds)
        for tta in ("auto", "plain")
    )
    facts = auto.about["tta"]
    assert (
        facts["asked"] == "auto"
        and facts["test"] == "mid-p McNemar"
        and set(facts["scores"]) == {"plain", "mean", "max", "beta"}
    )
    assert facts["gain"] == pytest.approx(
        facts["scores"]["beta"] - facts["scores"]["plain"], abs=1e-6
    )
    assert facts["wrong_to_right"] - facts["right_to_wrong"] == round(
        facts["gain"] * len(data.train)
    )
    assert auto.oof_score == pytest.approx(facts["scores"][facts["chosen"]], abs=1e-6)
    if facts["p_value"] >= 0.05:
        assert facts["chosen"] == "plain"
        np.testing.assert_allclose(auto.oof, plain.oof, atol=1e-5)
    assert "tta" not in {k: v for k, v in plain.about.items() if isinstance(v, dict)}
    forced = cross_validate(vision_model("test_resnet", **TINY, tta="max"), data, folds)
    assert forced.about["tta"]["chosen"] == "max" and forced.oof_score == pytest.approx(
        forced.about["tta"]["scores"]["max"], abs=1e-6
    )


def test_rows_without_a_readable_image_are_skipped_in_training_and_get_class_shares(data, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "train_images" / "0003.png").write_bytes(b"")
    (folder / "train_images" / "0007.png").write_bytes(
        (folder / "train_images" / "0008.png").read_bytes()[:200]
    )
    (folder / "test_images" / "0062.png").unlink()
    data = read_pictures(folder)
    preds = cross_validate(
        vision_model("test_resnet", **TINY, n_tta=1),
        data,
        make_folds(data.targs, n_folds=2, seed=0),
    )
    assert (
        preds.validated.all()
        and "0003.png" in data.left_out["train images"]
        and "0062.png" in data.left_out["test images"]
    )
    shares = np.bincount(data.targs, minlength=3) / len(data.targs)
    for row in (3, 7):
        np.testing.assert_allclose(preds.oof[row], shares, atol=0.05)
    np.testing.assert_allclose(preds.test[2], shares, atol=0.02)
    for file in (folder / "train_images").iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"None of the train images in .* decodes"):
        read_pictures(folder)


def test_a_second_label_is_learned_too_and_its_accuracy_is_recorded(data):
    preds = cross_validate(
        vision_model("test_resnet", **{**TINY, "epochs": 3}, also="shade", tta="plain"),
        data,
        holdout(data),
    )
    assert preds.oof.shape[1] == 3 and preds.about["also"] == ["shade"]
    assert 0 <= preds.about["fits"][0]["shade_accuracy"] <= 1
    targets, answer = (
        Targets(data.train, ["shade"]),
        np.zeros((len(data.train), 5)),
    )  # predicts dark for all rows
    half = dataclasses.replace(data.train, also=data.train.also.where(data.train.also == "dark"))
    assert targets.scores_also(answer, half, np.ones(len(half), dtype=bool)) == {
        "shade_accuracy": 1.0
    }  # of the rows with a label
    with pytest.raises(UnknownName, match="shade"):
        cross_validate(vision_model("test_resnet", **TINY, also="shades"), data, holdout(data))


def test_values_are_learned_in_their_own_scale(data):
    age = 50 + 10 * (data.targs == 2) + np.linspace(0, 1, len(data.targs))
    train = dataclasses.replace(data.train, targs=age, task="regression", vocab=())
    test = dataclasses.replace(data.test, task="regression", vocab=())
    aged = dataclasses.replace(data, train=train, test=test, metric="rmse")
    preds = cross_validate(vision_model("test_resnet", **TINY), aged, holdout(data))
    assert (
        preds.oof.shape == (60, 1)
        and 40 < np.nanmean(preds.oof) < 70
        and preds.about["tta"]["test"].startswith("paired t")
    )


def test_accumulated_batches_step_once_for_all_of_them(data, monkeypatch):
    steps = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: steps.append(1) or step(self, *a, **k)
    )
    for accum in (1, 2, 4):
        steps.clear()
        cross_validate(
            vision_model("test_resnet", **TINY, accum=accum, tta="plain"), data, holdout(data)
        )
        assert (
            len(steps) == 2 * (45 // 16) if accum == 1 else len(steps) in (4, 5)
        )  # 16 images per step for each accum
    steps.clear()
    cross_validate(
        vision_model("test_resnet", **{**TINY, "bs": 8}, tta="plain"), data, holdout(data)
    )
    assert len(steps) == 2 * (45 // 8)


def test_out_of_memory_is_retried_once_with_half_the_batch(data, monkeypatch):
    seen = []
    from timm.models import resnet

    forward = resnet.ResNet.forward_features

    def short_of_memory(self, x):
        if self.training:
            seen.append(len(x))
            if len(x) > 8:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, x)

    monkeypatch.setattr(resnet.ResNet, "forward_features", short_of_memory)
    preds = cross_validate(vision_model("test_resnet", **TINY, tta="plain"), data, holdout(data))
    assert (
        seen[0] == 16 and set(seen[1:]) == {8} and "half" in preds.about["fits"][0]["out_of_memory"]
    )
    monkeypatch.setattr(
        resnet.ResNet,
        "forward_features",
        lambda self, x: (_ for _ in ()).throw(RuntimeError("shapes differ")),
    )
    with pytest.raises(RuntimeError, match="shapes differ"):
        cross_validate(vision_model("test_resnet", **TINY), data, holdout(data))
    assert not torch.is_autocast_enabled("cpu")  # autocast is off again


def _net(name):
    import timm

    return timm.create_model(name)


def test_a_size_that_a_network_cannot_take_is_refused_before_any_image_is_read():
    with pytest.raises(ConfigError, match=r"levit_128s.* 50 x 50 px .* 224 x 224"):
        vision_model("levit_128s", item=64, batch=50, pretrained=False)


def test_unknown_words_are_refused_before_training():
    with pytest.raises(UnknownName, match="squish"):
        vision_model("resnet18", method="squash")
    with pytest.raises(UnknownName, match="auto"):
        vision_model("resnet18", tta="autos")
    with pytest.raises(UnknownName, match="resnet26"):
        vision_model("resnet26e")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(bs=0), "bs = 0"),
        (dict(bs=4, accum=9), "accum = 2 at most"),
        (dict(accum=0), "accum = 0"),
        (dict(epochs=-1), "epochs = -1"),
        (dict(epochs=1.5), "epochs = 1.5"),
        (dict(lr="0.01"), "lr = '0.01'"),
        (dict(lr=float("nan")), "lr = nan"),
        (dict(min_scale=2.0), "min_scale = 2.0"),
        (dict(n_tta=-1), "n_tta = -1"),
        (dict(item="big"), "got 'big'"),
        (dict(batch=[32, 32, 3]), r"got \[32, 32, 3\]"),
        (dict(seed=None), "seed = None"),
    ],
)
def test_invalid_numbers_are_refused_before_training(given, words):
    with pytest.raises(ConfigError, match=words):
        vision_model("test_resnet", **{**TINY, **given})


def test_half_precision_is_used_where_the_hardware_computes_it():
    cpu = torch.device("cpu")
    native = any(getattr(torch.cpu, f"_is_{n}_supported")() for n in ("amx_tile", "avx512_bf16"))
    assert predicting_precision("auto", cpu, size=(64, 96)) == ("bf16" if native else "fp32")
    assert training_precision("auto", _net("test_resnet"), cpu, size=(64, 96)) == (
        "bf16" if native else "fp32"
    )
    assert (
        training_precision("auto", _net("test_efficientnet"), cpu, size=(64, 96)) == "fp32"
    )  # depthwise
    assert (
        training_precision("auto", _net("test_efficientnet"), torch.device("cuda"), size=(64, 96))
        == "fp16"
    )
    assert training_precision("fp32", _net("test_resnet"), cpu, size=(64, 96)) == "fp32"
    assert (
        predicting_precision("auto", cpu, size=(96, 32))
        == training_precision("auto", _net("test_resnet"), cpu, size=(96, 32))
        == "fp32"
    )


def test_augmented_returns_the_inputs_of_a_network(data):
    seen = augmented(data.train, [0, 5], 3, item=32, batch=(24, 16), method="pad")
    assert seen.shape == (2, 4, 24, 16, 3) and seen.dtype == np.uint8
    assert not np.array_equal(seen[0, 1], seen[0, 2])
    with pytest.raises(ConfigError, match="n_views = -1"):
        augmented(data.train, [0], -1)
    np.testing.assert_array_equal(
        seen, augmented(data.train, [0, 5], 3, item=32, batch=(24, 16), method="pad")
    )


def test_images_are_decoded_once(data, tmp_path):
    folds = holdout(data)
    cross_validate(vision_model("test_resnet", **TINY, tta="plain"), data, folds)
    for file in (tmp_path / "pictures").rglob(
        "*.png"
    ):  # no image any more, with the same size and time
        before = file.stat()
        file.write_bytes(b"\0" * before.st_size)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    preds = cross_validate(vision_model("test_resnet", **TINY, n_tta=2, seed=3), data, folds)
    assert (
        "out_of_memory" not in preds.about["fits"][0]
        and len(np.unique(preds.test.round(6), axis=0)) > 1
    )
