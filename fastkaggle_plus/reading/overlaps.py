"""Numbers that say how similar two texts are: the words and letters that they share."""

import re
from collections.abc import Set

import pandas as pd

from ..data import Array

GROUPED_LETTERS = 300  # letters of a text counted in groups: more of an essay takes minutes
_START = 5  # letters of a word compared: plurals and other endings differ after them
_WORD = re.compile(r"\w+")


def overlaps_of(one: pd.Series, other: pd.Series) -> pd.DataFrame:
    """Return numbers from 0 to 1 for each pair of texts, named after both columns.

    Of the words, and of groups of three letters: those that both texts have, as a share of those in
    either (Jaccard's index), in the first and in the second. And whether both begin, and end, with
    the same word or its first five letters: the last word of a phrase is often its subject.
    """
    words = {text: _WORD.findall(text.lower()) for text in {*one, *other}}
    sets = {text: frozenset(found) for text, found in words.items()}
    groups = {text: _groups_of_letters(" ".join(found)) for text, found in words.items()}
    rows = [
        (
            *_shares(sets[a], sets[b]),
            *_shares(groups[a], groups[b]),
            _are_alike(words[a][:1], words[b][:1]),
            _are_alike(words[a][-1:], words[b][-1:]),
        )
        for a, b in zip(one, other, strict=True)
    ]
    shares = [f"{part}{of}" for part in ("words", "letters") for of in ("", "_of_1", "_of_2")]
    names = [f"{one.name}_{other.name}_same_{n}" for n in (*shares, "start", "end")]
    return pd.DataFrame(rows, columns=names, index=one.index).astype(float)


def word_overlap(one: pd.Series, other: pd.Series) -> Array:
    """Return Jaccard's index: words in both texts, as a share of the words in either."""
    return overlaps_of(one, other).iloc[:, 0].to_numpy()


def _groups_of_letters(text: str) -> Set[str]:
    text = f" {text[:GROUPED_LETTERS]} "
    return frozenset(text[i : i + 3] for i in range(len(text) - 2))


def _shares(a: Set[str], b: Set[str]) -> tuple[float, float, float]:
    """Return the size of the intersection as a share of the union, of a, and of b."""
    n = len(a & b)
    return n / max(len(a | b), 1), n / max(len(a), 1), n / max(len(b), 1)


def _are_alike(a: list[str], b: list[str]) -> bool:
    return bool(a and b) and a[0][:_START] == b[0][:_START]
