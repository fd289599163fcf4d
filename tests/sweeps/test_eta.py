"""The time left, from the share done of what runs and the time of what ended."""

import pytest

from fastkaggle_plus.sweeps.eta import Pace


def test_the_time_left():
    now = [0.0]
    pace = Pace(5, clock=lambda: now[0])
    assert pace.left_s is None
    pace.ends("from the vault")
    pace.starts("a")
    pace.starts("b")
    assert pace.left_s is None  # nothing tells yet
    now[0] = 10.0
    pace.goes_on("a", 0.25)  # 40 s in all: 30 left
    assert pace.done == 0.25 and pace.left_s == pytest.approx(
        (30 + 30 + 2 * 40) / 2
    )  # b as long as a; two wait, two run at once
    pace.goes_on("b", 0.5)  # 20 s in all: 10 left
    assert pace.left_s == pytest.approx((30 + 10 + 2 * 30) / 2)
    now[0] = 20.0
    pace.ends("b")
    pace.goes_on("a", 0.5)
    pace.starts("c")
    assert pace.left_s == pytest.approx(
        (20 + 30 + 1 * 30) / 2
    )  # c and the last as long as those known: 20 and 40 s
    pace.ends("c")
    pace.ends("skipped")
    assert pace.left_s == pytest.approx(20)  # only a is left
    pace.ends("a")
    assert pace.left_s == 0.0 and pace.done == 0.0
