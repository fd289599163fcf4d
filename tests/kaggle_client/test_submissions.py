"""A submission is sent once: through lost answers, kills, damaged replies and repeated calls."""

from __future__ import annotations

import json
import threading
import traceback
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import (
    DailyLimitReached,
    DeadlinePassed,
    KaggleError,
    KaggleUnavailable,
    NotFound,
    PermissionDenied,
    RateLimited,
    RulesNotAccepted,
    SubmissionError,
    SubmissionFailed,
    UploadFailed,
)
from fastkaggle_plus.kaggle_client import Journal, competition_submit, connect, submissions, submit
from fastkaggle_plus.sandbox import running

from . import faults as f
from .processes import Process


def test_scores_a_file(send, slug, answers, client):
    scored = send()
    assert (
        scored.status == "COMPLETE"
        and isinstance(scored.public_score, float)
        and scored.sent
        and scored.private_score is None
    )
    assert (
        (scored.slug, scored.description, scored.file_name) == (slug, "first", answers.name)
        and scored.ref
        and scored.date
    )
    assert submissions(slug, client=client)[0] == type(scored)(**{**asdict(scored), "sent": False})
    json.dumps(asdict(scored))


def test_takes_an_object_with_a_path(send, answers):
    assert send(file=SimpleNamespace(path=answers)).sent


def test_fastkaggles_name_and_order(box, slug, answers):
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        answer = competition_submit(str(answers), "by fastkaggle's name", slug)
        assert answer.ref and str(answer.ref) in answer.message
        assert submissions(slug)[0].description == "by fastkaggle's name"


def test_a_repeated_call_sends_nothing(send, faults, slug, count):
    first = send()
    second = send()
    assert (
        second.ref == first.ref
        and not second.sent
        and second.public_score == first.public_score
        and count() == 1
    )
    assert send(again=True).sent and count() == 2
    assert send(message="another").sent and count() == 3


def test_other_content_of_the_same_size_is_another_submission(send, answers, faults, slug, count):
    first = send()
    lines = answers.read_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    answers.write_text("\n".join(lines) + "\n")
    second = send()
    assert second.sent and second.ref != first.ref and count() == 2


@pytest.mark.parametrize(
    "lost",
    [
        f.drop_after,
        f.status_after(502),
        f.body_of(lambda _: b"<html>"),
        f.body_of(lambda _: b"{}"),
        f.body_of(lambda _: b'{"code": "500"}'),
    ],
    ids=["drop", "502", "html", "empty", "odd"],
)
def test_a_lost_answer_is_found_again(send, faults, slug, lost, count):
    faults.on("CreateSubmission", lost)
    scored = send()
    assert scored.status == "COMPLETE" and faults.seen("CreateSubmission") == 1 and count() == 1


def test_a_request_that_never_arrived_is_sent_once_more(send, faults, slug, count):
    faults.on("CreateSubmission", f.drop_before)
    assert send().status == "COMPLETE"
    assert faults.seen("CreateSubmission") == 2 and count() == 1


def test_a_journal_that_outlives_its_sandbox(send, faults, slug, answers, bundles, tmp_path):
    first = send()
    with running(bundles, state=tmp_path / "fresh") as fresh, f.between(fresh.url) as between:
        client = connect(between.url, user=fresh.user, key=fresh.key)
        between.on("CreateSubmission", f.drop_after)
        second = submit(answers, "first", slug, client=client, poll_s=0.05)
        assert second.sent and second.ref == first.ref, "numbers begin again in a fresh sandbox"
        between.on("CreateSubmission", f.drop_after)
        third = submit(answers, "third", slug, client=client, poll_s=0.05)
        assert {s.ref for s in submissions(slug, client=client)} == {second.ref, third.ref}


def test_a_rehearsal_finds_a_lost_answer_too(box, faults, slug, answers):
    faults.on("CreateSubmission", f.drop_after)
    faults.on("CreateSubmission", f.status(500), nth=2, times=99)
    with environment.rehearsing(faults.url, user=box.user, key=box.key, token=box.token):
        assert submit(answers, "through the proxy", slug, poll_s=0.05).status == "COMPLETE"
        assert len(submissions(slug)) == 1


@pytest.mark.parametrize("after", [True, False], ids=["processed", "lost"])
def test_a_request_without_an_answer(send, faults, slug, client, after, count):
    never = threading.Event()
    faults.on("CreateSubmission", f.hang(never, after=after))
    client.timeout_s = 1
    assert send().status == "COMPLETE" and count() == 1
    never.set()


