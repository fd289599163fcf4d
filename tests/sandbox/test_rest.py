"""The REST routes of kaggle before 1.8, asked exactly as those clients ask."""

import pytest
import requests

from ..bundles import answers
from .kernel_caller import wait


class RestClient:
    """Sends the requests of kaggle 1.6: a query or a form, with the account's key."""

    def __init__(self, box):
        self.url, self.session = f"{box.url}/api/v1", requests.Session()
        self.session.trust_env = False
        self.session.auth = (box.user, box.key)

    def get(self, path, **query):
        return self.session.get(self.url + path, params=query, timeout=20)

    def post(self, path, **sent):
        return self.session.post(self.url + path, timeout=20, **sent)


@pytest.fixture
def rest(box):
    return RestClient(box)


def test_competition_from_list_to_leaderboard(rest, bundles):
    listed = rest.get("/competitions/list", group="", category="", sortBy="latestDeadline", page=1)
    assert {c["title"] for c in listed.json()} == {"Toy", "Locked", "Closed", "Limited"}
    files = rest.get("/competitions/data/list/toy", pageToken="None", pageSize=20).json()["files"]
    assert {"train.csv", "images/a one.txt"} <= {f["name"] for f in files}
    one = rest.get("/competitions/data/download/toy/images%2Fa%20one.txt")
    assert one.content == b"first" and one.history[0].status_code == 302
    archive = rest.get("/competitions/data/download-all/toy")
    assert archive.content[:2] == b"PK" and archive.url.endswith(".zip")
    assert "Last-Modified" in archive.headers

    content = answers(wrong=4)
    opened = rest.post(
        f"/competitions/toy/submissions/url/{len(content)}/1700000000", data={"fileName": "a.csv"}
    ).json()
    assert "isComplete" not in opened  # kaggle 1.6 takes this for the form before 2019
    assert requests.put(opened["createUrl"], data=content, timeout=20).status_code == 200
    form = {"blobFileTokens": opened["token"], "submissionDescription": "erste ä"}
    sent = rest.post("/competitions/submissions/submit/toy", data=form)
    assert sent.json()["message"] == "Successfully submitted to Toy"

    def scored():
        return rest.get("/competitions/submissions/list/toy", page=1).json()[0]

    wait(lambda: scored()["status"] == "complete")
    assert scored()["description"] == "erste ä" and scored()["publicScore"] == "0.90000"
    board = rest.get("/competitions/toy/leaderboard/view").json()["submissions"]
    assert board[0]["teamName"] == "kaggler"
    assert rest.get("/competitions/toy/leaderboard/download").content[:2] == b"PK"


def test_submit_as_kaggle_1_7_does(rest):
    """It sends multipart forms to other addresses."""
    fields = {"competitionName": "toy", "fileName": "b.csv", "contentLength": len(answers())}
    form = {k: (None, str(v)) for k, v in fields.items()}
    opened = rest.post("/competitions/submission-url", files=form).json()
    requests.put(opened["createUrl"], data=answers(), timeout=20).raise_for_status()
    form = {"blobFileTokens": (None, opened["token"]), "submissionDescription": (None, "zwölf")}
    sent = rest.post("/competitions/submissions/submit/toy", files=form).json()
    found = rest.post(f"/competitions/submissions/get/{sent['ref']}", json={}).json()
    assert found["description"] == "zwölf" and found["fileName"] == "b.csv"


def test_datasets(rest):
    facts = {"type": "dataset", "name": "rows.csv", "contentLength": 8}
    opened = rest.post("/blobs/upload", json={**facts, "lastModifiedEpochSeconds": 1}).json()
    requests.put(opened["createUrl"], data=b"a,b\n1,2\n", timeout=20).raise_for_status()
    new = {"ownerSlug": "kaggler", "slug": "my-data", "title": "My data", "licenseName": "CC0-1.0"}
    files = [{"token": opened["token"], "description": None}]
    body = {**new, "isPrivate": "true", "files": files, "convertToCsv": "false"}
    assert rest.post("/datasets/create/new", json=body).json()["status"] == "ok"
    wait(lambda: rest.get("/datasets/status/kaggler/my-data").json() == "ready")
    (listed,) = rest.get("/datasets/list", group="my", filetype="csv", page=1).json()
    assert listed["isPrivate"] is True and listed["versions"] == [] and listed["voteCount"] == 0
    assert rest.get("/datasets/list", group="my", filetype="json").json() == []
    files = rest.get("/datasets/list/kaggler/my-data", datasetVersionNumber="").json()
    assert files["datasetFiles"][0]["name"] == "rows.csv" and files["errorMessage"] == ""
    assert rest.get("/datasets/download/kaggler/my-data/rows.csv").content == b"a,b\n1,2\n"
    settings = {"title": "New title", "licenses": [{"name": "CC0-1.0"}]}
    assert rest.post("/datasets/metadata/kaggler/my-data", json=settings).json()["errors"] == []
    info = rest.get("/datasets/metadata/kaggler/my-data").json()["info"]
    assert info["title"] == "New title"


