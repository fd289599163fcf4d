"""Commands from the data of a competition to a scored submission."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, echo

from ..exceptions import ConfigError
from . import options
from .hints import explain_missing_rehearsal, resumable


def setup(
    slug: options.Slug,
    dest: Annotated[Path | None, Option(help="Folder for the data. Default: ./SLUG.")] = None,
    install: Annotated[str, Option(help="Packages to pip install first, on Kaggle.")] = "",
) -> None:
    """Download a competition's data from Kaggle, verified and unpacked."""
    from ..kaggle_client import setup_comp

    echo(setup_comp(slug, install, dest=dest))


def run(
    slug: options.Slug,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    dest: options.Dest = None,
    live: options.Live = False,
    seed: options.Seed = 42,
    folds: options.Folds = 5,
    workers: options.Workers = None,
    as_json: options.AsJson = False,
) -> None:
    """Go from data to a scored submission: in the sandbox, unless --live is given.

    The rehearsal of a code competition predicts the hidden rows from a file. With --live a code
    competition accepts only notebooks: use fkp push.
    """
    from ..workflow.run import run as run_loop
    from ..workflow.run_progress import RunProgress
    from .display import show_run

    with resumable(), RunProgress(to_stderr=as_json) as progress:
        outcome = run_loop(
            slug,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            workers=workers,
            callbacks=progress,
        )
    show_run(outcome, as_json=as_json)


def submit(
    competition: options.CompetitionName,
    message: Annotated[str, Option("-m", "--message", help="Describe this submission.")],
    file: Annotated[
        Path | None, Option("-f", "--file", help="The csv; with --kernel the file that it writes.")
    ] = None,
    kernel: Annotated[str, Option("-k", "--kernel", help="OWNER/NAME of a notebook.")] = "",
    version: options.Version = None,
    again: options.Again = False,
    as_json: options.AsJson = False,
) -> None:
    """Submit a csv or a notebook version once, and wait for its score."""
    from ..kaggle_client import submit as submit_file
    from ..kaggle_client import submit_code
    from .display import show_json, show_submissions

    if kernel:
        with explain_missing_rehearsal():
            name = str(file or "submission.csv")
            sent = submit_code(
                kernel, version, message, competition=competition, file_name=name, again=again
            )
    elif file is None or version is not None:
        raise ConfigError(
            "Say what to submit: a csv with --file, or a notebook with --kernel and, "
            "if it is not the current version, --version."
        )
    else:
        sent = submit_file(file, message, competition, again=again)
    if as_json:
        show_json(asdict(sent))
    else:
        show_submissions([sent])


def submissions(competition: options.CompetitionName, as_json: options.AsJson = False) -> None:
    """List your submissions, newest first."""
    from ..kaggle_client import submissions as fetch
    from .display import show_json, show_submissions

    rows = fetch(competition)
    if as_json:
        show_json([asdict(r) for r in rows])
    else:
        show_submissions(rows)


def leaderboard(
    competition: options.CompetitionName,
    top: Annotated[int, Option(help="Number of rows.")] = 20,
    as_json: options.AsJson = False,
) -> None:
    """Show the leaderboard."""
    from ..kaggle_client import leaderboard as fetch
    from .display import show_json, show_leaderboard

    rows = fetch(competition, top=top)
    if as_json:
        show_json([asdict(r) for r in rows])
    else:
        show_leaderboard(rows)


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
) -> None:
    """Write the folder of a new competition."""
    from ..workflow.new_competition import new_comp

    given = dict(metric=metric, target=target, id=id, train=train, test=test)
    given["sample_submission"] = sample
    facts: dict[str, Any] = {k: v for k, v in given.items() if v}
    folder = new_comp(slug, kind=kind, dest=dest, data=data, **facts)
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


def doctor(as_json: options.AsJson = False) -> None:
    """Check the installation, the credentials and the sandbox."""
    from ..workflow.doctor import run_checks
    from .display import show_json, show_table

    checks = run_checks()
    if as_json:
        show_json([asdict(c) for c in checks])
    else:
        cells = [["ok" if c.ok else "--", c.what, c.detail] for c in checks]
        show_table(["", "what", "finding"], cells)


COMMANDS = (setup, run, submit, submissions, leaderboard, new, doctor)
