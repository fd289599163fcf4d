"""Every kind of architecture that the course uses becomes a network that trains and predicts."""

import numpy as np
import pytest
import timm
import torch

from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.folds import Folds
from fastkaggle_plus.modeling import cross_validate, resolve_arch, vision_model
from fastkaggle_plus.modeling.vision.network import make_net
from tests.modeling.pictures import make_pictures

FOUR_LAYERS = {"depths": (1, 1, 1, 1)}
# lessons 6 and 7: the smallest of each family by the name used there, an image size in px that it
# takes, and arguments that make a shallow net of it; and a swinv2 at another size than its own
COURSE = [
    ("resnet26d", 32, {"layers": (1, 1, 1, 1)}),
    ("convnext_small", 32, FOUR_LAYERS),
    ("convnext_small_in22k", 32, FOUR_LAYERS),
    ("vit_small_patch16_224", 64, {"depth": 1}),
    ("vit_small_patch32_224", 64, {"depth": 1}),
    ("swin_small_patch4_window7_224", 64, FOUR_LAYERS),
    ("swinv2_base_window12_192_22k", 192, FOUR_LAYERS),
    ("swinv2_tiny_window8_256", 64, FOUR_LAYERS),
    ("levit_128s", 64, {}),
    ("efficientnet_b0", 32, {}),
    ("tf_efficientnetv2_s_in21ft1k", 32, {"depth_multiplier": 0.2}),
    ("beit_base_patch16_224", 64, {"depth": 1}),
]


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("few"), n=5, n_test=1)


@pytest.mark.parametrize(("arch", "px", "shallow"), COURSE, ids=lambda v: str(v)[:30])
def test_every_architecture_of_the_course_trains_a_step_and_averages_views(
    few, arch, px, shallow, monkeypatch
):
    create, step, steps = timm.create_model, torch.optim.AdamW.step, []
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: steps.append(1) or step(self, *a, **k)
    )
    size = {"item": px, "batch": px, "method": "squish"}
    training = {"epochs": 1, "freeze_epochs": 0, "bs": 4, "pretrained": False}
    model = vision_model(arch, **size, **training, n_tta=1, tta="beta")
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: create(*a, **k, **shallow))
    preds = cross_validate(model, few, Folds(np.array([0, -1, -1, -1, -1]), "random", 0))
    assert len(steps) == 1 and preds.about["tta"]["chosen"] == "beta"
    assert preds.about["arch"].startswith(resolve_arch(arch).name)
    assert np.isfinite(preds.oof[0]).all()
    assert preds.test.shape == (1, 3) and preds.test.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "arch",
    [
        "squeezenet1_0",
        "alexnet",
        "mobilenet_v2",
        "mnasnet0_5",
        "shufflenet_v2_x0_5",
        "mobilenet_v3_small",
    ],
)
def test_networks_of_torchvision_become_a_body_and_a_head(arch):
    net = make_net(resolve_arch(arch), 3, size=(64, 64), pretrained=False)
    assert net.train()(torch.randn(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize(("arch", "near"), [("regnet_y_400mf", "regnety_"), ("googlenet", "goog")])
def test_networks_of_torchvision_that_are_left_out_are_unknown_names(arch, near):
    with pytest.raises(UnknownName, match=near):
        resolve_arch(arch)
