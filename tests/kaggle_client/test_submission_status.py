"""Earlier attempts are found before a file is sent, despite slow lists and wrong clocks."""

import json
from datetime import datetime, timedelta

import pytest

from fastkaggle_plus.exceptions import KaggleError, RateLimited, SubmissionError
from fastkaggle_plus.kaggle_client import Journal, outbox

from . import faults as f

NOTHING = f.status(200, body=b'{"submissions": []}')


def test_a_slow_list_does_not_cause_a_second_submission(send, faults, slug, count):
    faults.on("ListSubmissions", NOTHING, times=999)
    first, second = send(wait=False), send(wait=False)
    assert first.sent and not second.sent and second.ref == first.ref and second.status == "PENDING"
    faults.rules.clear()
    assert send().public_score is not None and count() == 1


def test_works_with_a_service_without_get_submission(send, faults, slug, count):
    faults.on("ListSubmissions", NOTHING, times=999)
    faults.on("GetSubmission", f.status(404, "No such endpoint GetSubmission"), times=999)
    send(wait=False)
    assert not send(wait=False).sent
    faults.rules.clear()
    assert count() == 1


@pytest.mark.parametrize("hours", [-30, 2, 30])
def test_a_wrong_clock(send, faults, slug, monkeypatch, hours, count):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=hours)

    monkeypatch.setattr(outbox, "datetime", Clock)
    faults.on("CreateSubmission", f.drop_after)
    assert send().status == "COMPLETE" and not send().sent and count() == 1


def test_all_earlier_attempts_are_searched(send, faults, slug, tmp_path, count):
    journal = Journal(tmp_path / "j.jsonl")
    faults.on("CreateSubmission", f.drop_after, times=99)  # it arrives and the answer is lost ...
    faults.on("ListSubmissions", NOTHING, times=999)  # ... and the list is empty
    with pytest.raises(Exception, match=r"reached|no longer knows"):
        send(journal=journal)
    faults.rules.clear()
    faults.on("ListSubmissions", NOTHING, times=3)
    faults.on("PUT ", f.status(403), times=99)
    with pytest.raises(Exception, match=r"did not reach|storage"):
        send(journal=journal)  # a later attempt fails during the upload
    faults.rules.clear()
    assert not send(journal=journal).sent and count() == 1
    assert [e.state for e in journal.entries()].count("sent") == 1


def test_a_journal_with_damaged_bytes_still_reads(send, tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    send(journal=journal)
    journal.path.write_bytes(b'\xff\xfe {"id": "x"}\n' + journal.path.read_bytes())
    assert not send(journal=journal).sent


def test_a_full_disk_is_an_error_before_anything_is_sent(send, faults, tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(KaggleError, match=r"journal.*No space left"):
        send(journal=tmp_path / "j.jsonl")
    assert not faults.seen("StartSubmissionUpload")


def test_a_cut_key_in_a_long_answer_does_not_show(send, faults, box):
    faults.on("CreateSubmission", f.status(403, "x" * 480 + box.key))
    with pytest.raises(KaggleError) as caught:
        send()
    assert box.key[:12] not in str(caught.value) + caught.value.said
    faults.on(
        "ListSubmissions",
        f.status(
            200,
            body=json.dumps({"submissions": [{"ref": 1, "date": "x" * 170 + box.key}]}).encode(),
        ),
        times=9,
    )
    with pytest.raises(KaggleError) as caught:
        send()
    assert box.key[:12] not in str(caught.value)


@pytest.mark.parametrize("asked", ["99999999999999", "inf"])
def test_an_endless_retry_after(send, faults, asked):
    faults.on("CreateSubmission", f.status(429, headers={"Retry-After": asked}), times=99)
    with pytest.raises(RateLimited, match="Too many requests"):
        send()


@pytest.mark.parametrize("what", [None, 5])
def test_a_value_that_is_no_path(send, what):
    with pytest.raises(SubmissionError, match="path of a csv"):
        send(file=what)
