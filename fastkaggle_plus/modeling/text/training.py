"""Training and predicting: a plain loop with warm-up and cosine, in half precision where the hardware computes it, with half the batch when memory runs out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import progress
from ..hardware import autocast, clear_memory, cpu_has_bf16, is_out_of_memory
from ..model import Array
from .batches import in_order, on_device, shuffled
from .embedding_trim import only_words
from .encoding import Tokens
from .network import parameter_groups
from .objectives import Objective

__all__ = ["Recipe", "best_device", "learn_net", "predict_net"]

_LARGEST_STEP = 1.0  # norm of a gradient; longer ones are cut


@dataclass(frozen=True)
class Recipe:
    "How a language model is trained."

    epochs: int
    lr: float  # largest learning rate, of the head and the last layer
    bs: int  # rows an optimizer step
    accum: int = 1  # batches a step
    wd: float = 0.01
    warmup: float = 0.1  # share of the steps in which the rate rises
    llrd: float = 1.0
    freeze: int = 0
    precision: str = "auto"
    seed: int = 42


def best_device() -> Any:
    "Return the GPU if there is one."
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolved_precision(asked: str, device: Any) -> str:
    "Return fp32, bf16 or fp16: what the hardware multiplies fastest in."
    import torch

    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    return "bf16" if cpu_has_bf16() else "fp32"


def learn_net(
    make: Callable[[], Any], tokens: Tokens, objective: Objective, recipe: Recipe
) -> tuple[Any, dict[str, Any]]:
    "Return the trained network and notes on how it went; out of memory it starts once more with half the batch and twice the accumulation."
    import torch

    try:
        return _learn_words(make(), tokens, objective, recipe)
    except (torch.OutOfMemoryError, RuntimeError) as e:
        if not is_out_of_memory(e) or recipe.bs // recipe.accum < 2:
            raise
    clear_memory()
    net, notes = _learn_words(make(), tokens, objective, replace(recipe, accum=recipe.accum * 2))
    return net, {
        **notes,
        "out_of_memory": f"at {recipe.bs // recipe.accum} rows a batch; done with half of them, accumulated",
    }


def _learn_words(
    net: Any, tokens: Tokens, objective: Objective, recipe: Recipe
) -> tuple[Any, dict[str, Any]]:
    "Train with the embeddings of the words that occur: the others' gradients and steps are zeros, and cost a fifth of a small model's time."
    with only_words(net, np.append(tokens.flat, tokens.pad)):
        return _learn(net, tokens, objective, recipe)


def _learn(
    net: Any, tokens: Tokens, objective: Objective, recipe: Recipe
) -> tuple[Any, dict[str, Any]]:
    import torch

    start, device = time.perf_counter(), next(net.parameters()).device
    half, rng = resolved_precision(recipe.precision, device), np.random.default_rng(recipe.seed)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    targs = torch.from_numpy(objective.targs).to(device)
    optimizer = torch.optim.AdamW(
        parameter_groups(net, lr=recipe.lr, llrd=recipe.llrd, wd=recipe.wd, freeze=recipe.freeze),
        lr=recipe.lr,
        fused=True,
    )
    learned = [p for group in optimizer.param_groups for p in group["params"]]
    scaler = torch.amp.GradScaler(device.type, enabled=half == "fp16")
    n_steps = recipe.epochs * math.ceil(
        math.ceil(len(tokens) / (recipe.bs // recipe.accum)) / recipe.accum
    )
    rates = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _share_of_rate(step, n_steps, recipe.warmup)
    )
    net.train()
    for epoch in range(recipe.epochs):
        batches = shuffled(tokens.lengths, recipe.bs // recipe.accum, rng)
        for first in range(0, len(batches), recipe.accum):  # one optimizer step
            part = batches[first : first + recipe.accum]
            n_rows = sum(map(len, part))
            for rows, inputs in on_device(tokens, part, device):
                with autocast(half, device):
                    answer = net(*inputs)
                loss = objective.loss(answer.float(), targs[torch.from_numpy(rows).to(device)])
                scaler.scale(loss * (len(rows) / n_rows)).backward()
            scaler.unscale_(optimizer)
            norm = torch.nn.utils.get_total_norm([p.grad for p in learned if p.grad is not None])
            if (
                device.type == "cuda" or norm > _LARGEST_STEP
            ):  # a GPU would wait for the answer, a CPU would multiply all gradients by one
                torch.nn.utils.clip_grads_with_norm_(learned, _LARGEST_STEP, norm)
            scaler.step(optimizer)
            scaler.update()
            rates.step()
            optimizer.zero_grad()
            progress.report(
                epoch + min(first + recipe.accum, len(batches)) / len(batches),
                recipe.epochs,
                f"epoch {epoch + 1}/{recipe.epochs}",
            )
    notes: dict[str, Any] = {"train_s": round(time.perf_counter() - start, 3), "precision": half}
    if device.type == "cuda":
        notes["gpu_peak_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return net.eval(), notes


def predict_net(
    net: Any,
    tokens: Tokens,
    *,
    bs: int,  # rows at once
    precision: str = "auto",
) -> Array:
    "Return the network's (n, n_out) raw answers."
    import torch

    device = next(net.parameters()).device
    half, answers = resolved_precision(precision, device), []
    batches = in_order(tokens.lengths, bs)
    with (
        torch.inference_mode(),
        autocast(half, device),
    ):  # of all batches, so that it brings the weights to half precision once
        for _, inputs in on_device(tokens, batches, device):
            answers.append(net(*inputs).float())
    if not answers:
        return np.empty((0, 0), dtype=np.float32)
    sorted_answers = torch.cat(answers).cpu().numpy()
    out = np.empty_like(sorted_answers)
    out[np.concatenate(batches)] = sorted_answers
    return out


def _share_of_rate(step: int, n_steps: int, warmup: float) -> float:
    "Rises linearly, then falls along a cosine to zero."
    rising = max(1, round(warmup * n_steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, n_steps - rising))))
