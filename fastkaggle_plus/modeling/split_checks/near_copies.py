"""Pairs of nearly equal images, by a difference hash, and of nearly equal texts, by MinHash."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...reading.pixels import resized
from ..model import Array
from ..quick_effect import sampled

_MOST_IMAGES = 20_000
_HASH = (16, 17)  # px; 256 bits: whether a pixel is brighter than its left neighbour
_COPY_BITS, _NEAR_BITS = 26, 52  # of 256 that differ at most
_FLAT = 3.0  # grey levels: an image with a smaller standard deviation shows nothing
_COPY_SHARE, _NEAR_SHARE = 0.8, 0.6  # Jaccard's index of two texts
_LETTERS, _MOST_LETTERS = 5, 4_000  # of a shingle, of a text
_BANDS, _ROWS = 20, 3  # texts with the index 0.8 share a band with probability 0.999999
_CHUNK = 1_000


@dataclass(frozen=True)
class Pairs:
    """Which of n images or texts are nearly equal, and how many pairs nearly are."""

    n: int
    copies: Array  # (n_pairs, 2) positions
    n_near: int  # pairs that are similar, and less so than copies
    looked_at: str = ""  # a note, if not all were compared

    def clusters(self) -> Array:
        """Return (n,) codes: pairs, and pairs of pairs, have the same."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ones = np.ones(len(self.copies), dtype=np.int8)
        graph = coo_array((ones, (self.copies[:, 0], self.copies[:, 1])), shape=(self.n, self.n))
        return np.asarray(connected_components(graph, directed=False)[1])


def image_pairs(files: Sequence[str]) -> Pairs:
    """Find pairs of images that differ by size, brightness or compression only.

    Of more than 20,000 images, a random sample is compared. Source: Krawetz, Kind of Like That
    (2013), the difference hash, here with 256 bits.
    """
    rows = sampled(len(files), _MOST_IMAGES)
    pixels = resized([files[i] for i in rows], _HASH, method="squish")
    grey = np.concatenate(
        [
            pixels.array[i : i + _CHUNK].mean(-1, dtype=np.float32)
            for i in range(0, len(rows), _CHUNK)
        ]
    )
    seen = pixels.ok & (grey.reshape(len(rows), -1).std(1) > _FLAT)
    rows, grey = rows[seen], grey[seen]
    signs = np.where(np.diff(grey, axis=2) > 0, 1, -1).reshape(len(rows), -1).astype(np.float32)
    found, n_near = [np.empty((0, 2), dtype=int)], 0
    for start in range(0, len(rows), _CHUNK):
        n_different = (signs.shape[1] - signs[start : start + _CHUNK] @ signs[start:].T) / 2
        one, other = np.nonzero(np.triu(n_different <= _NEAR_BITS, 1))
        is_copy = n_different[one, other] <= _COPY_BITS
        found.append(np.column_stack([rows[start + one[is_copy]], rows[start + other[is_copy]]]))
        n_near += int((~is_copy).sum())
    note = f" (of {_MOST_IMAGES:,} images in a random sample)" if len(files) > _MOST_IMAGES else ""
    return Pairs(len(files), np.concatenate(found), n_near, note)


def text_pairs(texts: Sequence[str]) -> Pairs:
    """Find pairs of texts whose groups of five letters have a Jaccard index of at least 0.8.

    Candidates are found by MinHash in bands. Source: Broder, On the resemblance and containment of
    documents (1997).
    """
    shingles = [_shingles(t) for t in texts]
    rows = np.flatnonzero([len(s) > 0 for s in shingles])
    if len(rows) < 2:
        return Pairs(len(texts), np.empty((0, 2), dtype=int), 0)
    signs = _signatures([shingles[i] for i in rows])
    pairs = np.unique(np.concatenate(list(_candidates(signs))), axis=0)
    agree = (signs[pairs[:, 0]] == signs[pairs[:, 1]]).mean(1)  # estimates Jaccard's index
    pairs = rows[pairs[agree >= _NEAR_SHARE - 0.2]]
    jaccard = np.array([_jaccard(shingles[i], shingles[j]) for i, j in pairs])
    copies = pairs[jaccard >= _COPY_SHARE] if len(pairs) else pairs
    n_near = int(((jaccard >= _NEAR_SHARE) & (jaccard < _COPY_SHARE)).sum())
    return Pairs(len(texts), copies, n_near)


def _shingles(text: str) -> Array:
    """Return the groups of five letters of a text, as sorted numbers."""
    words = " ".join(re.findall(r"\w+", text.lower()))[:_MOST_LETTERS]
    letters = np.frombuffer(words.encode(), dtype=np.uint8)
    if len(letters) < _LETTERS:
        return np.unique(pd.util.hash_array(np.array([words], dtype=object))[: len(words)])
    weights = 256 ** np.arange(_LETTERS, dtype=np.uint64)
    return np.unique(np.lib.stride_tricks.sliding_window_view(letters, _LETTERS) @ weights)


def _signatures(shingles: Sequence[Array]) -> Array:
    """Return (n, bands x rows) minima of random hashes of each text's shingles."""
    every = np.concatenate(shingles)
    starts = np.cumsum([0, *map(len, shingles[:-1])])
    rng = np.random.default_rng(0)
    minima = []
    for factor, shift in rng.integers(1, 2**63, (_BANDS * _ROWS, 2), dtype=np.uint64):
        hashed = ((every * (2 * factor + np.uint64(1)) + shift) >> np.uint64(32)).astype(np.uint32)
        minima.append(np.minimum.reduceat(hashed, starts))
    return np.column_stack(minima)


def _candidates(signs: Array) -> Iterator[Array]:
    """Yield pairs of positions with an equal band: each with the next two of its bucket."""
    for band in range(_BANDS):
        part = signs[:, band * _ROWS : (band + 1) * _ROWS]
        key = np.unique(part, axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(key, kind="stable")
        for step in (1, 2):
            is_same = key[order[step:]] == key[order[:-step]]
            yield np.sort(np.column_stack([order[:-step][is_same], order[step:][is_same]]), axis=1)


def _jaccard(a: Array, b: Array) -> float:
    n = len(np.intersect1d(a, b, assume_unique=True))
    return n / (len(a) + len(b) - n)
