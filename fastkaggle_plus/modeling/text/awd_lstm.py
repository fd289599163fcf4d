"""fastai's text learner (AWD-LSTM, as in ULMFiT): first a language model of the texts, then a classifier or regressor on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ...data import Table
from .. import progress
from ..fastai_learner import epoch_callback, import_fastai
from ..hyperparameters import check_range, check_whole
from ..model import Array, FittedFunction, Model, class_columns
from ..seeding import repeatable
from .awd_words import SPECIAL, Words
from .columns import chosen_texts
from .static_vectors import NarrowVectors, load_vectors
from .weights import default_arch, find_weights
from .wikitext import Wikitext, fetch_wikitext, find_wikitext

PRELOAD = ("torch", "fastai.text.all")

_SMALL = {
    "emb_sz": 96,
    "n_hid": 192,
    "n_layers": 2,
}  # without pretrained weights: what a few thousand texts can teach
_DEVIATION = 0.3  # of the words' vectors at the start


def awd_lstm_model(
    columns: Sequence[
        str
    ] = (),  # text columns; () = all. They are joined by fastai's field markers
    *,
    lm_epochs: int = 2,  # of the language model, on the texts alone
    lm_lr: float = 1e-2,  # its learning rate where it starts at random; a fifth of it where the words are known
    freeze_epochs: int = 1,  # of each step of the gradual unfreezing: the head, then a layer more, then another
    epochs: int = 6,  # of the whole network after that
    lr: float = 1e-2,  # largest learning rate of the head
    spread: float = 2.6,  # each layer learns so many times slower than the one above
    bs: int = 64,  # texts in a batch
    seq_len: int = 72,  # tokens that gradients go back
    drop_mult: float = 0.2,  # strength of all kinds of dropout
    wd: float = 0.1,  # weight decay
    min_freq: int = 1,  # how often a word must be there to be in the vocabulary
    max_vocab: int = 60_000,  # words
    max_len: int = 512,  # tokens of a row that are read
    pretrained: bool
    | None = None,  # start from wikitext-103's weights. None: if they are on this machine; True: download them if they are not
    vectors: str
    | None = "",  # else words start from static vectors, see static_text_model; "": if they are on this machine; None: at random
    seed: int = 42,
) -> Model:
    """Return fastai's text learner: a language model fine-tuned on the texts of the rows to fit, then its encoder with a head, unfrozen step by step.

    Without pretrained weights it is a smaller network that knows but the words' vectors, also those of words that come with the rows to predict;
    `about["fits"]` of the predictions says which it was. Raises WeightsMissing for what was asked for and is not there, ConfigError for numbers that
    cannot be, MissingExtra, and DataError for a table without texts.
    Source: Howard and Ruder, Universal Language Model Fine-tuning (2018); fastai's tutorial of text transfer learning.
    """
    check_whole(0, lm_epochs=lm_epochs, freeze_epochs=freeze_epochs, epochs=epochs, seed=seed)
    check_whole(1, bs=bs, seq_len=seq_len, min_freq=min_freq, max_vocab=max_vocab, max_len=max_len)
    check_range(0, lm_lr=lm_lr, lr=lr, wd=wd)
    check_range(0.01, drop_mult=drop_mult)  # fastai's net needs some
    check_range(1, spread=spread)
    about = dict(
        columns=list(columns),
        lm_epochs=lm_epochs,
        lm_lr=lm_lr,
        freeze_epochs=freeze_epochs,
        epochs=epochs,
        lr=lr,
        spread=spread,
        bs=bs,
        seq_len=seq_len,
        drop_mult=drop_mult,
        wd=wd,
        min_freq=min_freq,
        max_vocab=max_vocab,
        max_len=max_len,
        pretrained=pretrained,
        vectors=vectors,
        seed=seed,
    )

    def fit(table: Table) -> FittedText:
        texts = chosen_texts(table, columns)
        import_fastai("text")
        wikitext = (
            None if pretrained is False else fetch_wikitext() if pretrained else find_wikitext()
        )
        words = Words(texts, min_freq=min_freq, max_vocab=max_vocab, max_len=max_len)
        rows, answers = words(texts), _Answers(table)
        start = _start_of(words, vectors) if wikitext is None else None
        learning = _Learning(list(words.vocab), wikitext, start, bs, seq_len, drop_mult, wd)
        n_steps = 2 + (
            2 if freeze_epochs else 0
        )  # the language model, two of the unfreezing, the whole
        threads = (
            1 if wikitext is None else None
        )  # several wait for each other on so small a network
        with repeatable(seed, threads=threads):
            with progress.step(0, n_steps, "step"):
                language = learning.language_model(rows, lm_epochs, lm_lr)
            learn = learning.with_head(language, rows, answers)
            for k in range(1, n_steps):
                whole = k == n_steps - 1
                learn.unfreeze() if whole else learn.freeze_to(-k)
                with progress.step(k, n_steps, "step"):
                    _fit(
                        learn,
                        epochs if whole else freeze_epochs,
                        lr / (1 if k == 1 and not whole else 2),
                        spread,
                    )
        net = learn.model.eval()

        def predict(some: Table) -> Array:
            texts = chosen_texts(some, columns)
            if start is not None and (new := words.add(texts)):
                _grow(net, start(new))
            with repeatable(seed, threads=threads):
                out = _outputs(net, words(texts), bs, seq_len, answers.n_out)
            return answers.decode(out, some)

        notes = {
            "weights": wikitext.origin if wikitext else "none",
            "vectors": start.vectors.origin if start else "none",
            "vocab": len(words.vocab),
        }
        return FittedText(predict, estimator=learn, notes=notes)

    return Model("AWD-LSTM", fit, about)


@dataclass
class FittedText(FittedFunction):
    "A fitted text learner."

    notes: dict[str, Any] = field(default_factory=dict)  # for records


class _Answers:
    "Targets as the network learns them: class codes that are there, or values scaled to mean 0 and deviation 1."

    def __init__(self, table: Table):
        targs = np.asarray(table.targs)
        self.classes = np.unique(targs) if table.vocab else None
        self.low, self.high = targs.min(0), targs.max(0)
        self.center: Any = 0.0 if table.vocab else targs.mean(0)
        self.scale: Any = 1.0 if table.vocab else targs.std(0) + 1e-9
        self.wanted: Array = (
            ((targs - self.center) / self.scale).reshape(len(targs), -1).astype(np.float32)
            if self.classes is None
            else np.searchsorted(self.classes, targs)
        )
        self.n_out = self.wanted.shape[1] if self.classes is None else len(self.classes)

    def decode(self, out: Any, rows: Table) -> Array:
        if self.classes is None:
            values: Array = np.clip(out.numpy() * self.scale + self.center, self.low, self.high)
            return values
        return class_columns(out.softmax(1).numpy(), self.classes, rows)


@dataclass(frozen=True)
class _Learning:
    "fastai's two learners, alike in what both need."

    vocab: list[str]
    wikitext: Wikitext | None
    start: NarrowVectors | None
    bs: int
    seq_len: int
    drop_mult: float
    wd: float

    def language_model(self, rows: list[list[int]], epochs: int, lr: float) -> Any:
        "Return a learner that guesses each next word."
        import torch

        fastai = import_fastai("text")
        n_tokens = sum(map(len, rows))
        dl = fastai.LMDataLoader(
            [torch.tensor(r) for r in rows],
            lens=[len(r) for r in rows],
            bs=max(1, min(self.bs, n_tokens // self.seq_len)),
            seq_len=self.seq_len,
            shuffle=True,
            device=fastai.default_device(),
        )
        learn = self._quiet(
            fastai.language_model_learner(
                self._loaders(dl),
                fastai.AWD_LSTM,
                config=self._config(fastai.awd_lstm_lm_config),
                drop_mult=self.drop_mult,
                pretrained=False,
                wd=self.wd,
            )
        )
        if self.start is not None:
            known = [i for i, word in enumerate(self.vocab) if not word.startswith(SPECIAL)]
            with torch.no_grad():
                learn.model[0].encoder.weight[known] = torch.from_numpy(
                    self.start([self.vocab[i] for i in known])
                ).to(fastai.default_device())
        if self.wikitext is not None:
            learn.load_pretrained(
                self.wikitext.weights, self.wikitext.vocab
            )  # frozen but for the words
            if epochs:
                learn.fit_one_cycle(1, 2 * lr)
            learn.unfreeze()
        if epochs:
            learn.fit_one_cycle(
                epochs,
                lr if self.wikitext is None and self.start is None else lr / 5,
                cbs=epoch_callback(epochs),
            )
        return learn

    def with_head(self, language: Any, rows: list[list[int]], answers: _Answers) -> Any:
        "Return a learner of the answers, whose encoder is the language model's."
        import torch

        fastai = import_fastai("text")
        at = np.resize(np.arange(len(rows)), max(2, len(rows)))  # batch norm needs two
        items = [(fastai.TensorText(rows[i]), torch.as_tensor(answers.wanted[i])) for i in at]
        dl = fastai.SortedDL(
            items,
            res=[len(rows[i]) for i in at],
            bs=min(self.bs, len(items)),
            shuffle=True,
            drop_last=True,
            num_workers=0,
            before_batch=partial(fastai.pad_input_chunk, seq_len=self.seq_len),
            device=fastai.default_device(),
        )
        loss = fastai.MSELossFlat() if answers.classes is None else fastai.CrossEntropyLossFlat()
        learn = self._quiet(
            fastai.text_classifier_learner(
                self._loaders(dl),
                fastai.AWD_LSTM,
                seq_len=self.seq_len,
                config=self._config(fastai.awd_lstm_clas_config),
                pretrained=False,
                drop_mult=self.drop_mult,
                n_out=answers.n_out,
                max_len=None,
                loss_func=loss,
                wd=self.wd,
            )
        )
        learn.model[0].module.load_state_dict(language.model[0].state_dict())
        return learn

    def _config(self, config: dict[str, Any]) -> dict[str, Any]:
        return config.copy() if self.wikitext is not None else {**config, **_SMALL}

    def _loaders(self, dl: Any) -> Any:
        no_rows: list[Any] = []  # to validate on: the folds do that
        dls = import_fastai("text").DataLoaders(dl, no_rows)
        dls.vocab = self.vocab
        return dls

    def _quiet(self, learn: Any) -> Any:
        fastai = import_fastai("text")
        learn.remove_cbs(
            [cb for cb in learn.cbs if isinstance(cb, (fastai.ProgressCallback, fastai.Recorder))]
        )  # who listens hears the epochs
        return learn


def _start_of(words: Words, vectors: str | None) -> NarrowVectors | None:
    "What the words' vectors are at the start; None: random."
    known = [word for word in words.vocab if not word.startswith(SPECIAL)]
    at_hand = vectors or (
        vectors is not None
        and (found := find_weights(default_arch())) is not None
        and found.folder is not None
    )
    return (
        NarrowVectors(
            load_vectors(vectors or ""), known, width=_SMALL["emb_sz"], deviation=_DEVIATION
        )
        if at_hand and known
        else None
    )


def _grow(net: Any, more: Array) -> None:
    "Give a trained network the vectors of words that it has not met."
    import torch

    encoder = net[0].module.encoder
    encoder.weight = torch.nn.Parameter(
        torch.cat([encoder.weight.detach(), torch.from_numpy(more).to(encoder.weight.device)])
    )


def _fit(learn: Any, epochs: int, lr: float, spread: float) -> None:
    if epochs:
        learn.create_opt()
        learn.fit_one_cycle(
            epochs,
            slice(lr / spread ** (len(learn.opt.param_lists) - 1), lr),
            cbs=epoch_callback(epochs),
        )


def _outputs(net: Any, rows: list[list[int]], bs: int, seq_len: int, n_out: int) -> Any:
    "Return what the network says of each row, longest first in its batches as the encoder wants them."
    import torch

    fastai = import_fastai("text")
    device, out = next(net.parameters()).device, torch.empty(len(rows), n_out, dtype=torch.double)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    with torch.no_grad():
        for start in range(0, len(rows), 2 * bs):
            at = order[start : start + 2 * bs]
            padded = fastai.pad_input_chunk([(torch.tensor(rows[i]),) for i in at], seq_len=seq_len)
            out[at] = net(torch.stack([p for (p,) in padded]).to(device))[0].double().cpu()
    return out
