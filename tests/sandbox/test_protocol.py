"""Protocol and safety: URL forms, paging, credentials, and no way off this machine."""

import json
import socket

import pytest
import requests

from fastkaggle_plus.exceptions import SandboxError
from fastkaggle_plus.sandbox import running


@pytest.fixture
def box(shared_box):
    return shared_box


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_both_prefixes(call, prefix):
    assert (
        call("GetCompetition", prefix=prefix, competitionName="toy").json()["userHasEntered"]
        is True
    )


def raw(box, first_line, *headers, body=b""):
    host, port = box.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(
            "\r\n".join(
                [first_line, *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
            ).encode()
            + body
        )
        out = b""
        while chunk := s.recv(65536):
            out += chunk
    return out.decode()


def test_absolute_targets_as_a_proxy_gets_them(call, box):
    token = f"Authorization: Bearer {box.token}"
    service, toy = (
        "POST http://localhost/api/v1/competitions.CompetitionApiService",
        b'{"competitionName": "toy"}',
    )
    answer = raw(box, f"{service}/GetCompetition HTTP/1.1", "Host: localhost", token, body=toy)
    assert answer.startswith("HTTP/1.1 200") and '"evaluationMetric":"accuracy"' in answer
    moved = raw(box, f"{service}/DownloadDataFiles HTTP/1.1", "Host: localhost", token, body=toy)
    assert (
        "location: http://localhost/transfer/" in moved.lower()
    )  # reached through the proxy again


@pytest.mark.parametrize(
    "line",
    [
        "GET http://example.com/ HTTP/1.1",
        "POST http://192.0.2.1/api/v1/x/y HTTP/1.1",
        "CONNECT api.kaggle.com:443 HTTP/1.1",
        "GET http://localhost.example.com/ HTTP/1.1",
        "GET http://user@example.com:80/ HTTP/1.1",
    ],
)
def test_it_fetches_from_no_other_host(box, line):
    assert raw(box, line, "Host: x").split()[1] in ("400", "403", "405")


def test_it_listens_on_loopback_only(box):
    port = int(box.url.rsplit(":", 1)[1])
    others = {
        info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    } - {"127.0.0.1"}
    for address in others:
        if not address.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=2)


def test_a_taken_port_is_an_error(box, bundles, tmp_path):
    with (
        pytest.raises(SandboxError, match="is not available"),
        running(bundles, state=tmp_path / "other", port=int(box.url.rsplit(":", 1)[1])),
    ):
        pass


@pytest.mark.parametrize("auth", [None, ("kaggler", "wrong"), ("nobody", "key")])
def test_every_method_needs_credentials(box, auth):
    for method in ("ListCompetitions", "DownloadDataFiles", "CreateSubmission", "NoSuchMethod"):
        answer = requests.post(
            f"{box.url}/api/v1/competitions.CompetitionApiService/{method}",
            json={},
            auth=auth,
            timeout=20,
        )
        assert answer.status_code == 401 and answer.json()["code"] == 401


def test_tokens(call, box):
    def introspect(token):
        return requests.post(
            f"{box.url}/api/v1/security.OAuthService/IntrospectToken",
            json={"token": token},
            timeout=20,
        ).json()

    assert introspect(box.token)["username"] == box.user and introspect("other") == {
        "active": False
    }
    assert call("Hello", service="api.v1.DiagnosticsService").json() == {"userName": box.user}
    fresh = call(
        "GenerateAccessToken", service="users.AccountService", refreshToken=box.token
    ).json()["token"]
    assert introspect(fresh)["active"]
    call("ExpireApiToken", service="users.AccountService", token=fresh)
    assert not introspect(fresh)["active"]


@pytest.mark.parametrize(
    "name",
    [
        "../solution.csv",
        "..%2fsolution.csv",
        "images/../../solution.csv",
        "/etc/passwd",
        "solution.csv",
        "competition.toml",
        "",
    ],
)
def test_only_the_files_are_served(call, name):
    answer = call("DownloadDataFile", competitionName="toy", fileName=name)
    assert answer.status_code == 404 and answer.json()["code"] == 404


def test_errors_are_json_with_an_integer_code(call, box):
    url = f"{box.url}/api/v1/competitions.CompetitionApiService/ListCompetitions"
    answers = [
        call.session.post(url, data=b"{not json", timeout=20),
        call.session.post(url, data=b"[1]", timeout=20),
        call("NoSuchMethod"),
        call("rpc_get_competition"),
        call("ListCompetitions", pageToken="x"),
        call("ListCompetitions", pageSize="many"),
        call("GetSubmission", ref=999),
        call("GetSubmission", ref="x"),
        call("ListDataFiles", competitionName=["toy"]),
        call.session.get(f"{box.url}/nowhere", timeout=20),
        call.session.get(url, timeout=20),
    ]
    for answer in answers:
        assert (
            (400 <= answer.status_code < 500 or answer.status_code == 501)
            and answer.json()["code"] == answer.status_code
            and answer.json()["message"]
        ), answer.text


def test_paging_reaches_everything_once(call):
    seen, token = [], ""
    while True:
        page = call("ListDataFiles", competitionName="toy", pageSize=2, pageToken=token).json()
        seen += [f["name"] for f in page["files"]]
        if not (token := page["nextPageToken"]):
            break
    assert seen == sorted(
        {"images/a one.txt", "images/b.txt", "sample_submission.csv", "test.csv", "train.csv"}
    )
    assert len(call("ListCompetitions", page=2, pageSize=3).json()["competitions"]) == 1
    entered = call("ListCompetitions", group="COMPETITION_LIST_TAB_ENTERED").json()["competitions"]
    assert len(entered) == 3 and [
        c["title"] for c in call("ListCompetitions", search="LOCK").json()["competitions"]
    ] == ["Locked"]


def test_folders(call):
    top = call("ListDataTreeFiles", competitionName="toy").json()
    assert [d["name"] for d in top["directories"]] == ["images"] and top["totalFiles"] == 3
    assert [
        f["name"]
        for f in call("ListDataTreeFiles", competitionName="toy", path="images").json()["files"]
    ] == ["a one.txt", "b.txt"]
    assert (
        call("GetCompetitionDataFilesSummary", competitionName="toy").json()["fileSummaryInfo"][
            "totalFileCount"
        ]
        == 5
    )


def test_fields_are_those_of_the_clients(call):
    from kagglesdk.competitions.types.competition_api_service import (
        ApiCompetition,
        ApiDataFile,
        ApiSubmission,
    )

    from ..bundles import answers

    def known(kind):
        return {f.json_name for f in kind._fields}

    call.scored(call.submit(answers()))
    assert set(call("GetCompetition", competitionName="toy").json()) <= known(ApiCompetition)
    assert set(call("ListDataFiles", competitionName="toy").json()["files"][0]) <= known(
        ApiDataFile
    )
    assert set(call("ListSubmissions", competitionName="toy").json()["submissions"][0]) <= known(
        ApiSubmission
    )


def test_no_error_contains_the_key(call, box):
    told = json.dumps([call("NoSuchMethod").text, call("GetSubmission", ref=999).text])
    assert box.key not in told and box.token not in told
