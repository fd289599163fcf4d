"""Test-time augmentation: equal to fastai for the same views, and chosen by a paired test."""

import numpy as np
import pytest
import torch

from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.modeling.fastai_learner import import_fastai
from fastkaggle_plus.modeling.vision import tta
from fastkaggle_plus.modeling.vision.augment import Augment
from fastkaggle_plus.modeling.vision.training import predict_net
from fastkaggle_plus.predictions import Predictions
from tests.modeling.pictures import make_pictures


@pytest.mark.parametrize(("use_max", "beta", "name"), [(False, 0.25, "beta"), (True, 0.25, "max")])
def test_the_mix_is_that_of_fastai_for_the_same_views(tmp_path, use_max, beta, name):
    """Fastai draws the views; `mix` mixes the predictions of the same views."""
    fastai = import_fastai("vision")
    data = make_pictures(tmp_path, n=24, n_test=4)
    frame = data.raw_train.assign(is_valid=np.arange(24) >= 16)
    dls = fastai.ImageDataLoaders.from_df(
        frame,
        tmp_path / "train_images",
        fn_col="image_id",
        label_col="label",
        valid_col="is_valid",
        num_workers=0,
        bs=8,
        item_tfms=fastai.Resize(32, method="squish"),
        batch_tfms=fastai.aug_transforms(size=24, min_scale=0.75),
    )
    torch.manual_seed(0)
    learn = fastai.vision_learner(dls, "test_resnet", pretrained=False, path=tmp_path)
    seen = []
    hook = learn.model.register_forward_hook(
        lambda net, x, out: seen.append(torch.softmax(out.float(), 1).detach().numpy())
    )
    with learn.no_bar(), learn.no_logging():
        theirs = learn.tta(n=3, use_max=use_max, beta=beta)[0].float().numpy()
    hook.remove()
    *views, plain = seen
    ours = tta.mix(plain, views)[name]
    np.testing.assert_allclose(ours, theirs / theirs.sum(1, keepdims=True), atol=1e-6)


def test_mean_counts_the_whole_image_as_one_view_and_plain_has_none():
    plain, views = np.array([[0.9, 0.1]]), [np.array([[0.5, 0.5]]), np.array([[0.1, 0.9]])]
    mixed = tta.mix(plain, views)
    np.testing.assert_allclose(mixed["mean"], [[0.5, 0.5]])
    np.testing.assert_allclose(mixed["max"], [[0.5, 0.5]])
    np.testing.assert_allclose(mixed["beta"], [[0.75 * 0.3 + 0.25 * 0.9, 0.75 * 0.7 + 0.25 * 0.1]])
    assert list(tta.mix(plain, [])) == ["plain"] and "max" not in tta.mix(
        plain, views, classes=False
    )


def variants(wrong_to_right, right_to_wrong, n=200):
    """Return plain predictions, half of them right, and mixed ones that differ in these rows."""
    targs = np.zeros(n, dtype=int)
    right = np.arange(n) < n // 2
    mixed = right.copy()
    mixed[:right_to_wrong] = False
    mixed[n // 2 : n // 2 + wrong_to_right] = True

    def preds(name, correct):
        oof = np.where(correct[:, None], [0.8, 0.2], [0.3, 0.7])
        return Predictions(
            name,
            "accuracy",
            "binary",
            ("a", "b"),
            np.arange(n),
            targs,
            oof,
            np.zeros(n, dtype=int),
            np.arange(3),
            np.full((3, 2), 0.5),
        )

    return {
        "plain": preds("plain", right),
        "beta": preds("beta", mixed),
        "mean": preds("mean", right),
        "max": preds("max", right),
    }


@pytest.mark.parametrize(
    ("better", "worse", "chosen", "p"),
    [
        (7, 0, "beta", 0.0078),
        (7, 5, "plain", 0.581),
        (0, 7, "plain", 0.0078),
        (27, 20, "plain", 0.312),
    ],
)
def test_auto_uses_views_only_after_a_significant_gain(better, worse, chosen, p):
    name, about = tta.choose(variants(better, worse), "auto")
    facts = about["tta"]
    assert name == chosen == facts["chosen"]
    assert (facts["wrong_to_right"], facts["right_to_wrong"]) == (better, worse) and facts[
        "p_value"
    ] == pytest.approx(p, abs=0.003)


def test_a_given_mix_is_used_and_compared_with_plain():
    name, about = tta.choose(variants(0, 7), "beta")
    assert name == "beta" and about["tta"]["gain"] < 0
    assert tta.choose({"plain": variants(1, 1)["plain"]}, "plain") == ("plain", {})
    with pytest.raises(UnknownName, match="mean"):
        tta.choose(variants(1, 1), "means")


def test_views_are_sampled_in_full_precision_for_any_network():
    seen = {}

    class Answers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            seen["x"], seen["product"] = x, (x.mean((2, 3)) @ torch.ones(3, 2)).dtype
            return x.mean((2, 3)) * self.weight

    pixels = np.random.default_rng(0).integers(0, 255, (4, 40, 40, 3), dtype=np.uint8)
    augment = Augment((32, 32), (0.5,) * 3, (0.5,) * 3)
    predict_net(Answers(), pixels, np.arange(4), view=augment.plain, precision="bf16")
    torch.testing.assert_close(
        seen["x"], augment.plain(torch.from_numpy(pixels)), rtol=0, atol=1e-6
    )
    assert seen["product"] == torch.bfloat16
