"""A running sandbox with four competitions, and clients that reach it as users' clients do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from fastkaggle_plus.sandbox import running

from ..bundles import make_bundle

PROXY = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def bundles(tmp_path):
    folder = tmp_path / "bundles"
    make_bundle(folder, "toy", files={"images/a one.txt": b"first", "images/b.txt": b"second"})
    make_bundle(folder, "locked", rules_accepted=False)
    make_bundle(folder, "closed", deadline="2021-01-01T00:00:00")
    make_bundle(folder, "limited", daily=2)
    return folder


@pytest.fixture
def box(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as server:
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
        return self.session.post(
            f"{self.box.url}{prefix}/{service}/{method}",
            json=fields,
            allow_redirects=False,
            timeout=20,
        )

    def submit(
        self, content: bytes, slug: str = "toy", *, name: str = "answers.csv", description: str = ""
    ) -> int:
        """Send a file as the clients do and return its ref."""
        opened = self(
            "StartSubmissionUpload",
            competitionName=slug,
            fileName=name,
            contentLength=len(content),
            lastModifiedEpochSeconds=1,
        ).json()
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
        import time

        deadline = time.monotonic() + timeout_s
        while (found := self("GetSubmission", ref=ref).json())["status"] == "PENDING":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found


@pytest.fixture
def call(box):
    return Caller(box)


def client_env(box, home: Path) -> dict[str, str]:
    """Return the environment of a client's process: the sandbox as its proxy (mode A), nobody's account, a home of its own."""
    clean = {
        k: v for k, v in os.environ.items() if k.lower() not in PROXY and not k.startswith("KAGGLE")
    }
    return {
        **clean,
        "HOME": str(home),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "http_proxy": box.url,
        "KAGGLE_USERNAME": box.user,
        "KAGGLE_KEY": box.key,
    }


@pytest.fixture
def kaggle(box, tmp_path):
    """Run an unmodified client in a process of its own, the sandbox as its proxy (mode A)."""
    home = tmp_path / "home"
    home.mkdir()
    usual = client_env(box, home)

    def run(*arguments: str, module: str = "kaggle", **changed: str):
        env = {**usual, **changed}
        command = (
            [str(Path(sys.executable).with_name("kaggle")), *arguments]
            if module == "kaggle"
            else [sys.executable, "-c", *arguments]
        )
        return subprocess.run(
            command,
            cwd=home,
            env={k: v for k, v in env.items() if v},
            capture_output=True,
            text=True,
            timeout=120,
        )

    run.home = home
    return run
