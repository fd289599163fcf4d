"""Requests that no client should send: a refusal in JSON, and no damage."""

import gzip
import io
import socket
import zipfile

import pytest
import requests

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sandbox import running

from ..bundles import answers, make_bundle
from .conftest import Caller
from .test_transfers import open_upload, put


@pytest.fixture
def box(shared_box):
    return shared_box


@pytest.mark.parametrize(
    "method, fields",
    [
        ("GetSubmission", {"ref": [1]}),
        ("GetSubmission", {"ref": {}}),
        ("GetSubmission", {"ref": 2**70}),
        ("CreateSubmission", {"blobFileTokens": ["a"]}),
        ("StartSubmissionUpload", {"fileName": "a", "contentLength": 2**70}),
        ("StartSubmissionUpload", {"fileName": "a", "contentLength": -5}),
        ("ListCompetitions", {"pageSize": "many"}),
        ("ListCompetitions", {"pageToken": "-3"}),
    ],
)
def test_fields_of_a_wrong_type_are_refused_in_json(call, method, fields):
    answer = call(method, competitionName="toy", **fields)
    assert answer.status_code in (400, 404) and answer.json()["code"] == answer.status_code


def test_null_is_the_default(call):
    assert len(call("ListCompetitions", search=None, pageToken=None).json()["competitions"]) == 4


def test_a_deep_body_and_odd_links_are_refused(call):
    deep = call.session.post(
        f"{call.box.url}/api/v1/competitions.CompetitionApiService/ListCompetitions",
        data=b"[" * 100_000,
        timeout=20,
    )
    assert deep.status_code == 400 and deep.json()["code"] == 400
    for link in (
        "/transfer/x/99999999999/%C3%A9/a.csv",
        f"/transfer/x/{'9' * 5000}/00/a.csv",
        "/transfer/x/soon/00/a.csv",
    ):
        assert requests.get(call.box.url + link, timeout=20).json()["code"] == 403


