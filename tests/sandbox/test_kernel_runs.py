"""Kernels are run for real: their folders, limits and isolation, and what they leave behind."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastkaggle_plus.sandbox.faults import parse_fault
from fastkaggle_plus.sandbox.kernels.isolation import Control, supported_isolation
from fastkaggle_plus.sandbox.kernels.job import KernelJob
from fastkaggle_plus.sandbox.kernels.run_inputs import RunInputs
from fastkaggle_plus.sandbox.kernels.runs import GUARDED, KernelRuns

from .conftest import Caller
from .kernel_caller import KernelCaller, notebook, wait

APART = [
    pytest.param(
        supported_isolation(),
        id="apart",
        marks=pytest.mark.skipif(
            not supported_isolation(), reason="this system allows no namespaces"
        ),
    ),
    pytest.param(frozenset(), id="plain"),
]
NETWORK = pytest.param(
    frozenset({"network"}),
    id="network only",
    marks=pytest.mark.skipif(
        "network" not in supported_isolation(), reason="this system allows none"
    ),
)


@pytest.fixture(params=APART)
def runs(request, tmp_path):
    hidden = tmp_path / "bundles"
    hidden.mkdir()
    (hidden / "solution.csv").write_text("id,y")
    made = KernelRuns(
        tmp_path / "state" / "kernels",
        hidden=[hidden],
        isolated=request.param,
        secrets=lambda: {"word": "abracadabra"},
    )
    yield made
    made.close()


@pytest.fixture
def go(runs):
    numbers = iter(range(1, 100))

    def run(code: str, *, timeout_s: float = 60, until: str = "", **more) -> tuple[str, str, str]:
        """Run to the end and return (status, reason, log as text)."""
        number, statuses = next(numbers), []
        start(runs, code, number, statuses, timeout_s=timeout_s, **more)
        wait(lambda: statuses and statuses[-1][0] != "RUNNING")
        return *statuses[-1], text(runs, number)

    return run


def start(runs, code, number, statuses, **more):
    given = (
        dict(
            kernel_type="script",
            language="python",
            inputs={},
            internet=True,
            accelerator="",
            timeout_s=60,
        )
        | more
    )
    runs.start(KernelJob(number, code, **given), lambda *status: statuses.append(status))


def text(runs, number: int) -> str:
    return "".join(e["data"] for e in runs.log(number)).removeprefix(GUARDED)


def alive(word: str) -> list[int]:
    """Processes that have a word on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                word.encode() in (entry / "cmdline").read_bytes()
                and "\nState:\tZ" not in (entry / "status").read_text()
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def source(tmp_path, **files: str) -> Path:
    folder = tmp_path / f"source-{len(list(tmp_path.iterdir()))}"
    for name, content in files.items():
        (folder / "sub").mkdir(parents=True, exist_ok=True)
        (folder / name.replace("__", "/")).write_text(content)
    return folder


def test_scripts_and_notebooks_run_in_kaggles_folders(go, runs):
    code = (
        "import os, sys\nprint(os.environ['KAGGLE_KERNEL_RUN_TYPE'], "
        "os.path.basename(os.getcwd()), os.path.isdir('../input'))\n"
        "open('out.txt', 'w').write('x')\nprint(sys.prefix)\nprint('warned', file=sys.stderr)"
    )
    for kind, written in (("script", code), ("notebook", notebook(*code.split("\n")))):
        status, reason, log = go(written, kernel_type=kind)
        assert (status, reason) == ("COMPLETE", ""), log
        assert "Batch working True" in log and sys.prefix in log and "warned" in log
    assert [{e["stream_name"] for e in runs.log(n) if e["data"] == "warned\n"} for n in (1, 2)] == [
        {"stderr"}
    ] * 2
    assert [(runs.folder / n / "working" / "out.txt").read_text() for n in ("1", "2")] == ["x", "x"]
    assert sorted(p.name for p in (runs.folder / "1").iterdir()) == [
        "executed",
        "job.json",
        "log.jsonl",
        "src",
        "working",
    ]


