"""The command `compare`: two trials, as fits and as recipes."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option, echo

from . import options
from .completion import complete_measured
from .sweep_commands import open_vault, pick_trials

if TYPE_CHECKING:
    from ..evidence import RecipeComparison
    from ..sweeps.vault import Vault

_REPEATS = 3  # that are advised


def compare(
    slug: options.Slug,
    a: Annotated[str, Argument(help="A trial.", autocompletion=complete_measured)],
    b: Annotated[
        str, Argument(help="The trial to compare it with.", autocompletion=complete_measured)
    ],
    rope: Annotated[
        float, Option(help="Differences of recipes up to this, in the metric, do not matter.")
    ] = 0.0,
    dest: options.Dest = None,
    live: options.LiveResults = False,
    as_json: options.AsJson = False,
) -> None:
    """Test whether trial A is better than trial B: their fits, and their recipes if repeated.

    Fits are the trained models, on the same rows. Recipes are the ways to train, over other seeds
    and splits; they decide if both trials were repeated. You may look after each repeat.

    NAME@before is the version of a trial before its features, code or parameters last changed, and
    NAME@HASH any version that `fkp board --all` lists.
    """
    from ..evidence import compare as compare_fits
    from .display import show_json

    vault, name = open_vault(slug, dest, live=live)
    fits = compare_fits(*pick_trials(vault, name, [a, b]))
    recipes = _recipes(vault, name, (a, b), rope=rope)
    can_repeat = recipes is None and {a, b} <= {run.trial for run in vault.runs(name)}
    words = ["fkp", "sweep", slug, "--repeats", str(_REPEATS), "--trials", a, "--trials", b]
    command = shlex.join([*words, *(["--live"] if live else [])]) if can_repeat else ""
    if as_json:
        show_json(
            {
                "decides": "recipes" if recipes else "fits",
                "fits": {**asdict(fits), "is_noise": fits.is_noise},
                "recipes": recipes and {**asdict(recipes), "verdict": recipes.verdict},
                "to_repeat": command,
            }
        )
        return
    echo(f"fits: {fits}")
    if recipes:
        echo(recipes)
        echo("The recipes decide: which way to train is better on data like this.")
    else:
        echo("This speaks of these trained models on these rows, not of the ways to train.")
    if command:
        echo(f"For those, repeat both: {command}")


def _recipes(
    vault: Vault, slug: str, names: tuple[str, str], *, rope: float
) -> RecipeComparison | None:
    """Compare the repeats that both trials have; None for fewer than two."""
    from ..evidence import compare_recipes
    from ..sweeps.repeats import by_recipe, paired_repeats

    found = by_recipe(vault.latest(slug)[0])
    a, b = paired_repeats(*(found.get(name, {}) for name in names))
    return compare_recipes(a, b, rope=rope) if len(a) > 1 else None
