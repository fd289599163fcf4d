"""Clients without an account read what is public, and nothing that is private or hidden."""

import base64

import pytest
import requests

from fastkaggle_plus.sandbox import running
from fastkaggle_plus.sandbox.competitions import CompetitionService
from fastkaggle_plus.sandbox.datasets import DatasetService
from fastkaggle_plus.sandbox.kernels.service import KernelService
from fastkaggle_plus.sandbox.models import ModelService

from .conftest import make_bundles
from .other_suites import Seeder

SERVICES = {
    "competitions.CompetitionApiService": CompetitionService,
    "datasets.DatasetApiService": DatasetService,
    "models.ModelApiService": ModelService,
    "kernels.KernelsApiService": KernelService,
}
ANYONE = {"KAGGLE_USERNAME": "", "KAGGLE_KEY": ""}
# The requests that name an object; the others list objects.
OBJECTS = {
    "datasets.DatasetApiService": {"ownerSlug": "kaggler", "datasetSlug": "secret-thing"},
    "models.ModelApiService": {
        "ownerSlug": "kaggler",
        "modelSlug": "secret-thing",
        "framework": "MODEL_FRAMEWORK_PY_TORCH",
        "instanceSlug": "small",
        "versionNumber": 1,
    },
    "kernels.KernelsApiService": {
        "ownerSlug": "kaggler",
        "userName": "kaggler",
        "kernelSlug": "secret-thing",
    },
}
LISTS = ("ListDatasets", "ListModels", "ListKernels", "ListCompetitionPages")


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    with running(make_bundles(folder / "bundles"), state=folder / "state") as server:
        make = Seeder(server)
        for name, is_private in (("open-thing", False), ("secret-thing", True)):
            files = {"a.csv": b"x,y\n1,2\n"}
            make.dataset(name, files, private=is_private)
            make.model(f"{name}/PY_TORCH/small", files, private=is_private)
            title = name.replace("-", " ").title()
            make.kernel(title, "open('a.csv', 'w').write('x,y')", private=is_private)
        yield server


def anonymous(box, service, method, **fields):
    url = f"{box.url}/api/v1/{service}/{method}"
    return requests.post(url, json=fields, allow_redirects=False, timeout=20)


def public_reads():
    """All (service, method) that need no credentials."""
    for name, service in SERVICES.items():
        for method in service.methods.fget(object.__new__(service)):
            call = service.method(object.__new__(service), method)
            if getattr(call, "is_public_read", False):
                yield name, method


def test_the_command_line_reads_a_public_dataset_without_an_account(kaggle):
    listed = kaggle("datasets", "files", "kaggler/open-thing", **ANYONE)
    assert listed.returncode == 0 and "a.csv" in listed.stdout, listed.stderr + listed.stdout
    done = kaggle("datasets", "download", "kaggler/open-thing", "--unzip", **ANYONE)
    assert done.returncode == 0 and (kaggle.home / "a.csv").read_bytes() == b"x,y\n1,2\n"
    refused = kaggle("datasets", "files", "kaggler/secret-thing", **ANYONE)
    assert refused.returncode != 0 and "a.csv" not in refused.stdout


def test_kagglehub_reads_public_objects_without_an_account(kaggle):
    code = """
import kagglehub, os
print(os.listdir(kagglehub.dataset_download("kaggler/open-thing")))
print(os.listdir(kagglehub.model_download("kaggler/open-thing/pyTorch/small")))
print(os.listdir(kagglehub.notebook_output_download("kaggler/open-thing")))
for get, handle in (
    (kagglehub.dataset_download, "kaggler/secret-thing"),
    (kagglehub.model_download, "kaggler/secret-thing/pyTorch/small"),
    (kagglehub.notebook_output_download, "kaggler/secret-thing"),
):
    try:
        get(handle)
    except Exception as e:
        print("refused", e.response.status_code)
"""
    done = kaggle(code, module="python", **ANYONE)
    assert done.stdout.count("['a.csv']") == 3 and done.stdout.count("refused 403") == 3, (
        done.stdout,
        done.stderr,
    )


def test_no_public_read_gives_a_private_object(box):
    seen = set()
    for service, method in public_reads():
        seen.add(method)
        if method in LISTS:
            for group in ("", "MY", "PROFILE", "DATASET_SELECTION_GROUP_MY_PRIVATE"):
                fields = {"group": group, "owner": "", "competitionName": "toy"}
                answer = anonymous(box, service, method, **fields)
                assert answer.status_code == 200 and "secret-thing" not in answer.text
        else:
            answer = anonymous(box, service, method, **OBJECTS[service])
            assert answer.status_code == 403, (method, answer.text)
            assert "a.csv" not in answer.text
    assert {"DownloadDataset", "DownloadModelInstanceVersion", "DownloadKernelOutput"} <= seen
    assert not any(m.startswith(("Create", "Update", "Delete", "Save", "Start")) for m in seen)


def test_the_owner_still_reads_what_is_private(box):
    make = Seeder(box)
    for service, of in OBJECTS.items():
        for name, method in public_reads():
            if name == service and method not in LISTS:
                assert make.call(method, service=service, **of).status_code in (200, 302), method


def test_wrong_credentials_are_refused_also_for_public_objects(box):
    url = f"{box.url}/api/v1/datasets.DatasetApiService/GetDataset"
    of = {"ownerSlug": "kaggler", "datasetSlug": "open-thing"}
    answer = requests.post(url, json=of, auth=("kaggler", "wrong"), timeout=20)
    assert answer.status_code == 401


def test_the_solution_is_never_served(box):
    make, toy = Seeder(box), {"competitionName": "toy"}
    for method in ("ListDataFiles", "ListDataTreeFiles", "ListCompetitionPages"):
        assert "solution" not in make.call(method, **toy).text
    assert (
        anonymous(box, "competitions.CompetitionApiService", "ListDataFiles", **toy).status_code
        == 401
    )
    link = make.call("DownloadDataFile", **toy, fileName="train.csv").headers["location"]
    ticket = link.split("/transfer/")[1].split("/")[0]
    file = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4)).decode()
    other = file.replace("files/train.csv", "solution.csv").encode()
    forged = link.replace(ticket, base64.urlsafe_b64encode(other).decode().rstrip("="))
    assert other != file.encode() and requests.get(link, timeout=20).status_code == 200
    assert requests.get(forged, timeout=20).status_code == 403