@pytest.mark.parametrize("runs", APART[1:], indirect=True)
def test_an_error_without_a_message_is_named(go):
    status, reason, _ = go(notebook("assert len('hidden') == 1"), kernel_type="notebook")
    assert (status, reason) == ("ERROR", "Exit status 1: AssertionError")


def test_an_error_keeps_the_output_and_names_the_cause(go, runs):
    for kind, code in (
        ("script", "open('kept.txt', 'w').write('k')\nraise ValueError('no such thing')"),
        (
            "notebook",
            notebook(
                "open('kept.txt', 'w').write('k')",
                "raise ValueError('no such thing')",
                "print('not reached')",
            ),
        ),
    ):
        status, reason, log = go(code, kernel_type=kind)
        assert (
            status == "ERROR"
            and "ValueError: no such thing" in reason
            and "Traceback" in log
            and "not reached" not in log
        )
    assert [(runs.folder / n / "working" / "kept.txt").read_text() for n in ("1", "2")] == [
        "k",
        "k",
    ]


def test_kernels_inherit_no_credentials(go, monkeypatch):
    for name in (
        "KAGGLE_USERNAME",
        "KAGGLE_KEY",
        "KAGGLE_API_TOKEN",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "http_proxy",
        "HTTPS_PROXY",
        "FKP_REHEARSAL",
    ):
        monkeypatch.setenv(name, "from-outside-1234")
    status, _, log = go(
        "import os\nprint(dict(os.environ))\n"
        "print(open('/proc/self/environ').read(), "
        "os.path.exists(os.path.expanduser('~/.kaggle')))"
    )
    assert status == "COMPLETE" and "from-outside-1234" not in log and log.endswith("False\n")


def test_home_folders_are_hidden_but_this_package_is_visible(go, runs, monkeypatch, tmp_path):
    """A notebook can import this package from a checkout in a home folder or in /tmp."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "diary.txt").write_text("dear diary")
    homes = [str(tmp_path), pwd.getpwuid(os.getuid()).pw_dir]
    status, _, log = go(
        "import os\nfrom fastkaggle_plus.competition import builtin_folder\n"
        "print('titanic' in os.listdir(builtin_folder()))\n"
        f"print([os.path.exists(os.path.join(h, n)) for h in {homes!r} for n in "
        "('diary.txt', '.kaggle', '.bashrc', '.gitconfig')])"
    )
    assert status == "COMPLETE" and log.startswith("True\n"), log
    assert "files" not in runs.isolated or "True" not in log.splitlines()[1]


@pytest.mark.slow
@pytest.mark.skipif(
    "files" not in supported_isolation(), reason="this system gives no file tree of one's own"
)
def test_a_checkout_in_tmp_is_visible(tmp_path):
    """A kernel has its own /tmp, but the folder of this package is visible in it."""
    root = Path(__file__).resolve().parents[2]
    for name in ("fastkaggle_plus", "competitions"):
        shutil.copytree(
            root / name, tmp_path / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    code = f"""
import time
from pathlib import Path
from fastkaggle_plus.sandbox.kernels.job import KernelJob
from fastkaggle_plus.sandbox.kernels.runs import GUARDED, KernelRuns
runs, ended = KernelRuns(Path({str(tmp_path / "state" / "runs")!r})), []
text = "import sys; sys.path.insert(0, {str(tmp_path / "checkout")!r}); "
text += "import fastkaggle_plus; print('from', fastkaggle_plus.__file__)"
job = KernelJob(1, text, "script", "python", {{}}, True, "", 60)
runs.start(job, lambda status, reason: ended.append(status))
while not ended or ended[-1] == "RUNNING":
    time.sleep(0.1)  # a busy loop would take the core that the kernel needs
print("".join(e["data"] for e in runs.log(1)))
runs.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "checkout")},
        capture_output=True,
        text=True,
    )
    assert f"from {tmp_path / 'checkout'}" in done.stdout, done.stdout + done.stderr


