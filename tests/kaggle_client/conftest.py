"""Fixtures: a sandbox, a client behind a faulty proxy, no real account, no retry pauses."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import stamina

from fastkaggle_plus.kaggle_client import connect, submissions, submit
from fastkaggle_plus.sandbox import running

from .faults import between

ROWS = 60


@pytest.fixture(autouse=True)
def no_account(tmp_path, monkeypatch):
    """Hide every real account; keep the journal in the test's own folder."""
    for name in [
        n
        for n in os.environ
        if n.upper().startswith(("KAGGLE", "FKP_")) or n.lower().endswith("_proxy")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "fkp_home"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def no_waits():
    with stamina.set_testing(True, attempts=7, cap=True):
        yield


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """The files of a competition, large enough to cut a transfer in the middle."""
    dice = random.Random(0)
    return {
        "train.csv": csv("id,x,y", (f"{i},{dice.random():.3f},{i % 2}" for i in range(100))),
        "test.csv": csv("id,x", (f"{i},{dice.random():.3f}" for i in range(100, 100 + ROWS))),
        "sample_submission.csv": csv("id,y", (f"{i},0" for i in range(100, 100 + ROWS))),
        "images/noise.bin": dice.randbytes(3_000_000),
    }


@pytest.fixture(scope="session")
def bundles(tmp_path_factory, files) -> Path:
    """Four competitions: open, rules not accepted, over, and with two submissions a day."""
    folder = tmp_path_factory.mktemp("bundles")
    for slug, more in {
        "toy": "",
        "locked": "rules_accepted = false",
        "over": 'deadline = "2020-01-01T00:00:00Z"',
        "limited": "max_daily_submissions = 2",
    }.items():
        for name, body in files.items():
            (folder / slug / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / slug / "files" / name).write_bytes(body)
        usage = (f"{i},{i % 2},{'Public' if i % 3 else 'Private'}" for i in range(100, 100 + ROWS))
        (folder / slug / "solution.csv").write_bytes(csv("id,y,Usage", usage))
        (folder / slug / "competition.toml").write_text(
            f'title = "{slug}"\nkind = "tabular"\ntask = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
            f'max_daily_submissions = 100\n[split]\nkind = "stratified"\n[sandbox]\n{more}\n'
        )
    return folder


@pytest.fixture
def box(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as box:
        yield box


@pytest.fixture
def api(box):
    return connect(box.url, user=box.user, key=box.key)


@pytest.fixture
def faults(box):
    """A proxy in front of the sandbox that loses and damages requests and answers on demand."""
    with between(box.url) as proxy:
        proxy.box = box
        yield proxy


@pytest.fixture
def client(box, faults):
    return connect(faults.url, user=box.user, key=box.key, timeout_s=5)


@pytest.fixture
def plain(box):
    """A client without the proxy."""
    return connect(box.url, user=box.user, key=box.key)


@pytest.fixture
def send(client, slug, answers):
    def sending(message="first", file=answers, **more):
        return submit(file, message, slug, client=client, **{"poll_s": 0.05, **more})

    return sending


@pytest.fixture
def count(faults, slug):
    """Count the submissions in the sandbox, without the proxy."""
    return lambda: len(
        submissions(slug, client=connect(faults.upstream, user=faults.box.user, key=faults.box.key))
    )


@pytest.fixture
def answers(tmp_path) -> Path:
    file = tmp_path / "answers.csv"
    file.write_bytes(csv("id,y", (f"{i},{i % 2}" for i in range(100, 100 + ROWS))))
    return file


@pytest.fixture
def slug() -> str:
    return "toy"


def csv(header: str, rows) -> bytes:
    return "\n".join([header, *rows, ""]).encode()
