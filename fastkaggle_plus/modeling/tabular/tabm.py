"""tabm_model: TabM, many nets in one that share most of their weights, stopped early."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...data import Table
from ...exceptions import needs_extra
from ..fastai_learner import import_fastai
from ..hyperparameters import check_range, check_whole
from ..inner_split import inner_split
from ..learning_rate import stop_at_rates
from ..model import FittedFunction, Model
from ..seeding import repeatable
from .nets import BestEpoch, Inputs, NetPredictor, Targets, make_learner

PRELOAD = ("torch", "fastai.tabular.all")
_FEWEST_ROWS = 50  # with fewer, too few are left to validate on
_EPOCHS_OF_FEW_ROWS = 10


def tabm_model(
    *,
    k: int = 16,  # members
    d_block: int = 128,  # width of the hidden layers
    n_blocks: int = 2,  # hidden layers
    d_embedding: int = 8,  # size of each number's embedding
    dropout: float = 0.1,
    epochs: int = 100,  # at most
    patience: int = 10,  # epochs without a lower loss after which the training stops
    lr: float = 0.002,  # learning rate
    wd: float = 3e-4,  # weight decay
    bs: int = 256,  # rows in a batch
    seed: int = 42,
) -> Model:
    """Return TabM: the mean prediction of k nets that share most of their weights.

    A fifth of the rows, split by the competition's own rule, decides when the training stops; the
    net of the best epoch is kept. A refit trains on all rows for the epochs that the folds chose.
    Source: Gorishniy et al., TabM (2025), with PLR embeddings and smaller layers. Raises
    ConfigError, MissingExtra.
    """
    check_whole(1, k=k, d_block=d_block, n_blocks=n_blocks, d_embedding=d_embedding)
    check_whole(1, epochs=epochs, patience=patience)
    check_whole(2, bs=bs)
    check_range(0, lr=lr, wd=wd)
    check_range(0, 0.9, dropout=dropout)
    sizes = dict(k=k, d_block=d_block, n_blocks=n_blocks, dropout=dropout)
    about = dict(d_embedding=d_embedding, epochs=epochs, patience=patience, lr=lr, wd=wd, bs=bs)

    def train(table: Table, n_epochs: int, *, stops_early: bool) -> FittedFunction:
        fastai = import_fastai("tabular")
        inputs, targets = Inputs(table, ranks=True), Targets(table)
        arrays, fit_rows = [*inputs(table), targets.array], np.arange(len(table))
        if stops_early:
            fit_rows, valid_rows = inner_split(table, seed=seed)
        with repeatable(seed):
            n_numbers = arrays[1].shape[1]
            net = TabM(inputs.n_levels, n_numbers, targets.n_out, d_embedding, sizes).build()
            predictor = NetPredictor(net.to(fastai.default_device()), inputs, targets)
            notes = {"epochs": n_epochs}
            learn = make_learner(
                fastai, predictor, [a[fit_rows] for a in arrays], bs=bs, n_epochs=n_epochs, wd=wd
            )
            if stops_early:
                held = [a[valid_rows] for a in arrays]
                best = BestEpoch(predictor, held, patience=patience, n_epochs=n_epochs)
                learn.add_cb(
                    fastai.Callback(after_epoch=best.after_epoch, after_fit=best.after_fit)
                )
            stop_at_rates(learn)
            learn.fit(n_epochs, lr)
        if stops_early:
            notes = {"epochs": best.epoch, "validated_on": len(valid_rows)}
        net.eval()
        return FittedFunction(predictor, estimator=learn, notes=notes)

    def fit(table: Table) -> FittedFunction:
        if len(table) < _FEWEST_ROWS:
            return train(table, min(epochs, _EPOCHS_OF_FEW_ROWS), stops_early=False)
        return train(table, epochs, stops_early=True)

    def refit(table: Table, notes: list[dict[str, Any]]) -> FittedFunction:
        n_epochs = round(float(np.mean([n["epochs"] for n in notes])))
        return train(table, max(1, n_epochs), stops_early=False)

    return Model("TabM", fit, {**sizes, **about, "seed": seed}, refit=refit)


@dataclass(frozen=True)
class TabM:
    """How the network is built."""

    n_levels: list[int]  # of each category
    n_numbers: int
    n_out: int
    size: int  # of each number's embedding
    sizes: dict[str, Any]

    PACKAGES: ClassVar = ("tabm", "rtdl_num_embeddings")

    def build(self) -> Any:
        """Return the network with random weights. Raises MissingExtra."""
        with needs_extra("nets"):
            from .net_layers import TabMNet  # imports torch

            net = TabMNet(self.n_levels, self.n_numbers, self.n_out, size=self.size, **self.sizes)
        net.recipe = self  # type: ignore[assignment]
        return net
