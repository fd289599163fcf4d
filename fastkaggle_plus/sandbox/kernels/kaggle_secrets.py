"""A replacement for Kaggle's module `kaggle_secrets`; each kernel gets a copy of it."""

import json
from pathlib import Path

__all__ = ["BackendError", "UserSecretsClient"]


class BackendError(Exception):
    """Kaggle's error for a secret that is not available."""


class UserSecretsClient:
    """Return the secrets that are configured for the sandbox."""

    def get_secret(self, label: str) -> str:
        """Return the secret with this label. Raises BackendError when there is none."""
        if not label:
            raise ValueError("A label must be given.")
        known = json.loads(Path(__file__).with_name("secrets.json").read_text(encoding="utf-8"))
        if label not in known:
            raise BackendError(
                f"No user secrets exist for label {label!r}. Attach it to the notebook first; "
                "in the sandbox: put it into STATE/secrets.json."
            )
        return str(known[label])

    def get_gcloud_credential(self) -> str:
        """Refuse: the sandbox has no cloud account."""
        raise BackendError("No Google Cloud account is attached to this notebook.")
