"""Push, end to end: render -> check -> models and libraries as datasets -> push -> run -> output -> submission; in the sandbox, or the real Kaggle."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import KaggleError, KernelFailed, NotebookError
from ..kaggle_client import (
    KernelOutput,
    KernelStatus,
    KernelVersion,
    Submission,
    create_libs_datasets,
    import_kaggle,
    kernel_logs,
    kernel_output,
    push_notebook,
    submit,
    submit_code,
    sync_dataset,
    wait_kernel,
)
from ..notebooks import (
    Rendered,
    check_notebook,
    dry_run,
    forecast_from_dry_run,
    forecast_s,
    measured_seconds,
    render_notebook,
    rows_kept,
    runs_trials,
)
from ..notebooks.attached_models import render_with_weights
from ..secrets import env_values
from ..sweeps.default_trials import trials_of
from .callbacks import PushWatcher
from .outcome import Standing
from .run import Clock, staged

OWN = "fastkaggle_plus"
# Kaggle's image has these in versions that fit each other; everything else that we need is small and comes along.
IN_KAGGLES_IMAGE = ("matplotlib", "numpy", "pandas", "pillow", "scikit-learn", "scipy")
POLL_S = 15.0
RERUN_S = (
    10 * 3600.0
)  # a re-run may take nine hours, and a rehearsal's Kaggle would end with our waiting
LOCAL_POLL_S = 0.5  # of a sandbox, which nobody else asks


@dataclass(frozen=True, eq=False)
class Pushed:
    "What one push left behind."

    comp: Competition
    rendered: Rendered
    kernel: KernelVersion
    libs_dataset: str  # owner/name
    weights_datasets: tuple[str, ...]  # owner/name, one a pretrained model that has to come along
    forecast_s: float | None  # expected run time, None where nothing was measured
    status: KernelStatus | None = None  # None: not waited for
    output: KernelOutput | None = None
    submission: Submission | None = None
    file: Path | None = None  # the submission's csv, of an ordinary competition
    sha256: str = ""
    standing: Standing | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # where the time went

    def as_json(self) -> dict[str, Any]:
        "Return the facts of `fkp push --json`."
        ours = self.submission
        sent = ours and {
            "path": self.file and str(self.file.resolve()),
            "sha256": self.sha256,
            "ref": ours.ref,
            "sent": ours.sent,
        }
        return {
            "slug": self.comp.slug,
            "notebook": str(self.rendered.file),
            "kernel": asdict(self.kernel),
            "libs_dataset": self.libs_dataset,
            "weights_datasets": list(self.weights_datasets),
            "forecast_s": self.forecast_s and round(self.forecast_s, 1),
            "status": self.status and self.status.status,
            "output": self.output
            and {"path": self.output.path, "files": len(self.output.files), "log": self.output.log},
            "submission": sent,
            "public_score": self.standing and self.standing.public_score,
            "private_score": self.standing and self.standing.private_score,
            "seconds": round(sum(self.seconds.values()), 3),
            "seconds_by_step": {k: round(v, 3) for k, v in self.seconds.items()},
        }


def push(
    slug: str,
    *,
    bundles: str
    | Path
    | None = None,  # folder of sandbox bundles to rehearse against instead of the built-in rehearsal
    data: str
    | Path
    | None = None,  # or: a folder with the competition's own files, of which labelled rows are held out
    dest: str | Path | None = None,  # where everything goes; default: runs/<slug>
    live: bool = False,  # the real Kaggle, with your account; otherwise the sandbox
    wait: bool = True,  # for the end, the output and the score; a rehearsal always waits, as its Kaggle ends with it
    send: bool = True,  # submit what the notebook wrote
    quick: bool = False,  # a dry run: a slice of the rows, small models
    try_first: bool = False,  # run it here in QUICK mode before anything is sent; also forecasts the run time
    again: bool = False,  # submit even what was submitted before, as after a re-run on hidden rows that failed
    seed: int = 42,
    n_folds: int = 5,
    watcher: PushWatcher | None = None,
    **kernel_facts: Any,  # title, gpu, internet, datasets, models: see notebooks.kernel_metadata
) -> Pushed:
    """Render the competition's notebook, check it, run it on Kaggle, and submit what it wrote; what an earlier call sent is not sent again.

    Raises NotebookError for a notebook that should not go out, KernelFailed with the log's end for one that failed there.
    """
    watcher = watcher or PushWatcher()
    with staged(
        slug, bundles=bundles, data=data, dest=dest, live=live, seed=seed, watcher=watcher
    ) as stage:
        comp, clock, client = stage.comp, stage.clock, import_kaggle()
        one = _Push(
            comp,
            stage.home,
            stage.place / "journal",
            client,
            str(client.config_values["username"]),
            live,
            seed,
            n_folds,
            watcher,
            clock,
        )
        rendered, weights = one.render(
            quick, {"libs_dataset": f"{one.owner}/library-{OWN.replace('_', '-')}", **kernel_facts}
        )
        expected = one.check(rendered, quick, try_first)
        made = one.bring_weights(weights)
        libs = one.bring_libs()
        version = one.push(rendered)
        pushed = partial(Pushed, comp, rendered, version, libs, made, expected, seconds=clock.laps)
        if live and not wait:
            return pushed()
        status, output = one.follow(version)
        if not (send and status.is_done):
            return pushed(status, output)
        submission, file, sha256 = one.submit(version, output, again=again)
        standing = stage.standing(submission)
        clock.lap("submit")
        return pushed(status, output, submission, file, sha256, standing)


@dataclass
class _Push:
    "The steps, with what they share."

    comp: Competition
    home: Path
    journal: Path
    client: Any
    owner: str
    is_live: bool
    seed: int
    n_folds: int
    watcher: PushWatcher
    clock: Clock
    weights: dict[str, set[str]] = field(default_factory=dict)  # see `weights_needed`

    def render(self, quick: bool, kernel_facts: dict[str, Any]) -> tuple[Rendered, list[str]]:
        "Return the notebook, and the pretrained models that have to come along."
        made = render_with_weights(
            self.comp,
            owner=self.owner,
            dest=self.home / "notebook",
            quick=quick,
            params=self.params,
            **kernel_facts,
        )
        self.weights = made.needed
        self.told("render", f"{made.rendered.file}, {len(made.rendered.notebook.cells)} cells")
        return made.rendered, list(made.brought)

    @property
    def params(self) -> dict[str, Any]:
        return {"SEED": self.seed, "N_FOLDS": self.n_folds}

    def check(self, rendered: Rendered, quick: bool, try_first: bool) -> float | None:
        "Refuse what should not go out; return the expected run time, where anything tells it."
        trials = (
            trials_of(self.comp) if runs_trials(rendered.notebook) else ()
        )  # other lists are not measured one by one
        measured = {
            **measured_seconds((self.comp.folder or self.home) / "results.csv"),
            **measured_seconds(self.home / "results.csv"),
        }
        expected = forecast_s(measured, [t.name for t in trials], n_folds=self.n_folds)
        if try_first:
            small = (
                rendered if quick else render_notebook(self.comp, quick=True, params=self.params)
            )
            took = dry_run(small.notebook, folder=self.home / "dry-run")
            expected = expected or forecast_from_dry_run(
                took, trials, rows=self.rows_to_fit(), kept=rows_kept(self.comp)
            )
            self.told("try", f"the notebook ran here in QUICK mode, {took:.0f} s")
        known = (
            *env_values(Path.cwd()),
            *env_values(self.home),
            *(v for k in ("key", "token") if (v := self.client.config_values.get(k))),
        )
        check_notebook(
            rendered.notebook,
            metadata=rendered.metadata,
            comp=self.comp,
            forecast_s=None if quick else expected,
            known_secrets=known,
            weights=self.weights,
        )
        about = (
            ""
            if quick or expected is None
            else f"; about {max(expected / 60, 1):.0f} min expected on Kaggle"
        )
        self.told(
            "check", f"compiles, no secrets, no outputs, no local paths, inputs declared{about}"
        )
        return expected

    def rows_to_fit(self) -> int:
        "Count the training rows that the dry run saw a slice of."
        try:
            with (self.home / "dry-run" / self.comp.slug / self.comp.train).open("rb") as f:
                return max(sum(1 for _ in f) - 1, 1)
        except OSError:
            return 1

    def bring_weights(self, archs: list[str]) -> tuple[str, ...]:
        "Bring a private dataset of each pretrained model up to date."
        from ..modeling.text.weights import copy_weights, dataset_name

        made = []
        for arch in archs:
            folder = self.home / "weights" / dataset_name(arch)
            shutil.rmtree(folder, ignore_errors=True)
            copy_weights(arch, folder)
            kept = sync_dataset(
                folder, folder.name, client=self.client, journal=self.journal, poll_s=self.poll_s
            )
            self.told(
                "weights",
                f"{arch} as {kept.handle}, version {kept.version} {'made' if kept.sent else 'is up to date'}",
            )
            made.append(str(kept.handle))
        return tuple(made)

    def bring_libs(self) -> str:
        "Bring the dataset of wheels up to date; a rehearsal's kernels run in this environment and need no other wheel than ours."
        [made] = create_libs_datasets(
            [OWN],
            self.home / "libs",
            self.owner,
            deps=self.is_live,
            without=IN_KAGGLES_IMAGE,
            journal=self.journal,
            client=self.client,
            poll_s=self.poll_s,
        )
        state = (
            f"version {made.dataset.version} made"
            if made.changed
            else f"version {made.dataset.version} is up to date"
        )
        self.told("libs", f"{made.dataset.handle}, {state}")
        return str(made.dataset.handle)

    def push(self, rendered: Rendered) -> KernelVersion:
        assert rendered.file is not None  # a push renders to a folder
        meta = rendered.metadata
        version = push_notebook(
            self.owner,
            meta["id"].rpartition("/")[2],
            meta["title"],
            rendered.file.name,
            rendered.file.parent,
            meta["competition_sources"],
            meta["is_private"],
            meta["enable_gpu"],
            meta["enable_internet"],
            meta["dataset_sources"],
            machine_shape=meta["machine_shape"] or None,
            linked_models=meta["model_sources"],
            client=self.client,
            journal=self.journal,
            poll_s=self.poll_s,
            progress=lambda line: self.watcher.step("queue", line),
        )
        self.told(
            "push",
            f"{version.handle} version {version.version}"
            + ("" if version.sent else ": it was there already and was not sent again"),
        )
        return version

    def follow(self, version: KernelVersion) -> tuple[KernelStatus, KernelOutput]:
        "Show the log while it runs, wait for the end, and fetch the output."
        is_shown = False
        with contextlib.suppress(
            KaggleError
        ):  # the notebook runs on whether or not its log can be followed
            for event in kernel_logs(version, follow=True, client=self.client, poll_s=self.poll_s):
                self.watcher.log(event.text)
                is_shown = self.watcher.shows_log
        try:
            status = wait_kernel(version, poll_s=self.poll_s, client=self.client)
        except KernelFailed as e:
            raise self._with_output(e, version, is_shown=is_shown) from None
        self.told("run", f"{version.handle} version {version.version}: {status.status.lower()}")
        output = kernel_output(version, self.home / "output", client=self.client)
        self.told("output", f"{len(output.files)} files in {output.path}")
        return status, output

    def _with_output(
        self, error: KernelFailed, version: KernelVersion, *, is_shown: bool
    ) -> KernelFailed:
        "Fetch what a failed notebook wrote, and return the error that says where its log is; what was shown of it is not said again."
        try:
            output = kernel_output(version, self.home / "output", client=self.client)
        except KaggleError:
            return error  # it says where else to look
        log = str(Path(output.path) / output.log) if output.log else ""
        end = f" The end of its log:\n{error.log_end}\n" if error.log_end and not is_shown else " "
        where = (
            f"The whole log: {log}" if log else f"It left no log; what it wrote is in {output.path}"
        )
        return KernelFailed(
            f"{error.what}{end}{where}",
            said=error.said,
            what=error.what,
            log_end=error.log_end,
            log=log,
        )

    def submit(
        self, version: KernelVersion, output: KernelOutput, *, again: bool
    ) -> tuple[Submission, Path | None, str]:
        what = f"fkp push: {version.handle} version {version.version}, {self.n_folds} folds, seed {self.seed}"
        file = Path(output.path) / "submission.csv"
        if not file.is_file():  # a code competition too takes no version that has not written it
            raise NotebookError(
                f"{version.handle} version {version.version} wrote no submission.csv. It wrote: {', '.join(output.files) or 'nothing'}. "
                "End it with write_submission(preds, comp, path)."
            )
        if self.comp.code_competition:
            self.watcher.step(
                "hidden",
                f"{version.handle} version {version.version} runs again on the rows that it has not seen",
            )
            return (
                submit_code(
                    version,
                    None,
                    what,
                    competition=self.comp.slug,
                    client=self.client,
                    journal=self.journal,
                    poll_s=self.poll_s,
                    timeout_s=RERUN_S,
                    again=again,
                ),
                None,
                "",
            )
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        sent = submit(
            file,
            f"{what} [{sha256[:12]}]",
            self.comp.slug,
            client=self.client,
            journal=self.journal,
            poll_s=self.poll_s,
            again=again,
        )
        return sent, file, sha256

    @property
    def poll_s(self) -> float:
        return POLL_S if self.is_live else LOCAL_POLL_S

    def told(self, step: str, detail: str) -> None:
        self.clock.lap(step)
        self.watcher.step(step, detail)
