"""Compare fine-tuning a small language model in three ways, as ratios measured in one run.

plain   the course's recipe (Getting started with NLP) with transformers' Trainer and its defaults:
        dropout, full precision on a CPU and fp16 on a GPU. Rows are padded to 128 tokens, as a
        beginner does, and to the longest of the batch, as the default collator does
ours    text_model, from the texts to a fitted model and to predictions; it includes loading,
        tokenising and sorting
floor   only forward, backward and step, in the faster of full and half precision, with a fused
        optimizer and no dropout, on tensors that were tokenised, sorted by length and padded
        before the measurement. Once with the embeddings of the tokens that occur, as ours trains
        them, and once with all of them

    python tests/benchmarks/text_model.py [--seeds 3] [--epochs 3] [--rows 3000]

All begin with the same weights (MiniLM from a package), read the same texts and train with the same
batch size and number of epochs. The pairs are the rehearsal's phrase bank: the correlations are not
those of the patents. They are measured on the rows of one fold, whose anchors were not trained on.
The padding does not change predictions, so the plain correlation is measured with the collator's
padding, and one epoch measures the speed of the other.
"""

import argparse
import inspect
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastkaggle_plus import load_comp, make_folds
from fastkaggle_plus.data import Table

SLUG = "us-patent-phrase-to-phrase-matching"
ARCH = "sentence-transformers/all-MiniLM-L6-v2"
STYLE = "TEXT1: {title}; TEXT2: {target}; ANC1: {anchor}"
LR, BS, MAX_LEN, WD, WARMUP = 8e-5, 32, 128, 0.01, 0.1
N_WARM = 2 * BS  # rows that a first, unmeasured call learns


def read_rows(folder: Path, n: int) -> tuple[Table, Table]:
    """Return the rows to learn and a fifth to validate on, with no anchor in both."""
    comp = load_comp(SLUG)
    bundle = comp.module("rehearsal").make(folder, seed=42)
    data = comp.read(next(Path(bundle).rglob("train.csv")).parent)
    table, groups = data.train, data.groups
    valid = (
        make_folds(
            table.targs, kind="stratified-group", groups=groups, n_folds=5, seed=42
        ).assignment
        == 0
    )
    order = np.random.default_rng(0).permutation(len(table))[:n]
    return table.take(order[~valid[order]]), table.take(order[valid[order]])


def synchronized() -> float:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    start = synchronized()
    answer = run()
    return synchronized() - start, answer


class Plain:
    """The course's notebook: all rows tokenised at once, and a Trainer."""

    def __init__(self, folder: Path, padding: bool | str, seed: int, epochs: int, out: Path):
        import torch
        from transformers import AutoTokenizer, TrainingArguments

        self.folder, self.padding, self.tokenizer = (
            folder,
            padding,
            AutoTokenizer.from_pretrained(str(folder)),
        )
        self.seed = seed
        known = inspect.signature(TrainingArguments).parameters
        renamed = {
            "warmup_ratio" if "warmup_ratio" in known else "warmup_steps": WARMUP
        }  # below 1 it is a share, since 5.2
        self.args = TrainingArguments(
            str(out),
            learning_rate=LR,
            lr_scheduler_type="cosine",
            fp16=torch.cuda.is_available(),
            num_train_epochs=epochs,
            per_device_train_batch_size=BS,
            per_device_eval_batch_size=2 * BS,
            weight_decay=WD,
            report_to="none",
            seed=seed,
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            **renamed,
        )

    def rows(self, table: Table) -> list[dict[str, Any]]:
        texts = [STYLE.format(**row) for row in table.texts.to_dict("records")]
        encoded = self.tokenizer(texts, padding=self.padding, max_length=MAX_LEN, truncation=True)
        columns = {**encoded, "labels": [float(t) for t in table.targs.reshape(-1)]}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def fit(self, table: Table) -> "Plain":
        from transformers import (
            AutoModelForSequenceClassification,
            PrinterCallback,
            Trainer,
            set_seed,
        )

        set_seed(self.seed)
        net = AutoModelForSequenceClassification.from_pretrained(str(self.folder), num_labels=1)
        taken = inspect.signature(Trainer).parameters
        tokenizer = {
            "processing_class" if "processing_class" in taken else "tokenizer": self.tokenizer
        }
        self.trainer = Trainer(net, self.args, train_dataset=self.rows(table), **tokenizer)
        self.trainer.remove_callback(PrinterCallback)
        self.trainer.train()
        return self

    def predict(self, table: Table) -> np.ndarray:
        return self.trainer.predict(self.rows(table)).predictions.clip(0, 1)


