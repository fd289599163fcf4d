"""Kernels with the real clients: push, follow, fetch, pull, list, delete; refusals and limits."""

import json
import os
import re

import pytest

from fastkaggle_plus.sandbox import Limits, running

from .conftest import Caller
from .kernel_caller import SERVICE, KernelCaller, notebook, wait


@pytest.fixture
def kernels(call):
    return KernelCaller(call)


def folder(kaggle, code: str, *, kind: str = "notebook", title: str = "First steps", **more):
    """Write what `kaggle kernels push` takes, and return the folder's name."""
    place = kaggle.home / "push"
    place.mkdir(exist_ok=True)
    name = "code.ipynb" if kind == "notebook" else "code.py"
    (place / name).write_text(code)
    meta = {
        "id": "kaggler/first-steps",
        "title": title,
        "code_file": name,
        "language": "python",
        "kernel_type": kind,
        "is_private": True,
        "enable_gpu": False,
        "enable_internet": False,
        "dataset_sources": [],
        "competition_sources": ["toy"],
        "kernel_sources": [],
        "model_sources": [],
    }
    (place / "kernel-metadata.json").write_text(json.dumps({**meta, **more}))
    return place.name


@pytest.mark.slow
def test_a_notebook_goes_through_the_whole_command_line(kaggle, kernels):
    code = notebook(
        "import pandas as pd, os\nprint('rows', "
        "len(pd.read_csv('../input/competitions/toy/train.csv')))",
        "os.makedirs('deep/er')\nopen('deep/er/a.txt', 'w').write('kept')\n"
        "open('b.csv', 'w').write('id,y')",
    )
    pushed = kaggle(
        "kernels",
        "push",
        "-p",
        folder(kaggle, code, dataset_sources=["nobody/nothing"], enable_internet="false"),
    )
    assert (
        "Kernel version 1 successfully pushed" in pushed.stdout
        and "nobody/nothing" in pushed.stdout
    ), pushed.stdout + pushed.stderr
    assert kernels.wait("first-steps")["status"] == "COMPLETE", kernels.log("first-steps")
    assert (
        'has status "KernelWorkerStatus.COMPLETE"'
        in kaggle("kernels", "status", "kaggler/first-steps").stdout
    )
    out = kaggle("kernels", "output", "kaggler/first-steps", "-p", "got")
    assert (kaggle.home / "got/deep/er/a.txt").read_text() == "kept", out.stderr
    log = json.loads((kaggle.home / "got/first-steps.log").read_text())
    assert any(
        e == {**e, "stream_name": "stdout", "data": "rows 100\n"} and 0 < e["time"] < 60
        for e in log
    )
    assert "rows 100" in kaggle("kernels", "logs", "kaggler/first-steps").stdout
    assert "rows 100\n" in kaggle("kernels", "logs", "-f", "kaggler/first-steps").stdout
    listed = kaggle("kernels", "files", "kaggler/first-steps").stdout
    assert "deep/er/a.txt" in listed and re.search(r"b\.csv +4 ", listed)
    assert "kaggler/first-steps" in kaggle("kernels", "list", "-m").stdout
    assert (
        "kaggler/first-steps"
        in kaggle("kernels", "list", "--competition", "toy", "--search", "FIRST").stdout
    )
    assert "kaggler/first-steps" not in kaggle("kernels", "list", "--kernel-type", "script").stdout
    pulled = kaggle("kernels", "pull", "kaggler/first-steps/1", "-p", "pulled", "-m")
    assert json.loads((kaggle.home / "pulled/first-steps.ipynb").read_text())["cells"][0][
        "source"
    ].startswith("import pandas"), pulled.stdout + pulled.stderr
    meta = json.loads((kaggle.home / "pulled/kernel-metadata.json").read_text())
    assert (
        meta["id"],
        meta["is_private"],
        meta["enable_internet"],
        meta["competition_sources"],
    ) == ("kaggler/first-steps", True, False, ["toy"])
    got = kaggle(
        "import kagglehub; print(kagglehub.notebook_output_download('kaggler/first-steps'))",
        module="kagglehub",
    )
    assert open(os.path.join(got.stdout.split()[-1], "deep/er/a.txt")).read() == "kept", got.stderr
    one = kaggle(
        "import kagglehub; "
        "print(kagglehub.notebook_output_download('kaggler/first-steps/versions/1', "
        "path='deep/er/a.txt'))",
        module="kagglehub",
    )
    assert open(one.stdout.split()[-1]).read() == "kept", one.stderr
    assert kaggle("kernels", "delete", "kaggler/first-steps", "-y").returncode == 0
    assert "Not found" in kaggle("kernels", "list", "-m").stdout
    assert kernels.raw("GetKernelSessionStatus", "first-steps").status_code == 403


