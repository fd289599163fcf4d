"""Without `--live` nothing tries an address but this machine's: no verb, no Python call."""

import signal
from pathlib import Path

import click
import pytest
import typer

from fastkaggle_plus.cli.app import app
from fastkaggle_plus.sandbox import running

from ..sandbox.conftest import Caller
from ..sandbox.kernel_caller import KernelCaller, wait

# Values of required parameters. A new verb with another one needs an entry here.
VALUES = {
    "slug": ["toy"],
    "competition": ["toy"],
    "message": ["a message"],
    "handle": ["somebody/a-notebook"],
    "a": ["tree"],
    "b": ["forest"],
    "members": ["tree", "forest"],
    "data": ["bundles"],
    "other": ["runs/toy"],
    "trial": ["tree"],
    "trials": ["tree"],
    "folder": ["made/flags-False-model"],  # of the command export
}
# More arguments, to get further.
MORE = {
    "ensemble": ["--weights", "forest=1"],
    "submit": ["--file", "runs/toy/submission.csv"],
    "new": ["--dest", "made/{name}"],
    "libs": ["--dest", "made/libs"],
    "export": ["--to", "made/{name}-model"],
    "app": ["--to", "made/{name}-app"],
    "lesson": ["--to", "made/{name}"],
    "sandbox serve": ["--port", "0"],
}
# These need no Kaggle, so they must succeed: a verb that fails early proves little.
LOCAL = (
    "run sweep push notebook board log compare ensemble new list archs doctor vault "
    "export explain app lesson"
).split()
SERVING = ("sandbox serve",)  # verbs that run until they are interrupted
# Flags that are not tried: `--live` and `--online` are the ways to Kaggle, and `--no-submit`
# would end a push early. `--strict` fails where a rule finds something.
NOT_TRIED = ("live", "online", "as_json", "help", "no_submit", "strict")
NOT_FITTING = {  # with the other arguments; `fkp app --serve` runs until it is interrupted
    "sweep": ("dry_run", "gpu"),
    "ensemble": ("negative",),
    "app": ("serve", "public"),
}
SLOW = ("push",)  # tried once, with all flags


def find_verbs() -> dict[str, click.Command]:
    """Return every command of `fkp` by its name."""
    verbs, groups = {}, [("", typer.main.get_command(app))]
    while groups:
        name, command = groups.pop()
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            groups += [(f"{name} {n}".strip(), c) for n, c in command.commands.items()]
        else:
            verbs[name] = command
    return verbs


VERBS = find_verbs()


def arguments_of(name: str, *, with_flags: bool = False) -> list[str]:
    """Return a command line with all required arguments; with all flags but those to Kaggle."""
    options, positional = [], []
    for parameter in VERBS[name].params:
        if parameter.name in VALUES and parameter.required:
            values = VALUES[parameter.name]
            if parameter.param_type_name == "argument":
                positional += values
            else:
                options += [parameter.opts[-1], *values]
        elif parameter.required:
            raise AssertionError(f"fkp {name} needs {parameter.name}: give VALUES an example")
        elif with_flags and getattr(parameter, "is_flag", False):
            skipped = (*NOT_TRIED, *NOT_FITTING.get(name, ()))
            options += [] if parameter.name in skipped else [parameter.opts[0]]
    more = [text.format(name=f"flags-{with_flags}") for text in MORE.get(name, [])]
    return [*name.split(), *options, *(m for m in more if m not in options), *positional]


def lines_to_try() -> list[list[str]]:
    return [
        line
        for name in VERBS
        for line in dict.fromkeys(
            tuple(arguments_of(name, with_flags=flags)) for flags in {name in SLOW, True}
        )
    ]


def test_every_verb_is_found():
    assert {"run", "push", "submit", "setup", "doctor", "sandbox serve"} <= set(VERBS)
    assert len(lines_to_try()) >= len(VERBS)


@pytest.mark.parametrize("line", lines_to_try(), ids=" ".join)
def test_no_verb_leaves_this_machine(place, line):
    if " ".join(line).startswith(SERVING):
        process = place.start("-m", "fastkaggle_plus", *line)
        assert "http://127.0.0.1" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        tried = place.attempts.read_text()
    else:
        done = place.fkp(*line)
        tried = done.tried
        assert "Traceback" not in done.stderr, done.stderr
        # A wrong command line ends before it can try an address.
        assert "Usage:" not in done.stderr, done.stderr
        assert done.returncode == 0 or line[0] not in LOCAL, done.stderr
    assert not tried


