"""Which pretrained language models a notebook's trials name, and which of them have to come along as datasets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError
from ..modeling import language_models
from ..modeling.text.weights import dataset_name, find_weights, is_folder, names_attached
from ..sweeps.default_trials import trial_lists
from . import Rendered, quick_trials, render_notebook
from .check_metadata import Declared


@dataclass(frozen=True, eq=False)
class WithWeights:
    "A notebook whose metadata names the datasets of its models."

    rendered: Rendered
    needed: dict[str, set[str]]  # see `weights_needed`
    brought: dict[str, str]  # model -> owner/name of the dataset that has to be made


def render_with_weights(
    comp: Competition,
    *,
    owner: str,  # Kaggle user
    dest: Path,  # folder for the notebook and its metadata
    quick: bool = False,
    datasets: tuple[str, ...] = (),  # more inputs, owner/name
    **more: Any,  # what `render_notebook` takes
) -> WithWeights:
    "Render a competition's notebook, with the models that its trials name among its inputs. Raises what `render_notebook` does, ConfigError."
    more = {**more, "owner": owner, "quick": quick}
    draft = render_notebook(comp, datasets=datasets, **more)
    needed = weights_needed(comp, draft.notebook, quick=quick)
    brought = {
        arch: f"{owner}/{name}" for arch, name in weights_to_bring(needed, draft.metadata).items()
    }
    return WithWeights(
        render_notebook(comp, dest=dest, datasets=(*datasets, *brought.values()), **more),
        needed,
        brought,
    )


def weights_needed(
    comp: Competition,
    notebook: Any,  # nbformat's NotebookNode
    *,
    quick: bool = False,  # it runs what QUICK leaves of the trials
) -> dict[str, set[str]]:
    """Return model -> names of a dataset or model that brings it, of every list of trials that the notebook runs.

    Raises ConfigError for two models of one name: a notebook could not tell their datasets apart.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    run = [
        t
        for name, trials in trial_lists(comp).items()
        if name == "TRIALS" or re.search(rf"""["']{name}["']""", text)
        for t in trials
    ]
    models = language_models(quick_trials(run) if quick else run, comp)
    named: dict[str, str] = {}
    for arch in models:
        if (other := named.setdefault(dataset_name(arch), arch)) != arch:
            raise ConfigError(
                f"The models {other!r} and {arch!r} both become the dataset {dataset_name(arch)}, and a notebook could not tell them apart. "
                "Copy one into a folder of another name, and name that folder in its trial."
            )
    return {arch: names_attached(arch) for arch in models}


def weights_to_bring(
    needed: Mapping[str, set[str]],  # see `weights_needed`
    metadata: Mapping[str, Any],  # of the kernel
) -> dict[str, str]:
    "Return model -> name of its dataset, of those that nothing attached brings: all without internet, and folders of the user's own always."
    declared = Declared(metadata)
    return {
        arch: dataset_name(arch)
        for arch, names in needed.items()
        if not declared.brings(names)
        and (not declared.internet or is_folder(arch))
        and find_weights(arch) is not None
    }
