"""Health checks: what is installed, which credentials exist, whether the sandbox starts."""

import importlib.metadata
import importlib.util
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..competition import COMPETITION_FILE, list_comps
from ..environment import has_credential_variables, home, iskaggle, token_files
from ..exceptions import FastkaggleError

_EXTRAS = {
    "tabular": ("fastai", "torch"),
    "vision": ("fastai", "timm"),
    "text": ("transformers",),
    "sandbox": ("starlette", "uvicorn"),
    "boost": ("catboost", "lightgbm", "xgboost"),
    "ray": ("ray",),
}


@dataclass(frozen=True)
class HealthCheck:
    """The result of one check."""

    what: str
    detail: str
    ok: bool


def run_checks() -> list[HealthCheck]:
    """Check everything that `fkp` uses. Nothing leaves this machine."""
    where = ", inside a Kaggle notebook" if iskaggle else ""
    python = f"{platform.python_version()} on {platform.platform(terse=True)}{where}"
    return [
        HealthCheck("python", python, True),
        *[_installed(name) for name in ("fastkaggle_plus", "kaggle", "fastkaggle", "six")],
        *[_extra(name, packages) for name, packages in _EXTRAS.items()],
        _credentials(),
        _competitions(),
        _sandbox(),
        HealthCheck("journal", f"submissions are journaled in {home()}", True),
    ]


def _installed(package: str) -> HealthCheck:
    try:
        return HealthCheck(package, importlib.metadata.version(package), True)
    except importlib.metadata.PackageNotFoundError:
        return HealthCheck(package, f"not installed: pip install {package}", False)


def _extra(name: str, packages: tuple[str, ...]) -> HealthCheck:
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    detail = ", ".join(packages)
    if missing:
        detail = f"{', '.join(missing)} missing: pip install 'fastkaggle_plus[{name}]'"
    return HealthCheck(f"extra {name}", detail, not missing)


def _credentials() -> HealthCheck:
    if has_credential_variables():
        return HealthCheck("credentials", "set by environment variables", True)
    if files := token_files():
        return HealthCheck("credentials", f"found in {', '.join(map(str, files))}", True)
    return HealthCheck(
        "credentials",
        "none: create a token at https://www.kaggle.com/settings and save it as "
        "~/.kaggle/access_token (a rehearsal needs none)",
        False,
    )


def _sandbox() -> HealthCheck:
    """Start a sandbox with a competition of two rows, and stop it."""
    try:
        from ..sandbox import running

        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundles" / "two-rows"
            (bundle / "files").mkdir(parents=True)
            (bundle / COMPETITION_FILE).write_text(
                'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
            )
            (bundle / "solution.csv").write_text("id,y,Usage\n1,0,Public\n2,1,Private\n")
            with running(bundle.parent, state=Path(folder) / "state") as box:
                detail = f"started at {box.url}, on this machine only, and stopped again"
                return HealthCheck("sandbox", detail, True)
    except (FastkaggleError, OSError) as e:
        return HealthCheck("sandbox", f"does not start: {e}", False)


def _competitions() -> HealthCheck:
    try:
        found = ", ".join(c.slug for c in list_comps()) or "none found"
        return HealthCheck("competitions", found, True)
    except FastkaggleError as e:
        return HealthCheck("competitions", str(e), False)
