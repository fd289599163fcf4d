"""Golden numbers of lesson 5: the linear model and the nets from scratch, on the real rows."""

import numpy as np
import pandas as pd
import pytest
import torch

from fastkaggle_plus.competition import builtin_folder
from fastkaggle_plus.modeling.tabular import scratch

COLUMNS = [
    "Age",
    "SibSp",
    "Parch",
    "LogFare",
    "Sex_male",
    "Sex_female",
    "Pclass_1",
    "Pclass_2",
    "Pclass_3",
    "Embarked_C",
    "Embarked_Q",
    "Embarked_S",
]


@pytest.fixture(scope="module")
def rows():
    """Return the notebook's training and validation rows: modes, dummies, columns scaled to 1."""
    df = pd.read_csv(builtin_folder() / "titanic" / "train.csv")
    df = df.fillna(df.mode().iloc[0])
    df["LogFare"] = np.log(df["Fare"] + 1)
    df = pd.get_dummies(
        df, columns=["Sex", "Pclass", "Embarked"], dtype=float
    )  # booleans, today's default, make an object array
    indeps = torch.tensor(df[COLUMNS].to_numpy(dtype=float), dtype=torch.float)
    indeps = indeps / indeps.max(dim=0).values
    deps = torch.tensor(df["Survived"].to_numpy(), dtype=torch.float)
    torch.manual_seed(42)  # fastai's RandomSplitter(seed=42)
    order = torch.randperm(len(df)).tolist()
    cut = int(0.2 * len(df))
    valid, train = order[:cut], order[cut:]
    assert (len(train), len(valid)) == (713, 178)
    return indeps[train], deps[train], indeps[valid], deps[valid], indeps, deps


def validated(rows, init, preds, **how):
    coeffs = scratch.train(init, preds, rows[0], rows[1], **how)
    return scratch.accuracy(preds, coeffs, rows[2], rows[3])


@pytest.mark.parametrize("times, expected", [(1, 0.5197), (3, 0.4945)])
def test_first_losses(rows, times, expected):
    """The loss at random coefficients is 0.5382, as in the notebook.

    The notebook's loss after "one step of lr 0.1" is 0.4945. It calls `backward` two more times
    before the step, so it adds up three gradients. One gradient gives 0.5197.
    """
    losses: list[float] = []
    scratch.train(
        scratch.init_linear,
        scratch.linear_preds,
        rows[4],
        rows[5],
        epochs=2,
        lr=0.1 * times,
        losses=losses,
    )
    assert losses == [pytest.approx(0.5382, abs=5e-5), pytest.approx(expected, abs=5e-5)]


def test_linear_losses(rows):
    losses: list[float] = []
    scratch.train(
        scratch.init_linear,
        scratch.linear_preds,
        rows[0],
        rows[1],
        epochs=18,
        lr=0.2,
        losses=losses,
    )
    assert round(losses[0], 3) == 0.536 and round(losses[-1], 3) == 0.289


@pytest.mark.parametrize(
    "init, preds, how, expected",
    [
        (scratch.init_linear, scratch.linear_preds, dict(epochs=18, lr=0.2), 0.7865),
        (scratch.init_linear, scratch.sigmoid_preds, dict(epochs=30, lr=100), 0.8258),
        (scratch.init_matrix, scratch.matrix_preds, dict(epochs=30, lr=100), 0.8258),
        (scratch.init_net, scratch.net_preds, dict(epochs=30, lr=20), 0.8258),
        (scratch.init_deep_net, scratch.deep_net_preds, dict(epochs=30, lr=4), 0.8258),
    ],
    ids=["linear", "sigmoid", "matrix", "net", "deep net"],
)
def test_validation_accuracy(rows, init, preds, how, expected):
    assert validated(rows, init, preds, **how) == pytest.approx(expected, abs=5e-5)
