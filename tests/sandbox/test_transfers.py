"""Downloads by signed links with ranges, uploads in parts."""

import base64
import hashlib
from email.utils import parsedate_to_datetime

import pytest
import requests

from ..bundles import answers


@pytest.fixture
def link(call):
    answer = call("DownloadDataFile", competitionName="toy", fileName="train.csv")
    assert answer.status_code == 302
    return answer.headers["location"]


def get(url, **headers):
    return requests.get(url, headers=headers, timeout=20)


def test_a_link_needs_no_credentials_and_names_the_file(link, bundles):
    answer, content = get(link), (bundles / "toy/files/train.csv").read_bytes()
    assert answer.content == content and link.endswith("/train.csv")
    assert (
        answer.headers["x-goog-hash"]
        == "md5=" + base64.b64encode(hashlib.md5(content).digest()).decode()
    )
    assert answer.headers["last-modified"].endswith("GMT") and parsedate_to_datetime(
        answer.headers["last-modified"]
    )
    assert (
        answer.headers["accept-ranges"] == "bytes"
        and answer.headers["etag"].startswith('"')
        and int(answer.headers["content-length"]) == len(content)
    )
    head = requests.head(link, timeout=20)
    assert head.content == b"" and head.headers["content-length"] == str(len(content))


def test_ranges(link, bundles):
    whole = get(link)
    part = get(link, Range="bytes=100-")
    n = len(whole.content)
    assert (
        part.status_code == 206
        and part.content == whole.content[100:]
        and part.headers["content-range"] == f"bytes 100-{n - 1}/{n}"
    )
    assert get(link, Range="bytes=3-9").content == whole.content[3:10]
    for right in ("etag", "last-modified"):
        assert (
            get(link, **{"Range": "bytes=5-", "If-Range": whole.headers[right]}).status_code == 206
        )
    assert get(link, **{"Range": "bytes=5-", "If-Range": '"other"'}).content == whole.content
    assert get(link, Range="bytes=99999999-").status_code == 416


def test_forged_and_old_links_are_refused(link, call, monkeypatch):
    head, ticket, expires, signature, name = link.rsplit("/", 4)
    for forged in (
        f"{ticket}/{int(expires) + 1}/{signature}",
        f"{ticket}x/{expires}/{signature}",
        f"{ticket}/{expires}/{'0' * 64}",
    ):
        assert get(f"{head}/{forged}/{name}").status_code in (403, 404)
    monkeypatch.setattr("fastkaggle_plus.sandbox.transfers.LINK_LIFE_S", -10)
    old = call("DownloadDataFile", competitionName="toy", fileName="train.csv").headers["location"]
    assert get(old).status_code == 403 and get(old).json()["code"] == 403


def test_the_zip_is_made_once_and_again_when_files_change(call, bundles):
    def fetch():
        answer = call("DownloadDataFiles", competitionName="toy")
        assert answer.headers["location"].endswith(".zip")
        return get(answer.headers["location"]).content

    first = fetch()
    assert fetch() == first
    (bundles / "toy/files/train.csv").write_text("id,x,y\n1,2,0\n")
    assert fetch() != first


def open_upload(call, size):
    return call(
        "StartSubmissionUpload", competitionName="toy", fileName="a.csv", contentLength=size
    ).json()["createUrl"]


def put(url, data=b"", **headers):
    return requests.put(
        url, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()}, timeout=20
    )


def test_an_upload_in_parts(call):
    content = answers()
    url, n = open_upload(call, len(content)), len(content)
    asked = put(url, Content_Range=f"bytes */{n}")
    assert asked.status_code == 308 and "range" not in asked.headers
    assert put(url, content[:50], Content_Range=f"bytes 0-49/{n}").headers["range"] == "bytes=0-49"
    assert put(url, Content_Range=f"bytes */{n}").headers["range"] == "bytes=0-49"
    assert (
        put(url, content[90:], Content_Range=f"bytes 90-{n - 1}/{n}").headers["range"]
        == "bytes=0-49"
    )  # a gap is not filled by guessing
    assert put(url, content[50:], Content_Range=f"bytes 50-{n - 1}/{n}").status_code == 200
    assert put(url, Content_Range=f"bytes */{n}").status_code == 200


def test_uploads_that_do_not_fit(call):
    assert put(call.box.url + "/upload/unknown", b"x").status_code == 404
    url = open_upload(call, 10)
    assert put(url, b"short").status_code == 400
    assert put(url, b"x" * 5000).status_code == 400
    assert put(url, Content_Range="bytes */10").status_code == 308
    assert put(open_upload(call, 0), iter([])).status_code == 200  # an empty file comes chunked
