"""What a trial needs from the machine that runs it: packages to import, threads, a GPU."""

from ..competition import Competition
from ..environment import core_count
from .own_code import own_imports
from .trial import Trial

EVERY_TRIAL = (  # imported before each trial's process is forked
    "fastkaggle_plus.modeling.validation",
    "fastkaggle_plus.reading.images",
    "fastkaggle_plus.reading.text",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sqlite_utils",
    "threadpoolctl",
)
_NETWORKS = ("timm", "transformers")  # packages of networks that use several cores well
_NETWORK_THREADS = 4  # more make one network little faster, and several at a time slower


def packages_of(trial: Trial, comp: Competition) -> tuple[str, ...]:
    """Return the packages that the files of a trial's models ask to import first."""
    from ..modeling import preload_of

    return tuple(package for model in trial.models for package in preload_of(model, comp))


def threads_of(trial: Trial, comp: Competition) -> int:
    """Return the numeric threads of a trial: they depend on its model alone."""
    is_network = set(_NETWORKS) & set(packages_of(trial, comp))
    return min(core_count(), _NETWORK_THREADS) if is_network else 1


def uses_gpu(trial: Trial, comp: Competition, n_rows: int) -> bool:
    """Say whether a trial uses a GPU if there is one: as declared, else by its models' files."""
    from ..modeling import manifest

    if trial.num_gpus is not None:
        return trial.num_gpus > 0
    by_model = any(manifest.uses_gpu(model, comp, n_rows=n_rows) for model in trial.models)
    return by_model or bool(manifest.ON_GPU & own_imports(comp, trial))
