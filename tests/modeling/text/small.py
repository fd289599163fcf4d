"""Small random language models of several families, with a small tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tokenizers
import transformers

from fastkaggle_plus.data import Table

WORDS = (
    "seed",
    "drill",
    "valve",
    "pump",
    "heat",
    "sensor",
    "image",
    "motor",
    "film",
    "resin",
    "beam",
    "lens",
    "wire",
    "gear",
    "brush",
    "filter",
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": {},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2},
    "electra": {"embedding_size": 32},
    "roberta": {"type_vocab_size": 1, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
    "deberta-v2": {
        "type_vocab_size": 0,
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "position_buckets": 16,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "position_biased_input": False,
    },  # as deberta-v3's own configuration says
    "modernbert": {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3},
}


def small_tokenizer() -> Any:
    """Return a tokenizer that knows WORDS, letters and digits, in lower case."""
    pieces = [
        *SPECIAL,
        *WORDS,
        *"abcdefghijklmnopqrstuvwxyz0123456789.;:",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
    ]
    known = {piece: i for i, piece in enumerate(pieces)}
    backend = tokenizers.Tokenizer(tokenizers.models.WordPiece(known, unk_token="[UNK]"))
    backend.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", known["[CLS]"]), ("[SEP]", known["[SEP]"])],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def small_model(folder: Path, family: str = "bert") -> Path:
    """Write a random model of a family, with its tokenizer, and return the folder."""
    tokenizer = small_tokenizer()
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    transformers.set_seed(0)
    config = transformers.AutoConfig.for_model(family, **{**sizes, **FAMILIES[family]})
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def causal_model(folder: Path) -> Path:
    """Write a random GPT-2, whose tokenizer has no padding token and adds no tokens to a text."""
    backend = small_tokenizer().backend_tokenizer
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A", pair="$A $B", special_tokens=[]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        bos_token="[CLS]",
        eos_token="[SEP]",
        model_input_names=["input_ids", "attention_mask"],
    )
    transformers.set_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        bos_token_id=2,
        eos_token_id=3,
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pairs(n: int = 96, task: str = "regression", *, seed: int = 0) -> Table:
    """Return pairs of phrases; the target counts the phrases with the word `valve`."""
    rng = np.random.default_rng(seed)
    texts = pd.DataFrame(
        {
            c: [" ".join(rng.choice(WORDS, rng.integers(1, 6))) for _ in range(n)]
            for c in ("anchor", "target")
        }
    )
    has = (
        texts["anchor"].str.contains("valve").astype(int)
        + texts["target"].str.contains("valve").astype(int)
    ).to_numpy()
    vocab = {"binary": ("no", "yes"), "multiclass": ("none", "one", "both")}.get(task, ())
    targs = {
        "binary": (has > 0).astype(int),
        "multiclass": has,
        "regression": has / 2,
        "values": np.column_stack([has / 2, 10.0 - has]),
    }[task]
    return Table(
        pd.DataFrame(index=range(n)),
        targs,
        (),
        (),
        "regression" if task == "values" else task,
        vocab,
        texts=texts,
    )