@pytest.mark.slow
def test_fastkaggle_pushes_a_notebook_that_finds_its_competition(kaggle, kernels):
    (kaggle.home / "n.ipynb").write_text(
        notebook("import os; print(os.listdir('../input/competitions/toy'))")
    )
    code = (
        "print(push_notebook('kaggler', 'from-fastkaggle', 'From fastkaggle', 'n.ipynb', "
        "competition='toy').to_dict())"
    )
    said = kaggle(f"from fastkaggle import push_notebook; {code}", module="fastkaggle")
    assert "'versionNumber': 1" in said.stdout, said.stderr
    assert kernels.wait("from-fastkaggle")["status"] == "COMPLETE"
    assert "train.csv" in kernels.log("from-fastkaggle")
    assert kernels("GetKernel", "from-fastkaggle")["metadata"]["isPrivate"]


def test_versions_are_counted_and_each_keeps_its_output_and_log(kernels):
    for text in ("one", "two"):
        assert (
            kernels.run(f"print('{text}'); open('{text}.txt', 'w').write('{text}')")[0]
            == "COMPLETE"
        )
    assert set(kernels.files()) == {"two.txt"} and kernels.files(versionLabel="v1") == {
        "one.txt": "one"
    }
    assert "one" in kernels("ListKernelSessionOutput", versionLabel="v1")["log"]
    assert kernels("GetKernel")["metadata"]["currentVersionNumber"] == 2
    assert "'one'" in kernels("GetKernel", versionLabel="v1")["blob"]["source"]
    for label in ("v3", "1", "v", "latest", "v0"):
        assert kernels.raw("GetKernelSessionStatus", versionLabel=label).status_code == 404, label
    denied = kernels.raw("GetKernelSessionStatus", "never-pushed")
    assert (denied.status_code, denied.json()["message"]) == (
        403,
        "Permission 'kernels.get' was denied",
    )


def test_pages_of_output_carry_the_log_once(kernels):
    kernels.run("for i in range(5): open(f'{i}.txt', 'w').close()\nprint('done')")
    first = kernels("ListKernelSessionOutput", pageSize=2)
    second = kernels("ListKernelSessionOutput", pageSize=2, pageToken=first["nextPageToken"])
    third = kernels("ListKernelSessionOutput", pageSize=2, pageToken=second["nextPageToken"])
    assert [f["fileName"] for p in (first, second, third) for f in p["files"]] == [
        f"{i}.txt" for i in range(5)
    ]
    assert "done" in first["log"] and not second.get("log") and third["nextPageToken"] == ""


def test_the_title_decides_the_name(kernels):
    pushed = kernels.push("pass", "A Título: of its own!", slug="kaggler/another-name")
    assert pushed["ref"] == "/code/kaggler/a-titulo-of-its-own" and pushed["url"].endswith(
        "/code/kaggler/a-titulo-of-its-own"
    )
    again = kernels.push("pass", "Renamed kernel", slug="kaggler/a-titulo-of-its-own")
    assert (again["kernelId"], again["versionNumber"], again["ref"]) == (
        pushed["kernelId"],
        2,
        "/code/kaggler/renamed-kernel",
    )
    assert kernels.raw("GetKernel", "a-titulo-of-its-own").status_code == 403
    by_id = kernels.push(
        "pass", "", id=pushed["kernelId"], slug="kaggler/ignored-when-there-is-an-id"
    )
    assert (by_id["versionNumber"], by_id["ref"]) == (3, "/code/kaggler/renamed-kernel")
    taken = kernels.push("pass", "Renamed kernel", slug="kaggler/something-else")
    assert "in use" in taken["error"] and "versionNumber" not in taken
    for number in (1, 2, 3):
        kernels.wait("renamed-kernel", number)