def test_the_recorder_sees_what_a_live_verb_tries(place):
    """Otherwise the other tests prove nothing."""
    process = place.start("-m", "fastkaggle_plus", "run", "toy", "--live", "--yes")
    wait(lambda: "api.kaggle.com" in place.attempts.read_text())
    process.terminate()
    process.communicate(timeout=20)


def test_no_python_call_of_a_rehearsal_leaves_this_machine(place):
    code = """
from pathlib import Path
from fastkaggle_plus import *
from fastkaggle_plus.kaggle_client import connect
from fastkaggle_plus.workflow.push import push
outcome = run("toy", workers=0, dest="runs/python")
sweep("toy", workers=0, dest="runs/python")
push("toy", quick=True, dest="runs/python")
with rehearsal("toy", dest="runs/python") as box:
    path = setup_comp("toy")
    submit(path / "sample_submission.csv", "again", "toy", again=True)
    competition_submit(str(path / "sample_submission.csv"), "as in fastkaggle", "toy")
    print("rows", len(submissions("toy")), len(leaderboard("toy")))
    Path("script.py").write_text("print('in a kernel')")
    push_notebook("kaggler", "a-script", "A script", "script.py", competition="toy")
    print(wait_kernel("kaggler/a-script").status, len(kernel_logs("kaggler/a-script")))
    kernel_output("kaggler/a-script", "out")
    print("quota", quota())
    import kagglehub
    print(kagglehub.competition_download("toy", force_download=True))
    for server in ("https://api.kaggle.com", "http://192.0.2.1"):
        try:
            connect(server, user="u", key="k")
        except FastkaggleError as e:
            print("refused", type(e).__name__)
"""
    done = place.run(code)
    assert done.returncode == 0, done.stderr
    assert done.tried == [] and "COMPLETE" in done.stdout and done.stdout.count("refused") == 2


@pytest.mark.parametrize("internet", [True, False])
def test_no_client_in_a_kernel_tries_another_address(place, tmp_path, internet):
    """The recorder runs before the kernel's own guard, in the script and in its child."""
    recorder = Path(__file__).with_name("recorder.py").read_text()
    clients = """
import os, subprocess, kagglehub
data = kagglehub.competition_download("toy")
from fastkaggle_plus import setup_comp, submit
assert os.listdir(setup_comp("toy")) == os.listdir(data)
if INTERNET:
    from kaggle import api
    print("files", len(api.competition_list_files("toy").files))
    subprocess.run(["kaggle", "competitions", "submissions", "toy"], check=True)
    import fastkaggle
    fastkaggle.import_kaggle()
    print("sent", submit(data + "/sample_submission.csv", "from a kernel", "toy").ref > 0)
print("done")
""".replace("INTERNET", str(internet))
    code = f"""
import os, subprocess, sys
os.makedirs("/tmp/recorder", exist_ok=True)
own = os.environ["PYTHONPATH"]
with open("/tmp/recorder/sitecustomize.py", "w") as f:
    f.write({recorder!r} + f"\\nexec(open({{own + '/sitecustomize.py'!r}}).read())")
tried = os.path.abspath("tried.txt")
paths = os.pathsep.join(["/tmp/recorder", own])
env = {{**os.environ, "PYTHONPATH": paths, "FKP_ATTEMPTS": tried}}
open(tried, "w").close()
subprocess.run([sys.executable, "-c", {clients!r}], env=env, check=True)
escape = "import socket\\ntry: socket.getaddrinfo('host.invalid', 80)\\nexcept OSError: pass"
tries = open(tried).read()
subprocess.run([sys.executable, "-c", escape], env=env, check=True)
print("clients tried", repr(tries), "recorder works", "host.invalid" in open(tried).read())
"""
    with running(place.folder / "bundles", state=tmp_path / "state") as box:
        kernels = KernelCaller(Caller(box))
        sources = {"competitionDataSources": ["toy"], "enableInternet": internet}
        status, log, _ = kernels.run(code, "Recorded", **sources)
    assert status == "COMPLETE", log
    assert "done\n" in log and "clients tried '' recorder works True" in log