def test_inputs_are_read_only(go, runs, tmp_path):
    folder = source(tmp_path, a="one", sub__b="two")
    (folder / "link").symlink_to(folder / "a")
    code = (
        "import os\nfrom pathlib import Path\nroot = Path('../input/competitions/toy')\n"
        "print([p.read_text() for p in (root / 'a', root / 'sub/b')])\n"
        "for act in (lambda: (root / 'a').write_text('x'), lambda: (root / "
        "'new').write_text('x'), lambda: (root / 'sub/b').unlink()):\n"
        "    try: act(); print('WRITTEN')\n    except OSError as e: print('refused')\n"
        "print(os.path.samefile('../input', os.environ['KAGGLE_CACHE_MOUNT_FOLDER']))"
    )
    for given in (folder, source(tmp_path, a="one", sub__b="two")):
        status, _, log = go(code, inputs={"competitions/toy": [given]})
        assert status == "COMPLETE" and "['one', 'two']" in log and log.endswith("True\n")
        if (
            "files" in runs.isolated or os.getuid()
        ):  # without namespaces root may write anywhere, here to a copy
            assert "WRITTEN" not in log
    assert (folder / "a").read_text() == "one" and sorted(p.name for p in folder.iterdir()) == [
        "a",
        "link",
        "sub",
    ]


def test_later_folders_replace_files_of_the_same_name(go, tmp_path):
    below, above = source(tmp_path, a="old", sub__b="stays"), source(tmp_path, a="new", c="more")
    code = (
        "from pathlib import Path\nroot = Path('../input/x')\n"
        "print([(root / n).read_text() for n in ('a', 'sub/b', 'c')])"
    )
    _, _, log = go(code, inputs={"x": [below, above]})
    assert "['new', 'stays', 'more']" in log
    assert (below / "a").read_text() == "old" and not (below / "c").exists()


def test_secrets_come_from_the_sandbox(go):
    code = (
        "from kaggle_secrets import UserSecretsClient\n"
        "print(UserSecretsClient().get_secret('word'))\n"
        "UserSecretsClient().get_secret('other')"
    )
    status, reason, log = go(code)
    assert "abracadabra\n" in log and status == "ERROR" and "No user secrets exist" in reason


@pytest.mark.slow
def test_the_time_limit_ends_everything_that_was_started(go, runs):
    leave = (
        "import subprocess, sys, time\nopen('lost.txt', 'w').write('k')\n"
        "child = 'import time; time.sleep(600) # left-by-limit'\n"
        "subprocess.Popen([sys.executable, '-c', child], start_new_session=True)\n"
        "subprocess.Popen([sys.executable, '-c', child])\n"
        "print('ready')\ntime.sleep(600)"
    )
    for kind, code, limit_s in (("script", leave, 3), ("notebook", notebook(leave), 6)):
        if kind == "notebook" and "files" in runs.isolated:
            continue  # a process namespace ends one like the other, so once is enough
        status, reason, log = go(code, kernel_type=kind, timeout_s=limit_s)
        assert (
            status == "CANCEL_ACKNOWLEDGED"
            and "exceeded the max allowed execution duration" in reason
            and "ready" in log
            and reason in log
        )
        wait(lambda: not alive("left-by-limit"))
    assert not (runs.folder / "1" / "working").exists()


def test_background_processes_end_with_the_kernel(go):
    status, _, _ = go(
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; "
        "time.sleep(600) # left-behind'], start_new_session=True)"
    )
    assert status == "COMPLETE"
    wait(lambda: not alive("left-behind"))


def test_a_kernel_can_be_made_to_die(tmp_path):
    asked = iter([parse_fault("kernel-dies=0.1"), None])
    runs, statuses = KernelRuns(tmp_path / "kernels", dies=lambda: next(asked)), []
    code = "print('one', flush=True)\nopen('a', 'w').close()\nimport time; time.sleep(600)"
    start(runs, code, 1, statuses)
    wait(lambda: statuses and statuses[-1][0] != "RUNNING")
    assert statuses[-1] == ("ERROR", "The kernel died.") and "one" in text(runs, 1)
    start(runs, "print('lives')", 2, statuses)
    wait(lambda: len(statuses) == 4)
    assert statuses[-1] == ("COMPLETE", "")
    runs.close()


