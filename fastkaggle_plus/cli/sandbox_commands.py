"""Commands of `fkp sandbox`: serve bundles as Kaggle would."""

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Option, Typer, echo

from .command import Command

app = Typer(help="A local twin of Kaggle.", no_args_is_help=True)
_STATE = Path("sandbox-state")


@app.command(cls=Command)
def serve(
    data: Annotated[Path, Option(help="Folder of bundles.")],
    state: Annotated[Path, Option(help="Folder for submissions and uploads.")] = _STATE,
    port: Annotated[int, Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8765,
    user: Annotated[str | None, Option(help="User name to accept.")] = None,
    key: Annotated[
        str | None, Option(help="Key to accept. Default: created once and kept with the state.")
    ] = None,
    token: Annotated[str | None, Option(help="Access token to accept.")] = None,
    fault: Annotated[
        list[str] | None,
        Option(
            help="KIND[:WHERE][:option=value,...], as 429:CreateSubmission:nth=2, or "
            "HOOK[=seconds][:option=value,...], as kernel-dies:nth=2. Repeatable."
        ),
    ] = None,
    layout: Annotated[
        Literal["2026", "2022"],
        Option(help="Input folders: competitions/SLUG as today, or /kaggle/input/NAME as before."),
    ] = "2026",
    gpu_hours: Annotated[
        float, Option(min=0, help="GPU hours a week, as 0.01 to see the quota end after 36 s.")
    ] = 30.0,
) -> None:
    """Serve every bundle in a folder as Kaggle would, on this machine only."""
    from ..sandbox import Limits
    from ..sandbox import serve as serve_bundles

    serve_bundles(
        data,
        state=state,
        port=port,
        user=user,
        key=key,
        token=token,
        faults=fault or (),
        limits=Limits(layout=layout, quota_s={**Limits().quota_s, "gpu": gpu_hours * 3600}),
        on_start=_print_variables,
    )


def _print_variables(server: Any) -> None:
    """Print the environment variables that point a Kaggle client at this sandbox."""
    echo(
        f"{server.url} serves {', '.join(server.slugs)}. "
        "To point a Kaggle client at it, and only at it:\n\n"
        f"    export KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy={server.url}\n"
        f"    export KAGGLE_API_ENDPOINT={server.url}    # for kaggle 1.6 and fastkaggle_plus\n"
        f"    export KAGGLE_USERNAME={server.user} KAGGLE_KEY={server.key}\n"
        "    unset no_proxy NO_PROXY\n\nStop with Ctrl-C."
    )
