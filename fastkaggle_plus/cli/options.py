"""Arguments and options that several commands share. Each is declared once."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from .completion import complete_places, complete_slugs

Slug = Annotated[
    str,
    Argument(
        help="The competition's URL name, or a folder with a competition.toml.",
        autocompletion=complete_slugs,
    ),
]
Handle = Annotated[
    str, Argument(help="OWNER/NAME or OWNER/NAME/VERSION of the notebook, or its URL, or NAME.")
]
Version = Annotated[
    int | None, Option("-v", "--version", help="Notebook version. Default: the current one.")
]

Dest = Annotated[Path | None, Option(help="Folder for the results. Default: runs/SLUG.")]
Bundles = Annotated[Path | None, Option(help="Rehearse with the sandbox bundles in this folder.")]
DataFolder = Annotated[
    Path | None, Option(help="Rehearse with labelled rows held out from the files in this folder.")
]
Live = Annotated[
    bool, Option("--live", help="Use the real Kaggle. Without it nothing leaves this machine.")
]
LiveResults = Annotated[
    bool, Option("--live", help="Of the live runs, in runs/SLUG/live, not of the rehearsals.")
]
Yes = Annotated[bool, Option("-y", "--yes", help="Send without the question, in scripts.")]
Remove = Annotated[bool, Option("-y", "--yes", help="Remove without the question.")]
DryRun = Annotated[bool, Option("--dry-run", help="Show what would be sent, and send nothing.")]
Seed = Annotated[int, Option(help="Seed of the folds and of the rehearsal.")]
Folds = Annotated[int, Option(help="Number of folds.")]
Test = Annotated[
    str,
    Option(
        help="Who predicts test rows: folds (their mean) | refit (one model of all rows) | auto "
        "(refit along time)."
    ),
]
Holdout = Annotated[float | None, Option(help="Share held out, instead of folds.")]
StopAfter = Annotated[float | None, Option(help="Minutes after which no trial starts.")]
Workers = Annotated[int | None, Option(help="Most trials in parallel. Default: as cores allow.")]

Quick = Annotated[
    bool, Option("--quick", help="A dry run, never submitted: a slice of the rows, small models.")
]
Again = Annotated[bool, Option("--again", help="Submit even if the same was submitted before.")]
Title = Annotated[
    str,
    Option(help="5 to 50 characters; the notebook's URL name is made from it. Default: inferred."),
]
Datasets = Annotated[
    list[str] | None, Option("--dataset", help="OWNER/NAME of a dataset to attach. Repeatable.")
]
Models = Annotated[
    list[str] | None,
    Option("--model", help="OWNER/MODEL/FRAMEWORK/VARIATION/VERSION to attach. Repeatable."),
]

KeepGoing = Annotated[
    bool, Option("--keep-going", help="Accept failed trials, and continue without them.")
]
AsJson = Annotated[bool, Option("--json", help="Print one JSON value, for programs.")]

Place = Annotated[
    str,
    Option("--on", help="Where trials run: local | ray | kaggle.", autocompletion=complete_places),
]
