"""fastai's tabular net, quiet and repeatable."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...data import Table
from .. import progress
from ..fastai_import import import_fastai
from ..model import Array, Coding, FittedFunction, Model, class_columns

PRELOAD = ("torch", "fastai.tabular.all")


def tabular_model(
    layers: tuple[int, ...] | list[int] = (200, 100),  # widths of the hidden layers
    epochs: int = 16,
    lr: float = 0.03,
    *,
    bs: int = 64,  # rows in a batch
    wd: float | None = None,  # weight decay
    one_cycle: bool = False,  # fit_one_cycle instead of fit, as the course's Titanic notebook has it
    seed: int = 42,
) -> Model:
    """Return a fastai learner of fastai's TabularModel: embeddings of the categories, normalised numbers, batch norm.

    Missing numbers get the median and a column that says so, learned from the rows it is fitted on; a column may be missing in the
    rows to predict only. Raises MissingExtra.
    """

    def fit(table: Table) -> FittedFunction:
        fastai = import_fastai("tabular")
        inputs, targs = Inputs(table), np.asarray(table.targs)
        classes = np.unique(targs) if table.vocab else None
        center, spread = (0.0, 1.0) if table.vocab else (targs.mean(0), targs.std(0) + 1e-9)
        scaled = ((targs - center) / spread).reshape(len(targs), -1).astype(np.float32)
        wanted = scaled if classes is None else np.searchsorted(classes, targs)
        with repeatable(seed):
            embeddings = [(n, fastai.emb_sz_rule(n)) for n in inputs.n_levels]
            n_out, device = (
                wanted.shape[1] if classes is None else len(classes),
                fastai.default_device(),
            )
            net = fastai.TabularModel(embeddings, len(inputs.mean), n_out, list(layers)).to(device)
            loss = fastai.MSELossFlat() if classes is None else fastai.CrossEntropyLossFlat()
            no_rows: list[Any] = []  # to validate on: the folds do that
            learn = fastai.Learner(
                fastai.DataLoaders(Batches([*inputs(table), wanted], bs, device), no_rows),
                net,
                loss,
                wd=wd,
            )
            learn.remove_cbs(
                [
                    cb
                    for cb in learn.cbs
                    if isinstance(cb, (fastai.ProgressCallback, fastai.Recorder))
                ]
            )  # who listens hears the epochs
            fit_net = learn.fit_one_cycle if one_cycle else learn.fit
            fit_net(epochs, lr, cbs=progress.epoch_callback())
        net.eval()

        def predict(rows: Table) -> Array:
            out = _forward(net, inputs(rows))
            return (
                out.numpy() * spread + center
                if classes is None
                else class_columns(out.softmax(1).numpy(), classes, rows)
            )

        return FittedFunction(predict, estimator=learn)

    return Model(
        "tabular net",
        fit,
        dict(
            layers=list(layers), epochs=epochs, lr=lr, bs=bs, wd=wd, one_cycle=one_cycle, seed=seed
        ),
    )


class Inputs:
    "Tables as the net takes them: level numbers (0: missing), gaps as categories of their own, and numbers filled and normalised."

    def __init__(self, table: Table):
        self.coding = Coding(table)
        self.n_levels = [
            *(len(table.x[c].cat.categories) + 1 for c in table.cat_names),
            *(2 for _ in self.coding.gappy),
        ]
        numbers = self.coding(table)[:, self._numbers]
        self.mean, self.std = numbers.mean(0), numbers.std(0) + 1e-7

    def __call__(self, table: Table) -> tuple[Array, Array]:
        "Return (n, n_categories) integers and (n, n_numbers) floats."
        coded = self.coding(table)
        n_cat = len(self.coding.cat)
        levels = np.hstack([coded[:, :n_cat] + 1, coded[:, self._numbers.stop :]])
        return levels.astype(np.int64), ((coded[:, self._numbers] - self.mean) / self.std).astype(
            np.float32
        )

    @property
    def _numbers(self) -> slice:
        return slice(len(self.coding.cat), len(self.coding.cat) + len(self.coding.cont))


class Batches:
    "A loader of shuffled batches, as fastai's Learner takes it; its own cuts each batch out of a data frame, which takes longer than training on it."

    def __init__(self, arrays: list[Array], bs: int, device: Any):
        import torch

        rows = np.resize(np.arange(len(arrays[0])), max(2, len(arrays[0])))  # batch norm needs two
        self.tensors = [torch.from_numpy(a[rows]).to(device) for a in arrays]
        self.n, self.bs = len(rows), min(bs, len(rows))

    def __len__(self) -> int:
        return self.n // self.bs  # the last, smaller batch is left out, as fastai does

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import torch

        order = torch.randperm(self.n)
        for i in range(len(self)):
            yield tuple(t[order[i * self.bs : (i + 1) * self.bs]] for t in self.tensors)


@contextlib.contextmanager
def repeatable(seed: int, *, threads: int | None = 1) -> Iterator[None]:
    "Seed python, numpy and torch for the block and compute on one thread, as sums on several differ in their last bits; then put all of it back."
    import torch

    states, before = (random.getstate(), np.random.get_state()), torch.get_num_threads()
    torch.set_num_threads(threads or before)  # None: on as many as there are
    with torch.random.fork_rng():
        random.seed(int(seed))  # it takes no number of numpy
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_num_threads(before)


def _forward(net: Any, inputs: tuple[Array, Array]) -> Any:
    import torch

    device = next(net.parameters()).device
    with torch.no_grad():
        return net(*(torch.from_numpy(a).to(device) for a in inputs)).double().cpu()
