"""A notebook version is submitted once and scored by its re-run, also after a lost answer."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict

import pytest

from fastkaggle_plus.exceptions import (
    KaggleError,
    NotFound,
    PermissionDenied,
    RulesNotAccepted,
    SubmissionFailed,
)
from fastkaggle_plus.kaggle_client import (
    connect,
    push_notebook,
    submissions,
    submit_code,
    wait_kernel,
)
from fastkaggle_plus.sandbox import running

from . import faults as f
from .conftest import ROWS, csv
from .processes import Process

ANSWERS = """
import csv, glob
path = "input/competitions/coded/test.csv"
[test] = glob.glob(f"/kaggle/{path}") or glob.glob(f"../{path}")
rows = list(csv.DictReader(open(test)))
ids = [int(row["id"]) for row in rows]
open("submission.csv", "w").write("id,y\\n" + "".join(f"{i},{i % 2}\\n" for i in ids))
open("other.csv", "w").write("who,what\\n1,2\\n")
"""


@pytest.fixture(scope="module")
def box(files, tmp_path_factory):
    """A code competition, and a completed notebook version."""
    folder = tmp_path_factory.mktemp("coded")
    bundle = folder / "bundles" / "coded"
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        (bundle / "files").mkdir(parents=True, exist_ok=True)
        (bundle / "files" / name).write_bytes(files[name])
    (bundle / "solution.csv").write_bytes(
        csv(
            "id,y,Usage",
            (f"{i},{i % 2},{'Public' if i % 3 else 'Private'}" for i in range(100, 100 + ROWS)),
        )
    )
    (bundle / "competition.toml").write_text(
        'title = "coded"\nkind = "tabular"\ntask = "binary"\nmetric = "accuracy"\n'
        'id = "id"\ntarget = "y"\n'
        'code_competition = true\nmax_daily_submissions = 100\n[split]\nkind = "stratified"\n'
    )
    with running(folder / "bundles", state=folder / "state") as box:
        client = connect(box.url, user=box.user, key=box.key)
        (folder / "run.py").write_text(ANSWERS)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("FKP_HOME", str(folder / "home"))
            box.made = push_notebook(
                box.user,
                "answers-all",
                "Answers all",
                "run.py",
                folder,
                "coded",
                internet=False,
                client=client,
            )
        wait_kernel(box.made, client=client, poll_s=0.1, timeout_s=60)
        yield box


@pytest.fixture
def send(box, client, request):
    def sending(message=request.node.name, **more):
        return submit_code(
            box.made.handle,
            more.pop("version", 1),
            message,
            **{"competition": "coded", "client": client, "poll_s": 0.1, **more},
        )

    return sending


@pytest.fixture
def count(box, request):
    def counting(message=request.node.name) -> int:
        listed = submissions("coded", client=connect(box.url, user=box.user, key=box.key))
        return sum(s.description == message for s in listed)

    return counting


def test_scores_a_version(box, send, client, count):
    scored = send()
    assert (scored.status, scored.public_score, scored.sent, scored.slug, scored.file_name) == (
        "COMPLETE",
        1.0,
        True,
        "coded",
        "submission.csv",
    )
    json.dumps(asdict(scored))
    again = send()
    assert (again.ref, again.sent, again.public_score) == (scored.ref, False, 1.0) and count() == 1
    by_record = submit_code(
        box.made, message="by the record", competition="coded", client=client, poll_s=0.1
    )
    assert by_record.public_score == 1.0 and by_record.ref != scored.ref


@pytest.mark.parametrize(
    "lost",
    [f.drop_after, f.status_after(502), f.body_of(lambda _: b"<html>"), f.body_of(lambda _: b"{}")],
    ids=["drop", "502", "html", "empty"],
)
def test_a_lost_answer_is_found_again(send, faults, count, lost):
    faults.on("CreateCodeSubmission", lost)
    assert send(wait=False).sent and faults.seen("CreateCodeSubmission") == 1 and count() == 1


@pytest.mark.parametrize(
    "lost",
    [f.drop_before, f.status(503), f.status(429, headers={"Retry-After": "0"})],
    ids=["drop", "503", "429"],
)
def test_a_request_that_never_arrived_is_sent_once_more(send, faults, count, lost):
    faults.on("CreateCodeSubmission", lost)
    assert send(wait=False).sent and faults.seen("CreateCodeSubmission") == 2 and count() == 1


def test_an_older_equal_submission_is_not_mistaken_for_a_lost_one(send, faults, count, tmp_path):
    older = send(journal=tmp_path / "of-another-machine.jsonl", wait=False)
    faults.on("CreateCodeSubmission", f.drop_before)
    assert send(wait=False).ref != older.ref and count() == 2


KILLED = """
from fastkaggle_plus.kaggle_client import connect, submit_code
client = connect({url!r}, user={user!r}, key={key!r})
options = dict(competition="coded", client=client, poll_s=0.05)
print(submit_code({handle!r}, 1, {message!r}, **options).status, flush=True)
"""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_during_the_request(box, send, faults, count, request, after):
    never, reached = threading.Event(), threading.Event()

    def stall(handler, forward):
        if after:
            forward()
        reached.set()
        f.hang(never)(handler, forward)

    faults.on("CreateCodeSubmission", stall)
    code = KILLED.format(
        url=faults.url,
        user=box.user,
        key=box.key,
        handle=box.made.handle,
        message=request.node.name,
    )
    process = Process(code)
    assert reached.wait(60)
    process.kill()
    never.set()
    faults.rules.clear()
    assert send().status == "COMPLETE" and count() == 1


def test_a_version_that_cannot_be_scored_is_an_error(send):
    with pytest.raises(SubmissionFailed, match=r"answers-all version 1.*sample"):
        send(file_name="other.csv")


@pytest.mark.parametrize("more", [{"file_name": "never-written.csv"}, {"version": 99}])
def test_a_missing_file_or_version(send, count, more):
    with pytest.raises((NotFound, SubmissionFailed)):
        send(**more)


@pytest.mark.parametrize(
    "said, error, hint",
    [
        ((400, "Your Notebook has internet access enabled"), PermissionDenied, "internet=False"),
        ((400, "The kernel version is still running"), PermissionDenied, "fkp status"),
        ((404, "Output file submission.csv was not found"), NotFound, "fkp output"),
        ((403, "Permission 'kernels.get' was denied"), NotFound, "notebook version"),
        ((400, "This is not a code competition"), PermissionDenied, "use submit"),
        (
            (403, "You cannot submit until you accept the competition rules"),
            RulesNotAccepted,
            "/rules",
        ),
        ((400, "Bad Request"), KaggleError, "malformed"),
    ],
)
def test_each_refusal_has_its_own_message(send, faults, count, said, error, hint):
    faults.on("CreateCodeSubmission", f.status(*said))
    with pytest.raises(error, match=hint) as caught:
        send()
    assert type(caught.value) is error and caught.value.said == said[1] and count() == 0
