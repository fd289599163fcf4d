"""Set environment variables, here or for a process that is started."""

import contextlib
import os
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def variables(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables in the block, for this process and those that it starts."""
    before = {k: os.environ.get(k) for k in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        restore(before)


def with_variables(**changes: str) -> dict[str, str]:
    """Return the environment for a child process, with `changes`."""
    return {**os.environ, **changes}


def harmless_variables() -> dict[str, str]:
    """Return variables that are safe for foreign code: search paths, language, hardware.

    They include no key, token or proxy.
    """
    names = "PATH LANG LANGUAGE TZ LD_LIBRARY_PATH VIRTUAL_ENV CONDA_PREFIX SSL_CERT_FILE TERM"
    prefixes = ("LC_", "CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_")
    return {k: v for k, v in os.environ.items() if k in names.split() or k.startswith(prefixes)}


def prepare_gradio(
    host: str,
    port: int | None,  # the first free one from here is used; None: 7860
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


def restore(before: Mapping[str, str | None]) -> None:
    """Set variables to these values; remove those without one."""
    for k, v in before.items():
        os.environ.pop(k, None)
        if v is not None:
            os.environ[k] = v
