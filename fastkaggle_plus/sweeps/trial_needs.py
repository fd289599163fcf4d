"""What a trial needs from the machine that runs it: packages to import first, and threads."""

from ..competition import Competition
from ..environment import core_count
from .trial import Trial

_EVERY_TRIAL = (
    "fastkaggle_plus.modeling.validation",
    "sklearn.metrics",
    "sqlite_utils",
    "threadpoolctl",
)
_NETWORKS = ("timm", "transformers")  # packages of networks that use several cores well
_NETWORK_THREADS = 4  # more make one network little faster, and several at a time slower


def packages_of(trial: Trial, comp: Competition) -> tuple[str, ...]:
    """Return the packages that a trial's process imports first."""
    from ..modeling import preload_of

    own = (package for model in trial.models for package in preload_of(model, comp))
    return (*_EVERY_TRIAL, *own)


def threads_of(trial: Trial, comp: Competition) -> int:
    """Return the numeric threads of a trial: they depend on its model alone."""
    is_network = set(_NETWORKS) & set(packages_of(trial, comp))
    return min(core_count(), _NETWORK_THREADS) if is_network else 1