def test_refusals_come_with_status_200(kernels):
    assert "five characters" in kernels.push("pass", "abc")["error"]
    strange = kernels.call(
        "SaveKernel",
        service=SERVICE,
        newTitle="My kernel",
        text="pass",
        language="cobol",
        kernelType="script",
    )
    assert strange.status_code == 200 and "language" in strange.json()["error"]
    assert "not a notebook" in kernels.push("{}", kind="notebook")["error"]
    assert "not a notebook" in kernels.push("print(1)", kind="notebook")["error"]
    assert "no source" in kernels.push("")["error"]
    assert kernels.raw("GetKernel").status_code == 403  # nothing was made
    foreign = kernels.call(
        "SaveKernel",
        service=SERVICE,
        newTitle="My kernel",
        slug="somebody/my-kernel",
        text="pass",
        language="python",
        kernelType="script",
    )
    assert foreign.status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"text": 5},
        {"newTitle": ["a"]},
        {"slug": {}},
        {"datasetDataSources": "abc"},
        {"kernelDataSources": [5]},
        {"isPrivate": "no"},
        {"enableGpu": 1},
        {"sessionTimeoutSeconds": -1},
        {"sessionTimeoutSeconds": 2**70},
        {"sessionTimeoutSeconds": "5"},
        {"id": [1]},
        {"id": 1.5},
        {"machineShape": 5},
        {"text": "'\ud800'"},
        {"id": 77},
    ],
)
def test_fields_of_a_wrong_type_create_nothing(shared_call, fields):
    kernels = KernelCaller(shared_call)
    given = {
        "newTitle": "My kernel",
        "text": "pass",
        "language": "python",
        "kernelType": "script",
        **fields,
    }
    answer = kernels.call("SaveKernel", service=SERVICE, **given)
    assert answer.status_code in (400, 403) and answer.json()["code"] == answer.status_code
    assert kernels("ListKernels")["kernels"] == []


def test_a_kernel_that_never_ran_is_listed_and_pulled(kernels, kaggle):
    kernels.push("print('saved')", kernelExecutionType="QUICK_SAVE")
    assert "kaggler/my-kernel" in kaggle("kernels", "list", "-m").stdout
    assert kaggle("kernels", "pull", "kaggler/my-kernel", "-m", "-p", "p").returncode == 0
    assert (kaggle.home / "p" / "my-kernel.py").read_text() == "print('saved')"
    assert "NEW_SCRIPT" in kaggle("kernels", "status", "kaggler/my-kernel").stdout


def test_a_third_gpu_session_is_refused_until_one_ends(kernels):
    wait = "import time, os\nwhile True: time.sleep(0.05)"
    first, second = (
        kernels.push(wait, "Gpu one", enableGpu=True),
        kernels.push(wait, "Gpu two", machineShape="NvidiaTeslaT4"),
    )
    assert not first["error"] and not second["error"]
    refused = kernels.push("pass", "Gpu three", enableGpu=True)
    assert refused["error"] == "Maximum batch GPU session count of 2 reached."
    assert kernels.raw("GetKernel", "gpu-three").status_code == 403
    assert kernels.run("pass", "No gpu")[0] == "COMPLETE"
    assert kernels.call("CancelKernelSession", service=SERVICE, kernelSessionId=1).json() == {}
    assert kernels.wait("gpu-one")["status"] == "CANCEL_ACKNOWLEDGED"
    assert not kernels.push("pass", "Gpu three", enableGpu=True)["error"]
    assert (
        "has ended"
        in kernels.call("CancelKernelSession", service=SERVICE, kernelSessionId=1).json()[
            "errorMessage"
        ]
    )


