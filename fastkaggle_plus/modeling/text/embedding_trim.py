"""Train only the embeddings of tokens that occur, a small part of all (imports torch)."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..model import Array


@contextlib.contextmanager
def trimmed_embeddings(
    net: Any,  # a LanguageNet
    tokens: Array,  # numbers of all tokens that it reads in the block
) -> Iterator[None]:
    """Give the network only the embeddings of these tokens in this block, and all of them after it.

    The trained weights are the same as without it: an unused token has no gradient. It only decays,
    and one extra embedding records that decay. Shared or unusual embeddings stay as they are.
    """
    whole = net.body.get_input_embeddings()
    paths = [path for path, module in net.named_modules(remove_duplicate=False) if module is whole]
    weights = [p for _, p in net.named_parameters(remove_duplicate=False) if p is whole.weight]
    if type(whole) is not torch.nn.Embedding or len(paths) != 1 or len(weights) != 1:
        yield
        return
    is_used = torch.zeros(whole.num_embeddings, dtype=torch.bool)
    is_used[torch.from_numpy(np.unique(tokens))] = True
    if whole.padding_idx is not None:
        is_used[whole.padding_idx] = True  # it needs a place, though it never has a gradient
    trimmed = TrimmedEmbedding(whole, is_used.to(whole.weight.device))
    parent, _, name = paths[0].rpartition(".")
    setattr(net.get_submodule(parent), name, trimmed)
    try:
        yield
    finally:
        setattr(net.get_submodule(parent), name, whole)
        with torch.no_grad():
            whole.weight.mul_(trimmed.weight[-1, 0])
            whole.weight[trimmed.is_used] = trimmed.weight[:-1]


class TrimmedEmbedding(torch.nn.Embedding):
    """The embeddings of some tokens, looked up by their numbers in the whole vocabulary.

    Its last row represents all other tokens: it begins as 1 and ends as the share of their weights
    that is left after weight decay.
    """

    def __init__(self, whole: torch.nn.Embedding, is_used: torch.Tensor):
        place = is_used.cumsum(0) - 1
        pad = None if whole.padding_idx is None else int(place[whole.padding_idx])
        weight = whole.weight.detach()
        weight = torch.cat([weight[is_used], torch.ones_like(weight[:1])])
        super().__init__(len(weight), weight.shape[1], pad, _weight=weight)
        self.is_used, self.place = is_used, place

    def forward(self, tokens: Any) -> Any:
        """Return the tokens' embeddings."""
        return super().forward(self.place[tokens])
