"""Datasets: create, version, process and fetch them, with real clients and with raw calls."""

import io
import json
import stat
import tarfile
import time
import zipfile

import pytest
import requests

from fastkaggle_plus.sandbox import running

from .conftest import Caller

SERVICE = "datasets.DatasetApiService"


class Datasets:
    """Speaks to the dataset service directly."""

    def __init__(self, box):
        self.box, self._call = box, Caller(box)

    def __call__(self, method, dataset="", **fields):
        of = {"ownerSlug": "kaggler", "datasetSlug": dataset} if dataset else {}
        return self._call(method, service=SERVICE, **of, **fields)

    def upload(self, name, content=b"x"):
        opened = self._call(
            "StartBlobUpload",
            service="blobs.BlobApiService",
            type="DATASET",
            name=name,
            contentLength=len(content),
        ).json()
        assert (
            requests.put(opened["createUrl"], data=content or iter([]), timeout=20).status_code
            == 200
        )
        return {"token": opened["token"]}

    def create(self, slug="my-data", contents=None, **more):
        sent = [self.upload(n, c) for n, c in (contents or {"a.csv": b"x,y\n1,2\n"}).items()]
        fields = {
            "ownerSlug": "kaggler",
            "slug": slug,
            "title": slug,
            "licenseName": "CC0-1.0",
            "isPrivate": True,
            "files": sent,
            **more,
        }
        return self("CreateDataset", **fields).json()

    def version(self, slug="my-data", contents=None, **body):
        sent = [self.upload(n, c) for n, c in (contents or {"a.csv": b"x,y\n3,4\n"}).items()]
        return self(
            "CreateDatasetVersion", slug, body={"versionNotes": "next", "files": sent, **body}
        ).json()

    def settled(self, slug="my-data"):
        """Wait until processing has come to an end."""
        deadline = time.monotonic() + 20
        while (status := self("GetDatasetStatus", slug).json()["status"]) not in (
            "READY",
            "FAILED",
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return status

    def names(self, slug="my-data", **fields):
        return [f["name"] for f in self("ListDatasetFiles", slug, **fields).json()["datasetFiles"]]

    def fetch(self, slug="my-data", **fields):
        answer = self("DownloadDataset", slug, **fields)
        assert answer.status_code == 302, answer.text
        return requests.get(answer.headers["location"], timeout=20).content


@pytest.fixture
def data(box):
    return Datasets(box)


@pytest.fixture
def unchanged(shared_box):
    """The datasets of a shared sandbox, for requests that create nothing."""
    return Datasets(shared_box)


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in files.items():
            z.writestr(name, content)
    return out.getvalue()


def test_a_dataset_is_processed_a_moment_later_and_served_by_version(data, box):
    box.faults.set("slow-processing=0.3")
    made = data.create(
        contents={"a.csv": b"x,y\n1,2\n", "empty.txt": b""},
        description="about it",
        categoryIds=["tabular"],
    )
    assert made == {
        "ref": "kaggler/my-data",
        "url": "https://www.kaggle.com/datasets/kaggler/my-data",
        "status": "ok",
        "invalidTags": [],
    }
    assert data("GetDatasetStatus", "my-data").json()["status"] == "BLOBS_RECEIVED"
    assert data.names() == [] and data("DownloadDataset", "my-data").status_code == 404
    assert data.settled() == "READY" and data.names() == ["a.csv", "empty.txt"]
    assert data.version()["status"] == "ok"
    facts = data("GetDataset", "my-data").json()
    assert facts["currentVersionNumber"] == 1 and [v["status"] for v in facts["versions"]] == [
        "BLOBS_RECEIVED",
        "READY",
    ]
    assert data.settled() == "READY" and data.names() == ["a.csv"]
    facts = data("GetDataset", "my-data").json()
    assert (
        facts["currentVersionNumber"],
        facts["isPrivate"],
        facts["totalBytes"],
        facts["description"],
    ) == (2, True, 8, "about it")
    assert [t["name"] for t in facts["tags"]] == ["tabular"] and facts["versions"][0][
        "versionNotes"
    ] == "next"
    assert (
        data.fetch(fileName="a.csv") == b"x,y\n3,4\n"
        and data.fetch(fileName="a.csv", datasetVersionNumber=1) == b"x,y\n1,2\n"
    )
    with zipfile.ZipFile(io.BytesIO(data.fetch(datasetVersionNumber=1))) as z:
        assert sorted(z.namelist()) == ["a.csv", "empty.txt"] and z.testzip() is None
    assert data("DownloadDataset", "my-data", datasetVersionNumber=7).status_code == 404
    assert data("DownloadDataset", "my-data", fileName="b.csv").status_code == 404
    assert data("GetDataset", "my-data").json()["downloadCount"] == 3


def test_folders_archives_and_trees(data):
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as t:
        info = tarfile.TarInfo("deep/x.txt")
        info.size = 2
        t.addfile(info, io.BytesIO(b"hi"))
    folders = [
        {
            "name": "k",
            "files": [data.upload("k.txt")],
            "directories": [{"name": "l", "files": [data.upload("l.txt")]}],
        }
    ]
    data.create(
        contents={
            "sub.zip": zipped(**{"one.txt": "1", "two/three.txt": "3"}),
            "more.tar.gz": inner.getvalue(),
            "not.zip": b"no archive",
        },
        directories=folders,
    )
    assert data.settled() == "READY"
    assert data.names() == [
        "k/k.txt",
        "k/l/l.txt",
        "more/deep/x.txt",
        "not.zip",
        "sub/one.txt",
        "sub/two/three.txt",
    ]
    assert (
        data.fetch(fileName="sub/two/three.txt") == b"3"
        and data.fetch(fileName="more/deep/x.txt") == b"hi"
    )
    top = data("ListTreeDatasetFiles", "my-data").json()
    assert [d["name"] for d in top["directories"]] == ["k", "more", "sub"] and [
        f["name"] for f in top["files"]
    ] == ["not.zip"]
    inside = data("ListTreeDatasetFiles", "my-data", path="sub").json()
    assert [d["relativeUrl"] for d in inside["directories"]] == ["sub/two"] and [
        f["relativeUrl"] for f in inside["files"]
    ] == ["sub/one.txt"]
    assert data("ListTreeDatasetFiles", "my-data", path="nowhere").status_code == 404
    kinds = data("GetDatasetFilesSummary", "my-data").json()["fileSummaryInfo"]
    assert (
        kinds["totalFileCount"] == 6
        and {"extension": ".txt", "fileCount": 5, "totalSize": 6} in kinds["fileTypes"]
    )
    first = data("ListDatasetFiles", "my-data", pageSize=4).json()
    assert len(first["datasetFiles"]) == 4 and data.names(pageToken=first["nextPageToken"]) == [
        "sub/one.txt",
        "sub/two/three.txt",
    ]


def link():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        z.writestr(info, "/etc/passwd")
    return out.getvalue()


def tar_link():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        t.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.zip", zipped(**{"../out.txt": "x"}), "outside"),
        ("a.zip", zipped(**{"/tmp/out.txt": "x"}), "outside"),
        ("a.zip", link(), "is a link"),
        ("a.tar", tar_link(), "neither a file nor a folder"),
        ("a.zip", zipped(big="0" * 5000), "more than 1000 bytes"),
    ],
)
def test_unsafe_archives_are_refused(data, tmp_path, monkeypatch, name, content, words):
    monkeypatch.setattr("fastkaggle_plus.sandbox.archives.LIMIT_BYTES", 1000)
    data.create(contents={name: content})
    assert data.settled() == "FAILED"
    assert words in data("ListDatasetFiles", "my-data").json()["errorMessage"]
    assert not list(tmp_path.rglob("out.txt")) and not list(
        (tmp_path / "state/datasets").rglob("*.part")
    )
    assert (
        data.version(contents={"fine.csv": b"x"})["status"] == "ok"
        and data.settled() == "READY"
        and data.names() == ["fine.csv"]
    )


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"slug": "short"}, "slug must be between 6 and 50"),
        ({"title": "t" * 51}, "title must be between 6 and 50"),
        ({"subtitle": "too short"}, "20 and 80"),
        ({"slug": "../../../up"}, "letters, digits and hyphens"),
        ({"title": "INSERT_TITLE_HERE"}, "Default title"),
        ({"files": []}, "There are no files"),
        ({"files": [{"token": "unknown"}]}, "unknown"),
        ({"directories": [{"name": "..", "files": []}]}, "cannot be the name"),
    ],
)
def test_a_refused_request_creates_nothing(unchanged, fields, words):
    answer = unchanged.create(**fields)
    assert answer["status"] == "error" and words in answer["error"]
    assert unchanged("GetDatasetStatus", fields.get("slug", "my-data")).status_code == 404


