"""The subcommands about notebooks on Kaggle and what they need: render, push, look, fetch, libraries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

Slug = Annotated[
    str, typer.Argument(help="The competition's URL name, or a folder with a competition.toml.")
]
Handle = Annotated[
    str,
    typer.Argument(
        help="OWNER/NAME of the notebook, OWNER/NAME/VERSION, or its address; NAME alone is one of yours."
    ),
]
Version = Annotated[
    int | None, typer.Option("--version", help="Its version. Default: the current one.")
]
Dest = Annotated[
    Path | None, typer.Option("--dest", help="Where a run keeps its files. Default: runs/SLUG.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="A dry run: a slice of the rows and small models.")
]
Title = Annotated[
    str,
    typer.Option(
        help="5 to 50 characters; the notebook's URL name is made of it. Default: from the competition's name."
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset", help="OWNER/NAME of a dataset to attach; may be given several times."
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="OWNER/MODEL/FRAMEWORK/VARIATION/VERSION to attach; may be given several times.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the folds, and of the rehearsal.")]
Folds = Annotated[int, typer.Option(help="Number of folds.")]


@contextlib.contextmanager
def no_rehearsal_left() -> Iterator[None]:
    "Add to missing credentials what became of a notebook that was only rehearsed."
    from ..exceptions import NoCredentials

    try:
        yield
    except NoCredentials as e:
        raise NoCredentials(
            f"{e}\nA rehearsal's Kaggle ends with its command: what a rehearsed notebook wrote, its log too, is in runs/SLUG/output.",
            status=e.status,
            said=e.said,
        ) from None


def notebook(
    slug: Slug,
    quick: Quick = False,
    dest: Annotated[
        Path | None,
        typer.Option(
            "--dest",
            help="Folder for the .ipynb and kernel-metadata.json. Default: runs/SLUG/notebook.",
        ),
    ] = None,
    title: Title = "",
    user: Annotated[
        str, typer.Option(help="Your Kaggle user name. Default: that of KAGGLE_USERNAME.")
    ] = "",
    libs: Annotated[
        str, typer.Option(help="OWNER/NAME of the dataset of wheels, as `fkp libs` makes it.")
    ] = "",
    datasets: Datasets = None,
    models: Models = None,
    seed: Seed = 42,
    folds: Folds = 5,
    as_json: AsJson = False,
) -> None:
    "Write a competition's notebook, complete in itself, and check it. Nothing is sent."
    from ..competition import load_comp
    from ..environment import credential_variables
    from ..notebooks import check_notebook
    from ..notebooks.attached_models import render_with_models
    from ..notebooks.check_metadata import PLACEHOLDER
    from .render import show_json

    comp = load_comp(slug)
    owner = user or credential_variables().get("user", "") or PLACEHOLDER
    libs = libs or f"{owner}/library-fastkaggle-plus"
    folder = dest or Path("runs") / comp.slug / "notebook"
    made = render_with_models(
        comp,
        owner=owner,
        dest=folder,
        quick=quick,
        params={"SEED": seed, "N_FOLDS": folds},
        title=title,
        libs_dataset=libs,
        datasets=tuple(datasets or ()),
        models=tuple(models or ()),
    )
    rendered, brought = made.rendered, list(made.attached.values())
    check_notebook(
        rendered.notebook,
        metadata=rendered.metadata,
        comp=comp,
        for_push=owner != PLACEHOLDER,
        weights=made.needed,
    )
    if as_json:
        show_json(
            {
                "file": str(rendered.file),
                "cells": len(rendered.notebook.cells),
                "metadata": rendered.metadata,
            }
        )
    else:
        wheels = f"It installs from the dataset {libs}, which `fkp libs` makes."
        wheels += (
            f" It reads the models in {', '.join(brought)}, which `fkp push` makes."
            if brought
            else ""
        )
        if owner == PLACEHOLDER:
            state = (
                f"but has no owner yet and cannot be pushed. Give --user or KAGGLE_USERNAME, or write your user name for {PLACEHOLDER} in "
                f"kernel-metadata.json. {wheels}"
            )
        else:
            state = f"checked. {wheels} To run it on Kaggle: fkp push {slug}"
        print(f"{rendered.file} is written, {len(rendered.notebook.cells)} cells, {state}")


def push(
    slug: Slug,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait for its end, fetch the output and submit it. A rehearsal always waits.",
        ),
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Use the real Kaggle, with your account. Without it nothing leaves this machine.",
        ),
    ] = False,
    quick: Quick = False,
    try_first: Annotated[
        bool,
        typer.Option(
            "--try-first",
            help="Run it here in QUICK mode before anything is sent, and forecast its run time.",
        ),
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Submit it even if the same went out before, as after a failed re-run."
        ),
    ] = False,
    no_submit: Annotated[
        bool, typer.Option("--no-submit", help="Leave what it wrote unsubmitted.")
    ] = False,
    bundles: Annotated[
        Path | None, typer.Option(help="Rehearse against the sandbox bundles in this folder.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Rehearse by holding out labelled rows of the files in this folder."),
    ] = None,
    dest: Dest = None,
    title: Title = "",
    gpu: Annotated[
        bool | None, typer.Option("--gpu/--cpu", help="Default: a GPU for images and text.")
    ] = None,
    internet: Annotated[
        bool | None,
        typer.Option(
            "--internet/--no-internet", help="Default: on, but off for a code competition."
        ),
    ] = None,
    datasets: Datasets = None,
    models: Models = None,
    seed: Seed = 42,
    folds: Folds = 5,
    as_json: AsJson = False,
) -> None:
    """Run a competition's notebook on Kaggle and submit what it writes: in the sandbox, unless --live is given.

    Without internet the language models that its trials name come along as private datasets. Of a code competition Kaggle runs it again on hidden rows.
    """
    from ..exceptions import FastkaggleError
    from ..workflow.push import push as push_all
    from .render import PushShower, show_json, show_pushed

    try:
        with PushShower(to_stderr=as_json) as watcher:
            done = push_all(
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
                watcher=watcher,
                title=title,
                gpu=gpu,
                internet=internet,
                datasets=tuple(datasets or ()),
                models=tuple(models or ()),
            )
    except FastkaggleError as e:
        if as_json:
            show_json(
                {"slug": slug, "error": str(e), "log": getattr(e, "log", "") or None}, one_line=True
            )
        raise
    show_pushed(done, to_stderr=as_json)
    if as_json:
        show_json(done.as_json(), one_line=True)


def status(handle: Handle, version: Version = None, as_json: AsJson = False) -> None:
    "Say what a notebook on Kaggle is doing."
    from ..kaggle_client import kernel_status
    from .render import show_json, show_table

    with no_rehearsal_left():
        found = kernel_status(handle, version)
    if as_json:
        show_json(asdict(found))
    else:
        show_table(
            ["notebook", "version", "status", "why"],
            [[found.handle, str(found.version or "current"), found.status, found.failure_message]],
        )


def output(
    handle: Handle,
    path: Annotated[Path, typer.Option("-p", "--path", help="Folder for the files.")] = Path("."),
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    "Fetch every file that a notebook wrote, and its log, verified."
    from ..kaggle_client import kernel_output
    from .render import show_json

    with no_rehearsal_left():
        found = kernel_output(handle, path, version)
    if as_json:
        show_json(asdict(found))
    else:
        print(
            "\n".join(
                str(Path(found.path) / name) for name in (*found.files, *filter(None, [found.log]))
            )
        )


def libs(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Libraries, with versions and extras as pip takes them. Default: fastkaggle_plus."
        ),
    ] = None,
    user: Annotated[str, typer.Option(help="Who owns the datasets. Default: you.")] = "",
    dest: Annotated[Path, typer.Option("--dest", help="Folder for the local copies.")] = Path(
        "libs"
    ),
    python: Annotated[
        list[str] | None,
        typer.Option(
            "--python", help="Python versions of Kaggle's image, as in 3.12. Default: those in use."
        ),
    ] = None,
    deps: Annotated[bool, typer.Option("--deps/--no-deps", help="With what they need.")] = True,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Libraries left out, as Kaggle's image has them. Default: numpy, pandas and the like."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    "Make or update a private dataset library-NAME of wheels for each library, to install from without internet."
    from ..kaggle_client import create_libs_datasets, import_kaggle
    from ..workflow.push import IN_KAGGLES_IMAGE, OWN
    from .render import show_json, show_table

    client = import_kaggle()
    more: dict[str, Any] = {"python_version": python} if python else {}
    made = create_libs_datasets(
        names or [OWN],
        dest,
        user or client.config_values["username"],
        deps=deps,
        without=without or IN_KAGGLES_IMAGE,
        client=client,
        **more,
    )
    if as_json:
        show_json([asdict(m) for m in made])
    else:
        show_table(
            ["library", "version", "dataset", "dataset version", "", "checked"],
            [
                [
                    m.name,
                    m.version,
                    m.dataset.handle,
                    str(m.dataset.version),
                    "made" if m.changed else "up to date",
                    m.checked,
                ]
                for m in made
            ],
        )


COMMANDS = (notebook, push, status, output, libs)
