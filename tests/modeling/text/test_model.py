"""text_model: it learns, its results repeat, and its errors are clear."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from fastkaggle_plus.data import Data
from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling import cross_validate, lr_find, text_model
from fastkaggle_plus.modeling.text import training
from fastkaggle_plus.modeling.text.encoding import Tokens
from fastkaggle_plus.modeling.text.training import default_epochs, predict_net

from .small import pairs, small_model

TASKS = ("binary", "multiclass", "regression", "values")
FAST = dict(lr=3e-3, bs=16)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return str(small_model(tmp_path_factory.mktemp("models") / "bert"))


def data_of(table, n_test=20):
    raw = pd.DataFrame(index=range(len(table)))
    return Data(
        table,
        dataclasses.replace(table.take(np.arange(n_test)), targs=None),
        np.arange(len(table)),
        np.arange(n_test),
        raw,
        raw,
        raw,
    )


@pytest.mark.parametrize("task", TASKS)
def test_it_learns_every_kind_of_target(bert, task):
    fit, rows = pairs(200, task), pairs(120, task, seed=1)
    preds = (
        text_model(bert, epochs=8, **FAST).fit(fit).predict(dataclasses.replace(rows, targs=None))
    )
    metric = get_metric("log_loss" if rows.vocab else "rmse")
    base = (
        np.bincount(fit.targs, minlength=len(rows.vocab)) / len(fit)
        if rows.vocab
        else fit.targs.mean(0)
    )
    constant = metric.score(rows.targs, np.tile(base, (len(rows), 1)))
    assert preds.shape == (120, rows.n_outputs) and metric.score(rows.targs, preds) < 0.7 * constant


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(bert):
    table = pairs(64)
    once, again, other = (
        text_model(bert, epochs=1, seed=seed, **FAST).fit(table).predict(table)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(once, again) and not np.array_equal(once, other)


def test_the_callers_random_state_does_not_change(bert):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    text_model(bert, epochs=1, **FAST).fit(pairs(32))
    assert torch.equal(before, torch.get_rng_state())


def test_predictions_do_not_depend_on_other_rows(bert):
    table = pairs(80)
    fitted = text_model(bert, epochs=1, precision="fp32", **FAST).fit(table)
    together = fitted.predict(table)
    order = np.random.default_rng(0).permutation(80)
    np.testing.assert_allclose(fitted.predict(table.take(order)), together[order], atol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([fitted.predict(table.take(np.array([i]))) for i in range(5)]),
        together[:5],
        atol=1e-5,
    )
    assert fitted.predict(table.take(np.arange(0))).shape == (0, 1)


def test_values_stay_within_the_training_range(bert):
    table = pairs(64)
    wild = text_model(bert, epochs=1, lr=0.5, bs=8).fit(table).predict(pairs(64, seed=3))
    assert wild.min() >= table.targs.min() and wild.max() <= table.targs.max()


def test_accumulated_batches_take_the_same_step(bert):
    table = pairs(64)
    one_step = [
        text_model(bert, epochs=1, bs=64, accum=accum, precision="fp32", lr=1e-3)
        .fit(table)
        .predict(table)
        for accum in (1, 4)
    ]
    np.testing.assert_allclose(
        *one_step, atol=1e-4
    )  # all rows are in one step, in one batch or in four


def test_checkpointing_does_not_change_predictions(bert):
    table = pairs(32)
    np.testing.assert_allclose(
        *(
            text_model(bert, epochs=1, checkpointing=c, precision="fp32", **FAST)
            .fit(table)
            .predict(table)
            for c in (False, True)
        ),
        atol=1e-4,
    )


def test_out_of_memory_starts_again_with_half_the_batch(bert, monkeypatch):
    real, sizes = training.on_device, []

    def full(tokens, batches, device):
        sizes.append(max(map(len, batches)))
        if sizes[-1] > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        yield from real(tokens, batches, device)

    monkeypatch.setattr(training, "on_device", full)
    fitted = text_model(bert, epochs=1, bs=16).fit(pairs(64))
    assert sizes[0] == 16 and max(sizes[1:]) == 8
    assert "batches of 16" in fitted.notes["out_of_memory"]


@pytest.mark.parametrize(("rounding", "distinct"), [("off", None), ("on", 3)])
def test_rounding_uses_the_levels_of_the_scale(bert, rounding, distinct):
    table = pairs(96)
    preds = cross_validate(
        text_model(bert, epochs=3, rounding=rounding, **FAST),
        data_of(table),
        make_folds(table.targs, n_folds=2),
        metric="pearson",
    )
    values = set(np.unique(preds.oof))
    assert values <= {0.0, 0.5, 1.0} if distinct else len(values) > 50


def test_auto_rounding_uses_a_paired_test(bert):
    table = pairs(96)
    preds = cross_validate(
        text_model(bert, epochs=1, rounding="auto", **FAST),
        data_of(table),
        make_folds(table.targs, n_folds=2),
        metric="pearson",
    )
    facts = preds.about["rounding_test"]
    assert facts["chosen"] == (
        "rounded" if facts["gain"] > 0 and facts["p_value"] < 0.05 else "plain"
    )
    assert (len(np.unique(preds.oof)) <= 3) == (facts["chosen"] == "rounded")


def test_notes_describe_the_texts(bert):
    fitted = text_model(bert, epochs=1, max_len=6, style="{anchor}[SEP]{target}", **FAST).fit(
        pairs(64)
    )
    assert (
        fitted.notes["rows_cut"] > 0
        and 4 <= fitted.notes["tokens_mean"] <= 6
        and fitted.notes["weights_from"] == "folder bert"
    )


def test_new_tokens_are_learned(bert):
    table = pairs(32)
    table = dataclasses.replace(table, texts=table.texts.assign(section="A"))
    model = text_model(
        bert,
        epochs=1,
        style="[{section}] {anchor}[SEP]{target}",
        special_tokens=["[A]", "[B]"],
        **FAST,
    )
    fitted = model.fit(table)
    known = len(fitted.encoder.tokenizer)
    assert fitted.estimator.body.get_input_embeddings().num_embeddings == known
    tokens = fitted.encoder(table.texts)
    assert (tokens.flat == known - 2).sum() == 32 and predict_net(
        fitted.estimator, tokens, bs=8
    ).shape == (32, 1)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (dict(loss="huber"), UnknownName, "mse"),
        (dict(pool="max"), UnknownName, "mean"),
        (dict(rounding="yes"), UnknownName, "auto"),
        (dict(epochs=0), ConfigError, "epochs = 0"),
        (dict(bs=2, accum=4), ConfigError, "accum = 4"),
        (dict(llrd=1.5), ConfigError, "llrd = 1.5"),
        (dict(lr=float("nan")), ConfigError, "lr = nan"),
        (dict(precision="int8"), UnknownName, "bf16"),
        (dict(max_len=0), ConfigError, "max_len = 0"),
    ],
)
def test_invalid_arguments_are_refused_before_reading_data(bert, params, error, message):
    with pytest.raises(error, match=message):
        text_model(bert, **params)


def test_a_table_without_texts_is_refused(bert):
    with pytest.raises(DataError, match=r"no texts.*kind = .text."):
        text_model(bert, epochs=1).fit(dataclasses.replace(pairs(16), texts=None))


@pytest.mark.parametrize("n", (1, 2, 3))
def test_very_few_rows(bert, n):
    table = pairs(n)
    for loss in ("mse", "pearson", "bce"):
        assert np.isfinite(text_model(bert, epochs=1, loss=loss).fit(table).predict(table)).all()


def test_impossible_rounding_is_refused_before_training(bert, monkeypatch):
    monkeypatch.setattr(
        "fastkaggle_plus.modeling.text.training.train_net", lambda *_: pytest.fail("it trained")
    )
    for table in (pairs(16, "binary"), pairs(16, "values")):
        for rounding in ("on", "auto"):
            with pytest.raises(ConfigError, match="rounding is for one target"):
                text_model(bert, rounding=rounding).fit(table)


def test_special_tokens_must_be_a_list(bert):
    with pytest.raises(ConfigError, match=r"each of its letters.*\['\[A\]'\]"):
        text_model(bert, special_tokens="[A]")


def test_a_folders_name_does_not_depend_on_how_its_path_is_written(bert, monkeypatch):
    monkeypatch.chdir(bert)
    assert {text_model(arch).name for arch in (bert, f"{bert}/", "../bert/", ".", "./")} == {"bert"}


def test_verbose_shows_each_epoch(bert, capsys):
    table = pairs(64, "binary")
    folds = make_folds(table.targs, n_folds=2)
    model = text_model(bert, epochs=1, **FAST)
    cross_validate(model, data_of(table), folds, metric="accuracy", verbose=True)
    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert [line[:2] for line in lines if line[-1] == "s"] == [["1/2", "1/1"], ["2/2", "1/1"]]
    assert ["fold", "epoch", "train", "loss", "valid", "loss", "accuracy", "time"] in lines


@pytest.mark.parametrize(
    ("n_rows", "length", "cpu", "gpu"),
    [
        (64, 14, 75, 75),  # 300 steps of 16 rows, whatever the rows
        (1_000, 14, 5, 5),
        (2_500, 14, 2, 2),  # more steps than 300
        (40_000, 14, 1, 2),  # minutes on a CPU
        (4_000, 60, 1, 2),
    ],
)
def test_default_epochs_make_some_300_steps_and_a_cpu_has_a_limit(n_rows, length, cpu, gpu):
    starts = np.arange(n_rows + 1) * length
    tokens = Tokens(np.zeros(n_rows * length, int), np.zeros(1, int), starts, 0, ())
    for has_gpu, expected in ((False, cpu), (True, gpu)):
        found = default_epochs(tokens, 16, n_weights=10_600_000, has_gpu=has_gpu)
        assert found == expected, has_gpu


@pytest.mark.parametrize("loss", ["mse", "bce", "pearson"])
def test_the_curve_of_texts_ends_with_the_loss_of_the_fold(bert, loss):
    data = data_of(pairs(80, "regression"))
    folds = make_folds(data.targs, n_folds=2)
    model = text_model(bert, epochs=2, loss=loss, precision="fp32", **FAST)
    preds = cross_validate(model, data, folds, look_for_groups=False)
    for k, (fit_rows, rows) in enumerate(folds.splits()):
        curve, y = preds.about["curves"][k], data.targs[fit_rows]
        assert curve["epochs"] == [1, 2]
        scaled, p = ((v - y.min()) / np.ptp(y) for v in (data.targs[rows], preds.oof[rows, 0]))
        expected = ((scaled - p) ** 2).mean()
        if loss == "pearson":
            expected += 1 - np.corrcoef(scaled, p)[0, 1]
        if loss == "bce":
            expected = -(scaled * np.log(p) + (1 - scaled) * np.log(1 - p)).mean()
        assert curve["valid_loss"][-1] == pytest.approx(expected, rel=1e-3)
        fit, valid = data.fold(fit_rows, rows)
        alone = model.fit(fit).predict(valid)  # the embeddings of other tokens are trimmed
        np.testing.assert_allclose(alone, preds.oof[rows], atol=1e-6)


def test_lr_find_suggests_a_rate_for_texts(bert):
    table = pairs(60)
    model = text_model(bert, epochs=1, llrd=0.5, precision="fp32", **FAST)
    rates = lr_find(model, table, num_it=30, start_lr=1e-5)
    assert 1e-5 < rates.valley < 10 and 1e-5 < rates.slide < 10
    assert rates.losses.min() < rates.losses[0] and np.all(np.diff(rates.lrs) > 0)
    other = text_model(bert, epochs=1, llrd=0.5, precision="fp32", lr=0.3, bs=16)
    assert lr_find(other, table, num_it=30, start_lr=1e-5).valley == rates.valley


def test_training_is_by_steps_unless_epochs_are_declared(bert):
    fitted = text_model(bert, lr=3e-3).fit(pairs(100))
    assert fitted.notes["epochs"] == 43 and fitted.notes["steps"] == 301
    declared = text_model(bert, epochs=2).fit(pairs(100))
    assert declared.notes["epochs"] == 2 and declared.notes["steps"] == 8
    assert text_model(bert).about["bs"] == 16 and text_model(bert, epochs=2).about["bs"] == 32
