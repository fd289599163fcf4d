"""Health checks: libraries, credentials, competitions, and whether the sandbox starts."""

import os
import platform
import tempfile
from pathlib import Path

from ..competition import COMPETITION_FILE, Competition, builtin_folder, list_comps
from ..environment import home, iskaggle, points_to_sandbox
from ..exceptions import FastkaggleError, NoCredentials
from ..kaggle_client.credentials import Credential, find_credentials
from .health import HealthCheck, Status
from .installed import check_extras, check_libraries, used_competitions

_NONE = (
    "Not needed for rehearsals. For the real Kaggle, make a token at "
    "https://www.kaggle.com/settings/api and save it in ~/.kaggle/access_token."
)


def run_checks(
    *,
    online: bool = False,  # also ask Kaggle whether it accepts the credentials, and the quota
) -> list[HealthCheck]:
    """Check everything that `fkp` uses. Without `online`, nothing leaves this machine."""
    where = ", inside a Kaggle notebook" if iskaggle else ""
    python = f"{platform.python_version()} on {platform.platform(terse=True)}{where}"
    found = [HealthCheck("python", python), *check_libraries()]
    competitions, comps = _competitions()
    found += check_extras(used_competitions(comps, builtin_folder()))
    found += check_credentials(find_credentials())
    if online:
        found.append(_online())
    return [*found, competitions, _sandbox(), _journal()]


def check_credentials(credentials: list[Credential]) -> list[HealthCheck]:
    """Say which credential the clients use, whether its format is right, and which are ignored."""
    used = next((c for c in credentials if not c.is_skipped), None)
    found = [] if credentials else [HealthCheck("credentials", "none", "warning", _NONE)]
    for c in credentials:
        is_used = c is used
        name = "credentials" if is_used else "not used"
        mode = "" if c.mode is None else f" (mode {c.mode:o})"
        detail = f"user {c.user}, " * bool(c.user) + f"{c.kind} from {c.where}{mode}"
        if c.problem:
            status: Status = "problem" if is_used or used is None else "warning"
            found.append(HealthCheck(name, f"{detail}: {c.problem}", status, c.advice))
        elif is_used:
            found.append(HealthCheck(name, detail))
        elif used is not None:
            advice = "Remove one of the two."
            found.append(HealthCheck(name, f"{detail}: {used.where} wins", "warning", advice))
        if not c.is_private:
            detail = f"other users of this machine can read {c.where}"
            found.append(HealthCheck(name, detail, "warning", f"chmod 600 {c.where}"))
    return found


def _online() -> HealthCheck:
    """Ask Kaggle who the user is and how many accelerator hours are left."""
    from ..kaggle_client import import_kaggle, quota

    kaggle = "the sandbox" if points_to_sandbox() else "Kaggle"
    try:
        client = import_kaggle()
        hours = quota(client=client)
    except NoCredentials:
        return HealthCheck("online", "no credentials to try", "problem", _NONE)
    except FastkaggleError as e:
        advice = "Correct the credentials, or try again later."
        return HealthCheck("online", str(e), "problem", advice)
    left = [f"{q.accelerator} {q.left_s / 3600:.1f} of {q.allowed_s / 3600:.0f} h" for q in hours]
    until = f" until {hours[0].refreshes[:10]}" if hours and hours[0].refreshes else ""
    user = client.config_values.get("username") or "unknown"
    return HealthCheck(
        "online", f"{kaggle} accepts user {user}; left this week: {', '.join(left)}{until}"
    )


def _competitions() -> tuple[HealthCheck, list[Competition]]:
    try:
        comps = list_comps()
    except FastkaggleError as e:
        advice = "Correct the file; `fkp list` shows the others then."
        return HealthCheck("competitions", str(e), "problem", advice), []
    return HealthCheck("competitions", ", ".join(c.slug for c in comps) or "none found"), comps


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
                return HealthCheck("sandbox", detail)
    except (FastkaggleError, OSError) as e:
        advice = "Install the extra: pip install 'fastkaggle_plus[sandbox]'."
        return HealthCheck("sandbox", f"does not start: {e}", "problem", advice)


def _journal() -> HealthCheck:
    folder = home()
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if os.access(existing, os.W_OK):
        return HealthCheck("journal", f"submissions are journaled in {folder}")
    advice = "Set FKP_HOME to a folder that you may write to."
    return HealthCheck("journal", f"{existing} cannot be written", "problem", advice)
