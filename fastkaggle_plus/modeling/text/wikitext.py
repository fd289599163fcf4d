"""The weights that fastai trained on Wikipedia (wikitext-103): attached, on this machine, or a download away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...environment import kaggle_input
from ...exceptions import WeightsMissing
from ..fastai_learner import import_fastai
from ..model_hub import unreachable_reason, weights_folder

NAME = "wt103-fwd"
DATASET = f"weights-{NAME}"  # takes it to Kaggle
_DEEPEST = 6  # folders below the mount


@dataclass(frozen=True)
class Wikitext:
    "A language model: its weights and the words they are of."

    weights: Path  # .pth
    vocab: Path  # .pkl
    origin: str  # for records


def find_wikitext() -> Wikitext | None:
    "Return the weights if they are on this machine: attached on Kaggle, in `weights_folder`, or where fastai keeps its downloads."
    mount = kaggle_input()
    inside = (
        [p for depth in range(1, _DEEPEST + 1) for p in sorted(mount.glob("/".join(["*"] * depth)))]
        if mount.is_dir()
        else []
    )
    attached = [p for p in inside if p.name in (NAME, DATASET)]
    for folder in (
        *attached,
        *(deeper for p in attached for deeper in sorted(p.glob("*"))),
        weights_folder() / NAME,
        _downloads(),
    ):
        weights, vocab = (sorted(folder.glob(f"*.{ending}")) for ending in ("pth", "pkl"))
        if weights and vocab:
            return Wikitext(weights[0], vocab[0], f"folder {folder.name}")
    return None


def fetch_wikitext() -> Wikitext:
    "Return the weights, downloaded by fastai if they are not on this machine. Raises WeightsMissing, within seconds, that says how to attach them."
    if (found := find_wikitext()) is not None:
        return found
    fastai = import_fastai("text")
    url = fastai.URLs.WT103_FWD
    if not (reason := unreachable_reason(url, is_hub=False)):
        try:
            fastai.untar_data(url, c_key="model")
        except Exception as e:
            # the way there raises errors of three libraries, and all of them mean the same here
            reason = (
                f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else 'no reason given'}"
            )
        if (found := find_wikitext()) is not None:
            return found
    raise WeightsMissing(
        f"The weights of wikitext-103 (lstm_fwd.pth and lstm_fwd_itos.pkl) are not on this machine, and {reason or 'the download did not hold them'}. "
        f"Ways out: on Kaggle attach a dataset called {DATASET} or {NAME} (Add Input) that holds the two files; or where there is a network, unpack {url} "
        f"into {weights_folder() / NAME}; or take pretrained=False, which trains a smaller network from the texts alone."
    )


def _downloads() -> Path:
    from fastai.data.external import fastai_cfg

    folder: Path = fastai_cfg().path("model") / NAME
    return folder
