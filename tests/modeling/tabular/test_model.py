"""tabular_model: repeatable, silent, and able to learn what a linear model cannot."""

import random

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.learner import Learner
from fastai.tabular.model import TabularModel

from fastkaggle_plus.data import Table, as_features
from fastkaggle_plus.modeling import ridge_model, tabular_model
from fastkaggle_plus.modeling.tabular.model import Batches, Inputs

from ..tables import blind, make_table

QUICK = tabular_model((20,), epochs=3, bs=32)


def test_it_is_fastais_learner_and_model():
    learn = QUICK.fit(make_table()).estimator
    assert isinstance(learn, Learner) and isinstance(learn.model, TabularModel)
    assert [(e.num_embeddings, e.embedding_dim) for e in learn.model.embeds] == [
        (4, 3),
        (3, 3),
        (2, 2),
        (2, 2),
    ]  # color, shape, two gaps


@pytest.mark.parametrize("one_cycle", [False, True])
def test_the_seed_decides_every_byte(one_cycle):
    table = make_table(n=100)
    preds = [
        tabular_model((20,), epochs=3, one_cycle=one_cycle, seed=s)
        .fit(table)
        .predict(table)
        .tobytes()
        for s in (1, 1, 2)
    ]
    assert preds[0] == preds[1] != preds[2]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_nothing_and_is_restored(threads):
    table, before = make_table(n=100), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        preds = tabular_model((60, 30), epochs=5).fit(table).predict(table)
        assert torch.get_num_threads() == threads
        torch.set_num_threads(3 - threads)
        np.testing.assert_array_equal(
            tabular_model((60, 30), epochs=5).fit(table).predict(table), preds
        )
    finally:
        torch.set_num_threads(before)


def test_the_random_states_are_restored():
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    wanted = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    QUICK.fit(make_table(n=70)).predict(make_table(n=10))
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == wanted


def test_the_random_states_do_not_change_the_predictions():
    table = make_table(n=70)
    preds = []
    for seed in (1, 2):
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        preds.append(QUICK.fit(table).predict(table).tobytes())
    assert preds[0] == preds[1]


def test_it_is_quiet(capfd, recwarn):
    table = make_table(n=70)
    QUICK.fit(table).predict(table)
    assert capfd.readouterr() == ("", "") and not recwarn.list


def test_it_learns_what_no_linear_model_can():
    """The target is whether two numbers have the same sign."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(800, 2)), columns=["a", "b"])
    table = Table(
        as_features(x, x, (), ("a", "b")),
        (x["a"] * x["b"] > 0).to_numpy().astype(int),
        (),
        ("a", "b"),
        "binary",
        (0, 1),
    )
    fit, rows = table.take(np.arange(500)), table.take(np.arange(500, 800))
    right = {
        m.name: (m.fit(fit).predict(rows).argmax(1) == rows.targs).mean()
        for m in (tabular_model((50, 20), epochs=16), ridge_model())
    }
    assert right["linear"] < 0.65 and right["tabular net"] > 0.9


@pytest.mark.parametrize("scale, shift", [(1e6, 0), (1e-6, 0), (1, 1e6)])
def test_the_size_of_the_targets_does_not_matter(scale, shift):
    table, rows = make_table("regression", n=300), make_table("regression", n=200, seed=1)
    scaled = Table(
        table.x, table.targs * scale + shift, table.cat_names, table.cont_names, "regression"
    )
    preds = (tabular_model((20,), epochs=8).fit(scaled).predict(blind(rows))[:, 0] - shift) / scale
    assert np.corrcoef(preds, rows.targs)[0, 1] > 0.85


def test_numbers_are_normalised_by_the_rows_fitted_on():
    table = make_table()
    inputs = Inputs(table)
    levels, numbers = inputs(table)
    assert levels.dtype == np.int64 and numbers.dtype == np.float32
    np.testing.assert_allclose(numbers.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(numbers.std(0), 1, atol=1e-5)
    gaps = table.x["size"].isna().to_numpy()
    np.testing.assert_array_equal(levels[:, 2] == 1, gaps)
    np.testing.assert_array_equal(levels[:, 0] == 0, table.x["color"].isna())
    moved, _ = inputs(table.take(np.arange(5)))
    np.testing.assert_array_equal(moved, levels[:5])


def test_batches_shuffle_and_drop_the_last_rows():
    torch.manual_seed(0)
    rows = np.arange(70)[:, None]
    batches = Batches([rows, rows * 2], 32, "cpu")
    seen = [torch.cat(list(a for a, _ in batches)).ravel().tolist() for _ in range(2)]
    assert len(batches) == 2 and all(len(set(s)) == 64 for s in seen) and seen[0] != seen[1]
    assert all((b == 2 * a).all() for a, b in batches)