def test_a_complete_upload_cannot_be_changed(call):
    content = answers()
    opened = call(
        "StartSubmissionUpload", competitionName="toy", fileName="a.csv", contentLength=len(content)
    ).json()
    assert put(opened["createUrl"], content).status_code == 200
    host, port = call.box.url.removeprefix("http://").split(":")
    with socket.create_connection(
        (host, int(port)), timeout=10
    ) as cut:  # the same again, as after a lost answer, and cut short
        head = (
            f"PUT {opened['createUrl'].removeprefix(call.box.url)} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        cut.sendall(head.encode() + content[:50])
    assert put(opened["createUrl"], b"zzz").status_code == 200
    ref = call("CreateSubmission", competitionName="toy", blobFileTokens=opened["token"]).json()[
        "ref"
    ]
    assert call.scored(ref)["publicScore"] == "1.00000"
    assert (
        requests.get(
            call("DownloadSubmission", submissionId=ref).headers["location"], timeout=20
        ).content
        == content
    )


@pytest.mark.parametrize(
    "said, n", [("bytes 0-19/20", 20), ("bytes 0-4/10", 10), ("bytes 0-9/11", 10), ("nonsense", 10)]
)
def test_a_content_range_that_does_not_fit(call, said, n):
    url = open_upload(call, 10)
    assert put(url, b"x" * n, Content_Range=said).status_code == 400
    assert put(url, Content_Range="bytes */10").status_code == 308


def test_a_token_is_for_its_competition(call):
    content = answers()
    opened = call(
        "StartSubmissionUpload", competitionName="toy", fileName="a.csv", contentLength=len(content)
    ).json()
    put(opened["createUrl"], content)
    assert (
        call(
            "CreateSubmission", competitionName="limited", blobFileTokens=opened["token"]
        ).status_code
        == 400
    )


def test_an_invalid_range_gives_the_whole_file(call):
    link = call("DownloadDataFile", competitionName="toy", fileName="train.csv").headers["location"]
    answer = requests.get(link, headers={"Range": "bytes=5-3"}, timeout=20)
    assert answer.status_code == 200 and answer.content == requests.get(link, timeout=20).content


@pytest.mark.parametrize("cell", ["abc", "inf", "<NA>", "N/A", "7", "[1]", "True", "9" * 400])
def test_an_unknown_label_is_an_error(call, cell):
    found = call.scored(call.submit(answers().replace(b"\n5,1\n", f"\n5,{cell}\n".encode())))
    assert found["status"] == "ERROR" and "'5'" in found["errorDescription"], found


def graded(tmp_path, code):
    folder = make_bundle(tmp_path / "b", daily=50)
    (folder / "grade.py").write_text(code)
    make_bundle(tmp_path / "b", "other")
    return running(tmp_path / "b", state=tmp_path / "s")


@pytest.mark.parametrize(
    "code, words",
    [
        ("def grade(:", "SyntaxError.*line 1"),
        ("raise RuntimeError('no scipy')", "no scipy.*line 1"),
        ("grade = 3", "no function grade"),
    ],
)
def test_a_broken_grader_is_reported_at_the_start(tmp_path, code, words):
    with pytest.raises(ConfigError, match=rf"grade\.py.*{words}"), graded(tmp_path, code):
        pass


def test_a_failing_grader_does_not_stop_other_scores(tmp_path):
    code = """
import sys
higher_is_better = False
def grade(submission, solution):
    first = submission["y"].iloc[0]
    if first == 3:
        sys.exit(3)
    if first in (4, 5):
        return float("nan" if first == 4 else "inf")
    return float(abs(submission["y"] - solution["y"]).mean())
"""
    with graded(tmp_path, code) as box:
        call = Caller(box)
        assert call.scored(call.submit(answers(wrong=4)))["publicScore"] == "0.10000"
        for first in "345":
            found = call.scored(
                call.submit(answers().replace(b"\n0,0\n", f"\n0,{first}\n".encode()))
            )
            assert found["status"] == "ERROR" and found["errorDescription"]
        assert call.scored(call.submit(answers(), slug="other"))["publicScore"] == "1.00000"
        assert [
            r["teamName"]
            for r in call("GetLeaderboard", competitionName="toy").json()["submissions"]
        ] == ["kaggler", "sample submission"]


def test_the_order_of_private_scores_is_secret_before_the_end(call):
    refs = [call.submit(answers(wrong=w)) for w in (4, 0, 8)]
    for ref in refs:
        call.scored(ref)
    listed = call(
        "ListSubmissions", competitionName="toy", sortBy="SUBMISSION_SORT_BY_PRIVATE_SCORE"
    ).json()["submissions"]
    assert [s["ref"] for s in listed if s["ref"] in refs] == refs[::-1]  # by date


def test_packed_submissions(call, monkeypatch):
    mac = io.BytesIO()
    with zipfile.ZipFile(mac, "w") as z:
        z.writestr("mine.csv", answers())
        z.writestr("__MACOSX/._mine.csv", b"junk")
    assert call.scored(call.submit(mac.getvalue(), name="mine.zip"))["publicScore"] == "1.00000"
    monkeypatch.setattr("fastkaggle_plus.sandbox.submission_file._MAX_BYTES", 1 << 20)
    bomb = gzip.compress(b"id,y\n" + b"0,0\n" * (1 << 18))
    assert (
        "larger than 1 MB" in call.scored(call.submit(bomb, name="mine.csv.gz"))["errorDescription"]
    )


def test_competitions_are_listed_by_group_and_deadline(call):
    def listed(**fields):
        return [
            c["ref"].rsplit("/", 1)[1]
            for c in call("ListCompetitions", **fields).json()["competitions"]
        ]

    assert (
        "locked" not in listed(group="COMPETITION_LIST_TAB_ENTERED")
        and listed(group="COMPETITION_LIST_TAB_HOSTED") == []
    )
    assert (
        listed(sortBy="COMPETITION_SORT_BY_EARLIEST_DEADLINE")[0]
        == listed(sortBy="COMPETITION_SORT_BY_LATEST_DEADLINE")[-1]
        == "closed"
    )
    assert (
        listed(category="HOST_SEGMENT_FEATURED") == []
        and len(listed(category="HOST_SEGMENT_GETTING_STARTED")) == 4
    )


def test_a_folder_is_listed_in_pages(call):
    root = [
        call("ListDataTreeFiles", competitionName="toy", pageSize=2, pageToken=token).json()
        for token in ("", "2")
    ]
    assert [d["name"] for p in root for d in p["directories"]] == ["images"] and root[0][
        "directories"
    ][0]["totalChildren"] == 2
    assert [f["name"] for p in root for f in p["files"]] == [
        "sample_submission.csv",
        "test.csv",
        "train.csv",
    ] and root[1]["nextPageToken"] == ""


def test_revoked_tokens_and_damaged_credentials(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as box:
        call, service = Caller(box), "users.AccountService"
        fresh = call("GenerateAccessToken", service=service, refreshToken=box.token).json()["token"]
        call("ExpireApiToken", service=service, token=fresh)
    with running(bundles, state=tmp_path / "state") as box:
        hello = f"{box.url}/api/v1/api.v1.DiagnosticsService/Hello"
        assert (
            requests.post(
                hello, json={}, headers={"Authorization": f"Bearer {fresh}"}, timeout=20
            ).status_code
            == 401
        )
    (tmp_path / "state/credentials.json").write_text("")
    with running(bundles, state=tmp_path / "state") as box:
        assert Caller(box)("ListCompetitions").status_code == 200


def test_blobs(call):
    opened = call(
        "StartBlobUpload",
        service="blobs.BlobApiService",
        type="DATASET",
        name="a.csv",
        contentLength=3,
    ).json()
    assert put(opened["createUrl"], b"abc").status_code == 200 and opened["token"]
