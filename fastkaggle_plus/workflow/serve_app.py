"""Serve an app that `write_app` wrote, on this machine only unless it is asked for."""

import runpy
from pathlib import Path

from ..environment import is_loopback, prepare_gradio
from ..exceptions import ConfigError, needs_extra


def check_host(
    host: str,
    *,
    public: bool,  # whether the user agreed that other machines reach the app
) -> None:
    """Raise ConfigError for an address that other machines can reach, without their consent."""
    if not public and not is_loopback(host):
        raise ConfigError(
            f"Nothing is served: other machines could reach the app at {host!r}; expected "
            "127.0.0.1 or localhost. Add --public to serve it to them."
        )


def serve_app(
    folder: str | Path,  # that write_app returned
    *,
    host: str = "127.0.0.1",
    port: int | None = None,  # the first free one from here is used; default: 7860
    public: bool = False,  # True: `host` may be an address that other machines reach
) -> None:
    """Serve an app until the user presses Ctrl-C. It sends no statistics and has no share link.

    Raises ConfigError for a host that other machines reach, and MissingExtra without gradio.
    """
    check_host(host, public=public)
    prepare_gradio(host, port)
    with needs_extra("app"):
        runpy.run_path(str(Path(folder) / "app.py"), run_name="__main__")
