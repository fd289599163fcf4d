"""Runs a pushed notebook from its first cell to its last, and shows what its cells print while they run.

A script of its own: it is copied beside the notebook and started by path.
"""

import sys
from typing import Any

import nbformat
from jupyter_core.paths import jupyter_runtime_dir
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from traitlets.config import Config

_SOCKET_FOLDER = 50  # characters: the path of a local socket holds about 100, and the names in the folder take up to 50


class Batch(NotebookClient):
    "A notebook run that passes on what the cells print, as it comes."

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
    "Run the notebook `file` with `folder` as its current folder, and return an exit status."
    notebook = nbformat.read(file, as_version=4)
    config = Config(
        {"KernelManager": {"transport": "ipc"}}
        if len(jupyter_runtime_dir()) < _SOCKET_FOLDER
        else {}
    )
    try:
        Batch(
            notebook,
            config=config,
            timeout=None,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute()
    except CellExecutionError as e:  # its traceback is in the log already
        sys.stderr.write(
            f"{e.ename}: {e.evalue}".rstrip(": ") + "\n"
        )  # an assertion may say nothing
        return 1
    except DeadKernelError:
        sys.stderr.write("The notebook's process died.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