def test_a_log_that_is_too_long_is_cut_and_the_run_continues(go, runs, monkeypatch):
    monkeypatch.setattr("fastkaggle_plus.sandbox.kernels.run_log.MAX_BYTES", 20_000)
    status, _, log = go(
        "import sys\nfor i in range(1000): print('line', i)\n"
        "sys.stdout.write('no end of line ' * 10)\nopen('after.txt', 'w').close()"
    )
    assert status == "COMPLETE" and (runs.folder / "1" / "working" / "after.txt").exists()
    assert "line 100\n" in log and "line 999" not in log and log.endswith("the rest is dropped.\n")
    assert (runs.folder / "1" / "log.jsonl").stat().st_size < 21_000


def test_only_python_runs(go):
    status, reason, log = go("print('hello')", language="r")
    assert status == "ERROR" and "'r'" in reason and "runs Python" in log


def test_closing_ends_all_runs(runs):
    statuses = []
    start(runs, "print('up', flush=True)\nimport time; time.sleep(600) # closed-over", 1, statuses)
    wait(lambda: "up" in text(runs, 1))
    runs.close()
    assert statuses[-1][0] == "ERROR" and "closed" in statuses[-1][1]


@pytest.mark.parametrize("runs", [*APART, NETWORK], indirect=True)
def test_with_and_without_internet_there_is_only_the_own_network(go, runs):
    code = (
        "import socket, threading\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\nprint('own loopback')\n"
        "try: socket.create_connection(('127.0.0.1', PORT), timeout=2); "
        "print('REACHED')\nexcept OSError as e: print('cut off')\n"
        "try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('8.8.8.8', 53)); "
        "print('ROUTE')\nexcept OSError as e: print('no route')"
    )
    with socket.create_server(("127.0.0.1", 0)) as outside:
        code = code.replace("PORT", str(outside.getsockname()[1]))
        for internet in (True, False):
            _, _, log = go(code, internet=internet)
            reached = "cut off" if "network" in runs.isolated else "REACHED"
            assert log == f"own loopback\n{reached}\nno route\n"


@pytest.mark.skipif(
    "files" not in supported_isolation(), reason="this system allows no mount namespaces"
)
def test_a_kernel_sees_kaggles_folders_but_no_secrets(tmp_path):
    hidden = source(tmp_path, solution="secret answers")
    runs, statuses = KernelRuns(tmp_path / "state" / "kernels", hidden=[hidden]), []
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "credentials.json").write_text("the key")
    code = f"""
import os, subprocess, sys
print(os.getcwd(), os.path.isdir('/kaggle/input'), os.path.isdir('/kaggle/temp'))
for name in ({str(hidden / "solution")!r}, {str(tmp_path / "state" / "credentials.json")!r}):
    try: print(open(name).read())
    except OSError as e: print('not there')
for name in ('/etc/fkp-test', '/kaggle/fkp-test', '/fkp-test', '/var/fkp-test'):
    try: open(name, 'w').close(); print('WRITTEN', name)
    except OSError: pass
open('/tmp/fkp-of-the-kernel', 'w').close()
open(os.path.join(sys.prefix, 'fkp-of-the-kernel'), 'w').close()
open('/dev/shm/fkp-of-the-kernel', 'w').close()
remount = ['mount', '-o', 'remount,rw', '/kaggle/input']
print(subprocess.run(remount, capture_output=True).returncode != 0)
print(len([p for p in os.listdir('/proc') if p.isdecimal()]) < 6)
"""
    before = set(os.listdir("/"))
    start(runs, code, 1, statuses)
    wait(lambda: statuses and statuses[-1][0] != "RUNNING")
    log = text(runs, 1)
    assert (
        statuses[-1][0] == "COMPLETE"
        and log == "/kaggle/working True True\nnot there\nnot there\nTrue\nTrue\n"
    ), log
    assert set(os.listdir("/")) == before
    assert not any(Path(p, "fkp-of-the-kernel").exists() for p in ("/tmp", sys.prefix, "/dev/shm"))
    runs.close()


