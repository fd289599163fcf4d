"""Trials are packed into few kernels, and never into more seconds than are left."""

import random

from fastkaggle_plus.sweeps.kaggle_kernels.packing import Machine, billed_s, pack, pack_within

T4 = Machine(gpu=True, start_s=60.0, margin_s=120.0, session_s=12 * 3600.0)
HOUR = 3600.0


def test_both_cards_work_and_the_longest_trial_starts_first():
    [load] = pack({"a": 100.0, "b": 300.0, "c": 200.0, "d": 400.0}, T4, 1)
    assert load.trials == ("d", "b", "c", "a")
    assert load.busy_s == 500.0  # 400 + 100 on one card, 300 + 200 on the other


def test_a_second_kernel_must_be_worth_its_start():
    def n_kernels(seconds):
        return len(pack({str(i): seconds for i in range(8)}, T4, 4))

    assert n_kernels(100.0) == 1
    assert n_kernels(300.0) == 2  # each works for ten times its start
    assert n_kernels(2 * HOUR) == 4


def test_work_beyond_one_session_needs_more_kernels():
    loads = pack({str(i): 5 * HOUR for i in range(10)}, T4, 1)
    assert [len(load.trials) for load in loads] == [4, 4, 2]
    assert all(load.busy_s <= T4.room_s for load in loads)


def test_no_plan_uses_more_than_is_left():
    dice = random.Random(0)
    for _ in range(100):
        expected = {str(i): dice.uniform(10, 5000) for i in range(dice.randint(1, 20))}
        left_s = dice.uniform(0, 20000)
        loads = pack_within(expected, T4, 3, left_s)
        assert billed_s(loads, T4) + T4.margin_s * len(loads) <= left_s
        names = [name for load in loads for name in load.trials]
        assert len(names) == len(set(names))


def test_trials_that_are_declared_first_get_the_hours_that_are_left():
    [load] = pack_within({"large": 5000.0, "small": 100.0, "other": 90.0}, T4, 1, 300.0)
    assert set(load.trials) == {"small", "other"}


def test_a_kernel_writes_at_most_400_files():
    loads = pack({str(i): 1.0 for i in range(900)}, T4, 1)
    assert sorted(len(load.trials) for load in loads) == [300, 300, 300]