def test_taken_names_used_tokens_and_missing_datasets(data):
    data.create()
    assert "already in use" in data.create()["error"]
    assert "already in use" in data.create("other-slug", title="my-data")["error"]
    token = data.upload("b.csv")
    assert data("CreateDatasetVersion", "my-data", body={"files": [token]}).json()["status"] == "ok"
    assert (
        "used before"
        in data("CreateDatasetVersion", "my-data", body={"files": [token]}).json()["error"]
    )
    assert "used before" in data.create("second-data", None, files=[token])["error"]
    assert (
        "was used before"
        in data(
            "CreateDataset",
            slug="second-data",
            title="second-data",
            files=[dict(two := data.upload("c")), two],
        ).json()["error"]
    )
    for method in (
        "GetDataset",
        "GetDatasetStatus",
        "ListDatasetFiles",
        "DownloadDataset",
        "DeleteDataset",
        "GetDatasetMetadata",
    ):
        assert data(method, "nothing").status_code == 404
        assert data(method, ownerSlug="someone", datasetSlug="nothing").status_code == 403
    assert data("CreateDatasetVersion", "nothing", body={}).status_code == 404
    assert (
        data(
            "CreateDataset", ownerSlug="someone", slug="their-data", title="their-data", files=[]
        ).status_code
        == 403
    )
    assert data("CreateDatasetVersionById", id=99, body={}).status_code == 404


