"""fkp doctor: what it looks at is really looked at."""

import json
import subprocess
import sys

from fastkaggle_plus.exceptions import SandboxError
from fastkaggle_plus.workflow import doctor


def test_the_sandbox_is_started_and_everything_is_said_in_json_too():
    done = subprocess.run(
        [sys.executable, "-m", "fastkaggle_plus", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {f["what"]: f for f in json.loads(done.stdout)}
    assert found["sandbox"]["ok"] and "started at http://127.0.0.1:" in found["sandbox"]["detail"]
    assert {"python", "kaggle", "extra boost", "credentials", "competitions"} <= found.keys()


def test_a_sandbox_that_does_not_start_is_a_finding(monkeypatch):
    def refuse(*arguments, **kw):
        raise SandboxError("the port is taken")

    monkeypatch.setattr("fastkaggle_plus.sandbox.server.running", refuse)
    found = {f.what: f for f in doctor.findings()}
    assert (
        not found["sandbox"].ok and "does not start: the port is taken" in found["sandbox"].detail
    )


def test_install_lines_keep_their_brackets():
    absent = [f for f in doctor.findings() if f.what.startswith("extra") and not f.ok]
    shown = subprocess.run(
        [sys.executable, "-m", "fastkaggle_plus", "doctor"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(f"fastkaggle_plus[{f.what.split()[1]}]" in shown for f in absent)