def test_gpu_runs_use_up_the_quota(kernels, kaggle, box):
    def seconds() -> float:
        quota = kernels("GetAcceleratorQuotaStatistics")["gpuQuota"]
        return float(quota["timeUsed"].rstrip("s"))

    assert seconds() == 0 and not kernels("GetAcceleratorQuotaStatistics")["gpuQuota"]["hasEverRun"]
    kernels.run("import time; time.sleep(0.2)", enableGpu=True)
    used = seconds()
    assert used >= 0.2 and seconds() == used
    kernels.run("import time; time.sleep(0.2)")
    assert seconds() == used
    shown = kaggle("quota").stdout
    assert re.search(r"GPU +0\.00h +30\.00h +30\.00h", shown) and "TPU" in shown, shown


def test_a_quick_save_does_not_run(kernels):
    pushed = kernels.push("open('ran.txt', 'w')", kernelExecutionType="QUICK_SAVE")
    assert pushed["versionNumber"] == 1
    assert kernels("GetKernelSessionStatus")["status"] == "NEW_SCRIPT"
    assert kernels("ListKernelSessionOutput") == {"files": [], "log": "", "nextPageToken": ""}
    assert kernels("GetKernel")["metadata"]["isPrivate"]


def test_a_version_runs_without_missing_sources(kernels):
    pushed = kernels.push(
        "import os; print(sorted(os.listdir('../input')), os.listdir('../input/competitions'))",
        competitionDataSources=["toy", "c/toy", "locked", "none"],
        datasetDataSources=["a/missing"],
        kernelDataSources=["kaggler/missing", "kaggler/my-kernel/x"],
        modelDataSources=["a/b/pyTorch/c/1"],
    )
    assert pushed["invalidCompetitionSources"] == ["c/toy", "locked", "none"]
    assert (
        pushed["invalidDatasetSources"],
        pushed["invalidKernelSources"],
        pushed["invalidModelSources"],
    ) == (["a/missing"], ["kaggler/missing", "kaggler/my-kernel/x"], ["a/b/pyTorch/c/1"])
    assert kernels.wait()["status"] == "COMPLETE"
    assert kernels.log() == "['competitions'] ['toy']\n"


def test_the_output_of_another_kernel_is_an_input(kernels):
    kernels.run("open('made.txt', 'w').write('by the first')", "First kernel")
    status, log, _ = kernels.run(
        "import os; print(open(os.environ['KAGGLE_CACHE_MOUNT_FOLDER'] + "
        "'/notebooks/kaggler/first-kernel/made.txt').read())",
        "Second kernel",
        kernelDataSources=["kaggler/first-kernel"],
    )
    assert (status, log) == ("COMPLETE", "by the first\n")


def test_the_log_is_live_and_replayed_from_its_start(kernels, box):
    kernels.push(
        "import time, os\nprint('early')\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
    )
    url = f"{box.url}/api/v1/kernels/logs/stream/kaggler/my-kernel"
    for _ in range(2):  # the second connection sees the first line again
        with kernels.call.session.get(url, stream=True, timeout=20) as live:
            assert live.headers["content-type"].startswith("text/event-stream")
            line = next(
                line for line in live.iter_lines(decode_unicode=True) if line.startswith("data:")
            )
            assert json.loads(line.removeprefix("data:"))["data"] == "early\n"
    assert kernels("GetKernelSessionStatus")["status"] == "RUNNING" and kernels.files() == {}
    with kernels.call.session.get(url, stream=True, timeout=20) as live:
        kernels.call("CancelKernelSession", service=SERVICE, kernelSessionId=1)
        data = [
            line.removeprefix("data:").strip()
            for line in live.iter_lines(decode_unicode=True)
            if line.startswith("data:")
        ]
    assert json.loads(data[0])["data"] == "early\n" and data[-1] == "END_OF_LOG"
    ended = kernels.call.session.get(url, params={"versionLabel": "v1"}, timeout=20)
    assert (
        ended.headers["content-type"] == "application/json" and ended.json()[0]["data"] == "early\n"
    )
    assert (
        kernels.call.session.get(url, params={"versionLabel": "v2"}, timeout=20).status_code == 404
    )
    assert kernels.call.session.get(url.replace("my-kernel", "none"), timeout=20).status_code == 403
    assert kernels.call.session.get(url, auth=("kaggler", "wrong"), timeout=20).status_code == 401


