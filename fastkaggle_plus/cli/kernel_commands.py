"""Commands of `fkp kernels`: the notebooks on Kaggle that run the trials of sweeps."""

from typing import Annotated

from typer import Argument, Exit, Option, Typer, confirm, echo

from . import options
from .command import Command
from .going_live import require_live

app = Typer(help="The kernels on Kaggle that run the trials of sweeps.", no_args_is_help=True)
_REHEARSED = "rehearse with `fkp sweep SLUG --on kaggle`, whose kernels end with it"


@app.command("list", cls=Command)
def list_kernels(live: options.Live = False, as_json: options.AsJson = False) -> None:
    """List your kernels that sweeps made, with their status."""
    from ..kaggle_client import import_kaggle, kernel_status
    from ..kaggle_client.kernels.sweep_kernels import sweep_kernels
    from .display import show_json, show_table

    require_live("kernels list", live=live, rehearse=_REHEARSED)
    client = import_kaggle()
    header = ["kernel", "competition", "status", "machine", "last run"]
    rows = []
    for kernel in sweep_kernels(client=client):
        status = kernel_status(kernel.handle, client=client).status
        machine = "GPU" if kernel.gpu else "CPU"
        rows.append([kernel.handle, kernel.competition, status, machine, kernel.last_run[:16]])
    if as_json:
        show_json([dict(zip(header, row, strict=True)) for row in rows])
    elif rows:
        show_table(header, rows)
    else:
        echo("No kernels of sweeps.")


@app.command(cls=Command)
def stop(
    handle: options.Handle,
    live: options.Live = False,
    yes: Annotated[bool, Option("-y", "--yes", help="Delete without the question.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Delete a kernel of a sweep: nothing else stops it, and its billing. Its output is lost.

    Fetch its results first, with `fkp kernels fetch SLUG`, if it has ended.
    """
    from ..kaggle_client.kernels.sweep_kernels import delete_sweep_kernel
    from .display import show_json

    require_live("kernels stop", live=live, rehearse=_REHEARSED)
    if not (yes or confirm(f"Delete {handle} and its output?", default=False, err=as_json)):
        echo("Nothing was deleted.", err=as_json)
        raise Exit(1)
    deleted = delete_sweep_kernel(handle)
    if as_json:
        show_json({"deleted": deleted})
    else:
        echo(f"{deleted} is deleted.")


@app.command(cls=Command)
def fetch(
    slug: Annotated[str, Argument(help="The competition whose kernels ran.")],
    dest: options.Dest = None,
    live: options.Live = False,
    as_json: options.AsJson = False,
) -> None:
    """Store the results of a competition's kernels in its vault, as after a lost machine."""
    from ..kaggle_client import import_kaggle
    from ..sweeps.kaggle_kernels.collect import fetch_results
    from ..sweeps.vault import Vault, output_folder
    from .display import show_json, show_table

    require_live("kernels fetch", live=live, rehearse=_REHEARSED)
    vault = Vault(output_folder(slug, dest, live=live) / "vault")
    found = fetch_results(slug, vault, import_kaggle())
    rows = [
        [kernel.handle, seen.status, len(seen.files), ", ".join(run.trial for run in new)]
        for kernel, seen, new in found
    ]
    header = ["kernel", "status", "results", "new"]
    if as_json:
        show_json([dict(zip(header, row, strict=True)) for row in rows])
    elif rows:
        show_table(header, rows, numbers=(2,))
    else:
        echo(f"No kernels of sweeps on {slug}.")
