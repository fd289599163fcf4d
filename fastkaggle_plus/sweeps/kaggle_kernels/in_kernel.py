"""Run a shard of a sweep inside a Kaggle kernel, and write one result file for each trial.

The kernel ends itself at its deadline. SHARD_FILE says at every moment how far it is.
"""

import base64
import json
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...competition import COMPETITION_FILE, Competition, load_comp, read_competition
from ...exceptions import FastkaggleError
from ...files import write_atomically
from ...kaggle_client.inputs import find_mounted
from ..resume import run_parts
from ..run_local import run_local
from ..splits import splits_of
from ..spool import write_result
from ..trial import Sweep, Trial, TrialResult
from ..vault import Vault

SHARD_FILE, RESULTS = "shard.json", "results"  # in the kernel's output
RUNNING, DONE, DEADLINE, REFUSED = "running", "done", "deadline", "refused"  # its states


def run_shard(
    shard: Mapping[str, Any],  # see `script.py`
    files: Mapping[str, str | bytes],  # of the competition's folder; bytes in base64
    *,
    started: float,  # of the script, seconds since 1970
    output: str | Path = ".",  # Kaggle keeps the files in its working folder
) -> None:
    """Run the shard's trials here, after a check that they give the results that are expected."""
    progress = _Progress(Path(output) / SHARD_FILE, started)
    left_s = shard["deadline_s"] - (time.time() - started)
    guard = threading.Timer(max(left_s, 0.0), progress.end_kernel)
    guard.daemon = True
    guard.start()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            is_whole = _run(shard, files, progress, Path(temporary), Path(output) / RESULTS)
        progress.write(DONE if is_whole else DEADLINE)
    except FastkaggleError as e:
        progress.write(REFUSED, error=f"{type(e).__name__}: {e}")
    finally:
        guard.cancel()


class _Progress:
    """Writes the state of the kernel: how long it runs, and which trials ran in it."""

    def __init__(self, file: Path, started: float):
        self.file, self.started = file, started
        self.begun: dict[str, float] = {}  # trial -> seconds after the start of the kernel
        self.ended: dict[str, float] = {}
        self._lock = threading.Lock()
        self.write(RUNNING)

    @property
    def seconds(self) -> float:
        return time.time() - self.started

    def write(self, state: str, *, error: str = "") -> None:
        facts = {"state": state, "error": error, "seconds": self.seconds}
        with self._lock:
            facts |= {"begun": dict(self.begun), "ended": dict(self.ended)}
            write_atomically(self.file, json.dumps(facts, indent=1))

    def begin(self, trial: Trial) -> None:
        self._note(self.begun, trial.name, "started")

    def end(self, name: str) -> None:
        self._note(self.ended, name, "ended")

    def _note(self, times: dict[str, float], name: str, what: str) -> None:
        times[name] = self.seconds
        print(f"{times[name]:.0f} s: {name} {what}", flush=True)  # noqa: T201 - the kernel's log
        self.write(RUNNING)

    def end_kernel(self) -> None:
        """End the kernel with its workers, because its deadline is over."""
        self.write(DEADLINE)
        os._exit(0)  # what is written so far is the output


def _run(
    shard: Mapping[str, Any],
    files: Mapping[str, str | bytes],
    progress: _Progress,
    temporary: Path,
    results: Path,
) -> bool:
    """Run the trials; return whether all of them ran."""
    comp = written_competition(shard["competition"], files, temporary)
    path = find_mounted(comp.slug)
    trials = tuple(Trial(**t) for t in shard["trials"])
    sweep = Sweep(trials=trials, **shard["sweep"])
    data = comp.read(path)
    here = run_parts(sweep, comp, data, splits_of(sweep, comp, data), versions=False)
    check_parts(shard["parts"], here)
    vault = Vault(temporary / "vault")
    left: list[str] = []

    def keep(result: TrialResult) -> None:
        if result.not_run:
            left.append(result.name)
            return
        run = next(run for run in vault.runs() if run.trial == result.name)
        facts = {k: v for k, v in run.facts.items() if k not in ("competition", "data")}  # folders
        write_result(
            results,
            shard["keys"][result.name],
            comp.slug,
            result.predictions,
            name=result.name,
            error=result.error,
            **facts,
        )
        progress.end(result.name)

    run_local(
        sweep,
        comp,
        path,
        vault=vault,
        data=data,
        on_start=progress.begin,
        on_result=keep,
        on_progress=lambda trial, share, step: None,
        on_split=print,
        stop_after_s=max(shard["stop_after_s"] - progress.seconds, shard["start_s"]),
    )
    return not left


def written_competition(slug: str, files: Mapping[str, str | bytes], folder: Path) -> Competition:
    """Write the competition's folder and read it; without files it is a built-in one."""
    if not files:
        return load_comp(slug)
    for name, content in files.items():
        file = folder / slug / name
        file.parent.mkdir(parents=True, exist_ok=True)
        body = content.encode() if isinstance(content, str) else base64.b64decode(content)
        file.write_bytes(body)
    return read_competition(folder / slug / COMPETITION_FILE)


def check_parts(
    expected: Mapping[str, Mapping[str, str]],  # trial -> parts of its key, on the driver
    here: Mapping[str, Mapping[str, str]],
) -> None:
    """Raise FastkaggleError if a trial would not be the one that the driver sent."""
    for name, parts in expected.items():
        differing = [part for part in parts if here[name].get(part) != parts[part]]
        if differing:
            raise FastkaggleError(
                f"The trial {name!r} would run with another {' and '.join(differing)} here than "
                "on the machine that sent it. Update the dataset of fastkaggle_plus's wheels "
                "(`fkp libs`), and check that the competition's files on both are the same."
            )
