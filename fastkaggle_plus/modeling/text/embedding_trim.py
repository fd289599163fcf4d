"""Embeddings of the words that occur: only they are learned, and a vocabulary of others is most of a small model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..model import Array

__all__ = ["only_words"]


@contextlib.contextmanager
def only_words(
    net: Any,  # with its language model in `body`
    numbers: Array,  # of the tokens that it will read
) -> Iterator[None]:
    """Let the network have embeddings of these tokens alone while it learns; afterwards it has all of them again.

    Nothing else learns otherwise: a token that is not read has no gradient. What is left to it is the decay of its weights, which one more embedding, that
    nobody reads either, goes through for all of them. Embeddings that are shared, or of a kind of their own, stay as they are.
    """
    import torch

    whole = net.body.get_input_embeddings()
    places = [name for name, module in net.named_modules(remove_duplicate=False) if module is whole]
    n_shared = sum(
        parameter is whole.weight for _, parameter in net.named_parameters(remove_duplicate=False)
    )
    if type(whole) is not torch.nn.Embedding or len(places) != 1 or n_shared != 1:
        yield
        return
    parent, _, name = places[0].rpartition(".")
    is_read = torch.zeros(whole.num_embeddings, dtype=torch.bool)
    is_read[torch.from_numpy(np.unique(numbers))] = True
    if whole.padding_idx is not None:
        is_read[whole.padding_idx] = True  # it has a place, and never a gradient
    few = _few(whole, is_read.to(whole.weight.device))
    setattr(net.get_submodule(parent), name, few)
    try:
        yield
    finally:
        setattr(net.get_submodule(parent), name, whole)
        with torch.no_grad():
            whole.weight.mul_(few.weight[-1, 0])
            whole.weight[few.is_read] = few.weight[:-1]


def _few(whole: Any, is_read: Any) -> Any:
    import torch

    place = is_read.cumsum(0) - 1  # of each token that is read
    unread = torch.ones_like(
        whole.weight[:1]
    )  # begins as 1 and ends as the share that the decay leaves
    pad = None if whole.padding_idx is None else int(place[whole.padding_idx])

    class FewWords(torch.nn.Embedding):
        "Embeddings of some tokens, looked up by the numbers that they have among all."

        def __init__(self) -> None:
            weight = torch.cat([whole.weight.detach()[is_read], unread])
            super().__init__(len(weight), weight.shape[1], pad, _weight=weight)
            self.is_read = is_read

        def forward(self, tokens: Any) -> Any:
            "Return the tokens' embeddings."
            return super().forward(place[tokens])

    return FewWords()