@pytest.mark.slow
@pytest.mark.skipif(
    "files" not in supported_isolation(), reason="this system allows no mount namespaces"
)
def test_pip_installs_into_the_run_only(tmp_path):
    (tmp_path / "wheels").mkdir()
    info = "fkp_tiny_package-1.dist-info"
    with zipfile.ZipFile(tmp_path / "wheels/fkp_tiny_package-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("fkp_tiny.py", "word = 'tiny'")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: fkp-tiny-package\nVersion: 1\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    runs, statuses = KernelRuns(tmp_path / "kernels"), []
    code = notebook(
        "%pip install -q --no-index --find-links=../input/datasets/me/libs fkp-tiny-package",
        "import fkp_tiny; print(fkp_tiny.word)",
    )
    start(
        runs,
        code,
        1,
        statuses,
        kernel_type="notebook",
        internet=False,
        inputs={"datasets/me/libs": [tmp_path / "wheels"]},
    )
    wait(lambda: statuses and statuses[-1][0] != "RUNNING")
    assert statuses[-1][0] == "COMPLETE" and "tiny\n" in text(runs, 1), text(runs, 1)
    assert (
        subprocess.run([sys.executable, "-c", "import fkp_tiny"], capture_output=True).returncode
        != 0
    )
    runs.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_server_leaves_no_kernel_running(bundles, tmp_path, how):
    serving = (
        "import sys\nfrom fastkaggle_plus.sandbox import serve\n"
        "serve(sys.argv[1], state=sys.argv[2], user='u', key='k', on_start=lambda b: "
        "print(b.url, flush=True))"
    )
    command = [sys.executable, "-c", serving, str(bundles), str(tmp_path / "state")]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    kernels = KernelCaller(
        Caller(SimpleNamespace(url=first.stdout.readline().strip(), user="u", key="k"))
    )
    code = (
        "import subprocess, sys\nprint('up', flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(600) # "
        "orphan-of-server'], start_new_session=True)"
    )
    kernels.push(notebook(code), kind="notebook")
    wait(lambda: alive("orphan-of-server") and "up" in kernels.log())
    first.send_signal(how)
    first.wait(timeout=20)
    wait(lambda: not alive("orphan-of-server"))
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        again = KernelCaller(
            Caller(SimpleNamespace(url=second.stdout.readline().strip(), user="u", key="k"))
        )
        found = again("GetKernelSessionStatus")
        assert found["status"] == "ERROR" and "sandbox was" in found["failureMessage"]
        assert "up" in again.log() and json.loads(again("ListKernelSessionOutput")["log"])
        assert again.run("print('works again')")[0] == "COMPLETE"
    finally:
        second.terminate()
        second.wait(timeout=20)


def test_inputs_that_could_not_be_mounted_are_not_taken_for_attached(tmp_path):
    inputs, (ours, theirs) = RunInputs(tmp_path / "run", has_own_files=True), socket.socketpair()
    theirs.close()  # the kernel has ended
    with contextlib.closing(Control(ours)) as inputs.control:
        for _ in range(2):
            with pytest.raises(OSError):
                inputs.attach("datasets/ada/rates", [tmp_path])


def test_a_late_answer_about_another_input_is_not_taken_for_this_one():
    ours, theirs = socket.socketpair()
    with contextlib.closing(Control(ours)) as control, theirs:
        late = {"path": "datasets/ada/slow", "error": None}  # its question timed out
        answer = {"path": "datasets/ada/rates", "error": "no space"}
        theirs.sendall(b"".join(json.dumps(a).encode() + b"\n" for a in (late, answer)))
        with pytest.raises(OSError, match="no space"):
            control.mount(Path("/folder"), "datasets/ada/rates")
        theirs.sendall(json.dumps(late).encode() + b"\n")
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(OSError, match="ended"):
            control.mount(Path("/folder"), "datasets/ada/rates")
