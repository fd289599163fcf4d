"""`push`: run a competition's notebook on Kaggle, or in the sandbox, and submit what it writes."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import kaggle_client, notebooks
from ..exceptions import KaggleError, KernelFailed, NotebookError, NothingSent, UnknownName
from ..files import file_hash
from ..kaggle_client import KernelOutput, KernelStatus, KernelVersion, api
from ..kaggle_client.kernels.metadata import KernelMetadata
from ..kaggle_client.live_writes import remember
from ..kaggle_client.submissions import submissions_left
from ..notebooks import Rendered
from ..notebooks.attached_models import RenderedWithModels, render_with_models
from ..reading import parse_rows
from ..secrets import env_values
from ..sweeps.default_trials import trials_of
from ..sweeps.results_csv import measured_seconds
from ..sweeps.trial_needs import uses_gpu
from .callbacks import PushCallbacks
from .outcome import PushOutcome
from .push_datasets import LIBS_DATASET, publish_libs, publish_weights
from .run_progress import PushProgress, with_progress
from .submit import Confirm, Plan, submit_file, submit_notebook
from .workspace import Workspace, open_workspace

# A re-run on hidden rows may take nine hours, and the sandbox stops when this process does.
_RERUN_TIMEOUT_S = 10 * 3600.0


@with_progress(PushProgress)
def push(
    slug: str,
    *,
    bundles: str | Path | None = None,  # rehearse with these sandbox bundles
    data: str | Path | None = None,  # or: rehearse with rows held out from the files in here
    dest: str | Path | None = None,  # output folder, default runs/<slug>; live: `live` in it
    live: bool = False,  # use the real Kaggle with your account, not the sandbox
    wait: bool = True,  # wait for the output and the score; a rehearsal always waits
    send: bool = True,  # submit what the notebook wrote
    quick: bool = False,  # a dry run: a slice of the rows, small models; never submitted
    try_first: bool = False,  # first run it here in QUICK mode and forecast its run time
    again: bool = False,  # submit even what was submitted before, as after a failed re-run
    seed: int = 42,
    n_folds: int = 5,
    callbacks: PushCallbacks | None = None,  # default: show the progress
    confirm: Confirm | None = None,  # shows the plan of each write; None: send it
    **kernel_facts: Any,  # title, gpu, internet, datasets, models: see notebooks.kernel_metadata
) -> PushOutcome:
    """Render the competition's notebook, check it, run it on Kaggle and submit what it wrote.

    Nothing that an earlier call sent is sent again. Raises NothingSent if `confirm` refuses,
    NotebookError if the check fails, and KernelFailed if the notebook fails on Kaggle.
    """
    callbacks = callbacks or PushCallbacks()
    submits = send and not quick and (wait or not live)
    params = {"SEED": seed, "N_FOLDS": n_folds}
    with open_workspace(
        slug, dest, seed, bundles=bundles, data=data, live=live, callbacks=callbacks
    ) as work:
        kernel_facts = {"libs_dataset": f"{work.user}/{LIBS_DATASET}", **kernel_facts}
        made = _render(work, quick=quick, params=params, **kernel_facts)
        expected_s = _expected_s(work, made.rendered, params, quick=quick, try_first=try_first)
        _check(work, made, None if quick else expected_s)
        if confirm is not None and not confirm(_plan(work, made, submits=submits, quick=quick)):
            raise NothingSent(f"Nothing was sent. The notebook is {made.rendered.file}.")
        weights_datasets = tuple(publish_weights(work, arch) for arch in made.attached)
        libs_dataset = publish_libs(work)
        version = _push(work, made.rendered, callbacks, announce=confirm is None)
        outcome = PushOutcome(
            comp=work.comp,
            rendered=made.rendered,
            kernel=version,
            libs_dataset=libs_dataset,
            weights_datasets=weights_datasets,
            forecast_s=expected_s,
            quick=quick,
            seconds=work.seconds,
        )
        if live and not wait:
            return outcome
        status, output = _wait_for_output(work, version, callbacks)
        outcome = replace(outcome, status=status, output=output)
        if quick:
            note = f"an output of the QUICK dry run {version.handle}"
            remember(output.path, output.files, note)
        if not (submits and status.is_done):
            return outcome
        message = f"fkp push: {_name(version)}, {n_folds} folds, seed {seed}"
        return _submit(work, outcome, output, message, again=again, confirm=confirm)


def _name(version: KernelVersion) -> str:
    return f"{version.handle} version {version.version}"


def _plan(work: Workspace, made: RenderedWithModels, *, submits: bool, quick: bool) -> Plan:
    """Return what the push will send."""
    meta, comp = made.rendered.metadata, work.comp
    machine = meta["machine_shape"] or ("GPU" if meta["enable_gpu"] else "CPU")
    after = "a QUICK dry run: its output is not submitted" if quick else "it is not submitted"
    if submits:
        after = f"its output is submitted to {comp.slug}"
    return Plan(
        what=f"push {meta['id']}",
        is_live=not api.is_local(work.client),
        facts={
            "account": work.user,
            "competition": comp.slug,
            "notebook": f"{made.rendered.file}, titled {meta['title']!r}, private",
            "machine": f"{machine}, internet {'on' if meta['enable_internet'] else 'off'}",
            "datasets": ", ".join([f"{work.user}/{LIBS_DATASET}", *made.attached.values()]),
            "then": after,
            "left": submissions_left(comp.slug, client=work.client),
        },
    )


def _render(work: Workspace, **options: Any) -> RenderedWithModels:
    """Render the notebook, and find the pretrained models to publish as datasets."""
    folder = work.folder / "notebook"
    made = render_with_models(work.comp, owner=work.user, dest=folder, **options)
    cells = len(made.rendered.notebook.cells)
    work.report_step("render", f"{made.rendered.file}, {cells} cells")
    return made


def _expected_s(
    work: Workspace, rendered: Rendered, params: dict[str, Any], *, quick: bool, try_first: bool
) -> float | None:
    """Forecast the run time from measured trials, else from a dry run; None if unknown.

    Each list of trials is a sweep of its own, and one sweep runs after the other.
    """
    comp = work.comp
    sweeps = []
    for name in notebooks.lists_trained(rendered.notebook):
        with contextlib.suppress(UnknownName):  # not a list of trials.py
            sweeps.append(trials_of(comp, name))
    trials = [trial for sweep in sweeps for trial in sweep]
    folders = [comp.folder or work.folder, work.folder]
    if work.is_live:
        folders.insert(1, work.folder.parent)  # its rehearsal
    measured: dict[str, tuple[float, int]] = {}
    for folder in folders:
        measured |= measured_seconds(folder / "results.csv")
    expected = notebooks.forecast_s(
        measured,
        *([t.name for t in sweep] for sweep in sweeps),
        n_folds=notebooks.folds_fitted(rendered.notebook),
        n_gpus=KernelMetadata.read(rendered.metadata).n_gpus,
        on_gpu={t.name for t in trials if uses_gpu(t, comp, 0)},
    )
    if try_first:
        small = rendered if quick else notebooks.render_notebook(comp, quick=True, params=params)
        folder = work.folder / "dry-run"
        took_s = notebooks.dry_run(small.notebook, folder=folder)
        rows = _count_rows(folder / comp.slug / comp.train)
        expected = expected or notebooks.forecast_from_dry_run(
            took_s, trials, rows=rows, kept=notebooks.rows_kept(comp)
        )
        work.report_step("try", f"the notebook ran here in QUICK mode, {took_s:.0f} s")
    return expected


def _count_rows(file: Path) -> int:
    """Count the training rows; 1 if there is no such file."""
    return max(len(parse_rows(file, dtype=str)), 1) if file.exists() else 1


def _check(work: Workspace, made: RenderedWithModels, expected_s: float | None) -> None:
    """Check the notebook before anything is sent. Raises NotebookError, SecretFound."""
    config = work.client.config_values
    notebooks.check_notebook(
        made.rendered.notebook,
        metadata=made.rendered.metadata,
        comp=work.comp,
        forecast_s=expected_s,
        known_secrets=(
            *env_values(Path.cwd()),
            *env_values(work.folder),
            *(config[k] for k in ("key", "token") if config.get(k)),
        ),
        weights=made.needed,
    )
    detail = "compiles, no secrets, no outputs, no local paths, inputs declared"
    if expected_s is not None:
        detail += f"; about {max(expected_s / 60, 1):.0f} min expected on Kaggle"
        if (n_gpus := KernelMetadata.read(made.rendered.metadata).n_gpus) > 1:
            detail += f", billed once for {n_gpus} GPUs"
    work.report_step("check", detail)


def _push(
    work: Workspace, rendered: Rendered, callbacks: PushCallbacks, *, announce: bool
) -> KernelVersion:
    assert rendered.file is not None  # `_render` gave a folder
    meta = rendered.metadata
    version = kaggle_client.push_notebook(
        work.user,
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
        progress=lambda line: callbacks.on_step("queue", line),
        announce=announce,
        **work.kaggle_options,
    )
    note = "" if version.sent else ": exists already and was not sent again"
    work.report_step("push", f"{_name(version)}{note}")
    return version


def _wait_for_output(
    work: Workspace, version: KernelVersion, callbacks: PushCallbacks
) -> tuple[KernelStatus, KernelOutput]:
    """Follow the log until the notebook ends, then download its output. Raises KernelFailed."""
    is_shown = False
    with contextlib.suppress(KaggleError):  # the notebook runs on if its log is unreachable
        for event in kaggle_client.kernel_logs(
            version, follow=True, client=work.client, poll_s=work.poll_s
        ):
            callbacks.on_log(event.text)
            is_shown = callbacks.shows_log
    try:
        status = kaggle_client.wait_kernel(version, poll_s=work.poll_s, client=work.client)
    except KernelFailed as e:
        raise _with_log_file(work, e, version, is_shown=is_shown) from None
    work.report_step("run", f"{_name(version)}: {status.status.lower()}")
    output = kaggle_client.kernel_output(version, work.folder / "output", client=work.client)
    work.report_step("output", f"{len(output.files)} files in {output.path}")
    return status, output


def _with_log_file(
    work: Workspace, error: KernelFailed, version: KernelVersion, *, is_shown: bool
) -> KernelFailed:
    """Download a failed notebook's output; return the error with the path of the log."""
    try:
        output = kaggle_client.kernel_output(version, work.folder / "output", client=work.client)
    except KaggleError:
        return error  # it says where to find the log on Kaggle
    log = str(Path(output.path) / output.log) if output.log else ""
    where = f"The whole log: {log}" if log else f"It wrote no log; its files are in {output.path}"
    end = f" The end of its log:\n{error.log_end}\n" if error.log_end and not is_shown else " "
    text = f"{error.what}{end}{where}"
    return KernelFailed(text, said=error.said, what=error.what, log_end=error.log_end, log=log)