def test_lists(data):
    for i in range(3):
        data.create(f"private-{i}")
    data.create("public-one", isPrivate=False, subtitle="a subtitle of enough letters")
    for slug in ("private-0", "private-1", "private-2", "public-one"):
        data.settled(slug)

    def listed(**fields):
        return sorted(
            d["ref"].split("/")[1] for d in data("ListDatasets", **fields).json()["datasets"]
        )

    assert listed() == listed(group="DATASET_SELECTION_GROUP_MY_PUBLIC") == ["public-one"]
    assert listed(group="DATASET_SELECTION_GROUP_MY") == [
        "private-0",
        "private-1",
        "private-2",
        "public-one",
    ]
    assert listed(group="DATASET_SELECTION_GROUP_MY_PRIVATE", search="E-1") == ["private-1"]
    assert (
        listed(group="DATASET_SELECTION_GROUP_USER", user="kaggler", search="SUBTITLE")
        == ["public-one"]
        and listed(user="someone") == []
    )
    assert (
        listed(minSize=9)
        == listed(fileType="DATASET_FILE_TYPE_GROUP_JSON")
        == listed(license="DATASET_LICENSE_GROUP_GPL")
        == []
    )
    assert (
        listed(maxSize=8)
        == listed(fileType="DATASET_FILE_TYPE_GROUP_CSV")
        == listed(license="DATASET_LICENSE_GROUP_CC")
        == ["public-one"]
    )
    pages = [
        data("ListDatasets", group="DATASET_SELECTION_GROUP_MY", pageSize=3, page=n).json()
        for n in (1, 2)
    ]
    assert [len(p["datasets"]) for p in pages] == [3, 1] and pages[1]["nextPageToken"] == ""


def test_metadata_is_read_and_changed(data):
    token = {
        **data.upload("a.csv"),
        "description": "the table",
        "columns": [{"name": "x", "description": "a number"}],
    }
    data.create(contents={"b.csv": b"x"}, directories=[{"name": "d", "files": [token]}])
    data.settled()
    info = data("GetDatasetMetadata", "my-data").json()["info"]
    assert (info["ownerUser"], info["datasetSlug"], info["isPrivate"], info["licenses"]) == (
        "kaggler",
        "my-data",
        True,
        [{"name": "CC0-1.0"}],
    )
    assert info["data"] == [{"name": "d/a.csv", "description": "the table", "totalBytes": 1}]
    cover = {"token": data.upload("cover.png", b"picture")["token"]}
    settings = {
        "title": "A better title",
        "subtitle": "a subtitle of enough letters",
        "isPrivate": False,
        "keywords": ["image"],
        "licenses": [{"name": "MIT"}],
    }
    assert data(
        "UpdateDatasetMetadata", "my-data", settings={**settings, "image": cover}
    ).json() == {"errors": []}
    info = data("GetDatasetMetadata", "my-data").json()["info"]
    assert {k: info[k] for k in settings} == settings
    facts = data("GetDataset", "my-data").json()
    assert (
        facts["licenseName"] == "MIT"
        and requests.get(facts["thumbnailImageUrl"], timeout=20).content == b"picture"
    )
    errors = data(
        "UpdateDatasetMetadata",
        "my-data",
        settings={
            "title": "no",
            "subtitle": "no",
            "image": cover,
            "licenses": [{"name": "a"}, {"name": "b"}],
        },
    )
    assert (
        len(errors.json()["errors"]) == 4
        and data("GetDataset", "my-data").json()["title"] == "A better title"
    )


