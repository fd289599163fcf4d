"""The README's table of clients and their calls; `python -m tests.sandbox.matrix` prints it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

CLIENTS = {
    "cli": "kaggle CLI",
    "api": "kaggle API",
    "kagglehub": "kagglehub",
    "fastkaggle": "fastkaggle",
    "ours": "fastkaggle_plus",
}
OPERATIONS = (
    "list",
    "files",
    "download",
    "submit",
    "submissions",
    "leaderboard",
    "push",
    "status",
    "output",
    "dataset create",
    "dataset version",
    "dataset download",
    "model download",
)
# Run once in the client's process. The answer of a call below is `value`, not what it prints.
PREPARE = {
    "cli": """
import csv, io, re, subprocess, sys, zipfile
from pathlib import Path
def kaggle(*arguments):
    script = str(Path(sys.executable).with_name("kaggle"))
    done = subprocess.run([script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
def table(*arguments):
    return list(csv.DictReader(io.StringIO(kaggle(*arguments, "-v"))))
""",
    "api": "import zipfile\nfrom kaggle.api.kaggle_api_extended import KaggleApi\n"
    "api = KaggleApi()\napi.authenticate()",
    "kagglehub": "import kagglehub",
    "fastkaggle": "from fastkaggle import *",
    "ours": "from fastkaggle_plus import *",
}
UNZIP = "; zipfile.ZipFile('toy.zip').extractall('toy'); value = 'toy'"


@dataclass(frozen=True)
class Call:
    """One client's way to do one thing."""

    name: str  # as its users write it
    code: str  # sets `value` to what the test checks; runs in the client's folder


# A client that is not named under an operation has no such call, and gets a dash.
MATRIX: dict[str, dict[str, Call]] = {
    "list": {
        "cli": Call(
            "competitions list",
            'value = [r["ref"].rpartition("/")[2] for r in table("competitions", "list")]',
        ),
        "api": Call(
            "competitions_list",
            "value = [c.ref.rpartition('/')[2] for c in api.competitions_list().competitions]",
        ),
    },
    "files": {
        "cli": Call(
            "competitions files",
            'value = {r["name"]: int(r["size"]) for r in table("competitions", "files", "toy")}',
        ),
        "api": Call(
            "competition_list_files",
            "value = {f.name: f.total_bytes for f in api.competition_list_files('toy').files}",
        ),
    },
    "download": {
        "cli": Call("competitions download", 'kaggle("competitions", "download", "toy")' + UNZIP),
        "api": Call("competition_download_files", "api.competition_download_files('toy')" + UNZIP),
        "kagglehub": Call("competition_download", "value = kagglehub.competition_download('toy')"),
        "fastkaggle": Call("setup_comp", "value = str(setup_comp('toy').resolve())"),
        "ours": Call("setup_comp", "value = str(setup_comp('toy', dest='ours').resolve())"),
    },
    "submit": {
        "cli": Call(
            "competitions submit",
            'value = kaggle("competitions", "submit", "toy", "-f", "answers.csv", "-m", '
            '"from cli")',
        ),
        "api": Call(
            "competition_submit",
            "value = api.competition_submit('answers.csv', 'from api', 'toy').ref",
        ),
        "fastkaggle": Call(
            "competition_submit",
            "value = competition_submit('answers.csv', 'from fastkaggle', 'toy').ref",
        ),
        "ours": Call(
            "submit", "value = submit('answers.csv', 'from ours', 'toy', poll_s=0.1).public_score"
        ),
    },
    "submissions": {
        "cli": Call(
            "competitions submissions",
            'value = [[r["description"], r["publicScore"], r["status"]] '
            'for r in table("competitions", "submissions", "toy")]',
        ),
        "api": Call(
            "competition_submissions",
            "value = [[s.description, s.public_score, s.status.name] for s in "
            "api.competition_submissions('toy')]",
        ),
        "ours": Call(
            "submissions",
            "value = [[s.description, f'{s.public_score:.5f}', s.status] for s in "
            "submissions('toy') if s.public_score is not None]",
        ),
    },
    "leaderboard": {
        "cli": Call(
            "competitions leaderboard",
            'value = [[r["teamName"], r["score"]] for r in table("competitions", '
            '"leaderboard", "settled", "-s")]',
        ),
        "api": Call(
            "competition_leaderboard_view",
            "value = [[r.team_name, r.score] for r in api.competition_leaderboard_view('settled')]",
        ),
        "ours": Call(
            "leaderboard", "value = [[r.team, f'{r.score:.5f}'] for r in leaderboard('settled')]"
        ),
    },
    "push": {
        "cli": Call(
            "kernels push",
            'value = int(re.search(r"version (\\d+)", kaggle("kernels", "push", "-p", "push"))[1])',
        ),
        "api": Call("kernels_push", "value = api.kernels_push('push').version_number"),
        "fastkaggle": Call(
            "push_notebook",
            "value = push_notebook('kaggler', 'from-fastkaggle', 'From fastkaggle', "
            "'code.ipynb', path='push', "
            "competition='toy').version_number",
        ),
        "ours": Call(
            "push_notebook",
            "value = push_notebook('kaggler', 'from-ours', 'From ours', 'code.py', "
            "path='push', competition='toy').version",
        ),
    },
    "status": {
        "cli": Call(
            "kernels status",
            'value = [re.search(r"has status \\W?(?:\\w+\\.)?(\\w+)", kaggle("kernels", '
            '"status", f"kaggler/{n}"))[1] '
            'for n in ("worked", "broke")]',
        ),
        "api": Call(
            "kernels_status",
            "value = [api.kernels_status(f'kaggler/{n}').status.name for n in ('worked', 'broke')]",
        ),
        "ours": Call(
            "kernel_status",
            "value = [kernel_status(f'kaggler/{n}').status for n in ('worked', 'broke')]",
        ),
    },
    "output": {
        "cli": Call(
            "kernels output",
            'kaggle("kernels", "output", "kaggler/worked", "-p", "out"); value = "out"',
        ),
        "api": Call("kernels_output", "api.kernels_output('kaggler/worked', 'out'); value = 'out'"),
        "kagglehub": Call(
            "notebook_output_download",
            "value = kagglehub.notebook_output_download('kaggler/worked')",
        ),
        "ours": Call("kernel_output", "value = kernel_output('kaggler/worked', 'out').path"),
    },
    "dataset create": {
        "cli": Call(
            "datasets create", 'value = kaggle("datasets", "create", "-p", "create", "-r", "zip")'
        ),
        "api": Call(
            "dataset_create_new",
            "value = api.dataset_create_new('create', dir_mode='zip', quiet=True).status",
        ),
        "kagglehub": Call(
            "dataset_upload",
            "value = kagglehub.dataset_upload('kaggler/made-by-kagglehub', 'create')",
        ),
        "fastkaggle": Call(
            "mk_dataset", "value = mk_dataset('create', 'made-by-fastkaggle', force=True)"
        ),
        "ours": Call(
            "mk_dataset",
            "value = mk_dataset('create', 'made-by-ours', force=True, poll_s=0.1).version",
        ),
    },
    "dataset version": {
        "cli": Call(
            "datasets version",
            'value = kaggle("datasets", "version", "-p", "version", "-m", "second", "-r", "zip")',
        ),
        "api": Call(
            "dataset_create_version",
            "value = api.dataset_create_version('version', 'second', dir_mode='zip', "
            "quiet=True).status",
        ),
        "kagglehub": Call(
            "dataset_upload",
            "value = kagglehub.dataset_upload('kaggler/there-for-kagglehub', 'version', "
            "version_notes='second')",
        ),
        "fastkaggle": Call("push_dataset", "value = push_dataset('version', 'second')"),
        "ours": Call(
            "push_dataset", "value = push_dataset('version', 'second', poll_s=0.1).version"
        ),
    },
    "dataset download": {
        "cli": Call(
            "datasets download",
            'kaggle("datasets", "download", "kaggler/shared-data", "-p", "data", '
            '"--unzip"); value = "data"',
        ),
        "api": Call(
            "dataset_download_files",
            "api.dataset_download_files('kaggler/shared-data', path='data', unzip=True); "
            "value = 'data'",
        ),
        "kagglehub": Call(
            "dataset_download", "value = kagglehub.dataset_download('kaggler/shared-data')"
        ),
        "fastkaggle": Call(
            "get_dataset", "get_dataset('data', 'kaggler/shared-data'); value = 'data'"
        ),
        "ours": Call("get_dataset", "value = str(get_dataset('data', 'kaggler/shared-data'))"),
    },
    "model download": {
        "cli": Call(
            "models instances versions download",
            'kaggle("models", "instances", "versions", "download", '
            '"kaggler/my-net/pyTorch/small/1", '
            '"-p", "net", "--untar"); value = "net"',
        ),
        "api": Call(
            "model_instance_version_download",
            "api.model_instance_version_download('kaggler/my-net/pyTorch/small/1', "
            "'net', untar=True); value = 'net'",
        ),
        "kagglehub": Call(
            "model_download", "value = kagglehub.model_download('kaggler/my-net/pyTorch/small/1')"
        ),
    },
}


def cells() -> list[tuple[str, str]]:
    """Return (client, operation) of every pair that exists."""
    return [
        (client, operation)
        for operation in OPERATIONS
        for client in CLIENTS
        if client in MATRIX[operation]
    ]


def table() -> str:
    """Return the matrix as a Markdown table of call names; a dash if a client has no such call."""
    lines = ["| | " + " | ".join(CLIENTS.values()) + " |", "|---|" + "---|" * len(CLIENTS)]
    for operation in OPERATIONS:
        found = (MATRIX[operation].get(client) for client in CLIENTS)
        lines.append(
            f"| {operation} | "
            + " | ".join(f"`{call.name}`" if call else "–" for call in found)
            + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
