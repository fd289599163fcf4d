"""A submission is stored, scored, counted and ranked; it survives a restart and a kill."""

import gzip
import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import zipfile

import pytest
import requests

from fastkaggle_plus.exceptions import SandboxError
from fastkaggle_plus.sandbox import running

from ..bundles import answers, make_bundle
from .conftest import Caller


def zipped(*contents):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for i, content in enumerate(contents):
            z.writestr(f"{i}.csv", content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        answers(wrong=4),
        zipped(answers(wrong=4)),
        gzip.compress(answers(wrong=4)),
        b"\xef\xbb\xbf" + answers(wrong=4),
        b"\n".join([b"id,y", *reversed(answers(wrong=4).splitlines()[1:])]),
    ],
    ids=["csv", "zip", "gz", "bom", "other order"],
)
def test_a_good_file_is_scored(shared_call, content):
    call = shared_call
    found = call.scored(call.submit(content, description="mine"))
    assert (found["status"], found["publicScore"], found["description"]) == (
        "COMPLETE",
        "0.90000",
        "mine",
    )
    assert found["privateScore"] == ""  # until the competition ends
    assert call.box.private_score(found["ref"]) == 0.9


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"\xff\xfe\x00id", "UTF-8"),
        (answers().replace(b"id,y", b"id,z"), "missing: y"),
        (answers().replace(b"id,y", b"id,y\xc3\xa9"), "missing: y"),
        (answers() + b"99,1\n", "must have 40 rows, and has 41"),
        (answers(38), "2 ids are missing, like '38'"),
        (answers(39) + b"0,1\n", "more than once, like '0'"),
        (answers(39) + b"77,1\n", "not in the test set, like '77'"),
        (answers(39) + b"39,\n", "empty, the first for id '39'"),
        (zipped(b"a", b"b"), "holds 2"),
    ],
)
def test_a_malformed_file_is_an_error_with_a_reason(shared_call, content, reason):
    call = shared_call
    before = call("GetSubmissionLimits", competitionName="toy").json()["numToday"]
    found = call.scored(call.submit(content))
    assert (
        found["status"] == "ERROR"
        and reason in found["errorDescription"]
        and found["publicScore"] == ""
    )
    assert (
        call("GetSubmissionLimits", competitionName="toy").json()["numToday"] == before
    )  # an error does not count


def test_daily_limit_holds_in_a_race(call):
    refused = []

    def send(i):
        content = answers(wrong=i)
        opened = call(
            "StartSubmissionUpload",
            competitionName="limited",
            fileName="a.csv",
            contentLength=len(content),
        ).json()
        call.session.put(opened["createUrl"], data=content, timeout=20)
        answer = call("CreateSubmission", competitionName="limited", blobFileTokens=opened["token"])
        refused.append((answer.status_code, answer.json().get("message", "")))

    threads = [threading.Thread(target=send, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(code for code, _ in refused) == [200, 200, 400, 400, 400, 400]
    assert any("daily limit of 2 submissions" in message for _, message in refused)


def test_rules_and_unknown_competitions(call):
    answer = call(
        "StartSubmissionUpload", competitionName="locked", fileName="a.csv", contentLength=3
    )
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "You cannot submit until you accept the competition rules",
    )
    answer = call(
        "StartSubmissionUpload", competitionName="nope", fileName="a.csv", contentLength=3
    )
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "Permission 'competitions.participate' was denied",
    )


def test_a_late_submission_is_scored_but_not_ranked(call):
    found = call.scored(call.submit(answers(), "closed"))
    assert (found["publicScore"], found["privateScore"]) == ("1.00000", "1.00000")
    teams = [
        r["teamName"]
        for r in call("GetLeaderboard", competitionName="closed").json()["submissions"]
    ]
    assert teams == ["sample submission"]


def test_a_token_is_good_for_one_submission(call):
    content = answers()
    opened = call(
        "StartSubmissionUpload", competitionName="toy", fileName="a.csv", contentLength=len(content)
    ).json()
    early = call("CreateSubmission", competitionName="toy", blobFileTokens=opened["token"])
    assert (early.status_code, "not complete" in early.json()["message"]) == (400, True)
    call.session.put(opened["createUrl"], data=content, timeout=20)
    assert (
        call("CreateSubmission", competitionName="toy", blobFileTokens=opened["token"]).status_code
        == 200
    )
    assert (
        call("CreateSubmission", competitionName="toy", blobFileTokens=opened["token"]).status_code
        == 400
    )


