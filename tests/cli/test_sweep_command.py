"""`fkp sweep` in real processes: where it runs, Ctrl-C, and another terminal that watches it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastkaggle_plus.sweeps.engines import engine_names, own_options

from ..workflow.toy import fkp, make_toy

TRIALS = """from fastkaggle_plus import Trial
TRIALS = (
    Trial("quick", "forest.tree_model", {"max_leaf_nodes": 4}),
    Trial("slow", "models.slow"),
    Trial("last", "models.slow", {"max_leaf_nodes": 5}),
)
"""
MODELS = """
import time
from pathlib import Path
from fastkaggle_plus.modeling import Model, progress, tree_model

def slow(max_leaf_nodes=3):
    def fit(table):
        progress.report_epoch(1, 2)
        while Path("WAIT").exists():
            time.sleep(0.05)
        return tree_model(max_leaf_nodes=max_leaf_nodes).fit(table)
    return Model("slow", fit)
"""
SWEEP = ("sweep", "toy", "--bundles", "bundles", "--workers", "1", "--folds", "2")


@pytest.fixture
def place(tmp_path):
    toy = make_toy(tmp_path / "bundles", n=120, n_test=60) / "toy"
    (toy / "trials.py").write_text(TRIALS)
    wait = tmp_path / "WAIT"
    wait.touch()
    (toy / "models.py").write_text(MODELS.replace("WAIT", str(wait)))
    return tmp_path


def start(*arguments, cwd, **env):
    """Start `fkp` in a session of its own, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "fastkaggle_plus", *arguments],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs, and the processes they start, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def processes_of(session: int) -> list[str]:
    """Return the command lines of the processes of a session, without ended ones."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = stat.read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z":
                found.append(stat.with_name("cmdline").read_text())
        except (OSError, ValueError):
            continue  # it ended
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_ctrl_c_leaves_no_process_and_the_same_command_resumes(place):
    sweep = start(*SWEEP, cwd=place)
    progress = place / "runs/toy/vault/progress.json"
    while not (progress.exists() and "slow: fold 1/2, epoch 1/2" in progress.read_text()):
        assert sweep.poll() is None, sweep.communicate()
        time.sleep(0.05)
    watch = start("board", "toy", "--watch", cwd=place, FORCE_COLOR="1", COLUMNS="120")
    seen = ""
    while "epoch 1/2" not in seen:  # it redraws while the sweep runs
        assert watch.poll() is None, watch.communicate()
        seen += watch.stdout.readline()
    assert "1/3 trials" in seen
    os.killpg(sweep.pid, signal.SIGINT)  # a terminal sends it to every process
    out, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 130 and "Traceback" not in out + err
    assert err.splitlines()[-1] == (
        "interrupted. Finished trials are kept: run the same command to resume."
    )
    for _ in range(100):
        if not processes_of(sweep.pid):
            break
        time.sleep(0.05)
    assert processes_of(sweep.pid) == []
    rest, err = watch.communicate(timeout=60)  # it ends with the sweep, and shows what finished
    assert watch.returncode == 0 and "quick" in rest and not err

    (place / "WAIT").unlink()
    again = fkp(*SWEEP, "--json", cwd=place)
    outcome = json.loads(again.stdout.splitlines()[-1])
    assert {t["name"]: t["reused"] for t in outcome["trials"]} == {
        "quick": True,
        "slow": False,
        "last": False,
    }


def test_the_board_is_shown_once_where_nothing_can_be_redrawn(place):
    (place / "WAIT").unlink()
    fkp(*SWEEP[:-4], "--workers", "0", "--folds", "2", "--trials", "quick", cwd=place)
    plain, watched = (fkp("board", "toy", *w, cwd=place) for w in ([], ["--watch"]))
    assert watched.returncode == 0 and watched.stdout == plain.stdout and "quick" in plain.stdout
    done = subprocess.run(
        [sys.executable, "-m", "fastkaggle_plus", "board", "toy", "--watch"],
        cwd=place,
        env={**os.environ, "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert "No sweep runs in runs/toy now." in done.stdout and "quick" in done.stdout


def test_every_option_for_a_place_is_one_of_its_signature():
    """Otherwise the command line offers an option that every place refuses."""
    taken = {option for place in engine_names() for option in own_options(place)}
    given = {"address", "cards", "confirm", "dry_run", "gpu", "max_gpu_hours", "memory_mb"}
    assert given | {"n_kernels", "num_gpus", "threads", "workers"} <= taken


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--on", "moon"], "Unknown place to run 'moon'"),
        (["--on", "local", "--num-gpus", "0.5"], "num_gpus"),
        (["--dry-run"], "dry_run"),
    ],
    ids=str,
)
def test_a_place_or_an_option_that_does_not_fit_is_refused_before_anything_runs(
    place, options, expected
):
    done = fkp(*SWEEP, *options, cwd=place)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and expected in done.stderr
    assert not (place / "runs").exists()


def test_cards_are_read_as_a_list(place):
    done = fkp(*SWEEP, "--cards", "0,0", cwd=place)
    assert done.returncode == 1 and "different GPUs" in done.stderr and "['0', '0']" in done.stderr
