"""Each family of language models: training, predictions, layers by depth."""

import dataclasses

import numpy as np
import pytest
import torch

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.modeling import cosine_model, text_model
from fastkaggle_plus.modeling.text.network import make_net, parameter_groups

from .small import FAMILIES, causal_model, pairs, small_model

EVERY = pytest.mark.parametrize("family", FAMILIES)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {
        family: small_model(tmp_path_factory.mktemp("models") / family, family)
        for family in FAMILIES
    }


@EVERY
@pytest.mark.parametrize("pool", ("mean", "cls", "own"))
def test_a_family_trains_and_predicts(models, family, pool):
    table = pairs(64)
    fitted = text_model(str(models[family]), epochs=1, bs=16, pool=pool, lr=1e-3).fit(table)
    preds = fitted.predict(table)
    assert preds.shape == (64, 1) and np.ptp(preds) > 0 and preds.min() >= 0 and preds.max() <= 1
    untrained = (
        text_model(str(models[family]), epochs=1, bs=16, pool=pool, lr=0.0)
        .fit(table)
        .predict(table)
    )
    assert np.abs(preds - untrained).max() > 1e-3


@EVERY
def test_layers_learn_by_depth(models, family):
    net = make_net(models[family], 1, bias=np.zeros(1), device=CPU)
    groups = parameter_groups(net, lr=1.0, llrd=0.5, wd=0.01, freeze=0)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    names = dict(net.named_parameters())
    assert len(rate) == len(names) == sum(len(group["params"]) for group in groups), (
        "every parameter is in one group"
    )
    layers = sorted(
        {
            name.split(".")[k + 1]
            for name in names
            for k, part in enumerate(name.split(".")[:-1])
            if part in ("layer", "layers")
        }
    )
    assert layers == ["0", "1"]
    for name, parameter in names.items():
        depth = (
            0.25
            if "embeddings" in name.lower()
            else 0.5
            if ".0." in name and "layer" in name
            else 1.0
        )
        assert rate[id(parameter)] == depth, name
    assert {group["weight_decay"] for group in groups for p in group["params"] if p.ndim == 1} == {
        0.0
    }


@EVERY
def test_frozen_layers_stay_as_they_are(models, family):
    table = pairs(32)
    before = make_net(models[family], 1, bias=np.zeros(1), device=CPU).state_dict()
    after = (
        text_model(str(models[family]), epochs=1, bs=16, freeze=2, lr=1e-2)
        .fit(table)
        .estimator.state_dict()
    )
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("head" in name for name in moved)
    low = [
        name
        for name in before
        if name.startswith("body") and ("embeddings" in name or ".0." in name)
    ]
    assert low and not moved & set(low)


def test_one_layer_at_least_must_learn(models):
    with pytest.raises(ConfigError, match=r"freeze = 3.*2 layers"):
        text_model(str(models["bert"]), epochs=1, freeze=3).fit(pairs(16))


@EVERY
def test_dropout_has_the_given_value(models, family):
    none = make_net(models[family], 1, bias=np.zeros(1), dropout=0.0, device=CPU)
    some = make_net(models[family], 1, bias=np.zeros(1), dropout=0.3, device=CPU)
    assert not {m.p for m in none.modules() if isinstance(m, torch.nn.Dropout)} - {0.0}
    assert 0.3 in {m.p for m in some.modules() if isinstance(m, torch.nn.Dropout)}
    tokens = torch.randint(5, 20, (4, 9))
    inputs = tokens, torch.ones_like(tokens), torch.zeros_like(tokens)
    torch.testing.assert_close(none.train()(*inputs), none.train()(*inputs))
    assert not torch.equal(some.train()(*inputs), some.train()(*inputs))


@pytest.mark.parametrize("pool", ("mean", "own"))
def test_a_model_without_a_padding_token(tmp_path, pool):
    table = pairs(40)
    table = dataclasses.replace(
        table, texts=table.texts.assign(anchor=["", "seed"] * 20, target=["", "valve valve"] * 20)
    )
    fitted = text_model(
        str(causal_model(tmp_path)),
        epochs=1,
        bs=8,
        pool=pool,
        style="{anchor} {target}",
        precision="fp32",
    ).fit(table)
    together = fitted.predict(table)
    assert np.isfinite(together).all() and np.ptp(together) > 0
    np.testing.assert_allclose(
        np.concatenate([fitted.predict(table.take(np.array([i]))) for i in range(4)]),
        together[:4],
        atol=1e-5,
    )
    assert np.isfinite(cosine_model(str(tmp_path)).fit(table).predict(table)).all()


@EVERY
def test_rows_longer_than_a_models_positions_are_cut(models, family):
    table = pairs(8)
    table = dataclasses.replace(table, texts=table.texts.assign(anchor="seed " * 300))
    fitted = text_model(str(models[family]), epochs=1, bs=8, max_len=128).fit(table)
    read = fitted.encoder(table.texts).lengths.max()
    assert read == {"roberta": 63, "deberta-v2": 128, "modernbert": 128}.get(
        family, 64
    )  # by place; by distance any number
    assert fitted.notes["rows_cut"] == 8 and np.isfinite(fitted.predict(table)).all()
    assert np.isfinite(cosine_model(str(models[family])).fit(table).predict(table)).all()
