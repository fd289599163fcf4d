"""Commands about image models: which exist, and which are best on your images."""

from pathlib import Path
from typing import Annotated

from typer import Exit, Option, echo

from . import options
from .hints import resumable

_COLUMNS = {
    "model": "{model}",
    "family": "{family}",
    "top-1 %": "{top1:.2f}",
    "M params": "{n_params_m:.1f}",
    "images/s": "{images_per_s:,.0f}",
    "px": "{input_px}",
    "size": "{size}",
    "pretrained on": "{pretrained_on}",
}


def archs(
    max_params: Annotated[float | None, Option(help="Most parameters, in millions.")] = None,
    min_top1: Annotated[float | None, Option(help="Least ImageNet-1k accuracy, in %.")] = None,
    min_speed: Annotated[float | None, Option(help="Least speed, in images per second.")] = None,
    max_px: Annotated[int | None, Option(help="Largest image height, in pixels.")] = None,
    free_size: Annotated[
        bool | None,
        Option("--free-size/--fixed-size", help="Only models for any image size, or for one size."),
    ] = None,
    family: Annotated[list[str] | None, Option(help="Only this family. Repeatable.")] = None,
    plot: Annotated[Path | None, Option(help="Draw the models: a .png, .svg or .pdf file.")] = None,
    top: Annotated[int | None, Option(min=1, help="Most rows to show.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """List timm's image models, best first. Trials accept these names."""
    from ..modeling import model_table
    from .display import show_json, show_table

    table = model_table(
        max_params_m=max_params,
        min_top1=min_top1,
        min_images_per_s=min_speed,
        max_input_px=max_px,
        free_size=free_size,
        families=family,
    )
    if top is not None:
        table = table.head(top)
    if plot is not None:
        from ..reporting import plot_models

        plot_models(table, plot)
    if as_json:
        show_json(table.to_dict("records"))
        return
    size = table["is_free_size"].map({True: "free", False: "fixed"})
    rows = table.assign(size=size).to_dict("records")
    cells = [[cell.format_map(row) for cell in _COLUMNS.values()] for row in rows]
    show_table(list(_COLUMNS), cells, numbers=(2, 3, 4, 5))
    echo(
        f"{len(table)} models; ImageNet-1k accuracy, and images per second on one RTX 4090, "
        "as published by timm."
        + (f" Drawn in {plot}." if plot else "")
        + ("" if len(table) else " Loosen a filter.")
    )


def probe(
    slug: options.Slug,
    archs: Annotated[
        str, Option(help="Networks, separated by commas. Default: those on this machine.")
    ] = "",
    size: Annotated[
        int | None, Option(min=1, help="Input in pixels. Default: each network's own size.")
    ] = None,
    method: Annotated[str, Option(help="How images are resized: squish, crop or pad.")] = "squish",
    flip: Annotated[bool, Option(help="Average the features of each image and its mirror.")] = True,
    folds: options.Folds = 5,
    holdout: Annotated[float | None, Option(help="Share held out, instead of folds.")] = None,
    seed: options.Seed = 42,
    workers: options.Workers = None,
    threads: Annotated[int | None, Option(help="Numeric threads of each network.")] = None,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    live: options.Live = False,
    dest: options.Dest = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank pretrained networks on your images: a linear model on the features of each.

    No network is trained, so each costs one pass over the images, or two with --flip. The results
    are trials in the vault that `fkp run` uses: `fkp board` compares them with the others.
    """
    from ..workflow.probe_archs import probe as rank
    from ..workflow.run_progress import RunProgress
    from .show_outcomes import show_probe

    with resumable(), RunProgress(to_stderr=as_json) as progress:
        outcome = rank(
            slug,
            [name.strip() for name in archs.split(",") if name.strip()],
            size=size,
            method=method,
            flip=flip,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            holdout=holdout,
            callbacks=progress,
            workers=workers,
            threads=threads,
        )
    show_probe(outcome, as_json=as_json)
    if outcome.failed:
        raise Exit(1)


COMMANDS = (archs, probe)
