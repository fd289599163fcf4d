"""Where am I? The only file that reads, or sets, environment variables."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from .exceptions import SandboxError

# As in fastkaggle: "Interactive" or "Batch" inside a Kaggle notebook, "" elsewhere.
iskaggle: str = os.environ.get("KAGGLE_KERNEL_RUN_TYPE", "")

_REHEARSAL = (
    "KAGGLE_API_ENVIRONMENT",
    "http_proxy",
    "HTTP_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "KAGGLE_USERNAME",
    "KAGGLE_KEY",
    "KAGGLE_API_TOKEN",
    "KAGGLE_API_V1_TOKEN",
    "FKP_REHEARSAL",
)

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def kaggle_input() -> Path:
    """Return the folder Kaggle mounts data under (`KAGGLE_CACHE_MOUNT_FOLDER`, else /kaggle/input)."""
    return Path(os.environ.get("KAGGLE_CACHE_MOUNT_FOLDER", "/kaggle/input"))


def home() -> Path:
    """Return the folder for what outlives one run, like the submission journal (`FKP_HOME`, else ~/.fastkaggle_plus)."""
    return Path(os.environ.get("FKP_HOME") or Path.home() / ".fastkaggle_plus")


def has_credential_variables() -> bool:
    """Say whether a Kaggle key or token is given by environment variables."""
    return bool(
        os.environ.get("KAGGLE_API_TOKEN")
        or (os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"))
    )


def credential_variables() -> dict[str, str]:
    """Return the Kaggle credentials that environment variables give: user, key, token; only those that are set."""
    names = {"user": "KAGGLE_USERNAME", "key": "KAGGLE_KEY", "token": "KAGGLE_API_TOKEN"}
    return {name: value for name, variable in names.items() if (value := os.environ.get(variable))}


def api_environment() -> str:
    """Return which Kaggle the clients are told to use (`KAGGLE_API_ENVIRONMENT`): PROD unless set."""
    return os.environ.get("KAGGLE_API_ENVIRONMENT") or "PROD"


def token_files() -> list[Path]:
    """Return the credential files Kaggle's clients look for that exist here."""
    config = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    user = Path.home() / ".kaggle"
    wanted = [
        user / "access_token",
        user / "access_token.txt",
        config / "kaggle.json",
        user / "credentials.json",
    ]
    return [f for f in dict.fromkeys(wanted) if f.exists()]


def harmless_variables() -> dict[str, str]:
    """Return the variables that foreign code may inherit: search paths, language, hardware. No key, token or proxy is among them."""
    kept = (
        "PATH",
        "LANG",
        "LANGUAGE",
        "TZ",
        "LD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "SSL_CERT_FILE",
        "TERM",
    )
    return {
        k: v
        for k, v in os.environ.items()
        if k in kept or k.startswith(("LC_", "CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_"))
    }


def is_rehearsal() -> bool:
    """Say whether this process talks to the sandbox (see `rehearsing`)."""
    return bool(os.environ.get("FKP_REHEARSAL"))


def assert_loopback(url: str) -> str:
    """Return `url` if its host is this machine; raise SandboxError otherwise."""
    host = urlsplit(url).hostname or ""
    try:
        addresses = (
            {host} if _is_ip(host) else {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
        )
    except OSError as e:
        raise SandboxError(
            f"A rehearsal must stay on this machine, and {host!r} does not resolve ({e})."
        ) from e
    if not addresses or not all(ipaddress.ip_address(a).is_loopback for a in addresses):
        raise SandboxError(
            f"A rehearsal must stay on this machine, but {url!r} leads to {', '.join(sorted(addresses)) or 'nowhere'}. "
            "Use `--live` if you mean the real Kaggle."
        )
    return url


@contextlib.contextmanager
def rehearsing(
    url: str,  # the sandbox, http://127.0.0.1:PORT
    *,
    user: str,  # the sandbox's user name
    key: str,  # and key: never those of a real account
    token: str = "",  # the sandbox's token: with it no client looks for a real one in ~/.kaggle
) -> Iterator[None]:
    """Point every Kaggle client in this process at a sandbox, and nowhere else.

    The clients know no variable for an endpoint, so the sandbox acts as the proxy of http://localhost.
    Real credentials in the environment are hidden meanwhile.
    """
    assert_loopback(url)
    before = {k: os.environ.get(k) for k in _REHEARSAL}
    imported = sys.modules.get(
        "kaggle.api.kaggle_api_extended"
    )  # kaggle chooses its endpoint once, when it is imported
    chosen = imported and imported.KaggleApi.args
    try:
        if imported:
            imported.KaggleApi.args = ["--local"]
        for k in _REHEARSAL:
            os.environ.pop(k, None)
        os.environ.update(
            KAGGLE_API_ENVIRONMENT="LOCALHOST",
            http_proxy=url,
            KAGGLE_USERNAME=user,
            KAGGLE_KEY=key,
            FKP_REHEARSAL=url,
        )
        if token:
            os.environ["KAGGLE_API_TOKEN"] = token
        yield
    finally:
        _restore(before)
        if imported:
            imported.KaggleApi.args = chosen


def has_gpu() -> bool:
    """Say whether a program may see an NVIDIA GPU here, without loading a driver: `CUDA_VISIBLE_DEVICES` can hide it."""
    signs = (
        "/proc/driver/nvidia/version",
        "/dev/nvidia0",
        "/dev/dxg",
    )  # the last in Linux on Windows
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") and any(
        Path(sign).exists() for sign in signs
    )


def with_variables(**changes: str) -> dict[str, str]:
    """Return the environment for a child process, with `changes`."""
    return {**os.environ, **changes}


@contextlib.contextmanager
def numeric_threads(n: int) -> Iterator[None]:
    """Give processes started, and libraries imported, meanwhile so many numeric threads each: trials share the cores."""
    before = {k: os.environ.get(k) for k in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(n)))
    try:
        yield
    finally:
        _restore(before)


def _restore(before: dict[str, str | None]) -> None:
    for k, v in before.items():
        os.environ.pop(k, None)
        if v is not None:
            os.environ[k] = v


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
