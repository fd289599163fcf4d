"""Fine-tuning by steps: a head that starts from the probe, rates by a finder, smoothing, MixUp."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback

from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.folds import Folds
from fastkaggle_plus.modeling import cross_validate, lr_find, vision_model
from fastkaggle_plus.modeling.epochs import epoch_table
from fastkaggle_plus.modeling.frozen_head import fit_head
from fastkaggle_plus.modeling.vision import fine_tuning
from fastkaggle_plus.modeling.vision.archs import resolve_arch
from fastkaggle_plus.modeling.vision.augment import Augment
from fastkaggle_plus.modeling.vision.batches import Batches, Examples
from fastkaggle_plus.modeling.vision.fine_tuning import chosen_settings
from fastkaggle_plus.modeling.vision.network import make_net
from fastkaggle_plus.modeling.vision.targets import Targets
from fastkaggle_plus.reading.pixels import resized
from tests.modeling.pictures import make_pictures

ARCH = "tf_efficientnet_lite0"
SMALL = dict(item=32, batch=32, method="squish", tta="plain", precision="fp32")
HELD = Folds(np.where(np.arange(48) < 12, 0, -1), "random", 0)  # 36 to fit on


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("pictures"), n=48, n_test=4)


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(fine_tuning, "_STEPS", 12)


def validated(data, **params):
    return cross_validate(vision_model(ARCH, **{**SMALL, **params}), data, HELD)


def tiny_model(**params):
    """Return a network without pretrained weights, which trains in a second."""
    return vision_model("test_resnet", **{**SMALL, "pretrained": False, **params})


def chosen(n, *, pretrained=True, has_gpu=False, **params):
    asked = dict(epochs=None, freeze_epochs=1, lr=None, bs=None, head="auto") | params
    others = dict(accum=1, wd=0.01, label_smoothing=0.0, mixup=0.0, precision="auto")
    net = dict(pretrained=pretrained, has_gpu=has_gpu)
    return chosen_settings(resolve_arch(ARCH), (96, 96), n, **net, **asked, **others)


@pytest.mark.parametrize("n", [3, 20, 160, 800, 1200, 2500, 4800, 8000])
def test_some_300_steps_follow_whatever_the_number_of_images(n):
    settings = chosen(n)
    assert settings.head == "probe" and settings.freeze_epochs == 0
    assert 150 <= settings.epochs * max(1, n // settings.bs) <= 450
    assert settings.epochs * n <= max(n, 2000)  # a CPU needs 20 ms for an image
    on_gpu = chosen(n, has_gpu=True)
    assert on_gpu.epochs >= 5 and on_gpu.epochs * max(1, n // on_gpu.bs) >= 200


def test_declared_epochs_mean_what_fastai_means_by_them():
    for n in (30, 3000):
        settings = chosen(n, epochs=3)
        assert (settings.head, settings.epochs, settings.freeze_epochs) == ("fastai", 3, 1)
        assert (settings.bs, settings.lr) == (64, 0.01)
    assert chosen(30, epochs=1, freeze_epochs=2).freeze_epochs == 2
    assert chosen(30, epochs=3, head="probe").head == "probe"
    assert chosen(30, pretrained=False).head == "fastai"  # random features have no probe


@pytest.mark.parametrize("kind", ["classes", "values", "two values"])
def test_without_an_epoch_the_network_is_the_probe(data, kind):
    train = data.train
    if kind != "classes":
        targs = 50.0 + 10 * data.targs + np.linspace(0, 1, len(data.targs))
        if kind == "two values":
            targs = np.column_stack([targs, -0.1 * targs])
        train = dataclasses.replace(train, targs=targs, task="regression", vocab=())
    model = vision_model(ARCH, **SMALL, head="probe", epochs=0)
    rows, held = np.flatnonzero(HELD.assignment < 0), np.flatnonzero(HELD.assignment == 0)
    preds = model.fit(train.take(rows)).predict(train.take(held))

    arch = resolve_arch(ARCH)
    net = make_net(arch, 3, size=(32, 32), is_linear=True).eval()
    pixels = torch.from_numpy(resized(train.images, 32, method="squish").array[:48].copy())
    with torch.no_grad():
        features = net[1][:-1](net[0](Augment((32, 32), arch.mean, arch.std).plain(pixels)))
    head = fit_head(features[rows].numpy(), train.take(rows))
    expected = features[held].numpy() @ head.coef.T + head.intercept
    if kind == "classes":
        expected = head.predict(features[held].numpy())
    np.testing.assert_allclose(preds, expected, rtol=2e-3, atol=1e-3)


def test_the_default_trains_by_steps_and_says_how(data, few_steps):
    preds = validated(data)
    [notes] = preds.about["fits"]
    assert (notes["head"], notes["epochs"], notes["freeze_epochs"]) == ("probe", 3, 0)
    assert notes["bs"] == 8 and preds.about["epochs"] is None
    probe = validated(data, head="probe", epochs=0)
    assert not np.allclose(preds.oof[:12], probe.oof[:12], atol=1e-3)  # it trained
    assert preds.oof_score > 0.6  # a third by chance
    assert "timm/tf_efficientnet_lite0" in repr(preds)  # where its weights are published


def test_batch_norm_keeps_the_statistics_that_the_probe_saw(data, monkeypatch):
    monkeypatch.setattr(fine_tuning, "_STEPS", 2)
    trained = vision_model(ARCH, **SMALL).fit(data.train).estimator
    before = make_net(resolve_arch(ARCH), 3, size=(32, 32), is_linear=True)
    n_changed = 0
    for (name, tensor), old in zip(
        trained.state_dict().items(), before.state_dict().values(), strict=True
    ):
        if "running" in name:
            torch.testing.assert_close(tensor.cpu(), old)
        elif name.endswith("bn1.weight"):
            n_changed += not torch.equal(tensor.cpu(), old)
    assert n_changed > 5  # the weights train


def test_a_second_label_starts_at_zero_and_is_learned(data, few_steps):
    preds = validated(data, also="shade")
    assert preds.oof.shape == (48, 3) and preds.about["fits"][0]["shade_accuracy"] > 0.5


def test_lr_find_suggests_rates_and_leaves_no_file(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rates = lr_find(tiny_model(), data, num_it=30)
    assert 1e-7 < rates.valley < 10 and 1e-7 < rates.slide < 10
    assert len(rates.lrs) == len(rates.losses) and np.all(np.diff(rates.lrs) > 0)
    assert "valley" in repr(rates) and "array" not in repr(rates)
    assert lr_find(tiny_model(), data.train, num_it=30).valley == rates.valley
    assert not list(tmp_path.iterdir())  # fastai writes the weights to the working folder


def test_a_fit_that_finds_its_rate_starts_with_the_weights_from_before(data):
    model = tiny_model(lr="find", epochs=2, bs=18)
    rows = []
    with epoch_table(rows.append):
        preds = cross_validate(model, data, HELD)
    fit, _ = data.fold(*next(HELD.splits()))
    assert preds.about["fits"][0]["lr"] == lr_find(model, fit).valley
    shown = [row["epoch"] for row in rows]  # steps of the finder are no epochs
    assert shown == ["1/3", "2/3", "3/3"]
    assert np.isfinite(preds.oof[:12]).all()


def test_lr_find_needs_steps(data):
    with pytest.raises(ConfigError, match="num_it = 5"):
        lr_find(tiny_model(), data, num_it=5)


def test_smoothed_labels_make_predictions_less_certain(data):
    fits = [
        tiny_model(epochs=8, bs=12, label_smoothing=share).fit(data.train) for share in (0, 0.6)
    ]
    plain, smooth = (fitted.predict(data.train).max(1).mean() for fitted in fits)
    assert smooth < plain - 0.05


def test_mixup_blends_images_and_labels(data, monkeypatch):
    from fastai.callback.mixup import MixUp

    blended = []
    before = MixUp.before_batch
    monkeypatch.setattr(
        MixUp, "before_batch", lambda self: (before(self), blended.append(self.lam))[0]
    )
    preds = cross_validate(tiny_model(epochs=2, bs=12, mixup=0.4), data, HELD)
    assert len(blended) == 9 and preds.about["mixup"] == 0.4
    assert np.isfinite(preds.oof[:12]).all()
    train = dataclasses.replace(data.train, targs=data.targs * 2.0, task="regression", vocab=())
    fitted = tiny_model(epochs=1, bs=12, mixup=0.4, accum=2).fit(train)
    assert np.isfinite(fitted.predict(train)).all() and len(blended) > 9


class Rates(Callback):
    """Note the rates of the body and the head at each step."""

    seen: ClassVar[list] = []

    def after_batch(self):
        if self.training:
            self.seen.append((self.opt.hypers[0]["lr"], self.opt.hypers[-1]["lr"]))


def test_the_words_of_fine_tune_set_the_rates(data):
    words = dict(epochs=2, freeze_epochs=1, base_lr=0.02, lr_mult=10, pct_start=0.5, div=2)
    preds = cross_validate(tiny_model(**words, bs=12, cbs=[Rates]), data, HELD)
    frozen, (body, head) = Rates.seen[:3], np.transpose(Rates.seen[3:])
    assert max(rate for _, rate in frozen) <= 0.02
    np.testing.assert_allclose(head / body, 10)
    assert head[0] == pytest.approx(0.02 / 2 / 2, rel=0.2) and head.argmax() == 3
    assert head.max() == pytest.approx(0.02 / 2, rel=1e-6)
    assert preds.about["lr"] == 0.02 and preds.about["cbs"] == ["Rates"]


def test_callbacks_validate_on_images_that_are_not_the_folds(data, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    stop = {"EarlyStoppingCallback": {"patience": 1, "min_delta": 9.0}}  # the second epoch
    for head in (dict(), dict(head="probe", pretrained=True)):
        cbs = ["CutMix", stop, "SaveModelCallback"]
        made = vision_model(
            ARCH if head else "test_resnet",
            **{**SMALL, "pretrained": False, **head},
            epochs=4,
            freeze_epochs=0,
            bs=8,
            cbs=cbs,
        )
        preds = cross_validate(made, data, HELD)
        [curve] = preds.about["curves"]
        assert (curve["epochs"], curve["stopped"]) == ([1, 2], 2) and curve["kept"] in (1, 2)
        assert "for 1 epoch" in preds.early_stops and preds.about["cbs"] == cbs
        assert np.isfinite(preds.oof[:12]).all()
    assert not list(tmp_path.iterdir()) and capfd.readouterr().out == ""


def test_validation_batches_have_all_images_in_order_and_as_they_are(data):
    arch = resolve_arch(ARCH)
    pixels = resized(data.train.images, 32, method="squish").array[:10].copy()
    examples = Examples(pixels, np.arange(10), [np.arange(10)])
    augment = Augment((32, 32), arch.mean, arch.std)
    device = torch.device("cpu")
    batches = Batches(examples, augment, bs=4, device=device, is_random=False)
    assert len(batches) == 3
    images, targs = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert targs.tolist() == list(range(10))
    torch.testing.assert_close(images, augment.plain(torch.from_numpy(pixels)))
    assert len(list(Batches(examples, augment, bs=4, device=device))) == 2


def test_the_curve_of_images_ends_with_the_score_of_the_fold(data):
    preds = cross_validate(tiny_model(epochs=2, bs=12), data, HELD)
    [curve] = preds.about["curves"]
    assert curve["epochs"] == [1, 2, 3]  # one of the head alone
    assert curve["score"][-1] == pytest.approx(preds.fold_scores[0], abs=1e-5)


def test_the_loss_smooths_labels_and_gives_one_value_per_row(data):
    loss = Targets(data.train).loss(label_smoothing=0.1)
    output, targs = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    expected = torch.nn.functional.cross_entropy(output, targs, label_smoothing=0.1)
    assert loss(output, targs) == pytest.approx(float(expected))
    loss.reduction = "none"
    assert loss(output, targs).shape == (5,)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (dict(mixup=0.4, also="shade"), ConfigError, r"mixup = 0.4 with also = \['shade'\]"),
        (dict(lr=0.1, base_lr=0.1), ConfigError, "give one of them"),
        (dict(cbs=["CutMixed"]), UnknownName, "CutMix"),
        (dict(pct_start=1.0), ConfigError, "pct_start = 1.0"),
        (dict(mixup=-1), ConfigError, "mixup = -1"),
        (dict(label_smoothing=1.0), ConfigError, "label_smoothing = 1.0"),
        (dict(lr="find me"), ConfigError, "lr = 'find me'"),
        (dict(head="linear"), UnknownName, "probe"),
        (dict(head="probe", pretrained=False), ConfigError, "needs pretrained features"),
        (dict(accum=9), ConfigError, "accum = 4 at most"),
    ],
)
def test_invalid_options_are_refused_at_once(given, error, words):
    with pytest.raises(error, match=words):
        vision_model(ARCH, **SMALL, **given)
