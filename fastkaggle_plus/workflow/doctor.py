"""What is installed, which credentials are found, and what is missing for what."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..competition import FACTS, list_comps
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
class Finding:
    "One thing looked at."

    what: str
    detail: str
    ok: bool


def findings() -> list[Finding]:
    "Look at everything `fkp` stands on; nothing leaves this machine."
    return [
        Finding(
            "python",
            f"{platform.python_version()} on {platform.platform(terse=True)}{', inside a Kaggle notebook' if iskaggle else ''}",
            True,
        ),
        *[_installed(name) for name in ("fastkaggle_plus", "kaggle", "fastkaggle", "six")],
        *[_extra(name, packages) for name, packages in _EXTRAS.items()],
        _credentials(),
        _competitions(),
        _sandbox(),
        Finding("journal", f"submissions are journaled in {home()}", True),
    ]


def _installed(package: str) -> Finding:
    try:
        return Finding(package, importlib.metadata.version(package), True)
    except importlib.metadata.PackageNotFoundError:
        return Finding(package, f"not installed: pip install {package}", False)


def _extra(name: str, packages: tuple[str, ...]) -> Finding:
    absent = [p for p in packages if importlib.util.find_spec(p) is None]
    return Finding(
        f"extra {name}",
        f"{', '.join(absent)} missing: pip install 'fastkaggle_plus[{name}]'"
        if absent
        else ", ".join(packages),
        not absent,
    )


def _credentials() -> Finding:
    if has_credential_variables():
        return Finding("credentials", "given by environment variables", True)
    if files := token_files():
        return Finding("credentials", f"found in {', '.join(map(str, files))}", True)
    return Finding(
        "credentials",
        "none: make a token at https://www.kaggle.com/settings and save it as ~/.kaggle/access_token (a rehearsal needs none)",
        False,
    )


def _sandbox() -> Finding:
    "Start a sandbox on a competition of two rows."
    try:
        from ..sandbox import running

        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundles" / "two-rows"
            (bundle / "files").mkdir(parents=True)
            (bundle / FACTS).write_text(
                'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
            )
            (bundle / "solution.csv").write_text("id,y,Usage\n1,0,Public\n2,1,Private\n")
            with running(bundle.parent, state=Path(folder) / "state") as box:
                return Finding(
                    "sandbox",
                    f"started at {box.url}, on this machine only, and stopped again",
                    True,
                )
    except (FastkaggleError, OSError) as e:
        return Finding("sandbox", f"does not start: {e}", False)


def _competitions() -> Finding:
    try:
        return Finding(
            "competitions", ", ".join(c.slug for c in list_comps()) or "none found", True
        )
    except FastkaggleError as e:
        return Finding("competitions", str(e), False)
