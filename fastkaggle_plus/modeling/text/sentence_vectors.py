"""Vectors of texts from a language model that is not trained further, cached on disk."""

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from ...environment import home
from ...exceptions import DataError, FastkaggleError, needs_extra
from ...reading.array_cache import stamps
from .. import progress
from ..model import Array
from .encoding import Encoder
from .loading import load_tokenizer
from .static_vectors import unit
from .weights import default_arch, fetch_weights, last_name

_KEPT_S = 30 * 24 * 3600  # a model's vectors, without use
_SOME = 2048  # texts computed and written at a time: a kill loses at most these


class SentenceVectors:
    """Unit vectors of texts: the mean over the tokens of a pretrained transformer.

    Each distinct text is computed once. Folds share the vectors in memory; trials, sweeps and
    processes share those on disk, in one file per model and `max_len`.
    """

    def __init__(self, arch: str = "", *, bs: int = 64, max_len: int = 256):  # as in cosine_model
        self.arch, self.bs, self.max_len = arch, bs, max_len
        self.cache: dict[str, Array] = {}  # text -> its vector
        self.cut: set[str] = set()  # the texts that were too long

    def __call__(self, texts: pd.Series) -> Array:
        """Return (n, width). Raises WeightsMissing, MissingExtra, DataError."""
        places, distinct = pd.factorize(texts)
        if new := sorted({t for t in distinct if t not in self.cache}):
            with _vectors_on_disk(self._file) as disk:
                found = disk.read(new)
                missing = [t for t in new if t not in found]
                for start in range(0, len(missing), _SOME):
                    computed = self._compute(missing[start : start + _SOME], start, len(missing))
                    disk.write(computed)
                    found |= computed
            self.cache |= {text: vector for text, (vector, _) in found.items()}
            self.cut |= {text for text, (_, is_cut) in found.items() if is_cut}
        return unit(np.stack([self.cache[t] for t in distinct]))[places]

    def _compute(self, texts: list[str], start: int, n: int) -> dict[str, tuple[Array, bool]]:
        """Return each text's vector, and whether it was cut."""
        computed: dict[str, tuple[Array, bool]] = {}
        for i, vector, is_cut in self._model.vectors(texts):
            computed[texts[i]] = (vector, is_cut)
            if len(computed) % self.bs == 0 or len(computed) == len(texts):
                done = start + len(computed)
                progress.report(done, n, f"text {done}/{n}")
        return computed

    def to_keep(self) -> "FrozenText":
        """Return what computes the vectors, without those of the texts seen."""
        return self._model

    @cached_property
    def _folder(self) -> Path:
        folder = fetch_weights(self.arch or default_arch()).folder
        assert folder is not None  # fetched
        return folder

    @cached_property
    def _file(self) -> Path:
        """The file of this model's vectors: another one if the model's files change."""
        files = sorted(str(file) for file in self._folder.iterdir() if file.is_file())
        key = hashlib.sha256(repr((list(stamps(files)), self.max_len)).encode()).hexdigest()[:16]
        return home() / "cache" / "texts" / f"{last_name(self.arch or default_arch())}-{key}.sqlite"

    @cached_property
    def _model(self) -> "FrozenText":
        with needs_extra("text"):
            from .network import load_body, max_positions
            from .training import best_device
        folder, longest = self._folder, self.max_len
        max_len = min(longest, max_positions(folder) or longest)
        encoder = Encoder(load_tokenizer(folder), "", max_len=max_len)
        return FrozenText(encoder, load_body(folder).to(best_device()), self.bs)


@dataclass
class FrozenText:
    """A language model that gives the vectors of texts."""

    encoder: Encoder
    net: Any
    bs: int  # texts per batch

    def __call__(self, texts: pd.Series) -> Array:
        """Return (n, width) unit vectors."""
        places, distinct = pd.factorize(texts)
        found = {i: vector for i, vector, _ in self.vectors(list(distinct))}
        return unit(np.stack([found[i] for i in range(len(distinct))]))[places]

    def vectors(self, texts: list[str]) -> Iterator[tuple[int, Array, bool]]:
        """Yield each text's place, its vector, and whether it was cut.

        A batch holds texts of as many tokens, so nothing is padded and a vector does not depend on
        the other texts.
        """
        tokens = self.encoder(pd.DataFrame({"text": texts}))
        for length in np.unique(tokens.lengths):
            rows = np.flatnonzero(tokens.lengths == length)
            for first in range(0, len(rows), self.bs):
                batch = rows[first : first + self.bs]
                for i, vector in zip(batch, _means(self.net, tokens.padded(batch)[0]), strict=True):
                    yield int(i), vector, i in tokens.cut


def _means(net: Any, tokens: Array) -> Array:
    """Return (n, width): the mean over the tokens of rows of one length."""
    import torch

    with torch.inference_mode():
        inputs = torch.from_numpy(tokens).to(net.device)
        hidden = net(input_ids=inputs, attention_mask=torch.ones_like(inputs)).last_hidden_state
    return np.asarray(hidden.float().mean(1).cpu())


class _VectorFile:
    """Vectors by text, in a file of SQLite: what was written whole survives a kill."""

    def __init__(self, connection: sqlite3.Connection):
        self.connection = connection
        table = "vectors (text BLOB PRIMARY KEY, vector BLOB, is_cut INTEGER) WITHOUT ROWID"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")

    def read(self, texts: list[str]) -> dict[str, tuple[Array, bool]]:
        """Return those texts that it has: the vector, and whether the text was cut."""
        query, found = "SELECT vector, is_cut FROM vectors WHERE text = ?", {}
        for text in texts:
            if row := self.connection.execute(query, (_digest(text),)).fetchone():
                found[text] = (np.frombuffer(row[0], np.float32), bool(row[1]))
        return found

    def write(self, computed: dict[str, tuple[Array, bool]]) -> None:
        """Add texts."""
        rows = [(_digest(text), v.tobytes(), is_cut) for text, (v, is_cut) in computed.items()]
        with self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)


@contextlib.contextmanager
def _vectors_on_disk(file: Path) -> Iterator[_VectorFile]:
    """Open the file for one process at a time, so that two do not compute the same texts.

    Files that were not used for 30 days are removed. Raises DataError for a folder that does not
    accept files, or a damaged file.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")), contextlib.closing(sqlite3.connect(file)) as c:
            file.touch()
            _remove_unused(file.parent)
            yield _VectorFile(c)
    except FastkaggleError:  # of the model: it is not about this file
        raise
    except (OSError, sqlite3.Error) as e:
        raise DataError(
            f"The cache of text vectors {file} failed ({e}). Delete that file if it is damaged, "
            "free some space, or set FKP_HOME to a folder that you can write to."
        ) from e


def _remove_unused(folder: Path) -> None:
    for file in folder.glob("*.sqlite"):
        with contextlib.suppress(FileNotFoundError):  # another process removes it too
            if time.time() - file.stat().st_mtime > _KEPT_S:
                file.unlink()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
