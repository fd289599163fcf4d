"""tabular_model: fastai's tabular net, with settings that follow the number of rows."""

import contextlib
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...data import Table
from ...exceptions import UnknownName
from ..fastai_callbacks import (
    Callbacks,
    check_callbacks,
    in_temporary_folder,
    make_callbacks,
    need_validation,
)
from ..fastai_learner import import_fastai
from ..hyperparameters import check_range, check_whole
from ..inner_split import inner_split
from ..learning_rate import stop_at_rates
from ..model import FittedFunction, Model
from ..seeding import repeatable
from .nets import Inputs, NetPredictor, Targets, make_learner

PRELOAD = ("torch", "fastai.tabular.all")
NUM_EMBEDDINGS = ("plr", "none")
_PLR_SIZE = 8


@dataclass(frozen=True)
class NetSettings:
    """Settings of one training that may follow the number of rows, see `tabular_model`."""

    layers: list[int]
    lr: float
    bs: int
    wd: float
    dropout: float
    num_embeddings: str
    n_nets: int
    one_cycle: bool


COURSE = NetSettings(  # of the Titanic notebook; 0.01 is fastai's default weight decay
    layers=[200, 100],
    lr=0.03,
    bs=64,
    wd=0.01,
    dropout=0.0,
    num_embeddings="none",
    n_nets=1,
    one_cycle=False,
)


def settings_by_rows(n_rows: int, *, of_classes: bool) -> NetSettings:
    """Return settings for a number of rows, chosen by cross-validation on public tables.

    Classes are noisier targets than values, and need more dropout.
    Some 24 batches make an epoch; from 2,300 rows on, batches grow with the square root of the rows
    only, so that more rows also mean more steps.
    """
    bs = max(16, min(n_rows / 24, 2 * np.sqrt(n_rows)))
    width = 128 if n_rows < 1000 else 256 if n_rows < 20_000 else 512
    return NetSettings(
        layers=[width, width // 2],
        lr=0.005,
        bs=int(2 ** np.log2(bs).round()),
        wd=0.1,
        dropout=0.4 if of_classes else 0.1,
        num_embeddings="plr",
        n_nets=2,
        one_cycle=True,
    )


def tabular_model(
    layers: tuple[int, ...] | list[int] | None = None,  # widths of the hidden layers
    epochs: int = 16,
    lr: float | None = None,  # learning rate; the largest one of a cycle
    *,
    bs: int | None = None,  # rows in a batch
    wd: float | None = None,  # weight decay
    one_cycle: bool | None = None,  # fit_one_cycle, or fit with a constant rate
    seed: int = 42,
    dropout: float | None = None,  # after each hidden layer
    num_embeddings: str | None = None,  # plr: numbers as waves of learned frequencies | none
    n_nets: int | None = None,  # nets whose predictions are averaged
    cbs: Callbacks = (),  # fastai's callbacks: "EarlyStoppingCallback", or {NAME: arguments}
) -> Model:
    """Return fastai's TabularModel: embeddings of categories, normalised numbers, batch norm.

    Settings that you do not declare follow the number of rows; the notes of the fitted model have
    them. With `lr` declared they are those of the course's Titanic notebook instead: a constant
    rate, layers of 200 and 100, batches of 64, one net, no dropout, plain numbers.

    Missing numbers get the median and a column that marks the gap. Both are learned from the rows
    fitted on; a column may also be missing only in the rows to predict. Predicted values stay
    within the range of the targets fitted on. Callbacks that read the validation loss get a fifth
    of the rows fitted on, split by the competition's own rule, and never the fold's rows. Raises
    ConfigError, UnknownName, MissingExtra.
    """
    given = dict(
        layers=None if layers is None else list(layers),
        lr=lr,
        bs=bs,
        wd=wd,
        dropout=dropout,
        num_embeddings=num_embeddings,
        n_nets=n_nets,
        one_cycle=one_cycle,
    )
    declared: dict[str, Any] = {name: v for name, v in given.items() if v is not None}
    check_whole(1, epochs=epochs)
    _check(replace(COURSE, **declared))
    named = {"cbs": check_callbacks(cbs, "tabular")} if cbs else {}

    def fit(table: Table) -> FittedFunction:
        fastai = import_fastai("tabular")
        automatic = settings_by_rows(len(table), of_classes=bool(table.vocab))
        settings = replace(COURSE if lr is not None else automatic, **declared)
        inputs, targets = Inputs(table, ranks=settings.num_embeddings == "plr"), Targets(table)
        arrays = [*inputs(table), targets.array]
        callbacks = make_callbacks(cbs)
        held, rows = None, np.arange(len(table))
        if need_validation(callbacks):
            rows, held_rows = inner_split(table, seed=seed)
            held = [a[held_rows] for a in arrays]
        with repeatable(seed):
            recipe = TabularNet(settings, inputs.n_levels, arrays[1].shape[1], targets.n_out)
            net = recipe.build().to(fastai.default_device())
            predictor = NetPredictor(net, inputs, targets)
            learn = make_learner(
                fastai,
                predictor,
                [a[rows] for a in arrays],
                bs=settings.bs,
                n_epochs=epochs,
                held=held,
                cbs=callbacks,
                wd=settings.wd,
            )
            stop_at_rates(learn)
            fit_net = learn.fit_one_cycle if settings.one_cycle else learn.fit
            with in_temporary_folder(learn) if callbacks else contextlib.nullcontext():
                fit_net(epochs, settings.lr)
        net.eval()
        return FittedFunction(predictor, estimator=learn, notes=asdict(settings))

    about = {
        **(asdict(COURSE) if lr is not None else {}),
        **declared,
        **named,
        "epochs": epochs,
        "seed": seed,
    }
    return Model("tabular net", fit, about)


def _check(settings: NetSettings) -> None:
    """Check declared settings. Raises ConfigError, UnknownName."""
    for width in settings.layers:
        check_whole(1, width=width)
    check_whole(1, n_nets=settings.n_nets)
    check_whole(2, bs=settings.bs)  # batch norm needs two rows
    check_range(0, lr=settings.lr, wd=settings.wd)
    check_range(0, 0.95, dropout=settings.dropout)
    if settings.num_embeddings not in NUM_EMBEDDINGS:
        raise UnknownName("embedding of numbers", settings.num_embeddings, NUM_EMBEDDINGS)


@dataclass(frozen=True)
class TabularNet:
    """How the network is built."""

    settings: NetSettings
    n_levels: list[int]  # of each category
    n_numbers: int
    n_out: int

    PACKAGES: ClassVar = ("fastai",)

    def build(self) -> Any:
        """Return the network, or several as one, with random weights."""
        from .net_layers import SeveralNets  # imports torch

        nets = [self._one() for _ in range(self.settings.n_nets)]
        net = nets[0] if len(nets) == 1 else SeveralNets(nets)
        net.recipe = self
        return net

    def _one(self) -> Any:
        from .net_layers import PlrEmbeddings

        fastai, settings = import_fastai("tabular"), self.settings
        is_plr = settings.num_embeddings == "plr" and self.n_numbers > 0
        net = fastai.TabularModel(
            [(n, fastai.emb_sz_rule(n)) for n in self.n_levels],
            self.n_numbers * (_PLR_SIZE if is_plr else 1),
            self.n_out,
            settings.layers,
            ps=settings.dropout,
        )
        if is_plr:  # they take the place of the batch norm of numbers
            net.bn_cont = PlrEmbeddings(self.n_numbers, _PLR_SIZE)
        return net
