"""In a kernel every Kaggle client reaches the sandbox, and nothing reaches another machine."""

import json
import shutil

import pytest

from fastkaggle_plus.sandbox import running
from fastkaggle_plus.sandbox.kernels.isolation import supported_isolation
from fastkaggle_plus.sandbox.kernels.runs import GUARDED, KernelRuns

from .conftest import Caller, make_bundles
from .kernel_caller import KernelCaller, notebook
from .test_datasets import Datasets
from .test_models import Models

PLAIN = pytest.param(frozenset(), id="plain")
APART = pytest.param(
    None,
    id="apart",
    marks=pytest.mark.skipif(not supported_isolation(), reason="this system has no namespaces"),
)
DOWNLOADS = """
import json, os, kagglehub
def read(path):
    return {n: open(os.path.join(path, n)).read() for n in sorted(os.listdir(path))}
data = kagglehub.dataset_download("kaggler/my-data")
found = {
    "competition": kagglehub.competition_download("toy", "images/b.txt"),
    "dataset": data, "files": read(data),
    "old": read(kagglehub.dataset_download("kaggler/my-data/versions/1")),
    "model": read(kagglehub.model_download("kaggler/my-net/pyTorch/small")),
    "kernel": read(kagglehub.notebook_output_download("kaggler/first-kernel")),
}
try:
    open(os.path.join(data, "a.csv"), "w")
except OSError:
    found["dataset is"] = "read-only"
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=[APART, PLAIN])
def world(request, tmp_path_factory):
    """A sandbox with a dataset of two versions, a model and a kernel's output."""
    folder = tmp_path_factory.mktemp("world")
    patch = pytest.MonkeyPatch()
    if request.param is not None:
        patch.setattr(KernelRuns, "isolated", request.param)
    with running(make_bundles(folder / "bundles"), state=folder / "state") as box:
        datasets, models, kernels = Datasets(box), Models(box), KernelCaller(Caller(box))
        datasets.create(contents={"a.csv": b"first"})
        datasets.settled()
        datasets.version(contents={"a.csv": b"second"})
        datasets.settled()
        models.create(w_bin=b"weights")
        models.settled()
        kernels.run("open('made.txt', 'w').write('made')", "First kernel")
        kernels.isolated = supported_isolation() if request.param is None else request.param
        yield kernels
    patch.undo()


def log_of(kernels, code: str, title: str, *, status: str = "COMPLETE", **fields) -> str:
    found, log, _ = kernels.run(code, title, **fields)
    assert found == status, log
    return log.removeprefix(GUARDED)


@pytest.mark.parametrize("internet", [True, False])
def test_kagglehub_attaches_data_to_a_running_kernel(world, internet):
    log = log_of(world, DOWNLOADS, f"Downloads {internet}", enableInternet=internet)
    found = json.loads(log.splitlines()[-1])
    assert found["competition"].endswith("/input/competitions/toy/images/b.txt")
    assert found["dataset"].endswith("/input/datasets/kaggler/my-data")
    assert (found["files"], found["old"]) == ({"a.csv": "second"}, {"a.csv": "first"})
    assert (found["model"], found["kernel"]) == ({"w.bin": "weights"}, {"made.txt": "made"})
    assert "files" not in world.isolated or found["dataset is"] == "read-only"


def test_kagglehub_works_in_a_notebook(world):
    file = "kagglehub.dataset_download('kaggler/my-data', 'a.csv')"
    code = f"import kagglehub\nprint(open({file}).read())"
    assert "second\n" in log_of(world, notebook(code), "In a notebook", kind="notebook")


def test_refusals_name_the_reason(world):
    code = """
import json, os, kagglehub, requests
def error(call, *arguments):
    try: call(*arguments)
    except Exception as e: return f"{type(e).__name__}: {e}"
print(json.dumps([
    error(kagglehub.competition_download, "nothing"),
    error(kagglehub.competition_download, "locked"),
    error(kagglehub.dataset_download, "someone/private"),
    error(kagglehub.dataset_download, "kaggler/my-data/versions/9"),
    error(kagglehub.model_download, "kaggler/my-net/pyTorch/large"),
    error(kagglehub.notebook_output_download, "kaggler/none"),
]))
url = os.environ["KAGGLE_DATA_PROXY_URL"] + "/kaggle-jwt-handler/AttachDatasourceUsingJwtRequest"
body = {"datasetRef": {"OwnerSlug": "kaggler", "DatasetSlug": "my-data"}}
print(requests.post(url, json=body).status_code)
"""
    *_, answers, status = log_of(world, code, "Refusals").splitlines()
    expected = (
        "Permission 'competitions.get' was denied",
        "You must accept this competition's rules",
        "Permission 'datasets.get' was denied",
        "has no version 9",
        "was not found",
        "Permission 'kernels.get' was denied",
    )
    for answer, text in zip(json.loads(answers), expected, strict=True):
        assert answer.startswith("BackendError") and text in answer
    assert status == "401"


