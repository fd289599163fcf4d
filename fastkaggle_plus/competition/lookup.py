"""Find competitions and read their competition.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from ..exceptions import ConfigError, FastkaggleError, UnknownName, explain_error
from ..ui.records import Records
from .record import COMPETITION_FILE, Competition
from .settings import SECTIONS


def read_competition(file: str | Path) -> Competition:
    """Read a competition.toml; the folder's name is the slug.

    Raises ConfigError that names the file, the key, its value and the allowed values.
    """
    file = Path(file).resolve()
    try:
        facts = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise ConfigError(
            f"{file} does not exist. A competition is a folder with a {COMPETITION_FILE} in it; "
            "`fkp new SLUG` writes one."
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{file} is not valid TOML: {e}") from e
    if reserved := {"slug", "folder"} & facts.keys():
        raise ConfigError(
            f"{file}: {reserved.pop()!r} is not a key: the folder's name is the slug. Remove it."
        )
    try:
        comp = Competition(**facts, slug=file.parent.name, folder=file.parent)
    except ValidationError as e:
        problems = [explain_error(p, file, Competition, SECTIONS) for p in e.errors()]
        raise ConfigError("\n".join(problems)) from e
    if not (file.parent / "grade.py").exists():
        _check_metric(comp, file)
    return comp


def load_comp(
    slug: str | Path,  # the URL name, or the path of a competition's folder
    *,
    bundles: str | Path | None = None,  # folder of sandbox bundles, searched last
) -> Competition:
    """Find a competition in ./competitions, the current folder, the package, or `bundles`.

    Raises UnknownName, ConfigError.
    """
    if bundles and not Path(bundles).is_dir():
        raise ConfigError(
            f"{bundles} is no folder. Give a folder of sandbox bundles: DIR/<slug>/ with "
            f"{COMPETITION_FILE}, files/ and solution.csv."
        )
    is_path = isinstance(slug, Path) or Path(slug).name != slug
    if is_path and str(slug) and (Path(slug) / COMPETITION_FILE).exists():
        return read_competition(Path(slug) / COMPETITION_FILE)
    folders = _folders()
    if bundles:  # last, even if listed already: a competition's folder has its trials as well
        bundles = Path(bundles)
        folders = [*(f for f in folders if f.resolve() != bundles.resolve()), bundles]
    for folder in folders:
        if (folder / str(slug) / COMPETITION_FILE).exists():
            return read_competition(folder / str(slug) / COMPETITION_FILE)
    known = _found_in(folders)
    hint = (
        "It was searched in ./competitions, in this folder and in the package. Go to the folder "
        f"that holds it, give its path, or add one with `fkp new {slug}`."
    )
    raise UnknownName("competition", str(slug), known, hint)


def list_comps() -> Records[Competition]:
    """Return every competition that `load_comp` finds; of one slug, the first folder wins."""
    return Records(read_competition(file) for _, file in sorted(_found_in(_folders()).items()))


def known_slugs() -> list[str]:
    """Return the slug of every competition that `load_comp` finds. No file is read."""
    return sorted(_found_in(_folders()))


def builtin_folder() -> Path:
    """Return the folder of the built-in competitions: in the package, or next to a checkout's."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "competitions"
    return inside if inside.is_dir() else package.parent / "competitions"


def _folders() -> list[Path]:
    return [Path.cwd() / "competitions", Path.cwd(), builtin_folder()]


def _found_in(folders: list[Path]) -> dict[str, Path]:
    """Return slug -> competition.toml of the competitions in these folders; the first wins."""
    files = [f for folder in reversed(folders) for f in folder.glob(f"*/{COMPETITION_FILE}")]
    return {f.parent.name: f for f in files if not f.parent.name.startswith("_")}


def _check_metric(comp: Competition, file: Path) -> None:
    try:
        comp.scoring  # noqa: B018
    except FastkaggleError as e:
        own = comp.own_metric_file and str(e).startswith(str(file.parent / comp.own_metric_file))
        raise ConfigError(str(e) if own else f"{file}: metric = {comp.metric!r}. {e}") from e