def test_two_files_of_one_name_fail(data):
    folders = [{"name": "sub", "files": [data.upload("one.txt")]}]
    data.create(contents={"sub.zip": zipped(**{"one.txt": "1"})}, directories=folders)
    assert (
        data.settled() == "FAILED"
        and "Two files are called" in data("ListDatasetFiles", "my-data").json()["errorMessage"]
    )
    same = [data.upload("a.csv"), data.upload("a.csv")]
    assert (
        "Two files are called a.csv"
        in data("CreateDataset", slug="other-data", title="other-data", files=same).json()["error"]
    )


def test_old_versions_and_datasets_can_be_deleted(data, tmp_path):
    data.create()
    number = data("GetDataset", "my-data").json()["id"]
    data.settled()
    body = {"files": [data.upload("c.csv")], "deleteOldVersions": True}
    assert data("CreateDatasetVersionById", id=number, body=body).json()["status"] == "ok"
    data.settled()
    deadline = time.monotonic() + 20
    while len(data("GetDataset", "my-data").json()["versions"]) > 1:
        assert time.monotonic() < deadline
    assert data(
        "ListDatasetFiles", "my-data", datasetVersionNumber=1
    ).status_code == 404 and data.names() == ["c.csv"]
    assert (
        data("DeleteDataset", "my-data").json() == {}
        and data("GetDatasetStatus", "my-data").status_code == 404
    )
    assert not list((tmp_path / "state/datasets").rglob("*.csv"))
    assert data.create()["status"] == "ok"


def test_datasets_survive_a_restart_and_the_name_stays_taken(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as box:
        data = Datasets(box)
        data.create(
            contents={"sub.zip": zipped(**{"one.txt": "1"})}
        )  # not ready when the sandbox stops
    with running(bundles, state=tmp_path / "state") as box:
        data = Datasets(box)
        assert data.settled() == "READY" and data.names() == ["sub/one.txt"]
        assert "already in use" in data.create()["error"]


def test_cli_from_create_to_delete(kaggle, data):
    folder = kaggle.home / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "train.csv").write_text("x,y\n1,2\n")
    (folder / "sub/deep.txt").write_text("deep")
    meta = {
        "title": "My first data",
        "id": "kaggler/my-first-data",
        "licenses": [{"name": "CC0-1.0"}],
        "subtitle": "a subtitle of enough letters",
        "resources": [
            {
                "path": "train.csv",
                "description": "the rows",
                "schema": {"fields": [{"name": "x", "type": "numeric"}]},
            }
        ],
    }
    (folder / "dataset-metadata.json").write_text(json.dumps(meta))
    assert "being created" in kaggle("datasets", "create", "-p", str(folder), "-r", "zip").stdout
    assert data.settled("my-first-data") == "READY"
    assert "ready" in kaggle("datasets", "status", "kaggler/my-first-data").stdout
    assert (
        json.loads(
            kaggle("datasets", "status", "kaggler/my-first-data", "--format", "json").stdout
        )["current_version_number"]
        == 1
    )
    assert "already in use" in kaggle("datasets", "create", "-p", str(folder)).stdout
    assert "sub/deep.txt" in kaggle("datasets", "files", "kaggler/my-first-data").stdout
    assert (
        "my-first-data" in kaggle("datasets", "list", "-m").stdout
        and "my-first-data" not in kaggle("datasets", "list").stdout
    )
    (folder / "train.csv").write_text("x,y\n1,2\n3,4\n")
    assert (
        "being created"
        in kaggle("datasets", "version", "-p", str(folder), "-m", "more rows", "-r", "zip").stdout
    )
    assert data.settled("my-first-data") == "READY"
    assert (
        kaggle("datasets", "download", "kaggler/my-first-data", "-p", "all", "--unzip").returncode
        == 0
    )
    assert (kaggle.home / "all/train.csv").read_text() == "x,y\n1,2\n3,4\n" and (
        kaggle.home / "all/sub/deep.txt"
    ).read_text() == "deep"
    assert (
        kaggle(
            "datasets", "download", "kaggler/my-first-data/1", "-f", "train.csv", "-p", "one"
        ).returncode
        == 0
    )
    assert (kaggle.home / "one/train.csv").read_text() == "x,y\n1,2\n"
    assert kaggle("datasets", "metadata", "kaggler/my-first-data", "-p", "meta").returncode == 0
    written = kaggle.home / "meta/dataset-metadata.json"
    info = json.loads(written.read_text())["info"]
    assert info["title"] == "My first data" and info["data"][0]["description"] == "the rows"
    written.write_text(json.dumps({"info": {**info, "title": "My renamed data"}}))
    assert (
        "successfully updated"
        in kaggle("datasets", "metadata", "kaggler/my-first-data", "-p", "meta", "--update").stdout
    )
    assert data("GetDataset", "my-first-data").json()["title"] == "My renamed data"
    assert (
        "deleted successfully" in kaggle("datasets", "delete", "kaggler/my-first-data", "-y").stdout
    )
    assert kaggle("datasets", "status", "kaggler/my-first-data").returncode != 0


