"""What the nets of tables share: inputs, targets, batches, the loss of several nets, training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Table
from .. import epochs
from ..fastai_learner import ShuffledBatches, quiet_learner
from ..model import Array, FittedFunction, class_columns
from .encoders import OrdinalEncoder


class Inputs:
    """The nets' inputs: levels (0: missing), gaps as categories, numbers filled and normalised.

    With `ranks` numbers become the normal scores of their ranks, so that no outlier is far away.
    Source: Gorishniy et al., Revisiting deep learning models for tabular data (2021).
    """

    def __init__(self, table: Table, *, ranks: bool = False):
        self.encoder = OrdinalEncoder(table)
        numbers = self.encoder.numbers(table)
        n_levels = [len(table.x[c].cat.categories) + 1 for c in table.cat_names]
        self.n_levels = [*n_levels, *(2 for _ in self.encoder.with_gaps)]
        self.mean, self.std = numbers.mean(0), numbers.std(0) + 1e-7
        self.scores = [_normal_scores(column) for column in numbers.T] if ranks else []

    def __call__(self, table: Table) -> tuple[Array, Array]:
        """Return (n, n_categories) integers and (n, n_numbers) floats."""
        levels = np.hstack([self.encoder.codes(table) + 1, self.encoder.gaps(table)])
        numbers = self.encoder.numbers(table)
        if self.scores:
            columns = zip(numbers.T, self.scores, strict=True)
            numbers = np.column_stack([np.interp(column, *known) for column, known in columns])
        else:
            numbers = (numbers - self.mean) / self.std
        return levels.astype(np.int64), numbers.astype(np.float32)


def _normal_scores(column: Array) -> tuple[Array, Array]:
    """Return the different values, and for each the quantile of a normal law at its mean rank."""
    from scipy.stats import norm

    values, counts = np.unique(column, return_counts=True)
    return values, norm.ppf((counts.cumsum() - counts / 2) / len(column))


class Targets:
    """The targets as a net learns them: classes without gaps, or values scaled to deviation 1."""

    NOT_KEPT = ("array",)  # see `final.object_graph`

    def __init__(self, table: Table):
        targs = np.asarray(table.targs)
        self.low, self.high = targs.min(0), targs.max(0)
        self.classes = np.unique(targs) if table.vocab else None
        self.center, self.spread = targs.mean(0), targs.std(0) + 1e-9
        if self.classes is None:
            scaled = (targs - self.center) / self.spread
            self.array = scaled.reshape(len(targs), -1).astype(np.float32)
            self.n_out = self.array.shape[1]
        else:
            self.array, self.n_out = np.searchsorted(self.classes, targs), len(self.classes)

    def loss(self, out: Any, targs: Any) -> Any:
        """Return the mean loss of one or several nets' outputs, (n, n_out) or (n, n_nets, n_out).

        That is cross-entropy, or the squared error.
        """
        from torch.nn import functional

        out = out.reshape(len(targs), -1, self.n_out)
        if self.classes is None:
            return functional.mse_loss(out, targs[:, None].expand_as(out))
        repeated = targs.repeat_interleave(out.shape[1])
        return functional.cross_entropy(out.flatten(0, 1), repeated)

    def mean_loss(self, out: Any, targs: Any) -> float:
        """Return the loss of the mean prediction of the nets."""
        from torch.nn import functional

        out = out.reshape(len(targs), -1, self.n_out)
        if self.classes is None:
            return float(functional.mse_loss(out.mean(1), targs))
        mean = out.log_softmax(2).logsumexp(1) - np.log(out.shape[1])
        return float(functional.nll_loss(mean, targs))

    def predictions(self, out: Any, table: Table) -> Array:
        """Return the mean prediction of the nets, (n, n_outputs).

        Values stay within the range of the targets fitted on.
        """
        out = out.double().reshape(len(out), -1, self.n_out)
        if self.classes is None:
            values = out.mean(1).cpu().numpy() * self.spread + self.center
            return np.clip(values, self.low, self.high)
        return class_columns(out.softmax(2).mean(1).cpu().numpy(), self.classes, table)


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
class NetPredictor:
    """A trained net: predicts tables."""

    net: Any  # takes (levels, numbers)
    inputs: Inputs
    targets: Targets

    def __call__(self, table: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        levels, numbers = self.tensors(self.inputs(table))
        return self.targets.predictions(self.outputs(levels, numbers), table)

    def tensors(self, arrays: Any) -> list[Any]:
        """Return arrays as tensors on the net's device."""
        import torch

        device = next(self.net.parameters()).device
        return [torch.from_numpy(a).to(device) for a in arrays]

    def outputs(self, levels: Any, numbers: Any) -> Any:
        """Return the net's outputs, as it is used for predictions."""
        import torch

        self.net.eval()
        with torch.no_grad():
            return self.net(levels, numbers)


def make_learner(
    fastai: Any,
    predictor: NetPredictor,
    arrays: list[Array],  # levels, numbers, targets
    *,
    bs: int,
    n_epochs: int,
    held: list[Array] | None = None,  # the same of rows to validate on, for `cbs`
    **settings: Any,  # more arguments of `quiet_learner`
) -> Any:
    """Return a quiet Learner of the predictor's net."""
    inputs: list[Any] = []  # of the validation rows, the same after each epoch

    def validated(table: Table) -> Array:
        inputs[:] = inputs or predictor.tensors(predictor.inputs(table))
        return predictor.targets.predictions(predictor.outputs(*inputs), table)

    return quiet_learner(
        fastai,
        Batches(arrays, bs, next(predictor.net.parameters()).device),
        predictor.net,
        predictor.targets.loss,
        n_epochs=n_epochs,
        fitted=lambda: FittedFunction(validated),
        valid=held and [tuple(predictor.tensors(held))],
        **settings,
    )


class BestEpoch:
    """Stops a training early, and restores the net of the epoch with the lowest validation loss."""

    def __init__(
        self,
        predictor: NetPredictor,
        arrays: list[Array],  # levels, numbers, targets of the rows to validate on
        *,
        patience: int,  # epochs without a lower loss after which the training stops
        n_epochs: int,  # at most
    ):
        *self.inputs, self.targs = predictor.tensors(arrays)
        self.predictor, self.patience, self.n_epochs = predictor, patience, n_epochs
        self.loss, self.epoch = np.inf, 0
        self.weights: dict[str, Any] = {}

    def after_epoch(self, callback: Any) -> None:
        """Validate the net; fastai's Learner calls this."""
        from fastai.callback.core import CancelFitException

        net, epoch = self.predictor.net, callback.learn.epoch + 1
        out = self.predictor.outputs(*self.inputs)
        loss = self.predictor.targets.mean_loss(out, self.targs)
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.weights = {name: v.clone() for name, v in net.state_dict().items()}
        elif epoch - self.epoch >= self.patience:
            why = f"no lower loss of the inner validation rows for {self.patience} epochs"
            epochs.report_stop(epoch, self.n_epochs, why, kept=self.epoch)
            raise CancelFitException

    def after_fit(self, _: Any) -> None:
        """Restore the best net; fastai's Learner calls this."""
        if self.weights:  # `lr_find` has no epochs
            self.predictor.net.load_state_dict(self.weights)