def test_best_public_score_counts_and_references_compete(call, bundles):
    refs = [call.scored(call.submit(answers(wrong=wrong)))["ref"] for wrong in (8, 4, 12)]
    rows = call("GetLeaderboard", competitionName="toy").json()["submissions"]
    assert [(r["teamName"], r["score"]) for r in rows] == [
        ("kaggler", "0.90000"),
        ("sample submission", "0.50000"),
    ]
    assert call.box.rank("toy", refs[0]) == (1, 1, 2)
    listed = call("ListSubmissions", competitionName="toy").json()["submissions"]
    assert [s["publicScore"] for s in listed] == ["0.70000", "0.90000", "0.80000"]  # newest first


def test_lower_is_better_ranks_the_other_way(tmp_path):
    folder = make_bundle(tmp_path / "b")
    toml = folder / "competition.toml"
    toml.write_text(
        toml.read_text().replace('"accuracy"', '"mae"').replace('"binary"', '"regression"')
    )
    with running(tmp_path / "b", state=tmp_path / "s") as box:
        call = Caller(box)
        call.scored(call.submit(answers(wrong=4)))
        assert [
            r["teamName"]
            for r in call("GetLeaderboard", competitionName="toy").json()["submissions"]
        ] == ["kaggler", "sample submission"]


def test_the_better_of_two_best_public_entries_counts_in_private(call):
    def right_in(*public_or_private):  # ids with i % 4 < 2 are public
        return (
            "id,y\n"
            + "".join(
                f"{i},{i % 2 if (i % 4 < 2) in public_or_private else 1 - i % 2}\n"
                for i in range(40)
            )
        ).encode()

    for content in (
        right_in(False),
        answers(wrong=20),
        right_in(True),
    ):  # the luckiest in private is the worst in public
        call.scored(call.submit(content))
    ours = next(r for r in call.box.leaderboard("toy") if r["ours"])
    assert ours["public_score"] == 1.0 and ours["private_score"] == 0.5


def test_a_restart_keeps_everything(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as box:
        first, key = Caller(box), box.key
        ref = first.submit(answers(wrong=4))
        first.scored(ref)
    with running(bundles, state=tmp_path / "state") as box:
        again = Caller(box)
        assert box.key == key and again.scored(ref)["publicScore"] == "0.90000"
        assert (
            again.submit(answers()) == ref + 1
            and again("GetSubmissionLimits", competitionName="toy").json()["numToday"] == 2
        )


def test_killed_with_submissions_pending_it_scores_them_later(bundles, tmp_path):
    code = f"""
import time
from fastkaggle_plus.exceptions import SandboxError
from fastkaggle_plus.sandbox import running
import fastkaggle_plus.sandbox.submissions as life
life.Submissions._score = lambda self, ref: time.sleep(1000)   # killed before any score
with running({str(bundles)!r}, state={str(tmp_path / "state")!r}, key="k") as box:
    print(box.url, flush=True)
    time.sleep(1000)
"""
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    call = Caller(type("Box", (), {"url": url, "user": "kaggler", "key": "k"}))
    refs = [call.submit(answers(wrong=w)) for w in (0, 4)]
    server.send_signal(signal.SIGKILL)
    server.wait()
    with running(bundles, state=tmp_path / "state") as box:
        assert [Caller(box).scored(ref)["publicScore"] for ref in refs] == ["1.00000", "0.90000"]


def test_one_server_a_state_folder(box, bundles, tmp_path):
    with (
        pytest.raises(SandboxError, match="Another sandbox is using"),
        running(bundles, state=tmp_path / "state"),
    ):
        pass


def test_old_unused_uploads_are_deleted_and_an_older_state_opens(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as box:
        call = Caller(box)
        opened = call(
            "StartSubmissionUpload", competitionName="toy", fileName="a.csv", contentLength=3
        ).json()
        requests.put(opened["createUrl"], data=b"abc", timeout=20)
        ref = call.submit(answers())
        call.scored(ref)
    blobs = list((tmp_path / "state/blobs").iterdir())
    for blob in blobs:
        os.utime(blob, (0, 0))
    with sqlite3.connect(tmp_path / "state/state.db") as db:
        db.execute("alter table uploads drop column purpose")
    with running(bundles, state=tmp_path / "state") as box:
        assert [b.read_bytes() for b in (tmp_path / "state/blobs").iterdir()] == [answers()], (
            "the submission's own file stays"
        )
        assert Caller(box).submit(answers(wrong=1)) > ref
