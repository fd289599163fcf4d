"""The patents' trials: lesson 4, what won the competition, and some for a laptop.

`fkp run` takes TRIALS, which run in minutes without a GPU. Another list runs with
`fkp sweep us-patent-phrase-to-phrase-matching --list COURSE --holdout 0.25`.
"""

from __future__ import annotations

from typing import Any

from fastkaggle_plus import Trial, experiment
from fastkaggle_plus.modeling import default_arch

ARCH = default_arch()  # deberta-v3-small if its weights are here, else a small offline model

STYLES = {  # templates that write a row as a text
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
PAIR = ["anchor", "target"]  # the columns for models without a style
SECTION_TOKENS = [f"[{letter}]" for letter in "ABCDEFGH"]


def language(
    name: str, hypothesis: str, *, style: str, in_ensemble: bool = True, **params: Any
) -> Trial:
    """Declare a trial that fine-tunes a language model on rows written in a style."""
    params = {"arch": ARCH, "style": STYLES[style], **params}
    return Trial(name, "text.text_model", params, hypothesis, in_ensemble)


LESSON = {"epochs": 4, "lr": 8e-5, "bs": 128, "pool": "own", "dropout": 0.1}

COURSE = (  # Getting started with NLP for absolute beginners
    language(
        "lesson 4",
        "The two phrases and their class, written in one line, are enough.",
        style="course",
        **LESSON,
    ),
)

SEPARATOR = language("separator", "The baseline for the next trials.", style="separator", **LESSON)

GRANDMASTER = (  # Iterate like a grandmaster: one change at a time
    SEPARATOR,
    experiment(
        "A separator of plain letters is better than the tokenizer's own.",
        base=SEPARATOR,
        change={"style": STYLES["[s]"]},
        name="[s]",
    ),
    experiment(
        "Capital letters do not matter here.",
        base=SEPARATOR,
        change={"lower": True},
        name="small letters",
    ),
    experiment(
        "A new token for each section works better than its letter.",
        base=SEPARATOR,
        change={"style": STYLES["section token"], "special_tokens": SECTION_TOKENS},
        several=True,  # the style uses the tokens
        name="section token",
    ),
)

TITLES = language(
    "titles",
    "The baseline for the next trials: the title of the class.",
    style="title",
    epochs=4,
    lr=8e-5,
    bs=64,
)


def tuned(name: str, hypothesis: str, **change: Any) -> Trial:
    """Declare one change of the baseline with titles."""
    return experiment(hypothesis, base=TITLES, change=change, name=name)


WINNERS = (  # what the best entries did: a baseline, and one change each
    TITLES,
    tuned(
        "others",
        "The other targets of an anchor show how fine its scale is.",
        style=STYLES["others"],
    ),
    tuned("bce", "A score is like a probability.", loss="bce"),
    tuned("pearson", "Train on the metric itself.", loss="pearson"),
    tuned("ordinal", "A score is a step on a scale.", loss="ordinal"),
    tuned("layers apart", "The lower layers should change less than the upper ones.", llrd=0.9),
    tuned("rounded", "Predictions on the scale's five steps score better.", rounding="auto"),
)

ENSEMBLE = "auto"  # of the trials with in_ensemble; each fold is scored with others' weights

LAPTOP = {"epochs": 3, "lr": 1e-4, "bs": 32, "loss": "bce"}

COSINE = Trial(
    "untrained cosine",
    "overlap_text.cosine_model",
    {"arch": ARCH, "columns": PAIR},
    "How much does the model know before any training?",
    in_ensemble=False,
)

TRIALS = (  # the cheap ones first
    Trial(
        "word overlap",
        "overlap_text.overlap_model",
        {"columns": PAIR},
        "A baseline to beat: the share of common words.",
        in_ensemble=False,
    ),
    Trial(
        "boosted overlaps",
        "boosting.hist_gradient_boosting_model",
        hypothesis="Lengths, common words and topics are enough.",
    ),
    Trial(
        "static vectors",
        "static_text.static_text_model",
        {"vectors": ARCH, "columns": PAIR},
        "The meaning of the words, without their order, is enough.",
    ),
    COSINE,
    experiment(
        "The frozen model knows what similar phrases are, if trees and a linear model ask it.",
        base=COSINE,
        model="text_probe.text_probe_model",
        name="text probe",
        in_ensemble=True,
    ),
    language(
        "pair", "Training the model on the two phrases adds to its probe.", style="pair", **LAPTOP
    ),
)
