"""The inner split follows the competition's own rule."""

import dataclasses

import numpy as np

from fastkaggle_plus.modeling.inner_split import inner_split
from tests.modeling.tables import make_data, make_table


def test_groups_stay_whole_and_time_validates_the_latest():
    table = make_table(n=100)
    groups = np.repeat(np.arange(20), 5)
    fit, stop = inner_split(dataclasses.replace(table, groups=groups))
    assert not set(groups[fit]) & set(groups[stop])
    time = np.random.default_rng(0).permutation(100)
    fit, stop = inner_split(dataclasses.replace(table, time=time, groups=groups))
    assert time[fit].max() < time[stop].min()
    assert len(stop) == 20


def test_rows_without_a_rule_are_drawn_from_each_class():
    table = make_table(n=100)
    fit, stop = inner_split(table)
    assert sorted([*fit, *stop]) == list(range(100))
    shares = [table.targs[rows].mean() for rows in (fit, stop)]
    assert abs(shares[0] - shares[1]) < 0.1


def test_a_fold_knows_its_groups():
    data = make_data()
    n = len(data.train)
    data = dataclasses.replace(data, groups=np.arange(n) % 7)
    fit, _ = data.fold(np.arange(0, n, 2), np.arange(1, n, 2))
    assert np.array_equal(fit.groups, np.arange(0, n, 2) % 7)
