"""What every test stands on: a home of its own, so that no test reads or fills the user's."""

import os

import pytest

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # a worker a core: with several numeric threads each they would wait for one another
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
