"""Datasets: private, complete, sent once despite lost answers, kills and cut uploads."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import threading
import zipfile
from pathlib import Path

import pytest
import requests

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import (
    BadCredentials,
    DataError,
    DatasetFailed,
    DownloadCorrupt,
    KaggleError,
    KaggleUnavailable,
    NameTaken,
    NotFound,
    PermissionDenied,
    RateLimited,
    SecretFound,
    UploadFailed,
)
from fastkaggle_plus.kaggle_client import (
    Journal,
    check_ds_exists,
    get_dataset,
    mk_dataset,
    push_dataset,
    sync_dataset,
)
from fastkaggle_plus.kaggle_client.datasets import metadata

from . import faults as f
from .processes import Process

TITLE, SLUG = "My wheels and data", "my-wheels-and-data"
NOISE = os.urandom(1_500_000)


@pytest.fixture
def handle(box) -> str:
    return f"{box.user}/{SLUG}"


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("x,y\n1,2\n")
    (folder / "sub" / "deep" / "b.txt").write_text("below")
    (folder / "sub" / "noise.bin").write_bytes(b"\0" * 10)
    return folder


@pytest.fixture
def make(client, folder):
    def making(title=TITLE, **more):
        return mk_dataset(
            folder, title, True, client=client, **{"poll_s": 0.05, "timeout_s": 20, **more}
        )

    return making


@pytest.fixture
def push(client, folder):
    def pushing(comment="next", **more):
        return push_dataset(
            folder, comment, client=client, **{"poll_s": 0.05, "timeout_s": 20, **more}
        )

    return pushing


def service(plain, method, handle, **fields):
    from kagglesdk.datasets.types import dataset_api_service as api

    request = getattr(api, f"Api{method}Request")()
    request.owner_slug, request.dataset_slug = handle.split("/")
    name = re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower()
    with plain.build_kaggle_client() as kaggle:
        return getattr(kaggle.datasets.dataset_api_client, name)(request)


def versions(plain, handle) -> list[str]:
    """Notes of the versions, oldest first."""
    return [v.version_notes for v in reversed(service(plain, "GetDataset", handle).versions)]


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != metadata.METADATA
    }


def change(folder: Path, text="x,y\n3,4\n") -> None:
    (folder / "a.csv").write_text(text)


def test_makes_a_private_dataset_with_its_folders_and_fetches_the_same(
    make, folder, plain, handle, tmp_path
):
    made = make()
    assert (made.handle, made.title, made.version, made.status, made.is_private, made.sent) == (
        handle,
        TITLE,
        1,
        "READY",
        True,
        True,
    )
    assert service(plain, "GetDataset", handle).is_private and made.url.endswith(handle)
    fetched = get_dataset(tmp_path / "copy", handle, client=plain)
    assert content(fetched) == content(folder) and set(content(folder)) == {
        "a.csv",
        "sub/deep/b.txt",
        "sub/noise.bin",
    }
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name] == ["copy"], (
        "only the folder is left"
    )


def test_public_only_if_asked(make, plain, handle):
    assert not make(private=False).is_private
    assert not service(plain, "GetDataset", handle).is_private


def test_an_empty_dataset_and_one_that_is_not_uploaded(client, plain, box, tmp_path):
    kept = mk_dataset(tmp_path / "kept", TITLE, upload=False, client=client)
    assert (kept.version, kept.status) == (0, "NOT_SENT") and not check_ds_exists(
        kept.handle, client=plain
    )
    assert json.loads((tmp_path / "kept" / "dataset-metadata.json").read_text()) == {
        "title": TITLE,
        "id": f"{box.user}/{SLUG}",
        "licenses": [{"name": "CC0-1.0"}],
        "isPrivate": True,
    }
    made = mk_dataset(tmp_path / "new", "Another title", client=client, poll_s=0.05)
    assert made.status == "READY" and content(tmp_path / "new") == {"empty.txt": b""}
    with pytest.raises(DataError, match="force=True"):
        mk_dataset(tmp_path / "new", "A third title", client=client)


@pytest.mark.parametrize(
    "title, said",
    [
        ("short", "6 to 50.*'short' has 5"),
        ("x" * 51, "has 51"),
        ("---- !! ----", "slug.*'' has 0"),
        ("a??????b", "slug.*'a-b' has 3"),
    ],
)
def test_titles_are_checked_before_anything_is_sent(make, faults, folder, title, said):
    with pytest.raises(DataError, match=said):
        make(title)
    assert not faults.log and not (folder / "dataset-metadata.json").exists()


def test_a_downloaded_dataset_can_be_updated(make, client, plain, handle, tmp_path):
    make(subtitle="What a forest needs to grow", description="Long.\nText.")
    copy = get_dataset(tmp_path / "copy", handle, client=client)
    (copy / "a.csv").write_text("x,y\n9,9\n")
    second = push_dataset(copy, "nines", client=client, poll_s=0.05)
    assert (second.version, second.status, second.sent, second.title) == (2, "READY", True, TITLE)
    again = get_dataset(tmp_path / "again", handle, client=client)
    assert content(again) == content(copy) and versions(plain, handle)[1] == "nines"
    facts = service(plain, "GetDataset", handle)
    assert (facts.subtitle, facts.description, facts.is_private) == (
        "What a forest needs to grow",
        "Long.\nText.",
        True,
    )
    old = get_dataset(tmp_path / "old", f"{handle}/versions/1", client=client)
    assert (old / "a.csv").read_text() == "x,y\n1,2\n"


def test_metadata_as_the_kaggle_client_writes_it_can_be_pushed(make, push, plain, folder, handle):
    make()
    plain.dataset_metadata(handle, str(folder))
    assert "id" not in json.loads((folder / "dataset-metadata.json").read_text())
    change(folder)
    assert push().version == 2


def test_the_kaggle_client_and_ours_update_the_same_dataset(
    make, push, plain, folder, handle, tmp_path
):
    make()
    copy = get_dataset(tmp_path / "copy", handle, client=plain)
    (copy / "a.csv").write_text("by,kaggle\n")
    assert (
        plain.dataset_create_version(str(copy), "by kaggle", quiet=True, dir_mode="zip").status
        == "ok"
    )
    change(folder)
    assert push("ours again").version == 3 and versions(plain, handle)[1:] == [
        "by kaggle",
        "ours again",
    ]
    assert content(get_dataset(tmp_path / "second", f"{handle}/2", client=plain)) == content(copy)


def test_fastkaggles_calls_in_a_rehearsal(box, folder, handle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        assert check_ds_exists(handle) is False
        assert mk_dataset("data", TITLE, True, True, poll_s=0.05).handle == handle
        assert check_ds_exists(handle) is True
        change(folder)
        assert push_dataset("data", "by fastkaggle's name", poll_s=0.05).version == 2
        assert content(get_dataset("copy", handle, True, False)) == content(folder)
        zipped = get_dataset("zipped", handle, unzip=False)
    with zipfile.ZipFile(zipped / f"{SLUG}.zip") as z:
        assert set(z.namelist()) == set(content(folder))


def test_missing_is_different_from_unknown(make, client, faults, plain, box, handle):
    assert check_ds_exists(handle, client=client) is False
    faults.on("GetDataset", f.status(403, "Permission 'datasets.get' was denied"))
    assert check_ds_exists(handle, client=client) is False, (
        "of one's own datasets Kaggle lists all: this one is not among them"
    )
    make()
    assert check_ds_exists(f"https://www.kaggle.com/datasets/{handle}", client=client) is True
    for code, error in (
        (401, BadCredentials),
        (429, RateLimited),
        (500, KaggleUnavailable),
        (403, PermissionDenied),
    ):
        faults.on(
            "DatasetApiService/GetDataset",
            f.status(code, "Permission 'datasets.get' was denied" if code == 403 else "no"),
            times=99,
        )
        with pytest.raises(error):
            check_ds_exists(handle, client=client)
        faults.rules.clear()
    with pytest.raises(PermissionDenied, match="does not say whether"):
        check_ds_exists("someone/elses-data", client=client)
    with pytest.raises(NotFound, match="OWNER/SLUG"):
        check_ds_exists("titanic", client=client)
    faults.on("DatasetApiService/GetDataset", f.status(503))
    assert check_ds_exists(handle, client=client) is True, "temporary failures are retried"


def test_a_name_that_is_taken(make, folder, plain, handle, tmp_path):
    make()
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.csv").write_text("1")
    with pytest.raises(NameTaken, match="push_dataset"):
        mk_dataset(other, TITLE, True, client=plain, poll_s=0.05)
    assert len(versions(plain, handle)) == 1


def test_a_title_that_is_taken_under_another_slug(make, faults, handle):
    faults.on(
        "CreateDataset",
        f.status(
            200, body=b'{"status": "error", "error": "The title is already in use by a dataset."}'
        ),
    )
    with pytest.raises(NameTaken, match="already in use") as caught:
        make()
    assert caught.value.said and faults.seen("CreateDataset") == 1
    assert make().sent, "a refusal is no obstacle for the next try"


def test_push_without_a_dataset_or_metadata(push, make, folder, handle):
    with pytest.raises(DataError, match="mk_dataset"):
        push()
    make(upload=False)
    with pytest.raises(NotFound, match=f"no dataset {handle}.*mk_dataset"):
        push()
    (folder / "dataset-metadata.json").write_text(
        '{"id": "me/INSERT_SLUG_HERE", "title": "INSERT_TITLE_HERE"}'
    )
    with pytest.raises(DataError, match="OWNER/SLUG"):
        push()
    (folder / "dataset-metadata.json").write_text("{")
    with pytest.raises(DataError, match="does not read"):
        push()


def test_files_with_a_key_are_named_and_nothing_is_sent(make, folder, faults):
    (folder / "sub" / "notes.md").write_text("one\ntoken = hf_" + "aB3" * 12 + "\n")
    with pytest.raises(SecretFound, match=r"sub/notes.md, line 2.*Hugging Face"):
        make()
    (folder / "sub" / "notes.md").unlink()
    (folder / ".env").write_text("DB_PASSWORD=correct-horse\n")
    (folder / "a.csv").write_text("1\ncorrect-horse\n")
    with pytest.raises(SecretFound, match=r"\.env"):
        make()
    assert not faults.seen("CreateDataset") and not faults.seen("PUT ")


def test_a_repeated_call_sends_nothing(make, push, folder, plain, handle):
    first = make()
    assert make() == type(first)(**{**first.__dict__, "sent": False})
    change(folder)
    assert push().sent and not push().sent
    assert push("another comment").sent and push("another comment", again=True).version == 4
    change(folder, "x,y\n1,2\n")
    assert push("back again").version == 5
    assert len(versions(plain, handle)) == 5


LOST = {
    "drop": f.drop_after,
    "502": f.status_after(502),
    "html": f.body_of(lambda _: b"<html>"),
    "empty": f.body_of(lambda _: b"{}"),
}


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_answer_is_found_again(make, push, faults, folder, plain, handle, lost):
    faults.on("CreateDataset", LOST[lost])
    assert make().version == 1 and faults.seen("CreateDataset") == 1
    change(folder)
    faults.on("CreateDatasetVersion", LOST[lost])
    assert push().version == 2 and faults.seen("CreateDatasetVersion") == 1
    assert len(versions(plain, handle)) == 2


def test_a_request_that_never_arrived_is_sent_once_more(make, push, faults, folder, plain, handle):
    faults.on("CreateDataset", f.drop_before)
    assert make().version == 1 and faults.seen("CreateDataset") == 2
    change(folder)
    faults.on("CreateDatasetVersion", f.status(429, headers={"Retry-After": "0"}))
    assert push().version == 2 and len(versions(plain, handle)) == 2


def test_a_refused_second_try_finds_the_version_of_the_first(
    make, push, faults, folder, plain, handle
):
    faults.on("CreateDataset", f.drop_after)
    faults.on(
        "GetDataset", f.status(404, "Not found"), nth=2, times=3
    )  # the first request is before the upload
    assert make().version == 1 and faults.seen("CreateDataset") == 2
    change(folder)
    faults.on("CreateDatasetVersion", f.drop_after)
    faults.on("DatasetApiService/GetDataset", f.status(404, "Not found"), nth=4, times=3)
    assert (
        push().version == 2
        and faults.seen("CreateDatasetVersion") == 2
        and len(versions(plain, handle)) == 2
    )


@pytest.mark.parametrize("after", [True, False], ids=["processed", "lost"])
def test_a_request_without_an_answer(make, push, faults, folder, client, plain, handle, after):
    make()
    change(folder)
    never = threading.Event()
    faults.on("CreateDatasetVersion", f.hang(never, after=after))
    client.timeout_s = 1
    assert push().version == 2 and len(versions(plain, handle)) == 2
    never.set()


def test_no_connection_after_a_lost_answer(make, push, faults, folder, plain, handle):
    make()
    change(folder)

    def die(handler, forward):
        forward()
        faults.on("Dataset", f.drop_before, times=999)
        handler.close_connection = True

    faults.on("CreateDatasetVersion", die)
    with pytest.raises(KaggleUnavailable):
        push(timeout_s=0.5)
    faults.rules.clear()
    found = push()
    assert (
        (found.version, found.sent) == (2, False)
        and faults.seen("CreateDatasetVersion") == 1
        and len(versions(plain, handle)) == 2
    )


def test_another_users_version_is_not_mistaken_for_a_lost_one(
    make, push, faults, folder, plain, handle, tmp_path
):
    make()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    change(folder)

    def overtaken(handler, forward):
        (copy / "a.csv").write_text("x,y,z\n")
        push_dataset(copy, "theirs", client=plain, poll_s=0.05, journal=tmp_path / "theirs.jsonl")
        handler.close_connection = True

    faults.on("CreateDatasetVersion", overtaken)
    assert push().version == 3 and versions(plain, handle)[1:] == ["theirs", "next"]


KILLED = """
from fastkaggle_plus.kaggle_client import connect, mk_dataset, push_dataset
client = connect({url!r}, user={user!r}, key={key!r})
{call}
print(done.version, flush=True)
"""
CALLS = {
    "create": "done = mk_dataset({folder!r}, {title!r}, True, client=client, poll_s=0.05)",
    "version": "done = push_dataset({folder!r}, 'killed', client=client, poll_s=0.05)",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "call, step, after",
    [
        ("create", "StartBlobUpload", True),
        ("create", "PUT ", True),
        ("create", "CreateDataset", False),
        ("create", "CreateDataset", True),
        ("version", "PUT ", False),
        ("version", "CreateDatasetVersion", False),
        ("version", "CreateDatasetVersion", True),
        ("version", "GetDatasetStatus", True),
    ],
)
def test_a_kill_between_any_two_steps(
    box, folder, faults, client, plain, handle, call, step, after
):
    if call == "version":
        mk_dataset(folder, TITLE, True, client=plain, poll_s=0.05)
        change(folder)
    never, reached = threading.Event(), threading.Event()

    def stall(handler, forward):
        if after:
            forward()
        reached.set()
        f.hang(never)(handler, forward)

    faults.on(
        step, stall, nth=2 if step == "GetDatasetStatus" else 1
    )  # the first list is before the upload
    code = KILLED.format(
        url=faults.url,
        user=box.user,
        key=box.key,
        call=CALLS[call].format(folder=str(folder), title=TITLE),
    )
    process = Process(code)
    assert reached.wait(60)
    process.kill()
    never.set()
    faults.rules.clear()
    if call == "create":
        done, expected = mk_dataset(folder, TITLE, True, client=client, poll_s=0.05), 1
    else:
        done, expected = push_dataset(folder, "killed", client=client, poll_s=0.05), 2
    assert done.version == expected == len(versions(plain, handle))


def test_two_processes_at_once_make_one_version(box, folder, faults, plain, handle):
    mk_dataset(folder, TITLE, True, client=plain, poll_s=0.05)
    change(folder)
    code = KILLED.format(
        url=faults.url, user=box.user, key=box.key, call=CALLS["version"].format(folder=str(folder))
    )
    both = [Process(code), Process(code)]
    assert [p.output() for p in both] == ["2\n"] * 2 and len(versions(plain, handle)) == 2


def cut_after(faults, size: int):
    """Let the storage take the first `size` bytes of an upload, then hang up."""

    def act(handler, forward):
        sent = next(
            c.cell_contents for c in forward.__closure__ if isinstance(c.cell_contents, bytes)
        )
        with requests.Session() as session:
            session.trust_env = False
            answer = session.put(
                faults.upstream + handler.path,
                data=sent[:size],
                headers={"Content-Range": f"bytes 0-{size - 1}/{len(sent)}"},
                timeout=20,
            )
        assert answer.status_code == 308
        handler.close_connection = True

    return act


def test_a_cut_upload_resumes(make, folder, faults, plain, handle, tmp_path, monkeypatch):
    (folder / "noise.bin").write_bytes(NOISE)
    faults.on("PUT ", cut_after(faults, 1_000_000), nth=2)  # a.csv comes first
    arrived = spy_on_puts(monkeypatch)
    assert make().version == 1
    assert content(get_dataset(tmp_path / "copy", handle, client=plain))["noise.bin"] == NOISE
    assert (
        f"bytes */{len(NOISE)}" in arrived
        and f"bytes 1000000-{len(NOISE) - 1}/{len(NOISE)}" in arrived
    )


def spy_on_puts(monkeypatch) -> list[str]:
    """Record the Content-Range of every upload request that is sent."""
    seen: list[str] = []
    put = requests.Session.put

    def spying(self, url, data=None, **more):
        seen.append((more.get("headers") or {}).get("Content-Range", ""))
        return put(self, url, data=data, **more)

    monkeypatch.setattr(requests.Session, "put", spying)
    return seen


def test_temporary_upload_failures_are_retried(make, faults, plain, handle):
    faults.on("StartBlobUpload", f.status(503))
    faults.on("PUT ", f.drop_before)
    faults.on("PUT ", f.status(429, headers={"Retry-After": "0"}), nth=2)
    faults.on("PUT ", f.status(500), nth=3)
    assert make().version == 1


@pytest.mark.parametrize("at", [1, 2], ids=["bytes", "status query"])
def test_an_expired_upload_session_is_replaced(make, faults, plain, handle, at):
    if at == 2:
        faults.on("PUT ", f.drop_before)
    faults.on("PUT ", f.status(404), nth=at)
    assert make().version == 1
    assert faults.seen("StartBlobUpload") == 3, "two files, and one again"


def test_a_failed_upload_makes_no_version_and_the_next_call_reuses_its_session(
    make, faults, plain, handle
):
    faults.on("PUT ", f.status(500), nth=2, times=99)
    with pytest.raises(UploadFailed, match="no version was made"):
        make()
    assert not faults.seen("CreateDataset") and faults.seen("StartBlobUpload") == 2
    faults.rules.clear()
    assert make().sent and faults.seen("StartBlobUpload") == 2, "both uploads resumed"


def test_waits_for_the_version_before_and_for_its_own(make, push, faults, folder, plain, handle):
    made = make(wait=False)
    assert made.sent and made.status != "FAILED"
    change(folder)
    busy = f.status(200, body=b'{"status": "BLOBS_RECEIVED"}')
    faults.on("GetDatasetStatus", busy, times=3)
    assert push().version == 2 and versions(plain, handle)[1] == "next"


def test_a_timeout_is_an_error_and_the_next_call_waits_longer(make, faults, plain, handle):
    faults.on(
        "GetDatasetStatus", f.status(200, body=b'{"status": "BLOBS_DECOMPRESSED"}'), times=999
    )
    with pytest.raises(DatasetFailed, match=r"still processing.*BLOBS_DECOMPRESSED"):
        make(timeout_s=0.3)
    faults.rules.clear()
    later = make()
    assert later.version == 1 and not later.sent and faults.seen("CreateDataset") == 1


def test_failed_processing_is_an_error_and_can_be_repaired(make, push, folder, plain, handle):
    make()
    with zipfile.ZipFile(folder / "bad.zip", "w") as z:
        z.writestr("../outside.txt", "no")
    with pytest.raises(DatasetFailed, match="could not process"):
        push()
    (folder / "bad.zip").unlink()
    change(folder)
    repaired = push()
    assert (
        repaired.sent
        and repaired.status == "READY"
        and content_of(plain, handle) == {"a.csv", "sub/deep/b.txt", "sub/noise.bin"}
    )


def content_of(plain, handle) -> set[str]:
    return {file.name for file in service(plain, "ListDatasetFiles", handle).files}


@pytest.mark.parametrize(
    "said, error, hint",
    [
        ((401, "bad key"), BadCredentials, "token or key"),
        ((403, "You must verify your phone number"), PermissionDenied, "settings"),
        ((403, "no"), PermissionDenied, "browser"),
        ((400, "Storage quota exceeded"), DatasetFailed, "too big"),
        ((400, "A blob token is not known"), UploadFailed, "Call again"),
        ((400, "Bad Request"), DatasetFailed, "malformed"),
        ((404, "Not found"), NotFound, "no dataset"),
    ],
)
def test_each_refusal_has_its_own_message_and_sends_nothing_twice(make, faults, said, error, hint):
    faults.on("CreateDataset", f.status(*said))
    with pytest.raises(error, match=hint) as caught:
        make()
    assert (
        type(caught.value) is error
        and said[1] in str(caught.value)
        and faults.seen("CreateDataset") == 1
    )
    assert make().sent, "a refusal is no obstacle for the next try"


def test_a_cut_or_damaged_download(make, faults, folder, client, handle, tmp_path):
    (folder / "noise.bin").write_bytes(NOISE)
    make()
    faults.on("/transfer/", f.cut(1_200_000), nth=2)  # the first request only asks for the headers
    whole = get_dataset(tmp_path / "cut", handle, client=client)
    assert content(whole) == content(folder) and any(
        "bytes=1048576-" in line for line in faults.log
    ), "it resumes where it was cut"
    faults.on("/transfer/", f.body_of(lambda b: b[:5000] + b"?" + b[5001:]), nth=2)
    assert content(get_dataset(tmp_path / "repaired", handle, client=client)) == content(folder)
    faults.on("/transfer/", f.body_of(lambda b: b[:5000] + b"?" + b[5001:]), times=99)
    with pytest.raises(DownloadCorrupt, match="damaged 3 times"):
        get_dataset(tmp_path / "bad", handle, client=client)
    assert not (tmp_path / "bad").exists(), "never a wrong file under the right name"
    faults.rules.clear()
    assert content(get_dataset(tmp_path / "bad", handle, client=client)) == content(folder)


def test_one_damaged_file_is_downloaded_again(
    make, faults, folder, client, handle, tmp_path, monkeypatch
):
    from fastkaggle_plus.kaggle_client.datasets.fetch import fetch_file

    (folder / "noise.bin").write_bytes(NOISE)
    make()
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    faults.on(
        "/transfer/", f.body_of(lambda b: b[:-1000]), times=1
    )  # of the request for the headers: the announced size is wrong
    (tmp_path / "one").mkdir()
    assert fetch_file(client, handle, "noise.bin", tmp_path / "one").read_bytes() == NOISE
    assert faults.seen("/transfer/") == 4
    faults.rules.clear()
    faults.log.clear()
    faults.on("/transfer/", f.body_of(lambda b: b[:5000] + b"?" + b[5001:]), times=99)
    with pytest.raises(DownloadCorrupt, match=r"noise\.bin.*3 times"):
        fetch_file(client, handle, "noise.bin", tmp_path / "one")
    assert faults.seen("/transfer/") == 6 and not waits


def test_a_download_resumes_in_the_next_call(make, faults, folder, client, handle, tmp_path):
    (folder / "noise.bin").write_bytes(NOISE)
    make()
    faults.on("/transfer/", f.cut(1_200_000), nth=2)
    faults.on("/transfer/", f.drop_before, nth=2, times=99)  # counted without the request before
    client.tries = 2
    with pytest.raises(KaggleUnavailable):
        get_dataset(tmp_path / "copy", handle, client=client)
    assert not (tmp_path / "copy").exists()
    faults.rules.clear()
    faults.log.clear()
    assert content(get_dataset(tmp_path / "copy", handle, client=client)) == content(folder)
    assert any("bytes=1048576-" in line for line in faults.log)


def test_an_existing_folder_needs_force(make, folder, client, handle, tmp_path):
    make()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine.txt").write_text("stays")
    (tmp_path / "copy" / "a.csv").write_text("old")
    with pytest.raises(DataError, match="force=True"):
        get_dataset(tmp_path / "copy", handle, client=client)
    get_dataset(tmp_path / "copy", handle, True, True, client=client)
    assert content(tmp_path / "copy") == {**content(folder), "mine.txt": b"stays"}
    with pytest.raises(NotFound, match="no dataset"):
        get_dataset(tmp_path / "none", f"{handle}-not", client=client)
    assert not (tmp_path / "none").exists()


def test_a_full_disk_is_named(make, client, handle, tmp_path, monkeypatch):
    make()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fastkaggle_plus.kaggle_client.datasets.fetch.unzip", full)
    with pytest.raises(KaggleError, match=r"disk.*full"):
        get_dataset(tmp_path / "copy", handle, client=client)


def test_the_journal_separates_kinds_and_has_no_key(make, box, tmp_path, handle):
    journal = Journal(tmp_path / "j.jsonl")
    make(journal=journal)
    [entry] = journal.entries()
    assert (entry.kind, entry.slug, entry.state, entry.ref, entry.before) == (
        "dataset",
        handle,
        "sent",
        1,
        (0,),
    )
    assert box.key not in journal.path.read_text() and not list((tmp_path / "uploads").glob("*")), (
        "used-up sessions are forgotten"
    )
    (tmp_path / "file").touch()
    with pytest.raises(KaggleError, match="journal"):
        make(journal=tmp_path / "file" / "j.jsonl")


def test_sync_sends_only_changes(client, folder, box, tmp_path):
    def sync(journal):
        synced = sync_dataset(
            folder,
            "synced here",
            client=client,
            poll_s=0.05,
            timeout_s=20,
            journal=tmp_path / journal,
        )
        return synced.handle, synced.version, synced.sent, synced.is_private

    handle = f"{box.user}/synced-here"
    assert sync("one") == (handle, 1, True, True) and sync("one") == sync("of another machine") == (
        handle,
        1,
        False,
        True,
    )
    (folder / "sub/deep/b.txt").write_text("blow!")  # the same number of bytes
    assert sync("of another machine") == (handle, 2, True, True) and sync("one") == (
        handle,
        2,
        False,
        True,
    )
    (folder / "a.csv").unlink()
    assert sync("one") == (handle, 3, True, True)
    there = get_dataset(tmp_path / "there", handle, client=client)
    assert (there / "sub/deep/b.txt").read_text() == "blow!" and not (there / "a.csv").exists()