def test_deleting_ends_a_run(kernels):
    kernels.push("import time\nprint('up')\ntime.sleep(600)")
    kernels.wait(until=("RUNNING",))
    assert kernels("DeleteKernel") == {}
    assert kernels.raw("GetKernelSessionStatus").status_code == 403


SEE = (
    "import os\nfor at, _, files in sorted(os.walk('../input')):\n"
    "    for f in sorted(files): print(os.path.relpath(os.path.join(at, f), '../input'))\n"
)


def uploaded(kaggle) -> None:
    """Make a dataset of two versions and a model with kagglehub."""
    for name in ("one", "two"):
        (kaggle.home / name).mkdir()
        (kaggle.home / name / f"{name}.txt").write_text(name)
    code = (
        "import kagglehub\nfor n in ('one', 'two'): "
        "kagglehub.dataset_upload('kaggler/my-data', n)\n"
        "kagglehub.model_upload('kaggler/my-model/pyTorch/small', 'one', license_name='MIT')"
    )
    made = kaggle(code, module="kagglehub")
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.slow
def test_datasets_and_models_are_mounted_in_their_version(kaggle, kernels):
    uploaded(kaggle)
    model = "kaggler/my-model/pyTorch/small/1"
    given = dict(
        kernelExecutionType="QUICK_SAVE",
        datasetDataSources=["kaggler/my-data/2"],
        modelDataSources=[model],
    )

    def are_ready() -> bool:
        pushed = kernels.push("pass", "Is it ready", **given)
        return not any(v for k, v in pushed.items() if k.startswith("invalid"))

    wait(are_ready)
    for given, seen in (("kaggler/my-data", "two"), ("kaggler/my-data/1", "one")):
        assert kernels.run(SEE, datasetDataSources=[given], modelDataSources=[model]) == (
            "COMPLETE",
            f"datasets/kaggler/my-data/{seen}.txt\n"
            "models/kaggler/my-model/pytorch/small/1/one.txt\n",
            {},
        )
    assert kernels.push(
        "pass",
        datasetDataSources=["kaggler/my-data/9"],
        modelDataSources=[model.removesuffix("/1")],
    )["invalidModelSources"]
    assert kernels.wait()["status"] == "COMPLETE"


@pytest.mark.slow
def test_the_old_layout_by_option(bundles, tmp_path):
    with running(bundles, state=tmp_path / "old", limits=Limits(layout="2022")) as box:
        kernels = KernelCaller(Caller(box))
        kernels.run("open('made.txt', 'w').close()", "First kernel")
        _, log, _ = kernels.run(
            SEE, competitionDataSources=["toy"], kernelDataSources=["kaggler/first-kernel"]
        )
        assert (
            "toy/train.csv\n" in log
            and "first-kernel/made.txt\n" in log
            and "competitions/" not in log
        )


def test_a_fault_kills_a_run_halfway(kernels, box):
    box.faults.set("kernel-dies")
    status, log, _ = kernels.run("print('on the way', flush=True)\nimport time; time.sleep(600)")
    assert (
        status == "ERROR"
        and "on the way" in log
        and kernels("GetKernelSessionStatus")["failureMessage"] == "The kernel died."
    )
    box.faults.clear()
    assert kernels.run("print('again')")[0] == "COMPLETE"
