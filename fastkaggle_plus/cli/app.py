"""One subcommand per public verb: parse, call, show."""

from __future__ import annotations

import errno
import sqlite3
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..exceptions import ConfigError, FastkaggleError
from . import models, notebooks, sweeps
from .notebooks import no_rehearsal_left
from .sweeps import finished, interruptible, pick

app = typer.Typer(
    help="Rehearse, measure and submit Kaggle competitions.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
sandbox = typer.Typer(help="A local twin of Kaggle.", no_args_is_help=True)
app.add_typer(sandbox, name="sandbox")

Slug = Annotated[
    str, typer.Argument(help="The competition's URL name, or a folder with a competition.toml.")
]
CompOption = Annotated[str, typer.Option("-c", "--competition", help="The competition's URL name.")]
Dest = Annotated[
    Path | None, typer.Option("--dest", help="Where a run keeps its files. Default: runs/SLUG.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]


@app.command()
def setup(
    slug: Slug,
    dest: Annotated[
        Path | None, typer.Option(help="Folder for the data. Default: ./SLUG, as in fastkaggle.")
    ] = None,
    install: Annotated[
        str, typer.Option(help="Packages to pip install first, inside a Kaggle notebook.")
    ] = "",
) -> None:
    "Download a competition's data from Kaggle, verified and unpacked."
    from ..kaggle_client import setup_comp

    print(setup_comp(slug, install, dest=dest))


@app.command()
def run(
    slug: Slug,
    bundles: Annotated[
        Path | None, typer.Option(help="Rehearse against the sandbox bundles in this folder.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Rehearse by holding out labelled rows of the files in this folder."),
    ] = None,
    dest: Dest = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Use the real Kaggle, with your account. Without it nothing leaves this machine.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the rehearsal and of the folds.")] = 42,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    workers: Annotated[
        int | None, typer.Option(help="Trials at once. Default: one a core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go from data to a scored submission: in the sandbox, unless --live is given.

    A code competition takes a notebook (fkp push): here its hidden rows are answered from a file, and --live refuses.
    """
    from ..workflow.run import run as run_loop
    from .render import RunWatcher, show_json, show_outcome

    with interruptible(), RunWatcher(to_stderr=as_json) as watcher:
        outcome = run_loop(
            slug,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            workers=workers,
            watcher=watcher,
        )
    show_outcome(outcome, to_stderr=as_json)
    if as_json:
        show_json(outcome.as_json(), one_line=True)


@app.command()
def ensemble(
    slug: Slug,
    members: Annotated[list[str], typer.Argument(help="Names of trials in the vault.")],
    method: Annotated[str, typer.Option(help="mean | rank | greedy")] = "mean",
    dest: Dest = None,
    as_json: AsJson = False,
) -> None:
    "Combine trials of a run's vault and show the honest score."
    from ..ensembling import ensemble as combine
    from ..sweeps import board as make_board
    from .render import show_board, show_ensemble, show_json

    found = {p.name: p for p in finished(slug, dest)}
    chosen = [pick(found, name) for name in members]
    both = combine(chosen, method=method)
    if as_json:
        show_json(
            {
                "oof_score": both.oof_score,
                "oof_score_se": both.oof_score_se,
                **{k: both.about[k] for k in ("nested_score", "method", "weights")},
            }
        )
    else:
        show_board(make_board([both, *chosen]))
        show_ensemble(both)


@app.command()
def submit(
    competition: CompOption,
    message: Annotated[str, typer.Option("-m", "--message", help="What this submission is.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--file",
            help="The csv; of a notebook the file it wrote, by default submission.csv.",
        ),
    ] = None,
    kernel: Annotated[
        str,
        typer.Option(
            "-k", "--kernel", help="OWNER/NAME of the notebook to submit, in a code competition."
        ),
    ] = "",
    version: Annotated[
        int | None, typer.Option("-v", "--version", help="Its version. Default: the current one.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Send it even if the same went out before with this message."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    "Submit a csv, or a notebook version, and wait for its score. The same is never sent twice by accident."
    from ..kaggle_client import submit as send
    from ..kaggle_client import submit_code
    from .render import show_json, show_submissions

    if kernel:
        with no_rehearsal_left():
            sent = submit_code(
                kernel,
                version,
                message,
                competition=competition,
                file_name=str(file or "submission.csv"),
                again=again,
            )
    elif file is None or version is not None:
        raise ConfigError(
            "Say what to submit: a csv with --file, or a notebook with --kernel and, if it is not the current one, --version."
        )
    else:
        sent = send(file, message, competition, again=again)
    show_json(_plain(sent)) if as_json else show_submissions([sent])


@app.command()
def submissions(competition: CompOption, as_json: AsJson = False) -> None:
    "List your submissions, newest first."
    from ..kaggle_client import submissions as fetch
    from .render import show_json, show_submissions

    rows = fetch(competition)
    show_json([_plain(r) for r in rows]) if as_json else show_submissions(rows)


@app.command()
def leaderboard(
    competition: CompOption,
    top: Annotated[int, typer.Option(help="Number of rows.")] = 20,
    as_json: AsJson = False,
) -> None:
    "Show the leaderboard."
    from ..kaggle_client import leaderboard as fetch
    from .render import show_json, show_leaderboard

    rows = fetch(competition, top=top)
    show_json([_plain(r) for r in rows]) if as_json else show_leaderboard(rows)


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="The competition's URL name.")],
    kind: Annotated[str, typer.Option(help="tabular | images | text")] = "tabular",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the competition's files: what can be read off them is not asked."
        ),
    ] = None,
    dest: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: competitions/SLUG.")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="A name in metrics.py. Default: a common one for the task.")
    ] = "",
    target: Annotated[str, typer.Option(help="Target column, where the data does not tell.")] = "",
    id: Annotated[str, typer.Option(help="Id column, where the data does not tell.")] = "",
    train: Annotated[
        str, typer.Option(help="Name of the train file, where it is not to be guessed.")
    ] = "",
    test: Annotated[
        str, typer.Option(help="Name of the test file, where it is not to be guessed.")
    ] = "",
    sample: Annotated[
        str, typer.Option(help="Name of the sample submission, where it is not to be guessed.")
    ] = "",
) -> None:
    "Write the folder of a new competition."
    from ..workflow.new_competition import new_comp

    said = {
        "metric": metric,
        "target": target,
        "id": id,
        "train": train,
        "test": test,
        "sample_submission": sample,
    }
    facts: dict[str, Any] = {k: v for k, v in said.items() if v}
    folder = new_comp(slug, kind=kind, dest=dest, data=data, **facts)
    print(f"{folder} is written. Look through its competition.toml, then: fkp run {slug}")


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    "List the competitions found here."
    from ..competition import list_comps
    from .render import show_json, show_table

    comps = list_comps()
    if as_json:
        show_json(
            [
                {
                    "slug": c.slug,
                    "kind": c.kind,
                    "task": c.task,
                    "metric": c.metric,
                    "folder": str(c.folder),
                }
                for c in comps
            ]
        )
    else:
        show_table(
            ["slug", "kind", "task", "metric"], [[c.slug, c.kind, c.task, c.metric] for c in comps]
        )


@app.command()
def doctor(as_json: AsJson = False) -> None:
    "Say what is installed, which credentials are found, and whether the sandbox starts."
    from ..workflow.doctor import findings
    from .render import show_json, show_table

    rows = findings()
    show_json([_plain(f) for f in rows]) if as_json else show_table(
        ["", "what", "finding"], [["ok" if f.ok else "--", f.what, f.detail] for f in rows]
    )


@sandbox.command()
def serve(
    data: Annotated[Path, typer.Option(help="Folder of bundles.")],
    state: Annotated[Path, typer.Option(help="Folder that keeps submissions and uploads.")] = Path(
        "sandbox-state"
    ),
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8765,
    user: Annotated[str | None, typer.Option(help="User name to accept.")] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Key to accept. Default: made once and kept in the state folder."),
    ] = None,
    token: Annotated[str | None, typer.Option(help="Access token to accept.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="What goes wrong: KIND[:WHERE][:option=value,...], as in 429:CreateSubmission:nth=2. "
            "May be given several times."
        ),
    ] = None,
    layout: Annotated[
        Literal["2026", "2022"],
        typer.Option(
            help="Where kernels find their inputs: competitions/SLUG, datasets/OWNER/NAME as today, "
            "or the older /kaggle/input/NAME."
        ),
    ] = "2026",
) -> None:
    "Serve every bundle in a folder as Kaggle would, on this machine only."
    from ..sandbox import Limits
    from ..sandbox import serve as serve_bundles

    def tell(box: Any) -> None:
        print(
            f"{box.url} serves {', '.join(box.slugs)}. To point a Kaggle client at it, and only at it:\n\n"
            f"    export KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy={box.url}\n    export KAGGLE_USERNAME={box.user} KAGGLE_KEY={box.key}\n"
            "    unset no_proxy NO_PROXY\n\nStop with Ctrl-C.",
            flush=True,
        )

    serve_bundles(
        data,
        state=state,
        port=port,
        user=user,
        key=key,
        token=token,
        faults=fault or (),
        limits=Limits(layout=layout),
        on_start=tell,
    )


for command in (*sweeps.COMMANDS, *notebooks.COMMANDS, *models.COMMANDS):
    app.command()(command)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


def main() -> None:
    "Run the command line; an error we know is one message and exit status 1."
    try:
        app(standalone_mode=True)
    except FastkaggleError as e:
        sys.exit(f"error: {e}")
    except (OSError, sqlite3.OperationalError) as e:
        sys.exit(f"error: {_of_the_disk(e)}")


def _of_the_disk(e: Exception) -> str:
    "What a disk that is full or may not be written comes to, in words."
    said = (
        f"{e.strerror or e}{f': {e.filename}' if e.filename else ''}"
        if isinstance(e, OSError)
        else str(e)
    )
    is_disk = isinstance(e, sqlite3.OperationalError) or getattr(e, "errno", None) in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    )
    return (
        f"{said}. Free some space, or choose a folder that you may write with --dest."
        if is_disk
        else said
    )
