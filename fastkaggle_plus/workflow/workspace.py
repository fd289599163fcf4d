"""The workspace of a run or a push: its folders, its Kaggle (real or sandbox) and its timings."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..competition import Competition, load_comp
from ..exceptions import ConfigError
from ..files import is_locked
from ..kaggle_client import Submission, import_kaggle
from ..sweeps.vault import output_folder
from .callbacks import RunCallbacks
from .outcome import Standing
from .rehearse import Rehearsal, rehearsal

_LOCK = "run.lock"  # in the output folder
_SEEDS = 2**32  # numpy and scikit-learn accept seeds below this
_POLL_S = 15.0
_SANDBOX_POLL_S = 0.5  # the sandbox serves only us, so it can be asked often


@dataclass(eq=False)
class Workspace:
    """The folders and the Kaggle that a run or a push uses; measures the time of each step."""

    comp: Competition
    folder: Path  # what the user gets; `live` in the output folder for the real Kaggle
    kaggle_folder: Path  # what belongs to one Kaggle, real or sandbox
    data: Path  # the competition's files
    sandbox: Rehearsal | None  # None: the real Kaggle
    seed: int
    callbacks: RunCallbacks
    seconds: dict[str, float] = field(default_factory=dict)  # by step
    step_start: float = field(default_factory=time.perf_counter)

    @property
    def is_live(self) -> bool:
        """Say whether this is the real Kaggle."""
        return self.sandbox is None

    @property
    def journal(self) -> Path | None:
        """Return the folder where writes are journaled; None: one journal for the real Kaggle."""
        return None if self.is_live else self.kaggle_folder / "journal"

    @property
    def poll_s(self) -> float:
        """Return the pause between two status requests, in seconds."""
        return _POLL_S if self.is_live else _SANDBOX_POLL_S

    @cached_property
    def client(self) -> Any:
        """Return an authenticated KaggleApi."""
        return import_kaggle()

    @property
    def user(self) -> str:
        """Return the Kaggle user name."""
        return str(self.client.config_values["username"])

    @property
    def kaggle_options(self) -> dict[str, Any]:
        """Return the keyword arguments that every write to Kaggle takes."""
        return {"client": self.client, "journal": self.journal, "poll_s": self.poll_s}

    @property
    def part_rows(self) -> tuple[int, int] | None:
        """Return the number of public and private test rows; None on the real Kaggle."""
        if self.sandbox is None:
            return None
        public, private = self.sandbox.server.part_rows(self.comp.slug)
        return public, private

    def end_step(self, step: str) -> None:
        """Book the time since the last step ended on `step`."""
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0) + now - self.step_start
        self.step_start = now

    def report_step(self, step: str, detail: str) -> None:
        """End a step and pass its result to the callbacks."""
        self.end_step(step)
        self.callbacks.on_step(step, detail)

    def standing(self, submission: Submission) -> Standing:
        """Return the scores of a submission; in the sandbox also its ranks and private score."""
        if self.sandbox is None:
            return Standing(submission.public_score, submission.private_score)
        server, slug, ref = self.sandbox.server, self.comp.slug, submission.ref
        public_rank, private_rank, _ = server.rank(slug, ref)
        return Standing(
            **_rounded_scores(server.submissions.one(ref) or {}),
            public_rank=public_rank,
            private_rank=private_rank,
            entries=tuple({**e, **_rounded_scores(e)} for e in server.leaderboard(slug)),
        )


@contextlib.contextmanager
def open_workspace(
    slug: str,
    dest: str | Path | None,
    seed: int,
    *,
    bundles: str | Path | None,
    data: str | Path | None,
    live: bool,
    callbacks: RunCallbacks,
    as_files: bool = False,  # a rehearsed code competition accepts files, see `rehearsal`
) -> Iterator[Workspace]:
    """Find the competition, lock its folder and, unless `live`, serve its rehearsal.

    Raises ConfigError, UnknownName, SandboxError.
    """
    if live and (bundles or data):
        raise ConfigError(
            "live uses the real Kaggle; bundles and data are for a rehearsal. "
            "Give either live, or bundles or data."
        )
    if not 0 <= seed < _SEEDS:
        raise ConfigError(f"Invalid seed = {seed}: expected a whole number from 0 to {_SEEDS - 1}.")
    start = time.perf_counter()
    comp = load_comp(slug, bundles=bundles)
    folder = output_folder(comp.slug, dest, live=live)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_locked(folder, callbacks))
        box: Rehearsal | None = None
        kaggle_folder, files = folder, folder / "data"
        if not live:
            rows: dict[str, Any] = {"bundles": bundles, "data": data, "seed": seed}
            box = stack.enter_context(rehearsal(comp, dest=folder, as_files=as_files, **rows))
            kaggle_folder, files = box.kaggle_folder, box.data
        work = Workspace(comp, folder, kaggle_folder, files, box, seed, callbacks, step_start=start)
        if box is not None:
            served = f"{comp.slug} served at {box.url}, nothing leaves this machine"
            work.report_step("sandbox", served)
            if box.as_files:
                callbacks.on_step(
                    "notebook",
                    f"{comp.slug} is a code competition: this run predicts its hidden rows from "
                    f"a file; `fkp push {comp.slug}` rehearses the notebook",
                )
        yield work


@contextlib.contextmanager
def _locked(folder: Path, callbacks: RunCallbacks) -> Iterator[None]:
    """Lock a folder during the block. Report when another run holds the lock."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        detail = f"for another run in {folder} to end; use --dest for another folder"
        callbacks.on_step("waiting", detail)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_running(folder: Path) -> bool:
    """Say whether a run or a sweep works in an output folder now."""
    return (folder / _LOCK).exists() and is_locked(folder / _LOCK)


def _rounded_scores(entry: dict[str, Any]) -> dict[str, float | None]:
    """Return the scores of an entry as Kaggle shows them, with 5 decimals."""
    scores = {k: entry.get(k) for k in ("public_score", "private_score")}
    return {k: None if score is None else round(score, 5) for k, score in scores.items()}
