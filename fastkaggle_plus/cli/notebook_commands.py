"""Commands about notebooks: write, push, watch and fetch them; publish the libraries they need."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, echo

from ..exceptions import FastkaggleError, NothingSent
from . import options
from .going_live import Confirm, end_unsent, require_live, say_target

# A rehearsal's Kaggle ends with its command.
_REHEARSED = "find the files of a rehearsed notebook, its log too, in runs/SLUG/output"


def notebook(
    slug: options.Slug,
    quick: options.Quick = False,
    dest: Annotated[Path | None, Option(help="Default: runs/SLUG/notebook.")] = None,
    title: options.Title = "",
    user: Annotated[str, Option(help="Your Kaggle user name. Default: KAGGLE_USERNAME.")] = "",
    libs: Annotated[str, Option(help="OWNER/NAME of the dataset that `fkp libs` makes.")] = "",
    datasets: options.Datasets = None,
    models: options.Models = None,
    seed: options.Seed = 42,
    folds: options.Folds = 5,
    as_json: options.AsJson = False,
) -> None:
    """Write a competition's self-contained notebook, and check it. Nothing is sent."""
    from ..competition import load_comp
    from ..environment import credential_variables
    from ..notebooks import check_notebook
    from ..notebooks.attached_models import render_with_models
    from ..notebooks.check_metadata import PLACEHOLDER
    from ..workflow.push_datasets import LIBS_DATASET
    from .display import show_json

    comp = load_comp(slug)
    owner = user or credential_variables().get("user", "") or PLACEHOLDER
    libs = libs or f"{owner}/{LIBS_DATASET}"
    made = render_with_models(
        comp,
        owner=owner,
        dest=dest or Path("runs") / comp.slug / "notebook",
        quick=quick,
        params={"SEED": seed, "N_FOLDS": folds},
        title=title,
        libs_dataset=libs,
        datasets=tuple(datasets or ()),
        models=tuple(models or ()),
    )
    content, meta, has_owner = made.rendered.notebook, made.rendered.metadata, owner != PLACEHOLDER
    check_notebook(content, metadata=meta, comp=comp, for_push=has_owner, weights=made.needed)
    file, cells = str(made.rendered.file), len(content.cells)
    if as_json:
        show_json({"file": file, "cells": cells, "metadata": meta})
        return
    inputs = f"It installs from the dataset {libs}, which `fkp libs` makes."
    if made.attached:
        weights = ", ".join(made.attached.values())
        inputs += f" It reads the models in {weights}, which `fkp push` makes."
    if has_owner:
        state = f"checked. {inputs} To run it on Kaggle: fkp push {slug}"
    else:
        state = (
            "but without the name of its owner it cannot be pushed. Give --user or "
            "KAGGLE_USERNAME, or "
            f"replace {PLACEHOLDER} in kernel-metadata.json with your user name. {inputs}"
        )
    echo(f"{file} is written, {cells} cells, {state}")


def push(
    slug: options.Slug,
    wait: Annotated[
        bool, Option("--wait", help="Wait for its output and submit it. A rehearsal always waits.")
    ] = False,
    live: options.Live = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    quick: options.Quick = False,
    try_first: Annotated[
        bool, Option("--try-first", help="First run it here in QUICK mode, to forecast its time.")
    ] = False,
    again: options.Again = False,
    no_submit: Annotated[bool, Option("--no-submit", help="Do not submit its output.")] = False,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    dest: options.Dest = None,
    title: options.Title = "",
    gpu: Annotated[bool | None, Option("--gpu/--cpu", help="Default: GPU if not tabular.")] = None,
    internet: Annotated[
        bool | None,
        Option("--internet/--no-internet", help="Default: on, but off for a code competition."),
    ] = None,
    datasets: options.Datasets = None,
    models: options.Models = None,
    seed: options.Seed = 42,
    folds: options.Folds = 5,
    as_json: options.AsJson = False,
) -> None:
    """Run a competition's notebook and submit what it writes: in the sandbox, unless --live.

    With --live, the plan is shown and you are asked before the push and before the submission.
    Without internet, the language models of its trials are attached as private datasets. In a
    code competition Kaggle runs the notebook again on hidden rows.
    """
    from ..workflow.push import push as push_and_submit
    from ..workflow.run_progress import PushProgress
    from .display import show_json
    from .show_outcomes import show_push

    confirm = Confirm(live=live, yes=yes, dry_run=dry_run, as_json=as_json)
    if live:
        say_target()
    try:
        with PushProgress(to_stderr=as_json) as progress:
            outcome = push_and_submit(
                slug,
                bundles=bundles,
                data=data,
                dest=dest,
                live=live,
                wait=wait,
                send=not no_submit,
                quick=quick,
                try_first=try_first,
                again=again,
                seed=seed,
                n_folds=folds,
                callbacks=progress,
                confirm=confirm if live or dry_run else None,
                title=title,
                gpu=gpu,
                internet=internet,
                datasets=tuple(datasets or ()),
                models=tuple(models or ()),
            )
    except NothingSent:
        end_unsent(dry_run=dry_run)
        return
    except FastkaggleError as e:
        if as_json:
            log = getattr(e, "log", "") or None
            show_json({"slug": slug, "error": str(e), "log": log}, one_line=True)
        raise
    show_push(outcome, as_json=as_json)


