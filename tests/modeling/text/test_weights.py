"""A language model is found by its name in each place; errors say what to do."""

import shutil

import numpy as np
import pytest

from fastkaggle_plus.exceptions import WeightsMissing
from fastkaggle_plus.modeling import cosine_model, default_arch, static_text_model, text_model
from fastkaggle_plus.modeling.model_hub import weights_folder
from fastkaggle_plus.modeling.text.weights import (
    PREFERRED,
    SMALL,
    copy_weights,
    dataset_name,
    fetch_weights,
    find_weights,
    names_attached,
)

from .small import pairs, small_model

NAME = "somebody/Tiny-BERT-v1.1"


@pytest.fixture
def mount(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(tmp_path / "input"))
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))
    return tmp_path / "input"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "bert")


@pytest.mark.parametrize(
    "place",
    (
        "weights-tiny-bert-v1-1",
        "datasets/me/weights-tiny-bert-v1-1",
        "tiny-bert-v1.1/Transformers/default/1",
        "models/somebody/tiny-bert-v1-1/transformers/small/3",
    ),
)
def test_an_attached_dataset_or_model_is_found(mount, model, place):
    assert find_weights(NAME).folder is None
    shutil.copytree(model, mount / place)
    assert fetch_weights(NAME).folder == mount / place and "attached" in fetch_weights(NAME).origin
    assert dataset_name(NAME) == "weights-tiny-bert-v1-1"


@pytest.mark.parametrize("arch", ["./own-model", "models/of/mine/own-model/", "~/own-model"])
def test_an_own_folder_is_found_where_it_is_attached(mount, model, tmp_path, monkeypatch, arch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsMissing, match="own-model"):
        fetch_weights(arch)
    shutil.copytree(model, mount / "datasets/somebody" / dataset_name(arch))
    assert fetch_weights(
        arch
    ).folder == mount / "datasets/somebody/weights-own-model" and names_attached(arch) == {
        "own-model",
        "weights-own-model",
    }
    shutil.copytree(model, tmp_path / "own-model")
    assert fetch_weights("./own-model").folder.resolve() == tmp_path / "own-model", (
        "the local folder wins"
    )


def test_a_long_name_fits_the_name_of_a_dataset():
    long = dataset_name("somebody/paraphrase-multilingual-mpnet-base-v2-with-a-very-long-tail")
    assert len(long) == 50 and long != dataset_name(
        "somebody/paraphrase-multilingual-mpnet-base-v2-with-a-very-long-end"
    )


def test_a_model_with_a_similar_name_is_not_used(mount, model):
    shutil.copytree(model, mount / "weights-tiny-bert-v1-10")
    assert find_weights(NAME).folder is None


def test_an_incomplete_folder_is_skipped_and_named(mount, model, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(model, half)
    (half / "model.safetensors").unlink()
    shutil.copytree(half, mount / "weights-tiny-bert-v1-1")
    assert find_weights(NAME).folder is None
    with pytest.raises(WeightsMissing, match=r"half lacks weights \(model.safetensors\)\."):
        text_model(str(half))
    with pytest.raises(WeightsMissing, match="nowhere is not there"):
        text_model(str(tmp_path / "nowhere"))


def test_unreadable_weights_are_refused(model, tmp_path):
    odd = tmp_path / "odd"
    shutil.copytree(model, odd)
    (odd / "model.safetensors").write_bytes(b"not what it should be")
    with pytest.raises(WeightsMissing, match="does not load as a language model"):
        text_model(str(odd), epochs=1).fit(pairs(8))


def test_the_error_for_a_missing_model_says_how_to_attach_it(mount, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing) as e:
        text_model(NAME)
    for part in (
        "config.json",
        "model.safetensors",
        NAME,
        "weights-tiny-bert-v1-1",
        "Add Input",
        str(weights_folder()),
        SMALL,
        "fastkaggle_plus[offline]",
        "HF_HUB_OFFLINE",
    ):
        assert part in str(e.value)


def test_a_folder_put_there_by_hand_and_the_hubs_cache(mount, model, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub/models--somebody--Tiny-BERT-v1.1"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs/main").write_text("0" * 40)
    shutil.copytree(model, cached / "snapshots" / ("0" * 40))
    assert fetch_weights(NAME).origin == f"hub {NAME}"
    shutil.copytree(model, weights_folder() / "somebody--Tiny-BERT-v1.1")
    assert fetch_weights(NAME).folder == weights_folder() / "somebody--Tiny-BERT-v1.1"


def test_the_default_is_a_model_on_this_machine(mount, model):
    small_is_here = find_weights(SMALL).folder is not None
    assert default_arch() == (SMALL if small_is_here else PREFERRED)
    shutil.copytree(model, mount / "deberta-v3-small/transformers/default/1")
    assert default_arch() == PREFERRED


def test_a_copied_model_predicts_the_same(model, tmp_path):
    copy, table = copy_weights(str(model), tmp_path / "copy"), pairs(24)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        p.name for p in copy.iterdir()
    }
    first, second = (
        text_model(str(folder), epochs=1, bs=8).fit(table).predict(table)
        for folder in (model, copy)
    )
    assert np.array_equal(first, second)


@pytest.mark.skipif(
    find_weights(SMALL).folder is None, reason="the package of the extra offline is not installed"
)
def test_the_offline_model_knows_what_phrases_mean():
    import torch
    from transformers import AutoModel

    from fastkaggle_plus.modeling.text.loading import load_tokenizer

    folder = fetch_weights("all-MiniLM-L6-v2").folder
    tokenizer, net = load_tokenizer(folder), AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        batch = tokenizer(
            ["conveyor belt", "transport band", "optical lens"], padding=True, return_tensors="pt"
        )
        hidden = net(**batch).last_hidden_state * batch["attention_mask"][..., None]
    a, b, c = torch.nn.functional.normalize(hidden.sum(1), dim=-1)
    assert float(a @ b) > float(a @ c) + 0.2


def test_a_model_whose_tokenizer_is_sentencepiece_alone(tmp_path):
    import sentencepiece

    small_model(tmp_path / "deberta", "deberta-v2")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "deberta" / file).unlink()
    (tmp_path / "words.txt").write_text(
        "\n".join(
            f"{a} {b}" for a in ("seed", "valve", "pump", "gear") for b in ("drill", "lens", "wire")
        )
        * 9
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "words.txt"),
        model_prefix=str(tmp_path / "deberta/spm"),
        vocab_size=40,
        hard_vocab_limit=False,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        unk_piece="[UNK]",
    )
    (tmp_path / "deberta/tokenizer_config.json").write_text(
        '{"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": false, "vocab_type": "spm"}'
    )
    copy, table = copy_weights(str(tmp_path / "deberta"), tmp_path / "copy"), pairs(24)
    assert (copy / "tokenizer.json").is_file(), "a notebook without internet need not convert it"
    first, second = (
        text_model(str(folder), epochs=1, bs=8).fit(table).predict(table)
        for folder in (tmp_path / "deberta", copy)
    )
    assert np.array_equal(first, second)


def test_a_partial_download_is_refused_by_every_model(model, tmp_path):
    rows, texts = tmp_path / "rows", pairs(8)
    shutil.copytree(model, rows)
    (rows / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    for make in (text_model, cosine_model, static_text_model):
        with pytest.raises(
            WeightsMissing, match=r"rows does not load.*config.json and model.safetensors"
        ):
            make(str(rows)).fit(texts)
    (rows / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsMissing, match=r"tokenizer in .*rows does not load.*save_pretrained"):
        text_model(str(rows)).fit(texts)