def test_kagglehub_uploads_and_downloads(kaggle, data):
    few, many = kaggle.home / "few/sub", kaggle.home / "many/sub"
    for folder, n in ((few, 2), (many, 60)):
        folder.mkdir(parents=True)
        (folder.parent / "top.txt").write_text("top")
        for i in range(n):
            (folder / f"{i}.txt").write_text(str(i))
    code = """
import kagglehub, pathlib, sys, time
for name in ("few", "many"):
    kagglehub.dataset_upload(f"kaggler/from-hub-{name}", name, version_notes="first")
time.sleep(1)
kagglehub.dataset_upload("kaggler/from-hub-few", "few", version_notes="second")
time.sleep(1)
for name in ("few", "many"):
    folder = pathlib.Path(kagglehub.dataset_download(f"kaggler/from-hub-{name}"))
    print(name, folder.name, len(list(folder.rglob("*.txt"))), (folder / "sub/1.txt").read_text())
old = kagglehub.dataset_download("kaggler/from-hub-few/versions/1", path="sub/0.txt")
print(pathlib.Path(old).read_text())
"""
    done = kaggle(code, module="python")
    assert "few 2 3 1" in done.stdout and "many 1 61 1" in done.stdout, done.stderr
    assert data("GetDataset", "from-hub-few").json()["isPrivate"]


def test_fastkaggle_makes_gets_and_pushes(kaggle, data):
    code = """
import fastkaggle, pathlib, shutil
fastkaggle.mk_dataset("made", "made-by-fastkaggle")
exists = fastkaggle.check_ds_exists
print(exists("kaggler/made-by-fastkaggle"), exists("kaggler/not-there"))
pathlib.Path("made/new.txt").write_text("new")
fastkaggle.push_dataset("made", "second")
import time; time.sleep(1)
fastkaggle.get_dataset("got", "kaggler/made-by-fastkaggle")
print(sorted(p.name for p in pathlib.Path("got").iterdir()))
"""
    done = kaggle(code, module="python")
    assert (
        "True False" in done.stdout
        and "['dataset-metadata.json', 'empty.txt', 'new.txt']" in done.stdout
    ), done.stdout + done.stderr
    assert not data("GetDataset", "made-by-fastkaggle").json()[
        "isPrivate"
    ]  # public, as upstream makes it


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ["six", "or", "more", "things", "in", "it"]},
        {"subtitle": list(range(30))},
        {"categoryIds": [{"a": 1}]},
        {"description": {}},
        {"files": "text"},
        {"files": [{"token": ["a"]}]},
        {"directories": [{"name": 3}]},
        {"ownerSlug": 3},
    ],
)
def test_fields_of_a_wrong_type_are_refused_and_create_nothing(unchanged, fields):
    sent = {
        "ownerSlug": "kaggler",
        "slug": "my-data",
        "title": "my-data",
        "files": [unchanged.upload("a.csv")],
        **fields,
    }
    answer = unchanged("CreateDataset", **sent)
    assert answer.status_code == 400 and answer.json()["code"] == 400
    assert unchanged("ListDatasets", group="DATASET_SELECTION_GROUP_MY").json()["datasets"] == []
