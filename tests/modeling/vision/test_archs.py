"""Names of architectures: old names, tags, typing errors; and their facts against built nets."""

import dataclasses
import json
import subprocess
import sys
import warnings

import pytest

from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.modeling import resolve_arch

# the course's names and what they mean today, in timm 1.0
RENAMED = {
    "convnext_small_in22k": "convnext_small.fb_in22k",
    "convnext_large_in22k": "convnext_large.fb_in22k",
    "convnext_tiny_in22k": "convnext_tiny.fb_in22k",
    "convnext_base_in22k": "convnext_base.fb_in22k",
    "convnext_base_in22ft1k": "convnext_base.fb_in22k_ft_in1k",
    "convnext_large_in22ft1k": "convnext_large.fb_in22k_ft_in1k",
    "swinv2_large_window12_192_22k": "swinv2_large_window12_192.ms_in22k",
    "swinv2_base_window12_192_22k": "swinv2_base_window12_192.ms_in22k",
    "swin_large_patch4_window7_224": "swin_large_patch4_window7_224.ms_in22k_ft_in1k",
    "vit_large_patch16_224": "vit_large_patch16_224.augreg_in21k_ft_in1k",
    "vit_small_patch16_224": "vit_small_patch16_224.augreg_in21k_ft_in1k",
    "vit_small_patch32_224": "vit_small_patch32_224.augreg_in21k_ft_in1k",
    "resnet26d": "resnet26d.bt_in1k",
    "convnext_small": "convnext_small.in12k_ft_in1k",
    "convnext_tiny": "convnext_tiny.in12k_ft_in1k",
    "tf_efficientnet_b0_ns": "tf_efficientnet_b0.ns_jft_in1k",
    "tf_efficientnetv2_s_in21ft1k": "tf_efficientnetv2_s.in21k_ft_in1k",
    "xception": "legacy_xception.tf_in1k",
}
# (fixed size, layout, height)
FACTS = {
    "vit_small_patch16_224": (True, "NCHW", 224),
    "swin_tiny_patch4_window7_224": (True, "NHWC", 224),
    "swinv2_base_window12_192.ms_in22k": (True, "NHWC", 192),
    "levit_128s": (True, "NCHW", 224),
    "beit_base_patch16_224": (True, "NCHW", 224),
    "resnet26d": (False, "NCHW", 224),
    "convnext_small_in22k": (False, "NCHW", 224),
    "tf_efficientnet_lite1": (False, "NCHW", 240),
    "mambaout_femto": (False, "NHWC", 224),
}


@pytest.mark.parametrize("asked, full_name", RENAMED.items())
def test_the_courses_names_mean_what_they_mean_today(asked, full_name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # timm warns of an old name when a net is made by it
        arch = resolve_arch(asked)
    assert (arch.asked, arch.full_name, arch.source) == (asked, full_name, "timm")
    assert f"{arch.name}.{arch.tag}" == full_name and arch.weights
    assert resolve_arch(full_name).full_name == full_name


def test_a_given_tag_is_kept():
    assert resolve_arch("convnext_small.fb_in1k").full_name == "convnext_small.fb_in1k"
    assert (
        resolve_arch("timm/convnext_small.fb_in1k").hub_id
        == resolve_arch("hf-hub:timm/convnext_small.fb_in1k").hub_id
        == "timm/convnext_small.fb_in1k"
    )
    assert resolve_arch(" resnet26d ").name == "resnet26d"


@pytest.mark.parametrize(
    "typo, meant",
    [
        ("convnext_smal", "convnext_small"),
        ("resnet26", None),
        ("squeezenet1", "squeezenet1_1"),
        ("Resnet26D", "resnet26d"),
        ("convnext_small_in22", "convnext_small_in22k"),
        ("", None),
    ],
)
def test_a_typing_error_gets_the_name_that_was_meant(typo, meant):
    if typo == "resnet26":
        assert resolve_arch(typo).name == "resnet26"
        return
    with pytest.raises(UnknownName) as e:
        resolve_arch(typo)
    assert meant in [*e.value.near, None]
    assert "are known" in str(e.value) and len(str(e.value)) < 400 and "fkp archs" in str(e.value)


def test_an_unknown_tag_gets_the_known_tags():
    with pytest.raises(
        UnknownName,
        match=r"weights of convnext_small: 'fb_in22'.*Did you mean 'fb_in22k'.*in12k_ft_in1k",
    ) as e:
        resolve_arch("convnext_small.fb_in22")
    assert "fb_in1k" in e.value.known


def test_a_function_is_no_name():
    with pytest.raises(ConfigError, match="Expected the name of an architecture"):
        resolve_arch(len)


def test_torchvision_is_used_only_for_what_timm_lacks():
    squeeze = resolve_arch("squeezenet1_1")
    assert (squeeze.source, squeeze.tag, squeeze.full_name, squeeze.input_px) == (
        "torchvision",
        "",
        "squeezenet1_1",
        (224, 224),
    )
    assert (
        squeeze.mean == (0.485, 0.456, 0.406)
        and squeeze.weights.endswith("squeezenet1_1-b8a52dc0.pth")
        and squeeze.n_params == 1_235_496
    )
    assert resolve_arch("squeezenet1_0").source == "torchvision"
    assert resolve_arch("resnet34").source == resolve_arch("vgg19").source == "timm"
    for name in ("vit_b_16", "swin_t", "fasterrcnn_resnet50_fpn"):
        with pytest.raises(UnknownName):
            resolve_arch(name)


@pytest.mark.parametrize("name, facts", FACTS.items())
def test_fixed_size_and_layout_are_those_of_the_built_net(name, facts):
    import timm
    import torch

    arch = resolve_arch(name)
    assert (arch.is_fixed_size, arch.layout, arch.input_px[0]) == facts
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = timm.create_model(arch.full_name, pretrained=False)
    assert arch.n_params == sum(p.numel() for p in net.parameters())
    assert (
        tuple(net.pretrained_cfg["mean"]) == arch.mean
        and tuple(net.pretrained_cfg["std"]) == arch.std
    )
    features = net.forward_features(torch.zeros(1, 3, *arch.input_px, device="meta"))
    if not arch.pools_itself:
        assert (
            features.shape[{"NCHW": 1, "NHWC": 3}[arch.layout]] == net.num_features
            and features.ndim == 4
        )
    other = torch.zeros(1, 3, 128, 128, device="meta")
    if arch.is_fixed_size:
        with pytest.raises((AssertionError, RuntimeError)):
            net(other)
    else:
        assert net(other).shape == (1, net.num_classes)


def test_means_are_those_of_the_weights():
    assert (
        resolve_arch("tf_efficientnet_lite0").mean
        == resolve_arch("vit_small_patch16_224").std
        == (0.5, 0.5, 0.5)
    )
    assert resolve_arch("resnet26d").mean == (0.485, 0.456, 0.406)


def test_it_is_a_record():
    arch = resolve_arch("swin_tiny_patch4_window7_224")
    assert json.loads(json.dumps(dataclasses.asdict(arch)))["layout"] == "NHWC"
    with pytest.raises(dataclasses.FrozenInstanceError):
        arch.tag = "other"


def test_importing_it_loads_no_heavy_library():
    code = "import sys; from fastkaggle_plus.modeling import resolve_arch; print([m for m in ('torch', 'timm', 'torchvision', 'pandas') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
