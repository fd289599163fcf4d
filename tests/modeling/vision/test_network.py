"""Every kind of network that the course and torchvision name becomes a body with fastai's head, trains a step and averages views."""

import numpy as np
import pytest
import torch

from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.folds import Folds
from fastkaggle_plus.modeling import cross_validate, resolve_arch, vision_model
from fastkaggle_plus.modeling.vision.network import make_net
from tests.modeling.pictures import make_pictures

# of lessons 6 and 7 by the names that are used there, smallest of each family, with a size in pixels that it takes
COURSE = [
    ("resnet26d", 32),
    ("convnext_small", 32),
    ("convnext_small_in22k", 32),
    ("vit_small_patch16_224", 64),
    ("vit_small_patch32_224", 64),
    ("swin_small_patch4_window7_224", 64),
    ("swinv2_base_window12_192_22k", 192),
    ("levit_128s", 64),
    ("efficientnet_b0", 32),
    ("tf_efficientnetv2_s_in21ft1k", 32),
    ("beit_base_patch16_224", 64),
]


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("few"), n=5, n_test=1)


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "px"), COURSE, ids=lambda v: str(v))
def test_every_architecture_of_the_course_trains_a_step_and_averages_views(
    few, arch, px, monkeypatch
):
    steps = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: steps.append(1) or step(self, *a, **k)
    )
    model = vision_model(
        arch,
        px,
        px,
        method="squish",
        epochs=1,
        freeze_epochs=0,
        bs=4,
        n_tta=1,
        tta="beta",
        pretrained=False,
    )
    preds = cross_validate(model, few, Folds(np.array([0, -1, -1, -1, -1]), "random", 0))
    assert (
        len(steps) == 1
        and preds.about["tta"]["chosen"] == "beta"
        and preds.about["arch"].startswith(resolve_arch(arch).name)
    )
    assert (
        np.isfinite(preds.oof[0]).all()
        and preds.test.shape == (1, 3)
        and preds.test.sum() == pytest.approx(1)
    )


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
def test_networks_that_only_torchvision_has_become_a_body_and_a_head(arch):
    net = make_net(resolve_arch(arch), 3, size=(64, 64), pretrained=False)
    assert net.train()(torch.randn(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize(("arch", "near"), [("regnet_y_400mf", "regnety_"), ("googlenet", "goog")])
def test_networks_of_torchvision_that_would_fail_later_are_unknown_at_once(arch, near):
    with pytest.raises(UnknownName, match=near):
        resolve_arch(arch)
