"""fastai's tabular net, quiet and repeatable."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from ..data import Table
from ..exceptions import MissingExtra
from .model import Array, Coding, FittedFunction, Model

TARGET = "__target__"


def tabular_model(
    layers: tuple[int, ...] | list[int] = (200, 100),   # widths of the hidden layers
    epochs: int = 16,
    lr: float = 0.03,
    *,
    bs: int = 64,             # rows in a batch
    wd: float | None = None,  # weight decay
    one_cycle: bool = False,  # fit_one_cycle instead of fit, as the course's Titanic notebook has it
    seed: int = 42,
) -> Model:
    """Return a fastai tabular learner: embeddings of the categories, normalised numbers, batch norm.

    Missing numbers get the median and a column that says so, learned from the rows it is fitted on; a column may be missing in the
    rows to predict only. Raises MissingExtra.
    """

    def fit(table: Table) -> FittedFunction:
        tabular = _fastai()
        frames = _Frames(table)
        targs = np.asarray(table.targs)
        center, spread = (0.0, 1.0) if table.vocab else (targs.mean(0), targs.std(0) + 1e-9)
        names = [TARGET] if targs.ndim == 1 else [f"{TARGET}{i}" for i in range(targs.shape[1])]
        with seeded(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = frames(table).assign(**dict(zip(names, ((targs - center) / spread).reshape(len(targs), -1).T, strict=True)))
            block = tabular.CategoryBlock(vocab=list(range(len(table.vocab)))) if table.vocab else tabular.RegressionBlock(n_out=len(names))
            frame = frame.astype({TARGET: int}) if table.vocab else frame
            size = min(bs, len(frame))
            dls = tabular.TabularPandas(frame, procs=[tabular.Categorify, tabular.Normalize], cat_names=frames.cat, cont_names=frames.cont, y_names=names, y_block=block,
                                        splits=(list(range(len(frame))), [])).dataloaders(bs=size, num_workers=0, device="cpu" if not _has_gpu() else None)
            learn = tabular.tabular_learner(dls, layers=list(layers), wd=wd)
            learn.dls = _in_memory(dls, size)
            for quiet in ("ProgressCallback", "Recorder"):   # nobody watches, and on small data they cost more than the batches
                learn.remove_cbs([cb for cb in learn.cbs if type(cb).__name__ == quiet])
            learn.validate = lambda *_, **__: None
            learn._do_epoch_validate = lambda *_, **__: None   # there are no validation rows here: the folds do that
            learn.fit_one_cycle(epochs, lr) if one_cycle else learn.fit(epochs, lr)
        return FittedFunction(lambda rows: _predict(learn, dls, frames(rows), table, center, spread), estimator=learn)

    return Model("tabular net", fit, dict(layers=list(layers), epochs=epochs, lr=lr, bs=bs, seed=seed))


class _Batches:
    "Shuffled batches of ready tensors: fastai's own loader cuts each batch out of a data frame, which takes longer than training on it."

    def __init__(self, tensors: tuple[Any, ...], bs: int):
        self.tensors, self.bs = tensors, bs

    def __len__(self) -> int:
        return len(self.tensors[0]) // self.bs   # the last, smaller batch is left out, as fastai does

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import torch

        order = torch.randperm(len(self.tensors[0]), device=self.tensors[0].device)
        for i in range(len(self)):
            rows = order[i * self.bs:(i + 1) * self.bs]
            yield tuple(t[rows] for t in self.tensors)


def _in_memory(dls: Any, bs: int) -> Any:
    "Return what a Learner needs of its DataLoaders, the rows as tensors."
    whole = dls.train_ds
    batches = _Batches(_tensors(whole, dls.device, with_targets=True), bs)
    return SimpleNamespace(train=batches, valid=batches, device=dls.device, n_inp=2)


def _tensors(rows: Any, device: Any, *, with_targets: bool = False) -> tuple[Any, ...]:
    import torch

    cats = torch.tensor(rows.cats.values.astype(np.int64), device=device)
    conts = torch.tensor(rows.conts.values.astype(np.float32), device=device)
    if not with_targets:
        return cats, conts
    ys = rows.ys.values
    ys = torch.tensor(ys[:, 0].astype(np.int64) if np.issubdtype(ys.dtype, np.integer) else ys.astype(np.float32), device=device)
    return cats, conts, ys


class _Frames:
    "Tables as frames for TabularPandas: categories as words, numbers filled, gaps as categories of their own."

    def __init__(self, table: Table):
        self.coding = Coding(table)
        self.cat = [*(f"c{i}" for i in range(len(table.cat_names))), *(f"gap{i}" for i in range(len(self.coding.gappy)))]
        self.cont = [f"n{i}" for i in range(len(table.cont_names))]

    def __call__(self, table: Table) -> pd.DataFrame:
        coded = self.coding(table)
        n_cat, n_cont = len(table.cat_names), len(table.cont_names)
        numbers = coded[:, n_cat:n_cat + n_cont].astype(np.float32)
        words = np.hstack([coded[:, :n_cat], coded[:, n_cat + n_cont:]]).astype(int).astype(str)
        return pd.concat([pd.DataFrame(words, columns=self.cat), pd.DataFrame(numbers, columns=self.cont)], axis=1)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    "Seed python, numpy and torch for the block, and put their states back after it."
    import torch

    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def _predict(learn: Any, dls: Any, frame: pd.DataFrame, table: Table, center: Any, spread: Any) -> Array:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dl = dls.test_dl(frame)
    learn.model.eval()
    with torch.no_grad():
        out = learn.model(*_tensors(dl.dataset, next(learn.model.parameters()).device))
        out = (out.softmax(1) if table.vocab else out).float().cpu().numpy().astype(float)
    return np.asarray(out if table.vocab else out * spread + center)


def _fastai() -> Any:
    "Import fastai without the deprecation notices of its own imports."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import fastai.tabular.all as tabular
    except ImportError as e:
        raise MissingExtra(e.name or "fastai", "tabular") from e
    return tabular


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
