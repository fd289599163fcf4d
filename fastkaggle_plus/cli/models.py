"""The subcommand about image models: which there are, and how good and fast they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]


def archs(
    max_params: Annotated[
        float | None, typer.Option(help="At most so many million parameters.")
    ] = None,
    min_top1: Annotated[
        float | None,
        typer.Option(help="At least so many per cent of ImageNet-1k right, first guess."),
    ] = None,
    min_speed: Annotated[
        float | None,
        typer.Option(help="At least so many images a second, on the GPU of the table."),
    ] = None,
    max_px: Annotated[int | None, typer.Option(help="Images of at most this height.")] = None,
    free_size: Annotated[
        bool | None,
        typer.Option(
            "--free-size/--fixed-size",
            help="Only nets that take any size, or only those that do not.",
        ),
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family, as in convnext. May be repeated.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the models into this file: .png, .svg or .pdf.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="At most so many rows, best first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    "List image models of timm with accuracy, speed and size, best first. Names go into a trial as they are."
    from ..modeling import model_table
    from .render import show_json, show_table

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
    cells = [
        [
            r["model"],
            r["family"],
            f"{r['top1']:.2f}",
            f"{r['n_params_m']:.1f}",
            f"{r['images_per_s']:,.0f}",
            str(r["input_px"]),
            "free" if r["is_free_size"] else "fixed",
            r["pretrained_on"],
        ]
        for r in table.to_dict("records")
    ]
    show_table(
        ["model", "family", "top-1 %", "M params", "images/s", "px", "size", "pretrained on"],
        cells,
        numbers=(2, 3, 4, 5),
    )
    print(
        f"{len(table)} models; ImageNet-1k accuracy, and images a second on one RTX 4090, as timm publishes them."
        + (f" Drawn in {plot}." if plot else "")
        + ("" if len(table) else " Loosen a filter.")
    )


COMMANDS = (archs,)
