"""A user who tries to make the package send what it should not. A sandbox plays the real Kaggle."""

import os
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from unittest import mock

import pytest
import typer

from fastkaggle_plus import environment, rehearsal, submit
from fastkaggle_plus.exceptions import (
    FastkaggleError,
    KaggleUnavailable,
    SandboxError,
    SubmissionError,
)
from fastkaggle_plus.kaggle_client import Submission, import_kaggle, session, submissions, uploads
from fastkaggle_plus.kaggle_client.live_writes import refuse_rehearsed
from fastkaggle_plus.kaggle_client.submissions import _why_file_failed, submissions_left
from fastkaggle_plus.workflow import submit as workflow_submit

from . import toy
from .live_kaggle import typed
from .test_going_live import received, write_answers

SEND = ("submit", "--live", "-c", "toy", "-m", "m", "-f")


def variables():
    names = ("KAGGLE", "FKP_REHEARSAL", "http_proxy")
    return {k: v for k, v in os.environ.items() if k.startswith(names)}


def test_rehearsals_that_overlap_never_reach_the_real_kaggle(place, real, monkeypatch):
    monkeypatch.chdir(place)
    file, outside, before = write_answers(place), variables(), received(real)
    first = rehearsal("toy", bundles="bundles", dest="a")
    second = rehearsal("toy", bundles="bundles", dest="b")
    first.__enter__()
    box = second.__enter__()
    first.__exit__(None, None, None)
    assert variables()["http_proxy"] == box.url
    assert submit(file, "m", "toy", poll_s=0.05).sent
    assert toy.submissions(place / "b" / box.kaggle_folder.name) == 1
    second.__exit__(None, None, None)
    assert variables() == outside and received(real) == before


def test_a_client_of_a_rehearsal_never_reaches_the_real_kaggle_after_it(place, real, monkeypatch):
    monkeypatch.chdir(place)
    file, before = write_answers(place), received(real)
    with rehearsal("toy", bundles="bundles"):
        client = import_kaggle()
    client.tries, client.deadline_s = 1, 1.0
    with pytest.raises(FastkaggleError):
        submit(file, "m", "toy", client=client, poll_s=0.05)
    assert received(real) == before


def test_a_file_that_changes_after_the_plan_is_not_sent(place, real):
    file = write_answers(place)

    def change(*_, **__):
        text = (place / file).read_text()
        (place / file).write_text(text.replace("122,0", "122,1"))
        return True

    with mock.patch.object(typer, "confirm", change), typed("y"):
        done = toy.fkp(*SEND, file, cwd=place)
    assert done.returncode == 1 and "changed since the plan" in done.stderr
    assert toy.submissions(real.folder) == 0

    upload = uploads.upload_submission

    def change_and_upload(about, path):
        change()
        return upload(about, path)

    write_answers(place)
    with mock.patch.object(uploads, "upload_submission", change_and_upload):
        done = toy.fkp(*SEND, file, "--yes", cwd=place)
    assert done.returncode == 1 and "changed since the plan" in done.stderr
    assert toy.submissions(real.folder) == 0


def test_what_cannot_be_checked_is_not_sent(place, real):
    shutil.rmtree(place / "competitions")
    file = write_answers(place)
    no_answer = KaggleUnavailable("Kaggle did not answer.")
    with mock.patch.object(workflow_submit, "download_sample", side_effect=no_answer):
        done = toy.fkp(*SEND, file, "--yes", cwd=place)
    assert done.returncode == 1 and "--no-check" in done.stderr, done.stderr
    shutil.copy(place / file, place / "answers.txt")
    done = toy.fkp(*SEND, "answers.txt", "--yes", cwd=place)
    assert done.returncode == 1 and "takes a csv" in done.stderr and "--no-check" in done.stderr
    assert toy.submissions(real.folder) == 0
    assert toy.fkp(*SEND, "answers.txt", "--yes", "--no-check", cwd=place).returncode == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.rstrip(b"\n"),
        lambda b: b.replace(b"id,y", b'"id","y"'),
    ],
    ids=["line ends", "byte order mark", "no last line end", "quotation marks"],
)
def test_a_rehearsals_file_is_known_in_another_form(place, monkeypatch, change):
    monkeypatch.chdir(place)
    file = write_answers(place)
    with rehearsal("toy", bundles="bundles"):
        submit(file, "m", "toy", poll_s=0.05)
    (place / "copy.csv").write_bytes(change((place / file).read_bytes()))
    with pytest.raises(SubmissionError, match="rehearsal of toy"):
        refuse_rehearsed(Path("copy.csv"))


def test_another_program_on_the_port_gets_no_credentials(place, monkeypatch):
    asked = []

    class Forwarder(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(dict(self.headers))
            self.send_error(500)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Forwarder)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    given = {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": url}
    for name, value in (given | {"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}).items():
        monkeypatch.setenv(name, value)
    for endpoint in ("", "http://127.0.0.1:1"):
        monkeypatch.setenv("KAGGLE_API_ENDPOINT", endpoint)
        with pytest.raises(SandboxError, match="fkp sandbox serve"):
            submissions("toy")
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", url)
    monkeypatch.setenv("no_proxy", "localhost")  # now requests go to port 80
    with pytest.raises(SandboxError, match=r"127\.0\.0\.1:80"):
        submissions("toy")
    server.shutdown()
    server.server_close()
    assert asked == []


def test_a_rehearsal_variable_alone_is_named(monkeypatch):
    monkeypatch.delenv("KAGGLE_API_ENVIRONMENT", raising=False)
    monkeypatch.setenv("FKP_REHEARSAL", "1")
    with pytest.raises(SandboxError, match="FKP_REHEARSAL is set, but KAGGLE_API_ENVIRONMENT"):
        session.connect()


def test_a_live_command_says_first_which_kaggle_it_asks(place, real, monkeypatch):
    monkeypatch.chdir(place)
    file = write_answers(place)
    done = toy.fkp(*SEND, file, "--dry-run", cwd=place)
    assert done.stderr.splitlines()[0] == "asking Kaggle ..."
    with rehearsal("toy", bundles="bundles"):
        done = subprocess.run(
            [sys.executable, "-m", "fastkaggle_plus", *SEND, file, "--yes"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0 and done.stderr.startswith("sandbox: "), done.stderr
    assert toy.submissions(real.folder) == 0


def test_the_plan_says_why_the_number_left_is_unknown(place, real):
    client = session.connect()
    client.endpoint, client.tries = "http://127.0.0.1:1", 1
    left = submissions_left("toy", client=client)
    assert left.startswith("unknown: Kaggle could not be reached"), left


def test_kaggles_reason_ends_with_one_full_stop():
    reason = "11 ids are missing, like '170'."
    record = Submission(1, "toy", "ERROR", None, None, "", "", "", error_description=reason)
    assert "like '170'. Compare" in _why_file_failed(record)


def test_rehearsals_in_threads_restore_the_environment(monkeypatch):
    outside = variables()

    def rehearse(port):
        for _ in range(50):
            url = f"http://127.0.0.1:{port}"
            with environment.rehearsing(url, user="u", key="k"):
                assert environment.points_to_sandbox()

    threads = [Thread(target=rehearse, args=(port,)) for port in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert variables() == outside
