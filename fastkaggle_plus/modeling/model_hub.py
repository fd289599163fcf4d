"""The model hub, and the folder where weights are kept that did not come from it."""

from __future__ import annotations

from pathlib import Path

from ..environment import home

_CONNECT_S, _ANSWER_S = (
    4,
    8,
)  # how long the hub may take to answer one small question before it counts as out of reach


def weights_folder() -> Path:
    "Return the folder for weights that are put there by hand, or converted from packages."
    return home() / "cache" / "weights"


def hub_url(repo: str, file: str) -> str:
    "Return where the hub serves a file."
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repo, file)


def out_of_reach(
    url: str,
    *,
    of_hub: bool = True,  # whether the hub serves it, which HF_HUB_OFFLINE forbids to ask
) -> str:
    "Return why a server cannot be asked; nothing if it answers. One question, no retries: the downloaders themselves would try for most of a minute."
    import requests
    from huggingface_hub import constants

    if of_hub and constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        requests.head(url, timeout=(_CONNECT_S, _ANSWER_S), allow_redirects=False)
    except requests.RequestException as e:
        return f"{url.split('/')[2]} does not answer ({type(e).__name__})"
    return ""
