"""setup_comp: complete data or an error, after lost connections, kills and bad archives."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import (
    DownloadCorrupt,
    KaggleError,
    NotFound,
    RateLimited,
    RulesNotAccepted,
)
from fastkaggle_plus.kaggle_client import completeness, connect, leaderboard, setup_comp, submit

from . import faults as f
from .test_session import ROOT

ZIP = ".zip"  # in the line of a request for the bundle's bytes


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != completeness.NAME
    }


def test_downloads_once_and_then_needs_no_service(box, slug, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        path = setup_comp(slug)
    assert path == Path(slug) and content(path) == files
    assert [p.name for p in tmp_path.iterdir() if slug in p.name] == [slug], (
        "nothing is left beside the data"
    )
    note = json.loads((path / completeness.NAME).read_text())
    assert (
        note["files"] == {name: len(body) for name, body in files.items()}
        and len(note["md5"]) == 32
    )
    # No sandbox and no key from here on: only the folder is left.
    with environment.rehearsing("http://127.0.0.1:9", user="", key=""):
        assert setup_comp(slug, "") == path


def test_dest_keep_zip_and_progress(slug, files, client, tmp_path):
    heard: list[tuple[int, int]] = []
    path = setup_comp(
        slug,
        dest=str(tmp_path / "deep" / "data"),
        client=client,
        keep_zip=True,
        progress=lambda *n: heard.append(n),
    )
    assert path == tmp_path / "deep" / "data" and content(path) == files
    with zipfile.ZipFile(tmp_path / "deep" / f"{slug}.zip") as z:
        assert set(z.namelist()) == set(files)
    size = (tmp_path / "deep" / f"{slug}.zip").stat().st_size
    assert heard[-1] == (size, size) and heard == sorted(heard)


def test_a_download_folder_set_for_kaggles_client_changes_nothing(
    slug, files, client, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    client.config_values["path"] = str(
        tmp_path / "elsewhere"
    )  # as `kaggle config set -n path` does
    assert client.get_default_download_dir("competitions", slug).startswith(
        str(tmp_path / "elsewhere")
    )
    assert setup_comp(slug, client=client) == Path(slug) and content(tmp_path / slug) == files
    assert not (tmp_path / "elsewhere" / "competitions" / slug / f"{slug}.zip").exists()


def test_takes_a_slug_an_address_or_a_record(slug, files, client, tmp_path):
    class Comp:
        pass

    comp = Comp()
    comp.slug = slug
    path = setup_comp(comp, dest=tmp_path / "a", client=client)
    assert path == setup_comp(
        f"https://www.kaggle.com/competitions/{slug}/", dest=tmp_path / "a", client=client
    )


def test_a_changed_or_missing_file_is_fetched_again(slug, files, client, tmp_path):
    path = setup_comp(slug, dest=tmp_path / "data", client=client)
    (path / "train.csv").unlink()
    (path / "test.csv").write_text("cut")
    setup_comp(slug, dest=path, client=client)
    assert {n: b for n, b in content(path).items() if not n.endswith(".old")} == files
    assert (path / "test.csv.old").read_text() == "cut", "what differed is kept"


def test_a_complete_folder_without_marker_is_adopted(slug, files, client, faults, tmp_path):
    path = tmp_path / "data"
    for name, body in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(body)
    (path / "my-notes.txt").write_text("mine")
    assert setup_comp(slug, dest=path, client=client) == path
    assert (
        not faults.seen("DownloadDataFiles")
        and (path / completeness.NAME).exists()
        and (path / "my-notes.txt").read_text() == "mine"
    )


@pytest.mark.parametrize("left", ["empty", "half"])
def test_an_incomplete_folder_is_completed_without_losing_files(
    slug, files, client, tmp_path, left
):
    path = tmp_path / "data"
    path.mkdir()
    if left == "half":
        (path / "my-model.pkl").write_bytes(b"mine")
        (path / "train.csv").write_bytes(files["train.csv"][:40])
    setup_comp(slug, dest=path, client=client)
    there = content(path)
    assert {name: there[name] for name in files} == files
    if left == "half":
        assert (
            there["my-model.pkl"] == b"mine" and there["train.csv.old"] == files["train.csv"][:40]
        )


def test_the_same_folder_for_other_data_is_refused(slug, client, tmp_path):
    path = setup_comp(slug, dest=tmp_path / "data", client=client)
    with pytest.raises(KaggleError, match="another `dest`"):
        setup_comp("other", dest=path, client=client)
    with pytest.raises(KaggleError, match=r"from sandbox.*api\.kaggle\.com"):
        setup_comp(slug, dest=path)


def test_a_lost_connection_resumes(slug, files, client, faults, tmp_path):
    faults.on("GET /", f.cut(1_500_000), nth=2)
    path = setup_comp(slug, dest=tmp_path / "data", client=client)
    assert content(path) == files
    ranges = [line for line in faults.log if "bytes=" in line]
    assert len(ranges) == 1 and int(ranges[0].rsplit("bytes=", 1)[1].rstrip("-")) > 0


def test_after_giving_up_the_next_call_resumes(slug, files, client, faults, tmp_path):
    client.tries = 2
    faults.on("GET /", f.cut(1_500_000), nth=2)
    faults.on("bytes=", f.drop_before, times=99)
    with pytest.raises(KaggleError):
        setup_comp(slug, dest=tmp_path / "data", client=client)
    assert not (tmp_path / "data").exists(), "half a folder is never seen"
    faults.rules.clear()
    faults.log.clear()
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files
    assert any("bytes=" in line for line in faults.log), "it went on from there"


def test_after_a_kill_the_next_process_resumes(box, slug, files, faults, tmp_path):
    def stall(handler, forward):
        status, headers, body = forward()
        f.answer(handler, status, headers, body[:1_500_000], length=len(body))
        time.sleep(30)

    faults.on("GET /", stall, nth=2)
    code = f"""
