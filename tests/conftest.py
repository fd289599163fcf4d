"""Fixtures of all tests: a home folder of their own, and cores of their own for each worker."""

import os

import pytest

from .cpu_times import pytest_addoption, pytest_configure  # noqa: F401

# With pytest-xdist there is one worker per core: more threads would only wait for each other,
# and so would those of the processes that its tests start.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    if hasattr(os, "sched_setaffinity"):
        cores, n = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        os.sched_setaffinity(0, cores[int(worker.removeprefix("gw")) % n :: n] or cores)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    before = os.environ.get("FKP_HOME")
    os.environ["FKP_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    os.environ.pop("FKP_HOME")
    if before is not None:
        os.environ["FKP_HOME"] = before


def pytest_collection_modifyitems(items):
    """Start with the files that have slow tests, so that no core waits for them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
