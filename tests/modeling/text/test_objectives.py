"""Each loss has its usual meaning, and the best output decodes to the target."""

import dataclasses

import numpy as np
import pytest
import torch

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.modeling.text.objectives import LOSSES, Objective

from .small import pairs

LEVELS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


def of(targs, loss="auto"):
    return Objective(
        dataclasses.replace(pairs(len(targs)), targs=np.asarray(targs, dtype=float)), loss
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_the_best_output_decodes_to_the_target(loss):
    targs = np.tile(LEVELS, 20) * 4 - 3  # from -3 to 1
    objective = of(targs, loss)
    answer = torch.nn.Parameter(
        torch.rand(100, objective.n_out, generator=torch.Generator().manual_seed(0))
    )
    optimizer = torch.optim.Adam([answer], lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        objective.loss(answer, torch.from_numpy(objective.targs)).backward()
        optimizer.step()
    np.testing.assert_allclose(objective.decode(answer.detach().numpy())[:, 0], targs, atol=0.05)


@pytest.mark.parametrize("loss", LOSSES)
def test_it_begins_at_the_mean_and_stays_in_range(loss):
    targs = np.repeat([0.0, 0.25, 0.5, 1.0], [10, 40, 40, 10])
    objective = of(targs, loss)
    start = objective.decode(objective.bias[None])
    assert start.shape == (1, 1) and abs(start[0, 0] - targs.mean()) < 0.02
    wild = objective.decode(np.full((2, objective.n_out), 1.0) * np.array([[-1e9], [1e9]]))
    assert wild.min() >= 0 and wild.max() <= 1


def test_pearson_is_the_correlation_plus_the_squared_error():
    objective, rng = of(np.linspace(0, 1, 50), "pearson"), np.random.default_rng(0)
    answer = rng.normal(size=(50, 1)).astype(np.float32)
    r, squared = (
        np.corrcoef(answer[:, 0], objective.targs[:, 0])[0, 1],
        ((answer - objective.targs) ** 2).mean(),
    )
    assert float(
        objective.loss(torch.from_numpy(answer), torch.from_numpy(objective.targs))
    ) == pytest.approx(1 - r + squared, abs=1e-5)
    constant = torch.zeros(50, 1, requires_grad=True)
    loss = objective.loss(constant, torch.from_numpy(objective.targs))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(constant.grad).all(), (
        "constant outputs have no correlation and give finite gradients"
    )


def test_ordinal_predicts_for_each_level_whether_it_is_exceeded():
    objective = of([0.0, 0.5, 1.0, 0.25, 0.75], "ordinal")
    assert objective.targs.tolist() == [
        [0, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [1, 1, 1, 0],
    ]
    assert objective.decode(np.array([[9.0, 9.0, 0.0, -9.0]]))[0, 0] == pytest.approx(
        0.625, abs=1e-3
    )


@pytest.mark.parametrize(
    ("table", "loss", "error", "message"),
    [
        (pairs(30, "binary"), "bce", ConfigError, "cross-entropy"),
        (pairs(30, "values"), "ordinal", ConfigError, r"2 target\(s\)"),
    ],
)
def test_a_loss_for_the_wrong_target_is_refused(table, loss, error, message):
    with pytest.raises(error, match=message):
        Objective(table, loss)


def test_ordinal_needs_a_scale():
    with pytest.raises(ConfigError, match="30 different values"):
        of(np.random.default_rng(0).random(30), "ordinal")


def test_rounding_uses_the_nearest_level():
    assert of(LEVELS).rounded(np.array([[0.1], [0.4], [0.99]]))[:, 0].tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ConfigError, match="at most 20 different values"):
        of(np.random.default_rng(0).random(30)).rounded(np.zeros((1, 1)))


def test_several_targets_keep_their_own_ranges():
    table = pairs(40, "values")
    assert Objective(table).decode(np.array([[0.0, 0.0], [1.0, 1.0]])).tolist() == [
        table.targs.min(0).tolist(),
        table.targs.max(0).tolist(),
    ]


def test_a_narrow_range_is_decoded_exactly():
    table = pairs(20)
    narrow = dataclasses.replace(table, targs=table.targs * 1e-8 + 3e-7)
    objective = Objective(narrow, "mse")
    np.testing.assert_allclose(objective.decode(objective.targs)[:, 0], narrow.targs, rtol=1e-6)