from fastkaggle_plus.kaggle_client import connect, setup_comp
setup_comp({slug!r}, dest={str(tmp_path / "data")!r}, client=connect({faults.url!r}, user={box.user!r}, key={box.key!r}))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    part = tmp_path / ".data.download" / f"{slug}.zip.part"
    until = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= 1_000_000) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    faults.rules.clear()
    faults.log.clear()
    client = connect(faults.url, user=box.user, key=box.key)
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files
    assert any("bytes=" in line for line in faults.log)


def test_two_processes_at_once_download_once(box, slug, files, faults, tmp_path):
    code = f"""
from fastkaggle_plus.kaggle_client import connect, setup_comp
client = connect({faults.url!r}, user={box.user!r}, key={box.key!r})
print("ready", flush=True)
input()
print(setup_comp({slug!r}, dest={str(tmp_path / "data")!r}, client=client))
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120)[0].strip() for process in both]
    assert outputs == [str(tmp_path / "data")] * 2 and content(tmp_path / "data") == files
    assert faults.seen("DownloadDataFiles") == 1
    assert [p.name for p in tmp_path.iterdir() if "data" in p.name] == ["data"]


@pytest.mark.parametrize("tell_md5", [True, False], ids=["md5", "crc only"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b[:1000] + bytes([b[1000] ^ 255]) + b[1001:],
        lambda b: b"<html>login</html>",
    ],
    ids=["truncated", "one byte", "a page"],
)
def test_damaged_bytes_are_downloaded_again(
    slug, files, client, faults, tmp_path, damage, tell_md5
):
    # The redirect's GET and ours both see the damaged file, so that sizes agree.
    faults.on("GET /", f.body_of(damage, tell_md5=tell_md5), times=2)
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files
    assert faults.seen("DownloadDataFiles") == 2


def test_repeated_damage_is_an_error_and_leaves_nothing(slug, client, faults, tmp_path):
    faults.on("GET /", f.body_of(lambda b: b[: len(b) // 2]), times=99)
    with pytest.raises(DownloadCorrupt, match="3 times"):
        setup_comp(slug, dest=tmp_path / "data", client=client)
    assert faults.seen("DownloadDataFiles") == 3 and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "times, asked", [(1, 2), (2, 3), (99, 3)], ids=["once", "twice", "each time"]
)
def test_a_wrong_announced_size_is_an_error_without_waits(
    slug, files, client, faults, tmp_path, monkeypatch, times, asked
):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    half, turn = f.body_of(lambda b: b[: len(b) // 2]), itertools.count()

    def first_half(handler, forward):
        (half if next(turn) % 2 == 0 else f.passed)(
            handler, forward
        )  # the request for the headers, not the transfer after it

    faults.on("GET /", first_half, times=2 * times)
    if times == 99:
        with pytest.raises(DownloadCorrupt, match=r"3 times.*bytes; Kaggle said"):
            setup_comp(slug, dest=tmp_path / "data", client=client)
        assert not (tmp_path / "data").exists()
    else:
        assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files
    assert (
        faults.seen("DownloadDataFiles") == asked
        and faults.seen("GET /") == 2 * asked
        and not waits
    )


def test_a_body_that_ends_early_asks_for_a_new_link(
    slug, files, client, faults, tmp_path, monkeypatch
):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    faults.on("GET /", f.body_of(lambda b: b[:1_500_000]), nth=2)
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files
    assert (
        faults.seen("DownloadDataFiles") == 2 and faults.seen("bytes=1500000-") == 1 and not waits
    )


def test_a_member_outside_the_folder_is_refused(slug, client, faults, tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("train.csv", "id\n1\n")
        z.writestr("../../evil.txt", "evil")
    faults.on("GET /", f.body_of(lambda _: archive.getvalue(), tell_md5=False), times=99)
    with pytest.raises(KaggleError, match=r"evil\.txt"):
        setup_comp(slug, dest=tmp_path / "a" / "data", client=client)
    assert not list(tmp_path.rglob("evil.txt")) and not (tmp_path / "a" / "data").exists()


def test_an_error_page_is_never_written_into_the_file(slug, files, client, faults, tmp_path):
    faults.on("GET /", f.cut(1_500_000), nth=2)
    faults.on("bytes=", f.status(403, body=b"<Error>expired</Error>"))
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files
    assert faults.seen("DownloadDataFiles") == 2, "an expired link is asked for anew"


def test_temporary_failures_are_retried(slug, files, client, faults, tmp_path):
    faults.on("DownloadDataFiles", f.status(429, "slow down", {"Retry-After": "1"}))
    faults.on("DownloadDataFiles", f.drop_before, nth=2)
    faults.on("DownloadDataFiles", f.status(503), nth=3)
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files


@pytest.mark.parametrize(
    "first",
    [f.status(503), f.status(429, headers={"Retry-After": "0"}), f.status(429), f.drop_before],
    ids=["503", "429 when", "429", "cut"],
)
def test_the_first_get_of_a_download_may_fail_too(slug, files, client, faults, tmp_path, first):
    faults.on("GET /", first, times=2)
    assert content(setup_comp(slug, dest=tmp_path / "data", client=client)) == files


def test_a_long_retry_after_is_an_error(slug, client, faults, tmp_path):
    faults.on("DownloadDataFiles", f.status(429, headers={"Retry-After": "86400"}), times=99)
    with pytest.raises(RateLimited, match="86400 s, until"):
        setup_comp(slug, dest=tmp_path / "data", client=client)
    assert faults.seen("DownloadDataFiles") == 1
    faults.rules.clear()
    gateway = b'{"error":{"code":429,"message":"Too many requests","status":"RESOURCE_EXHAUSTED"}}'
    faults.on("DownloadDataFiles", f.status(429, body=gateway), times=99)
    with pytest.raises(RateLimited, match="without saying how long"):
        setup_comp(slug, dest=tmp_path / "data", client=client)


def test_rules_and_slugs(slug, client, tmp_path):
    with pytest.raises(RulesNotAccepted, match="competitions/locked/rules"):
        setup_comp("locked", dest=tmp_path / "data", client=client)
    with pytest.raises(NotFound, match=rf"no competition.*Did you mean .*'{slug}'"):
        setup_comp(slug + "x", dest=tmp_path / "data", client=client)


def test_a_full_disk_and_a_forbidden_folder_are_readable(slug, client, tmp_path, monkeypatch):
    from fastkaggle_plus.kaggle_client import unzip

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KaggleError, match="may write to"):
        setup_comp(slug, dest=tmp_path / "file" / "data", client=client)
    monkeypatch.setattr(unzip.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(KaggleError, match="Free some space"):
        setup_comp(slug, dest=tmp_path / "data", client=client)


def test_leaderboard_has_every_team(box, slug, client, answers):
    assert leaderboard(slug, client=client) == leaderboard(slug, client=client, top=10_000)
    submit(answers, "mine", slug, client=client)
    rows = leaderboard(slug, client=client)
    assert [r.rank for r in rows] == list(range(1, len(rows) + 1)) and all(
        isinstance(r.score, float) and r.team and r.date for r in rows
    )
    assert leaderboard(slug, client=client, top=1) == rows[:1]


def test_reading_the_leaderboard_leaves_the_data_alone(slug, client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    setup_comp(slug, client=client, keep_zip=True)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert tmp_path / f"{slug}.zip" in before and leaderboard(slug, client=client)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before, (
        "kaggle's own download of it would have replaced the zip"
    )
