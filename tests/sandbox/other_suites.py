"""Run other projects' test suites against a sandbox that holds the objects their tests name.

python -m tests.sandbox.other_suites SUITE CHECKOUT --python PYTHON_WITH_THE_CLIENTS
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from fastkaggle_plus.sandbox import Limits, running

from ..bundles import make_bundle
from .client_process import clean_environment
from .conftest import Caller
from .kernel_caller import ENDED, notebook

Files = Mapping[str, bytes]
_CSV = b"NumberField,StringField\n1,one\n2,two\n"
_HOUSES = "house-prices-advanced-regression-techniques"
_COURSE = "abalone candy cereal concrete diamonds forestfires fuel hotel housing ion red-wine songs"
_DIAMONDS = (
    b"carat,cut,color,clarity,depth,table,price,x,y,z\n" + b"0.2,Ideal,E,SI2,61,55,326,4,4,2\n"
)
_BERT = "assets/tokenizer/vocabulary.txt config.json metadata.json model.weights.h5 tokenizer.json"
# Suite -> (its account, its command in the checkout). {python} has the clients.
SUITES = {
    "backend_tests": ("kaggler", "cd tests/backend && {python} -m pytest -q backend_tests.py"),
    "unit_tests": ("kaggler", "cd tests && {python} -m pytest -q unit_tests.py"),
    # Its folders have moved since it was written.
    "test_commands": (
        "kaggler",
        "cp -r tests/backend/kernel tests/backend/dataset tests; "
        "yes no | bash tests/test_commands.sh",
    ),
    "hub_integration": ("integrationtester", "{python} -m pytest -q integration_tests"),
    "hub_dataset_upload": (
        "jeward",
        "{python} -m pytest -q tests/test_dataset_upload.py -p hub_stub",
    ),
    "hub_model_upload": (
        "metaresearch",
        "{python} -m pytest -q tests/test_model_upload.py -p hub_stub",
    ),
}


class Seeder:
    """Creates objects in a running sandbox as its account."""

    def __init__(self, box):
        self.call, self.user = Caller(box), box.user

    def rpc(self, service: str, method: str, **fields) -> dict:
        answer = self.call(method, service=service, **fields)
        assert answer.status_code == 200 and not answer.json().get("error"), answer.text
        return answer.json()

    def upload(self, files: Files) -> dict:
        """Upload files and return `files` and `directories` of a request."""
        tree: dict = {"files": [], "directories": []}
        for name, content in files.items():
            node, (*folders, base) = tree, name.split("/")
            for folder in folders:
                known = [d for d in node["directories"] if d["name"] == folder]
                if not known:
                    known = [{"name": folder, "files": [], "directories": []}]
                    node["directories"] += known
                node = known[0]
            opened = self.rpc(
                "blobs.BlobApiService", "StartBlobUpload", name=base, contentLength=len(content)
            )
            requests.put(opened["createUrl"], data=content, timeout=20).raise_for_status()
            node["files"].append({"token": opened["token"]})
        return tree

    def dataset(self, slug: str, files: Files, *, versions: int = 1, private: bool = False) -> None:
        service = "datasets.DatasetApiService"
        of = {"ownerSlug": self.user, "datasetSlug": slug}
        facts = dict(ownerSlug=self.user, slug=slug, title=slug, isPrivate=private)
        self.rpc(service, "CreateDataset", **facts, licenseName="CC0-1.0", **self.upload(files))
        for _ in range(versions - 1):
            self.rpc(service, "CreateDatasetVersion", **of, body=self.upload(files))
        _wait(lambda: self.rpc(service, "GetDatasetStatus", **of)["status"] == "READY")

    def model(self, handle: str, files: Files, *, versions: int = 1, private: bool = False) -> None:
        model, framework, variation = handle.split("/")
        service, of = "models.ModelApiService", {"ownerSlug": self.user, "modelSlug": model}
        found = self.call("GetModel", service=service, **of)
        if found.status_code != 200:
            facts = dict(ownerSlug=self.user, slug=model, title=model, isPrivate=private)
            self.rpc(service, "CreateModel", **facts)
        known = dict(framework=f"MODEL_FRAMEWORK_{framework}", instanceSlug=variation)
        body = {**known, "licenseName": "MIT", **self.upload(files)}
        self.rpc(service, "CreateModelInstance", **of, body=body)
        for _ in range(versions - 1):
            body = self.upload(files)
            self.rpc(service, "CreateModelInstanceVersion", **of, **known, body=body)
        of |= known
        _wait(
            lambda: (
                self.rpc(service, "GetModelInstance", **of)["versionNumber"] == versions
                and self.call("ListModelInstanceVersionFiles", service=service, **of).ok
            )
        )

    def kernel(self, title: str, *codes: str, private: bool = False, kind: str = "script", **given):
        """Push one version for each code and wait until it has ended."""
        service, slug = "kernels.KernelsApiService", title.lower().replace(" ", "-")
        for code in codes:
            facts = {"newTitle": title, "text": code, "kernelType": kind, "isPrivate": private}
            self.rpc(
                service, "SaveKernel", language="python", enableInternet=True, **facts, **given
            )
            of = {"userName": self.user, "kernelSlug": slug}
            _wait(
                lambda of=of: self.rpc(service, "GetKernelSessionStatus", **of)["status"] in ENDED
            )


def seed(box) -> None:
    """Create the objects of this sandbox's account that the suites name."""
    make = Seeder(box)
    write = "open({0!r}, 'w').write({0!r})\n".format
    course = {f"{n}.csv": _CSV for n in _COURSE.split()}
    many = {f"assets/{i}.txt": b"x" for i in range(1, 26)}
    package = "import pathlib\npathlib.Path('package').mkdir()\n"
    package += "pathlib.Path('package/__init__.py').write_text({!r})\n"
    foo = package.format("def foo():\n    return 'bar'\n")
    klass = "class Model:\n    def foo(self):\n        return 'this is a test package'\n"
    # No package index is reachable: the package brings a module in place of its dependency.
    joke = "import sys, types\nsys.modules['pyjokes'] = types.ModuleType('pyjokes')\n"
    joke += "def get_joke():\n    return 'joke'\n"
    objects = {
        "stevemessick": lambda: make.kernel("Some kernel", "print(1)"),
        "kerneler": lambda: (
            make.kernel("Sqlite global default", write("output.txt")),
            make.dataset("brazilian-bird-observation-metadata-from-wikiaves", {"a.csv": _CSV}),
        ),
        "willianoliveiragibin": lambda: make.dataset("pixar-films", {"pixar.csv": _CSV}),
        "goefft": lambda: make.dataset(
            "public-datasets-with-file-types-and-columns", {"dataset_results.csv": _CSV}
        ),
        "google": lambda: (
            make.model("gemma/PY_TORCH/7b", {"weights.bin": b"w", "a.bin": b"w"}, versions=2),
            make.model("bird-vocalization-classifier/KERAS/main", {"a.bin": b"w"}),
        ),
        "jessicali9530": lambda: make.dataset(
            "animal-crossing-new-horizons-nookplaza-dataset", {"a.csv": _CSV}
        ),
        "ryanholbrook": lambda: make.dataset(
            "dl-course-data", {**course, "spotify.csv": _CSV, "diamonds.csv": _DIAMONDS}, versions=5
        ),
        "keras": lambda: make.model(
            "bert/KERAS/bert_tiny_en_uncased", {n: b"{}" for n in _BERT.split()}, versions=2
        ),
        "alexisbcook": lambda: make.kernel(
            "Titanic tutorial", write("my_submission.csv"), write("submission.csv")
        ),
        "dster": lambda: (
            make.kernel("Package test", foo, package.format(klass)),
            make.kernel("Joke teller", package.format(joke)),
        ),
        "integrationtester": lambda: (
            make.dataset("kagglehub-test-private-dataset", {"private.txt": b"p"}, private=True),
            make.model(
                "test-private-model/PY_TORCH/b0", {"efficientnet-b0.pth": b"p"}, private=True
            ),
            make.model(
                "test-private-model/KERAS/many-files-with-subdirectories",
                {**many, "config.json": b"{}", "model.keras": b"k"},
            ),
            make.kernel(
                "Private titanic tutorial",
                write("submission-01.csv") + write("submission-02.csv"),
                private=True,
            ),
            make.kernel("Titanic tutorial", write("submission-01.csv")),
            make.kernel(
                "Titanic tutorial many output files",
                "for i in range(30):\n    open(f'{i}.txt', 'w').write('x')",
            ),
            make.kernel("Kagglehub test private package", foo, private=True),
            make.kernel(
                "Utility script", write("utility_script.py"), categoryIds=["utility script"]
            ),
            make.kernel(
                "Private utility script",
                write("private_utility_script.py"),
                private=True,
                categoryIds=["utility script"],
            ),
        ),
        "metaresearch": lambda: make.model("llama-2/PY_TORCH/new-version", {"a.bin": b"w"}),
        "kaggler": lambda: (
            [make.dataset(f"some-data-{i:02}", {"data.csv": _CSV}) for i in range(12)],
            make.kernel("Exercise lists", write("out.csv")),
            make.kernel("Exercise as with", notebook("print(1)"), kind="notebook"),
        ),
    }
    objects[make.user]()


