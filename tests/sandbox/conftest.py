"""A running sandbox with four competitions, and clients that reach it as users' clients do."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import requests

from fastkaggle_plus.sandbox import running

from ..bundles import make_bundle
from .client_process import ForkServer, clean_environment


def make_bundles(folder: Path, *, daily: int = 5) -> Path:
    images = {"images/a one.txt": b"first", "images/b.txt": b"second"}
    make_bundle(folder, "toy", files=images, daily=daily)
    make_bundle(folder, "locked", rules_accepted=False)
    make_bundle(folder, "closed", deadline="2021-01-01T00:00:00")
    make_bundle(folder, "limited", daily=2)
    return folder


@pytest.fixture
def bundles(tmp_path):
    return make_bundles(tmp_path / "bundles")


@pytest.fixture
def box(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as server:
        yield server


@pytest.fixture(scope="module")
def shared_box(tmp_path_factory):
    """One sandbox for the tests of a module that do not depend on what others did to it."""
    folder = tmp_path_factory.mktemp("shared")
    with running(make_bundles(folder / "bundles", daily=99), state=folder / "state") as server:
        yield server


class Caller:
    """Speaks the RPC protocol directly."""

    def __init__(self, box):
        self.box, self.session = box, requests.Session()
        self.session.trust_env = False
        self.session.auth = (box.user, box.key)

    def __call__(
        self,
        method: str,
        *,
        service: str = "competitions.CompetitionApiService",
        prefix: str = "/api/v1",
        **fields,
    ):
        url = f"{self.box.url}{prefix}/{service}/{method}"
        return self.session.post(url, json=fields, allow_redirects=False, timeout=20)

    def open_upload(self, size: int, slug: str = "toy", *, name: str = "answers.csv") -> dict:
        """Start the upload of a submission and return its token and createUrl."""
        fields = {"competitionName": slug, "fileName": name, "contentLength": size}
        return self("StartSubmissionUpload", **fields, lastModifiedEpochSeconds=1).json()

    def submit(
        self, content: bytes, slug: str = "toy", *, name: str = "answers.csv", description: str = ""
    ) -> int:
        """Send a file as the clients do and return its ref."""
        opened = self.open_upload(len(content), slug, name=name)
        assert requests.put(opened["createUrl"], data=content, timeout=20).status_code == 200
        answer = self(
            "CreateSubmission",
            competitionName=slug,
            blobFileTokens=opened["token"],
            submissionDescription=description,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["ref"]

    def scored(self, ref: int, *, timeout_s: float = 20) -> dict:
        """Wait for a submission's score."""
        deadline = time.monotonic() + timeout_s
        while (found := self("GetSubmission", ref=ref).json())["status"] == "PENDING":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found


@pytest.fixture
def call(box):
    return Caller(box)


@pytest.fixture
def shared_call(shared_box):
    return Caller(shared_box)


def client_env(box, home: Path) -> dict[str, str]:
    """Return a client's environment: the sandbox as its proxy (mode A), and its own home."""
    return {
        **clean_environment(),
        "HOME": str(home),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_ENDPOINT": box.url,
        "http_proxy": box.url,
        "KAGGLE_USERNAME": box.user,
        "KAGGLE_KEY": box.key,
    }


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory):
    server = ForkServer(tmp_path_factory.mktemp("clients"), clean_environment())
    yield server
    server.close()


@pytest.fixture
def kaggle(box, tmp_path, fork_server):
    """Run an unmodified client in its own process, with the sandbox as its proxy (mode A)."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*arguments: str, module: str = "kaggle", **changed: str):
        env = {k: v for k, v in (client_env(box, home) | changed).items() if v}
        if module == "kaggle":
            script = str(Path(sys.executable).with_name("kaggle"))
            return fork_server([script, *arguments], cwd=home, env=env)
        return fork_server(["-c"], cwd=home, env=env, code=arguments[0])

    run.home = home
    return run
