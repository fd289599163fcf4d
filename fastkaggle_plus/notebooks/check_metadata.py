"""Check a kernel's metadata: what Kaggle would refuse, rename, or silently run without."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ..competition import Competition
from .metadata import PLACEHOLDER, TITLE_LENGTH, slugify

# As PROTOCOL of Kaggle's clients has them; a retired one is swapped without a word, for a CPU even.
RETIRED = {
    "NvidiaTeslaP100": "NvidiaTeslaT4",
    "TpuV38": "TpuV5E8",
    "Tpu1VmV38": "TpuV5E8",
    "TpuV232": "TpuV5E8",
    "TpuV2256": "TpuV5E8",
}
# The first two are everybody's; the others depend on the account and the competition.
SHAPES = (
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
_HANDLE = re.compile(r"[\w-]+/[\w-]+(/\d+)?")


class Declared:
    "What a kernel's metadata gives it."

    def __init__(self, metadata: Mapping[str, Any]):
        def names(key: str) -> list[str]:
            return [str(v) for v in metadata.get(key) or ()]

        self.competitions, self.datasets = names("competition_sources"), names("dataset_sources")
        self.kernels, self.models = names("kernel_sources"), names("model_sources")
        self.internet = is_on(metadata.get("enable_internet", True))

    def has_dataset(self, handle: str) -> bool:
        "Say whether a dataset, with or without its version, is declared."
        return _versionless(handle) in map(_versionless, self.datasets)

    def brings(self, names: Iterable[str]) -> bool:
        "Say whether a dataset or a model has one of these names, as a part of its own."
        return not {
            slugify(part) for source in (*self.datasets, *self.models) for part in source.split("/")
        }.isdisjoint(names)

    def mounts(self, below_input: str) -> bool:
        "Say whether a path below /kaggle/input is there, in the layout of 2026 or the older one."
        group, *rest = below_input.strip("/").split("/")
        if group == "competitions":
            return not rest or rest[0] in self.competitions
        if (
            sources := {
                "datasets": self.datasets,
                "notebooks": self.kernels,
                "models": self.models,
            }.get(group)
        ) is not None:
            return len(rest) < 2 or any(s.split("/")[:2] == rest[:2] for s in sources)
        return group in self.competitions or any(
            s.split("/")[1:2] == [group] for s in (*self.datasets, *self.kernels, *self.models)
        )

    def listing(self) -> str:
        "Name everything declared."
        return (
            ", ".join((*self.competitions, *self.datasets, *self.kernels, *self.models))
            or "nothing"
        )


def metadata_faults(
    metadata: Mapping[str, Any], comp: Competition, *, for_push: bool = True
) -> Iterator[str]:
    "Yield what is wrong with a kernel's metadata, in words."
    title, (owner, _, slug), gpu = (
        str(metadata.get("title") or ""),
        str(metadata.get("id") or "").rpartition("/"),
        is_on(metadata.get("enable_gpu", False)),
    )
    if not TITLE_LENGTH[0] <= len(title) <= TITLE_LENGTH[1]:
        yield f"title = {title!r} has {len(title)} characters; Kaggle takes {TITLE_LENGTH[0]} to {TITLE_LENGTH[1]}."
    if not owner or not slug:
        yield f"id = {metadata.get('id')!r} has no owner. Write it as your-user-name/{slug or slugify(title)}."
    if for_push and owner == PLACEHOLDER:
        yield f"id = {metadata.get('id')!r} has no real owner. Write your Kaggle user name for {PLACEHOLDER}, or set KAGGLE_USERNAME and render it again."
    if slug and slug != slugify(title):
        yield f"the title {title!r} makes the name {slugify(title)!r}, and id says {slug!r}: Kaggle would go by the title. Make them agree."
    for key, wanted in (("language", "python"), ("kernel_type", "notebook")):
        if metadata.get(key) != wanted:
            yield f"{key} = {metadata.get(key)!r}; {wanted!r} is needed for this notebook."
    yield from _machine(
        metadata.get("machine_shape") or "", gpu=gpu, tpu=is_on(metadata.get("enable_tpu", False))
    )
    declared = Declared(metadata)
    if prefixed := [c for c in declared.competitions if "/" in c]:
        yield f"competition_sources names {prefixed[0]!r}; Kaggle wants the bare name {prefixed[0].rpartition('/')[2]!r}."
    if comp.slug not in declared.competitions:
        yield f"competition_sources does not name {comp.slug!r}, so the notebook runs without its data. Add it."
    for handle in (*declared.datasets, *declared.kernels):
        if not _HANDLE.fullmatch(handle):
            yield f"the source {handle!r} is not written as owner/name."
    if comp.code_competition and declared.internet:
        yield f"enable_internet is on, and {comp.slug} takes submissions only from notebooks without internet. Switch it off."


def weights_faults(weights: Mapping[str, Collection[str]], declared: Declared) -> Iterator[str]:
    "Yield each pretrained model that trials name and that nothing attached brings, in words. With internet it may come from its hub."
    for arch, names in weights.items():
        if not declared.internet and not declared.brings(names):
            yield (
                f"a trial names the model {arch!r}, the internet is off, and neither dataset_sources nor model_sources has one called "
                f"{' or '.join(sorted(names, key=len, reverse=True))}. Attach one that holds config.json, the weights and the tokenizer "
                "(fkp push --dataset OWNER/NAME or --model ..., datasets= or models= here), or put the model where the trial finds it on this machine: "
                "then `fkp push` makes and attaches the dataset."
            )


def _machine(shape: str, *, gpu: bool, tpu: bool) -> Iterator[str]:
    if gpu and not shape:
        yield 'enable_gpu is on without machine_shape: the notebook may land on a P100, on which Kaggle\'s torch fails. Say machine_shape = "NvidiaTeslaT4".'
    if shape and shape not in (*SHAPES, *RETIRED, "None"):
        near = " or ".join(map(repr, get_close_matches(shape, SHAPES, n=3, cutoff=0.5)))
        yield f"machine_shape = {shape!r} is unknown.{f' Did you mean {near}?' if near else ''} Everybody may use {SHAPES[0]!r} and {SHAPES[1]!r}."
    if shape in RETIRED:
        yield f"machine_shape = {shape!r} is retired. Use {RETIRED[shape]!r}."
    if shape.startswith("Nvidia") and not gpu:
        yield f"machine_shape = {shape!r}, and enable_gpu is off. Make them agree."
    if shape.startswith("Tpu") and not tpu:
        yield f"machine_shape = {shape!r}, and enable_tpu is off. Make them agree."


def is_on(value: Any) -> bool:
    'Read a switch as Kaggle\'s client does: true, or "true".'
    return value is True or str(value).lower() == "true"


def _versionless(handle: str) -> str:
    return "/".join(handle.split("/")[:2])
