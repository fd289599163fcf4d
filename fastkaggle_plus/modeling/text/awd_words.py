"""Words as fastai's text models read them: its rules and special tokens, split by one pattern in this process instead of by spaCy in many."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pandas as pd

from ..fastai_learner import import_fastai

_TOKEN = re.compile(
    r"xx[a-z]+|\w+(?=n't)|n't|'\w+|\w+|[^\w\s]"
)  # as spaCy splits English: do n't, it 's
_UNKNOWN = 0  # xxunk comes first in every vocabulary of fastai

SPECIAL = "xx"  # how fastai's own tokens begin


class Words:
    "Texts as places in a vocabulary that is made of the texts to learn from."

    def __init__(
        self,
        texts: pd.DataFrame,  # one column a text
        *,
        min_freq: int,  # how often a word must be there
        max_vocab: int,  # words, the most frequent ones
        max_len: int,  # tokens of a row that are read: each of its texts gets its share
    ):
        self.max_len = max_len
        self._rules = import_fastai("text").defaults.text_proc_rules
        read = self.split(texts)
        self.vocab: list[str] = import_fastai("text").make_vocab(
            Counter(t for row in read for t in row), min_freq=min_freq, max_vocab=max_vocab
        )
        self.places = {word: i for i, word in enumerate(self.vocab) if word != "xxfake"}

    def __call__(self, texts: pd.DataFrame) -> list[list[int]]:
        "Return the tokens of each row."
        return [[self.places.get(t, _UNKNOWN) for t in row] for row in self.split(texts)]

    def add(self, texts: pd.DataFrame) -> list[str]:
        "Take in the words of more texts, in order of the alphabet, and return those that are new."
        new = sorted({t for row in self.split(texts) for t in row} - self.places.keys())
        self.places.update({word: len(self.vocab) + i for i, word in enumerate(new)})
        self.vocab += new
        return new

    def split(self, texts: pd.DataFrame) -> list[list[str]]:
        "Return the words of each row: several texts are joined by the field markers of fastai, xxfld 1 ... xxfld 2 ..."
        share, several = max(1, self.max_len // texts.shape[1]), texts.shape[1] > 1
        known = {
            text: self._words(text)[:share] for column in texts for text in texts[column].unique()
        }
        fields = [["xxfld", str(i + 1)] if several else [] for i in range(texts.shape[1])]
        return [
            [
                "xxbos",
                *(
                    t
                    for field, text in zip(fields, row, strict=True)
                    for t in (*field, *known[text])
                ),
            ]
            for row in texts.itertuples(index=False, name=None)
        ]

    def _words(self, text: Any) -> list[str]:
        for rule in self._rules:
            text = rule(text)
        return _TOKEN.findall(text)[1:]  # the last rule puts xxbos before it
