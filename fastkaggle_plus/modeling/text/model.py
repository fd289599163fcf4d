"""A pretrained language model, fine-tuned on texts that a template writes from a row's columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from ...data import Table
from ...evidence import compare
from ...exceptions import ConfigError, UnknownName, needs_extra
from ...predictions import Predictions
from .. import epochs as epochs_of_net
from ..hyperparameters import PRECISIONS, check_range, check_whole
from ..model import Array, Model
from ..seeding import repeatable
from .encoding import Encoder
from .loading import load_tokenizer
from .objectives import LOSSES, Objective
from .weights import default_arch, fetch_weights, last_name

PRELOAD = ("torch", "transformers", "transformers.modeling_utils")
ATTACH = ("arch",)
_BS, _BS_DECLARED = 16, 32  # small batches make more steps of few rows
_MAX_LEN, _MAX_LEN_CPU = 128, 64  # tokens
_CHOICES = {
    "loss": LOSSES,
    "pool": ("mean", "cls", "own"),
    "rounding": ("off", "on", "auto"),
    "precision": PRECISIONS,
}


def text_model(
    arch: str = "",  # name on the hub, or a model's folder; "" = default_arch()
    style: str = "",  # template, as "TEXT1: {context}; ANC1: {anchor}"; "" = all, [SEP] between
    epochs: int | None = None,  # None: as many as 300 steps need, 2 or more
    *,
    lr: float = 8e-5,  # largest learning rate, of the head and the last layer
    bs: int | None = None,  # rows per optimizer step; None: 16, or 32 with declared epochs
    max_len: int | None = None,  # tokens per row, longer ones are cut; None: 128
    loss: str = "auto",  # of values: mse (auto) | bce | pearson | ordinal; classes: cross-entropy
    pool: str = "mean",  # mean of all tokens | cls: the first token | own: the model's own head
    llrd: float = 1.0,  # layer-wise decay of the rate: 0.9 = each layer 0.9 times the one above
    freeze: int = 0,  # lowest layers that stay as they are: 1 = embeddings, 2 = and the first layer
    accum: int = 1,  # batches per step: memory for bs // accum rows is enough
    checkpointing: bool = False,  # compute layers twice: less memory, more time
    wd: float = 0.01,  # weight decay
    warmup: float = 0.1,  # share of the steps in which the rate rises
    dropout: float = 0.0,  # of the pretrained model; 0 is common for values
    rounding: str = "off",  # to the target's levels: off | on | auto: if a test favours it
    lower: bool = False,  # write everything in lower case
    special_tokens: Sequence[str] = (),  # words of the style that become single tokens
    precision: str = "auto",  # auto | fp32 | bf16 | fp16
    seed: int = 42,
) -> Model:
    """Return a fine-tuned language model: probabilities, or values within the training range.

    Without declared epochs, the training has 300 steps or more, whatever the number of rows. Then
    a CPU reads 64 tokens per row, and trains fewer epochs if a fit would take more than about a
    minute, so that five folds take less than five (see `notes`).

    Batches contain rows of similar length. If memory runs out, it trains again with half the
    batch, accumulated to the same step. Raises UnknownName, ConfigError for invalid numbers,
    WeightsMissing with the way to attach the model, MissingExtra, and DataError for a table without
    texts. Source: fast.ai lesson 4, Getting started with NLP; Iterate like a grandmaster.
    """
    about = {**locals(), "special_tokens": list(special_tokens)}  # all parameters
    for name, known in _CHOICES.items():
        if about[name] not in known:
            raise UnknownName(name, about[name], known)
    if bs is None:
        bs = about["bs"] = _BS if epochs is None else _BS_DECLARED
    given = {"epochs": epochs, "bs": bs, "accum": accum, "max_len": max_len}
    check_whole(1, **{name: value for name, value in given.items() if value is not None})
    check_whole(0, seed=seed, freeze=freeze)
    check_range(0, lr=lr, wd=wd)
    check_range(0, 1, warmup=warmup)
    check_range(0, 0.9, dropout=dropout)
    check_range(0.1, 1, llrd=llrd)
    if isinstance(special_tokens, str):
        raise ConfigError(
            f"special_tokens = {special_tokens!r} would make a token of each of its letters. Give "
            f"a list: [{special_tokens!r}]."
        )
    if accum > bs:
        raise ConfigError(
            f"accum = {accum} is more batches than bs = {bs} rows. Give accum = {bs} at most."
        )
    weights = fetch_weights(arch or default_arch())  # before any row is read
    folder = weights.folder
    assert folder is not None  # fetched

    def fit(table: Table) -> FittedText:
        with needs_extra("text"):
            from .network import make_net, max_positions
            from .training import TextTrainingSettings, best_device, train_net

        device = best_device()
        names = [setting.name for setting in fields(TextTrainingSettings)]
        settings = TextTrainingSettings(**{name: about[name] for name in names})
        objective = Objective(table, loss)
        if rounding != "off":
            objective.check_rounding()  # before a long training
        is_slow = device.type == "cpu" and epochs is None
        longest = max_len or (_MAX_LEN_CPU if is_slow else _MAX_LEN)
        limit = min(longest, max_positions(folder) or longest)
        encoder = Encoder(
            load_tokenizer(folder), style, max_len=limit, lower=lower, special_tokens=special_tokens
        )
        tokens = encoder(table.texts)
        make = partial(
            make_net,
            folder,
            objective.n_out,
            bias=objective.bias,
            pool=pool,
            dropout=dropout,
            n_tokens=len(encoder.tokenizer),
            pad=tokens.pad,
            checkpointing=checkpointing,
            device=device,
        )
        fitted = partial(
            FittedText,
            encoder=encoder,
            objective=objective,
            bs=4 * max(1, bs // accum),
            precision=precision,
            rounding=rounding,
        )
        held = epochs_of_net.validation_rows()
        validated = encoder(held.texts) if held else None
        with repeatable(seed, threads=None):
            net, notes = train_net(
                make, tokens, objective, settings, fitted=fitted, validated=validated
            )
        notes["weights_from"] = weights.origin
        notes["tokens_mean"] = round(float(tokens.lengths.mean()), 1)
        notes["rows_cut"] = len(tokens.cut)
        return fitted(net, notes=notes)

    about["arch"] = weights.arch
    choose = None if rounding == "off" else partial(_choose_rounding, rounding=rounding)
    return Model(last_name(weights.arch), fit, about, choose=choose)


@dataclass
class FittedText:
    """A fine-tuned language model."""

    estimator: Any  # LanguageNet
    encoder: Encoder
    objective: Objective
    bs: int  # rows per batch
    precision: str
    rounding: str
    notes: dict[str, Any] = field(default_factory=dict)
    importances: dict[str, float] = field(default_factory=dict)

    def predict(self, table: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        return self.variants(table)["rounded" if self.rounding == "on" else "plain"]

    def variants(self, table: Table) -> dict[str, Array]:
        """Return plain predictions and, if asked, rounded ones on the levels of the scale."""
        from .training import predict_net

        tokens = self.encoder(table.texts)
        outputs = predict_net(self.estimator, tokens, bs=self.bs, precision=self.precision)
        preds = self.objective.decode(outputs.reshape(len(table), self.objective.n_out))
        if self.rounding == "off":
            return {"plain": preds}
        return {"plain": preds, "rounded": self.objective.rounded(preds)}


def _choose_rounding(
    variants: dict[str, Predictions], *, rounding: str
) -> tuple[str, dict[str, Any]]:
    """Round if asked, or if a paired test on the out-of-fold rows finds an improvement."""
    result = compare(variants["rounded"], variants["plain"])
    is_better = result.gain > 0 and not result.is_noise
    chosen = "rounded" if rounding == "on" or is_better else "plain"
    facts = {"chosen": chosen, "asked": rounding, "gain": round(result.gain, 6)}
    facts |= {"p_value": result.p_value, "test": result.test}
    return chosen, {"rounding_test": facts}
