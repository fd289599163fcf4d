"""How many numeric threads a process may use."""

import os

import pytest

from fastkaggle_plus.environment import core_count, numeric_threads, thread_limit


def test_a_trial_may_use_the_threads_that_it_was_given():
    with numeric_threads(3):
        assert thread_limit() == 3
        with numeric_threads(1):
            assert thread_limit() == 1
        assert thread_limit() == 3


@pytest.mark.parametrize(("value", "expected"), [("2", 2), ("4,2", 4), (" ", None), ("0", None)])
def test_the_user_may_set_the_threads(monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_limit() == (expected or core_count())


def test_without_a_limit_every_core_may_be_used(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_limit() == core_count() <= (os.cpu_count() or 1)
