"""Check a notebook's metadata against its competition, and look up its declared inputs."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

from ..competition import Competition
from ..exceptions import did_you_mean
from ..kaggle_client.kernels.metadata import RETIRED, KernelMetadata, slugify

PLACEHOLDER = "your-user-name"  # owner in metadata that was written without one
# Everybody may use the first two; the others depend on the account and the competition.
ACCELERATORS = (
    "NvidiaTeslaT4",
    "TpuV5E8",
    "NvidiaTeslaT4Highmem",
    "NvidiaTeslaA100",
    "NvidiaL4",
    "NvidiaL4X1",
    "NvidiaH100",
    "NvidiaRtxPro6000",
    "TpuV6E8",
)


def metadata_problems(
    declared: KernelMetadata, comp: Competition, *, for_push: bool = True
) -> Iterator[str]:
    """Yield the problems of the metadata of a notebook on `comp`."""
    yield from declared.problems()
    if for_push and declared.id.startswith(f"{PLACEHOLDER}/"):
        yield (
            f"id is {declared.id!r}, without a real owner. Replace {PLACEHOLDER} with your Kaggle "
            "user name, or set KAGGLE_USERNAME and render the notebook again."
        )
    for key, expected in (("language", "python"), ("kernel_type", "notebook")):
        if getattr(declared, key) != expected:
            yield f"{key} is {getattr(declared, key)!r}; expected {expected!r}."
    shape = declared.machine_shape or "None"
    if shape not in (*ACCELERATORS, *RETIRED, "None"):
        near = get_close_matches(shape, ACCELERATORS, n=3, cutoff=0.5)
        yield (
            f"machine_shape {shape!r} is unknown.{did_you_mean(near)} "
            f"Everybody may use {ACCELERATORS[0]!r} and {ACCELERATORS[1]!r}."
        )
    if comp.slug not in declared.competition_sources:
        yield f"competition_sources lacks {comp.slug!r}: the notebook would have no data. Add it."
    if comp.code_competition and declared.enable_internet:
        yield (
            f"enable_internet is on, but {comp.slug} takes submissions only from notebooks "
            "without internet. Switch it off."
        )


def missing_models(
    weights: Mapping[str, Collection[str]],  # model -> names of datasets or models with it
    declared: KernelMetadata,
) -> Iterator[str]:
    """Yield a message for each pretrained model that is neither attached nor can be downloaded."""
    for arch, names in weights.items():
        if not declared.enable_internet and not has_model(declared, names):
            choices = " or ".join(sorted(names, key=len, reverse=True))
            yield (
                f"a trial uses the model {arch!r}, the internet is off, and neither "
                f"dataset_sources nor model_sources has one called {choices}. Attach one with "
                "config.json, the weights and the tokenizer (fkp push --dataset OWNER/NAME or "
                "--model ..., datasets= or models= here), or put the model where the trial finds "
                "it on this machine: then `fkp push` makes and attaches the dataset."
            )


def has_model(declared: KernelMetadata, names: Iterable[str]) -> bool:
    """Say whether a part of an attached dataset's or model's handle is one of these names."""
    handles = (*declared.dataset_sources, *declared.model_sources)
    parts = {slugify(part) for handle in handles for part in handle.split("/")}
    return not parts.isdisjoint(names)


def has_dataset(declared: KernelMetadata, handle: str) -> bool:
    """Say whether a dataset is attached, in any version."""
    owner_and_name = handle.split("/")[:2]
    return any(source.split("/")[:2] == owner_and_name for source in declared.dataset_sources)


def is_mounted(declared: KernelMetadata, path: str) -> bool:
    """Say whether a path below /kaggle/input exists, in the layout of 2026 or the older one."""
    folder, *rest = path.strip("/").split("/")
    if folder == "competitions":
        return not rest or rest[0] in declared.competition_sources
    groups = {
        "datasets": declared.dataset_sources,
        "notebooks": declared.kernel_sources,
        "models": declared.model_sources,
    }
    if folder in groups:
        return len(rest) < 2 or any(s.split("/")[:2] == rest[:2] for s in groups[folder])
    return any(s == folder or s.split("/")[1:2] == [folder] for s in declared.inputs)
