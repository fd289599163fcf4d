"""Lesson 5 from scratch: a linear model and two neural nets in plain torch.

    init -> calc_preds -> calc_loss -> gradients -> update_coeffs, repeated.

Source: fast.ai, Practical Deep Learning, "Linear model and neural net from scratch".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data import Table
from ...exceptions import DataError
from ..epochs import are_due, report
from ..learning_rate import stop_at_steps
from ..model import Array, FittedFunction, Model
from .encoders import OrdinalEncoder

PRELOAD = ("torch",)
SEED = 442  # the notebook's

Coeffs = list[Tensor]
Init = Callable[[int, torch.Generator], Coeffs]
CalcPreds = Callable[[Coeffs, Tensor], Tensor]
Columns = Sequence[str] | None  # features to use; None: all


def init_linear(n_coeff: int, rng: torch.Generator) -> Coeffs:
    """Return one coefficient per column, between -0.5 and 0.5."""
    return [torch.rand(n_coeff, generator=rng) - 0.5]


def init_matrix(n_coeff: int, rng: torch.Generator) -> Coeffs:
    """Return the coefficients as a matrix of one column, small and positive."""
    return [torch.rand(n_coeff, 1, generator=rng) * 0.1]


def init_net(n_coeff: int, rng: torch.Generator, n_hidden: int = 20) -> Coeffs:
    """Return a hidden layer, an output layer and a constant."""
    layer1 = (torch.rand(n_coeff, n_hidden, generator=rng) - 0.5) / n_hidden
    layer2 = torch.rand(n_hidden, 1, generator=rng) - 0.3
    const = torch.rand(1, generator=rng)[0]
    return [layer1, layer2, const]


def init_deep_net(
    n_coeff: int, rng: torch.Generator, hiddens: tuple[int, ...] = (10, 10)
) -> Coeffs:
    """Return all layers, then all constants."""
    sizes = [n_coeff, *hiddens, 1]
    layers = [(torch.rand(a, b, generator=rng) - 0.3) / b * 4 for a, b in pairwise(sizes)]
    consts = [(torch.rand(1, generator=rng)[0] - 0.5) * 0.1 for _ in layers]
    return [*layers, *consts]


def linear_preds(coeffs: Coeffs, indeps: Tensor) -> Tensor:
    """Multiply each column by its coefficient and add up."""
    return (indeps * coeffs[0]).sum(1)


def sigmoid_preds(coeffs: Coeffs, indeps: Tensor) -> Tensor:
    """Return the linear predictions, squashed between 0 and 1."""
    return torch.sigmoid(linear_preds(coeffs, indeps))


def matrix_preds(coeffs: Coeffs, indeps: Tensor) -> Tensor:
    """Return the sigmoid predictions, computed by a matrix product."""
    return torch.sigmoid(indeps @ coeffs[0]).squeeze(1)


def net_preds(coeffs: Coeffs, indeps: Tensor) -> Tensor:
    """Put the columns through one hidden layer."""
    layer1, layer2, const = coeffs
    return torch.sigmoid(F.relu(indeps @ layer1) @ layer2 + const).squeeze(1)


def deep_net_preds(coeffs: Coeffs, indeps: Tensor) -> Tensor:
    """Put the columns through all layers, a ReLU after each but the last."""
    n = len(coeffs) // 2
    res = indeps
    for i, (layer, const) in enumerate(zip(coeffs[:n], coeffs[n:], strict=True)):
        res = res @ layer + const
        if i < n - 1:
            res = F.relu(res)
    return torch.sigmoid(res).squeeze(1)


_CALC_PREDS: dict[str, CalcPreds] = {
    f.__name__: f for f in (linear_preds, sigmoid_preds, matrix_preds, net_preds, deep_net_preds)
}


def calc_loss(calc_preds: CalcPreds, coeffs: Coeffs, indeps: Tensor, deps: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return torch.abs(calc_preds(coeffs, indeps) - deps).mean()


def update_coeffs(coeffs: Coeffs, lr: float) -> None:
    """Take one step down the gradient."""
    for c in coeffs:
        if c.grad is not None:
            c.sub_(c.grad * lr)
            c.grad.zero_()


def train(
    init: Init,
    calc_preds: CalcPreds,
    indeps: Tensor,  # (n, n_coeff) numbers, each column at most 1
    deps: Tensor,  # (n,) 0 or 1
    *,
    epochs: int = 30,  # steps, all rows in each
    lr: float = 0.01,
    seed: int = SEED,
    losses: list[float] | None = None,  # filled with the loss before each step
    after_epoch: Callable[[int, float, Coeffs], None] | None = None,  # (from 1, loss, coefficients)
) -> Coeffs:
    """Return trained coefficients."""
    coeffs = [
        c.requires_grad_() for c in init(indeps.shape[1], torch.Generator().manual_seed(seed))
    ]

    def step(lr: float) -> float:
        loss = calc_loss(calc_preds, coeffs, indeps, deps)
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            update_coeffs(coeffs, lr)
        return loss.item()

    stop_at_steps(step)
    for epoch in range(1, epochs + 1):
        loss = step(lr)
        if losses is not None:
            losses.append(loss)
        if after_epoch:
            after_epoch(epoch, loss, [c.detach() for c in coeffs])
    return [c.detach() for c in coeffs]


def accuracy(calc_preds: CalcPreds, coeffs: Coeffs, indeps: Tensor, deps: Tensor) -> float:
    """Return the share of rows on the right side of 0.5."""
    return float((deps.bool() == (calc_preds(coeffs, indeps) > 0.5)).float().mean())


def linear_model(
    *, epochs: int = 18, lr: float = 0.2, seed: int = SEED, columns: Columns = None
) -> Model:
    """Return the linear model; its predictions are clipped to 0..1."""
    net = ("linear from scratch", init_linear, linear_preds)
    return _model(net, columns, epochs=epochs, lr=lr, seed=seed)


def sigmoid_model(
    *, epochs: int = 30, lr: float = 100.0, seed: int = SEED, columns: Columns = None
) -> Model:
    """Return the linear model with a sigmoid."""
    net = ("sigmoid from scratch", init_matrix, matrix_preds)
    return _model(net, columns, epochs=epochs, lr=lr, seed=seed)


def net_model(
    *, epochs: int = 30, lr: float = 20.0, seed: int = SEED, columns: Columns = None
) -> Model:
    """Return the net with one hidden layer of 20."""
    net = ("net from scratch", init_net, net_preds)
    return _model(net, columns, epochs=epochs, lr=lr, seed=seed)


def deep_net_model(
    *, epochs: int = 30, lr: float = 4.0, seed: int = SEED, columns: Columns = None
) -> Model:
    """Return the net with two hidden layers of 10."""
    net = ("deep net from scratch", init_deep_net, deep_net_preds)
    return _model(net, columns, epochs=epochs, lr=lr, seed=seed)


def _model(
    net: tuple[str, Init, CalcPreds], columns: Columns, *, epochs: int, lr: float, seed: int
) -> Model:
    name, init, calc_preds = net

    def fit(table: Table) -> FittedFunction:
        if len(table.vocab) != 2:
            raise DataError(
                f"{name} needs two classes, got {len(table.vocab) or 'values'}. Use tabular_model."
            )
        encode = ByMaximum(table, columns)
        deps = torch.tensor(table.targs, dtype=torch.float)

        def fitted(coeffs: Coeffs) -> FittedFunction:
            return FittedFunction(ScratchNet(calc_preds.__name__, coeffs, encode), estimator=coeffs)

        def after_epoch(epoch: int, loss: float, coeffs: Coeffs) -> None:
            if are_due(epoch, epochs):
                report(epoch, epochs, [loss], fitted(coeffs), loss=_mean_absolute_error)

        options: dict[str, Any] = dict(epochs=epochs, lr=lr, seed=seed, after_epoch=after_epoch)
        return fitted(train(init, calc_preds, encode(table), deps, **options))

    return Model(name, fit, dict(epochs=epochs, lr=lr, seed=seed))


def _mean_absolute_error(preds: Array, targs: Array) -> float:
    return float(np.abs(preds[:, 1] - targs).mean())


@dataclass
class ScratchNet:
    """Trained coefficients: predicts tables."""

    calc_preds: str  # the name of a function of this file
    coeffs: Coeffs
    encode: "ByMaximum"

    def __call__(self, rows: Table) -> Array:
        """Return (n, 2) probabilities."""
        calc_preds = _CALC_PREDS[self.calc_preds]
        yes = calc_preds(self.coeffs, self.encode(rows)).clamp(0, 1).numpy().astype(float)
        return np.column_stack([1 - yes, yes])


class ByMaximum:
    """The notebook's inputs: a column per level, numbers divided by their maximum."""

    def __init__(self, table: Table, columns: Columns = None):
        self.encoder = OrdinalEncoder(table if columns is None else table.only(columns))
        self.largest = np.abs(self.encoder.numbers_and_gaps(table)).max(0, initial=0.0)
        self.largest[self.largest == 0] = 1.0

    def __call__(self, table: Table) -> Tensor:
        """Return (n, n_columns) floats, at most 1 on the rows fitted on."""
        columns = [table.x[c].cat for c in self.encoder.cat_names]
        levels: list[Any] = [np.eye(len(c.categories) + 1)[c.codes][:, :-1] for c in columns]
        numbers = self.encoder.numbers_and_gaps(table) / self.largest
        return torch.tensor(np.hstack([numbers, *levels]), dtype=torch.float)
