"""Training only the embeddings of tokens that occur gives the same network as training all."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from fastkaggle_plus.modeling import text_model
from fastkaggle_plus.modeling.text.embedding_trim import trimmed_embeddings
from fastkaggle_plus.modeling.text.encoding import Encoder
from fastkaggle_plus.modeling.text.network import make_net, parameter_groups

from .small import FAMILIES, pairs, small_model, small_tokenizer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokens():
    return Encoder(small_tokenizer(), "{anchor}[SEP]{target}", max_len=32)(pairs(24).texts)


def words_of(net):
    return net.body.get_input_embeddings().weight


def learned(folder, tokens, block):
    """Return the network after six steps with a large decay, and the number of its embeddings."""
    torch.manual_seed(0)  # the head's
    net, targs = (
        make_net(folder, 1, bias=np.zeros(1), device=CPU),
        torch.linspace(0, 1, 24)[:, None],
    )
    with block(net):
        n_words = len(words_of(net))
        optimizer = torch.optim.AdamW(
            parameter_groups(net, lr=0.01, llrd=0.9, wd=1.0, freeze=0), eps=1e-3, fused=True
        )  # eps: else it steps by noise
        for rows in np.array_split(
            np.arange(24), 6
        ):  # words of one step are not all those of another
            torch.nn.functional.mse_loss(
                net(*map(torch.from_numpy, tokens.padded(rows))), targs[rows]
            ).backward()
            optimizer.step()
            optimizer.zero_grad()
    return net, n_words


@pytest.mark.parametrize("family", FAMILIES)
def test_the_trained_weights_are_the_same(tmp_path, tokens, family):
    folder = small_model(tmp_path, family)
    before = words_of(make_net(folder, 1, bias=np.zeros(1), device=CPU)).detach().clone()
    all_words, n_all = learned(folder, tokens, lambda net: nullcontext())
    few_words, n_few = learned(folder, tokens, lambda net: trimmed_embeddings(net, tokens.flat))
    wanted, found = all_words.state_dict(), few_words.state_dict()
    assert list(found) == list(wanted)
    assert max((found[name] - wanted[name]).abs().max() for name in wanted) < 1e-5
    read = np.unique(np.append(tokens.flat, tokens.pad))
    assert n_all == len(before) and n_few == len(read) + 1 < n_all, (
        "one more records the decay of the others"
    )
    unread = np.setdiff1d(np.arange(n_all), read)
    assert (
        words_of(few_words)[unread] / before[unread]
        - words_of(few_words)[unread[0], 0] / before[unread[0], 0]
    ).abs().max() < 1e-4
    assert 0.9 < words_of(few_words)[unread[0], 0] / before[unread[0], 0] < 0.99


def test_all_embeddings_are_restored_after_an_error(tmp_path, tokens):
    net = make_net(small_model(tmp_path), 1, bias=np.zeros(1), device=CPU)
    whole = net.body.get_input_embeddings()
    with pytest.raises(KeyboardInterrupt), trimmed_embeddings(net, tokens.flat):
        assert net.body.get_input_embeddings() is not whole
        raise KeyboardInterrupt
    assert net.body.get_input_embeddings() is whole


def test_shared_embeddings_are_not_trimmed(tmp_path, tokens):
    net = make_net(small_model(tmp_path), 1, bias=np.zeros(1), device=CPU)
    net.decoder = torch.nn.Linear(32, len(words_of(net)), bias=False)
    net.decoder.weight = words_of(net)
    with trimmed_embeddings(net, tokens.flat):
        assert words_of(net) is net.decoder.weight


def test_a_fitted_model_reads_words_that_are_not_in_its_training_rows(tmp_path):
    table = pairs(48)
    fitted = text_model(str(small_model(tmp_path)), epochs=1, bs=16).fit(table)
    other = table.take(np.arange(2))
    other.texts["target"] = ["qq zz", "seed"]
    assert np.isfinite(fitted.predict(other)).all()
    assert len(words_of(fitted.estimator)) == len(small_tokenizer())
