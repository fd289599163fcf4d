"""Weights are downloaded from a hub and from an address, here from a server on this machine."""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "a" * 40
CODE = """
import sys
from fastkaggle_plus.modeling.vision.archs import Arch
from fastkaggle_plus.modeling.vision.weights import fetch_weights, find_weights
from fastkaggle_plus.exceptions import WeightsMissing
arch = Arch(asked="net", name="net", tag="in1k", source="timm", input_px=(224, 224), is_fixed_size=False, layout="NCHW", pools_itself=False,
            mean=(0.5,) * 3, std=(0.5,) * 3, hub_id=sys.argv[1], url=sys.argv[2])
before = find_weights(arch)
try:
    got = fetch_weights(arch)
    print(before.file == "", find_weights(arch) == got, got.origin, got.file, sep="|")
except WeightsMissing as e:
    print(e)
"""


class Hub(BaseHTTPRequestHandler):
    """Answers like a hub for one file, and like a plain server for an address."""

    def do_GET(self, *, with_body: bool = True) -> None:
        self.server.asked.append((self.command, self.path))
        found = self.path in (self.server.path, "/plain/net-" + DIGEST[:8] + ".pth")
        self.send_response(200 if found else 404)
        if found:
            for name, value in (
                ("ETag", f'"{DIGEST}"'),
                ("X-Repo-Commit", COMMIT),
                ("Content-Length", str(len(CONTENT))),
            ):
                self.send_header(name, value)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
        self.end_headers()
        if found and with_body:
            self.wfile.write(CONTENT)

    def do_HEAD(self) -> None:
        self.do_GET(with_body=False)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.path = [], "/timm/net.in1k/resolve/main/model.safetensors"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(hub, place, hub_id="", url="", **more) -> str:
    variables = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
        "HF_HOME": str(place / "hf"),
        "TORCH_HOME": str(place / "torch"),
        "FKP_HOME": str(place / "fkp"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **more,
    }
    for offline in ("HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        if offline not in more:
            variables.pop(offline, None)
    done = subprocess.run(
        [sys.executable, "-c", CODE, hub_id, url],
        env=variables,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_from_the_hub_into_its_own_cache(hub, tmp_path, file):
    hub.path = f"/timm/net.in1k/resolve/main/{file}"
    was_absent, is_found, origin, where = fetch(hub, tmp_path, hub_id="timm/net.in1k").split("|")
    assert (was_absent, is_found, origin) == ("True", "True", "hub timm/net.in1k")
    assert where.startswith(str(tmp_path / "hf")) and where.endswith(file)
    with open(where, "rb") as f:
        assert f.read() == CONTENT
    n_asked = len(hub.asked)
    assert fetch(hub, tmp_path, hub_id="timm/net.in1k", HF_HUB_OFFLINE="1").split("|")[3] == where
    assert len(hub.asked) == n_asked  # no request for a cached file


def test_a_hub_without_the_file_is_an_error(hub, tmp_path):
    hub.path = "/nothing"
    message = fetch(hub, tmp_path, hub_id="timm/net.in1k")
    assert "EntryNotFoundError" in message and "pretrained=False" in message


def test_from_an_address_checked_by_the_hash_in_its_name(hub, tmp_path):
    *_, where = fetch(
        hub, tmp_path, url=f"http://127.0.0.1:{hub.server_address[1]}/plain/net-{DIGEST[:8]}.pth"
    ).split("|")
    assert where == str(
        tmp_path / "torch" / "hub" / "checkpoints" / f"net-{DIGEST[:8]}.pth"
    ) and os.path.getsize(where) == len(CONTENT)
