"""Build a network from a pretrained language model (imports torch and transformers)."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from ...exceptions import ConfigError
from ..model import Array
from .loading import quiet_loading

_DROPOUT = re.compile(r"(dropout(_prob)?|pdrop)$")  # as in hidden_dropout_prob, attn_pdrop
_POSITIONS = re.compile(r"(?:^|\.)(?:position_embeddings?|embed_positions|wpe)$")
_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.(\d+)\.")
_EMBEDDINGS = re.compile("embed|wte|wpe", re.IGNORECASE)
_HEADS = ("head", "classifier", "score", "pooler", "classification_head", "sequence_summary")
_HEAD = re.compile(rf"^({'|'.join(_HEADS)}|pre_classifier)\b|\.pooler\.")


class LanguageNet(torch.nn.Module):
    """A pretrained body and a head that predicts the targets."""

    def __init__(self, body: Any, n_out: int, *, bias: Array, pool: str):
        super().__init__()
        self.body, self.pool = body, pool
        if pool != "own":
            self.head = torch.nn.Linear(body.config.hidden_size, n_out)
            torch.nn.init.normal_(self.head.weight, std=0.02)
            self.head.bias.data = torch.as_tensor(bias, dtype=torch.float32)

    def forward(self, tokens: Any, mask: Any, types: Any) -> Any:
        """Return (n, n_out) raw outputs."""
        inputs = {"input_ids": tokens, "attention_mask": mask}
        if getattr(self.body.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = types
        output = self.body(**inputs)
        if self.pool == "own":
            return output.logits.float()
        hidden = output.last_hidden_state.float()  # sums over many tokens need full precision
        pooled = hidden[:, 0] if self.pool == "cls" else masked_mean(hidden, mask)
        with torch.autocast(tokens.device.type, enabled=False):
            return self.head(pooled)


def masked_mean(hidden: Any, mask: Any) -> Any:
    """Return the mean (n, width) over each row's tokens, without padding."""
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def make_net(
    folder: Path,  # of the pretrained model
    n_out: int,  # outputs per row
    *,
    bias: Array,  # (n_out,) the head's first output
    pool: str = "mean",  # mean: of all tokens | cls: the first token | own: the architecture's head
    dropout: float = 0.0,
    n_tokens: int = 0,  # of the tokenizer, if tokens were added
    pad: int = 0,  # padding token, if the configuration has none
    checkpointing: bool = False,
    device: torch.device,
) -> LanguageNet:
    """Return the network, in full precision, on the device.

    Raises ConfigError, and WeightsMissing for files that do not load.
    """
    with quiet_loading(folder):
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        for name, value in config.to_dict().items():
            if _DROPOUT.search(name) and type(value) in (int, float):
                setattr(config, name, dropout)
        if pool == "own":
            config.num_labels = n_out
        if getattr(config, "pad_token_id", None) is None:
            config.pad_token_id = pad  # GPT-2's head needs one to find a row's last token
        # on a CPU the gradients of fused attention are slower in bf16 than plain products
        eager = {"attn_implementation": "eager"} if device.type == "cpu" else {}
        kind = AutoModelForSequenceClassification if pool == "own" else AutoModel
        body = kind.from_pretrained(
            str(folder), config=config, local_files_only=True, dtype=torch.float32, **eager
        )
        if n_tokens > body.get_input_embeddings().num_embeddings:
            body.resize_token_embeddings(n_tokens)  # a new one begins as the mean of the others
    if checkpointing:
        if not body.supports_gradient_checkpointing:
            raise ConfigError(
                f"checkpointing = True: {type(body).__name__} does not support it. Leave it out, "
                "and give a larger accum."
            )
        old_name = body.gradient_checkpointing_enable  # before transformers 5
        getattr(body, "activation_checkpointing_enable", old_name)({"use_reentrant": False})
    net = LanguageNet(body, n_out, bias=bias, pool=pool).to(device)
    net.recipe = LanguageRecipe(_facts(body), pool, n_out)  # type: ignore[assignment]
    return net


@dataclass(frozen=True)
class LanguageRecipe:
    """How a network is built, without its pretrained weights."""

    config: str  # of transformers, as JSON
    pool: str = ""  # "": the body alone
    n_out: int = 0

    PACKAGES: ClassVar = ("transformers",)

    def build(self) -> Any:
        """Return the network with random weights."""
        facts = json.loads(self.config)
        config = AutoConfig.for_model(facts.pop("model_type"), **facts)
        eager = {} if torch.cuda.is_available() else {"attn_implementation": "eager"}
        kind = AutoModelForSequenceClassification if self.pool == "own" else AutoModel
        body = kind.from_config(config, **(eager if self.pool else {})).float()
        if not self.pool:
            return body
        return LanguageNet(body, self.n_out, bias=np.zeros(self.n_out), pool=self.pool)


def load_body(folder: Path) -> Any:
    """Return a pretrained model without a head. Raises WeightsMissing."""
    with quiet_loading(folder):
        net = AutoModel.from_pretrained(str(folder), local_files_only=True, dtype=torch.float32)
    net.recipe = LanguageRecipe(_facts(net))
    return net.eval()


def _facts(body: Any) -> str:
    return str(body.config.to_json_string(use_diff=False))


def max_positions(folder: Path) -> int | None:
    """Return the most tokens a model can read, without reading its weights.

    Returns None without a limit, and for a folder that does not load: `make_net` raises the error.
    """
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        with torch.device("meta"):
            body = AutoModel.from_config(config)
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError):
        return None
    limits = []
    for name, module in body.named_modules():
        if _POSITIONS.search(name) and hasattr(module, "num_embeddings"):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1  # RoBERTa: 2
            limits.append(module.num_embeddings - getattr(module, "offset", 0) - reserved)
    return min(limits, default=None)


def parameter_groups(
    net: Any,
    *,
    lr: float,  # of the head and the last layer
    llrd: float,  # factor of each layer's rate for the layer below: 1 = the same rate for all
    wd: float,  # weight decay, of matrices only
    freeze: int,  # number of the lowest layers that stay as they are: 1 = the embeddings
) -> list[dict[str, Any]]:
    """Return the optimizer's parameter groups, by depth and by weight decay.

    Raises ConfigError if no layer is left to train. Source: Howard and Ruder, ULMFiT (2018),
    discriminative fine-tuning.
    """
    depths = _depths([name for name, _ in net.named_parameters()])
    top = max(depths.values())
    if freeze >= top:
        raise ConfigError(
            f"freeze = {freeze}: the model has {top - 1} layers above its embeddings, and at least "
            "one must learn."
        )
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in net.named_parameters():
        if depths[name] < freeze:
            parameter.requires_grad_(False)
            continue
        depth, decays = min(depths[name], top - 1), parameter.ndim > 1
        rates = {"lr": lr * llrd ** (top - 1 - depth), "weight_decay": wd * decays}
        groups.setdefault((depth, decays), {"params": [], **rates})["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def _depths(names: list[str]) -> dict[str, int]:
    """Return each parameter's depth: embeddings 0, first layer 1, ..., head one above the last."""
    depths = {name: int(found[1]) + 1 for name in names if (found := _LAYER.search(name))}
    last = max(depths.values(), default=0)
    for name in names:
        if name not in depths:
            is_low = _EMBEDDINGS.search(name) is not None
            depths[name] = last + 1 if _HEAD.search(name) else 0 if is_low else last
    return depths
