"""Pack trials into few kernels by their expected seconds, within the hours that are left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# A kernel is worth its start if its trials take this many times longer.
_WORTH = 10
_MOST_TRIALS = 400  # of one kernel; each writes a file, and some clients list only 500
GPU_LANES, CPU_LANES = 2, 4  # trials at a time: the cards of a T4 x2, the cores of a CPU kernel


@dataclass(frozen=True)
class Machine:
    """What one kernel offers."""

    gpu: bool
    start_s: float  # billed before the first trial starts: the image, the wheels, the data
    margin_s: float  # kept free of the hours that are left, for each kernel
    session_s: float  # the longest session

    @property
    def lanes(self) -> int:
        """The number of trials that run at a time."""
        return GPU_LANES if self.gpu else CPU_LANES

    @property
    def room_s(self) -> float:
        """The seconds that trials can use in one session."""
        return self.session_s - self.margin_s - self.start_s

    def is_worth(self, load: Load) -> bool:
        """Say whether these trials are worth the start of another kernel."""
        return load.busy_s >= _WORTH * self.start_s


@dataclass(frozen=True)
class Load:
    """The trials of one kernel."""

    trials: tuple[str, ...]  # names, longest first
    busy_s: float  # until the last of them ends


def pack(
    expected: Mapping[str, float],  # trial -> seconds, each at most `room_s`
    machine: Machine,
    n_kernels: int,  # most at a time
) -> list[Load]:
    """Distribute trials over as few kernels as help.

    A kernel more is used only if it saves time: if the trials of each take ten times its start.
    """
    work_s = sum(expected.values()) / machine.lanes
    least = max(1, math.ceil(work_s / machine.room_s), math.ceil(len(expected) / _MOST_TRIALS))
    for n in range(max(least, min(n_kernels, len(expected))), least, -1):
        loads = _spread(expected, machine, n)
        if all(map(machine.is_worth, loads)):
            return loads
    return _spread(expected, machine, least)


def _spread(expected: Mapping[str, float], machine: Machine, n: int) -> list[Load]:
    """Distribute trials over at least n kernels: longest first, each to the freest lane."""
    lanes = [[0.0] * machine.lanes for _ in range(n)]
    names: list[list[str]] = [[] for _ in range(n)]
    for name in sorted(expected, key=lambda name: -expected[name]):
        free = [i for i in range(len(lanes)) if len(names[i]) < _MOST_TRIALS]
        i = min(free, key=lambda i: min(lanes[i]))
        if min(lanes[i]) + expected[name] > machine.room_s:
            lanes.append([0.0] * machine.lanes)
            names.append([])
            i = len(lanes) - 1
        lane = lanes[i].index(min(lanes[i]))
        lanes[i][lane] += expected[name]
        names[i].append(name)
    loads = [Load(tuple(n), max(busy)) for n, busy in zip(names, lanes, strict=True) if n]
    return sorted(loads, key=lambda load: -load.busy_s)


def billed_s(loads: list[Load], machine: Machine) -> float:
    """Return the seconds that kernels are expected to be billed, without a margin."""
    return sum(machine.start_s + load.busy_s for load in loads)


def pack_within(
    expected: Mapping[str, float], machine: Machine, n_kernels: int, left_s: float
) -> list[Load]:
    """Pack the trials that fit into the seconds left, with a margin; earlier ones come first."""

    def fits(names: list[str]) -> bool:
        loads = pack({name: expected[name] for name in names}, machine, n_kernels)
        return billed_s(loads, machine) + machine.margin_s * len(loads) <= left_s

    chosen = list(expected)
    if not fits(chosen):
        chosen = []
        for name in expected:
            chosen += [name] if fits([*chosen, name]) else []
    loads = pack({name: expected[name] for name in chosen}, machine, n_kernels)
    return loads if chosen else []
