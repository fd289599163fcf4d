"""Static vectors: a transformer's input embeddings from any kind of file, or a package's."""

import sys
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertConfig, BertModel

from fastkaggle_plus.exceptions import WeightsMissing
from fastkaggle_plus.modeling import static_text_model
from fastkaggle_plus.modeling.text.loading import load_tokenizer
from fastkaggle_plus.modeling.text.static_vectors import load_vectors
from fastkaggle_plus.modeling.text.weights import SMALL, copy_weights, fetch_weights

from ..phrases import make_phrases


def has(package: str) -> bool:
    try:
        return bool(distribution(package))
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small transformer with the tokenizer of MiniLM."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = load_tokenizer(fetch_weights(SMALL).folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    net = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        )
    )
    net.save_pretrained(folder)
    return folder


def converted(folder, dest, how):
    """Write the model in another format: as torch saves it, in several files, or in bf16."""
    copy_weights(str(folder), dest)
    whole = load_file(dest / "model.safetensors")
    if how == "bf16":
        save_file({k: v.bfloat16() for k, v in whole.items()}, dest / "model.safetensors")
        return dest
    if how == "bin":
        torch.save(whole, dest / "pytorch_model.bin")
        (dest / "model.safetensors").unlink()
        return dest
    AutoModel.from_pretrained(folder).save_pretrained(dest, max_shard_size="100KB")
    assert (dest / "model.safetensors.index.json").exists()
    (dest / "model.safetensors").unlink(missing_ok=True)
    return dest


@pytest.mark.parametrize("how", ["one file", "several files", "bin", "bf16"])
def test_they_are_the_networks_input_embeddings(tiny, tmp_path, how):
    net, tokenizer = AutoModel.from_pretrained(tiny), load_tokenizer(tiny)
    vectors = load_vectors(str(tiny if how == "one file" else converted(tiny, tmp_path, how)))
    texts = ["seed drill", "hydraulic pump"]
    for text, mean in zip(texts, vectors.means(texts), strict=True):
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        np.testing.assert_allclose(
            mean,
            net.get_input_embeddings().weight[tokens].detach().mean(0).numpy(),
            atol=1e-3 if how == "bf16" else 1e-6,
        )


def test_pooled_vectors_have_length_one_and_no_word_order():
    pooled = load_vectors(SMALL)(
        pd.Series(["seed drill", "drill seed", "seed drill", "", "sowing machine", "jazz festival"])
    )
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), [1, 1, 1, 0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(pooled[0], pooled[1], atol=1e-6)
    assert (pooled[0] == pooled[2]).all() and pooled[0] @ pooled[4] > pooled[0] @ pooled[5]


def test_a_folder_without_embeddings_is_refused(tiny, tmp_path):
    copy_weights(str(tiny), tmp_path)
    save_file({"head.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMissing, match=r"No input embeddings.*embed_tokens"):
        load_vectors(str(tmp_path))


@pytest.mark.skipif(has("wordllama"), reason="the package is there")
def test_without_wordllama_the_error_has_the_install_line():
    with pytest.raises(WeightsMissing, match=r"l2_supercat_256.*fastkaggle_plus\[offline\]"):
        static_text_model("wordllama").fit(make_phrases(n=10))


@pytest.mark.skipif(
    not has("wordllama"), reason="the package wordllama of the extra offline is not installed"
)
def test_wordllamas_vectors_are_read_by_path():
    vectors = load_vectors("wordllama")
    assert vectors.matrix.shape == (32_000, 256) and vectors.origin.startswith("package wordllama ")
    pooled = vectors(pd.Series(["seed drill", "sowing machine", "jazz festival"]))
    assert pooled[0] @ pooled[1] > pooled[0] @ pooled[2]
    table = make_phrases(n=100)
    assert (
        np.corrcoef(static_text_model("wordllama").fit(table).predict(table)[:, 0], table.targs)[
            0, 1
        ]
        > 0.8
    )
    assert "wordllama" not in sys.modules
