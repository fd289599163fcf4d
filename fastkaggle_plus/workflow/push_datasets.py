"""The private datasets that a pushed notebook needs: our library, and pretrained models."""

import shutil

from .. import kaggle_client
from .workspace import Workspace

OWN, LIBS_DATASET = "fastkaggle_plus", "library-fastkaggle-plus"
# Kaggle's image has matching versions of these. The other dependencies are small wheels.
IN_KAGGLES_IMAGE = ("matplotlib", "numpy", "pandas", "pillow", "scikit-learn", "scipy")


def publish_weights(work: Workspace, arch: str) -> str:
    """Create or update the private dataset of a pretrained model; return owner/name."""
    from ..modeling.text.weights import copy_weights, dataset_name

    folder = work.folder / "weights" / dataset_name(arch)
    shutil.rmtree(folder, ignore_errors=True)
    copy_weights(arch, folder)
    dataset = kaggle_client.sync_dataset(folder, folder.name, **work.kaggle_options)
    state = "made" if dataset.sent else "is up to date"
    work.report_step("weights", f"{arch} as {dataset.handle}, version {dataset.version} {state}")
    return str(dataset.handle)


def publish_libs(work: Workspace) -> str:
    """Create or update the dataset of wheels; return owner/name.

    The sandbox runs kernels in this environment, so it needs no wheels of dependencies.
    """
    [made] = kaggle_client.create_libs_datasets(
        [OWN],
        work.folder / "libs",
        work.user,
        deps=work.sandbox is None,
        without=IN_KAGGLES_IMAGE,
        **work.kaggle_options,
    )
    state = "made" if made.changed else "is up to date"
    work.report_step("libs", f"{made.dataset.handle}, version {made.dataset.version} {state}")
    return str(made.dataset.handle)