def test_no_connection_after_a_lost_answer(send, faults, slug, count):
    faults.on("CreateSubmission", f.drop_after)
    faults.on("ListSubmissions", f.drop_before, nth=2, times=99)
    with pytest.raises(KaggleUnavailable):
        send()
    faults.rules.clear()
    found = send()
    assert (
        not found.sent
        and found.status == "COMPLETE"
        and faults.seen("CreateSubmission") == 1
        and count() == 1
    )


def test_no_connection_before_the_request_arrived(send, faults, slug, count):
    faults.on("CreateSubmission", f.drop_before, times=99)
    with pytest.raises(KaggleUnavailable):
        send()
    faults.rules.clear()
    assert send().sent and count() == 1


def test_an_older_equal_submission_is_not_mistaken_for_a_lost_one(
    send, answers, faults, slug, count
):
    older = send()
    lines = answers.read_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    answers.write_text("\n".join(lines) + "\n")  # same name, size and description
    faults.on("CreateSubmission", f.drop_before)
    assert send().ref != older.ref and count() == 2


KILLED = """
from fastkaggle_plus.kaggle_client import connect, submit
client = connect({url!r}, user={user!r}, key={key!r})
print(submit({file!r}, "killed", {slug!r}, client=client, poll_s=0.05).status, flush=True)
"""


