"""fkp doctor: each check really runs, and its result is shown with what to do."""

import json
import os
from importlib import metadata

import pytest

from fastkaggle_plus.environment import rehearsing
from fastkaggle_plus.exceptions import SandboxError
from fastkaggle_plus.sandbox import running
from fastkaggle_plus.workflow import doctor

from .toy import FACTS, TRIALS, fkp, make_toy

KEY, TOKEN = "0123456789abcdef" * 2, "KGAT_" + "0123456789abcdef" * 2
JSON = {"username": "ann", "key": KEY}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the .kaggle folder of a user without credentials."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kaggle").mkdir()
    return tmp_path / ".kaggle"


def write(file, text, mode=0o600):
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    file.chmod(mode)


def findings(cwd, *arguments):
    """Return the exit status, and (name, status, detail, advice) of each finding."""
    done = fkp("doctor", "--json", *arguments, cwd=cwd)
    found = json.loads(done.stdout)
    return done.returncode, [(f["what"], f["status"], f["detail"], f["advice"]) for f in found]


def about_credentials(home, *arguments):
    status, found = findings(home.parent, *arguments)
    return status, [f for f in found if f[0] in ("credentials", "not used")]


def test_the_sandbox_is_started_and_every_check_is_in_the_json(home):
    status, found = findings(home.parent)
    by_name = {f[0]: f for f in found}
    assert "started at http://127.0.0.1:" in by_name["sandbox"][2] and status == 0
    assert {"python", "libraries", "credentials", "competitions", "journal"} <= by_name.keys()
    assert "warning: none" in fkp("doctor", cwd=home.parent).stdout


def test_a_sandbox_that_does_not_start_is_a_problem(home, monkeypatch):
    def refuse(*arguments, **options):
        raise SandboxError("the port is taken")

    monkeypatch.setattr("fastkaggle_plus.sandbox.running", refuse)
    found = {c.what: c for c in doctor.run_checks()}
    assert found["sandbox"].status == "problem"
    assert "does not start: the port is taken" in found["sandbox"].detail
    assert fkp("doctor", cwd=home.parent).returncode == 1


def test_good_credentials_are_shown_with_their_user_and_place(home):
    write(home / "kaggle.json", JSON)
    status, [(_, state, detail, _)] = about_credentials(home)
    assert (status, state) == (0, "ok")
    assert detail == f"user ann, key from {home / 'kaggle.json'} (mode 600)"
    assert KEY not in fkp("doctor", cwd=home.parent).stdout


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("kaggle.json", '{"username": "ann", "key": "0123', "no complete JSON"),
        ("kaggle.json", "", "it is empty"),
        ("kaggle.json", {"username": "ann"}, "it has no key"),
        ("kaggle.json", [1], "it has no username and no key"),
        ("kaggle.json", {**JSON, "key": "my key"}, "32 hex digits, got 6 characters"),
        ("kaggle.json", {**JSON, "key": "0" * 32}, "looks like a placeholder"),
        ("kaggle.json", {**JSON, "username": "your name"}, "no Kaggle user name"),
        ("access_token", "my token", "expected KGAT_"),
        ("access_token", json.dumps(JSON), "expected KGAT_"),
        ("access_token", KEY, "begin with KGAT_"),
        ("credentials.json", {"username": "ann"}, "it has no refresh_token"),
    ],
)
def test_a_credential_that_cannot_work_is_a_problem(home, name, content, problem):
    write(home / name, content)
    status, [(_, state, detail, advice)] = about_credentials(home)
    assert (status, state) == (1, "problem")
    assert problem in detail and str(home / name) in detail and advice


def test_the_first_place_wins_and_the_others_are_named(home, monkeypatch):
    write(home / "kaggle.json", JSON)
    write(home / "access_token", TOKEN)
    monkeypatch.setenv("KAGGLE_USERNAME", "bob")
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    status, [used, variables, file] = about_credentials(home)
    assert used[:2] == ("credentials", "ok") and "access_token" in used[2] and status == 0
    assert variables[:2] == file[:2] == ("not used", "warning")
    assert "user bob" in variables[2] and variables[2].endswith("access_token wins")
    assert "user ann" in file[2]


def test_half_a_pair_of_variables_is_a_problem(home, monkeypatch):
    write(home / "kaggle.json", JSON)
    monkeypatch.setenv("KAGGLE_USERNAME", "bob")
    status, [first, _] = about_credentials(home)
    assert status == 1 and "without KAGGLE_KEY" in first[2] and "unset" in first[3]


def test_a_file_that_others_can_read_is_a_warning(home):
    write(home / "kaggle.json", JSON, mode=0o644)
    status, [_, warning] = about_credentials(home)
    assert status == 0 and warning[3] == f"chmod 600 {home / 'kaggle.json'}"


def test_online_asks_for_the_user_and_the_quota(home, tmp_path):
    make_toy(tmp_path / "bundles")
    with (
        running(tmp_path / "bundles", state=tmp_path / "state") as box,
        rehearsing(box.url, user=box.user, key=box.key),
    ):
        before = {f[0] for f in findings(tmp_path)[1]}
        status, found = findings(tmp_path, "--online")
        [online] = [f for f in found if f[0] == "online"]
        assert "online" not in before and (status, online[1]) == (0, "ok")
        assert f"accepts user {box.user}" in online[2] and "GPU 30.0 of 30 h" in online[2]
        os.environ["KAGGLE_KEY"] = "f" * 32
        status, found = findings(tmp_path, "--online")
        [online] = [f for f in found if f[0] == "online"]
        assert (status, online[1]) == (1, "problem") and "f" * 32 not in str(found)


def test_only_extras_of_own_competitions_are_asked_for(home, monkeypatch):
    place, version = home.parent, metadata.version

    def without(*names):
        def found(name):
            if name in names:
                raise metadata.PackageNotFoundError(name)
            return version(name)

        return found

    monkeypatch.setattr(
        "fastkaggle_plus.workflow.installed.version", without("transformers", "xgboost", "torch")
    )
    assert not [f for f in findings(place)[1] if f[1] == "warning" and f[0] != "credentials"]
    folder = place / "competitions" / "houses"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(FACTS)
    (folder / "trials.py").write_text(TRIALS)
    status, found = findings(place)
    [warning] = [f for f in found if f[1] == "warning" and f[0] != "credentials"]
    assert warning[0] == "extra tabular" and "for houses" in warning[2] and status == 0
    assert warning[3] == "pip install 'fastkaggle_plus[tabular]'"
    (folder / "trials.py").write_text(TRIALS.replace("forest.forest_model", "boosting.xgboost"))
    assert "extra boost" in {f[0] for f in findings(place)[1]}
    (folder / "trials.py").write_text(TRIALS.replace("forest.forest_model", "tabm.tabm_model"))
    assert "extra nets" in {f[0] for f in findings(place)[1]}


def test_a_library_that_is_too_old_is_a_problem(home, monkeypatch):
    version = metadata.version
    monkeypatch.setattr(
        "fastkaggle_plus.workflow.installed.version",
        lambda name: "1.6.17" if name == "kaggle" else version(name),
    )
    status, found = findings(home.parent)
    [problem] = [f for f in found if f[1] == "problem"]
    assert status == 1 and problem[0] == "kaggle" and "got 1.6.17" in problem[2]
    assert problem[3].startswith("pip install 'kaggle>=")
