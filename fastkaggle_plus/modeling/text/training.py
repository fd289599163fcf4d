"""Train a language model and predict with it, in half precision if possible (imports torch)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from .. import epochs, progress
from ..hardware import autocast, cpu_has_bf16, gpu_precision, train_with_retry
from ..learning_rate import stop_at_steps
from ..model import Array, Fitted
from .batches import in_order, on_device, shuffled
from .embedding_trim import trimmed_embeddings
from .encoding import Tokens
from .network import parameter_groups
from .objectives import Objective

_MAX_GRADIENT_NORM = 1.0  # larger gradients are scaled down
_STEPS = 300  # optimizer steps if no epochs are declared: fewer learn little, whatever the rows
_LEAST_EPOCHS = 2  # of many rows, if none are declared
_CPU_WORK = 0.95e12  # tokens x weights of a fit on a CPU: about 45 s; one epoch may be more


@dataclass(frozen=True)
class TextTrainingSettings:
    """Settings of a language model's training."""

    epochs: int | None  # None: see `default_epochs`
    lr: float  # largest learning rate, of the head and the last layer
    bs: int  # rows per optimizer step
    accum: int = 1  # batches per step
    wd: float = 0.01
    warmup: float = 0.1  # share of the steps in which the rate rises
    llrd: float = 1.0
    freeze: int = 0
    precision: str = "auto"
    seed: int = 42


def best_device() -> torch.device:
    """Return the GPU, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_epochs(
    tokens: Tokens,
    bs: int,  # rows per optimizer step
    *,
    n_weights: int,  # of the network, without its embeddings
    has_gpu: bool,
) -> int:
    """Return the epochs of 300 steps, at least two. A CPU gets fewer where they take too long."""
    n = max(_LEAST_EPOCHS, math.ceil(_STEPS / math.ceil(len(tokens) / bs)))
    if has_gpu:
        return n
    return max(1, min(n, int(_CPU_WORK / (n_weights * len(tokens.flat)))))


def resolved_precision(precision: str, device: torch.device) -> str:
    """Return fp32, bf16 or fp16; for auto, the fastest that the hardware supports."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return gpu_precision(device)
    return "bf16" if cpu_has_bf16() else "fp32"


def train_net(
    make: Callable[[], Any],  # returns a new network
    tokens: Tokens,
    objective: Objective,
    settings: TextTrainingSettings,
    *,
    fitted: Callable[[Any], Fitted],  # net -> the model, to validate it after an epoch
    validated: Tokens | None = None,  # of the rows that epochs are validated on
) -> tuple[Any, dict[str, Any]]:
    """Return the trained network and notes on the training; see `train_with_retry`."""
    parts = [part.flat for part in (tokens, validated) if part is not None]
    tokens_read = np.append(np.concatenate(parts), tokens.pad)

    def train(settings: TextTrainingSettings) -> tuple[Any, dict[str, Any]]:
        net = make()
        if settings.epochs is None:
            settings = replace(settings, epochs=_epochs_for(net, tokens, settings.bs))
        with trimmed_embeddings(net, tokens_read):
            return _train(net.train(), tokens, objective, settings, fitted)

    return train_with_retry(train, settings, least_bs=1)


def _epochs_for(net: Any, tokens: Tokens, bs: int) -> int:
    embeddings = net.body.get_input_embeddings().weight
    n_weights = sum(p.numel() for p in net.parameters()) - embeddings.numel()
    has_gpu = embeddings.device.type == "cuda"
    return default_epochs(tokens, bs, n_weights=n_weights, has_gpu=has_gpu)


