"""One cell of the fault matrix: an operation under a fault, judged by server and disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastkaggle_plus import kaggle_client as fkp
from fastkaggle_plus.exceptions import FastkaggleError, NotFound
from fastkaggle_plus.kaggle_client.datasets import lookup
from fastkaggle_plus.sandbox import running
from tests.bundles import answers, make_bundle
from tests.faultmatrix import operations as of

ASKS = {
    "list files": "ListDataFiles",
    "download": "DownloadDataFiles",
    "submit": "CreateSubmission",
    "submissions": "ListSubmissions",
    "leaderboard": "GetLeaderboard",
    "dataset create": "CreateDataset",
    "dataset version": "CreateDatasetVersion",
    "dataset download": "DownloadDataset",
    "push": "SaveKernel",
    "kernel status": "GetKernelSessionStatus",
    "kernel output": "ListKernelSessionOutput",
    "submit code": "CreateCodeSubmission",
}  # the request that makes it
FETCHES, UPLOADS = (
    ("download", "dataset download", "kernel output"),
    ("submit", "dataset create", "dataset version"),
)
MAKES = (*UPLOADS, "push", "submit code")
LIMIT_S = 20  # for one call, for both clients; a longer one counts as hanging
FAULTS = {
    "none": "",
    "429, Retry-After": "429:{}:retry_after=1",
    "429": "429:{}",
    "503": "503:{}",
    "drop before": "drop-before:{}",
    "drop after": "drop-after:{}",
    "truncated": "truncate:{}",
    "cut silently": "truncate-silently:{}",
    "one byte": "corrupt:download",
    "hang": f"delay:{{}}:seconds={LIMIT_S + 1}",
    "expired upload": "expired-upload",
}
BAD = ("DOUBLED", "WRONG", "silent", "hangs")
Attempt = Callable[
    [str, str, Path, Any], tuple[str, Any]
]  # client, operation, place, box -> (done | error | hangs, what was returned)


def spec_of(operation: str, fault: str) -> str | None:
    """Return the fault for the sandbox; None if it cannot happen to the operation."""
    if (fault == "one byte" and operation not in FETCHES) or (
        fault == "expired upload" and operation not in UPLOADS
    ):
        return None
    where = (
        "download"
        if fault in ("truncated", "cut silently") and operation in FETCHES
        else ASKS[operation]
    )
    return FAULTS[fault].format(where)


def make_template(at: Path) -> None:
    """Make the start of each cell: two competitions, a submission, a dataset and a notebook run."""
    make_bundle(at / "bundles", "toy", files={"noise.bin": os.urandom(200_000)}, daily=100)
    facts = (
        make_bundle(at / "bundles", "coded", files={"noise.bin": os.urandom(200_000)}, daily=100)
        / "competition.toml"
    )
    facts.write_text("code_competition = true\n" + facts.read_text())
    work = at / "work"
    for name in ("new", "old", "kernel"):
        (work / name).mkdir(parents=True)
    (work / "answers.csv").write_bytes(answers(wrong=3))
    (work / "old" / "noise.bin").write_bytes(os.urandom(200_000))
    (work / "kernel" / "run.py").write_text(
        f"open('submission.csv', 'w').write({answers().decode()!r})\n"
        "open('noise.bin', 'wb').write(b'0123456789' * 20_000)\n"
    )
    with running(at / "bundles", state=at / "state", user=of.OWNER) as box:
        api = fkp.connect(box.url, user=box.user, key=box.key)
        (at / "first.csv").write_bytes(answers())
        fkp.submit(
            at / "first.csv", "older", "toy", client=api, poll_s=0.05, journal=at / "journal"
        )
        fkp.mk_dataset(
            work / "old", "Some older data", True, client=api, poll_s=0.05, journal=at / "journal"
        )
        made = fkp.push_notebook(
            of.OWNER,
            "answers-all",
            "Answers all",
            "run.py",
            work / "kernel",
            of.SLUG,
            internet=False,
            client=api,
        )
        fkp.wait_kernel(made, client=api, poll_s=0.1, timeout_s=60)
    (work / "old" / "more.csv").write_text("a\n1\n")
    (work / "new" / "data.csv").write_text("a\n2\n")
    (work / "new" / "dataset-metadata.json").write_text(
        json.dumps(
            {
                "title": of.NEW,
                "id": f"{of.OWNER}/some-newer-data",
                "licenses": [{"name": "CC0-1.0"}],
            }
        )
    )
    (work / "kernel" / "run.py").write_text("print('another version')\n")
    (work / "kernel" / "kernel-metadata.json").write_text(
        json.dumps(
            {
                "id": of.KERNEL,
                "title": "Answers all",
                "code_file": "run.py",
                "language": "python",
                "kernel_type": "script",
                "is_private": True,
                "enable_internet": False,
                "competition_sources": [of.SLUG],
            }
        )
    )


def judge(
    client: str,  # ours | kaggle
    operation: str,  # of ASKS
    fault: str,  # of FAULTS
    *,
    template: Path,  # of make_template
    place: Path,  # a new folder for this cell
    attempt: Attempt,
    clean: tuple[Any, dict[str, str]] | None = None,  # its result and files without a fault
    patience_s: float = 5.0,  # longest wait until the new thing is listed
) -> tuple[str, tuple[Any, dict[str, str]]]:
    """Return the verdict, from server and disk, not from the client's words; and the result."""
    spec = spec_of(operation, fault)
    if spec is None:
        return "-", (None, {})
    shutil.copytree(template / "state", place / "state")
    shutil.copytree(template / "work", place / "work")
    with running(template / "bundles", state=place / "state") as box:
        before = _held(operation, box)
        if spec:
            box.faults.set(spec)
        end, said = attempt(client, operation, place / "work", box)
        box.faults.clear()  # the fault is over when the user calls again
        first = end
        if end != "done":
            end, again = attempt(client, operation, place / "work", box)
            said = again if end == "done" else said
        ends = time.monotonic() + (
            patience_s if operation in MAKES else 0
        )  # a version without `wait` may still be processed
        while not (made := _held(operation, box) - before) and time.monotonic() < ends:
            time.sleep(0.1)
    fetched = (said, _content(place / "work" / "got"))
    return _verdict(operation, first, end, made, fetched, clean or fetched), fetched


