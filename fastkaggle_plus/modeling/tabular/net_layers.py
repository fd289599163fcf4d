"""Networks of tables as torch modules: embeddings of numbers, several nets in one, TabM."""

import math
from typing import Any

import torch
from torch import Tensor, nn

_N_FREQUENCIES = 16  # of each number
_FREQUENCY_SCALE = 0.1  # their standard deviation before training


class PlrEmbeddings(nn.Module):
    """Numbers as waves of learned frequencies, then a linear layer for each number, and ReLU.

    Outputs are (n, n_numbers * size). Source: Gorishniy et al., On embeddings for numerical
    features in tabular deep learning (2022). Kaggle's image lacks their package.
    """

    def __init__(
        self,
        n_numbers: int,
        size: int,  # of each number's embedding
    ):
        super().__init__()
        n_waves = 2 * _N_FREQUENCIES
        bound = n_waves**-0.5
        self.frequencies = nn.Parameter(torch.randn(n_numbers, _N_FREQUENCIES) * _FREQUENCY_SCALE)
        self.weight = nn.Parameter(torch.empty(n_numbers, n_waves, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_numbers, 1, size).uniform_(-bound, bound))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the embeddings of (n, n_numbers) numbers."""
        angles = 2 * math.pi * numbers.T[:, :, None] * self.frequencies[:, None]
        waves = torch.cat([angles.cos(), angles.sin()], 2)  # (n_numbers, n, n_waves)
        embeddings = torch.baddbmm(self.bias, waves, self.weight).relu()
        return embeddings.transpose(0, 1).flatten(1)


class SeveralNets(nn.Module):
    """Independent nets that are trained on the same batches; outputs are (n, n_nets, n_out)."""

    def __init__(self, nets: list[nn.Module]):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, levels: Tensor, numbers: Tensor) -> Tensor:
        """Return the outputs of all nets."""
        return torch.stack([net(levels, numbers) for net in self.nets], 1)


class TabMNet(nn.Module):
    """TabM with PLR embeddings and the inputs of the other nets; outputs are (n, k, n_out)."""

    def __init__(self, n_levels: list[int], n_numbers: int, n_out: int, *, size: int, **sizes: Any):
        from rtdl_num_embeddings import PeriodicEmbeddings  # TabM accepts only these
        from tabm import TabM

        super().__init__()
        embeddings = None
        if n_numbers:
            embeddings = PeriodicEmbeddings(
                n_numbers,
                size,
                n_frequencies=_N_FREQUENCIES,
                frequency_init_scale=_FREQUENCY_SCALE,
                lite=False,
            )
        self.tabm = TabM.make(
            n_num_features=n_numbers,
            cat_cardinalities=n_levels,
            d_out=n_out,
            num_embeddings=embeddings,
            **sizes,
        )

    def forward(self, levels: Tensor, numbers: Tensor) -> Tensor:
        """Return the outputs of the k members."""
        return self.tabm(*(x if x.shape[1] else None for x in (numbers, levels)))
