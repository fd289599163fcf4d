"""What this user set: folders, credentials, and whether this is Kaggle."""

import os
from pathlib import Path

# As in fastkaggle: "Interactive" or "Batch" inside a Kaggle notebook, "" elsewhere.
iskaggle: str = os.environ.get("KAGGLE_KERNEL_RUN_TYPE", "")


def kaggle_input() -> Path:
    """Return Kaggle's folder of inputs (`KAGGLE_CACHE_MOUNT_FOLDER`, else /kaggle/input)."""
    return Path(os.environ.get("KAGGLE_CACHE_MOUNT_FOLDER", "/kaggle/input"))


def home() -> Path:
    """Return the folder for journals and caches (`FKP_HOME`, else ~/.fastkaggle_plus)."""
    return Path(os.environ.get("FKP_HOME") or Path.home() / ".fastkaggle_plus")


def rehearsed_files() -> Path:
    """Return the list of files that are not for the real Kaggle (a `files.HashList`)."""
    return home() / "rehearsed-files.jsonl"


def credential_variables() -> dict[str, str]:
    """Return the Kaggle credentials in environment variables: user, key, token, if they are set."""
    names = {"user": "KAGGLE_USERNAME", "key": "KAGGLE_KEY", "token": "KAGGLE_API_TOKEN"}
    return {name: value for name, variable in names.items() if (value := os.environ.get(variable))}


def api_environment() -> str:
    """Return which Kaggle the clients use (`KAGGLE_API_ENVIRONMENT`, else PROD)."""
    return os.environ.get("KAGGLE_API_ENVIRONMENT") or "PROD"


def token_files() -> list[Path]:
    """Return the credential files of Kaggle's clients that exist on this machine."""
    user = Path.home() / ".kaggle"
    config = Path(os.environ.get("KAGGLE_CONFIG_DIR") or user)
    if not config.exists():  # as kaggle does on Linux
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    tokens = [user / "access_token", user / "access_token.txt"]
    files = [*tokens, config / "kaggle.json", user / "credentials.json"]
    return [f for f in dict.fromkeys(files) if f.exists()]
