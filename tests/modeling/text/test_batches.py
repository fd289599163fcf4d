"""Batches have every row once, in random order, with little padding."""

import numpy as np

from fastkaggle_plus.modeling.text.batches import in_order, shuffled

LENGTHS = np.random.default_rng(0).integers(5, 60, 1003)


def padding(batches):
    """Share of a padded batch that is padding."""
    return 1 - LENGTHS.sum() / sum(len(b) * LENGTHS[b].max() for b in batches)


def test_every_row_once_in_batches_of_about_equal_size():
    batches = shuffled(LENGTHS, 32, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1003))
    assert {len(b) for b in batches} == {31, 32} and len(batches) == 32


def test_epochs_differ_and_seeds_repeat():
    rng = np.random.default_rng(1)
    first, second = (np.concatenate(shuffled(LENGTHS, 32, rng)) for _ in range(2))
    assert (first != second).mean() > 0.9
    assert np.array_equal(first, np.concatenate(shuffled(LENGTHS, 32, np.random.default_rng(1))))
    lengths = [LENGTHS[b].mean() for b in shuffled(LENGTHS, 32, rng)]
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.5, (
        "short rows do not come first"
    )


def test_little_is_padded():
    random = np.array_split(np.random.default_rng(0).permutation(1003), 32)
    assert padding(shuffled(LENGTHS, 32, np.random.default_rng(1))) < 0.1 < 0.4 < padding(random)
    assert padding(in_order(LENGTHS, 32)) < 0.04


def test_a_single_row_is_a_batch():
    assert (
        [b.tolist() for b in shuffled(np.array([7]), 32, np.random.default_rng(0))]
        == [[0]]
        == [b.tolist() for b in in_order(np.array([7]), 32)]
    )
