"""Commands of `fkp vault`: merge vaults, check their files, and free their disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option, Typer, confirm, echo

from ..exceptions import DataError, listed
from . import options
from .command import Command
from .completion import complete_slugs

if TYPE_CHECKING:
    from ..sweeps.vault import Vault

app = Typer(help="Merge, check and clean vaults: where sweeps store runs.", no_args_is_help=True)
Slug = Annotated[
    str,
    Argument(help="Only this competition. Default: all in runs/.", autocompletion=complete_slugs),
]


@app.command(cls=Command)
def merge(
    other: Annotated[Path, Argument(help="Folder of the other vault, which is only read.")],
    dest: Annotated[
        Path | None, Option(help="Folder of results to merge into. Default: runs/SLUG of each run.")
    ] = None,
    live: Annotated[bool, Option("--live", help="Merge into the live runs.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Take the runs of another vault, as of another machine; those that are here stay.

    Each file is checked. The exit status is 1 if one is damaged: its run is not taken.
    """
    from ..sweeps.vault import Vault, output_folder
    from ..sweeps.vault_upkeep import find_folder, merge_vault, slugs_in
    from .display import show_json

    shown, refused = [], set()
    for slug in slugs_in(folder := find_folder(other)):
        vault = Vault(output_folder(slug, dest, live=live) / "vault")
        merged = merge_vault(vault, folder, slug=slug)
        refused |= set(map(str, merged.refused))
        names = {kind: [r.trial for r in getattr(merged, kind)] for kind in ("taken", "known")}
        shown.append({"slug": slug, "vault": str(vault.folder), **names})
        if not as_json:
            taken = f"{len(merged.taken)} runs taken ({listed(names['taken'])})"
            echo(f"{vault.folder}: {taken}, {len(merged.known)} were there already")
    if as_json:
        show_json({"vaults": shown, "refused": sorted(refused)})
    for damage in sorted(refused):
        echo(f"refused: {damage}", err=True)
    if refused:
        raise Exit(1)


@app.command(cls=Command)
def check(
    slug: Slug = "",
    dest: options.Dest = None,
    live: options.LiveResults = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare every file of a vault with its hash, and every run with its file.

    The exit status is 1 if a file is damaged or missing.
    """
    from ..sweeps.vault_upkeep import check_vault
    from .display import show_json

    found = {vault: check_vault(vault) for vault in _vaults(slug, dest, live=live)}
    if as_json:
        names = {vault: [asdict(damage) for damage in found[vault]] for vault in found}
        show_json([{"vault": str(vault.folder), "damaged": names[vault]} for vault in found])
    for vault, damages in () if as_json else found.items():
        echo(f"{vault.folder}: {len(vault.runs())} runs, {len(damages) or 'no'} damaged files")
        for damage in damages:
            echo(f"  {damage}")
    if any(found.values()):
        raise Exit(1)


@app.command(cls=Command)
def gc(
    slug: Slug = "",
    dest: options.Dest = None,
    live: options.LiveResults = False,
    yes: options.Remove = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove files that no run needs, and failed runs whose trial ran again.

    Nothing is removed before you see what and how much, and confirm. Files of the last hour stay.
    """
    from ..sweeps.vault_upkeep import find_garbage, remove_garbage
    from .display import show_json, show_table

    found = [(vault, g) for vault in _vaults(slug, dest, live=live) for g in find_garbage(vault)]
    cells = [[_mb(g.size), len(g.files) + len(g.keys), g.what, v.folder] for v, g in found]
    if as_json:
        names = ("mb", "number", "what", "vault")
        show_json([dict(zip(names, row, strict=True)) for row in cells])
    elif found:
        show_table(["MB", "number", "what", "vault"], cells, numbers=(0, 1))
    total = _mb(sum(g.size for _, g in found))
    if not found:
        echo("Nothing to remove.", err=as_json)
    elif yes or confirm(f"Remove these, {total} MB?", default=False, err=as_json):
        for vault, garbage in found:
            remove_garbage(vault, [garbage])
        echo(f"Removed {total} MB.", err=as_json)
    else:
        echo("Nothing was removed.", err=as_json)
        raise Exit(1)


def _vaults(slug: str, dest: Path | None, *, live: bool) -> list[Vault]:
    """Return the vaults of a competition; without one, all in runs/. Raises DataError."""
    from ..sweeps.vault import Vault, output_folder

    name = Path(slug).resolve().name if slug else ""
    folders = [output_folder(name, dest, live=live)] if name or dest else Path("runs").glob("*")
    if not (name or dest):
        folders = [folder / "live" if live else folder for folder in folders]
    found = [folder / "vault" for folder in folders if (folder / "vault" / "vault.db").is_file()]
    if not found:
        where = name or dest or "runs/"
        raise DataError(f"Found no vault of {where}. Run `fkp sweep SLUG` first, or name --dest.")
    return [Vault(folder) for folder in sorted(found)]


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"
