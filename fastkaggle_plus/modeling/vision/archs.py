"""Resolve the name of an architecture: its name today, its weights, and the images it takes."""

import functools
import inspect
import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any

from ...exceptions import ConfigError, UnknownName

_PREFIXES = ("hf-hub:timm/", "hf_hub:timm/", "timm/")  # of a model's page on the hub
# torchvision's nets that are left out: they have fixed sizes and layouts of their own, cannot be
# built on the meta device, or scale their input themselves. timm has all but the last.
_LEFT_OUT = ("vit_", "swin_", "maxvit_", "regnet_", "googlenet")


@dataclass(frozen=True)
class Arch:
    """One architecture together with one set of pretrained weights."""

    asked: str  # the name that was asked for
    name: str  # its name today, without the tag
    tag: str  # which weights: bt_in1k; "" where there is only one set
    source: str  # timm | torchvision
    input_px: tuple[int, int]  # height and width its weights were trained at
    mean: tuple[float, ...]  # of the images its weights were trained on, 0 to 1, by channel
    std: tuple[float, ...]
    is_fixed_size: bool = False  # built for one size: vit, swin, levit, beit
    layout: str = "NCHW"  # of its feature map: NCHW, or NHWC (swin, swinv2)
    pools_itself: bool = False  # gives a vector per image and no feature map: vit, beit, levit
    hub_id: str = ""  # its weights on the hub
    hub_file: str = ""  # their file there, if it has an unusual name
    url: str = ""  # address of the weights, if they are not on the hub

    @property
    def full_name(self) -> str:
        """Name and tag: the only name that always means the same weights."""
        return f"{self.name}.{self.tag}" if self.tag else self.name

    @property
    def weights(self) -> str:
        """Where the pretrained weights are published: a hub id, else an address, else ""."""
        return self.hub_id or self.url

    @property
    def n_params(self) -> int:
        """Number of parameters, with the head of its weights. Takes a tenth of a second, once."""
        return sum(p.numel() for p in build_meta_net(self.source, self.full_name).parameters())


def resolve_arch(
    name: str,  # of timm or torchvision, old or new, with or without a tag
) -> Arch:
    """Return what a name means today. Where timm and torchvision both have it, it is timm's.

    Raises UnknownName with near matches, for the name and for the tag. timm alone cannot do this:
    `timm.get_pretrained_cfg` raises for an old name, and `timm.create_model` takes it.
    """
    if not isinstance(name, str):
        raise ConfigError(
            f"Expected the name of an architecture, like 'resnet26d', got {type(name).__name__}. "
            "Write the name: it is also stored in records."
        )
    bare = name.strip()
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    return replace(_resolve(bare), asked=name)


@functools.cache
def _resolve(asked: str) -> Arch:
    from timm.models import get_deprecated_models, is_model, list_models, split_model_name_tag

    name, tag = split_model_name_tag(asked)
    renamed = get_deprecated_models()
    if today := renamed.get(name):
        name, new_tag = split_model_name_tag(today)
        tag = tag or new_tag
    if is_model(name) and name not in renamed:  # else: unknown, or old without a successor
        return _timm_arch(asked, name, tag)
    if asked in _torchvision_names():
        return _torchvision_arch(asked)
    known = [*list_models(), *renamed, *_torchvision_names()]
    raise UnknownName("architecture", asked, known, "`fkp archs` lists good ones.")


def _timm_arch(asked: str, name: str, tag: str) -> Arch:
    from timm.models import get_arch_pretrained_cfgs, get_pretrained_cfg, split_model_name_tag

    tags = [split_model_name_tag(full)[1] for full in get_arch_pretrained_cfgs(name)]
    if tag and tag not in tags:
        default = f"Without a tag it is {name}.{tags[0]}." if tags and tags[0] else ""
        raise UnknownName(f"weights of {name}:", tag, filter(None, tags), default)
    full_name = f"{name}.{tag}" if tag else name
    config: Any = get_pretrained_cfg(full_name) or build_meta_net("timm", name).pretrained_cfg
    height, width = config.input_size[-2:]
    tag = tag or config.tag or ""
    mean, std = tuple(config.mean), tuple(config.std)
    return Arch(
        *(asked, name, tag, "timm", (height, width), mean, std),
        is_fixed_size=config.fixed_input_size,
        layout=_layout(name, f"{name}.{tag}" if tag else name),
        pools_itself=config.pool_size is None,  # fastai's rule
        hub_id=config.hf_hub_id or "",
        hub_file=config.hf_hub_filename or "",
        url=config.url if isinstance(config.url, str) else "",
    )


def _layout(name: str, full_name: str) -> str:
    """Return NCHW or NHWC. timm marks NHWC nets with an attribute that few of its files set."""
    from timm.models import model_entrypoint

    try:
        source = inspect.getsource(sys.modules[model_entrypoint(name).__module__])
    except (OSError, TypeError):
        source = ".output_fmt ="  # no source files: look at the net
    if ".output_fmt =" not in source:
        return "NCHW"
    return getattr(build_meta_net("timm", full_name), "output_fmt", "NCHW")


@functools.cache
def build_meta_net(source: str, full_name: str) -> Any:
    """Build the net on torch's meta device: shapes and names, without memory for the weights."""
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that initialisation has no effect here
        if source == "timm":
            import timm

            return timm.create_model(full_name, pretrained=False)
        import torchvision

        return torchvision.models.get_model(full_name, weights=None)


@functools.cache
def _torchvision_names() -> frozenset[str]:
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    return frozenset(n for n in names if not n.startswith(_LEFT_OUT))


def _torchvision_arch(name: str) -> Arch:
    import torchvision

    weights: Any = torchvision.models.get_model_weights(name).DEFAULT  # type: ignore[attr-defined]
    transforms = weights.transforms()
    mean, std = tuple(transforms.mean), tuple(transforms.std)
    size = (transforms.crop_size[0],) * 2
    return Arch(name, name, "", "torchvision", size, mean, std, url=weights.url)
