"""Kernels as a fleet: the limits of an account, two GPUs, and the faults that Kaggle has."""

import json

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.sandbox import Limits, running

from .conftest import Caller
from .kernel_caller import SERVICE, KernelCaller, wait

WAITS = "import time\nopen('part.txt', 'w').write('p')\nprint('up')\ntime.sleep(600)"
WRITES = "open('part.txt', 'w').write('p')\nprint('done')"


@pytest.fixture
def kernels(call):
    return KernelCaller(call)


@pytest.fixture
def limited(bundles, tmp_path):
    """Start a sandbox with other limits or with faults."""
    opened = []

    def start(faults=(), **limits) -> KernelCaller:
        state = tmp_path / "limited"
        opened.append(running(bundles, state=state, limits=Limits(**limits), faults=faults))
        return KernelCaller(Caller(opened[-1].__enter__()))

    yield start
    for box in opened:
        box.__exit__(None, None, None)


def used_s(kernels) -> float:
    quota = kernels("GetAcceleratorQuotaStatistics")["gpuQuota"]
    return float(quota["timeUsed"].rstrip("s"))


def push_folder(kaggle, code: str, **more) -> str:
    """Write a folder for `kaggle kernels push` and return its name."""
    place = kaggle.home / "push"
    place.mkdir(exist_ok=True)
    (place / "code.py").write_text(code)
    meta = {"id": "kaggler/my-kernel", "title": "My kernel", "code_file": "code.py"}
    meta |= {"language": "python", "kernel_type": "script", "enable_gpu": True, **more}
    (place / "kernel-metadata.json").write_text(json.dumps(meta))
    return place.name


def test_a_kernel_sees_the_gpus_of_its_machine(kernels, monkeypatch):
    monkeypatch.setattr(environment.gpus, "has_gpu", lambda: False)
    code = "from fastkaggle_plus.environment import named_cards; print(','.join(named_cards()))"

    def seen(**machine) -> str:
        return kernels.run(code, **machine)[1].strip()

    assert seen(enableGpu=True) == seen(machineShape="NvidiaTeslaP100") == "0,1"
    assert seen(machineShape="NvidiaL4X1") == "0"
    used = used_s(kernels)
    assert seen(machineShape="TpuV232") == "", "it is retired, and Kaggle uses a CPU"
    assert used_s(kernels) == used
    monkeypatch.setattr(environment.gpus, "has_gpu", lambda: True)
    assert seen(enableGpu=True) == "", "sweeps find the real ones"


def test_deleting_a_kernel_ends_its_billing_and_keeps_what_was_used(kernels, kaggle):
    for title in ("My kernel", "Another kernel"):
        kernels.push(WAITS, title, enableGpu=True)
        kernels.wait(title.lower().replace(" ", "-"), until=("RUNNING",))
    assert "of 2 reached" in kernels.push(WAITS, "A third one", enableGpu=True)["error"]
    first = used_s(kernels)
    assert 0 < first < used_s(kernels), "the quota runs while a session runs"
    for name in ("my-kernel", "another-kernel"):
        assert kaggle("kernels", "delete", f"kaggler/{name}", "-y").returncode == 0
    used = used_s(kernels)
    assert used > first
    assert not kernels.push(WRITES, "A third one", kernelExecutionType="QUICK_SAVE")["error"]
    assert used_s(kernels) == used
    gone = kernels.call("CancelKernelSession", service=SERVICE, kernelSessionId=1)
    assert gone.status_code == 404


def test_cancelling_discards_the_output_and_keeps_the_log(kernels):
    kernels.push(WAITS)
    wait(lambda: "up" in kernels.log())
    kernels.call("CancelKernelSession", service=SERVICE, kernelSessionId=1)
    assert kernels.wait()["status"] == "CANCEL_ACKNOWLEDGED"
    assert kernels.files() == {} and "up" in kernels.log()


def test_a_timeout_is_no_guard_but_the_length_of_a_session_is(limited):
    kernels = limited(session_s=4.0)
    status, _, files = kernels.run(
        "import time; time.sleep(1.1)\n" + WRITES, sessionTimeoutSeconds=1
    )
    assert (status, files) == ("COMPLETE", {"part.txt": "p"})
    kernels.push(WAITS)
    assert kernels.wait() == {
        "status": "CANCEL_ACKNOWLEDGED",
        "failureMessage": "Your notebook was stopped because it exceeded the max allowed "
        "execution duration.",
    }
    assert kernels.files() == {} and "up" in kernels.log()


