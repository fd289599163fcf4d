"""Commands from the data of a competition to a scored submission."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, echo

from ..environment import iskaggle
from ..exceptions import ConfigError
from . import options
from .going_live import Confirm, end_unsent, require_live, say_target
from .hints import resumable

MAX_DRY_RUN_S = 20.0  # longest wait for one answer: a dry run sends nothing that could be lost


def setup(
    slug: options.Slug,
    dest: Annotated[Path | None, Option(help="Folder for the data. Default: ./SLUG.")] = None,
    install: Annotated[str, Option(help="Packages to pip install first, on Kaggle.")] = "",
    live: options.Live = False,
) -> None:
    """Download a competition's data from Kaggle, verified and unpacked."""
    from ..kaggle_client import setup_comp

    # A notebook on Kaggle has the data already: nothing is downloaded.
    require_live("setup", live=live or bool(iskaggle), rehearse=f"rehearse with `fkp run {slug}`")
    echo(setup_comp(slug, install, dest=dest))


def run(
    slug: options.Slug,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    dest: options.Dest = None,
    live: options.Live = False,
    seed: options.Seed = 42,
    folds: options.Folds = 5,
    test: options.Test = "auto",
    workers: options.Workers = None,
    keep_going: options.KeepGoing = False,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Go from data to a scored submission: in the sandbox, unless --live is given.

    The rehearsal of a code competition predicts the hidden rows from a file. With --live a code
    competition accepts only notebooks: use fkp push. Live results are in runs/SLUG/live.
    """
    from ..workflow.run import run as run_loop
    from ..workflow.run_progress import RunProgress
    from .show_outcomes import show_run

    confirm = Confirm(live=live, yes=yes, as_json=as_json) if live else None
    if live:
        say_target()
    with resumable(), RunProgress(to_stderr=as_json) as progress:
        outcome = run_loop(
            slug,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            test=test,
            workers=workers,
            keep_going=keep_going,
            callbacks=progress,
            confirm=confirm,
        )
    show_run(outcome, as_json=as_json)


def submit(
    slug: options.Slug,
    message: Annotated[str, Option("-m", "--message", help="Describe this submission.")],
    file: Annotated[
        Path | None, Option("-f", "--file", help="The csv; with --kernel the file that it writes.")
    ] = None,
    kernel: Annotated[str, Option("-k", "--kernel", help="OWNER/NAME of a notebook.")] = "",
    version: options.Version = None,
    live: options.Live = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    again: options.Again = False,
    rehearsed: Annotated[
        bool, Option("--rehearsed", help="Submit even a file that a rehearsal wrote.")
    ] = False,
    no_check: Annotated[
        bool, Option("--no-check", help="Do not compare the file with the sample submission.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check a csv or a notebook version, submit it once, and wait for its score.

    Before it is sent, the plan is shown and you are asked.
    """
    from ..kaggle_client import import_kaggle
    from ..workflow.submit import submit_file, submit_notebook
    from .display import show_json, show_submissions

    if not kernel and (file is None or version is not None):
        raise ConfigError(
            "Say what to submit: a csv with --file, or a notebook with --kernel and, "
            "if it is not the current version, --version."
        )
    rehearse = f"rehearse: `fkp run {slug}` submits in the sandbox"
    require_live("submit", live=live, rehearse=rehearse)
    client = import_kaggle()
    if dry_run:
        client.deadline_s = MAX_DRY_RUN_S
    how: dict[str, Any] = {
        "client": client,
        "confirm": Confirm(live=live, yes=yes, dry_run=dry_run, as_json=as_json),
        "again": again,
    }
    if kernel:
        name = str(file or "submission.csv")
        sent = submit_notebook(kernel, version, message, competition=slug, file_name=name, **how)
    else:
        sent = submit_file(
            Path(str(file)), message, slug, check=not no_check, live=rehearsed, **how
        )
    if sent is None:
        end_unsent(dry_run=dry_run)
    elif as_json:
        show_json(asdict(sent))
    else:
        if not sent.sent:
            echo(f"not sent: submission {sent.ref} is the same. To send it again, add --again.")
        show_submissions([sent])


def new(
    slug: Annotated[str, Argument(help="The competition's URL name.")],
    kind: Annotated[str, Option(help="tabular | images | text")] = "tabular",
    data: Annotated[Path | None, Option(help="Folder of files to infer the facts from.")] = None,
    dest: Annotated[Path | None, Option(help="Default: competitions/SLUG.")] = None,
    metric: Annotated[
        str, Option(help="A name, or metric.py for your own. Default: by the task.")
    ] = "",
    target: Annotated[str, Option(help="Target column. Default: inferred.")] = "",
    id: Annotated[str, Option(help="Id column. Default: inferred.")] = "",
    train: Annotated[str, Option(help="Train file. Default: inferred.")] = "",
    test: Annotated[str, Option(help="Test file. Default: inferred.")] = "",
    sample: Annotated[str, Option(help="Sample submission. Default: inferred.")] = "",
    task: Annotated[str, Option(help="binary | multiclass | regression. Default: inferred.")] = "",
    split: Annotated[
        str, Option(help="random | stratified | group:COLUMN | time:COLUMN. Default: inferred.")
    ] = "",
) -> None:
    """Write the folder of a new competition, and say what the files in --data show."""
    from ..workflow.new_competition import new_comp
    from .display import show_inferred

    given = dict(metric=metric, target=target, id=id, train=train, test=test, task=task)
    given["sample_submission"] = sample
    facts: dict[str, Any] = {k: v for k, v in given.items() if v}
    if split:
        how, _, column = split.partition(":")
        facts["split"] = {"kind": how, "column": column}
    rows: list[tuple[str, Any, str]] = []
    folder = new_comp(
        slug, kind=kind, dest=dest, data=data, on_inferred=lambda *row: rows.append(row), **facts
    )
    if data:
        rows += [(key, value, "given") for key, value in facts.items()]
    show_inferred(rows)
    echo(f"{folder} is written. Check its competition.toml, then: fkp run {slug}")


def list_competitions(as_json: options.AsJson = False) -> None:
    """List the competitions found here."""
    from ..competition import list_comps
    from .display import show_json, show_table

    keys = ["slug", "kind", "task", "metric"]
    rows = [{k: getattr(c, k) for k in keys} | {"folder": str(c.folder)} for c in list_comps()]
    if as_json:
        show_json(rows)
    else:
        show_table(keys, [[row[k] for k in keys] for row in rows])


COMMANDS = (new, setup, run, submit)
