"""A pretrained language model with a head that answers, and its parameters by depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...exceptions import ConfigError, MissingExtra, UnknownName
from ..model import Array
from .weights import loading

__all__ = ["POOLS", "longest_row", "make_net", "parameter_groups", "read_at_most"]

POOLS = ("mean", "cls", "own")  # what the head looks at
_DROPOUTS = (  # as the configurations of families call it
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "pooler_dropout",
    "classifier_dropout",
    "cls_dropout",  # BERT, RoBERTa, DeBERTa, ELECTRA
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "seq_classif_dropout",
    "embedding_dropout",
    "mlp_dropout",  # DistilBERT, XLNet, ModernBERT
    "summary_last_dropout",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",  # GPT-2 and its like
)
_POSITIONS = re.compile(
    r"(?:^|\.)(?:position_embeddings?|embed_positions|wpe)$"
)  # a vector for each place of a row
_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.(\d+)\.")
_OF_THE_HEAD = re.compile(
    r"^(head|classifier|score|pooler|classification_head|sequence_summary|pre_classifier)\b|\.pooler\."
)


def make_net(
    folder: Path,  # of the pretrained model
    n_out: int,  # answers a row
    *,
    bias: Array,  # (n_out,) what the head answers at first
    pool: str = "mean",  # mean: of all tokens | cls: the first token | own: the head that the architecture brings
    dropout: float = 0.0,
    n_tokens: int = 0,  # of the tokenizer, where tokens were added
    pad: int = 0,  # the number that fills up rows, where the configuration says none
    checkpointing: bool = False,
    device: Any,
) -> Any:
    "Return the network, in full precision, on the device. Raises MissingExtra, UnknownName, and WeightsMissing for a folder that does not load."
    if pool not in POOLS:
        raise UnknownName("pool", pool, POOLS)
    try:
        import torch
        from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
    except ImportError as e:
        raise MissingExtra(e.name or "transformers", "text") from e
    with loading(folder):
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        for name in _DROPOUTS:
            if isinstance(getattr(config, name, None), (int, float)):
                setattr(config, name, dropout)
        if pool == "own":
            config.num_labels = n_out
        # on a CPU the fused attention's gradients are slower in bf16 than those of plain products
        plain = {"attn_implementation": "eager"} if device.type == "cpu" else {}
        if getattr(config, "pad_token_id", None) is None:
            config.pad_token_id = pad  # GPT-2 and its like have none, and their head looks for the last token before it
        kind = AutoModelForSequenceClassification if pool == "own" else AutoModel
        body = kind.from_pretrained(
            str(folder), config=config, local_files_only=True, dtype=torch.float32, **plain
        )
        if n_tokens > body.get_input_embeddings().num_embeddings:
            body.resize_token_embeddings(
                n_tokens
            )  # new ones begin as the mean of those that are there
    if checkpointing:
        if not body.supports_gradient_checkpointing:
            raise ConfigError(
                f"checkpointing = True: {type(body).__name__} cannot compute its layers twice. Leave it out, and give a larger accum."
            )
        enable = (
            getattr(body, "activation_checkpointing_enable", None)
            or body.gradient_checkpointing_enable
        )  # its name before transformers 5
        enable({"use_reentrant": False})
    return _with_head(body, n_out, bias, pool).to(device)


def longest_row(body: Any) -> int | None:
    "Return how many tokens a network has places for; None where distances count, and any number will do."
    places = [
        module.num_embeddings
        - getattr(module, "offset", 0)
        - (0 if module.padding_idx is None else module.padding_idx + 1)  # RoBERTa: 514 - 2
        for name, module in body.named_modules()
        if _POSITIONS.search(name) and hasattr(module, "num_embeddings")
    ]
    return min(places, default=None)


def read_at_most(folder: Path) -> int | None:
    "Return `longest_row` of a model's folder, whose weights are not read; None too for a folder that does not load, which `make_net` will say."
    try:
        import torch
        from transformers import AutoConfig, AutoModel
    except ImportError as e:
        raise MissingExtra(e.name or "transformers", "text") from e
    try:
        with torch.device("meta"):
            return longest_row(
                AutoModel.from_config(
                    AutoConfig.from_pretrained(str(folder), local_files_only=True)
                )
            )
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError):
        return None


def parameter_groups(
    net: Any,
    *,
    lr: float,  # of the head and the last layer
    llrd: float,  # what a layer's rate is multiplied by, for the layer below: 1 = all alike
    wd: float,  # weight decay, of matrices only
    freeze: int,  # so many of the lowest layers stay as they are: 1 = the embeddings
) -> list[dict[str, Any]]:
    """Return the groups for an optimizer, by depth and by whether they decay.

    Raises ConfigError where nothing is left to learn. Source: Howard and Ruder, ULMFiT (2018), discriminative fine-tuning.
    """
    named = list(net.named_parameters())
    depths = dict(_depths([name for name, _ in named]))
    top = max(depths.values())
    if freeze >= top:
        raise ConfigError(
            f"freeze = {freeze}: the model has {top - 1} layers over its embeddings, and one at least has to learn."
        )
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in named:
        if depths[name] < freeze:
            parameter.requires_grad_(False)
            continue
        groups.setdefault((min(depths[name], top - 1), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": params,
            "lr": lr * llrd ** (top - 1 - depth),
            "weight_decay": wd if decays else 0.0,
        }
        for (depth, decays), params in sorted(groups.items(), key=lambda group: group[0])
    ]


def _depths(names: list[str]) -> Iterator[tuple[str, int]]:
    "Yield each parameter's depth: 0 for the embeddings, 1 for the first layer, one more than the last layer's for the head."
    layers = {name: int(found[1]) + 1 for name in names if (found := _LAYER.search(name))}
    last = max(layers.values(), default=0)
    for name in names:
        is_below = re.search("embed|wte|wpe", name.lower()) is not None
        yield (
            name,
            layers.get(name, last + 1 if _OF_THE_HEAD.search(name) else 0 if is_below else last),
        )


def _with_head(body: Any, n_out: int, bias: Array, pool: str) -> Any:
    import torch

    class LanguageNet(torch.nn.Module):
        "A body and its head."

        def __init__(self) -> None:
            super().__init__()
            self.body = body
            if pool != "own":
                self.head = torch.nn.Linear(body.config.hidden_size, n_out)
                torch.nn.init.normal_(self.head.weight, std=0.02)
                self.head.bias.data = torch.as_tensor(bias, dtype=torch.float32)

        def forward(self, tokens: Any, mask: Any, types: Any) -> Any:
            "Return (n, n_out) raw answers."
            inputs = {"input_ids": tokens, "attention_mask": mask}
            if getattr(body.config, "type_vocab_size", 0) > 1:
                inputs["token_type_ids"] = types
            if pool == "own":
                return self.body(**inputs).logits.float()
            hidden = self.body(
                **inputs
            ).last_hidden_state.float()  # sums over many tokens want full precision
            if pool == "cls":
                pooled = hidden[:, 0]
            else:
                pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            with torch.autocast(tokens.device.type, enabled=False):
                return self.head(pooled)

    return LanguageNet()
