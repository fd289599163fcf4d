"""An architecture by any name it ever had: what it is called today, which weights it means, what sizes and layout it works in."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any

from ...exceptions import ConfigError, UnknownName

__all__ = ["Arch", "build_shell", "resolve_arch"]

_PREFIXES = ("hf-hub:timm/", "hf_hub:timm/", "timm/")  # as the model's page on the hub is called
# Of torchvision: fixed sizes and layouts of their own, not made without storage, or scaling their input themselves. timm has all but the last.
_PASSED_OVER = ("vit_", "swin_", "maxvit_", "regnet_", "googlenet")


@dataclass(frozen=True)
class Arch:
    "One architecture together with one set of pretrained weights."

    asked: str  # what was asked for
    name: str  # its name today, without the tag
    tag: str  # which weights: bt_in1k; "" where there is only one set
    source: str  # timm | torchvision
    input_px: tuple[int, int]  # height and width its weights were trained at
    is_fixed_size: (
        bool  # another size must be asked for when the net is made (vit, swin, levit, beit)
    )
    layout: str  # of its feature map: NCHW, or NHWC (swin, swinv2)
    pools_itself: bool  # it gives a vector an image and no map, by fastai's rule: vit, beit, levit
    mean: tuple[float, ...]  # what its weights want subtracted from an image in 0..1, one a channel
    std: tuple[float, ...]  # and divided by
    hub_id: str = ""  # where the weights are: a model on the hub,
    hub_file: str = ""  # a file of it, where it is not the usual one,
    url: str = ""  # or an address

    @property
    def full_name(self) -> str:
        "Name and tag: the only name that always means the same weights."
        return f"{self.name}.{self.tag}" if self.tag else self.name

    @property
    def weights(self) -> str:
        "Where the pretrained weights come from: a hub id, else an address, else nothing."
        return self.hub_id or self.url

    @property
    def n_params(self) -> int:
        "How many parameters it has with the head of its weights. Counted on a net without storage: about a tenth of a second, once."
        return sum(p.numel() for p in build_shell(self.source, self.full_name).parameters())


def resolve_arch(
    name: str,  # a name of timm or torchvision, with or without tag, today's or an old one (convnext_small_in22k)
) -> Arch:
    """Say what a name means today. Where timm and torchvision both have it, it is timm's.

    Raises UnknownName with near matches, for the name and for the tag. `timm.get_pretrained_cfg` raises for an old name and `timm.create_model`
    takes it, so names are resolved here first.
    """
    if not isinstance(name, str):
        raise ConfigError(
            f"An architecture is named by a text like 'resnet26d', but {type(name).__name__} came. Write the name: it also goes into records."
        )
    return replace(_resolve(_bare(name)), asked=name)


def _bare(name: str) -> str:
    name = name.strip()
    return next((name.removeprefix(p) for p in _PREFIXES if name.startswith(p)), name)


@functools.cache
def _resolve(asked: str) -> Arch:
    from timm.models import (
        get_arch_pretrained_cfgs,
        get_deprecated_models,
        get_pretrained_cfg,
        is_model,
        list_models,
        split_model_name_tag,
    )

    name, tag = split_model_name_tag(asked)
    renamed = get_deprecated_models()
    if today := renamed.get(name):
        name, new_tag = split_model_name_tag(today)
        tag = tag or new_tag
    if (
        not is_model(name) or name in renamed
    ):  # an old name that is still old is one without a successor
        theirs = _torchvision_names()
        if asked in theirs:
            return _from_torchvision(asked)
        raise UnknownName(
            "architecture",
            asked,
            [*list_models(), *renamed, *theirs],
            "`fkp archs` lists good ones.",
        )
    tags = [split_model_name_tag(full)[1] for full in get_arch_pretrained_cfgs(name)]
    if tag and tag not in tags:
        raise UnknownName(
            f"weights of {name}:",
            tag,
            filter(None, tags),
            f"Without a tag it is {name}.{tags[0]}." if tags and tags[0] else "",
        )
    config: Any = (
        get_pretrained_cfg(f"{name}.{tag}" if tag else name)
        or build_shell("timm", name).pretrained_cfg
    )
    height, width = config.input_size[-2:]
    tag = tag or config.tag or ""
    url = config.url if isinstance(config.url, str) else ""
    return Arch(
        asked=asked,
        name=name,
        tag=tag,
        source="timm",
        input_px=(height, width),
        is_fixed_size=config.fixed_input_size,
        layout=_layout(name, f"{name}.{tag}" if tag else name),
        pools_itself=config.pool_size is None,
        mean=tuple(config.mean),
        std=tuple(config.std),
        hub_id=config.hf_hub_id or "",
        hub_file=config.hf_hub_filename or "",
        url=url,
    )


def _layout(name: str, full_name: str) -> str:
    "timm marks a net whose features are not channels-first with an attribute: where its module never sets one, no net need be made to know."
    from timm.models import model_entrypoint

    try:
        source = inspect.getsource(sys.modules[model_entrypoint(name).__module__])
    except (OSError, TypeError):
        source = ".output_fmt ="  # without source files: look at the net
    return (
        getattr(build_shell("timm", full_name), "output_fmt", "NCHW")
        if ".output_fmt =" in source
        else "NCHW"
    )


@functools.cache
def build_shell(source: str, full_name: str) -> Any:
    "Make the net without storage for its weights."
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # initialisation has no effect here, and says so
        if source == "timm":
            import timm

            return timm.create_model(full_name, pretrained=False)
        import torchvision

        return torchvision.models.get_model(full_name, weights=None)


@functools.cache
def _torchvision_names() -> frozenset[str]:
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    return frozenset(n for n in names if not n.startswith(_PASSED_OVER))


def _from_torchvision(name: str) -> Arch:
    import torchvision

    weights: Any = torchvision.models.get_model_weights(name).DEFAULT  # type: ignore[attr-defined]
    as_trained = weights.transforms()
    side = as_trained.crop_size[0]
    return Arch(
        asked=name,
        name=name,
        tag="",
        source="torchvision",
        input_px=(side, side),
        is_fixed_size=False,
        layout="NCHW",
        pools_itself=False,
        mean=tuple(as_trained.mean),
        std=tuple(as_trained.std),
        url=weights.url,
    )