@pytest.mark.parametrize(
    "step", ["StartSubmissionUpload", "PUT ", "CreateSubmission", "ListSubmissions"]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_between_any_two_steps(box, slug, answers, send, faults, step, after, count):
    never, reached = threading.Event(), threading.Event()

    def stall(handler, forward):
        if after:
            forward()
        reached.set()
        f.hang(never)(handler, forward)

    faults.on(
        step, stall, nth=2 if step == "ListSubmissions" else 1
    )  # the first list is before the upload
    code = KILLED.format(url=faults.url, user=box.user, key=box.key, file=str(answers), slug=slug)
    process = Process(code)
    assert reached.wait(60)
    process.kill()
    never.set()
    faults.rules.clear()
    assert send("killed").status == "COMPLETE" and count() == 1


def test_two_processes_with_the_same_file_send_it_once(box, slug, answers, faults, count):
    code = KILLED.format(url=faults.url, user=box.user, key=box.key, file=str(answers), slug=slug)
    both = [Process(code), Process(code)]
    assert [p.output() for p in both] == ["COMPLETE\n"] * 2
    assert count() == 1


def test_temporary_upload_failures_are_retried(send, faults, slug, count):
    faults.on("StartSubmissionUpload", f.status(503))
    faults.on("PUT ", f.drop_before)
    faults.on("PUT ", f.status(429, headers={"Retry-After": "0"}), nth=2)
    faults.on("PUT ", f.status(404), nth=3)
    assert send().status == "COMPLETE" and count() == 1


def test_an_upload_that_never_arrives(send, faults, slug, count):
    faults.on("PUT ", f.status(500), times=99)
    with pytest.raises(UploadFailed, match="nothing was submitted"):
        send()
    assert not faults.seen("CreateSubmission")
    faults.rules.clear()
    assert send().sent and count() == 1


def test_an_answer_without_a_number_is_a_failure(send, faults, slug, count):
    faults.on(
        "CreateSubmission",
        f.status(200, body=b'{"message": "Could not submit to competition"}'),
        times=99,
    )
    with pytest.raises(UploadFailed, match="Could not submit"):
        send()
    faults.rules.clear()
    assert send().sent and count() == 1


def test_too_many_requests_at_the_last_step(send, faults, slug, count):
    faults.on("CreateSubmission", f.status(429, headers={"Retry-After": "0"}))
    assert send().sent and count() == 1
    faults.on("CreateSubmission", f.status(429), times=99)
    with pytest.raises(RateLimited):
        send(message="second")


def test_a_file_that_scores_as_an_error(send, answers, faults, slug, count):
    answers.write_text("who,what\n1,2\n")
    for _ in range(2):
        with pytest.raises(SubmissionFailed, match="sample submission") as caught:
            send()
        assert caught.value.said and caught.value.said in str(caught.value)
    assert count() == 1, "an unchanged bad file is not sent again by itself"


def test_a_pending_submission_is_returned_and_the_next_call_waits(send, faults, slug, count):
    def pending(body):
        listed = json.loads(body)
        for s in listed.get("submissions", []):
            s.pop("publicScore", None)
            s["status"] = "PENDING"
        return json.dumps(listed).encode()

    faults.on("ListSubmissions", f.body_of(pending), times=999)
    first = send(timeout_s=0.2)
    assert first.status == "PENDING" and first.sent and first.public_score is None
    assert send(wait=False).status == "PENDING"
    faults.rules.clear()
    later = send()
    assert later.status == "COMPLETE" and later.ref == first.ref and not later.sent and count() == 1


@pytest.mark.parametrize(
    "said, error, hint",
    [
        (
            (403, "You cannot submit until you accept the competition rules"),
            RulesNotAccepted,
            "/rules",
        ),
        ((403, "You must verify your phone number"), PermissionDenied, "settings"),
        (
            (403, "You are no longer a member of this team: it was merged"),
            PermissionDenied,
            "new team",
        ),
        ((403, "Permission denied"), PermissionDenied, "invited"),
        (
            (400, "Your team has used its daily Submission allowance (5) today"),
            DailyLimitReached,
            "00:00 UTC.*allowed now",
        ),
        ((400, "The submission deadline has passed"), DeadlinePassed, "deadline"),
        (
            (400, "This competition only accepts Submissions from Notebooks: code competition"),
            PermissionDenied,
            "notebook",
        ),
        ((400, "Unknown blob token"), UploadFailed, "again"),
        ((400, "Bad Request"), KaggleError, "malformed"),
        ((404, "Not found"), NotFound, "no competition"),
    ],
)
def test_each_refusal_has_its_message_and_is_sent_once(send, faults, slug, said, error, hint):
    faults.on("CreateSubmission", f.status(*said))
    with pytest.raises(error, match=hint) as caught:
        send()
    assert (
        type(caught.value) is error
        and said[1] in str(caught.value)
        and caught.value.said == said[1]
    )
    assert faults.seen("CreateSubmission") == 1
    assert send().sent, "a refusal is no obstacle for the next try"


def test_a_refusal_never_quotes_the_key(send, faults, box):
    faults.on("CreateSubmission", f.status(400, f"bad key {box.key} of {box.user}"))
    with pytest.raises(KaggleError) as caught:
        send()
    text = "".join(traceback.format_exception(caught.value)) + caught.value.said
    assert "***" in text and box.key not in text


def test_the_daily_limit_names_the_numbers(client, answers):
    for n in range(2):
        submit(answers, f"number {n}", "limited", client=client, poll_s=0.05)
    with pytest.raises(DailyLimitReached, match=r"resets at 00:00 UTC.* You sent 2 today"):
        submit(answers, "number 2", "limited", client=client, poll_s=0.05)


def test_an_unclear_400_is_explained_by_the_limits(send, faults):
    faults.on("CreateSubmission", f.status(400, "Bad Request"))
    faults.on(
        "GetSubmissionLimits",
        f.status(200, body=b'{"numToday": 5, "numTotal": 9, "numAllowedNow": 0}'),
    )
    with pytest.raises(DailyLimitReached, match="5 today and 9 in total; 0 allowed"):
        send()


def test_a_journal_that_cannot_be_written(send, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KaggleError, match="journal"):
        send(journal=tmp_path / "file" / "j.jsonl")


def test_a_competition_that_is_over_shows_the_private_score(client, answers):
    late = submit(answers, "late", "over", client=client, poll_s=0.05)
    assert (
        late.status == "COMPLETE"
        and late.private_score is not None
        and 0 <= late.private_score <= 1
    )


def test_rules_and_slug(slug, client, answers):
    with pytest.raises(RulesNotAccepted, match="competitions/locked/rules"):
        submit(answers, "x", "locked", client=client)
    with pytest.raises(NotFound, match=f"Did you mean .*'{slug}'"):
        submit(answers, "x", slug + "y", client=client)


def test_a_file_that_is_not_there_or_empty(send, tmp_path):
    with pytest.raises(SubmissionError, match="no file"):
        send(file=tmp_path / "nothing.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(SubmissionError, match="empty"):
        send(file=tmp_path / "empty.csv")


def test_every_page_is_read(send, faults, slug, client, monkeypatch):
    from fastkaggle_plus.kaggle_client import api

    for n in range(3):
        send(message=f"number {n}")
    monkeypatch.setattr(api, "PAGE_SIZE", 1)
    faults.log.clear()
    assert [s.description for s in submissions(slug, client=client)] == [
        "number 2",
        "number 1",
        "number 0",
    ]
    assert faults.seen("ListSubmissions") >= 3


def test_the_journal_survives_a_cut_line_and_has_no_key(send, box, tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    send(journal=journal)
    assert [e.state for e in journal.entries()] == [
        "sent"
    ] and box.key not in journal.path.read_text()
    with open(journal.path, "a") as file:
        file.write('{"id": "cut sho')
    assert send(journal=str(journal.path)).sent is False
    assert send(message="next", journal=journal).sent and len(journal.entries()) == 2
