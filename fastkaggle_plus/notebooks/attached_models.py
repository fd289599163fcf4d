"""Find the pretrained language models in a notebook's trials, and attach them as datasets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError
from ..kaggle_client.kernels.metadata import KernelMetadata
from ..modeling import language_models
from ..modeling.text.weights import dataset_name, find_weights, is_folder, names_attached
from ..sweeps.default_trials import trial_lists
from .check_metadata import has_model
from .quick import quick_trials
from .render import Rendered, render_notebook


@dataclass(frozen=True, eq=False)
class RenderedWithModels:
    """A notebook whose metadata attaches the datasets of its pretrained models."""

    rendered: Rendered
    needed: dict[str, set[str]]  # see `models_needed`
    attached: dict[str, str]  # model -> owner/name of its dataset, which a push has to make


def render_with_models(
    comp: Competition,
    *,
    owner: str,  # Kaggle user
    dest: Path,  # folder for the notebook and its metadata
    quick: bool = False,
    datasets: tuple[str, ...] = (),  # more inputs, owner/name
    **options: Any,  # of `render_notebook`
) -> RenderedWithModels:
    """Render a competition's notebook, and attach its trials' models. Raises ConfigError."""
    options |= {"owner": owner, "quick": quick}
    draft = render_notebook(comp, datasets=datasets, **options)
    needed = models_needed(comp, draft.notebook, quick=quick)
    to_attach = models_to_attach(needed, draft.metadata)
    attached = {arch: f"{owner}/{name}" for arch, name in to_attach.items()}
    datasets = (*datasets, *attached.values())
    rendered = render_notebook(comp, dest=dest, datasets=datasets, **options)
    return RenderedWithModels(rendered, needed, attached)


def models_needed(
    comp: Competition,
    notebook: Any,  # nbformat's NotebookNode
    *,
    quick: bool = False,  # it runs the QUICK version of the trials
) -> dict[str, set[str]]:
    """Return model -> names of a dataset or model that contains it, for every list of trials used.

    Raises ConfigError for two models whose datasets would have the same name.
    """
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    trials: list[Any] = []
    for name, declared in trial_lists(comp).items():
        if name == "TRIALS" or re.search(rf"""["']{name}["']""", code):
            trials += declared
    models = language_models(quick_trials(trials) if quick else trials, comp)
    by_dataset: dict[str, str] = {}
    for arch in models:
        name = dataset_name(arch)
        if (other := by_dataset.setdefault(name, arch)) != arch:
            raise ConfigError(
                f"The models {other!r} and {arch!r} would both become the dataset {name}. "
                "Copy one into a folder with another name, and name that folder in its trial."
            )
    return {arch: names_attached(arch) for arch in models}


def models_to_attach(
    needed: Mapping[str, set[str]],  # see `models_needed`
    metadata: Mapping[str, Any],  # of the kernel
) -> dict[str, str]:
    """Return model -> name of its dataset, for models that must be attached.

    These are on this machine and in no attached dataset. With internet only the user's own folders
    are attached; other models can be downloaded.
    """
    declared = KernelMetadata.read(metadata)
    return {
        arch: dataset_name(arch)
        for arch, names in needed.items()
        if not has_model(declared, names)
        and (not declared.enable_internet or is_folder(arch))
        and find_weights(arch) is not None
    }
