"""What every test stands on: a home of its own, so that no test reads or fills the user's."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    before = os.environ.get("FKP_HOME")
    os.environ["FKP_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    os.environ.pop("FKP_HOME")
    if before is not None:
        os.environ["FKP_HOME"] = before
