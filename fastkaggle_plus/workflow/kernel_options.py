"""What a sweep on Kaggle takes from the workspace: client, datasets, and the user's consent."""

from collections.abc import Sequence
from typing import Any

from ..modeling import language_models
from ..modeling.text.weights import dataset_name, find_weights, is_folder
from ..sweeps.kaggle_kernels.kernel_plan import KernelPlan
from ..sweeps.trial import Sweep
from .push_datasets import LIBS_DATASET, publish_libs, publish_weights
from .submit import Confirm, Plan
from .workspace import Workspace

# The sandbox starts a kernel at once.
_SANDBOX_S = {"start_s": 10.0, "margin_s": 5.0}


def kernel_options(
    work: Workspace,
    declared: Sweep,
    *,
    confirm: Confirm | None = None,  # shows the plan of the kernels; None: send them
    gpu: bool | None = None,  # default: for images and texts
    internet: bool = True,
    **options: Any,  # of `run_kaggle`
) -> dict[str, Any]:
    """Return the options of `run_kaggle` for a workspace."""
    languages = [
        arch
        for arch in language_models(declared.trials, work.comp)
        if find_weights(arch) and (is_folder(arch) or not (internet and work.is_live))
    ]

    def publish() -> Sequence[str]:
        return [publish_libs(work), *(publish_weights(work, arch) for arch in languages)]

    def accept(plan: KernelPlan) -> bool:
        facts = {"account": work.user, "competition": work.comp.slug, **plan.as_facts()}
        names = [LIBS_DATASET, *map(dataset_name, languages)]
        facts["datasets"] = ", ".join(f"{work.user}/{name}" for name in names)
        n = len(plan.loads)
        what = f"run {n} kernel{'s' * (n != 1)}"
        return confirm is None or confirm(Plan(what, work.is_live, facts))

    if not work.is_live:
        options = {**_SANDBOX_S, "poll_s": work.poll_s, **options}
    return {
        "client": work.client,
        "journal": work.journal,
        "gpu": work.comp.kind != "tabular" if gpu is None else gpu,
        "internet": internet,
        "publish": publish,
        "confirm": accept if confirm else None,
        **options,
    }
