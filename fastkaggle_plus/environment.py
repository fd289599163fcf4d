"""Environment variables: the only file that reads or sets them."""

import contextlib
import functools
import ipaddress
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .exceptions import SandboxError

# As in fastkaggle: "Interactive" or "Batch" inside a Kaggle notebook, "" elsewhere.
iskaggle: str = os.environ.get("KAGGLE_KERNEL_RUN_TYPE", "")

_REHEARSAL = (
    "KAGGLE_API_ENVIRONMENT",
    "KAGGLE_API_ENDPOINT",
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

_change = threading.RLock()  # guards the next two, and the variables of a rehearsal
_rehearsals: list[dict[str, str]] = []  # variables of the open rehearsals, the newest last
_outside: dict[str, Any] = {}  # while one is open: what to restore after the last one

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_CORES = "FKP_CORES"
_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
_CALM_THREADS = {
    # pandas imports pyarrow if it is installed, whose memory pool starts a thread
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # OpenMP's idle threads would keep a core busy that another trial needs
    "OMP_WAIT_POLICY": "PASSIVE",
}


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


def harmless_variables() -> dict[str, str]:
    """Return variables that are safe for foreign code: search paths, language, hardware.

    They include no key, token or proxy.
    """
    names = "PATH LANG LANGUAGE TZ LD_LIBRARY_PATH VIRTUAL_ENV CONDA_PREFIX SSL_CERT_FILE TERM"
    prefixes = ("LC_", "CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_")
    return {k: v for k, v in os.environ.items() if k in names.split() or k.startswith(prefixes)}


def is_rehearsal() -> bool:
    """Say whether this process talks to the sandbox (see `rehearsing`)."""
    return bool(os.environ.get("FKP_REHEARSAL"))


def assert_loopback(url: str) -> str:
    """Return `url` if its host is this machine; raise SandboxError otherwise."""
    if not is_loopback(urlsplit(url).hostname or ""):
        raise SandboxError(
            f"A rehearsal must stay on this machine; expected the host localhost or 127.0.0.1, "
            f"got {url!r}. Use `--live` for the real Kaggle."
        )
    return url


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, and no other machine can reach it by this name.

    Names except localhost are not looked up: the question itself would leave this machine.
    """
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def assert_sandbox_variables() -> None:
    """Raise SandboxError unless KAGGLE_API_ENDPOINT names the address that requests go to.

    `rehearsing` and `fkp sandbox serve` give it. Another program on that port, such as a proxy,
    must not get the credentials in the environment.
    """
    from urllib.request import getproxies, proxy_bypass  # as requests chooses; slow to import

    proxy = "" if proxy_bypass("localhost") else getproxies().get("http")
    address = (proxy or "http://127.0.0.1:80").rstrip("/")
    expected = os.environ.get("KAGGLE_API_ENDPOINT", "").rstrip("/")
    if expected != address:
        raise SandboxError(
            f"Nothing was sent: KAGGLE_API_ENVIRONMENT=LOCALHOST sends requests to {address}; "
            f"expected a sandbox there, with KAGGLE_API_ENDPOINT={address}, got {expected!r}. Set "
            "all variables that `fkp sandbox serve` prints, or unset KAGGLE_API_ENVIRONMENT."
        )


def points_to_sandbox() -> bool:
    """Say whether Kaggle's clients in this process use a sandbox, not the real Kaggle."""
    return is_rehearsal() or api_environment() == "LOCALHOST"


@contextlib.contextmanager
def rehearsing(
    url: str,  # the sandbox, http://127.0.0.1:PORT
    *,
    user: str,  # the sandbox's user name
    key: str,  # the sandbox's key; never use those of a real account
    token: str = "",  # the sandbox's token; with it, clients ignore the real one in ~/.kaggle
) -> Iterator[None]:
    """Connect every Kaggle client in this process to a sandbox, and to nothing else.

    The clients have no variable for an endpoint, so the sandbox acts as the proxy of
    http://localhost. Real credentials in the environment are hidden until the block ends. Of
    several open rehearsals, also in other threads, the newest is in force; the last one that ends
    restores the environment.
    """
    assert_loopback(url)
    variables = {
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_ENDPOINT": url,  # kaggle 1.6 knows only this
        "http_proxy": url,
        "KAGGLE_USERNAME": user,
        "KAGGLE_KEY": key,
        "FKP_REHEARSAL": url,
    }
    if token:
        variables["KAGGLE_API_TOKEN"] = token
    with _change:
        if not _rehearsals:
            _outside.update({k: os.environ.get(k) for k in _REHEARSAL})
        _rehearsals.append(variables)
        _use_newest()
    try:
        yield
    finally:
        with _change:
            # The same object: two rehearsals may have equal variables.
            _rehearsals[:] = [r for r in _rehearsals if r is not variables]
            _use_newest()


def has_gpu() -> bool:
    """Say whether there is an NVIDIA GPU that `CUDA_VISIBLE_DEVICES` does not hide."""
    return bool(visible_gpus())


def visible_gpus() -> tuple[str, ...]:
    """Return the NVIDIA GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them.

    This process loads no driver: it could not be forked afterwards.
    """
    named = os.environ.get(_VISIBLE_GPUS)
    if named is None or not _installed_gpus():
        return _installed_gpus()
    names = map(str.strip, named.split(","))
    return tuple(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # as CUDA reads


@functools.cache
def _installed_gpus() -> tuple[str, ...]:
    """Return the numbers of the GPUs, and the UUIDs of those that are parts of one (MIG)."""
    tool = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    try:
        listed = subprocess.run([tool or "", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        files = list(Path("/dev").glob("nvidia[0-9]*"))  # those that a container was given
        return tuple(str(number) for number in range(len(files)))  # CUDA counts them from 0
    names: list[str] = []
    for number, part in re.findall(r"^GPU (\d+):|UUID: (MIG-[^)]+)", listed.stdout, re.MULTILINE):
        if part and names and names[-1].isdecimal():
            names.pop()  # this GPU is divided
        names.append(part or number)
    return tuple(names)


def gpu_variables(*names: str) -> dict[str, str]:
    """Return the variables of a process that sees only these GPUs."""
    return {_VISIBLE_GPUS: ",".join(names)}


def named_cards() -> list[str]:
    """Return the GPUs that sweeps use, as 0 and 1, if `FKP_CARDS` names them: 0,1."""
    return [card for card in os.environ.get("FKP_CARDS", "").split(",") if card]


def card_variables(n: int) -> dict[str, str]:
    """Return the variables that let a process see `n` GPUs; none where there are real ones.

    Its sweeps start `n` workers, as on a machine with `n` GPUs, and their models run on the CPU.
    """
    return {} if has_gpu() else {"FKP_CARDS": ",".join(str(i) for i in range(n))}


def with_variables(**changes: str) -> dict[str, str]:
    """Return the environment for a child process, with `changes`."""
    return {**os.environ, **changes}


def prepare_gradio(
    host: str,
    port: int | None,  # None: the first free one from 7860
) -> None:
    """Set where Gradio serves, and turn off its statistics. Call it before gradio is imported."""
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SERVER_NAME": host,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if port is not None:
        os.environ["GRADIO_SERVER_PORT"] = str(port)


def prepare_ray(
    address: str | None,  # of a cluster; None: one that starts on this machine
) -> None:
    """Turn off Ray's usage reports; keep its servers on 127.0.0.1 if the cluster is there.

    Call it before the first import of ray.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None or address.startswith(("127.", "localhost:")):
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on every system, despite its name
    if address is not None:  # fail after a minute, not a quarter of an hour, if it is not there
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")


@contextlib.contextmanager
def numeric_threads(
    n: int,
    *,
    cores: int = 0,  # cores that are free for this process: see `thread_limit`; 0: n
) -> Iterator[None]:
    """Set the numeric threads of processes started, and libraries imported, in this block."""
    changes = dict.fromkeys(_THREADS, str(n)) | _CALM_THREADS | {_CORES: str(cores or n)}
    with variables(changes):
        yield


@contextlib.contextmanager
def variables(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables in the block, for this process and those that it starts."""
    before = {k: os.environ.get(k) for k in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        _restore(before)


def core_count() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: other tools may have reserved some of them
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_limit() -> int:
    """Return the number of threads that a library may use whose results do not depend on it.

    In a trial of a sweep these are its numeric threads, and more where cores are free: the sweep
    sets FKP_CORES (`numeric_threads`). Elsewhere it is OMP_NUM_THREADS if that is set, else the
    number of cores. Use it as `n_jobs` or `num_threads`.
    """
    for name in (_CORES, "OMP_NUM_THREADS"):
        first = os.environ.get(name, "").partition(",")[0]  # "4,2": of nested levels
        if first.isdecimal() and int(first):
            return int(first)
    return core_count()


def _use_newest() -> None:
    """Set the variables of the newest open rehearsal; without one, those of before."""
    # kaggle chooses its endpoint only once, when it is imported
    kaggle = sys.modules.get("kaggle.api.kaggle_api_extended")
    if _rehearsals:
        if kaggle:
            _outside.setdefault("args", kaggle.KaggleApi.args)
            kaggle.KaggleApi.args = ["--local"]
        _restore({**dict.fromkeys(_REHEARSAL), **_rehearsals[-1]})
        return
    if kaggle and "args" in _outside:
        kaggle.KaggleApi.args = _outside["args"]
    _restore({k: _outside[k] for k in _REHEARSAL})
    _outside.clear()


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
