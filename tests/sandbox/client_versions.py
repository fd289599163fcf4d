"""Drive old and new versions of the kaggle client against a sandbox and print what works.

python -m tests.sandbox.client_versions [VERSION ...] --envs FOLDER

Each version gets an environment of its own in FOLDER. The clients run in a network namespace that
has nothing but this machine's loopback, so no request can leave it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from fastkaggle_plus.sandbox import running

from ..bundles import answers, make_bundle
from .client_process import clean_environment
from .conftest import Caller

VERSIONS = "1.6.17 1.7.4.5 1.8.4 2.0.2 2.1.2 2.2.3 2.2.4 2.2.5".split()
_MODEL = "kaggler/my-net/pyTorch/small/1"
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Operation:
    """One command of the client, and the check of what it printed and wrote."""

    command: str  # arguments of `kaggle`
    check: Callable[[str, Path], bool]  # (what it printed, its folder)
    tries: int = 1  # of a command that waits for work in the background

    @property
    def name(self) -> str:
        """The command without its arguments, as the table shows it."""
        name = re.split(r" (?:-|toy|kaggler/)", self.command)[0]
        return name + (" -f" if " -f images" in self.command else "")


def _contains(*words: str) -> Callable[[str, Path], bool]:
    return lambda printed, _: all(re.search(word, printed) for word in words)


def _wrote_one(printed: str, home: Path) -> bool:
    """Say whether the file was written: kaggle 2.2.5 keeps its folder, the others do not."""
    return any((home / "one" / name).exists() for name in ("b.txt", "images/b.txt"))


def _wrote(name: str, *members: str) -> Callable[[str, Path], bool]:
    """Return the check that a file exists and, for a zip, holds these members."""

    def check(printed: str, home: Path) -> bool:
        file = home / name
        return file.exists() and (not members or {*members} <= {*zipfile.ZipFile(file).namelist()})

    return check


OPERATIONS = (
    Operation("competitions list", _contains("toy")),
    Operation("competitions files toy", _contains("train.csv", "images/b.txt")),
    Operation("competitions download toy -f images/b.txt -p one", _wrote_one),
    Operation("competitions download toy -p all", _wrote("all/toy.zip", "train.csv")),
    Operation(
        "competitions submit toy -f answers.csv -m first-ä", _contains("Successfully submitted")
    ),
    Operation(
        "competitions submissions toy -v", _contains("first-ä", r"(?i)complete", "1.00000"), tries=9
    ),
    Operation("competitions leaderboard toy -s -v", _contains("kaggler", "1.00000")),
    Operation("datasets create -p data", _contains("(?i)is being created")),
    Operation("datasets status kaggler/my-data", _contains("(?i)ready"), tries=9),
    Operation("datasets list -m", _contains("kaggler/my-data")),
    Operation("datasets files kaggler/my-data", _contains("rows.csv")),
    Operation("datasets version -p data -m second", _contains("(?i)is being created")),
    Operation(
        "datasets download kaggler/my-data -p got", _wrote("got/my-data.zip", "rows.csv"), tries=9
    ),
    Operation("kernels push -p kernel", _contains("successfully pushed")),
    Operation("kernels status kaggler/my-kernel", _contains("(?i)complete"), tries=20),
    Operation("kernels output kaggler/my-kernel -p out", _wrote("out/written.txt")),
    Operation("kernels pull kaggler/my-kernel -p pulled", _wrote("pulled/my-kernel.py")),
    Operation("kernels list -m", _contains("kaggler/my-kernel")),
    Operation("models list --owner kaggler", _contains("kaggler/my-net")),
    Operation("models get kaggler/my-net -p net", _wrote("net/model-metadata.json")),
    Operation(
        f"models instances versions download {_MODEL} -p net --untar", _wrote("net/weights.bin")
    ),
)


def fill(home: Path) -> None:
    """Write the files that the commands send."""
    for name in ("data", "kernel", "net"):
        (home / name).mkdir(parents=True)
    (home / "answers.csv").write_bytes(answers())
    (home / "data/rows.csv").write_text("a,b\n1,2\n")
    dataset = {"title": "My data", "id": "kaggler/my-data", "licenses": [{"name": "CC0-1.0"}]}
    (home / "data/dataset-metadata.json").write_text(json.dumps(dataset))
    (home / "kernel/code.py").write_text("open('written.txt', 'w').write('done')\n")
    kernel = {
        "id": "kaggler/my-kernel",
        "title": "My kernel",
        "code_file": "code.py",
        "language": "python",
        "kernel_type": "script",
        "is_private": True,
        "enable_gpu": False,
        "enable_internet": False,
        **{f"{kind}_sources": [] for kind in ("dataset", "kernel", "model")},
        "competition_sources": ["toy"],
    }
    (home / "kernel/kernel-metadata.json").write_text(json.dumps(kernel))


def make_model(box) -> None:
    """Create the model that the commands read."""
    call, service = Caller(box), "models.ModelApiService"
    opened = call(
        "StartBlobUpload", service="blobs.BlobApiService", name="weights.bin", contentLength=1
    )
    requests.put(opened.json()["createUrl"], data=b"w", timeout=20).raise_for_status()
    facts = {"ownerSlug": "kaggler", "slug": "my-net", "title": "My net", "isPrivate": True}
    call("CreateModel", service=service, **facts).raise_for_status()
    body = {
        "instanceSlug": "small",
        "framework": "MODEL_FRAMEWORK_PY_TORCH",
        "licenseName": "MIT",
        "files": [{"token": opened.json()["token"]}],
    }
    call("CreateModelInstance", service=service, ownerSlug="kaggler", modelSlug="my-net", body=body)


def drive(version: str, envs: Path, *, verbose: bool = False) -> list[bool]:
    """Return for each operation whether a version of the client does it."""
    with tempfile.TemporaryDirectory(prefix="kaggle-client") as folder:
        bundles, home = Path(folder) / "bundles", Path(folder) / "home"
        make_bundle(bundles, "toy", files={"images/b.txt": b"second"})
        fill(home)
        with running(bundles, state=Path(folder) / "state") as box:
            assert urlsplit(box.url).hostname == "127.0.0.1"
            make_model(box)
            env = {
                **clean_environment(),
                "HOME": str(home),
                "KAGGLE_USERNAME": box.user,
                "KAGGLE_KEY": box.key,
                "KAGGLE_API_ENVIRONMENT": "LOCALHOST",  # kaggle 1.7 and later, with the proxy
                "KAGGLE_API_ENDPOINT": box.url,  # kaggle 1.6
                **dict.fromkeys(("http_proxy", "https_proxy"), box.url),
            }
            kaggle = str(envs / version / "bin/kaggle")
            return [_does(o, kaggle, home=home, env=env, verbose=verbose) for o in OPERATIONS]


def _does(operation: Operation, kaggle: str, *, home: Path, env: dict, verbose: bool) -> bool:
    for _ in range(operation.tries):
        done = subprocess.run(
            [kaggle, *operation.command.split()],
            stdin=subprocess.DEVNULL,
            cwd=home,
            env=env,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        printed = done.stdout + done.stderr
        if done.returncode == 0 and operation.check(printed, home):
            return True
        time.sleep(0.3)
    if verbose:
        print(f"$ kaggle {operation.command}: exit {done.returncode}\n{printed[-3000:]}")
    return False


def table(results: dict[str, list[bool]]) -> str:
    """Return the results as a Markdown table, with the sums in its last row."""
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for i, operation in enumerate(OPERATIONS):
        marks = " | ".join("yes" if done[i] else "**no**" for done in results.values())
        lines.append(f"| `{operation.name}` | {marks} |")
    sums = " | ".join(f"{sum(done)} of {len(done)}" for done in results.values())
    return "\n".join([*lines, f"| all | {sums} |"])


def make_environment(version: str, envs: Path) -> None:
    """Install a version of the client into FOLDER/VERSION, unless it is there."""
    if not (envs / version / "bin/kaggle").exists():
        subprocess.run([sys.executable, "-m", "venv", envs / version], check=True)
        pip = [envs / version / "bin/pip", "install", "--quiet"]
        # kaggle imports six without declaring it; 1.6 needs pkg_resources of older setuptools.
        subprocess.run([*pip, f"kaggle=={version}", "six", "setuptools<81"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", default=VERSIONS)
    parser.add_argument("--envs", type=Path, default=Path("kaggle-versions"))
    parser.add_argument("--verbose", action="store_true", help="print the output of what fails")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    envs = given.envs.absolute()
    if given.inside:
        results = {v: drive(v, envs, verbose=given.verbose) for v in given.versions}
        return print(table(results))
    for version in given.versions:
        make_environment(version, envs)
    again = [sys.executable, "-m", "tests.sandbox.client_versions", "--inside", *sys.argv[1:]]
    namespace = ["unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up; exec "$@"']
    os.execvp("unshare", [*namespace, "sh", *again])


if __name__ == "__main__":
    main()
