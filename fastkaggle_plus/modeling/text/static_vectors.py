"""Static vectors: one a token, whatever stands around it; a text is their mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...exceptions import MissingExtra, WeightsMissing
from ..model import Array
from .weights import default_arch, fetch_weights, load_tokenizer, loading

WORDLLAMA = "wordllama"  # a package of the extra `offline`: its files are read by path
_WORDLLAMA_FILES = (
    "weights/l2_supercat_256.safetensors",
    "tokenizers/l2_supercat_tokenizer_config.json",
)
_EMBEDDINGS = (
    "word_embeddings.weight",
    "embed_tokens.weight",
    "tok_embeddings.weight",
    "wte.weight",
    "shared.weight",
    "word_embedding.weight",
    "embedding.weight",
)  # how the name of a network's input embeddings ends, by family


@dataclass(frozen=True)
class StaticVectors:
    "A vector a token."

    origin: str  # for records
    encode: Callable[[list[str]], list[list[int]]]  # texts -> places in the matrix
    matrix: Any  # tensor (n_tokens, width), in the precision of its file

    def pooled(self, texts: pd.Series) -> Array:
        "Return (n, width) unit vectors: the direction of each text."
        places, distinct = pd.factorize(texts)
        return unit(self.means(list(distinct)))[places]

    def means(self, texts: list[str]) -> Array:
        "Return (n, width): the mean over each text's tokens; zeros for a text without any."
        means = np.zeros((len(texts), self.matrix.shape[1]), np.float32)
        for i, tokens in enumerate(self.encode(texts) if texts else []):
            if tokens:
                means[i] = self.matrix[tokens].float().mean(0).numpy()
        return means


class NarrowVectors:
    "Static vectors of words as another network's embeddings: the directions in which a vocabulary differs most, in the size those start with."

    def __init__(self, vectors: StaticVectors, words: list[str], *, width: int, deviation: float):
        means = vectors.means(words)
        self.vectors, self.width, self.center = vectors, width, means.mean(0)
        self.basis = np.linalg.svd(means - self.center, full_matrices=False)[2][:width].T
        self.scale = deviation / max(float(((means - self.center) @ self.basis).std()), 1e-9)

    def __call__(self, words: list[str]) -> Array:
        "Return (n, width) floats."
        narrow: Array = (self.vectors.means(words) - self.center) @ self.basis * self.scale
        return np.pad(narrow, ((0, 0), (0, self.width - narrow.shape[1]))).astype(np.float32)


def unit(vectors: Array) -> Array:
    "Return the rows with length one; zeros stay zeros."
    out: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return out


def load_vectors(
    name: str = "",  # "" = default_arch(); a transformer's name on the hub or its folder; "wordllama" = those of that package
) -> StaticVectors:
    "Return the static vectors of a name: a transformer's are its input embeddings, read without building the network. Raises WeightsMissing, MissingExtra."
    if name.lower() == WORDLLAMA:
        return _packaged()
    found = fetch_weights(name or default_arch())
    assert found.folder is not None  # fetched
    tokenizer = load_tokenizer(found.folder)
    return StaticVectors(
        found.origin,
        lambda texts: tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"],
        _input_embeddings(found.folder),
    )


def _packaged() -> StaticVectors:
    try:
        from tokenizers import Tokenizer
    except ImportError as e:
        raise MissingExtra(e.name or "tokenizers", "text") from e
    try:
        installed = distribution(WORDLLAMA)
    except PackageNotFoundError as e:
        raise WeightsMissing(
            f"{_WORDLLAMA_FILES[0]} is not on this machine: pip install 'fastkaggle_plus[offline]' brings the package {WORDLLAMA} "
            "that carries it, where there are wheels of it; or leave `vectors` empty for the embeddings of the transformer at hand."
        ) from e
    weights, words = (
        Path(str(installed.locate_file(f"{WORDLLAMA}/{file}"))) for file in _WORDLLAMA_FILES
    )
    for file in (weights, words):
        if not file.is_file():
            raise WeightsMissing(
                f"{file.name} is not in the package {WORDLLAMA} {installed.version}. Install it again: "
                f"pip install --force-reinstall --no-deps {WORDLLAMA}"
            )
    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return StaticVectors(
        f"package {WORDLLAMA} {installed.version}",
        lambda texts: [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)],
        _input_embeddings(weights.parent),
    )


def _input_embeddings(folder: Path) -> Any:
    "Read the one tensor out of the file that holds it."
    import torch
    from safetensors import safe_open

    with loading(folder):
        for file in _shards(folder) or sorted(folder.glob("*.safetensors")):
            with safe_open(file, "pt") as tensors:
                if name := _embeddings_name(list(tensors.keys())):
                    return tensors.get_tensor(name)
        for file in sorted(folder.glob("pytorch_model*.bin")):
            tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            if name := _embeddings_name(list(tensors)):
                return tensors[name].clone()  # without the rest of the file
    raise WeightsMissing(
        f"No input embeddings were found in {folder}: a tensor is looked for whose name ends with {', '.join(_EMBEDDINGS)}. "
        "Give the name or folder of another model as `vectors`."
    )


def _shards(folder: Path) -> list[Path]:
    "The file that a model of several files names for its input embeddings."
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    files = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    name = _embeddings_name(list(files))
    return [folder / files[name]] if name else []


def _embeddings_name(names: list[str]) -> str:
    return next(
        (name for ending in _EMBEDDINGS for name in names if f".{name}".endswith(f".{ending}")), ""
    )
