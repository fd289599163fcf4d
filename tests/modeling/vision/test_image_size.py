"""Image sizes: a net's invalid sizes are refused, and its valid ones work with real weights."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.modeling import resolve_arch
from fastkaggle_plus.modeling.vision.image_size import check_size, size_arguments


@pytest.mark.parametrize(
    "name, sizes",
    [
        ("resnet26d", [64, 128, (120, 200)]),
        ("convnext_small_in22k", [128, (256, 192)]),
        ("squeezenet1_1", [128]),
        ("tf_efficientnet_lite0", [128, 300]),
        ("vit_small_patch16_224", [128, (160, 192)]),
        ("swin_tiny_patch4_window7_224", [128, 192]),
        ("swinv2_tiny_window8_256", [256, 128]),
        ("beit_base_patch16_224", [128]),
        ("levit_128s", [224, (224, 224)]),
    ],
)
def test_sizes_that_work(name, sizes):
    for size in sizes:
        check_size(resolve_arch(name), size)


@pytest.mark.parametrize(
    "name, size, why",
    [
        ("levit_128s", 128, "attention_biases"),
        ("cait_xxs24_224", (128, 128), "pos_embed"),
        ("resnet26d", 0, "image size in px.* got 0"),
        ("maxvit_tiny_tf_224", 100, "window"),
    ],
)
def test_sizes_that_do_not(name, size, why):
    with pytest.raises(ConfigError, match=why) as e:
        check_size(resolve_arch(name), size)
    assert "px" in str(e.value) and len(str(e.value)) < 400


def test_random_weights_fit_where_pretrained_ones_do_not():
    check_size(resolve_arch("levit_128s"), 128, pretrained=False)
    with pytest.raises(ConfigError, match=r"pretrained weights.*own 224 x 224.*--free-size"):
        check_size(resolve_arch("levit_128s"), 128)


def test_only_nets_of_a_fixed_size_need_another_size_as_argument():
    vit, resnet = resolve_arch("vit_small_patch16_224"), resolve_arch("resnet26d")
    assert size_arguments(vit, 128) == {"img_size": (128, 128)} and size_arguments(
        vit, (128, 96)
    ) == {"img_size": (128, 96)}
    assert size_arguments(vit, 224) == size_arguments(resnet, 128) == {}


@pytest.mark.parametrize("name, fits", [("vit_tiny_patch16_224", True), ("levit_128s", False)])
def test_the_check_agrees_with_real_weights(name, fits, tmp_path):
    arch = resolve_arch(name)
    save_file(
        {
            k: v.contiguous().clone()
            for k, v in timm.create_model(arch.full_name).state_dict().items()
        },
        tmp_path / "w.safetensors",
    )

    def make():
        return timm.create_model(
            arch.full_name,
            pretrained=True,
            pretrained_cfg_overlay={"file": str(tmp_path / "w.safetensors"), "custom_load": False},
            num_classes=10,
            **size_arguments(arch, 128),
        )

    if fits:
        check_size(arch, 128)
        with torch.no_grad():
            assert make().eval()(torch.zeros(1, 3, 128, 128)).shape == (1, 10)
    else:
        with pytest.raises(ConfigError):
            check_size(arch, 128)
        with pytest.raises(RuntimeError, match="size mismatch"):
            make()


def test_the_check_does_not_change_the_random_state():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    arch = resolve_arch("swin_tiny_patch4_window7_224")
    check_size(arch, 160)
    assert arch.n_params > 0 and torch.equal(torch.rand(3), wanted)
