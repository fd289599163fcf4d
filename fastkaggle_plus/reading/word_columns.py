"""Decide whether a column of words is a category, a text or an id."""

import pandas as pd

MOSTLY = 0.95  # share of rows that counts as all of them
FEW_ROWS = 50  # below this, values that are all different may still be categories
TEXT_WORDS = 4  # more words than this on average are free text
FEW_LEVELS = 20  # a column of so few texts, each in many rows, is a category
MANY_TIMES = 10
PHRASE_WORDS = 2  # categories with so many words on average, and many levels, are texts too
MANY_PHRASES = 200
NO_BLANKS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"  # Thai, Lao, Japanese, Chinese letters
_WORD_OF_LETTERS = rf"[{NO_BLANKS}]|\b[^\W\d_{NO_BLANKS}]+\b"
_LETTERS_READ = 300  # of a value, to look for words


def kind_of_words(
    known: pd.Series,  # a sample of the values
    n_known: int,  # values in all
    n_levels: int,  # different ones
) -> str:
    """Return text, category, phrases (a category that is a text too), or id."""
    n_words = words_per_value(known)
    if n_words > TEXT_WORDS and (n_levels > FEW_LEVELS or n_known < MANY_TIMES * n_levels):
        return "text"
    if n_levels > MOSTLY * n_known and n_known > FEW_ROWS:
        return "text" if _share_words(known) else "id"
    are_phrases = n_levels > MANY_PHRASES and n_words >= PHRASE_WORDS
    return "phrases" if are_phrases and _share_words(known) else "category"


def words_per_value(known: pd.Series) -> float:
    """Return the mean number of words between blanks."""
    return float(known.astype(str).str.count(r"\S+").mean())


def _share_words(known: pd.Series) -> bool:
    """Say whether most values have a word that some other values have too, but not most of them.

    Names and titles have one. Codes and numbered words do not, and no model learns from them.
    """
    words = known.astype(str).str[:_LETTERS_READ].str.lower().str.findall(_WORD_OF_LETTERS)
    words = words.map(set).explode().dropna()
    counts = words.value_counts()
    shared = counts.index[(counts > 1) & (counts <= len(known) / 2)]
    return bool(words[words.isin(shared)].index.nunique() > len(known) / 2)
