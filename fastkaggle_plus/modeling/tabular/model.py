"""tabular_model: fastai's tabular net, without printed output and repeatable by its seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Table
from ..fastai_learner import ShuffledBatches, import_fastai, quiet_learner
from ..model import Array, FittedFunction, Model, class_columns
from ..seeding import repeatable
from .encoders import OrdinalEncoder

PRELOAD = ("torch", "fastai.tabular.all")


def tabular_model(
    layers: tuple[int, ...] | list[int] = (200, 100),  # widths of the hidden layers
    epochs: int = 16,
    lr: float = 0.03,
    *,
    bs: int = 64,  # rows in a batch
    wd: float | None = None,  # weight decay
    one_cycle: bool = False,  # fit_one_cycle; default: fit, as the course's Titanic notebook
    seed: int = 42,
) -> Model:
    """Return fastai's TabularModel: embeddings of categories, normalised numbers, batch norm.

    Missing numbers get the median and a column that marks the gap. Both are learned from the rows
    fitted on; a column may also be missing only in the rows to predict. Raises MissingExtra.
    """

    def fit(table: Table) -> FittedFunction:
        fastai = import_fastai("tabular")
        inputs, targs = Inputs(table), np.asarray(table.targs)
        classes = np.unique(targs) if table.vocab else None
        center, spread = (0.0, 1.0) if table.vocab else (targs.mean(0), targs.std(0) + 1e-9)
        if classes is None:
            wanted = ((targs - center) / spread).reshape(len(targs), -1).astype(np.float32)
            n_out, loss = wanted.shape[1], fastai.MSELossFlat()
        else:
            wanted, n_out = np.searchsorted(classes, targs), len(classes)
            loss = fastai.CrossEntropyLossFlat()
        with repeatable(seed):
            embeddings = [(n, fastai.emb_sz_rule(n)) for n in inputs.n_levels]
            device = fastai.default_device()
            net = fastai.TabularModel(embeddings, len(inputs.mean), n_out, list(layers)).to(device)
            batches = Batches([*inputs(table), wanted], bs, device)
            predictor = _NetPredictor(net, inputs, classes, center, spread)
            learn = quiet_learner(
                fastai,
                batches,
                net,
                loss,
                n_epochs=epochs,
                fitted=lambda: FittedFunction(predictor),
                wd=wd,
            )
            fit_net = learn.fit_one_cycle if one_cycle else learn.fit
            fit_net(epochs, lr)
        net.eval()
        return FittedFunction(predictor, estimator=learn)

    about: dict[str, Any] = dict(
        layers=list(layers), epochs=epochs, lr=lr, bs=bs, wd=wd, one_cycle=one_cycle, seed=seed
    )
    return Model("tabular net", fit, about)


class Inputs:
    """The net's inputs: levels (0: missing), gaps as categories, numbers filled and normalised."""

    def __init__(self, table: Table):
        self.encoder = OrdinalEncoder(table)
        numbers = self.encoder.numbers(table)
        n_levels = [len(table.x[c].cat.categories) + 1 for c in table.cat_names]
        self.n_levels = [*n_levels, *(2 for _ in self.encoder.with_gaps)]
        self.mean, self.std = numbers.mean(0), numbers.std(0) + 1e-7

    def __call__(self, table: Table) -> tuple[Array, Array]:
        """Return (n, n_categories) integers and (n, n_numbers) floats."""
        levels = np.hstack([self.encoder.codes(table) + 1, self.encoder.gaps(table)])
        numbers = (self.encoder.numbers(table) - self.mean) / self.std
        return levels.astype(np.int64), numbers.astype(np.float32)


class Batches(ShuffledBatches):
    """A loader for fastai's Learner. Its own slices a data frame, slowly."""

    def __init__(self, arrays: list[Array], bs: int, device: Any):
        import torch

        super().__init__(len(arrays[0]), bs)
        self.tensors = [torch.from_numpy(a[self.rows]).to(device) for a in arrays]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for places in self.shuffled():
            yield tuple(t[places] for t in self.tensors)


@dataclass
class _NetPredictor:
    """A trained net: predicts tables."""

    net: Any
    inputs: Inputs
    classes: Array | None  # of the rows fitted on; None: values
    center: Any  # of the targets; predicted values are scaled back
    spread: Any

    def __call__(self, table: Table) -> Array:
        import torch

        device = next(self.net.parameters()).device
        with torch.no_grad():
            inputs = [torch.from_numpy(a).to(device) for a in self.inputs(table)]
            out = self.net(*inputs).double().cpu()
        if self.classes is None:
            return out.numpy() * self.spread + self.center
        return class_columns(out.softmax(1).numpy(), self.classes, table)
