"""Faults on demand: each kind as a raw client sees it, set at the start, in a test or by HTTP."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
import requests

from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.sandbox import faults, running
from fastkaggle_plus.sandbox.faults import Faults, parse_fault

from ..bundles import answers
from .conftest import Caller
from .kernel_caller import SERVICE as KERNELS
from .test_datasets import Datasets

LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def link(call, name="train.csv"):
    return call("DownloadDataFile", competitionName="toy", fileName=name).headers["location"]


def listing(call):
    return call("ListCompetitions")


@pytest.mark.parametrize(
    "shape, body",
    [
        ("rpc", {"code": 429, "message": "Too many requests"}),
        (
            "gateway",
            {
                "error": {
                    "code": 429,
                    "message": "Too many requests",
                    "status": "RESOURCE_EXHAUSTED",
                }
            },
        ),
    ],
)
def test_429_in_both_shapes_from_the_nth_request_on(box, call, shape, body):
    box.faults.set(f"429:ListCompetitions:nth=2,times=2,retry_after=1,shape={shape}")
    box.faults.set("429:GetCompetition")
    seen = [listing(call) for _ in range(4)]
    assert [a.status_code for a in seen] == [200, 429, 429, 200]
    assert seen[1].headers["retry-after"] == "1" and seen[1].json() == body
    assert "retry-after" not in call("GetCompetition", competitionName="toy").headers
    assert call("GetCompetition", competitionName="toy").status_code == 200


def test_5xx_before_and_after_processing(box, call):
    for spec in (
        "500:ListCompetitions",
        "502:ListCompetitions:shape=html",
        "503:ListCompetitions:retry_after=0",
        "504:ListCompetitions",
    ):
        box.faults.set(spec)
    seen = [listing(call) for _ in range(5)]
    assert [a.status_code for a in seen] == [500, 502, 503, 504, 200] and "<h1>502" in seen[1].text
    for spec, count in (("503:CreateSubmission", 0), ("503:CreateSubmission:after", 1)):
        box.faults.set(spec)
        with pytest.raises(AssertionError, match="503"):
            call.submit(answers())
        assert len(call("ListSubmissions", competitionName="toy").json()["submissions"]) == count


@pytest.mark.parametrize("kind, count", [("drop-before", 0), ("drop-after", 1)])
def test_dropped_answers_before_and_after_processing(box, call, kind, count):
    box.faults.set(f"{kind}:CreateSubmission")
    with pytest.raises(LOST):
        call.submit(answers())
    assert len(call("ListSubmissions", competitionName="toy").json()["submissions"]) == count
    call.submit(answers())


def test_a_dropped_upload_can_be_resumed(box, call):
    content = answers()
    opened = call(
        "StartSubmissionUpload", competitionName="toy", fileName="a.csv", contentLength=len(content)
    ).json()
    box.faults.set("drop-before:upload")
    with pytest.raises(LOST):
        requests.put(opened["createUrl"], data=content, timeout=20)
    assert requests.put(opened["createUrl"], data=content, timeout=20).status_code == 200


def test_a_download_cut_with_its_full_length_announced(box, call, bundles):
    whole, url = (bundles / "toy/files/train.csv").read_bytes(), link(call)
    box.faults.set("truncate")
    parts = urlsplit(url)
    raw = http.client.HTTPConnection(parts.netloc, timeout=20)
    raw.request("GET", parts.path)
    answer = raw.getresponse()
    assert int(answer.headers["content-length"]) == len(whole)
    with pytest.raises(http.client.IncompleteRead) as e:
        answer.read()
    assert e.value.partial == whole[: len(whole) // 2]
    assert (
        requests.get(url, headers={"Range": f"bytes={len(whole) // 2}-"}, timeout=20).content
        == whole[len(whole) // 2 :]
    )


def test_a_large_download_is_cut_at_the_given_byte(bundles, tmp_path):
    (bundles / "toy/files/big.bin").write_bytes(os.urandom(3 << 20))
    with running(
        bundles, state=tmp_path / "state", faults=["truncate:download:at=2500000,path=big.bin"]
    ) as box:
        call = Caller(box)
        assert requests.get(link(call), timeout=20).status_code == 200  # another file
        with requests.get(link(call, "big.bin"), stream=True, timeout=20) as answer:
            assert len(answer.raw.read(2_500_000)) == 2_500_000
            with pytest.raises(Exception, match=r"IncompleteRead|Connection broken"):
                answer.raw.read()


def test_changed_bodies_that_look_whole(box, call, bundles):
    whole, url = (bundles / "toy/files/train.csv").read_bytes(), link(call)
    for spec in ("truncate-silently:download:at=10", "truncate-silently:no_md5", "corrupt:times=2"):
        box.faults.set(spec)
    first, second, third, fourth, fifth = [requests.get(url, timeout=20) for _ in range(5)]
    assert (
        first.content == whole[:10]
        and first.headers["content-length"] == "10"
        and "x-goog-hash" in first.headers
    )
    assert second.content == whole[: len(whole) // 2] and "x-goog-hash" not in second.headers
    assert (
        len(third.content) == len(whole)
        and [a != b for a, b in zip(third.content, whole, strict=True)].count(True) == 1
    )
    assert fourth.content == third.content and fifth.content == whole


def test_delay(box, call):
    box.faults.set("delay:ListCompetitions:seconds=1.5")
    with pytest.raises(requests.Timeout):
        call.session.post(
            f"{box.url}/v1/competitions.CompetitionApiService/ListCompetitions",
            json={},
            timeout=0.3,
        )
    box.faults.set("delay:ListCompetitions:seconds=0.01")
    assert listing(call).status_code == 200


def test_an_expired_upload_session_stays_expired(box, call):
    opened = call(
        "StartBlobUpload",
        service="blobs.BlobApiService",
        type="DATASET",
        name="a.bin",
        contentLength=4,
    ).json()
    box.faults.set("expired-upload:nth=2")
    assert (
        requests.put(
            opened["createUrl"], data=b"ab", headers={"Content-Range": "bytes 0-1/4"}, timeout=20
        ).status_code
        == 308
    )
    for _ in range(2):
        assert (
            requests.put(
                opened["createUrl"], headers={"Content-Range": "bytes */4"}, timeout=20
            ).status_code
            == 404
        )
    again = call(
        "StartBlobUpload",
        service="blobs.BlobApiService",
        type="DATASET",
        name="a.bin",
        contentLength=4,
    ).json()
    assert requests.put(again["createUrl"], data=b"abcd", timeout=20).status_code == 200


def test_slow_scoring_and_a_kernel_that_dies(box, call):
    assert not box.faults.take_hook("kernel-dies") and box.faults.seconds("slow-scoring") == 0
    box.faults.set("slow-scoring=30")
    box.faults.set("kernel-dies")
    assert box.faults.take_hook("kernel-dies") and box.faults.seconds("slow-scoring") == 30
    ref = call.submit(answers())
    for _ in range(5):
        assert call("GetSubmission", ref=ref).json()["status"] == "PENDING"
        time.sleep(0.05)


def test_a_slow_submission_is_scored_after_a_restart(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state", faults=["slow-scoring=60"]) as box:
        ref = Caller(box).submit(answers())
    with running(bundles, state=tmp_path / "state") as box:
        assert Caller(box).scored(ref)["publicScore"] == "1.00000"


@pytest.mark.parametrize(
    "spec, near",
    [
        ("drop-befor:CreateSubmission", "drop-before"),
        ("429:CreateSubmision", "CreateSubmission"),
        ("429:CreateSubmission:tmes=2", "times"),
        ("429:*:shape=gatway", "gateway"),
        ("slow-scorin=3", "slow-scoring"),
        ("kernel-dies:nht=2", "nth"),
        ("false-cancel:path=x", "nth"),
        ("truncate:downlod", "download"),
        ("503:Creat?*x", "Create*"),
        ("200", "Known"),
    ],
)
def test_an_error_suggests_the_nearest_known_name(box, spec, near):
    with pytest.raises(UnknownName, match="Unknown") as e:
        box.faults.set(spec)
    assert near in str(e.value)


@pytest.mark.parametrize(
    "spec",
    [
        "429:*:nth=0",
        "429:*:times=-1",
        "delay:*:seconds=x",
        "slow-scoring=soon",
        "kernel-dies:nth=0",
        "kernel-dies:nth=2:at=3",
        "429:*:nth=1:x",
        "429:*:after=perhaps",
        "delay:*:seconds=inf",
        "corrupt:at=1.5",
    ],
)
def test_a_bad_value_is_named(spec):
    with pytest.raises(ConfigError, match="fault"):
        parse_fault(spec)


def test_each_fault_counts_its_requests():
    faults = Faults(["503:*:nth=3,times=always", "429:*:times=1"])
    assert [f and f.kind for f in (faults.take("POST", "/v1/s/A") for _ in range(4))] == [
        "429",
        None,
        "503",
        "503",
    ]
    assert (
        faults.take("GET", "/transfer/x/1/y/a.csv").kind == "503"
        and faults.take("HEAD", "/transfer/x/1/y/a.csv") is None
    )


def test_a_hook_happens_always_or_at_the_nth_time():
    def happens(spec: str) -> list[bool]:
        faults = Faults([spec])
        return [faults.take_hook(spec.partition(":")[0]) is not None for _ in range(4)]

    assert happens("false-cancel") == [True] * 4
    assert happens("kernel-dies:nth=2") == [False, True, False, False]
    assert happens("kernel-dies:nth=2,times=always") == [False, True, True, True]
    assert happens("kernel-dies:times=2") == [True, True, False, False]
    assert Faults(["kernel-dies=3:at=5"]).take_hook("kernel-dies").at == 5


def test_a_wrong_fault_stops_the_start(bundles, tmp_path):
    with (
        pytest.raises(UnknownName, match="ListCompetitions"),
        running(bundles, state=tmp_path / "state", faults=["429:ListCompetition"]),
    ):
        pass
    with running(bundles, state=tmp_path / "state"):  # and nothing is left locked
        pass


def test_the_endpoint_sets_lists_and_clears(box, call):
    url = f"{box.url}/sandbox/faults"
    assert requests.get(url, timeout=20).status_code == 401
    assert (
        requests.post(url, json={"spec": "503"}, auth=(box.user, "wrong"), timeout=20).status_code
        == 401
    )
    set_ = call.session.post(
        url, json={"spec": "503:ListCompetitions:times=always"}, timeout=20
    ).json()
    assert set_ == {
        "faults": [
            {
                "spec": "503:ListCompetitions:times=always",
                "kind": "503",
                "where": "ListCompetitions",
                "seen": 0,
                "done": 0,
            }
        ]
    }
    assert listing(call).status_code == listing(call).status_code == 503
    assert call.session.get(url, timeout=20).json()["faults"][0]["done"] == 2
    for wrong in ({"spec": "drop-befor"}, {"spec": 3}, ["503"], {}):
        answer = call.session.post(url, json=wrong, timeout=20)
        assert (
            answer.status_code == 400 and answer.json()["code"] == 400 and answer.json()["message"]
        )
    assert call.session.put(url, timeout=20).status_code == 405
    assert (
        call.session.delete(url, timeout=20).json() == {"faults": []}
        and listing(call).status_code == 200
    )


def test_faults_that_the_kaggle_client_does_not_handle(kaggle, box):
    box.faults.set("429:ListCompetitions:shape=gateway")
    assert kaggle("competitions", "list").returncode != 0
    assert kaggle("competitions", "list").returncode == 0
    box.faults.set("corrupt")
    assert (
        kaggle("competitions", "download", "toy", "-f", "test.csv").returncode == 0
    )  # accepted: it checks the size only


def test_how_clients_handle_damaged_downloads(kaggle, box, bundles):
    box.faults.set("truncate:download:path=train.csv")
    assert (
        kaggle("competitions", "download", "toy", "-f", "train.csv").returncode == 0
    )  # resumed by the client
    assert (kaggle.home / "train.csv").read_bytes() == (
        bundles / "toy/files/train.csv"
    ).read_bytes()
    box.faults.set("corrupt:download:path=test.csv")
    done = kaggle(
        "import kagglehub; kagglehub.competition_download('toy', path='test.csv')", module="python"
    )
    assert "DataCorruptionError" in done.stderr


def test_every_example_in_the_docstring_is_valid():
    examples = re.findall(r"^ {4}(\S.*?)(?: {3,}.*)?$", faults.__doc__, re.M)
    specs = [s for line in examples for s in re.split(r", (?=\w+-)| {2}", line)]
    assert len(specs) == 16 and {parse_fault(s).kind for s in specs} > {
        "429",
        "503",
        "delay",
        "kernel-dies",
        "expired-upload",
    }


def test_killed_between_upload_and_ready(bundles, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "fastkaggle_plus",
        "sandbox",
        "serve",
        "--data",
        str(bundles),
        "--state",
        str(tmp_path / "state"),
        "--port",
        str(port),
        "--user",
        "kaggler",
        "--key",
        "k",
        "--fault",
        "slow-processing=60",
        "--fault",
        "503:GetCompetition",
        "--gpu-hours",
        "0.5",
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        server.stdout.readline()

        class Box:
            url, user, key = f"http://127.0.0.1:{port}", "kaggler", "k"

        data = Datasets(Box)
        deadline = time.monotonic() + 20
        while True:
            try:
                assert data._call("GetCompetition", competitionName="toy").status_code == 503
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        hours = Caller(Box)("GetAcceleratorQuotaStatistics", service=KERNELS).json()
        assert hours["gpuQuota"]["totalTimeAllowed"] == "1800.000s"
        assert (
            data.create()["status"] == "ok"
            and data("GetDatasetStatus", "my-data").json()["status"] == "BLOBS_RECEIVED"
        )
        assert (
            data.names() == [] and data("DownloadDataset", "my-data").status_code == 404
        )  # half a dataset is not visible
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        server.stdout.close()
    with running(bundles, state=tmp_path / "state") as box:
        data = Datasets(box)
        assert data.settled() == "READY" and data.fetch(fileName="a.csv") == b"x,y\n1,2\n"


def test_the_kaggle_client_makes_a_dataset_whose_answer_is_lost(kaggle, box):
    folder = kaggle.home / "mine"
    folder.mkdir()
    (folder / "a.csv").write_text("x\n1\n")
    (folder / "dataset-metadata.json").write_text(
        '{"title": "my-data", "id": "kaggler/my-data", "licenses": [{"name": "CC0-1.0"}]}'
    )
    box.faults.set("drop-after:CreateDataset")
    done = kaggle("datasets", "create", "-p", "mine")
    assert (
        "already in use" in done.stdout and done.returncode == 0
    )  # its own retry meets what its first call made
    data = Datasets(box)
    assert data.settled() == "READY" and data.names() == ["a.csv"]
    assert box.faults.listed()[0].done == 1
