"""The model hub: its addresses and whether it answers; and the folder for weights kept by hand."""

from pathlib import Path

from ..environment import home

_CONNECT_S, _ANSWER_S = 4, 8  # timeouts of one small request


def weights_folder() -> Path:
    """Return the folder for weights that a user puts there or that packages carry."""
    return home() / "cache" / "weights"


def hub_url(repo: str, file: str) -> str:
    """Return the address of a file on the hub."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repo, file)


def unreachable_reason(
    url: str,
    *,
    is_hub: bool = True,  # whether the hub serves it: HF_HUB_OFFLINE forbids a request
) -> str:
    """Return why a server cannot be reached; "" if it answers.

    Sends one request without retries: the downloaders themselves retry for most of a minute.
    """
    import requests
    from huggingface_hub import constants

    if is_hub and constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        requests.head(url, timeout=(_CONNECT_S, _ANSWER_S), allow_redirects=False)
    except requests.RequestException as e:
        return f"{url.split('/')[2]} does not answer ({type(e).__name__})"
    return ""
