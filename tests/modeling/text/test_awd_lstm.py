"""fastai's text learner: it is fastai's, starts from what is known of words, and says which weights it had."""

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.data.external import URLs
from fastai.learner import Learner
from fastai.text.models.awdlstm import AWD_LSTM
from fastai.text.models.core import get_language_model

from fastkaggle_plus.data import Table
from fastkaggle_plus.exceptions import ConfigError, WeightsMissing
from fastkaggle_plus.modeling import awd_lstm_model, progress
from fastkaggle_plus.modeling.model_hub import weights_folder
from fastkaggle_plus.modeling.text.wikitext import find_wikitext

from ..phrases import make_phrases

QUICK = dict(lm_epochs=0, freeze_epochs=0, epochs=1, bs=16)


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    "No weights of this machine's user."
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "fkp"))
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(tmp_path / "input"))
    monkeypatch.setattr(
        "fastkaggle_plus.modeling.text.wikitext._downloads", lambda: tmp_path / "fastai"
    )
    return tmp_path


def encoder_of(fitted):
    return fitted.estimator.model[0].module


def test_it_is_fastais_learner_and_the_language_model_teaches_it():
    table = make_phrases(n=60)
    fits = [
        awd_lstm_model(**{**QUICK, "epochs": 0, "lm_epochs": n}, vectors=None).fit(table)
        for n in (0, 2)
    ]
    assert isinstance(fits[1].estimator, Learner) and isinstance(encoder_of(fits[1]), AWD_LSTM)
    moved = [
        (encoder_of(fits[1]).state_dict()[k] - v).abs().mean()
        for k, v in encoder_of(fits[0]).state_dict().items()
        if "weight" in k
    ]
    assert min(moved) > 1e-4  # of every layer


def test_layers_are_unfrozen_from_the_head_down():
    "After the steps of the unfreezing alone, only the head and the layer below have learned."
    table = make_phrases(n=60)
    start, after = (
        awd_lstm_model(lm_epochs=0, freeze_epochs=n, epochs=0, bs=16, vectors=None).fit(table)
        for n in (0, 1)
    )
    one, two = (encoder_of(f).state_dict() for f in (start, after))
    changed = {k for k in one if not torch.equal(one[k], two[k])}
    assert changed and all(k.startswith("rnns.1.") for k in changed)


def test_words_start_from_static_vectors_and_new_ones_are_taken_in():
    table, rows = make_phrases(n=40), make_phrases(n=10, seed=1)
    rows = Table(
        rows.x, None, (), (), "regression", texts=rows.texts.assign(anchor="sowing machine")
    )
    model = awd_lstm_model(**QUICK)
    fitted, other = model.fit(table), model.fit(table)
    size = len(encoder_of(fitted).encoder.weight)
    said = fitted.predict(rows)
    assert (
        len(encoder_of(fitted).encoder.weight) == size + 2
        and fitted.predict(rows).tobytes() == said.tobytes()
    )
    assert fitted.notes["vectors"].endswith("MiniLM-L6-v2") or fitted.notes["vectors"].startswith(
        "package"
    )
    jazz = Table(
        rows.x, None, (), (), "regression", texts=rows.texts.assign(anchor="jazz festival")
    )
    assert not np.array_equal(fitted.predict(jazz), said)
    other.predict(jazz)  # the words met in between change nothing
    np.testing.assert_allclose(other.predict(rows), said, atol=1e-6)
    at_random = awd_lstm_model(**QUICK, vectors=None).fit(table)
    assert at_random.notes == {**at_random.notes, "weights": "none", "vectors": "none"}
    assert (
        at_random.predict(rows).tobytes() == at_random.predict(jazz).tobytes()
    )  # unknown is unknown


@pytest.mark.slow
def test_it_learns_an_order_of_words_that_no_bag_of_words_knows():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 400)
    said = [("pump before valve" if f else "valve before pump") for f in first]
    texts = pd.DataFrame(
        {
            "text": [
                f"{phrase} {' '.join(rng.choice(['gear', 'hose', 'lens'], 2))}" for phrase in said
            ]
        }
    )
    table = Table(
        pd.DataFrame(index=range(400)), first, (), (), "binary", ("no", "yes"), texts=texts
    )
    model = awd_lstm_model(lm_epochs=1, epochs=8, bs=16, lr=0.02, vectors=None)
    assert (
        model.fit(table.take(np.arange(300))).predict(table.take(np.arange(300, 400))).argmax(1)
        == first[300:]
    ).mean() > 0.95


def test_who_listens_hears_the_steps():
    told = []
    with progress.send_to(lambda share, what: told.append((share, what))):
        awd_lstm_model(lm_epochs=1, freeze_epochs=1, epochs=2, bs=16, vectors=None).fit(
            make_phrases(n=40)
        )
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1.0 and (0.875, "step 4/4, epoch 1/2") in told


def save_wikitext(folder, words):
    "Write weights in the shape of fastai's, untrained."
    from fastai.basics import save_pickle

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    net = get_language_model(AWD_LSTM, len(words))
    torch.save(net.state_dict(), folder / "lstm_fwd.pth")
    save_pickle(folder / "lstm_fwd_itos.pkl", words)
    return net[0].encoder.weight.detach()


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["fkp/cache/weights/wt103-fwd", "input/datasets/someone/weights-wt103-fwd", "fastai"]
)
def test_wikitexts_weights_are_found_and_each_word_keeps_its_own(own_home, where):
    words = ["xxunk", "xxpad", "xxbos", "gear", "lens"]
    theirs = save_wikitext(own_home / where, words)
    fitted = awd_lstm_model(lm_epochs=0, freeze_epochs=0, epochs=0).fit(table := make_phrases(n=8))
    assert (
        fitted.notes["weights"] == f"folder {where.rpartition('/')[2]}"
        and fitted.notes["vectors"] == "none"
    )
    ours, vocab = encoder_of(fitted).encoder.weight.detach(), fitted.estimator.dls.vocab
    assert ours.shape[1] == 400
    torch.testing.assert_close(ours[vocab.index("gear")], theirs[3])
    torch.testing.assert_close(ours[vocab.index("pump")], theirs.mean(0))  # not in theirs
    assert np.isfinite(fitted.predict(table)).all()


def test_weights_that_are_not_there_are_told_how_to_attach(own_home, monkeypatch):
    monkeypatch.setattr(URLs, "WT103_FWD", "http://127.0.0.1:9/wt103-fwd.tgz")
    with pytest.raises(
        WeightsMissing,
        match=r"lstm_fwd\.pth and lstm_fwd_itos\.pkl.*does not answer.*weights-wt103-fwd.*Add Input",
    ) as e:
        awd_lstm_model(pretrained=True).fit(make_phrases(n=10))
    assert str(weights_folder() / "wt103-fwd") in str(e.value)
    (weights_folder() / "wt103-fwd").mkdir(parents=True)
    (weights_folder() / "wt103-fwd" / "lstm_fwd.pth").write_bytes(b"")
    assert find_wikitext() is None  # half of it is not enough


@pytest.mark.parametrize(
    "wrong",
    [
        dict(epochs=-1),
        dict(bs=0),
        dict(lr=-1),
        dict(drop_mult=0),
        dict(spread=0.5),
        dict(max_len=0),
    ],
)
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        awd_lstm_model(**wrong)
