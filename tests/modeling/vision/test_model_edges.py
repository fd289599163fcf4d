"""Image models at the edges: few images, odd sizes and numbers, labels with gaps, bad files."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.folds import Folds
from fastkaggle_plus.modeling import augmented, cross_validate, vision_model
from fastkaggle_plus.modeling.fastai_learner import import_fastai
from fastkaggle_plus.sweeps.vault import Vault
from tests.modeling.pictures import make_pictures, read_pictures

TINY = dict(item=32, batch=32, epochs=1, bs=8, pretrained=False, method="squish", tta="plain")


@pytest.fixture
def data(tmp_path):
    return make_pictures(tmp_path / "pictures", n=36, n_test=6)


HELD = Folds(np.where(np.arange(36) < 9, 0, -1), "random", 0)  # 27 to fit on


def validated(data, **params):
    return cross_validate(vision_model("test_resnet", **{**TINY, **params}), data, HELD)


def as_values(data):
    train = dataclasses.replace(data.train, targs=data.targs * 2.0 + 1, task="regression", vocab=())
    return dataclasses.replace(
        data,
        train=train,
        test=dataclasses.replace(data.test, task="regression", vocab=()),
        metric="rmse",
    )


def with_also(data, values):
    return dataclasses.replace(
        data, train=dataclasses.replace(data.train, also=pd.DataFrame({"kind": values}))
    )


@pytest.mark.parametrize(("bs", "accum"), [(64, 2), (64, 4), (27, 4), (200, 8)])
def test_fewer_images_than_a_step_still_make_one_step_per_epoch(data, monkeypatch, bs, accum):
    steps = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: steps.append(1) or step(self, *a, **k)
    )
    validated(data, bs=bs, accum=accum)
    assert len(steps) == 2  # one frozen epoch, one of the whole network


def test_gradients_left_over_from_the_frozen_epochs_are_cleared(data, monkeypatch):
    """27 images are three batches of 8: two make a step, the third is left over."""
    fastai, left = import_fastai("vision"), []
    unfreeze = fastai.Learner.unfreeze

    def spied(self):
        left.append(
            sum(float(p.grad.abs().sum()) for p in self.model.parameters() if p.grad is not None)
        )
        unfreeze(self)

    monkeypatch.setattr(fastai.Learner, "unfreeze", spied)
    validated(data, bs=16, accum=2)
    assert left == [0]


@pytest.mark.parametrize(
    "odd",
    [
        dict(bs=1),
        dict(bs=0),
        dict(bs=16, accum=16),
        dict(bs=4, accum=8),
        dict(accum=0),
        dict(epochs=-1),
        dict(epochs=1.5),
        dict(freeze_epochs=-1),
        dict(item=(40,)),
        dict(item="32"),
        dict(item=32.5),
        dict(item=0),
        dict(batch=0),
        dict(batch=(32, -1)),
        dict(item=None),
        dict(min_scale=1.5),
        dict(min_scale=-0.1),
        dict(n_tta=-1),
        dict(n_tta=0, tta="mean"),
        dict(n_tta=0, tta="beta"),
    ],
    ids=str,
)
def test_invalid_settings_are_refused_before_any_image_is_read(odd):
    with pytest.raises(ConfigError, match=r"[Ee]xpected|got |Use a larger bs"):
        vision_model("test_resnet", **{**TINY, **odd})


def test_an_unknown_precision_is_refused_at_once():
    with pytest.raises(UnknownName, match="bf16"):
        vision_model("test_resnet", precision="fp8", pretrained=False)


def test_saving_predictions_refuses_facts_that_are_no_plain_data(data, tmp_path):
    preds = dataclasses.replace(validated(data), about={"loss": np.mean})
    with pytest.raises(TypeError, match=r"mean.* cannot be written as JSON"):
        preds.save(tmp_path / "preds.npz")


def test_the_largest_probability_of_values_is_refused_before_training(data, monkeypatch):
    from fastkaggle_plus.modeling.vision import training

    monkeypatch.setattr(training, "train_net", lambda *a: pytest.fail("it trained"))
    with pytest.raises(ConfigError, match="max"):
        validated(as_values(data), tta="max")


def test_numpy_numbers_train_and_are_stored(data, tmp_path):
    plain = validated(data, seed=3, lr=0.0625, wd=0.125)
    preds = validated(
        data,
        seed=np.int64(3),
        lr=np.float32(0.0625),
        wd=np.float32(0.125),
        bs=np.int64(8),
        item=np.int64(32),
        batch=np.array([32, 32]),
    )
    np.testing.assert_array_equal(preds.oof, plain.oof)
    run = Vault(tmp_path / "vault").put("k", "pictures", preds, **preds.about)
    kept = Vault(tmp_path / "vault").load(run)
    assert kept.about == preds.about and kept.about["wd"] == 0.125 and kept.about["seed"] == 3
    assert json.loads(json.dumps(plain.about)) == plain.about  # plain data survives JSON


def test_about_has_all_settings_that_change_the_result():
    about = vision_model(
        "test_resnet",
        pretrained=False,
        wd=0.1,
        min_scale=0.5,
        flip_vert=True,
        mult=2.0,
        n_tta=3,
        precision="fp32",
    ).about
    assert {
        k: about[k] for k in ("wd", "min_scale", "flip_vert", "mult", "n_tta", "precision")
    } == {
        "wd": 0.1,
        "min_scale": 0.5,
        "flip_vert": True,
        "mult": 2.0,
        "n_tta": 3,
        "precision": "fp32",
    }


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_missing_second_labels_do_not_count_as_wrong(data, dtype):
    """One level and gaps: every prediction is right where there is a label."""
    values = pd.Series(["a" if i % 3 else None for i in range(36)], dtype=dtype)
    assert validated(with_also(data, values), also="kind").about["fits"][0]["kind_accuracy"] == 1.0


def test_a_fold_may_lack_all_second_labels(data):
    fit_only, valid_only = (
        pd.Series([("a" if (i >= 9) == is_fit else None) for i in range(36)])
        for is_fit in (True, False)
    )
    assert "kind_accuracy" not in validated(with_also(data, fit_only), also="kind").about["fits"][0]
    assert (
        "kind_accuracy" not in validated(with_also(data, valid_only), also="kind").about["fits"][0]
    )
    never_seen = fit_only.where(fit_only.notna(), "b")
    assert (
        validated(with_also(data, never_seen), also="kind").about["fits"][0]["kind_accuracy"] == 0.0
    )
    assert (
        "kind_accuracy" not in validated(with_also(data, [None] * 36), also="kind").about["fits"][0]
    )


@pytest.mark.parametrize("tta", ["auto", "mean"])
@pytest.mark.parametrize("read_as", [lambda d: d, as_values], ids=["classes", "values"])
def test_images_that_disappear_before_prediction_get_class_shares_or_the_mean(
    data, tmp_path, tta, read_as
):
    shutil.rmtree(tmp_path / "pictures" / "test_images")
    preds = validated(read_as(data), tta=tta, n_tta=1)
    assert preds.test.shape[0] == 6 and np.allclose(preds.test, preds.test[0])


def test_augmented_names_an_unreadable_image(data, tmp_path):
    (tmp_path / "pictures" / "train_images" / "0001.png").write_bytes(b"")
    table = read_pictures(tmp_path / "pictures").train
    with pytest.raises(DataError, match=r"0001\.png.* empty"):
        augmented(table, [0, 1], 2, item=32, batch=32)
    for rows in ([36], [], [-37]):
        with pytest.raises(DataError, match="36"):
            augmented(table, rows, item=32, batch=32)
    assert augmented(table, [-1], 1, item=32, batch=32).shape == (1, 2, 32, 32, 3)


@pytest.mark.parametrize("method", ["squish", "pad"])
def test_narrow_images_are_computed_in_full_precision(data, method):
    """On maps two pixels wide, oneDNN 3.12 reads uninitialised memory in bf16."""
    scratch = [torch.full((2**k,), float("nan")) for k in range(8, 22)]
    del scratch  # uninitialised memory is now NaN
    for seed in range(2):
        fits = validated(
            data, item=(40, 24), batch=(64, 32), method=method, n_tta=1, tta="auto", seed=seed
        ).about["fits"]
        assert fits[0]["precision"] == "fp32"


def test_files_of_every_odd_kind_in_one_training(data, tmp_path):
    rng, folder = np.random.default_rng(0), tmp_path / "pictures" / "train_images"
    colours, grey = (
        rng.integers(0, 255, (20, 30, 4), dtype=np.uint8),
        rng.integers(0, 2**16, (20, 30), dtype=np.uint16),
    )
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(colours[..., 0]).save(folder / "0000.png")
    Image.fromarray(colours, "RGBA").save(folder / "0001.png")
    Image.fromarray(colours, "CMYK").save(folder / "0002.png", "JPEG")
    Image.fromarray(grey).save(folder / "0003.png")
    Image.fromarray(colours[..., :3]).save(folder / "0004.png", "JPEG", exif=turned)
    Image.fromarray(colours[:1, :1, :3]).save(folder / "0005.png")
    Image.fromarray(colours[..., :3]).resize((2, 900)).save(folder / "0006.png")
    Image.fromarray(colours[..., :3]).convert("P").save(folder / "0007.png")
    bad = {
        "0008.png": b"",
        "0009.png": b"no image" * 9,
        "0010.png": (folder / "0011.png").read_bytes()[:150],
        "0012.png": b"\x89PNG\r\n\x1a\n",
    }
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    (folder / "0013.png").unlink()
    read = read_pictures(tmp_path / "pictures")
    assert read.left_out["train images"].startswith(
        "5 not there or not readable: 0008.png, 0009.png, 0010.png, 0012.png, 0013.png"
    )
    for method in ("crop", "pad"):
        assert np.isfinite(validated(read, method=method).oof[:9]).all()
