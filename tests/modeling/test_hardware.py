"""Precision and memory on a GPU, with fake devices: no GPU is needed."""

import pytest
import torch

from fastkaggle_plus.modeling.hardware import limited_gpu
from fastkaggle_plus.modeling.text.training import resolved_precision
from fastkaggle_plus.modeling.vision.precision import predicting_precision, training_precision


@pytest.mark.parametrize(
    ("capability", "of_texts"),
    [
        ((6, 0), "fp16"),
        ((7, 5), "fp16"),
        ((8, 0), "bf16"),
        ((9, 0), "bf16"),
    ],  # P100, T4, A100, H100
)
def test_cards_without_bf16_units_use_fp16_for_images_and_texts(monkeypatch, capability, of_texts):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    gpu, net = torch.device("cuda"), torch.nn.Linear(1, 1)
    assert resolved_precision("auto", gpu) == of_texts
    assert predicting_precision("auto", gpu, size=(64, 64)) == "fp16"
    assert training_precision("auto", net, gpu, size=(64, 64)) == "fp16"
    assert resolved_precision("fp32", gpu) == "fp32"


def test_a_process_uses_its_share_of_a_gpu_and_returns_the_memory(monkeypatch):
    calls, facts = [], {}
    fakes = {
        "is_available": lambda: True,
        "set_per_process_memory_fraction": lambda share: calls.append(share),
        "reset_peak_memory_stats": lambda: calls.append("reset"),
        "max_memory_allocated": lambda: 3 * 2**30,
        "current_device": lambda: 0,
        "get_device_properties": lambda device: type("T4", (), {"total_memory": 15 * 2**30}),
        "get_device_name": lambda: "Tesla T4",
        "empty_cache": lambda: calls.append("empty"),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    with limited_gpu(0.25, facts):
        assert calls == [0.25, "reset"]
    assert calls[2:] == ["empty"]
    assert facts == {"gpu": "Tesla T4", "gpu_mb": 15 * 1024, "gpu_peak_mb": 3 * 1024}
    with pytest.raises(RuntimeError, match="out of memory"), limited_gpu(1.0, {}):
        raise RuntimeError("CUDA out of memory.")
    assert calls[3:] == [1.0, "reset", "empty"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with limited_gpu(0.25, none := {}):
        pass
    assert none == {}
