"""Templates write the rows, and the tokens are the tokenizer's own."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.modeling import write_texts
from fastkaggle_plus.modeling.text.encoding import Encoder

from .small import small_tokenizer

TEXTS = pd.DataFrame(
    {
        "anchor": ["seed drill", "valve {x}", ""],
        "target": ["drill", 'a "quoted"\nword 🙂', "pump"],
        "context": ["A01", "F16", "F04"],
    }
)


def rows_of(tokens):
    return [
        tokens.flat[a:b].tolist()
        for a, b in zip(tokens.starts[:-1], tokens.starts[1:], strict=True)
    ]


def test_the_courses_style():
    assert write_texts(TEXTS, "TEXT1: {context}; TEXT2: {target}; ANC1: {anchor}") == [
        [
            "TEXT1: A01; TEXT2: drill; ANC1: seed drill",
            'TEXT1: F16; TEXT2: a "quoted"\nword 🙂; ANC1: valve {x}',
            "TEXT1: F04; TEXT2: pump; ANC1: ",
        ]
    ]


def test_separators_make_parts_and_braces_can_be_written():
    assert write_texts(TEXTS[:1], "{{{context}}}[SEP]{anchor}[SEP]end") == [
        ["{A01}"],
        ["seed drill"],
        ["end"],
    ]


@pytest.mark.parametrize(
    ("style", "error", "message"),
    [
        ("{ancor}", UnknownName, "Did you mean 'anchor'"),
        ("{anchor", ConfigError, "not a valid template"),
        ("no column", ConfigError, "names no column.*anchor, target"),
        (
            "{anchor:.20}",
            ConfigError,
            "^A style writes texts as they are.*anchor:.20.*Write {anchor}",
        ),
        ("{target!r}", ConfigError, "target!r"),
    ],
)
def test_invalid_styles_are_refused(style, error, message):
    with pytest.raises(error, match=message):
        write_texts(TEXTS, style)


def test_tokens_are_the_tokenizers_own_with_segments():
    tokenizer = small_tokenizer()
    tokens = Encoder(tokenizer, "{anchor}[SEP]{target}[SEP]{context}", max_len=99)(TEXTS)
    for i, row in enumerate(rows_of(tokens)):
        theirs = tokenizer(TEXTS["anchor"][i], f"{TEXTS['target'][i]} [SEP] {TEXTS['context'][i]}")
        assert row == theirs["input_ids"] and row.count(tokenizer.sep_token_id) == 3
        assert (
            tokens.types[tokens.starts[i] : tokens.starts[i + 1]].tolist()
            == theirs["token_type_ids"]
        )


def test_without_a_style_the_columns_follow_each_other():
    tokenizer = small_tokenizer()
    plain, named = (
        Encoder(tokenizer, style, max_len=99)(TEXTS)
        for style in ("", "{anchor}[SEP]{target}[SEP]{context}")
    )
    assert rows_of(plain) == rows_of(named)


def test_padding_changes_no_row():
    tokens = Encoder(small_tokenizer(), "{anchor}[SEP]{target}", max_len=99)(TEXTS)
    ids, mask, types = tokens.padded(np.array([2, 0]), multiple=8)
    assert ids.shape == mask.shape == types.shape and ids.shape[1] % 8 == 0
    assert ids[1][mask[1] == 1].tolist() == rows_of(tokens)[0] and set(ids[mask == 0].tolist()) == {
        tokens.pad
    }


def test_long_rows_are_cut_and_counted():
    texts = pd.DataFrame({"text": ["seed " * 50, "seed drill"]})
    tokens = Encoder(small_tokenizer(), "", max_len=10)(texts)
    assert tokens.cut == (0,) and tokens.lengths.tolist() == [10, 4]
    assert (
        rows_of(tokens)[0]
        == small_tokenizer()("seed " * 50, truncation=True, max_length=10)["input_ids"]
    )


def test_special_tokens_and_lower_case():
    tokenizer = small_tokenizer()
    encoder = Encoder(tokenizer, "[A] {text}", max_len=99, special_tokens=["[A]", "[B]"])
    [row] = rows_of(encoder(pd.DataFrame({"text": ["seed"]})))
    assert (
        tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens([row[1]])) == "[A]"
        and len(row) == 4
    )
    upper, lower = (
        Encoder(small_tokenizer(), "{text}", max_len=99, lower=lower) for lower in (False, True)
    )
    lower.tokenizer.backend_tokenizer.normalizer = upper.tokenizer.backend_tokenizer.normalizer = (
        None
    )
    shout = pd.DataFrame({"text": ["SEED"]})
    assert (
        rows_of(upper(shout))
        != rows_of(lower(shout))
        == rows_of(lower(pd.DataFrame({"text": ["seed"]})))
    )


def test_no_rows_and_no_texts():
    encoder = Encoder(small_tokenizer(), "{anchor}", max_len=9)
    assert len(encoder(TEXTS[:0])) == 0
    with pytest.raises(DataError, match=r"no texts.*\[text\]"):
        encoder(None)


def test_columns_may_have_any_name():
    odd = pd.DataFrame({"first phrase": ["a"], "type: kind": ["b"], "what?": ["c"]})
    assert write_texts(odd, "{first phrase}/{type: kind}/{what?}") == [["a/b/c"]]


@pytest.mark.parametrize("max_len", (1, 2, 3))
def test_a_max_len_without_room_for_words_is_refused(max_len):
    with pytest.raises(
        ConfigError, match=f"max_len = {max_len}.*3 tokens around a row.*at least 4"
    ):
        Encoder(small_tokenizer(), "{anchor}[SEP]{target}", max_len=max_len)(TEXTS)


@pytest.mark.parametrize("cell", (None, float("nan"), 7))
def test_a_cell_that_is_not_a_string_is_named(cell):
    texts = pd.DataFrame({"text": ["seed", cell]}, dtype=object)
    for style in ("", "{text}"):
        with pytest.raises(DataError, match=r"'text' has .* in row 1.*fillna"):
            Encoder(small_tokenizer(), style, max_len=9)(texts)
