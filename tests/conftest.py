"""Fixtures of all tests: a home folder of their own, and one numeric thread per worker."""

import os

import pytest

# With pytest-xdist there is one worker per core: more threads would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
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