def status(
    handle: options.Handle,
    version: options.Version = None,
    live: options.Live = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the status of a notebook on Kaggle."""
    from ..kaggle_client import kernel_status
    from .display import show_json, show_table

    require_live("status", live=live, rehearse=_REHEARSED)
    found = kernel_status(handle, version)
    if as_json:
        show_json(asdict(found))
    else:
        cells = [found.handle, found.version or "current", found.status, found.failure_message]
        show_table(["notebook", "version", "status", "why"], [cells])


def output(
    handle: options.Handle,
    path: Annotated[Path, Option("-p", "--path", help="Folder for the files.")] = Path("."),
    version: options.Version = None,
    live: options.Live = False,
    as_json: options.AsJson = False,
) -> None:
    """Download every file that a notebook wrote, and its log, verified."""
    from ..kaggle_client import kernel_output
    from .display import show_json

    require_live("output", live=live, rehearse=_REHEARSED)
    found = kernel_output(handle, path, version)
    if as_json:
        show_json(asdict(found))
        return
    for name in filter(None, (*found.files, found.log)):
        echo(Path(found.path) / name)


def libs(
    names: Annotated[
        list[str] | None, Argument(help="Libraries, as pip takes them. Default: fastkaggle_plus.")
    ] = None,
    user: Annotated[str, Option(help="Owner of the datasets. Default: you.")] = "",
    dest: Annotated[Path, Option(help="Folder for the local copies.")] = Path("libs"),
    python: Annotated[list[str] | None, Option(help="Kaggle's Python. Repeatable.")] = None,
    deps: Annotated[bool, Option("--deps/--no-deps", help="Include the dependencies.")] = True,
    without: Annotated[
        list[str] | None, Option(help="Libraries to leave out. Default: those of Kaggle's image.")
    ] = None,
    live: options.Live = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Publish wheels, one private dataset library-NAME per library.

    A notebook installs from them without internet.
    """
    from ..kaggle_client import create_libs_datasets, import_kaggle
    from ..workflow.push_datasets import IN_KAGGLES_IMAGE, OWN
    from ..workflow.submit import plan_libs
    from .display import show_json, show_table

    require_live("libs", live=live, rehearse="rehearse with `fkp push SLUG`")
    confirm = Confirm(live=live, yes=yes, dry_run=dry_run, as_json=as_json)
    client = import_kaggle()
    owner = user or client.config_values["username"]
    if not confirm(plan_libs(names or [OWN], owner, client=client)):
        end_unsent(dry_run=dry_run)
    pip_options: dict[str, Any] = {"python_version": python} if python else {}
    made = create_libs_datasets(
        names or [OWN],
        dest,
        owner,
        deps=deps,
        without=without or IN_KAGGLES_IMAGE,
        client=client,
        **pip_options,
    )
    if as_json:
        show_json([asdict(m) for m in made])
        return
    header = ["library", "version", "dataset", "dataset version", "", "checked"]
    cells = []
    for m in made:
        state = "made" if m.changed else "up to date"
        cells.append([m.name, m.version, m.dataset.handle, m.dataset.version, state, m.checked])
    show_table(header, cells)


COMMANDS = (notebook, push, status, output, libs)