def test_kernels(rest):
    body = {
        "slug": "kaggler/my-kernel",
        "newTitle": "My kernel",
        "text": "open('written.txt', 'w').write('done')",
        "language": "python",
        "kernelType": "script",
        **dict.fromkeys(("isPrivate", "enableInternet"), "true"),  # as kaggle 1.7 writes flags
        **dict.fromkeys(("enableGpu", "enableTpu"), False),
        "competitionDataSources": ["toy"],
    }
    pushed = rest.post("/kernels/push", json=body).json()
    assert pushed["versionNumber"] == 1 and not pushed["error"]
    named = {"userName": "kaggler", "kernelSlug": "my-kernel"}
    wait(lambda: rest.get("/kernels/status", **named).json()["status"] == "complete")
    small = {k.lower(): v for k, v in named.items()}  # as kaggle 1.7 writes names
    assert rest.get("/kernels/status", **small).json()["failureMessage"] is None
    (file,) = rest.get("/kernels/output", **small).json()["files"]
    assert requests.get(file["url"], timeout=20).text == "done"
    assert rest.get("/kernels/pull", **named).json()["blob"]["source"] == body["text"]
    query = {"group": "profile", "sortBy": "dateCreated", "language": "all", "pageSize": 20}
    assert [k["ref"] for k in rest.get("/kernels/list", **query).json()] == ["kaggler/my-kernel"]


def test_models(rest):
    opened = rest.post("/blobs/upload", json={"type": "model", "name": "w.bin", "contentLength": 1})
    requests.put(opened.json()["createUrl"], data=b"w", timeout=20).raise_for_status()
    new = {"ownerSlug": "kaggler", "slug": "my-net", "title": "My net", "isPrivate": False}
    assert rest.post("/models/create/new", json=new).json()["ref"] == "kaggler/my-net"
    body = {
        "instanceSlug": "small",
        "framework": "pyTorch",
        "licenseName": "MIT",
        "files": [{"token": opened.json()["token"]}],
    }
    made = rest.post("/models/kaggler/my-net/create/instance", json=body).json()
    assert not made.get("error"), made
    variation = "/models/kaggler/my-net/pyTorch/small"
    wait(lambda: rest.get(f"{variation}/1/files").status_code == 200)
    assert rest.get("/models/list", owner="kaggler").json()["models"][0]["ref"] == "kaggler/my-net"
    update = {"title": "Net 2", "isPrivate": False, "updateMask": {"paths": ["title"]}}
    rest.post("/models/kaggler/my-net/update", json=update).raise_for_status()
    assert rest.get("/models/kaggler/my-net/get").json()["title"] == "Net 2"
    assert rest.get(f"{variation}/1/download/w.bin").content == b"w"


def test_refusals_are_those_of_the_rpc_methods(rest):
    locked = rest.get("/competitions/data/download-all/locked")
    assert locked.status_code == 403 and "must accept this competition's rules" in locked.text
    assert rest.get("/competitions/data/list/nope").status_code == 403
    assert rest.get("/datasets/status/kaggler/nothing").status_code == 404
    rest.session.auth = ("kaggler", "wrong")
    assert rest.get("/competitions/list").status_code == 401


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff", b"nan-sense"])
def test_a_broken_body_is_refused(rest, content):
    answer = rest.post(
        "/datasets/create/new", data=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400 and answer.json()["code"] == 400
    form = rest.post(
        "/competitions/submission-url",
        data=content,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert form.status_code in (400, 403)


def test_faults_reach_the_rest_routes(rest, box):
    box.faults.set("429:CreateSubmission:nth=1")
    sent = rest.post("/competitions/submissions/submit/toy", data={"blobFileTokens": "x"})
    assert sent.status_code == 429 and sent.json()["code"] == 429
    box.faults.set("truncate-silently:ListDataFiles:nth=1")
    with pytest.raises(ValueError):
        rest.get("/competitions/data/list/toy").json()
    box.faults.set("drop-before:ListDataFiles:nth=1")
    with pytest.raises(requests.ConnectionError):
        rest.get("/competitions/data/list/toy")
    assert rest.get("/competitions/data/list/toy").status_code == 200
