"""Status, log and output of a notebook are complete, also over a bad connection."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import (
    BadCredentials,
    DownloadCorrupt,
    KaggleError,
    KaggleUnavailable,
    KernelFailed,
    NotFound,
    PermissionDenied,
    RateLimited,
)
from fastkaggle_plus.kaggle_client import (
    api,
    connect,
    kernel_logs,
    kernel_output,
    kernel_status,
    push_notebook,
    quota,
    wait_kernel,
)
from fastkaggle_plus.sandbox import running

from . import faults as f
from .notebooks import write_notebook
from .processes import Process

WRITES = """
import os, random, pathlib
os.makedirs("images", exist_ok=True)
pathlib.Path("images/noise.bin").write_bytes(random.Random(0).randbytes(3_000_000))
pathlib.Path("empty.txt").touch()
for n in range(5):
    pathlib.Path(f"part {n}.csv").write_text(f"n,{n}\\n" * 10)
print("written", flush=True)
"""
FILES = {"images/noise.bin", "empty.txt", *(f"part {n}.csv" for n in range(5))}


@pytest.fixture(scope="module")
def box(bundles, tmp_path_factory):
    """A sandbox with a notebook that has written files and one that has failed."""
    folder = tmp_path_factory.mktemp("kernels")
    with running(bundles, state=folder / "state") as box:
        client = connect(box.url, user=box.user, key=box.key)
        write_notebook(folder / "nb.ipynb", WRITES)
        (folder / "bad.py").write_text(
            "print('before the end', flush=True)\nraise ValueError('no such column')\n"
        )
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("FKP_HOME", str(folder / "home"))
            good = push_notebook(
                box.user, "writes-files", "Writes files", "nb.ipynb", folder, client=client
            )
            bad = push_notebook(
                box.user, "fails-early", "Fails early", "bad.py", folder, client=client
            )
        assert wait_kernel(good, client=client, poll_s=0.1, timeout_s=90).status == "COMPLETE"
        with pytest.raises(KernelFailed):
            wait_kernel(bad, client=client, poll_s=0.1, timeout_s=90)
        box.good, box.bad = good, bad
        yield box


def here(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def script(folder: Path, box, code: str, client, slug="live-script"):
    folder.mkdir(exist_ok=True)
    (folder / "run.py").write_text(code)
    return push_notebook(
        box.user, slug, slug.replace("-", " ").capitalize(), "run.py", folder, client=client
    )


def test_status_of_each_way_to_name_a_notebook(box, client):
    good = box.good
    for handle in (
        good,
        good.handle,
        f"{good.handle}/1",
        f"https://www.kaggle.com/code/{good.handle}",
        good.handle.split("/")[1],
    ):
        status = kernel_status(handle, client=client)
        assert (status.handle, status.status, status.is_done) == (good.handle, "COMPLETE", True)
    assert kernel_status(f"{good.handle}/7", 1, client=client).version == 1, (
        "the version that is given wins"
    )
    assert kernel_status(good, client=client).version == 1 and json.dumps(asdict(status))
    assert kernel_status(box.bad, client=client).status == "ERROR"
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        assert kernel_status(good.handle, 1).status == "COMPLETE"


def test_the_status_is_that_of_the_requested_version(box, client, tmp_path):
    first = script(tmp_path / "s", box, "print(1)", client, slug="two-versions")
    assert wait_kernel(first, client=client, poll_s=0.1, timeout_s=60).version == 1
    second = script(tmp_path / "s", box, "raise SystemExit('two')", client, slug="two-versions")
    with pytest.raises(KernelFailed):
        wait_kernel(second, client=client, poll_s=0.1, timeout_s=60)
    assert [kernel_status(first.handle, n, client=client).status for n in (1, 2)] == [
        "COMPLETE",
        "ERROR",
    ]
    assert "".join(e.text for e in kernel_logs(first.handle, 1, client=client)).strip() == "1"


@pytest.mark.parametrize(
    "handle, version, error, hint",
    [
        ("{user}/no-such-notebook", None, NotFound, "no notebook"),
        ("{user}/writes-file", None, NotFound, "Did you mean .*writes-files"),
        ("{user}/writes-files", 99, NotFound, "has no .*version 99"),
        ("a/b/c/d", None, NotFound, "OWNER/NAME"),
        ("", None, NotFound, "OWNER/NAME"),
        ("me/../x", None, NotFound, "OWNER/NAME"),
        ("{user}/writes-files", "latest", NotFound, "as a number"),
    ],
)
def test_a_missing_notebook(box, client, tmp_path, handle, version, error, hint):
    handle = handle.format(user=box.user)
    for ask in (
        lambda: kernel_status(handle, version, client=client),
        lambda: kernel_logs(handle, version, client=client),
        lambda: kernel_output(handle, tmp_path / "out", version, client=client),
    ):
        with pytest.raises(error, match=hint):
            ask()


@pytest.mark.parametrize(
    "said, error, hint",
    [
        ((401, "Unauthenticated"), BadCredentials, "settings/api"),
        ((403, "Permission 'kernels.get' was denied"), NotFound, "no notebook"),
        ((403, "Not today"), PermissionDenied, "browser"),
        ((429, ""), RateLimited, "asks to wait"),
        ((500, ""), KaggleUnavailable, "later"),
        ((418, "I am a teapot"), KaggleError, "418"),
    ],
)
def test_each_refusal_has_its_own_message(box, client, faults, said, error, hint):
    faults.on("GetKernelSessionStatus", f.status(*said), times=99)
    with pytest.raises(error, match=hint) as caught:
        kernel_status(box.good, client=client)
    assert (
        type(caught.value) is error
        and caught.value.said == said[1]
        and caught.value.status == said[0]
    )


@pytest.mark.parametrize(
    "fault",
    [
        f.drop_before,
        f.status(503),
        f.status(429, headers={"Retry-After": "0"}),
        f.status(429),
        f.drop_after,
    ],
)
def test_a_read_survives_temporary_failures(box, client, faults, fault):
    for method in (
        "GetKernelSessionStatus",
        "ListKernelSessionOutput",
        "GetAcceleratorQuotaStatistics",
    ):
        faults.on(method, fault, times=2)
    assert kernel_status(box.good, client=client).status == "COMPLETE"
    assert [
        e.text.strip() for e in kernel_logs(box.good, client=client) if "written" in e.text
    ] == ["written"]
    assert [q.accelerator for q in quota(client=client)] == ["GPU", "TPU"]


def test_a_read_without_an_answer_is_retried(box, client, faults):
    never = threading.Event()
    faults.on("GetKernelSessionStatus", f.hang(never))
    client.timeout_s = 1
    assert (
        kernel_status(box.good, client=client).status == "COMPLETE"
        and faults.seen("GetKernelSessionStatus") == 2
    )
    never.set()


def test_a_log_is_followed_through_silence(box, client, tmp_path):
    made = script(
        tmp_path / "s",
        box,
        "import time\nprint('a', flush=True); time.sleep(3); print('b', flush=True)",
        client,
        slug="long-silence",
    )
    direct = connect(box.url, user=box.user, key=box.key, timeout_s=0.5, tries=2)
    seen = "".join(e.text for e in kernel_logs(made, follow=True, client=direct, poll_s=0.05))
    assert seen.split() == ["a", "b"], "silence longer than the time limit of a request is no end"


def test_quota(box, client):
    for q in quota(client=client):
        assert q.allowed_s > 0 and 0 <= q.left_s <= q.allowed_s and q.refreshes.endswith("+00:00")


def test_a_failure_shows_the_end_of_the_log(box, client):
    with pytest.raises(KernelFailed, match="no such column") as caught:
        wait_kernel(box.bad, client=client)
    assert "before the end" in str(
        caught.value
    ) and f"{box.bad.handle} version 1 ended in an error" in str(caught.value)
    assert f"`fkp output {box.bad.handle} --version 1`" in str(
        caught.value
    ) and "kaggle.com" not in str(caught.value)  # a sandbox has no pages
    assert caught.value.what.count(".") == 1 and "no such column" in caught.value.log_end


def test_a_failure_is_shown_without_colours(box, client, tmp_path):
    (tmp_path / "s").mkdir()
    write_notebook(tmp_path / "s" / "nb.ipynb", "x = 1", "print(x)\nraise KeyError('Survived')")
    made = push_notebook(
        box.user,
        "fails-in-cell-two",
        "Fails in cell two",
        "nb.ipynb",
        tmp_path / "s",
        client=client,
    )
    with pytest.raises(KernelFailed, match=r"KeyError.*Survived") as caught:
        wait_kernel(made, client=client, poll_s=0.1, timeout_s=90)
    assert "\x1b" not in str(caught.value)


def test_waiting_survives_a_lost_connection_and_has_a_timeout(box, client, faults, tmp_path):
    made = script(
        tmp_path / "s", box, "import time; time.sleep(1.5)", client, slug="sleeps-a-little"
    )
    assert not wait_kernel(made, client=client, timeout_s=0.0).is_done
    faults.on("GetKernelSessionStatus", f.drop_before, times=8)  # more than one read's tries
    assert wait_kernel(made, client=client, poll_s=0.05, timeout_s=60).status == "COMPLETE"
    faults.on("GetKernelSessionStatus", f.drop_before, times=999)
    with pytest.raises(KaggleUnavailable):
        wait_kernel(made, client=client, poll_s=0.05, timeout_s=0.2)


def test_the_version_that_is_waited_for_stays_the_same(box, client, faults, tmp_path):
    direct, second = connect(box.url, user=box.user, key=box.key), []
    first = script(
        tmp_path / "s", box, "import time; time.sleep(1)", direct, slug="pushed-meanwhile"
    )

    def push_another(handler, forward):
        second.append(
            script(tmp_path / "s", box, "raise SystemExit('two')", direct, slug="pushed-meanwhile")
        )
        f.passed(handler, forward)

    faults.on("GetKernelSessionStatus", push_another)
    status = wait_kernel(first.handle, client=client, poll_s=0.1, timeout_s=60)
    assert (status.version, status.status, second[0].version) == (1, "COMPLETE", 2)


def test_a_cancelled_run_is_not_called_an_error(box, client, faults):
    faults.on("GetKernelSessionStatus", f.status(200, body=b'{"status": "CANCEL_REQUESTED"}'))
    faults.on("GetKernelSessionStatus", f.status(200, body=b'{"status": "CANCEL_ACKNOWLEDGED"}'))
    with pytest.raises(KernelFailed, match="was cancelled"):
        wait_kernel(box.good, client=client, poll_s=0.05)
    assert faults.seen("GetKernelSessionStatus") == 2


TALKS = """
import time, sys
for n in range(6):
    print(f"line {n}", flush=True)
    time.sleep(0.3)
