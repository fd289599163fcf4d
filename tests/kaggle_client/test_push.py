"""A push makes one version despite lost answers and kills, sends no secret, writes no file."""

from __future__ import annotations

import itertools
import json
import os
import threading
import traceback

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import (
    BadCredentials,
    KaggleUnavailable,
    KernelFailed,
    NotebookError,
    PermissionDenied,
    PushRefused,
    QuotaReached,
    RateLimited,
    SecretFound,
)
from fastkaggle_plus.kaggle_client import Journal, connect, nb_meta, push_notebook, wait_kernel
from fastkaggle_plus.sandbox import running

from . import faults as f
from .notebooks import source_of, versions, write_notebook
from .processes import Process

CAP = b'{"ref": "", "url": "", "error": "Maximum batch GPU session count of 2 reached."}'


NUMBERS = itertools.count(100)


@pytest.fixture(scope="module")
def box(bundles, tmp_path_factory):
    with running(bundles, state=tmp_path_factory.mktemp("state")) as box:
        yield box


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    write_notebook(tmp_path / "mine" / "nb.ipynb", "# My work", "x = 1\nprint(x)")
    return tmp_path / "mine"


@pytest.fixture
def title():
    """A new notebook for each test, as all tests share a sandbox."""
    return f"Work {next(NUMBERS)}"


@pytest.fixture
def id(title):
    return title.lower().replace(" ", "-")


@pytest.fixture
def handle(box, id):
    return f"{box.user}/{id}"


@pytest.fixture
def push(box, client, folder, id, title):
    def pushing(**more):
        named = (more.pop("user", box.user), more.pop("id", id), more.pop("title", title))
        return push_notebook(
            *named, "nb.ipynb", folder, **{"client": client, "poll_s": 0.05, "run": False, **more}
        )

    return pushing


def saved(box, handle: str) -> list[str]:
    return [c["source"] for c in json.loads(source_of(box, handle))["cells"]]


def test_a_push_makes_a_version_and_leaves_the_folder_alone(box, push, folder, handle):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    made = push()
    assert (made.handle, made.version, made.version_number, made.sent) == (
        handle,
        1,
        1,
        True,
    ) and made.url.endswith(handle)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    kept = json.loads(source_of(box, handle))
    assert [c["source"] for c in kept["cells"]] == [
        "# My work",
        "x = 1\nprint(x)",
    ] and "an old output" not in json.dumps(kept)
    assert kept["metadata"]["kernelspec"]["name"] == "python3", (
        "without a kernel's name the run would die"
    )
    write_notebook(
        folder / "nb.ipynb",
        "x = 1",
        kernelspec={"name": "my-venv", "display_name": "Mine"},
        widgets={"state": {"a": "a plot"}},
    )
    push()
    assert json.loads(source_of(box, handle))["metadata"].keys() == {
        "kernelspec",
        "language_info",
    } and "my-venv" not in source_of(box, handle)


def test_the_same_again_is_found_and_a_change_is_a_version(box, push, folder, handle):
    first, second = push(), push()
    assert (second.version, second.sent) == (first.version, False) and versions(box, handle) == 1
    assert push(again=True).version == 2
    write_notebook(folder / "nb.ipynb", "x = 2")
    third = push()
    assert (third.version, third.sent) == (3, True) and saved(box, handle) == ["x = 2"]
    write_notebook(folder / "nb.ipynb", "# My work", "x = 1\nprint(x)")
    assert push().version == 4, "an older version of the same content is not the current one"
    assert push(gpu=True).version == 5 and push(gpu=True).sent is False, (
        "other settings are another version"
    )


def test_a_script_and_fastkaggles_order(box, folder, handle):
    (folder / "run.py").write_text("print('hello')\n")
    with environment.rehearsing(box.url, user=box.user, key=box.key, token=box.token):
        made = push_notebook(
            box.user,
            "my-script",
            "My script",
            "run.py",
            folder,
            "toy",
            True,
            False,
            True,
            None,
            run=False,
        )
    assert made.version == 1 and source_of(box, made.handle) == "print('hello')\n"


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
def test_a_lost_answer_is_found_again(box, push, faults, handle, lost):
    push()
    faults.on("SaveKernel", lost, nth=1)
    again = push(again=True)
    assert (
        (again.version, again.sent) == (2, True)
        and faults.seen("SaveKernel") == 2
        and versions(box, handle) == 2
    )


