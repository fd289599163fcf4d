"""Credentials and endpoints: nothing printed, nothing sent to the wrong place, no SystemExit."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import (
    BadCredentials,
    KaggleUnavailable,
    NoCredentials,
    SandboxError,
)
from fastkaggle_plus.kaggle_client import connect, import_kaggle, session, submissions

from .faults import between, status

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in another process, with an empty home and only the Kaggle variables in `env`."""
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.upper().startswith(("KAGGLE", "FKP")) and not k.lower().endswith("_proxy")
    }
    # A closed local port instead of the internet: requests to other machines fail immediately.
    clean |= {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_import_loads_no_kaggle(tmp_path):
    done = python(
        """
        import sys
        import fastkaggle_plus.kaggle_client as k
        from fastkaggle_plus import iskaggle
        assert iskaggle == ""
        assert not {"kaggle", "kagglesdk", "requests"} & set(sys.modules), sys.modules.keys()
        assert callable(k.submissions) and callable(k.submit), "a module must not hide the function"
        from fastkaggle_plus.kaggle_client import submissions, setup_comp
        assert callable(submissions) and sorted(k.__all__) == k.__all__
        assert "kaggle" not in sys.modules
    """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_no_credentials_raise_and_print_nothing(tmp_path):
    done = python(
        """
        from fastkaggle_plus.exceptions import NoCredentials
        from fastkaggle_plus.kaggle_client import import_kaggle
        import sys
        try: import_kaggle()
        except NoCredentials as e: open("said", "w").write(str(e))
        assert not sys.stdin.closed, "kaggle's exit() closes it"
    """.replace('"said"', repr(str(tmp_path / "said"))),
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = (tmp_path / "said").read_text()
    assert all(way in said for way in ("KAGGLE_API_TOKEN", "kaggle.json", "kaggle auth login"))


def test_a_missing_six_says_what_to_install(tmp_path):
    done = python(
        """
        import sys
        sys.modules["six"] = None
        from fastkaggle_plus.exceptions import MissingExtra
        from fastkaggle_plus.kaggle_client import import_kaggle
        try: import_kaggle()
        except MissingExtra as e: assert "six" in str(e) and "pip install" in str(e)
        else: raise SystemExit("no error")
    """,
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_stale_token_file_is_named_but_not_quoted(tmp_path):
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "access_token").write_text("KGAT_very_secret_0123")
    done = python(
        """
        import traceback
        from kagglesdk.kaggle_http_client import KaggleHttpClient
        from fastkaggle_plus.exceptions import BadCredentials
        from fastkaggle_plus.kaggle_client import client, session
        session._import_kaggle_package()
        from fastkaggle_plus.kaggle_client.client import Client
        Client._introspect_token = lambda self, token: None
        try: session.import_kaggle()
        except BadCredentials:
            text = traceback.format_exc()
            assert "access_token" in text and "KGAT" not in text, text
        else: raise SystemExit("no error")
    """.replace("client, session", "session"),
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_inside_kaggle_the_secrets_come_last(tmp_path):
    (tmp_path / "kaggle_secrets.py").write_text(
        textwrap.dedent("""
        class UserSecretsClient:
            def get_secret(self, label):
                return {"kaggle_username": "ann", "kaggle_key": "k3y-of-ann"}[label]
    """)
    )
    code = """
        from fastkaggle_plus.kaggle_client import import_kaggle
        api = import_kaggle()
        print(api.config_values["username"], api.config_values["key"])
    """
    path = f"{ROOT}{os.pathsep}{tmp_path}"
    by_secret = python(code, tmp_path, KAGGLE_KERNEL_RUN_TYPE="Interactive", PYTHONPATH=path)
    assert by_secret.stdout == "ann k3y-of-ann\n", by_secret.stderr
    by_variable = python(
        code,
        tmp_path,
        KAGGLE_KERNEL_RUN_TYPE="Interactive",
        PYTHONPATH=path,
        KAGGLE_USERNAME="bob",
        KAGGLE_KEY="b",
    )
    assert by_variable.stdout == "bob b\n", by_variable.stderr


def test_inside_kaggle_without_secrets(tmp_path):
    done = python(
        """
        from fastkaggle_plus.exceptions import NoCredentials
        from fastkaggle_plus.kaggle_client import import_kaggle
        try: import_kaggle()
        except NoCredentials as e: assert "kaggle_username" in str(e)
        else: raise SystemExit("no error")
    """,
        tmp_path,
        KAGGLE_KERNEL_RUN_TYPE="Batch",
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_inside_kaggle_a_token_is_enough(box, tmp_path):
    (tmp_path / "token").write_text(box.token + "\n")
    for token in (box.token, str(tmp_path / "token")):
        done = python(
            """
            from fastkaggle_plus.kaggle_client import import_kaggle
            api = import_kaggle()
            names = [f.name for f in api.competition_list_files("toy").files]
            print(api.config_values["username"], names[:1])
        """,
            tmp_path,
            KAGGLE_KERNEL_RUN_TYPE="Batch",
            KAGGLE_API_TOKEN=token,
            KAGGLE_API_ENVIRONMENT="LOCALHOST",
            KAGGLE_API_ENDPOINT=box.url,
            http_proxy=box.url,
        )
        assert done.stdout == f"{box.user} ['images/noise.bin']\n", done.stdout + done.stderr


def test_kaggle_json_works_and_its_warning_is_a_warning(tmp_path):
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text(json.dumps({"username": "ann", "key": "k3y"}))
    (tmp_path / ".kaggle" / "kaggle.json").chmod(0o644)
    done = python(
        """
        import warnings
        from fastkaggle_plus.kaggle_client import import_kaggle
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert import_kaggle().config_values["key"] == "k3y"
        assert any("readable by other" in str(w.message) for w in caught)
    """,
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_client_of_the_users_own_works_and_gets_time_limits(box, slug, tmp_path):
    done = python(
        f"""
        from fastkaggle_plus import environment
        with environment.rehearsing({box.url!r}, user={box.user!r}, key={box.key!r}):
            from kaggle import api
            from fastkaggle_plus.kaggle_client import setup_comp, submissions
            assert submissions({slug!r}, client=api) == []
            print(setup_comp({slug!r}, dest={str(tmp_path / "data")!r}, client=api))
    """,
        tmp_path,
    )
    assert done.stdout.strip() == str(tmp_path / "data"), done.stderr


def test_connects_by_endpoint_and_in_a_rehearsal(box, slug):
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        assert submissions(slug) == []
        assert import_kaggle().config_values["username"] == box.user
    with environment.rehearsing(box.url, user=box.user, key=box.key):
        assert submissions(slug) == []
    assert submissions(slug, client=connect(box.url, user=box.user, key=box.key)) == []
    assert submissions(slug, client=connect(box.url + "/api/", token=box.token)) == []


def test_kaggles_own_methods_work_on_what_connect_returns(box, slug, api):
    assert {f.name for f in api.competition_list_files(slug).files} >= {"train.csv", "test.csv"}
    from kaggle.api.kaggle_api_extended import KaggleApi

    assert isinstance(api, KaggleApi)


@pytest.mark.parametrize("wrong", [{"user": "someone"}, {"key": "wrong-key-123456"}])
def test_a_wrong_key_is_refused_and_not_quoted(box, slug, wrong):
    given = {"user": box.user, "key": box.key, **wrong}
    with pytest.raises(BadCredentials, match="settings") as caught:
        submissions(slug, client=connect(box.url, **given))
    assert given["key"] not in str(caught.value) and caught.value.status == 401


def test_a_wrong_token_is_refused(box):
    with pytest.raises(BadCredentials, match="token"):
        connect(box.url, token="KGAT_wrong")


def test_half_a_credential(box):
    with pytest.raises(NoCredentials, match="go together"):
        connect(box.url, user="ann")


def test_another_server_never_gets_the_credentials_of_the_environment(box, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "real")
    monkeypatch.setenv("KAGGLE_KEY", "real-key")
    with pytest.raises(NoCredentials, match="are not sent there"):
        connect(box.url)


@pytest.mark.parametrize("value", ["TEST", "STAGING", "nonsense"])
def test_an_environment_that_kaggle_takes_for_production_is_refused(value, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", value)
    with pytest.raises(SandboxError, match="production"):
        connect()


def test_a_plain_http_endpoint_must_be_this_machine(monkeypatch):
    with pytest.raises(SandboxError, match="stay on this machine"):
        connect("http://192.0.2.1:8000", user="ann", key="k")


def test_a_rehearsal_cannot_reach_kaggle(box):
    before = connect(user="real", key="real-key")
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        with pytest.raises(SandboxError):
            connect("https://192.0.2.1", user="real", key="real-key")
        before.endpoint = "https://192.0.2.1"  # in place of api.kaggle.com, without a name server
        with pytest.raises(SandboxError):
            submissions("toy", client=before)
        with (
            pytest.MonkeyPatch.context() as inside
        ):  # monkeypatch of the test would restore the rehearsal's value after its end
            inside.setenv("KAGGLE_API_ENVIRONMENT", "PROD")
            with pytest.raises(SandboxError, match="production"):
                connect()


def test_a_rehearsal_follows_no_redirect_and_no_proxy_off_this_machine(box, slug, api, monkeypatch):
    with between(box.url) as faults:
        client = connect(faults.url, user=box.user, key=box.key)
        faults.on("ListSubmissions", status(302, headers={"Location": "http://192.0.2.1/steal"}))
        with pytest.raises(SandboxError):
            submissions(slug, client=client)
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    with pytest.raises(SandboxError):
        submissions(slug, client=api)


def test_the_token_of_a_real_account_is_not_sent(box, tmp_path):
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "access_token").write_text("KGAT_real_account")
    (tmp_path / ".kaggle" / "kaggle.json").write_text(
        json.dumps({"username": "real", "key": "real-key"})
    )
    with between(box.url) as faults:
        seen: list[str] = []

        def note(handler, forward):
            seen.append(handler.headers.get("Authorization"))
            status(500)(handler, forward)

        faults.on("", note, times=99)
        python(
            f"""
            from fastkaggle_plus import environment
            from fastkaggle_plus.kaggle_client import connect, submissions
            with environment.rehearsing({faults.url!r}, user="ann", key="sandbox-key"):
                submissions("toy", client=connect(tries=1))
        """,
            tmp_path,
        )
    assert seen and set(seen) == {"Basic " + base64.b64encode(b"ann:sandbox-key").decode()}


def test_a_dead_sandbox_is_named(box):
    with between(box.url) as faults:
        url = faults.url
    with pytest.raises(KaggleUnavailable, match="sandbox serve"):
        submissions("toy", client=connect(url, user="ann", key="k", tries=2))


def test_origin_names_the_sandbox(box):
    assert session.origin() == "https://api.kaggle.com"
    with environment.rehearsing(box.url, user=box.user, key=box.key):
        assert session.origin() == "sandbox"


def test_two_processes_that_make_the_settings_folder_at_once(tmp_path):
    """The kaggle package checks for its folder, then makes it: the second process must not fail."""
    code = """
import os
make = os.makedirs
def too_late(path, *more, **how):
    make(path, exist_ok=True)
    os.makedirs = make
    raise FileExistsError(17, "File exists", str(path))
os.makedirs = too_late
from fastkaggle_plus.kaggle_client import connect
client = connect("http://127.0.0.1:9", user="somebody", key="0")
print(client.config_values["username"], os.makedirs is make)
"""
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith("XDG")},
        "HOME": str(tmp_path / "nobody"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == "somebody True\n", done.stderr
