"""Build the network of an architecture: its body and fastai's head."""

import functools
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from .archs import Arch, resolve_arch
from .image_size import check_size, size_arguments
from .weights import pretrained_arguments, pretrained_state


def make_net(
    arch: Arch,
    n_out: int,  # width of its output
    *,
    size: tuple[int, int],  # (height, width) in pixels of its input
    pretrained: bool = True,
    is_linear: bool = False,  # whether the head is average pooling and one linear layer
) -> Any:
    """Return Sequential(body, head), channels last in memory.

    The default head is fastai's: concatenated pooling and two linear layers. Networks of a fixed
    input size are built for `size`. Raises WeightsMissing, and ConfigError for a size the network
    cannot take.
    """
    from fastai.vision.learner import add_head

    check_size(arch, size, pretrained=pretrained)
    if arch.source == "torchvision":
        body, n_features = _torchvision_body(arch, pretrained)
    else:
        body, n_features = _timm_body(arch, size, pretrained)
    if is_linear:
        pool = [] if arch.pools_itself else [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
        head = torch.nn.Sequential(*pool, torch.nn.Linear(n_features, n_out))
        net = torch.nn.Sequential(body, head)
    else:
        net = add_head(body, n_features, n_out, pool=not arch.pools_itself)
    net.recipe = ImageNet(arch, size, n_out, is_linear)  # type: ignore[assignment]
    return net.to(memory_format=torch.channels_last)


def make_feature_net(
    arch: Arch,
    *,
    size: tuple[int, int],  # (height, width) in pixels of its input
    pretrained: bool = True,
) -> Any:
    """Return the network without its classifier: images in, (n, width) features out.

    The features are those that its own classifier reads. Raises WeightsMissing.
    """
    if arch.source == "torchvision":
        body, _ = _torchvision_body(arch, pretrained)
        net: Any = torch.nn.Sequential(body, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    else:
        import timm

        weights = pretrained_arguments(arch) if pretrained else {"pretrained": False}
        sized = size_arguments(arch, size)
        net = timm.create_model(arch.full_name, num_classes=0, **weights, **sized)
    net.recipe = ImageNet(arch, size)
    return net.eval().to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class ImageNet:
    """How a network is built."""

    arch: Arch
    size: tuple[int, int]  # (height, width) in pixels of its input
    n_out: int | None = None  # width of its output; None: it has no head
    is_linear: bool = False

    PACKAGES: ClassVar = ("timm", "torchvision", "fastai")

    def build(self) -> Any:
        """Return the network with random weights. Raises UnknownName."""
        resolve_arch(self.arch.full_name)  # timm would look for an unknown one on the hub
        if self.n_out is None:
            return make_feature_net(self.arch, size=self.size, pretrained=False)
        shape: dict[str, Any] = dict(size=self.size, is_linear=self.is_linear)
        return make_net(self.arch, self.n_out, pretrained=False, **shape)


@functools.cache
def feature_width(arch: Arch, size: tuple[int, int]) -> int:
    """Return the number of features, from a network without memory for its weights."""
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that initialisation has no effect here
        net = make_feature_net(arch, size=size, pretrained=False)
        return int(net(torch.zeros(1, 3, *size)).shape[1])


def _timm_body(arch: Arch, size: tuple[int, int], pretrained: bool) -> tuple[Any, int]:
    import timm

    weights = pretrained_arguments(arch) if pretrained else {"pretrained": False}
    net: Any = timm.create_model(
        arch.full_name, num_classes=0, **weights, **size_arguments(arch, size)
    )

    class Body(torch.nn.Module):
        """A timm net without its head. Features are channels first."""

        def __init__(self) -> None:
            super().__init__()
            self.model = net

        def forward(self, x: Any) -> Any:
            if arch.pools_itself:
                return self.model(x)
            features = self.model.forward_features(x)
            return features.permute(0, 3, 1, 2) if arch.layout == "NHWC" else features

    return Body(), net.num_features


def _torchvision_body(arch: Arch, pretrained: bool) -> tuple[Any, int]:
    import torchvision
    from fastai.callback.hook import num_features_model
    from fastai.vision.learner import create_body, has_pool_type, model_meta

    make = getattr(torchvision.models, arch.name)
    net = make(weights=None)
    if pretrained:
        net.load_state_dict(pretrained_state(arch))
    cut = model_meta.get(make, {}).get("cut")
    if cut is None and not any(map(has_pool_type, net.children())):
        cut = -1  # no layer pools: the body is all but the last layer
    body = create_body(net, pretrained=pretrained, cut=cut)
    return body, num_features_model(body)