def test_a_lost_answer_of_the_first_version(box, push, faults, handle):
    faults.on("SaveKernel", f.drop_after)
    assert push().version == 1 and faults.seen("SaveKernel") == 1 and versions(box, handle) == 1
    assert push().sent is False


@pytest.mark.parametrize(
    "lost",
    [f.drop_before, f.status(503), f.status(429), f.status(429, headers={"Retry-After": "0"})],
    ids=["drop", "503", "429", "429 with Retry-After"],
)
def test_a_request_that_never_arrived_is_sent_once_more(box, push, faults, handle, lost):
    faults.on("SaveKernel", lost)
    assert push().version == 1 and faults.seen("SaveKernel") == 2 and versions(box, handle) == 1


@pytest.mark.parametrize("after", [True, False], ids=["processed", "lost"])
def test_a_request_without_an_answer(box, push, faults, handle, client, after):
    never = threading.Event()
    faults.on("SaveKernel", f.hang(never, after=after))
    client.timeout_s = 1
    assert push().version == 1 and versions(box, handle) == 1
    never.set()


def test_another_users_version_is_not_mistaken_for_ours(
    box, push, faults, folder, handle, id, title
):
    push()

    def overtaken(handler, forward):
        connect(box.url, user=box.user, key=box.key).kernels_push(str(other))
        handler.close_connection = True

    other = folder.parent / "other"
    other.mkdir()
    write_notebook(other / "nb.ipynb", "by = 'the web'")
    (other / "kernel-metadata.json").write_text(
        json.dumps(nb_meta(box.user, id, title, "nb.ipynb"))
    )
    write_notebook(folder / "nb.ipynb", "x = 3")
    faults.on("SaveKernel", overtaken)
    assert push().version == 3 and saved(box, handle) == ["x = 3"]


def test_no_connection_after_a_lost_answer(box, push, faults, handle):
    push()
    faults.on("SaveKernel", f.drop_after)
    faults.on("GetKernel", f.drop_before, nth=2, times=99)
    with pytest.raises(KaggleUnavailable):
        push(again=True)
    faults.rules.clear()
    found = push()
    assert (found.version, found.sent) == (2, False) and versions(box, handle) == 2


def test_no_connection_before_the_request_arrived(box, push, faults, handle):
    faults.on("SaveKernel", f.drop_before, times=99)
    with pytest.raises(KaggleUnavailable):
        push()
    faults.rules.clear()
    assert push().sent and versions(box, handle) == 1


KILLED = """
from fastkaggle_plus.kaggle_client import connect, push_notebook
client = connect({url!r}, user={user!r}, key={key!r})
options = dict(client=client, poll_s=0.05, run=False)
pushed = push_notebook({user!r}, {id!r}, {title!r}, "nb.ipynb", {folder!r}, **options)
print(pushed.version, flush=True)
"""


@pytest.mark.parametrize(
    "step, after", [("GetKernel", True), ("SaveKernel", False), ("SaveKernel", True)]
)
def test_a_kill_during_a_push(box, push, faults, folder, handle, id, title, step, after):
    never, reached = threading.Event(), threading.Event()

    def stall(handler, forward):
        if after:
            forward()
        reached.set()
        f.hang(never)(handler, forward)

    faults.on(step, stall)
    code = KILLED.format(
        url=faults.url, user=box.user, key=box.key, folder=str(folder), id=id, title=title
    )
    process = Process(code)
    assert reached.wait(60)
    process.kill()
    never.set()
    faults.rules.clear()
    assert push(poll_s=0.05).version == 1 and versions(box, handle) == 1


def test_two_processes_with_the_same_notebook_push_it_once(box, faults, folder, handle, id, title):
    code = KILLED.format(
        url=faults.url, user=box.user, key=box.key, folder=str(folder), id=id, title=title
    )
    both = [Process(code), Process(code)]
    assert [p.output() for p in both] == ["1\n"] * 2
    assert versions(box, handle) == 1