def attempt_apart(client: str, operation: str, place: Path, box: Any) -> tuple[str, Any]:
    """Attempt it in another process, for at most LIMIT_S seconds."""
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.upper().startswith(("KAGGLE", "FKP_")) and not k.lower().endswith("_proxy")
    }
    env |= {
        "HOME": str(place),
        "FKP_HOME": str(place / "home"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    if client != "ours":
        env |= {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": box.url,
            "KAGGLE_USERNAME": box.user,
            "KAGGLE_KEY": box.key,
        }
    command = [
        sys.executable,
        "-m",
        "tests.faultmatrix.operations",
        client,
        operation,
        str(place),
        *([box.url, box.user, box.key] if client == "ours" else []),
    ]
    try:
        ran = subprocess.run(
            command, cwd=place, env=env, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return "hangs", None
    if ran.returncode:
        return (
            "error"
            if client != "ours" or "fastkaggle_plus.exceptions." in ran.stderr
            else "unclear",
            None,
        )
    return "done", json.loads(ran.stdout.strip().splitlines()[-1])


def attempt_here(client: str, operation: str, place: Path, box: Any) -> tuple[str, Any]:
    """Attempt it by our client in this process."""
    try:
        return "done", of.ours(box.url, box.user, box.key)[operation](place)
    except FastkaggleError:
        return "error", None


def _held(operation: str, box: Any) -> int:
    """Count on the server what the operation makes."""
    api = fkp.connect(box.url, user=box.user, key=box.key)
    if operation in ("submit", "submit code"):
        return len(fkp.submissions("toy" if operation == "submit" else of.SLUG, client=api))
    if operation in ("dataset create", "dataset version"):
        with contextlib.suppress(NotFound):
            found = lookup.find_dataset(
                api, of.DATASET if operation == "dataset version" else f"{of.OWNER}/some-newer-data"
            )
            return found.current_version_number or 1 if found else 0
    if operation == "push":
        return next(
            k.current_version_number for k in api.kernels_list(mine=True) if k.ref == of.KERNEL
        )
    return 0


def _content(folder: Path) -> dict[str, str]:
    return dict(_files(folder)) if folder.exists() else {}


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each visible file and its hash; for a zip, of its members, as two equal zips differ."""
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        content = file.read_bytes()
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as z:
            content = b"".join(n.encode() + z.read(n) for n in sorted(z.namelist()))
        yield file.relative_to(folder).as_posix(), hashlib.sha256(content).hexdigest()


def _verdict(
    operation: str,
    first: str,
    last: str,
    made: int,
    fetched: tuple[Any, dict[str, str]],
    clean: tuple[Any, dict[str, str]],
) -> str:
    if made > 1:
        return "DOUBLED"
    if any(clean[1].get(name) != digest for name, digest in fetched[1].items()):
        return "WRONG"
    if first == "hangs":
        return "hangs"
    if last == "done" and ((operation in MAKES and made != 1) or fetched != clean):
        return "silent"
    return {"done": "ok", "error": "error"}.get(first, "silent")
