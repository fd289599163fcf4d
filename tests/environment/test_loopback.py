"""A rehearsal works without any network and refuses other machines."""

import os
import shutil
import subprocess
import sys

import pytest

from fastkaggle_plus.environment import assert_loopback, rehearsing
from fastkaggle_plus.exceptions import SandboxError

from ..workflow.toy import make_toy


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:99", "http://[::1]:5"])
def test_this_machine_is_allowed(url):
    assert assert_loopback(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:80",
        "http://192.0.2.7",
        "https://0.0.0.0:1",
        "",
        "http://no.such.host.invalid",
    ],
)
def test_any_other_address_is_refused(url):
    with pytest.raises(SandboxError, match="this machine"):
        assert_loopback(url)
    with pytest.raises(SandboxError), rehearsing(url, user="u", key="k"):
        pass


def test_a_rehearsal_points_old_clients_at_the_sandbox(monkeypatch):
    """Kaggle 1.6 reads only this variable; without it, it calls the real Kaggle."""
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", "https://kaggle.example")
    with rehearsing("http://127.0.0.1:1", user="u", key="k"):
        assert os.environ["KAGGLE_API_ENDPOINT"] == "http://127.0.0.1:1"
    assert os.environ["KAGGLE_API_ENDPOINT"] == "https://kaggle.example"


def network_can_be_taken_away() -> bool:
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(
            ["unshare", "--net", "--map-root-user", "true"], capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.skipif(
    not network_can_be_taken_away(), reason="this system allows no network namespace"
)
def test_without_a_network_the_loop_still_runs(tmp_path):
    make_toy(tmp_path / "bundles")
    command = (
        f"ip link set lo up 2>/dev/null || {sys.executable} {tmp_path}/up.py; "
        f"exec {sys.executable} -m fastkaggle_plus run toy --bundles bundles"
    )
    (tmp_path / "up.py").write_text(  # raise the loopback device where iproute2 is not installed
        "import fcntl, socket, struct\ns = socket.socket()\n"
        "fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x1 | 0x40))\n"
    )
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "public 0." in done.stdout


def test_a_client_that_was_imported_before_uses_the_rehearsal(tmp_path):
    """Importing kaggle sets its endpoint; a rehearsal must replace the real one."""
    make_toy(tmp_path / "bundles")
    code = """
import kaggle
from kaggle.api.kaggle_api_extended import KaggleApi
from fastkaggle_plus import rehearsal
before = KaggleApi.args
with rehearsal("toy", bundles="bundles"):
    api = KaggleApi()
    assert "localhost" in api.build_kaggle_client().http_client()._endpoint
    api.authenticate()
    print([f.name for f in api.competition_list_files("toy").files])
assert KaggleApi.args is before
"""
    env = {k: v for k, v in os.environ.items() if not k.startswith("KAGGLE")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**env, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "train.csv" in done.stdout, done.stderr