class Floor:
    """The minimum: a plain loop over tensors that are ready."""

    def __init__(self, folder: Path, table: Table):
        import torch

        from fastkaggle_plus.modeling.text.batches import in_order
        from fastkaggle_plus.modeling.text.encoding import Encoder
        from fastkaggle_plus.modeling.text.loading import load_tokenizer
        from fastkaggle_plus.modeling.text.network import make_net
        from fastkaggle_plus.modeling.text.objectives import Objective
        from fastkaggle_plus.modeling.text.training import best_device, resolved_precision

        self.device, objective = best_device(), Objective(table)
        self.half = resolved_precision("auto", self.device)
        self.tokens = Encoder(load_tokenizer(folder), STYLE, max_len=MAX_LEN)(table.texts)
        self.make = lambda: make_net(
            folder, objective.n_out, bias=objective.bias, device=self.device
        )

        def ready(bs: int) -> list[tuple[Any, Any]]:
            def there(*parts: Any) -> tuple[Any, ...]:
                return tuple(torch.from_numpy(part).to(self.device) for part in parts)

            return [
                (there(*self.tokens.padded(rows)), *there(objective.targs[rows]))
                for rows in in_order(self.tokens.lengths, bs)
            ]

        self.train_batches, self.large_batches = ready(BS), ready(4 * BS)

    def train(self, *, all_words: bool) -> float:
        """Return the seconds of an epoch."""
        from contextlib import nullcontext

        import torch

        from fastkaggle_plus.modeling.hardware import autocast
        from fastkaggle_plus.modeling.text.embedding_trim import trimmed_embeddings

        net = self.make().train()
        with nullcontext() if all_words else trimmed_embeddings(net, self.tokens.flat):
            optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WD, fused=True)
            scaler = torch.amp.GradScaler(self.device.type, enabled=self.half == "fp16")

            def steps(batches: list[tuple[Any, Any]]) -> None:
                for inputs, targs in batches:
                    with autocast(self.half, self.device):
                        answer = net(*inputs)
                    scaler.scale(torch.nn.functional.mse_loss(answer.float(), targs)).backward()
                    scaler.step(optimizer)
                    scaler.update()
                    optimizer.zero_grad()

            steps(self.train_batches[:2])
            return seconds(lambda: steps(self.train_batches))[0]

    def predict(self) -> float:
        """Return the seconds of an answer to each row."""
        import torch

        from fastkaggle_plus.modeling.hardware import autocast

        net = self.make().eval()

        def answers(batches: list[tuple[Any, Any]]) -> None:
            with torch.inference_mode():
                for inputs, _ in batches:
                    with autocast(self.half, self.device):
                        net(*inputs)

        answers(self.large_batches[:1])
        return seconds(lambda: answers(self.large_batches))[0]


