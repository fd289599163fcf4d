"""Language models: a pretrained transformer, fine-tuned on texts written out of a row's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...data import Table
from ...evidence import compare
from ...exceptions import ConfigError, UnknownName
from ...predictions import Predictions
from ..hyperparameters import check_range, check_whole
from ..model import Array, Model
from ..hardware import check_precision
from ..seeding import repeatable
from .encoding import Encoder
from .network import POOLS, make_net, read_at_most
from .objectives import LOSSES, Objective
from .training import Recipe, best_device, learn_net, predict_net
from .weights import default_arch, fetch_weights, last_name, load_tokenizer

PRELOAD = ("torch", "transformers", "transformers.modeling_utils")
ATTACH = ("arch",)
ROUNDINGS = ("off", "on", "auto")


def text_model(
    arch: str = "",  # name on the hub, or a model's folder; "": deberta-v3-small where its weights are at hand, offline MiniLM
    style: str = "",  # how a row is written, as "TEXT1: {context}; TEXT2: {target}; ANC1: {anchor}"; "": its text columns, [SEP] between
    epochs: int = 4,
    *,
    lr: float = 8e-5,  # largest learning rate: of the head and the last layer
    bs: int = 32,  # rows an optimizer step
    max_len: int = 128,  # tokens a row, at most what the model has places for; longer ones are cut, which `notes` tells
    loss: str = "auto",  # of values: mse (auto) | bce | pearson | ordinal. Classes are learned by cross-entropy
    pool: str = "mean",  # what the head looks at: mean of all tokens | cls, the first | own, the architecture's head
    llrd: float = 1.0,  # layer-wise decay of the rate: 0.9 gives each layer nine tenths of the one above
    freeze: int = 0,  # so many of the lowest layers stay as they are: 1 = the embeddings, 2 = and the first layer
    accum: int = 1,  # batches a step: memory for bs // accum rows is enough
    checkpointing: bool = False,  # compute layers twice instead of keeping them: less memory, more time
    wd: float = 0.01,  # weight decay
    warmup: float = 0.1,  # share of the steps in which the rate rises
    dropout: float = 0.0,  # of the pretrained model: none, as is common for values
    rounding: str = "off",  # values to the nearest level of the target's scale: off | on | auto, where a paired test says so
    lower: bool = False,  # write all in small letters
    special_tokens: Sequence[str] = (),  # words of the style that become tokens of their own
    precision: str = "auto",  # auto | fp32 | bf16 | fp16
    seed: int = 42,
) -> Model:
    """Return a pretrained language model, fine-tuned: classes by their probabilities, values within the range that was seen.

    Batches hold rows of about the same length. Out of memory is met once with half the batch, accumulated to the same step.
    Raises UnknownName, ConfigError for numbers that cannot be, WeightsMissing that says how to attach the model, MissingExtra, and DataError for a
    table without texts. Source: fast.ai lesson 4, Getting started with NLP; Iterate like a grandmaster.
    """
    for what, word, known in (
        ("loss", loss, LOSSES),
        ("pool", pool, POOLS),
        ("rounding", rounding, ROUNDINGS),
    ):
        if word not in known:
            raise UnknownName(what, word, known)
    check_precision(precision)
    check_whole(1, epochs=epochs, bs=bs, accum=accum, max_len=max_len)
    check_whole(0, seed=seed, freeze=freeze)
    check_range(0, lr=lr, wd=wd)
    check_range(0, 1, warmup=warmup)
    check_range(0, 0.9, dropout=dropout)
    check_range(0.1, 1, llrd=llrd)
    if isinstance(special_tokens, str):
        raise ConfigError(
            f"special_tokens = {special_tokens!r} would make a token of each of its letters. Give a list: [{special_tokens!r}]."
        )
    if accum > bs:
        raise ConfigError(
            f"accum = {accum} batches of bs = {bs} rows leave some without a row. Give accum = {bs} at most."
        )
    found = fetch_weights(arch or default_arch())  # before any row is read
    folder = found.folder
    assert folder is not None  # fetched
    recipe = Recipe(
        epochs, float(lr), bs, accum, float(wd), float(warmup), float(llrd), freeze, precision, seed
    )

    def fit(table: Table) -> FittedText:
        objective = Objective(table, loss)
        if rounding != "off":
            objective.check_levels()  # before hours of training
        encoder = Encoder(
            load_tokenizer(folder),
            style,
            max_len=min(max_len, read_at_most(folder) or max_len),
            lower=lower,
            special_tokens=special_tokens,
        )
        tokens = encoder(table.texts)

        def make() -> Any:
            return make_net(
                folder,
                objective.n_out,
                bias=objective.bias,
                pool=pool,
                dropout=dropout,
                n_tokens=len(encoder.tokenizer),
                pad=tokens.pad,
                checkpointing=checkpointing,
                device=best_device(),
            )

        with repeatable(seed, threads=None):
            net, notes = learn_net(make, tokens, objective, recipe)
        notes |= {
            "weights_from": found.origin,
            "tokens_mean": round(float(tokens.lengths.mean()), 1),
            "rows_cut": tokens.n_cut,
        }
        return FittedText(
            net, encoder, objective, 4 * max(1, bs // accum), precision, rounding, notes
        )

    about = {
        "arch": found.arch,
        "style": style,
        "epochs": epochs,
        "lr": lr,
        "bs": bs,
        "max_len": max_len,
        "loss": loss,
        "pool": pool,
        "llrd": llrd,
        "freeze": freeze,
        "accum": accum,
        "checkpointing": checkpointing,
        "wd": wd,
        "warmup": warmup,
        "dropout": dropout,
        "rounding": rounding,
        "lower": lower,
        "special_tokens": list(special_tokens),
        "precision": precision,
        "seed": seed,
    }
    return Model(
        last_name(found.arch),
        fit,
        about,
        choose=(lambda variants: _choose(variants, rounding)) if rounding != "off" else None,
    )


class FittedText:
    "A fine-tuned language model."

    def __init__(
        self,
        net: Any,
        encoder: Encoder,
        objective: Objective,
        bs: int,
        precision: str,
        rounding: str,
        notes: dict[str, Any],
    ):
        self.importances: dict[str, float] = {}
        self.estimator, self.encoder, self.objective, self.notes = net, encoder, objective, notes
        self.bs, self.precision, self.rounding = bs, precision, rounding

    def predict(self, table: Table) -> Array:
        "Return (n, n_outputs) predictions."
        preds = self._plain(table)
        return self.objective.rounded(preds) if self.rounding == "on" else preds

    def variants(self, table: Table) -> dict[str, Array]:
        "Return the predictions as they are, and rounded to the levels of the target's scale."
        preds = self._plain(table)
        return {"plain": preds, "rounded": self.objective.rounded(preds)}

    def _plain(self, table: Table) -> Array:
        tokens = self.encoder(table.texts)
        answer = predict_net(self.estimator, tokens, bs=self.bs, precision=self.precision)
        return self.objective.decode(answer.reshape(len(table), self.objective.n_out))


def _choose(variants: dict[str, Predictions], rounding: str) -> tuple[str, dict[str, Any]]:
    "Round where it was asked for, or where a paired test on the out-of-fold rows says that it is better."
    found = compare(variants["rounded"], variants["plain"])
    chosen = "rounded" if rounding == "on" or (found.gain > 0 and not found.is_noise) else "plain"
    return chosen, {
        "rounding_test": {
            "chosen": chosen,
            "asked": rounding,
            "gain": round(found.gain, 6),
            "p_value": found.p_value,
            "test": found.test,
        }
    }
