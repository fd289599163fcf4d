"""The command `app`: write a saved model as a Gradio app, and serve it."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from . import options


def model_app(
    folder: Annotated[Path, Argument(help="The folder of a model, as `fkp export` writes it.")],
    to: Annotated[Path | None, Option(help="Folder for the app. Default: FOLDER-app.")] = None,
    serve: Annotated[bool, Option("--serve", help="Serve it until Ctrl-C.")] = False,
    host: Annotated[str, Option(help="Address to serve at.")] = "127.0.0.1",
    port: Annotated[
        int | None, Option(min=1, max=65535, help="The first free one from here. Default: 7860.")
    ] = None,
    public: Annotated[
        bool, Option("--public", help="Accept a --host that other machines can reach.")
    ] = False,
    run_code: Annotated[
        bool, Option("--run-code", help="Run the competition's own code that the model needs.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write a saved model as a web page: an app of Gradio, in the layout of a Hugging Face Space.

    Nothing is sent: upload the folder yourself to publish it. An app that exists is not changed.
    """
    from ..workflow.serve_app import check_host, serve_app
    from ..workflow.write_app import write_app
    from .display import show_json

    check_host(host, public=public)
    app = write_app(folder, to, run_code=run_code)
    if as_json:
        show_json({"app": str(app)}, one_line=serve)
    else:
        echo(f"{app} is written." + ("" if serve else f" To try it: fkp app {folder} --serve"))
    if serve:
        serve_app(app, host=host, port=port, public=public)