OWNERS = (
    "stevemessick kerneler willianoliveiragibin goefft google jessicali9530 ryanholbrook keras "
    "alexisbcook dster metaresearch integrationtester kaggler"
).split()


def make_competitions(folder: Path) -> Path:
    """Write the competitions that the suites name, and 21 in all: a second page holds one."""
    make_bundle(folder, "titanic", files={"gender_submission.csv": b"PassengerId,Survived\n"})
    (folder / "titanic/competition.toml").write_text(
        (folder / "titanic/competition.toml")
        .read_text()
        .replace("[sandbox]", 'sample_submission = "gender_submission.csv"\n[sandbox]')
    )
    sample = folder / "titanic/files/sample_submission.csv"
    sample.replace(sample.with_name("gender_submission.csv"))
    make_bundle(folder, _HOUSES, daily=99)
    topic = make_bundle(folder, "orbit-wars") / "topics/695158.md"
    topic.parent.mkdir()
    topic.write_text("# A topic that test_commands.sh shows\n\nText.\n")
    make_bundle(folder, "jane-street-market-prediction", rules_accepted=False)
    fraud = ("test_identity", "test_transaction", "train_identity", "train_transaction")
    frauds = make_bundle(folder, "ieee-fraud-detection", files={f"{n}.csv": _CSV for n in fraud})
    for name in ("train.csv", "test.csv"):
        (frauds / "files" / name).unlink()
    for name in ("files/sample_submission.csv", "solution.csv", "competition.toml"):
        text = (frauds / name).read_text().replace("id,y", "TransactionID,isFraud")
        text = text.replace('id = "id"', 'id = "TransactionID"').replace('"y"', '"isFraud"')
        (frauds / name).write_text(text)
    for i in range(16):
        make_bundle(folder, f"more-{i:02}")
    return folder


