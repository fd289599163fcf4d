"""Vectors of texts: computed once for all folds, trials and processes, each on its own."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.modeling import progress
from fastkaggle_plus.modeling.text.sentence_vectors import SentenceVectors
from fastkaggle_plus.modeling.text.weights import SMALL, fetch_weights

from .small import WORDS, small_model

TEXTS = pd.Series(["seed drill", "gear", "valve pump heat", "gear", "", "film " * 60])


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return str(small_model(tmp_path_factory.mktemp("models") / "bert"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def computed_by(vectors, texts):
    """Return the vectors, and how many texts the network had to read for them."""
    events = []
    with progress.send_to(lambda share, what: events.append(what)):
        found = vectors(texts)
    return found, int(events[-1].split("/")[1]) if events else 0


def test_they_are_the_transformers_masked_mean():
    folder = fetch_weights(SMALL).folder
    tokenizer, net = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    texts = pd.Series(["seed drill", "a machine that sows seeds in rows", "", "seed drill"])
    ours = SentenceVectors(SMALL, bs=2)(texts)
    with torch.no_grad():
        for text, vector in zip(texts, ours, strict=True):
            mean = net(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
            np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert (
        ours[0] @ ours[1] > 0.5 > SentenceVectors(SMALL)(pd.Series(["jazz festival"]))[0] @ ours[0]
    )


def test_a_text_is_computed_once_for_all_trials(bert, home):
    first, n = computed_by(SentenceVectors(bert), TEXTS)
    assert n == 5
    again, n = computed_by(SentenceVectors(bert), TEXTS[::-1])
    assert n == 0 and again[::-1].tobytes() == first.tobytes()
    _, n = computed_by(SentenceVectors(bert), pd.Series(["gear", "motor", "lens"]))
    assert n == 2


def test_a_vector_does_not_depend_on_the_other_texts(bert, home, tmp_path, monkeypatch):
    texts = pd.Series([f"{a} {b}" for a in WORDS[:8] for b in WORDS[8:]] + ["gear", "seed drill"])
    together = SentenceVectors(bert)(texts)
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "other"))
    few = SentenceVectors(bert, bs=3)(texts[60:])
    np.testing.assert_allclose(few, together[60:], atol=1e-6)


def test_other_weights_and_lengths_are_kept_apart(bert, home, tmp_path):
    SentenceVectors(bert)(TEXTS)
    changed = shutil.copytree(bert, tmp_path / "bert")
    small_model(changed, "electra")
    for vectors in (SentenceVectors(str(changed)), SentenceVectors(bert, max_len=10)):
        assert computed_by(vectors, TEXTS)[1] == 5


def test_texts_that_were_cut_are_known_also_from_disk(bert, home):
    for _ in range(2):
        vectors = SentenceVectors(bert, max_len=10)
        vectors(TEXTS)
        assert vectors.cut == {TEXTS[5]}


def test_trials_at_once_compute_a_text_once(bert, home):
    texts = pd.Series([f"{a} {b}" for a in WORDS for b in WORDS])
    with ThreadPoolExecutor(2) as pool:
        trials = [pool.submit(computed_by, SentenceVectors(bert), texts) for _ in range(2)]
    (one, n), (other, m) = (trial.result() for trial in trials)
    assert one.tobytes() == other.tobytes() and sorted((n, m)) == [0, 256]


def test_a_damaged_file_is_named(bert, home):
    SentenceVectors(bert)(TEXTS)
    (file,) = home.rglob("*.sqlite")
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(DataError, match=file.name):
        SentenceVectors(bert)(TEXTS)


def test_batches_do_not_depend_on_the_hash_of_words(bert, home, monkeypatch):
    seen = []
    real = SentenceVectors._compute
    monkeypatch.setattr(
        SentenceVectors,
        "_compute",
        lambda self, texts, *a: seen.extend(texts) or real(self, texts, *a),
    )
    SentenceVectors(bert)(pd.Series([f"{a} {b}" for a in WORDS[::-1] for b in WORDS[:3]]))
    assert seen == sorted(seen) and len(seen) == 48


def test_files_without_use_for_a_month_are_removed(bert, home):
    SentenceVectors(bert, max_len=10)(TEXTS)
    (old,) = home.rglob("*.sqlite")
    month_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    SentenceVectors(bert)(TEXTS)
    (new,) = home.rglob("*.sqlite")
    assert new != old