def _submit(
    work: Workspace,
    outcome: PushOutcome,
    output: KernelOutput,
    message: str,
    *,
    again: bool,
    confirm: Confirm | None,
) -> PushOutcome:
    """Submit the notebook version, or in an ordinary competition the csv that it wrote."""
    version, slug = outcome.kernel, work.comp.slug
    file = Path(output.path) / "submission.csv"
    if not file.is_file():  # a code competition too refuses a version without this file
        raise NotebookError(
            f"{_name(version)} wrote no submission.csv. "
            f"It wrote: {', '.join(output.files) or 'nothing'}. "
            "End it with write_submission(preds, comp, path)."
        )
    options = {"again": again, "confirm": confirm, **work.kaggle_options}
    if work.comp.code_competition:
        work.callbacks.on_step("hidden", f"{_name(version)} runs again on the hidden rows")
        submission = submit_notebook(
            version, None, message, competition=slug, timeout_s=_RERUN_TIMEOUT_S, **options
        )
    else:
        sha256 = file_hash(file)
        text, is_ours = f"{message} [{sha256[:12]}]", work.is_live  # this push wrote the file
        submission = submit_file(file, text, work.comp, data=work.data, live=is_ours, **options)
        outcome = replace(outcome, file=file, sha256=sha256)
    if submission is not None:
        outcome = replace(outcome, submission=submission, standing=work.standing(submission))
    work.end_step("submit")
    return outcome