def _train(
    net: Any,
    tokens: Tokens,
    objective: Objective,
    settings: TextTrainingSettings,
    fitted: Callable[[Any], Fitted],
) -> tuple[Any, dict[str, Any]]:
    assert settings.epochs is not None  # resolved
    device = next(net.parameters()).device
    precision = resolved_precision(settings.precision, device)
    rng = np.random.default_rng(settings.seed)
    accum, batch_size = settings.accum, settings.bs // settings.accum
    targs = torch.from_numpy(objective.targs).to(device)
    groups = parameter_groups(
        net, lr=settings.lr, llrd=settings.llrd, wd=settings.wd, freeze=settings.freeze
    )
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, fused=True)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    n_steps = settings.epochs * math.ceil(math.ceil(len(tokens) / batch_size) / accum)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rate(step, n_steps, settings.warmup)
    )

    def step(part: list[Array]) -> list[Any]:
        """Take one optimizer step, and return the losses of its batches."""
        n_rows, losses = sum(map(len, part)), []
        for rows, inputs in on_device(tokens, part, device):
            with autocast(precision, device):
                outputs = net(*inputs)
            loss = objective.loss(outputs.float(), targs[torch.from_numpy(rows).to(device)])
            losses.append(loss.detach())
            scaler.scale(loss * (len(rows) / n_rows)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None])
        # comparing the norm would make a GPU wait; on a CPU it saves scaling by one
        if device.type == "cuda" or norm > _MAX_GRADIENT_NORM:
            torch.nn.utils.clip_grads_with_norm_(trained, _MAX_GRADIENT_NORM, norm)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        return losses

    stop_at_steps(_steps_at_rates(step, optimizer, tokens, batch_size, accum=accum, rng=rng))
    for epoch in range(settings.epochs):
        batches, losses = shuffled(tokens.lengths, batch_size, rng), []
        for first in range(0, len(batches), accum):
            losses += step(batches[first : first + accum])
            schedule.step()
            done = epoch + min(first + accum, len(batches)) / len(batches)
            progress.report(done, settings.epochs, f"epoch {epoch + 1}/{settings.epochs}")
        if epochs.are_due(epoch + 1, settings.epochs):
            model, loss = fitted(net.eval()), objective.loss_of_predictions()
            epochs.report(epoch + 1, settings.epochs, losses, model, loss=loss)
            net.train()
    return net.eval(), {"precision": precision, "epochs": settings.epochs, "steps": n_steps}


def _steps_at_rates(
    step: Callable[[list[Array]], list[Any]],
    optimizer: Any,
    tokens: Tokens,
    batch_size: int,
    *,
    accum: int,
    rng: np.random.Generator,
) -> Callable[[float], float]:
    """Return a step at a given rate of the head, on the next batches, for `lr_find`."""
    waiting: list[Array] = []
    shares = [group["initial_lr"] for group in optimizer.param_groups]

    def step_at(lr: float) -> float:
        if not waiting:
            waiting.extend(shuffled(tokens.lengths, batch_size, rng))
        part, waiting[:accum] = waiting[:accum], []
        for group, share in zip(optimizer.param_groups, shares, strict=True):
            group["lr"] = lr * share / max(shares)
        return float(torch.stack(step(part)).mean())

    return step_at


def predict_net(
    net: Any,
    tokens: Tokens,
    *,
    bs: int,  # rows per batch
    precision: str = "auto",
) -> Array:
    """Return the network's (n, n_out) raw outputs."""
    device, outputs = next(net.parameters()).device, []
    batches = in_order(tokens.lengths, bs)
    if not batches:
        return np.empty((0, 0), dtype=np.float32)
    # one autocast block for all batches, so that weights are cast to half precision once
    with torch.inference_mode(), autocast(resolved_precision(precision, device), device):
        for _, inputs in on_device(tokens, batches, device):
            outputs.append(net(*inputs).float())
    by_length = torch.cat(outputs).cpu().numpy()
    preds = np.empty_like(by_length)
    preds[np.concatenate(batches)] = by_length
    return preds


def _rate(step: int, n_steps: int, warmup: float) -> float:
    """Return the share of the largest rate: a linear rise, then a cosine down to zero."""
    n_rising = max(1, round(warmup * n_steps))
    if step < n_rising:
        return (step + 1) / n_rising
    share = min(1.0, (step - n_rising) / max(1, n_steps - n_rising))
    return 0.5 * (1 + math.cos(math.pi * share))
