"""Words are split as fastai's learners were trained on them."""

import pandas as pd
from fastai.text.core import SpacyTokenizer, Tokenizer

from fastkaggle_plus.modeling.text.awd_words import Words

TEXTS = [
    "Seed drill",
    "a METAL gear, 12 mm",
    "don't stop; it's (nearly) done!",
    "aaaa rrr",
    "go go go go",
    "rock/paper #1",
    "",
    "<br />tea &amp; coffee",
]


def words_of(texts, **more):
    return Words(texts, **{"min_freq": 1, "max_vocab": 1000, "max_len": 100, **more})


def test_one_column_reads_as_fastais_tokenizer_with_spacy():
    theirs = Tokenizer(SpacyTokenizer("en"))
    ours = words_of(frame := pd.DataFrame({"text": TEXTS})).split(frame)
    for text, tokens in zip(TEXTS, ours, strict=True):
        assert tokens == list(theirs(text)), text


def test_several_columns_are_marked_as_fields():
    frame = pd.DataFrame({"anchor": ["Seed drill"], "target": ["hammer"], "context": [""]})
    assert words_of(frame).split(frame) == [
        ["xxbos", "xxfld", "1", "xxmaj", "seed", "drill", "xxfld", "2", "hammer", "xxfld", "3"]
    ]


def test_the_vocabulary_is_of_the_texts_to_learn_from():
    words = words_of(pd.DataFrame({"text": ["gear gear pump", "gear valve"]}), min_freq=2)
    assert (
        words.vocab[:2] == ["xxunk", "xxpad"]
        and "gear" in words.vocab
        and "pump" not in words.vocab
    )
    gear, bos = words.places["gear"], words.places["xxbos"]
    assert words(more := pd.DataFrame({"text": ["gear hose"]})) == [[bos, gear, 0]]
    assert words.add(more) == ["hose"] and words.add(more) == []
    assert words(more) == [[bos, gear, len(words.vocab) - 1]] and words.vocab[-1] == "hose"


def test_each_text_of_a_long_row_gets_its_share():
    frame = pd.DataFrame({"a": ["gear " * 50], "b": ["pump valve"]})
    assert words_of(frame, max_len=10).split(frame)[0] == [
        "xxbos",
        "xxfld",
        "1",
        *["xxwrep", "50", "gear"],
        "xxfld",
        "2",
        "pump",
        "valve",
    ]
    frame = pd.DataFrame({"a": ["gear pump " * 50], "b": ["pump valve"]})
    assert words_of(frame, max_len=10).split(frame)[0][3:] == [
        "gear",
        "pump",
        "gear",
        "pump",
        "gear",
        "xxfld",
        "2",
        "pump",
        "valve",
    ]
