"""A network for an architecture: its body, and fastai's head, whatever the size and the layout of the features."""

from __future__ import annotations

from typing import Any

from ...exceptions import ConfigError
from .archs import Arch
from .weights import pretrained_arguments, pretrained_state


def make_net(
    arch: Arch,
    n_out: int,                # width of its answer
    *,
    size: tuple[int, int],     # (height, width) in pixels of its input
    pretrained: bool = True,
) -> Any:
    """Return Sequential(body, head), channels last in memory.

    The head is fastai's (concatenated pooling, two linear layers), over features that swin networks give channels last and others first.
    Networks of a fixed input size are made for `size`. Raises ConfigError where that cannot be, WeightsMissing.
    """
    import torch
    from fastai.vision.learner import add_head

    body, n_features, pools = _torchvision_body(arch, pretrained) if arch.source == "torchvision" else _timm_body(arch, size, pretrained)
    net = add_head(body, n_features, n_out, pool=pools)
    return net.to(memory_format=torch.channels_last)


def has_depthwise(net: Any) -> bool:
    "Say whether a network has depthwise convolutions, which CPUs train no faster in half precision."
    import torch

    return any(isinstance(m, torch.nn.Conv2d) and m.groups > 1 and m.groups == m.in_channels for m in net.modules())


def _timm_body(arch: Arch, size: tuple[int, int], pretrained: bool) -> tuple[Any, int, bool]:
    import timm

    given: dict[str, Any] = {"img_size": size} if arch.is_fixed_size and size != arch.input_px else {}
    weights = pretrained_arguments(arch) if pretrained else {"pretrained": False}
    try:
        net = timm.create_model(arch.full_name, num_classes=0, **weights, **given)
        body = _body(net, arch)
        _try(body, size)
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as e:   # each family has its own way to say so
        if not given:
            raise
        height, width = arch.input_px
        raise ConfigError(f"{arch.full_name} does not work on images of {size[0]}x{size[1]} pixels ({_first_line(e)}). It was trained at {height}x{width}: "
                          f"set batch = {height if height == width else [height, width]}.") from e
    return body, int(str(net.num_features)), not arch.pools_itself


def _body(net: Any, arch: Arch) -> Any:
    import torch

    class Body(torch.nn.Module):
        "What comes before the head; its features are channels first."

        def __init__(self) -> None:
            super().__init__()
            self.model = net

        def forward(self, x: Any) -> Any:
            if arch.pools_itself:
                return self.model(x)
            features = self.model.forward_features(x)
            return features.permute(0, 3, 1, 2) if arch.layout == "NHWC" else features

    return Body()


def _try(body: Any, size: tuple[int, int]) -> None:
    "Run the network once, so that a size it cannot take is refused before any training."
    import torch

    was_training = body.training
    with torch.no_grad():
        body.eval()(torch.zeros(1, 3, *size))
    body.train(was_training)


def _torchvision_body(arch: Arch, pretrained: bool) -> tuple[Any, int, bool]:
    import torchvision
    from fastai.callback.hook import num_features_model
    from fastai.vision.learner import create_body, model_meta

    make = getattr(torchvision.models, arch.name)
    net = make(weights=None)
    if pretrained:
        net.load_state_dict(pretrained_state(arch))
    body = create_body(net, pretrained=pretrained, cut=model_meta.get(make, {}).get("cut"))
    return body, num_features_model(body), True


def _first_line(e: Exception) -> str:
    return next(iter(str(e).splitlines()), type(e).__name__)