def test_waits_for_a_free_session(box, push, faults, handle):
    messages: list[str] = []
    faults.on("SaveKernel", f.status(200, body=CAP), times=2)
    assert push(gpu=True, progress=messages.append).version == 1 and faults.seen("SaveKernel") == 3
    assert len(messages) == 2 and "session count of 2" in messages[0]


def test_waits_for_a_free_session_of_the_sandbox_until_queue_s(box, client, folder, push):
    (folder / "sleep.py").write_text("import time\ntime.sleep(2)")
    busy = [
        push_notebook(
            box.user,
            f"busy-{n}",
            f"Busy {n}",
            "sleep.py",
            folder,
            gpu=True,
            client=client,
            poll_s=0.2,
        )
        for n in range(2)
    ]
    with pytest.raises(QuotaReached, match=r"within 0 s.*Nothing was pushed"):
        push(gpu=True, run=True, queue_s=0.3)
    assert push(gpu=True, run=True, poll_s=0.2, queue_s=60).version == 1
    for kernel in busy:
        assert wait_kernel(kernel, client=client, poll_s=0.1, timeout_s=60).status == "COMPLETE"


def test_no_hours_left_is_an_error_before_the_push(push, faults):
    used = {
        "quotaRefreshTime": "2026-11-28T00:00:00Z",
        "gpuQuota": {"timeUsed": "108000s", "totalTimeAllowed": "108000s"},
    }
    faults.on("GetAcceleratorQuotaStatistics", f.status(200, body=json.dumps(used).encode()))
    with pytest.raises(QuotaReached, match=r"30\.0 of 30\.0 h.*2026-11-28"):
        push(gpu=True, run=True)
    assert not faults.seen("SaveKernel")
    faults.on(
        "SaveKernel",
        f.status(200, body=b'{"error": "Maximum weekly GPU quota of 30.00 hours reached."}'),
    )
    with pytest.raises(QuotaReached, match="weekly GPU quota"):
        push(gpu=True, run=True)
    assert faults.seen("SaveKernel") == 1, "hours do not come back by waiting"


def test_an_unreadable_quota_does_not_stop_the_push(push, faults):
    faults.on("GetAcceleratorQuotaStatistics", f.status(404), times=99)
    assert push(gpu=True, run=True).version == 1


def test_a_refusal_is_raised(box, push, faults, handle):
    faults.on("SaveKernel", f.status(200, body=b'{"error": "The docker image is not known"}'))
    with pytest.raises(PushRefused, match=r"docker image.*Nothing was pushed") as caught:
        push()
    assert caught.value.said == "The docker image is not known" and versions(box, handle) == 0
    assert push().version == 1, "a refusal is no obstacle for the next try"


def test_a_missing_input_is_named_before_the_push(box, push, faults, handle):
    for more, hint in [
        ({"competition": ["toy", "toyy"]}, "'toyy'.*Did you mean 'toy'"),
        ({"competition": "locked"}, "Accept them at .*locked/rules"),
        ({"linked_notebooks": ["somebody/nothing"]}, "kernel 'somebody/nothing'"),
        (
            {"linked_datasets": ["somebody/data", "somebody/more"]},
            "'somebody/data'.*'somebody/more'",
        ),
    ]:
        with pytest.raises(PushRefused, match=f"{hint}.*Nothing was pushed"):
            push(**more)
    assert not faults.seen("SaveKernel") and versions(box, handle) == 0
    assert push(competition="competitions/toy").version == 1, (
        "the prefix that fastkaggle writes is dropped"
    )


def test_an_input_that_only_the_push_finds_missing_is_named(push, faults):
    for method in ("GetCompetition", "ListDatasetFiles"):
        faults.on(method, f.status(400), times=99)  # unknown before the push
    with pytest.raises(
        PushRefused, match=r"version 1 .*dataset 'somebody/data'; competition 'no-such-comp'"
    ):
        push(competition=["toy", "no-such-comp"], linked_datasets=["somebody/data"])
    with pytest.raises(PushRefused, match=r"version 2 .*no-such-comp"):
        push(competition=["toy", "no-such-comp"], linked_datasets=["somebody/data"])
    assert push(competition="toy").version == 3 and faults.seen("SaveKernel") == 3


