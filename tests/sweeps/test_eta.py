"""The time left is estimated from the progress of running trials and the duration of ended ones."""

import pytest

from fastkaggle_plus.sweeps.eta import Eta


def test_the_time_left():
    now = [0.0]
    eta = Eta(5, clock=lambda: now[0])
    assert eta.left_s is None
    eta.end("from the vault")
    eta.start("a")
    eta.start("b")
    assert eta.left_s is None  # nothing is known yet
    now[0] = 10.0
    eta.update("a", 0.25)  # 40 s in all: 30 left
    # b takes as long as a; two trials wait, two run at a time
    assert eta.done == 0.25 and eta.left_s == pytest.approx((30 + 30 + 2 * 40) / 2)
    eta.update("b", 0.5)  # 20 s in all: 10 left
    assert eta.left_s == pytest.approx((30 + 10 + 2 * 30) / 2)
    now[0] = 20.0
    eta.end("b")
    eta.update("a", 0.5)
    eta.start("c")
    # c and the last trial take as long as the known ones: 20 and 40 s
    assert eta.left_s == pytest.approx((20 + 30 + 1 * 30) / 2)
    eta.end("c")
    eta.end("skipped")
    assert eta.left_s == pytest.approx(20)  # only a is left
    eta.end("a")
    assert eta.left_s == 0.0 and eta.done == 0.0
