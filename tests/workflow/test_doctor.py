"""fkp doctor: each check really runs, and its result is shown."""

import json
from importlib.util import find_spec

from fastkaggle_plus.exceptions import SandboxError
from fastkaggle_plus.workflow import doctor

from .toy import fkp


def test_the_sandbox_is_started_and_every_check_is_in_the_json(tmp_path):
    done = fkp("doctor", "--json", cwd=tmp_path)
    found = {f["what"]: f for f in json.loads(done.stdout)}
    assert found["sandbox"]["ok"] and "started at http://127.0.0.1:" in found["sandbox"]["detail"]
    assert {"python", "kaggle", "extra boost", "credentials", "competitions"} <= found.keys()


def test_a_sandbox_that_does_not_start_is_reported(monkeypatch):
    def refuse(*arguments, **options):
        raise SandboxError("the port is taken")

    monkeypatch.setattr("fastkaggle_plus.sandbox.running", refuse)
    found = {c.what: c for c in doctor.run_checks()}
    assert not found["sandbox"].ok
    assert "does not start: the port is taken" in found["sandbox"].detail


def test_install_lines_keep_their_brackets(monkeypatch, tmp_path):
    def without_boosters(name):
        return None if name in ("catboost", "lightgbm", "xgboost") else find_spec(name)

    monkeypatch.setattr("importlib.util.find_spec", without_boosters)
    assert "pip install 'fastkaggle_plus[boost]'" in fkp("doctor", cwd=tmp_path).stdout
