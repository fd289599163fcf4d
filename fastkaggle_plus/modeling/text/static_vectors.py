"""Static vectors: one per token, independent of the words around it. A text is their mean."""

from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...exceptions import WeightsMissing, needs_extra
from ..model import Array
from .loading import load_tokenizer, quiet_loading
from .weights import default_arch, fetch_weights, package_folder

WORDLLAMA = "wordllama"  # a package of the extra `offline`: its files are read by path
_WORDLLAMA_FILES = (
    "weights/l2_supercat_256.safetensors",
    "tokenizers/l2_supercat_tokenizer_config.json",
)
_EMBEDDINGS = (  # the last part of the input embeddings' name, by family; the first match wins
    *("word_embeddings", "embed_tokens", "tok_embeddings", "wte", "shared", "word_embedding"),
    "embedding",
)


@dataclass(frozen=True)
class StaticVectors:
    """A vector per token."""

    origin: str  # for records
    tokenizer: Any  # of transformers, or of tokenizers
    matrix: Any  # tensor (n_tokens, width), in the precision of its file

    def __call__(self, texts: pd.Series) -> Array:
        """Return (n, width) unit vectors: the direction of each text."""
        places, distinct = pd.factorize(texts)
        return unit(self.means(list(distinct)))[places]

    def means(self, texts: list[str]) -> Array:
        """Return (n, width): the mean over each text's tokens; zeros for a text without tokens."""
        means = np.zeros((len(texts), self.matrix.shape[1]), np.float32)
        for i, tokens in enumerate(self._encode(texts) if texts else []):
            if tokens:
                means[i] = self.matrix[tokens].float().mean(0).numpy()
        return means

    def _encode(self, texts: list[str]) -> list[list[int]]:
        """Return rows of the matrix, for each text."""
        if hasattr(self.tokenizer, "encode_batch"):
            encoded = self.tokenizer.encode_batch(texts, add_special_tokens=False)
            return [one.ids for one in encoded]
        rows = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return list(rows)


def unit(vectors: Array) -> Array:
    """Return the rows scaled to length one; zeros stay zeros."""
    scaled: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return scaled


def load_vectors(
    name: str = "",  # a model's name or folder; "" = default_arch(); "wordllama" = of that package
) -> StaticVectors:
    """Return static vectors: a model's input embeddings, read without building the network.

    Raises WeightsMissing, MissingExtra.
    """
    if name.lower() == WORDLLAMA:
        return _wordllama_vectors()
    found = fetch_weights(name or default_arch())
    assert found.folder is not None  # fetched
    tokenizer = load_tokenizer(found.folder)
    return StaticVectors(found.origin, tokenizer, _input_embeddings(found.folder))


def _wordllama_vectors() -> StaticVectors:
    with needs_extra("text"):
        from tokenizers import Tokenizer
    weights, words = (package_folder(WORDLLAMA) / file for file in _WORDLLAMA_FILES)
    if not (weights.is_file() and words.is_file()):
        raise WeightsMissing(
            f"{weights.name} is not on this machine. Install the package {WORDLLAMA} with "
            "pip install --force-reinstall 'fastkaggle_plus[offline]'; or leave `vectors` empty to "
            "use the embeddings of the default transformer."
        )
    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    origin = f"package {WORDLLAMA} {version(WORDLLAMA)}"
    return StaticVectors(origin, tokenizer, _input_embeddings(weights.parent))


def _input_embeddings(folder: Path) -> Any:
    """Read only the tensor of the input embeddings, from the file that contains it."""
    with quiet_loading(folder):
        import torch
        from safetensors import safe_open

        files = {}
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, "pt") as tensors:
                files.update(dict.fromkeys(tensors.keys(), file))
        if name := _embeddings_name(files):
            with safe_open(files[name], "pt") as tensors:
                return tensors.get_tensor(name)
        for file in sorted(folder.glob("pytorch_model*.bin")):
            tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            if name := _embeddings_name(tensors):
                return tensors[name].clone()  # without the rest of the file
    raise WeightsMissing(
        f"No input embeddings were found in {folder}: expected a weight called one of "
        f"{', '.join(_EMBEDDINGS)}. Give another model's name or folder as `vectors`."
    )


def _embeddings_name(names: Collection[str]) -> str:
    """Return the name of the input embeddings; an earlier ending of _EMBEDDINGS wins."""
    weights = [name for name in reversed(list(names)) if name.endswith(".weight")]
    last_parts = {name.removesuffix(".weight").rpartition(".")[2]: name for name in weights}
    return next((last_parts[part] for part in _EMBEDDINGS if part in last_parts), "")
