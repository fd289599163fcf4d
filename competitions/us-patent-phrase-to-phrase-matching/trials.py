"""The patents' declared trials: lesson 4's notebooks, what won the competition, and some for a laptop.

`fkp run` takes TRIALS, which run in minutes without a GPU. Another list runs with
`fkp sweep us-patent-phrase-to-phrase-matching --list COURSE --holdout 0.25`.
"""

from __future__ import annotations

from typing import Any

from fastkaggle_plus import Trial
from fastkaggle_plus.modeling import default_arch

ARCH = (
    default_arch()
)  # deberta-v3-small where its weights are at hand, else the small offline model

STYLES = {  # how a row is written for a language model
    "course": "TEXT1: {context}; TEXT2: {target}; ANC1: {anchor}",
    "separator": "{context}[SEP]{anchor}[SEP]{target}",
    "[s]": "{context} [s] {anchor} [s] {target}",
    "section token": "[{section}][SEP]{title}[SEP]{anchor}[SEP]{target}",
    "pair": "{anchor}[SEP]{target}",
    "title": "{anchor}[SEP]{target}[SEP]{title}",
    "section": "{anchor}[SEP]{target}[SEP]{section_title}",
    "others": "{anchor}[SEP]{target}[SEP]{title}[SEP]{others}",
    "pair, others": "{anchor}[SEP]{target}[SEP]{others}",
}
PAIR = ["anchor", "target"]  # what models read that take no style
SECTION_TOKENS = [f"[{letter}]" for letter in "ABCDEFGH"]


def language(
    name: str, hypothesis: str, *, style: str, in_ensemble: bool = True, **params: Any
) -> Trial:
    "Declare a pretrained language model that is fine-tuned on rows written in a style."
    params = {"arch": ARCH, "style": STYLES[style], **params}
    return Trial(name, "text.text_model", params, hypothesis, in_ensemble)


LESSON = {"epochs": 4, "lr": 8e-5, "bs": 128, "pool": "own", "dropout": 0.1}

COURSE = (  # Getting started with NLP for absolute beginners
    language(
        "lesson 4",
        "Words and their class, written in one line, are enough.",
        style="course",
        **LESSON,
    ),
)

GRANDMASTER = (  # Iterate like a grandmaster: one change at a time
    language("separator", "The baseline of the next ones.", style="separator", **LESSON),
    language(
        "[s]",
        "A separator of plain letters is better than the tokenizer's own.",
        style="[s]",
        **LESSON,
    ),
    language(
        "small letters", "Capitals say nothing here.", style="separator", lower=True, **LESSON
    ),
    language(
        "section token",
        "A token of its own for each section says more than its letter.",
        style="section token",
        special_tokens=SECTION_TOKENS,
        **LESSON,
    ),
)

TUNED = {"epochs": 4, "lr": 8e-5, "bs": 64}

WINNERS = (  # what the best entries did, each beside the baseline
    language(
        "titles", "The baseline of the next ones: what the class is called.", style="title", **TUNED
    ),
    language(
        "others",
        "The other targets of an anchor say how fine its scale is.",
        style="others",
        **TUNED,
    ),
    language("bce", "A score is a probability.", style="title", loss="bce", **TUNED),
    language("pearson", "Learn what is measured.", style="title", loss="pearson", **TUNED),
    language("ordinal", "A score is a place on a scale.", style="title", loss="ordinal", **TUNED),
    language(
        "layers apart",
        "What the lower layers know should change less.",
        style="title",
        llrd=0.9,
        **TUNED,
    ),
    language(
        "rounded",
        "Answers on the scale's own steps score better.",
        style="title",
        rounding="auto",
        **TUNED,
    ),
)

ENSEMBLE = (
    "greedy"  # of those with in_ensemble: weights fitted on other folds than they are scored on
)

LAPTOP = {"epochs": 3, "lr": 1e-4, "bs": 32}

TRIALS = (  # the longest first, so that no core waits for it at the end
    language(
        "others",
        "The other targets of an anchor say how fine its scale is.",
        style="pair, others",
        loss="bce",
        **LAPTOP,
    ),
    language("pair", "The two phrases alone say most of it.", style="pair", loss="bce", **LAPTOP),
    Trial(
        "untrained cosine",
        "overlap_text.cosine_model",
        {"arch": ARCH, "columns": PAIR},
        "What the model knows of phrases before it has seen a score.",
        in_ensemble=False,
    ),
    Trial(
        "static vectors",
        "static_text.static_text_model",
        {"vectors": ARCH, "columns": PAIR},
        "What words mean, without their order, is most of a phrase.",
    ),
    Trial(
        "boosted overlaps",
        "boosting.hist_gradient_boosting_model",
        hypothesis="Lengths, overlaps and topics say what the words mean.",
    ),
    Trial(
        "word overlap",
        "overlap_text.overlap_model",
        {"columns": PAIR},
        "The floor: the share of words that both phrases hold.",
        in_ensemble=False,
    ),
)
