"""The model hub: its addresses and whether it answers; and the folder for weights kept by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..environment import home

T = TypeVar("T")
_CONNECT_S, _ANSWER_S = 4, 8  # timeouts of one small request


def weights_folder() -> Path:
    """Return the folder for weights that a user puts there or that packages carry."""
    return home() / "cache" / "weights"


def download(
    get: Callable[[], T],  # downloads and returns the files
    url: str,  # of one of them
    *,
    is_hub: bool = True,  # whether the hub serves it: HF_HUB_OFFLINE forbids a request
    missing: Callable[[str], Exception],  # reason -> the error to raise
) -> T:
    """Return what `get` returns; raise `missing(reason)` if the server does not answer or it fails.

    Sends one request first, without retries: the downloaders retry for most of a minute.
    """
    import requests
    from huggingface_hub import constants

    if is_hub and constants.HF_HUB_OFFLINE:
        raise missing("HF_HUB_OFFLINE is set")
    try:
        requests.head(url, timeout=(_CONNECT_S, _ANSWER_S), allow_redirects=False)
    except requests.RequestException as e:
        raise missing(f"{url.split('/')[2]} does not answer ({type(e).__name__})") from e
    try:
        return get()
    except Exception as e:  # four libraries take part in a download, each with its own errors
        raise missing(short_error(e)) from e


def short_error(e: Exception) -> str:
    """Return an error's type and its first line."""
    return f"{type(e).__name__}: {(str(e).splitlines() or ['no reason given'])[0]}"
