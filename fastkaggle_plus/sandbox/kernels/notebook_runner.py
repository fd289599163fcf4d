"""Run a pushed notebook from its first cell to its last, and print the output of its cells live.

It is a script: the sandbox copies it into the kernel's folder and starts it by its path.
"""

import sys
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.paths import jupyter_runtime_dir
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from traitlets.config import Config

# The path of a local socket can have about 100 characters; file names in the folder use up to 50.
_MAX_SOCKET_FOLDER = 50


class PrintingClient(NotebookClient):
    """A notebook client that prints the cells' output as soon as it arrives."""

    def output(self, outs: Any, msg: Any, display_id: str | None, cell_index: int) -> Any:
        content = msg["content"]
        if msg["msg_type"] == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
        elif msg["msg_type"] == "error":
            sys.stderr.write("\n".join([*content["traceback"], ""]))
            sys.stderr.flush()
        return super().output(outs, msg, display_id, cell_index)


def main(file: str, folder: str) -> int:
    """Run the notebook `file` in the current folder `folder`, and return an exit status."""
    uses_sockets = len(jupyter_runtime_dir()) < _MAX_SOCKET_FOLDER
    client = PrintingClient(
        nbformat.read(file, as_version=4),
        config=Config({"KernelManager": {"transport": "ipc"}} if uses_sockets else {}),
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    )
    try:
        client.execute()
    except CellExecutionError as e:  # its traceback has been printed
        message = f"{e.ename}: {e.evalue}".rstrip(": ")  # an assertion can have no message
        sys.stderr.write(message + "\n")
        return 1
    except DeadKernelError:
        sys.stderr.write("The notebook's process died.\n")
        return 1
    finally:  # the notebook with what its cells show, as on Kaggle's page
        nbformat.write(client.nb, Path(file).parents[1] / "executed" / "notebook.ipynb")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