@contextmanager
def seeded(folder: Path, account: str) -> Iterator:
    """Serve a sandbox as `account`, with all that the suites name."""
    bundles, state = make_competitions(folder / "bundles"), folder / "state"
    limits = Limits(sessions={"": 50, "gpu": 5, "tpu": 5})
    for owner in OWNERS:
        with running(bundles, state=state, user=owner, limits=limits) as box:
            seed(box)
    with running(bundles, state=state, user=account, limits=limits) as box:
        yield box


def environment(box, python: Path, home: Path) -> dict[str, str]:
    """Return the environment of a suite: the sandbox is the proxy, and there is no other host."""
    assert urlsplit(box.url).hostname == "127.0.0.1"
    (home / "hub_stub.py").write_text(_HUB_STUB)
    (home / "kaggle_log.sh").write_text(_COMMAND_LOG)
    return {
        **clean_environment(),
        "HOME": str(home),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(home),
        "BASH_ENV": str(home / "kaggle_log.sh"),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "http_proxy": box.url,
        "https_proxy": box.url,
        "KAGGLE_USERNAME": box.user,
        "KAGGLE_KEY": box.key,
        "KAGGLE_DEVELOPER": box.user,
    }


# kagglehub's tests start a stub of Kaggle and ask it which files arrived. Here the sandbox answers.
_HUB_STUB = """
import json, os
from types import SimpleNamespace
import requests
import tests  # sets the variables of its own stub
os.environ.update(KAGGLE_API_ENVIRONMENT="LOCALHOST")
from tests.server_stubs import dataset_upload_stub, model_upload_stub, serv
serv.start_server = lambda app, *a, **k: SimpleNamespace(shutdown=lambda: None)
send = requests.Session.send
def counted(self, request, **options):
    answer = send(self, request, **options)
    if request.url.endswith("/StartBlobUpload"):
        for stub in (dataset_upload_stub, model_upload_stub):
            stub._add_file(json.loads(request.body)["name"])
            stub._increment_blob_request()
    return answer
requests.Session.send = counted
"""
_COMMAND_LOG = """
kaggle() {
    command kaggle "$@" > "$HOME/last.txt" 2>&1; status=$?
    cat "$HOME/last.txt"
    echo "COMMAND $status kaggle $*" >> "$HOME/commands.txt"
    if [ $status != 0 ]; then tail -2 "$HOME/last.txt" >> "$HOME/commands.txt"; fi
    return $status
}
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--pytest", default="", help='more arguments, as in --pytest "-k kernels"')
    given = parser.parse_args()
    account, command = SUITES[given.suite]
    with tempfile.TemporaryDirectory(prefix="suite") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        with seeded(Path(folder), account) as box:
            python = given.python.absolute()
            env = environment(box, python, home)
            line = f"{command.format(python=python)} {given.pytest}"
            status = subprocess.run(["bash", "-c", line], cwd=given.checkout, env=env).returncode
            log = home / "commands.txt"
            if log.exists():
                print(text := log.read_text())
                print(text.count("COMMAND 0 "), "of", text.count("COMMAND "), "commands pass")
    return status


def _wait(condition, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
