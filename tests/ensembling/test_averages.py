"""Averages read members in blocks, from memory maps too, and never copy them all."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from fastkaggle_plus.ensembling import averages, ensemble, pool
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.predictions import load_predictions

from ..making import make_predictions, make_values

N, CLASSES, COUNT = 20_000, 10, 24


def test_blocks_do_not_change_an_average(monkeypatch):
    rng = np.random.default_rng(0)
    arrays, shares = list(rng.random((7, 1000, 3))), rng.dirichlet(np.ones(7))
    whole = averages.average(arrays, shares)
    monkeypatch.setattr(pool, "_BLOCK_BYTES", 5000)
    np.testing.assert_allclose(averages.average(arrays, shares), whole, rtol=0, atol=1e-15)
    rows = rng.permutation(1000)[:300]
    np.testing.assert_allclose(averages.average(arrays, shares, rows=rows), whole[rows], atol=1e-15)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """Members whose float32 predictions are memory maps: 24 of 800 kB each."""
    folder, members = tmp_path_factory.mktemp("maps"), []
    for i in range(COUNT):
        made = make_predictions(f"m{i:02d}", n=N, vocab=tuple(range(CLASSES)), seed=i, n_test=N)
        arrays = {}
        for k in ("oof", "test"):
            part = np.memmap(folder / f"{i}{k}", np.float32, "w+", shape=(N, CLASSES))
            part[:] = getattr(made, k)
            arrays[k] = part
        members.append(dataclasses.replace(made, metric="log_loss", **arrays))
    return members


@pytest.mark.parametrize("method", ("mean", "greedy", "optimum", "geometric"))
def test_members_on_disk_are_not_all_copied(on_disk, method, monkeypatch):
    monkeypatch.setattr(pool, "_BLOCK_BYTES", 1e6)
    ensemble([make_predictions(f"m{i}", seed=i) for i in range(2)], method=method)  # imports scipy
    tracemalloc.start()
    made = ensemble(on_disk, method=method)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    in_all = COUNT * N * CLASSES * 4  # of `oof` alone, in float32
    assert peak < 0.9 * in_all, peak / in_all
    assert made.oof_score < min(m.oof_score for m in on_disk[:3])


def test_the_geometric_mean_averages_logarithms():
    a, b = (make_predictions(f"m{i}", seed=i, vocab=(0, 1, 2)) for i in range(2))
    made = ensemble([a, b], method="geometric")
    wanted = np.sqrt(a.test * b.test)
    assert made.test == pytest.approx(wanted / wanted.sum(1, keepdims=True))
    values = [dataclasses.replace(make_values(f"v{i}", seed=i)) for i in range(2)]
    above = [dataclasses.replace(v, oof=np.exp(v.oof), test=np.exp(v.test)) for v in values]
    made = ensemble(above, method="geometric")
    assert made.test == pytest.approx(np.sqrt(above[0].test * above[1].test))
    with pytest.raises(DataError, match="needs predictions above 0, and v1"):
        below = dataclasses.replace(above[1], oof=above[1].oof - above[1].oof.max())
        ensemble([above[0], below], method="geometric")


def test_predictions_of_a_file_stay_in_single_precision(tmp_path):
    made = make_predictions("m", metric="log_loss")
    small = dataclasses.replace(made, oof=made.oof.astype(np.float32))
    assert load_predictions(small.save(tmp_path / "m.npz")).oof.dtype == np.float32
