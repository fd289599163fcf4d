"""gpu_fit measures a step on a GPU, and says why it measured nothing without one."""

import pytest
import torch

from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.modeling import gpu_fit


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_runs_and_the_record_says_so():
    fit = gpu_fit("convnext_small_in22k", (192, 128), bs=32, accum=2)
    assert fit.peak_mb is None and "no GPU" in fit.skipped
    assert (fit.arch, fit.size, fit.bs, fit.accum) == ("convnext_small.fb_in22k", (192, 128), 32, 2)


def test_names_and_sizes_are_checked_first():
    with pytest.raises(UnknownName, match="resnet26"):
        gpu_fit("resnet26e", 64)
    with pytest.raises(ConfigError, match=r"got 64\.5"):
        gpu_fit("resnet26d", 64.5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_step_is_measured():
    assert gpu_fit("test_resnet", 64, bs=4, accum=2).peak_mb > 0
