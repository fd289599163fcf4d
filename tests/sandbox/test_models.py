"""Models: variations in versions, made and fetched by the unmodified clients and by raw calls."""

import io
import json
import tarfile
import time

import pytest
import requests

from fastkaggle_plus.sandbox import running
from fastkaggle_plus.sandbox.datasets import DatasetService
from fastkaggle_plus.sandbox.models import ModelService
from fastkaggle_plus.sandbox.state import State
from fastkaggle_plus.sandbox.transfers import Transfers
from fastkaggle_plus.sandbox.versions import Versions

from .conftest import Caller

OF = {"ownerSlug": "kaggler", "modelSlug": "my-net"}
SMALL = {**OF, "framework": "MODEL_FRAMEWORK_PY_TORCH", "instanceSlug": "small"}


class Models:
    """Speaks to the model service directly."""

    def __init__(self, box):
        self._call = Caller(box)

    def __call__(self, method, **fields):
        return self._call(method, service="models.ModelApiService", **fields)

    def upload(self, name, content=b"x"):
        opened = self._call(
            "StartBlobUpload",
            service="blobs.BlobApiService",
            type="MODEL",
            name=name,
            contentLength=len(content),
        ).json()
        assert requests.put(opened["createUrl"], data=content, timeout=20).status_code == 200
        return {"token": opened["token"]}

    def create(self, **contents):
        assert (
            "error"
            not in self(
                "CreateModel", ownerSlug="kaggler", slug="my-net", title="My net", isPrivate=True
            ).json()
        )
        files = [
            self.upload(n.replace("_", "."), c)
            for n, c in (contents or {"w_bin": b"weights"}).items()
        ]
        body = {
            "instanceSlug": "small",
            "framework": SMALL["framework"],
            "files": files,
            "licenseName": "MIT",
            "overview": "a net",
        }
        return self("CreateModelInstance", **OF, body=body).json()

    def version(self, content=b"better"):
        return self(
            "CreateModelInstanceVersion",
            **SMALL,
            body={"versionNotes": "better", "files": [self.upload("w.bin", content)]},
        ).json()

    def settled(self, number=1):
        deadline = time.monotonic() + 20
        while (
            self("GetModelInstance", **SMALL).json()["versionNumber"] != number or not self.names()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def names(self, **fields):
        return [
            f["name"]
            for f in self("ListModelInstanceVersionFiles", **SMALL, **fields)
            .json()
            .get("files", [])
        ]

    def fetch(self, **fields):
        answer = self("DownloadModelInstanceVersion", **SMALL, **fields)
        assert answer.status_code == 302, answer.text
        return requests.get(answer.headers["location"], timeout=20).content


@pytest.fixture
def models(box):
    return Models(box)


def test_a_variation_has_versions(models):
    made = models.create()
    assert (
        made["ref"] == "kaggler/my-net/pytorch/small"
        and made["id"]
        and made["url"].endswith(made["ref"])
    )
    models.settled()
    again = models(
        "CreateModelInstance",
        **OF,
        body={"instanceSlug": "small", "framework": "PY_TORCH", "files": [models.upload("v.bin")]},
    ).json()
    assert again["errorCode"] == 409 and "already exists" in again["error"]
    assert models.version()["ref"].endswith("small/2")
    models.settled(2)
    assert (
        models.fetch(versionNumber=2, path="w.bin") == b"better"
        and models.fetch(versionNumber=1, path="w.bin") == b"weights"
    )
    with tarfile.open(fileobj=io.BytesIO(models.fetch(versionNumber=2)), mode="r:gz") as t:
        assert t.getnames() == ["w.bin"] and t.extractfile("w.bin").read() == b"better"
    assert models("DownloadModelInstanceVersion", **SMALL, versionNumber=3).status_code == 404
    assert (
        models("DownloadModelInstanceVersion", **SMALL, versionNumber=1, path="no.bin").status_code
        == 404
    )
    facts = models("GetModelInstance", **SMALL).json()
    assert (facts["framework"], facts["licenseName"], facts["totalUncompressedBytes"]) == (
        SMALL["framework"],
        "MIT",
        6,
    )
    versions = models("ListModelInstanceVersions", **SMALL).json()["versionList"]["versions"]
    assert [(v["versionNumber"], v["variationSlug"], v["modelTitle"]) for v in versions] == [
        (2, "small", "My net"),
        (1, "small", "My net"),
    ]
    assert models("DeleteModelInstanceVersion", **SMALL, versionNumber=1).json() == {}
    assert models("DownloadModelInstanceVersion", **SMALL, versionNumber=1).status_code == 404
    assert models.version(b"third")["ref"].endswith("small/3")
    models.settled(3)
    assert models("DeleteModelInstanceVersion", **SMALL, versionNumber=3).json() == {}
    assert models.version(b"fourth")["ref"].endswith(
        "small/4"
    )  # the number of a deleted version is not given again
    models.settled(4)
    assert models("DeleteModelInstanceVersion", **SMALL, versionNumber=4).json() == {}
    assert (
        "only version"
        in models("DeleteModelInstanceVersion", **SMALL, versionNumber=2).json()["error"]
    )


def test_models_are_listed_changed_and_deleted(models):
    models.create()
    assert models("ListModels").json()["models"] == []  # a private one is its owner's affair
    listed = models("ListModels", owner="kaggler", search="NET").json()
    assert [m["ref"] for m in listed["models"]] == ["kaggler/my-net"] and listed[
        "totalResults"
    ] == 1
    assert models(
        "UpdateModel",
        **OF,
        title="Renamed",
        description="not in the mask",
        updateMask="title,isPrivate",
    ).json()["id"]
    model = models("GetModel", **OF).json()
    assert (model["title"], model["description"], model["isPrivate"]) == ("Renamed", "", False)
    assert [m["ref"] for m in models("ListModels").json()["models"]] == ["kaggler/my-net"]
    base = {
        "baseModelInstance": "google/gemma/pyTorch/2b",
        "updateMask": "fineTunable,baseModelInstance",
    }
    assert models("UpdateModelInstance", **SMALL, fineTunable=True, **base).json()["id"]
    facts = models("ListModelInstances", **OF).json()["instances"][0]
    assert (
        facts["fineTunable"]
        and facts["overview"] == "a net"
        and facts["baseModelInstanceInformation"]["framework"] == "MODEL_FRAMEWORK_PY_TORCH"
    )
    assert (
        models("DeleteModelInstance", **SMALL).json() == {}
        and models("GetModelInstance", **SMALL).status_code == 404
    )
    assert models("DeleteModel", **OF).json() == {} and models("GetModel", **OF).status_code == 404


def test_refusals_of_models(models):
    assert models("GetModel", ownerSlug="someone", modelSlug="net").status_code == 403
    assert models("CreateModel", ownerSlug="someone", slug="net", title="Net").status_code == 403
    assert models("CreateModelInstance", **OF, body={}).status_code == 404
    assert (
        "letters"
        in models("CreateModel", ownerSlug="kaggler", slug="../up", title="Up").json()["error"]
    )
    assert "title" in models("CreateModel", ownerSlug="kaggler", slug="up").json()["error"]
    models.create()
    assert (
        models("CreateModel", ownerSlug="kaggler", slug="my-net", title="My net").json()[
            "errorCode"
        ]
        == 409
    )
    assert models("GetModelInstance", **{**SMALL, "framework": "TORCHED"}).status_code == 400
    assert (
        "letters"
        in models(
            "CreateModelInstance", **OF, body={"instanceSlug": "../x", "framework": "JAX"}
        ).json()["error"]
    )
    assert (
        "no files"
        in models(
            "CreateModelInstance", **OF, body={"instanceSlug": "x", "framework": "JAX"}
        ).json()["error"]
    )
    assert (
        "unknown"
        in models("CreateModelInstanceVersion", **SMALL, body={"files": [{"token": "?"}]}).json()[
            "error"
        ]
    )


def test_folders_are_found_by_handle(tmp_path):
    state = State(tmp_path / "state")
    versions, transfers = Versions(state, delay_s=0), Transfers(state, "secret")
    datasets, models = (
        DatasetService(versions, transfers, "me"),
        ModelService(versions, transfers, "me"),
    )
    try:
        for kind, handle in (("datasets", "me/my-data"), ("models", "me/net/pytorch/small")):
            for number in (1, 2):
                state.insert(
                    "uploads",
                    token=f"{kind}{number}",
                    file_name="a.txt",
                    size=1,
                    purpose="",
                    done=1,
                )
                state.blob(f"{kind}{number}").write_text(str(number))
                files, item = {"files": [{"token": f"{kind}{number}"}]}, versions.item(kind, handle)
                versions.add(item, files) if item else versions.create(
                    kind, handle, {}, files=files
                )
        deadline = time.monotonic() + 20
        while not datasets.folder("me/my-data/2") or not models.folder("me/net/PyTorch/small/2"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert (
            (datasets.folder("me/my-data") / "a.txt").read_text()
            == (datasets.folder("me/my-data/2") / "a.txt").read_text()
            == "2"
        )
        assert (
            (datasets.folder("me/my-data/1") / "a.txt").read_text()
            == (models.folder("me/net/pyTorch/small/1") / "a.txt").read_text()
            == "1"
        )
        assert models.folder("me/net/PyTorch/small").name == "2"
        for wrong in (
            "me/my-data/3",
            "me/my-data/x",
            "me/nothing",
            "me",
            "",
            "me/net/pytorch/small",
        ):
            assert datasets.folder(wrong) is None
        assert models.folder("me/net/pytorch") is None and models.folder("me/net/jax/small") is None
    finally:
        versions.close()
        state.close()


def test_models_survive_a_restart(bundles, tmp_path):
    with running(bundles, state=tmp_path / "state") as box:
        Models(box).create()
    with running(bundles, state=tmp_path / "state") as box:
        models = Models(box)
        models.settled()
        assert models.fetch(versionNumber=1, path="w.bin") == b"weights"


def test_kagglehub_uploads_and_downloads(kaggle):
    for name, n in (("few", 3), ("many", 60)):
        (kaggle.home / name / "sub").mkdir(parents=True)
        for i in range(n):
            (kaggle.home / name / f"sub/{i}.bin").write_text(str(i))
    code = """
import kagglehub, pathlib, time
for name in ("few", "few", "many"):
    handle = f"kaggler/from-hub/pyTorch/{name}"
    kagglehub.model_upload(handle, name, license_name="MIT", version_notes="x")
    time.sleep(1)
for name in ("few", "many"):
    folder = pathlib.Path(kagglehub.model_download(f"kaggler/from-hub/pyTorch/{name}"))
    print(name, folder.name, len(list(folder.rglob("*.bin"))), (folder / "sub/1.bin").read_text())
old = kagglehub.model_download("kaggler/from-hub/pyTorch/few/1", path="sub/2.bin")
print(pathlib.Path(old).read_text())
"""
    done = kaggle(code, module="python")
    assert "few 2 3 1" in done.stdout and "many 1 60 1" in done.stdout, done.stdout + done.stderr


def test_cli_from_create_to_download(kaggle, models):
    folder = kaggle.home / "net"
    folder.mkdir()
    (folder / "model-metadata.json").write_text(
        json.dumps(
            {
                **{"ownerSlug": "kaggler", "slug": "my-net", "title": "My net"},
                "subtitle": "s",
                "isPrivate": True,
                "description": "d",
                "publishTime": "",
                "provenanceSources": "",
            }
        )
    )
    assert "Your model was created" in kaggle("models", "create", "-p", "net").stdout
    facts = {
        **OF,
        "instanceSlug": "small",
        "framework": "pyTorch",
        "licenseName": "Apache 2.0",
        "overview": "o",
        "usage": "u",
        "fineTunable": False,
        "trainingData": [],
        "modelInstanceType": "Unspecified",
        "baseModelInstance": "",
        "externalBaseModelUrl": "",
    }
    (folder / "model-instance-metadata.json").write_text(json.dumps(facts))
    (folder / "w.bin").write_text("weights")
    handle = "kaggler/my-net/pyTorch/small"
    assert "was created" in kaggle("models", "instances", "create", "-p", "net").stdout
    models.settled()
    assert "w.bin" in kaggle("models", "instances", "files", handle).stdout
    (folder / "w.bin").write_text("better")
    assert (
        "version was created"
        in kaggle(
            "models", "instances", "versions", "create", handle, "-p", "net", "-n", "second"
        ).stdout
    )
    models.settled(2)
    assert "w.bin" in kaggle("models", "instances", "versions", "files", f"{handle}/2").stdout
    assert (
        kaggle(
            "models", "instances", "versions", "download", f"{handle}/2", "-p", "got", "--untar"
        ).returncode
        == 0
    )
    assert (kaggle.home / "got/w.bin").read_text() == "better"
    assert "My net" in kaggle("models", "get", "kaggler/my-net").stdout
    assert "my-net" in kaggle("models", "list", "--owner", "kaggler").stdout
    assert "Apache 2.0" in kaggle("models", "instances", "get", handle).stdout
    assert "small" in kaggle("models", "instances", "versions", "list", handle).stdout


def test_a_file_reaches_the_inbox(kaggle, tmp_path):
    (kaggle.home / "note.txt").write_text("hello")
    done = kaggle("files", "upload", "-i", "notes", "note.txt")
    assert "Inbox file created" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "state/inbox/notes/note.txt").read_text() == "hello"
