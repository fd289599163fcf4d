"""How many CPU cores and numeric threads to use."""

import contextlib
import os
from collections.abc import Iterator

from .variables import variables

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_CORES = "FKP_CORES"
_CALM_THREADS = {
    # pandas imports pyarrow if it is installed, whose memory pool starts a thread
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # OpenMP's idle threads would keep a core busy that another trial needs
    "OMP_WAIT_POLICY": "PASSIVE",
}


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