def test_a_session_runs_on_when_the_quota_is_used_up_and_the_next_push_is_refused(limited):
    kernels = limited(seconds_per_hour=0.01)  # 30 hours are 0.3 s
    status, _, files = kernels.run("import time; time.sleep(0.5)\n" + WRITES, enableGpu=True)
    assert (status, files) == ("COMPLETE", {"part.txt": "p"})
    assert used_s(kernels) > 30 * 3600
    refused = kernels.push(WRITES, enableGpu=True)
    assert refused["error"] == "Maximum weekly GPU quota of 30.00 hours reached."
    assert kernels.run(WRITES)[0] == "COMPLETE"


def test_a_fault_ends_sessions_with_the_quota(limited):
    kernels = limited(["quota-ends"], quota_s={"gpu": 1.5})
    for title in ("My kernel", "Another kernel"):
        assert not kernels.push(WAITS, title, machineShape="NvidiaTeslaT4")["error"]
    for name in ("my-kernel", "another-kernel"):
        assert kernels.wait(name)["status"] == "CANCEL_ACKNOWLEDGED" and kernels.files(name) == {}
    assert used_s(kernels) >= 1.5
    assert "quota" in kernels.push(WAITS, machineShape="NvidiaTeslaT4")["error"]
    assert "TPU quota" in kernels.push(WAITS, machineShape="TpuV5E8")["error"]


def test_the_nth_kernel_dies_and_keeps_what_it_has_written(kernels, kaggle, box):
    box.faults.set("kernel-dies:nth=2,at=2")
    code = "import time\nfor i in range(2): print('wrote', open(f'{i}.txt', 'w').name)\n"
    ends = ("", "time.sleep(600); open('2.txt', 'w')", "")
    statuses = [kernels.run(code + end, f"Kernel {n}")[0] for n, end in enumerate(ends, 1)]
    assert statuses == ["COMPLETE", "ERROR", "COMPLETE"]
    assert kernels("GetKernelSessionStatus", "kernel-2")["failureMessage"] == "The kernel died."
    assert kaggle("kernels", "output", "kaggler/kernel-2", "-p", "got").returncode == 0
    names = sorted(p.name for p in (kaggle.home / "got").iterdir())
    assert names == ["0.txt", "1.txt", "kernel-2.log"]


def test_a_status_is_stale_or_wrong_while_the_output_is_there(kernels, kaggle, box):
    def shown() -> str:
        return kaggle("kernels", "status", "kaggler/my-kernel").stdout

    box.faults.set("stale-running=600")
    kernels.push(WRITES)
    wait(kernels.files)
    assert "RUNNING" in shown() and kernels("GetKernelSessionStatus") == {"status": "RUNNING"}
    assert kaggle("kernels", "output", "kaggler/my-kernel", "-p", "got").returncode == 0
    assert (kaggle.home / "got/part.txt").read_text() == "p"
    box.faults.clear()
    box.faults.set("stale-running=0.3")
    box.faults.set("false-cancel:nth=2")
    for expected in ("COMPLETE", "CANCEL_ACKNOWLEDGED", "COMPLETE"):
        kernels.push(WRITES)
        assert kernels.wait() == {"status": expected} and kernels.files() == {"part.txt": "p"}
        if expected != "COMPLETE":
            assert expected in shown()
    assert kernels.run("raise SystemExit(1)")[0] == "ERROR"


def test_the_kaggle_client_when_answers_about_kernels_are_lost(kernels, kaggle, box):
    folder = push_folder(kaggle, WRITES)
    box.faults.set("drop-before:SaveKernel")
    assert kaggle("kernels", "push", "-p", folder).returncode != 0
    assert kernels("ListKernels")["kernels"] == []
    box.faults.set("drop-after:SaveKernel")
    assert kaggle("kernels", "push", "-p", folder).returncode != 0
    assert kernels("GetKernel")["metadata"]["currentVersionNumber"] == 1, "it was pushed"
    assert kernels.wait()["status"] == "COMPLETE"
    box.faults.set("429:GetKernelSessionStatus:times=2,retry_after=1")
    codes = [kaggle("kernels", "status", "kaggler/my-kernel").returncode for _ in range(3)]
    assert codes[0] and codes[1] and not codes[2]
    shown = kaggle("quota").stdout
    assert "GPU" in shown and "30.00h" in shown