def test_api_clients_reach_the_sandbox(world):
    code = """
import os, subprocess
from kaggle import api
print("api", [f.name for f in api.competition_list_files("toy").files])
command = ["kaggle", "datasets", "files", "kaggler/my-data"]
done = subprocess.run(command, capture_output=True, text=True)
print("cli", done.stdout, done.stderr)
import fastkaggle
print("fastkaggle", fastkaggle.setup_comp("toy"), fastkaggle.import_kaggle() is not None)
from fastkaggle_plus import setup_comp, submit
print("ours", setup_comp("toy"), len(os.listdir(setup_comp("toy"))))
sent = submit(setup_comp("toy") / "sample_submission.csv", "from a kernel", "toy")
print("sent", sent.status, sent.public_score)
import kagglehub
open("new.txt", "w").write("x")
kagglehub.dataset_upload("kaggler/from-a-kernel", os.getcwd())
"""
    log = log_of(world, code, "Api clients", competitionDataSources=["toy"])
    for text in ("api ['images/a one.txt'", "cli name", "fastkaggle ../input/toy True", "sent"):
        assert text in log
    assert "ours /" in log or "ours .." in log
    assert Datasets(world.call.box).settled("from-a-kernel") == "READY"


def test_without_internet_the_api_is_refused_as_on_kaggle(world):
    code = "from kaggle import api; api.competition_list_files('toy')"
    log = log_of(world, code, "No api", status="ERROR", enableInternet=False)
    assert "The internet of this kernel is off, so it cannot call Kaggle's API." in log


@pytest.mark.parametrize("internet", [True, False])
def test_no_other_host_is_reached_and_the_log_says_why(world, internet):
    code = """
import requests, socket, subprocess, sys
def error(call):
    try: call(); return "REACHED"
    except Exception as e: return f"{type(e).__name__}: {e}"
print(error(lambda: requests.get("http://host.invalid").raise_for_status()))
print(error(lambda: socket.create_connection(("192.0.2.1", 80), timeout=1)))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(error(lambda: udp.sendto(b"x", ("192.0.2.1", 53))))
print(socket.getaddrinfo("localhost", 80)[0][4][1])
child = "import urllib.request; urllib.request.urlopen('https://host.invalid')"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stderr)
"""
    log = log_of(world, code, f"Elsewhere {internet}", enableInternet=internet)
    reason = "This rehearsal has no internet" if internet else "The internet of this kernel is off"
    assert log.count(reason) >= 2 and "REACHED" not in log and "\n80\n" in log


def test_other_programs_have_no_route_and_no_name_service(world):
    """Code that no guard sees: Python without its site, which ignores sitecustomize."""
    if "network" not in world.isolated:
        pytest.skip("this system has no network namespaces")
    child = (
        "import socket, os\\n"
        "for call in (lambda: socket.getaddrinfo('host.invalid', 80), "
        "lambda: socket.create_connection(('192.0.2.1', 80), timeout=2)):\\n"
        "    try: call(); print('REACHED')\\n"
        "    except OSError as e: print(type(e).__name__, e.strerror)\\n"
        "print([os.listdir(p) for p in ('/run/systemd', '/run/dbus', '/run/nscd') "
        "if os.path.isdir(p)])"
    )
    code = f'import subprocess, sys\nsubprocess.run([sys.executable, "-I", "-S", "-c", "{child}"])'
    log = log_of(world, code, "Without a guard")
    assert "REACHED" not in log and "gaierror" in log and "rehearsal" not in log
    assert not log.splitlines()[-1].strip("[], ")


def test_private_data_of_another_user_is_refused(tmp_path):
    bundles = make_bundles(tmp_path / "bundles")
    with running(bundles, state=tmp_path / "state", user="alice") as box:
        datasets = Datasets(box)
        datasets.create(ownerSlug="alice", slug="secret-data", title="Secret data")
        public = dict(ownerSlug="alice", slug="shared-data", title="Shared data", isPrivate=False)
        datasets.create(**public)
    with running(bundles, state=tmp_path / "state", user="bob") as box:
        code = (
            "import kagglehub\nprint(kagglehub.dataset_download('alice/shared-data'))\n"
            "kagglehub.dataset_download('alice/secret-data')"
        )
        kernels = KernelCaller(Caller(box))
        status, log, _ = kernels.run(code, "Reading others")
        assert status == "ERROR" and "datasets/alice/shared-data\n" in log
        assert "Permission 'datasets.get' was denied" in log
        found = Caller(box)(
            "GetDataset",
            service="datasets.DatasetApiService",
            ownerSlug="alice",
            datasetSlug="secret-data",
        )
        assert found.status_code == 403


@pytest.mark.skipif(not shutil.which("curl"), reason="this system has no curl")
def test_other_programs_are_refused_with_a_reason_in_the_log(world):
    code = (
        "import subprocess\nfor scheme in ('http', 'https'):\n"
        "    subprocess.run(['curl', '-sSf', f'{scheme}://host.invalid/x'])"
    )
    log = log_of(world, code, "With curl")
    assert log.count("This rehearsal has no internet; it cannot reach host.invalid") >= 2
