"""The search over competitions, datasets, kernels, models, topics and users."""

import csv
import io

import pytest
import requests

from .kernel_caller import KernelCaller

SEARCH = "search.SearchApiService"


@pytest.fixture
def seeded(call):
    """A sandbox with one object of each kind whose name holds "toy"."""
    KernelCaller(call).push("print(1)", "Toy kernel", kernelExecutionType="QUICK_SAVE")
    model = {"ownerSlug": "kaggler", "slug": "toy-net", "title": "Toy net", "isPrivate": True}
    call("CreateModel", service="models.ModelApiService", **model).raise_for_status()
    dataset = {"slug": "toy-data", "title": "Toy data", "isPrivate": True}
    service = "datasets.DatasetApiService"
    blob = {"type": "DATASET", "name": "a.csv", "contentLength": 1}
    opened = call("StartBlobUpload", service="blobs.BlobApiService", **blob).json()
    requests.put(opened["createUrl"], data=b"a", timeout=20).raise_for_status()
    files = [{"token": opened["token"]}]
    made = call("CreateDataset", service=service, **dataset, files=files).json()
    assert made["status"] == "ok", made
    return call


def search(call, *, page=(), **filters) -> dict:
    answer = call("ListEntities", service=SEARCH, filters=filters, **dict(page))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_by_the_command_line(kaggle, seeded):
    done = kaggle("search", "toy", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {r["type"]: r["ref"] for r in csv.DictReader(io.StringIO(done.stdout))}
    assert found.pop("discussion").isdecimal()
    assert found == {
        "competition": "toy",
        "dataset": "kaggler/toy-data",
        "notebook": "kaggler/toy-kernel",
        "model": "kaggler/toy-net",
    }
    assert "No matches" in kaggle("search", "zebra").stdout


def test_filters_and_pages(seeded):
    kinds = [d["documentType"] for d in search(seeded, query="toy")["documents"]]
    assert kinds == ["COMPETITION", "DATASET", "KERNEL", "MODEL", "TOPIC"]
    mine = search(seeded, query="toy", listType="API_LIST_TYPE_YOUR_WORK")
    assert {d["documentType"] for d in mine["documents"]} == {"DATASET", "KERNEL", "MODEL"}
    models = search(seeded, query="TOY", documentTypes=["MODEL", "BLOG"])["documents"]
    assert [d["slug"] for d in models] == ["toy-net"] and models[0]["isPrivate"]
    public = search(seeded, query="toy", privacy="PUBLIC")["documents"]
    assert {d["documentType"] for d in public} == {"COMPETITION", "TOPIC"}
    (user,) = search(seeded, query="kaggler", documentTypes=["USER"])["documents"]
    assert user["slug"] == "kaggler"
    first = search(seeded, query="toy", page={"pageSize": 2})
    assert first["totalDocuments"] == 5 and len(first["documents"]) == 2
    rest = search(seeded, query="toy", page={"pageToken": first["nextPageToken"]})
    assert len(rest["documents"]) == 3 and not rest["nextPageToken"]
