"""Fixtures of all tests: a home folder of their own, and cores of their own for each worker."""

import os

import pytest

from .cpu_times import pytest_addoption, pytest_configure  # noqa: F401

# Files whose tests use the same Ray cluster, which takes long to start.
SHARED_CLUSTER = ("tests/sweeps/test_run_ray.py", "tests/sweeps/test_places.py")

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
    slow = {together(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (together(item.nodeid) not in slow, together(item.nodeid)))


def together(nodeid: str) -> str:
    """Return a name for the tests that run one after the other in one worker: those of a file."""
    file = nodeid.partition("::")[0]
    return SHARED_CLUSTER[0] if file in SHARED_CLUSTER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return together(nodeid)

    return Together(config, log) if config.getvalue("dist") == "loadfile" else None