def test_a_missing_input_is_named_after_a_lost_answer(push, faults):
    def without(body):
        kernel = json.loads(body)
        kernel.get("metadata", {}).pop("competitionDataSources", None)
        return json.dumps(kernel).encode()

    faults.on("SaveKernel", f.drop_after)
    faults.on("GetKernel", f.body_of(without), times=99)
    with pytest.raises(PushRefused, match="competition 'toy'"):
        push(competition="toy")


@pytest.mark.parametrize(
    "cells, where",
    [
        (("x = 1", "token = 'hf_" + "aB3" * 12 + "'"), "cell 2, line 1"),
        (("# see sk-" + "aB3" * 12,), "cell 1"),
        (("login(\n  'correct horse battery')",), "cell 1, line 2"),
        (("print('THE-OWN-KEY')",), "cell 1"),
    ],
    ids=["token", "markdown", ".env", "own key"],
)
def test_a_key_in_a_cell_stops_the_push(box, push, faults, folder, cells, where):
    (folder / ".env").write_text("DB_PASSWORD='correct horse battery'\n")
    write_notebook(folder / "nb.ipynb", *(c.replace("THE-OWN-KEY", box.key) for c in cells))
    with pytest.raises(SecretFound, match=where) as caught:
        push()
    assert (
        not faults.seen("SaveKernel")
        and "Nothing was sent" in str(caught.value)
        and "battery" not in str(caught.value)
    )
    assert box.key not in "".join(traceback.format_exception(caught.value))


def test_a_key_of_another_account_and_keys_in_metadata(box, push, faults, folder, tmp_path):
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text(
        '{"username": "me", "key": "not-hex-but-mine-all-the-same"}'
    )
    write_notebook(folder / "nb.ipynb", "login('not-hex-but-mine-all-the-same')")
    with pytest.raises(SecretFound, match="cell 1"):
        push()
    write_notebook(folder / "nb.ipynb", "x = 1", kaggle={"key": "0123456789abcdef" * 2})
    with pytest.raises(SecretFound, match="metadata"):
        push()
    write_notebook(folder / "nb.ipynb", "x = 1")
    with pytest.raises(SecretFound, match="metadata"):
        push(keywords=["hf_" + "aB3" * 12])
    assert not faults.seen("SaveKernel")


@pytest.mark.parametrize(
    "more, hint",
    [
        ({"title": "My other work"}, "id='my-other-work'"),
        ({"title": "Mine", "id": "mine"}, "4 characters"),
        ({"title": "w" * 51, "id": "w" * 51}, "51 characters"),
        ({"gpu": True, "tpu": True}, "GPU or on a TPU"),
        ({"gpu": True, "machine_shape": "TpuV5E8"}, "both"),
        ({"linked_datasets": ["just-a-name"]}, "OWNER/NAME"),
        ({"linked_models": ["owner/model"]}, "FRAMEWORK"),
        ({"linked_notebooks": ["nb"]}, "OWNER/NAME"),
        ({"docker_image_pinning_type": "newest"}, "original"),
        ({"timeout_s": 50_000}, "12 h"),
        ({"user": ""}, "user name"),
    ],
)
def test_invalid_metadata_is_refused_before_the_push(push, faults, more, hint):
    with pytest.raises(PushRefused, match=f"{hint}.*Nothing was pushed"):
        push(**more)
    assert not faults.log, "no call was made"


