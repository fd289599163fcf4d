"""tabular_model: repeatable, silent, and able to learn what a linear model cannot."""

import dataclasses
import random
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.learner import Learner
from fastai.tabular.model import TabularModel

from fastkaggle_plus.data import Table, as_features
from fastkaggle_plus.exceptions import FastkaggleError
from fastkaggle_plus.modeling import progress, ridge_model, tabular_model
from fastkaggle_plus.modeling.tabular.model import COURSE, settings_by_rows
from fastkaggle_plus.modeling.tabular.net_layers import PlrEmbeddings
from fastkaggle_plus.modeling.tabular.nets import Batches, Inputs

from ..tables import blind, make_table

QUICK = tabular_model((20,), epochs=3, lr=0.03, bs=32)


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


def test_settings_follow_the_number_of_rows():
    few, some, many = (settings_by_rows(n, of_classes=True) for n in (300, 3000, 30_000))
    assert few.bs < some.bs < many.bs <= 2048
    assert few.layers[0] < many.layers[0]
    assert 300 / few.bs < 30_000 / many.bs  # more rows also mean more steps
    notes = tabular_model().fit(make_table(n=150)).notes
    assert notes == asdict(settings_by_rows(150, of_classes=True))
    assert settings_by_rows(150, of_classes=False).dropout < notes["dropout"]


def test_declared_settings_replace_the_automatic_ones():
    fitted = tabular_model((30,), epochs=2, dropout=0.1, n_nets=1).fit(make_table(n=150))
    wanted = replace(settings_by_rows(150, of_classes=True), layers=[30], dropout=0.1, n_nets=1)
    assert fitted.notes == asdict(wanted)
    assert fitted.estimator.model.layers[0][0].out_features == 30


def test_a_declared_learning_rate_means_the_net_of_the_course():
    table = make_table(n=150)
    model = tabular_model([10, 10], epochs=3, lr=0.03)
    assert model.about == {**asdict(COURSE), "layers": [10, 10], "epochs": 3, "seed": 42}
    plain = dict(bs=64, wd=0.01, one_cycle=False, dropout=0.0, num_embeddings="none", n_nets=1)
    explicit = tabular_model([10, 10], 3, 0.03, **plain).fit(table).predict(table)
    assert explicit.tobytes() == model.fit(table).predict(table).tobytes()


def noisy(n, seed):
    """Return a table whose classes only partly follow from twenty numbers."""
    rng = np.random.default_rng(seed)
    names = tuple(f"x{i}" for i in range(20))
    x = pd.DataFrame(rng.normal(size=(n, 20)), columns=names)
    chance = 1 / (1 + np.exp(-x["x0"] - np.abs(x["x1"]) + 1))
    targs = (rng.random(n) < chance).to_numpy().astype(int)
    return Table(as_features(x, x, (), names), targs, (), names, "binary", (0, 1))


def test_automatic_settings_overfit_less_than_the_course_on_noisy_classes():
    table, rows = noisy(500, 0), noisy(2000, 1)
    constant = -np.log(np.bincount(rows.targs) / len(rows)) @ np.bincount(rows.targs) / len(rows)

    def log_loss(model):
        preds = model.fit(table).predict(blind(rows))
        return -np.log(np.clip(preds[np.arange(len(rows)), rows.targs], 1e-7, None)).mean()

    automatic, course = log_loss(tabular_model()), log_loss(tabular_model(lr=0.03))
    assert automatic < constant - 0.02 and automatic < course - 0.1


def test_ranked_numbers_know_no_outlier_and_equal_values_share_their_rank():
    table = make_table(n=200)
    values = table.x["size"].to_numpy().copy()
    values[np.nanargmax(values)] = 1e9
    flag = (table.x["weight"] > 10).astype(float).to_numpy()
    inputs = [
        Inputs(rows, ranks=True)(rows)[1]
        for rows in (
            dataclasses.replace(table, x=table.x.assign(size=size)).with_columns(
                pd.DataFrame({"flag": flag})
            )
            for size in (table.x["size"], values)
        )
    ]
    np.testing.assert_array_equal(*inputs)
    assert np.abs(inputs[0]).max() < 3.5
    np.testing.assert_allclose(sorted(set(inputs[0][:, -1])), [-0.69, 0.67], atol=0.15)


def test_several_nets_are_averaged_and_differ():
    table = make_table(n=150)
    fitted = tabular_model((20,), epochs=2, n_nets=3).fit(table)
    levels, numbers = fitted.function.tensors(fitted.function.inputs(table))
    each = [net(levels, numbers) for net in fitted.estimator.model.eval().nets]
    wanted = torch.stack(each, 1).double().softmax(2).mean(1).detach().numpy()
    np.testing.assert_allclose(fitted.predict(table), wanted, atol=1e-6)
    assert np.abs((each[0] - each[1]).detach().numpy()).max() > 0.01


def test_values_stay_within_the_targets_fitted_on():
    table = make_table("regression", n=150)
    far = dataclasses.replace(table, x=table.x.assign(size=table.x["size"] * 100))
    preds = tabular_model((20,), epochs=5, lr=0.03).fit(table).predict(blind(far))
    assert table.targs.min() <= preds.min() and preds.max() <= table.targs.max()


def test_each_epoch_of_all_nets_is_reported_once():
    heard = []
    with progress.send_to(lambda share, position: heard.append(position)):
        tabular_model((20,), epochs=3, n_nets=2).fit(make_table(n=80))
    assert heard == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (dict(layers=[0]), "width = 0"),
        (dict(dropout=1.0), "dropout"),
        (dict(bs=1), "bs = 1"),
        (dict(num_embeddings="pl"), "plr"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_read(wrong, words):
    with pytest.raises(FastkaggleError, match=words):
        tabular_model(**wrong)


def test_embeddings_of_numbers_are_those_of_the_paper():
    """The same weights give the same embeddings as the package of the paper's authors."""
    from rtdl_num_embeddings import PeriodicEmbeddings

    theirs = PeriodicEmbeddings(3, 8, n_frequencies=16, frequency_init_scale=0.1, lite=False)
    ours = PlrEmbeddings(3, 8)
    ours.frequencies.data = theirs.periodic.weight.data
    ours.weight.data = theirs.linear.weight.data
    ours.bias.data = theirs.linear.bias.data[:, None]
    numbers = torch.randn(5, 3)
    torch.testing.assert_close(ours(numbers), theirs(numbers).flatten(1))