def correlation(preds: np.ndarray, table: Table) -> float:
    return float(np.corrcoef(preds.reshape(-1), table.targs.reshape(-1))[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="of training; the split is the same")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000, help="a fifth of them to validate on")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["HF_HUB_OFFLINE"] = "1"  # a benchmark downloads nothing
    import torch
    from transformers.utils import logging

    from fastkaggle_plus.modeling import text_model
    from fastkaggle_plus.modeling.text.weights import fetch_weights

    torch.set_num_threads(asked.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = fetch_weights(ARCH).folder
    with tempfile.TemporaryDirectory() as tmp:
        learn, valid = read_rows(Path(tmp), asked.rows)

        def plain(padding: bool | str, seed: int, epochs: int = asked.epochs) -> Plain:
            return Plain(folder, padding, seed, epochs, Path(tmp) / "out")

        def ours(seed: int, epochs: int = asked.epochs) -> Any:
            return text_model(
                ARCH, STYLE, epochs, lr=LR, bs=BS, max_len=MAX_LEN, wd=WD, warmup=WARMUP, seed=seed
            )

        first = learn.take(np.arange(N_WARM))
        for side in (plain(True, 0, 1), ours(0, 1)):
            side.fit(first).predict(first)
        floor = Floor(folder, learn)
        train: dict[str, list[float]] = {}  # pairs a second
        answer: dict[str, list[float]] = {}
        pearson: dict[str, list[float]] = {"plain": [], "ours": []}

        def note(times: dict[str, list[float]], side: str, n_pairs: int, took: float) -> None:
            times.setdefault(side, []).append(n_pairs / took)

        def measure(side: str, model: Any, epochs: int) -> np.ndarray:
            took, fitted = seconds(lambda: model.fit(learn))
            note(train, side, len(learn) * epochs, took)
            took, preds = seconds(lambda: fitted.predict(valid))
            note(answer, side, len(valid), took)
            return preds

        for seed in range(asked.seeds):
            note(train, "floor", len(learn), floor.train(all_words=False))
            note(train, "floor, all words", len(learn), floor.train(all_words=True))
            note(answer, "floor", len(learn), floor.predict())
            pearson["ours"].append(correlation(measure("ours", ours(seed), asked.epochs), valid))
            pearson["plain"].append(
                correlation(measure("plain, longest", plain(True, seed), asked.epochs), valid)
            )
            if seed == 0:
                measure("plain, 128 tokens", plain("max_length", seed, 1), 1)
            print(
                f"seed {seed}: "
                + ", ".join(f"{side} {pace[-1]:.0f}" for side, pace in train.items())
                + " pairs/s",
                file=sys.stderr,
                flush=True,
            )
    report(learn, valid, asked, train, answer, pearson)


def report(
    learn: Table,
    valid: Table,
    asked: argparse.Namespace,
    train: dict[str, list[float]],
    answer: dict[str, list[float]],
    pearson: dict[str, list[float]],
) -> None:
    print(
        f"text model: {ARCH}; {len(learn)} pairs learned, {len(valid)} of other anchors held out; "
        f"{asked.epochs} epochs, {BS} pairs a batch; {asked.threads} threads, {asked.seeds} seed(s)"
    )
    for what, paces in (("training", train), ("inference", answer)):
        pace = {side: float(np.mean(values)) for side, values in paces.items()}
        print(
            f"{what}, pairs a second: "
            + ", ".join(f"{side} {value:.0f}" for side, value in pace.items())
        )
        ratios = [
            f"ours takes {pace[side] / pace['ours']:.2f} x the {side}"
            for side in pace
            if side.startswith("floor")
        ]
        ratios += [
            f"{side} takes {pace['ours'] / pace[side]:.2f} x ours"
            for side in pace
            if side.startswith("plain")
        ]
        print(f"  {'; '.join(ratios)}")
    shown = {
        side: f"{np.mean(values):.4f} ± {np.std(values, ddof=min(1, len(values) - 1)):.4f}"
        for side, values in pearson.items()
    }
    print(
        f"Pearson on the held-out pairs, mean ± sd of {asked.seeds} seeds: {shown['ours']} ours, "
        f"{shown['plain']} plain"
    )


if __name__ == "__main__":
    main()