@pytest.mark.parametrize(
    "text", ["not json", "[]", '{"cells": [{"source": "x"}]}', '{"worksheets": []}', b"\xff\xfe"]
)
def test_a_file_that_is_no_notebook(push, faults, folder, text):
    (folder / "nb.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NotebookError):
        push()
    (folder / "nb.ipynb").unlink()
    with pytest.raises(NotebookError, match="no file"):
        push()
    assert not faults.log


@pytest.mark.parametrize(
    "said, error, hint",
    [
        ((401, "Unauthenticated"), BadCredentials, "settings/api"),
        ((403, "Permission 'kernels.create' was denied"), PermissionDenied, "your own user name"),
        ((403, "You must verify your phone number to use a GPU"), PermissionDenied, "settings"),
        ((400, "Invalid title"), PushRefused, "5 to 50"),
        ((429, ""), RateLimited, "nothing is sent twice"),
        ((500, ""), KaggleUnavailable, "try again later"),
    ],
)
def test_each_refusal_has_its_own_message(push, faults, said, error, hint):
    faults.on("SaveKernel", f.status(*said), times=99)
    with pytest.raises(error, match=hint) as caught:
        push()
    assert type(caught.value) is error and caught.value.status == said[0]
    faults.rules.clear()
    assert push().sent


def test_a_refusal_never_quotes_the_key(push, faults, box):
    faults.on(
        "SaveKernel", f.status(200, body=json.dumps({"error": f"bad key {box.key}"}).encode())
    )
    with pytest.raises(PushRefused) as caught:
        push()
    messages = "".join(traceback.format_exception(caught.value)) + caught.value.said
    assert "***" in messages and box.key not in messages


def test_only_a_failed_run_is_pushed_again(box, client, folder, id, title, handle):
    def run(code):
        (folder / "run.py").write_text(code)
        return push_notebook(box.user, id, title, "run.py", folder, client=client)

    assert run("assert False").version == 1
    with pytest.raises(KernelFailed, match="AssertionError"):
        wait_kernel(handle, client=client, poll_s=0.1, timeout_s=60)
    again = run("assert False")
    assert (again.version, again.sent) == (2, True), "its input may have been repaired"
    worked = run("assert True")
    assert wait_kernel(worked, client=client, poll_s=0.1, timeout_s=60).status == "COMPLETE"
    assert run("assert True").sent is False


def test_metadata_as_kaggle_takes_it(box):
    meta = nb_meta(
        "me",
        "my-work",
        "My work",
        "nb.ipynb",
        competition="titanic",
        gpu=True,
        linked_datasets=["a/b"],
        linked_models=["a/b/c/d/1"],
    )
    assert (
        meta["competition_sources"] == ["titanic"]
        and meta["machine_shape"] == "NvidiaTeslaT4"
        and meta["enable_gpu"] is True
    )
    assert (meta["dataset_sources"], meta["model_sources"], meta["kernel_type"]) == (
        ["a/b"],
        ["a/b/c/d/1"],
        "notebook",
    ) and json.dumps(meta)
    assert "machine_shape" not in nb_meta("me", "my-work", "My work", "nb.ipynb")
    tpu = nb_meta("me", "my-work", "My work", "nb.ipynb", tpu=True)
    assert (tpu["machine_shape"], tpu["enable_tpu"], tpu["enable_gpu"]) == ("TpuV5E8", True, False)


@pytest.mark.parametrize(
    "old, new",
    [("NvidiaTeslaP100", "NvidiaTeslaT4"), ("TpuV38", "TpuV5E8"), ("TpuV2256", "TpuV5E8")],
)
def test_retired_accelerators_are_replaced_with_a_warning(old, new):
    with pytest.warns(UserWarning, match=f"{old}.*{new}"):
        assert (
            nb_meta("me", "my-work", "My work", "nb.ipynb", machine_shape=old)["machine_shape"]
            == new
        )


def test_kaggles_own_client_takes_the_metadata(box, folder, id, title):
    meta = nb_meta(box.user, id, title, "nb.ipynb", competition="toy")
    (folder / "kernel-metadata.json").write_text(json.dumps(meta))
    answer = connect(box.url, user=box.user, key=box.key).kernels_push(str(folder))
    assert (
        answer.version_number == 1 and not answer.error and not answer.invalid_competition_sources
    )


def test_the_journal_has_the_push_and_no_key(push, box, tmp_path, handle):
    journal = Journal(tmp_path / "j.jsonl")
    push(journal=journal)
    [entry] = journal.entries()
    assert (entry.kind, entry.slug, entry.state, entry.ref, entry.before) == (
        "kernel",
        handle,
        "sent",
        1,
        (0,),
    ) and box.key not in journal.path.read_text()
    assert os.listdir(tmp_path / "fkp_home") == [] if (tmp_path / "fkp_home").exists() else True