print("to stderr", file=sys.stderr, flush=True)
"""


def test_a_log_is_followed_while_the_notebook_runs(box, tmp_path):
    client = connect(box.url, user=box.user, key=box.key)
    made = script(tmp_path / "s", box, TALKS, client, slug="talks-slowly")
    seen, was_running = "", False
    for event in kernel_logs(made, follow=True, client=client, poll_s=0.1):
        seen += event.text if event.stream == "stdout" else ""
        was_running = was_running or not kernel_status(made, client=client).is_done
    assert seen.splitlines() == [f"line {n}" for n in range(6)] and was_running, (
        "received before the end"
    )
    stored = "".join(e.text for e in kernel_logs(made, client=client) if e.stream == "stdout")
    assert seen == stored and any(
        "to stderr" in e.text for e in kernel_logs(made, client=client) if e.stream == "stderr"
    )


@pytest.mark.parametrize("size", [0, 30, 75, 170, 1000])
def test_a_followed_log_resumes_without_repeating(box, client, faults, tmp_path, size):
    made = script(tmp_path / "s", box, TALKS.replace("0.3", "0.1"), client, slug=f"talks-{size:05}")
    faults.on("logs/stream", f.cut(size), times=3)
    faults.on("logs/stream", f.status(503), nth=2)
    seen = [e for e in kernel_logs(made, follow=True, client=client, poll_s=0.05)]
    assert "".join(e.text for e in seen if e.stream == "stdout").splitlines() == [
        f"line {n}" for n in range(6)
    ]
    assert "".join(e.text for e in seen if e.stream == "stderr").count("to stderr") == 1


def test_following_an_ended_and_a_missing_notebook(box, client, faults):
    assert [e.text for e in kernel_logs(box.good, follow=True, client=client)] == [
        e.text for e in kernel_logs(box.good, client=client) if e.text
    ]
    faults.on("logs/stream", f.status(404))
    assert "written" in "".join(
        e.text for e in kernel_logs(box.good, follow=True, client=client)
    ), "the stored log takes its place"
    faults.on("logs/stream", f.status(401, "Unauthenticated"), times=99)
    with pytest.raises(BadCredentials):
        list(kernel_logs(box.good, follow=True, client=client, poll_s=0.01))
    faults.rules.clear()
    faults.on("logs/stream", f.drop_before, times=99)
    assert "written" in "".join(
        e.text for e in kernel_logs(box.good, follow=True, client=client, poll_s=0.01)
    )
    faults.on("GetKernelSessionStatus", f.drop_before, times=999)
    with pytest.raises(KaggleUnavailable):
        list(kernel_logs(box.good, follow=True, client=client, poll_s=0.01))


def test_output_is_complete(box, client, tmp_path):
    out = kernel_output(box.good, tmp_path / "out", client=client)
    assert set(out.files) == FILES and (out.handle, out.version, out.log) == (
        box.good.handle,
        1,
        "writes-files.log",
    )
    assert {n for n in here(tmp_path / "out") if not n.startswith(".")} == FILES | {out.log}
    assert (tmp_path / "out" / "part 3.csv").read_text() == "n,3\n" * 10 and not (
        tmp_path / "out" / "empty.txt"
    ).stat().st_size
    assert any("written" in e["data"] for e in json.loads((tmp_path / "out" / out.log).read_text()))
    json.dumps(asdict(out))


def test_output_of_many_pages_and_of_a_failure(box, client, faults, tmp_path, monkeypatch):
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    assert (
        set(kernel_output(box.good, tmp_path / "out", client=client).files) == FILES
        and faults.seen("ListKernelSessionOutput") >= 4
    )
    bad = kernel_output(box.bad, tmp_path / "bad", client=client)
    assert bad.files == () and "no such column" in (tmp_path / "bad" / bad.log).read_text()


def test_a_wrong_or_missing_list_of_sizes_does_no_harm(box, client, faults, tmp_path):
    faults.on("ListKernelFiles", f.body_of(lambda body: body.replace(b"3000000", b"2999999")))
    assert set(kernel_output(box.good, tmp_path / "one", client=client).files) == FILES, (
        "the MD5 was right"
    )
    faults.on("ListKernelFiles", f.status(404))
    assert set(kernel_output(box.good, tmp_path / "two", client=client).files) == FILES


def test_existing_output_is_not_downloaded_again(box, client, faults, tmp_path):
    first = kernel_output(box.good, tmp_path / "out", client=client)
    faults.log.clear()
    assert kernel_output(box.good, tmp_path / "out", client=client) == first and not any(
        "GET " in line for line in faults.log
    )
    (tmp_path / "out" / "part 0.csv").write_text("n,0\n" * 9 + "n,9\n")  # the size is right
    (tmp_path / "out" / "part 1.csv").unlink()
    faults.log.clear()
    kernel_output(box.good, tmp_path / "out", client=client)
    assert (tmp_path / "out" / "part 0.csv").read_text() == "n,0\n" * 10 and (
        tmp_path / "out" / "part 1.csv"
    ).exists()
    assert (tmp_path / "out" / "part 0.csv.old").exists() and not any(
        "noise" in line for line in faults.log
    )


CORRUPT, TRUNCATED = (
    f.body_of(lambda b: b[:9] + b"x" + b[10:]),
    f.body_of(lambda b: b[:-1], tell_md5=False),
)


@pytest.mark.parametrize(
    "fault",
    [
        f.cut(1_000_000),
        f.cut(0),
        f.status(503),
        f.drop_before,
        f.body_of(lambda b: b[:-1]),
        CORRUPT,
        TRUNCATED,
        f.status(403, body=b"<Error>expired</Error>"),
        f.status(429),
    ],
    ids=[
        "cut",
        "cut at once",
        "503",
        "drop",
        "truncated",
        "corrupt",
        "truncated, no MD5",
        "expired",
        "429",
    ],
)
def test_a_damaged_transfer_is_repeated(box, client, faults, tmp_path, fault):
    faults.on("noise.bin", fault, nth=2)  # the first request is for the headers
    kernel_output(box.good, tmp_path / "out", client=client)
    import random

    assert (tmp_path / "out" / "images" / "noise.bin").read_bytes() == random.Random(0).randbytes(
        3_000_000
    )


def test_a_link_that_has_expired_is_replaced(box, client, faults, tmp_path):
    def expired(body):
        listed = json.loads(body)
        for file in listed["files"]:
            file["url"] = file["url"].replace("/", "/gone/").replace("/gone//gone/", "//", 1)
        return json.dumps(listed).encode()

    faults.on("ListKernelSessionOutput", f.body_of(expired))
    assert set(kernel_output(box.good, tmp_path / "out", client=client).files) == FILES
    assert faults.seen("/gone/") and faults.seen("ListKernelSessionOutput") == 2


@pytest.mark.parametrize("fault", [CORRUPT, TRUNCATED], ids=["corrupt", "truncated"])
def test_repeated_damage_gives_no_file(box, client, faults, tmp_path, fault):
    faults.on("noise.bin", fault, times=999)
    with pytest.raises(DownloadCorrupt, match=r"noise\.bin.*3 times"):
        kernel_output(box.good, tmp_path / "out", client=client)
    assert not [n for n in here(tmp_path / "out") if "noise.bin" in n]
    faults.rules.clear()
    assert set(kernel_output(box.good, tmp_path / "out", client=client).files) == FILES


def test_a_cut_transfer_resumes(box, client, faults, tmp_path):
    faults.on("noise.bin", f.cut(2_000_000), nth=2)
    faults.on("noise.bin", f.drop_before, nth=2, times=999)
    with pytest.raises(KaggleUnavailable):
        client.tries = 2
        kernel_output(box.good, tmp_path / "out", client=client)
    faults.rules.clear()
    faults.log.clear()
    client.tries = 7
    kernel_output(box.good, tmp_path / "out", client=client)
    [resumed] = [line for line in faults.log if "bytes=" in line]
    assert 1_000_000 <= int(resumed.split("bytes=")[1].rstrip("-")) <= 2_000_000


KILLED = """
from fastkaggle_plus.kaggle_client import connect, kernel_output
client = connect({url!r}, user={user!r}, key={key!r})
kernel_output({handle!r}, {dest!r}, client=client)
"""


def test_a_kill_during_an_output(box, client, faults, tmp_path):
    never, reached = threading.Event(), threading.Event()

    def stall(handler, forward):
        f.cut(1_500_000)(handler, forward)
        reached.set()
        never.wait(30)

    faults.on("noise.bin", stall, nth=2)
    code = KILLED.format(
        url=faults.url,
        user=box.user,
        key=box.key,
        handle=box.good.handle,
        dest=str(tmp_path / "out"),
    )
    process = Process(code)
    assert reached.wait(60)
    process.kill()
    never.set()
    assert "images/noise.bin" not in here(tmp_path / "out")
    assert set(kernel_output(box.good, tmp_path / "out", client=client).files) == FILES
    assert len(here(tmp_path / "out")["images/noise.bin"]) == 3_000_000


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/etc/outside.txt",
        "a/../../outside.txt",
        "..\\outside.txt",
        "C:\\outside.txt",
        ".fkp-output.json",
        "link/outside.txt",
    ],
)
def test_a_name_that_leaves_the_folder_is_refused(box, client, faults, tmp_path, name):
    def renamed(body):
        listed = json.loads(body)
        for file in listed.get("files", []):
            file["fileName"] = file["fileName"].replace("empty.txt", name)
        return json.dumps(listed).encode()

    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    faults.on("ListKernelSessionOutput", f.body_of(renamed), times=99)
    with pytest.raises(KaggleError, match="leave"):
        kernel_output(box.good, tmp_path / "out", client=client)
    assert not list(tmp_path.rglob("outside.txt")) and not [
        n for n in here(tmp_path / "out") if not n.startswith(".fkp")
    ]


def test_the_users_files_are_kept_and_files_of_another_version_removed(box, client, tmp_path):
    made = script(
        tmp_path / "s",
        box,
        "open('one.txt', 'w').write('1'); open('both.txt', 'w').write('v1')",
        client,
        slug="two-outputs",
    )
    wait_kernel(made, client=client, poll_s=0.1, timeout_s=60)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "both.txt").write_text("mine")
    kernel_output(made, tmp_path / "out", client=client)
    assert (tmp_path / "out" / "both.txt").read_text() == "v1" and (
        tmp_path / "out" / "both.txt.old"
    ).read_text() == "mine"
    second = script(
        tmp_path / "s", box, "open('both.txt', 'w').write('v2')", client, slug="two-outputs"
    )
    wait_kernel(second, client=client, poll_s=0.1, timeout_s=60)
    out = kernel_output(second, tmp_path / "out", client=client)
    left = {
        n: b for n, b in here(tmp_path / "out").items() if not n.startswith(".fkp") and n != out.log
    }
    assert left == {"both.txt": b"v2", "both.txt.old": b"mine"}, (
        "one.txt was never written by version 2"
    )
    assert kernel_output(made.handle, tmp_path / "first", 1, client=client).files == (
        "both.txt",
        "one.txt",
    )


def test_output_of_a_running_notebook_is_refused(box, client, tmp_path):
    made = script(tmp_path / "s", box, "import time; time.sleep(1)", client, slug="still-runs")
    with pytest.raises(KaggleError, match="wait_kernel"):
        kernel_output(made, tmp_path / "out", client=client)
    wait_kernel(made, client=client, poll_s=0.1, timeout_s=60)
    assert kernel_output(made, tmp_path / "out", client=client).files == ()


def test_a_folder_that_cannot_be_written(box, client, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KaggleError, match="dest"):
        kernel_output(box.good, tmp_path / "file" / "out", client=client)


def test_a_full_disk_is_readable_and_costs_nothing(box, client, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".fkp-output.json.part").symlink_to("/dev/full")
    with pytest.raises(KaggleError, match=r"disk of .* is full"):
        kernel_output(box.good, tmp_path / "out", client=client)
    (tmp_path / "out" / ".fkp-output.json.part").unlink()
    assert set(kernel_output(box.good, tmp_path / "out", client=client).files) == FILES
    assert not list((tmp_path / "out").rglob("*.old"))


def test_in_a_rehearsal_and_with_a_token(box, tmp_path):
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        for n, client in enumerate((None, connect(box.url, token=box.token))):
            assert kernel_status(box.good.handle, client=client).status == "COMPLETE"
            assert "written" in "".join(
                e.text for e in kernel_logs(box.good.handle, follow=True, client=client)
            )
            assert (
                set(kernel_output(box.good.handle, tmp_path / str(n), client=client).files) == FILES
            )
            assert len(quota(client=client)) == 2


def test_the_sandbox_sends_md5(box, client, faults, tmp_path):
    """Without hashes from the service, the tests above would show nothing."""
    hashes = {}

    def spy(handler, forward):
        code, headers, body = forward()
        hashes[headers.get("x-goog-hash", "")] = body
        f.answer(handler, code, headers, body)

    faults.on("noise.bin", spy, times=9)
    kernel_output(box.good, tmp_path / "out", client=client)
    assert all(
        base64.b64encode(hashlib.md5(body).digest()).decode() in text
        for text, body in hashes.items()
    )
