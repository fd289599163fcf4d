"""One test for each cell of the matrix of clients and operations: check the result of the call."""

import json
from pathlib import Path

import pytest

from fastkaggle_plus.sandbox import running

from ..bundles import answers, make_bundle
from .client_process import ClientProcess
from .conftest import Caller, client_env
from .kernel_caller import KernelCaller, notebook
from .matrix import CLIENTS, MATRIX, PREPARE, cells
from .test_datasets import Datasets, zipped
from .test_models import Models

SCORE = "0.90000"  # 2 of 20 public rows are wrong
RUNS = ("push",)  # what runs a kernel in its test
SHARED = {"table.csv": b"x,y\n1,2\n", "sub/deep.txt": b"deep"}
PARAMS = [
    pytest.param(
        client,
        operation,
        id=f"{client}-{operation.replace(' ', '_')}",
        marks=[pytest.mark.slow] * (operation in RUNS),
    )
    for client, operation in cells()
]


class World:
    """One sandbox for all cells, what is in it, and a process for each client."""

    def __init__(self, box, folder: Path):
        self.box, self.folder, self.processes = box, folder, {}
        self.call, self.data, self.models = Caller(box), Datasets(box), Models(box)
        self.kernels = KernelCaller(self.call)

    def fill(self) -> None:
        """Put there what clients look for."""
        self.kernels.push(
            "import os\nos.makedirs('deep/er')\n"
            "open('deep/er/a.txt', 'w').write('kept')\nprint('it worked')",
            "Worked",
        )
        self.kernels.push("raise SystemExit(3)", "Broke")
        self.call.scored(self.call.submit(answers(wrong=4), description="by hand"))
        self.call.scored(self.call.submit(answers(wrong=4), "settled"))
        self.data.create(
            "shared-data",
            {
                "table.csv": SHARED["table.csv"],
                "sub.zip": zipped(**{"deep.txt": SHARED["sub/deep.txt"]}),
            },
        )
        self.models.create(w_bin=b"weights")
        self.data.settled("shared-data"), self.models.settled()
        assert [self.kernels.wait(name)["status"] for name in ("worked", "broke")] == [
            "COMPLETE",
            "ERROR",
        ]

    def home(self, client: str) -> Path:
        """Return the client's folder, with what it sends in it."""
        home = self.folder / client
        for name, content in {
            "answers.csv": answers(wrong=4),
            "create/table.csv": f"made by {client}".encode(),
            "create/sub/deep.txt": b"deep",
            "version/table.csv": f"second by {client}".encode(),
            "push/code.py": f"print('run by {client}')".encode(),
            "push/code.ipynb": notebook(f"print('run by {client}')").encode(),
        }.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(content)
        kernel = {
            "id": f"kaggler/from-{client}",
            "title": f"From {client}",
            "code_file": "code.py",
            "language": "python",
            "kernel_type": "script",
            "is_private": True,
            "enable_internet": True,
            "competition_sources": ["toy"],
        }
        (home / "push/kernel-metadata.json").write_text(json.dumps(kernel))
        for folder, name in (("create", f"made-by-{client}"), ("version", f"there-for-{client}")):
            if client in ("cli", "api") or (
                folder == "version" and client != "kagglehub"
            ):  # the others write it themselves, or need none
                meta = {"id": f"kaggler/{name}", "title": name, "licenses": [{"name": "CC0-1.0"}]}
                (home / folder / "dataset-metadata.json").write_text(json.dumps(meta))
        return home

    def process(self, client: str) -> ClientProcess:
        if client not in self.processes:
            home = self.home(client)
            env = client_env(self.box, home) | {
                "FKP_HOME": str(home / "fkp"),
                "PYTHONPATH": str(Path(__file__).parents[2]),
            }
            self.processes[client] = ClientProcess(home, env, PREPARE[client])
        return self.processes[client]

    def files(self, client: str, folder: str) -> dict[str, bytes]:
        """Return name -> bytes of the files that a client downloaded, without its own metadata."""
        top = self.folder / client / folder
        return {
            str(p.relative_to(top)): p.read_bytes()
            for p in top.rglob("*")
            if p.is_file() and not p.name.startswith((".", "dataset-metadata"))
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    for slug in ("toy", "settled"):
        make_bundle(folder / "bundles", slug, files={"images/a one.txt": b"first"}, daily=100)
    with running(folder / "bundles", state=folder / "state") as box:
        world = World(box, folder)
        world.fill()
        yield world
        for process in world.processes.values():
            process.close()


@pytest.mark.parametrize(("client", "operation"), PARAMS)
def test_matrix(world, client, operation):
    if operation == "dataset version":
        world.data.create(f"there-for-{client}", {"old.csv": b"old"})
        world.data.settled(f"there-for-{client}")
    value = world.process(client)(MATRIX[operation][client].code)
    CHECKS[operation](world, client, value)


@pytest.mark.parametrize("client", ["fastkaggle", "ours"])
def test_import_kaggle_gives_kaggles_api(world, client):
    value = world.process(client)(
        "value = [c.ref.rpartition('/')[2] for c in "
        "import_kaggle().competitions_list().competitions]"
    )
    lists_competitions(world, client, value)


def test_each_cell_calls_the_function_in_the_table():
    for operation, calls in MATRIX.items():
        for client, call in calls.items():
            words = (
                [f'"{word}"' for word in call.name.split()]
                if client == "cli"
                else [f"{call.name}("]
            )
            assert all(word in call.code for word in words), (client, operation)
    assert set(MATRIX) == set(CHECKS) and set(CLIENTS) == set(PREPARE)


def served(world) -> dict[str, bytes]:
    top = world.folder / "bundles/toy/files"
    return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}


def lists_competitions(world, client, value):
    assert sorted(value) == ["settled", "toy"]


def lists_files(world, client, value):
    assert value == {name: len(content) for name, content in served(world).items()}


def has_every_byte(world, client, value):
    assert world.files(client, value) == served(world)


def is_scored(world, client, value):
    listed = world.call("ListSubmissions", competitionName="toy", pageSize=100).json()[
        "submissions"
    ]
    (found,) = [s for s in listed if s["description"] == f"from {client}"]
    scored = world.call.scored(found["ref"])
    assert (scored["publicScore"], scored["totalBytes"], scored["fileName"]) == (
        SCORE,
        len(answers(wrong=4)),
        "answers.csv",
    )
    assert (
        value == float(SCORE)
        if client == "ours"
        else "Successfully submitted" in value
        if client == "cli"
        else value == found["ref"]
    )


def lists_submissions(world, client, value):
    (found,) = [s for s in value if s[0] == "by hand"]
    assert found[1] == SCORE and found[2].rpartition(".")[2] == "COMPLETE"


def shows_teams(world, client, value):
    truth = world.call("GetLeaderboard", competitionName="settled", pageSize=100).json()[
        "submissions"
    ]
    assert value == [[t["teamName"], t["score"]] for t in truth] and ["kaggler", SCORE] in value


def runs_there(world, client, value):
    name = f"from-{client}"
    assert value == 1 and world.kernels.wait(name, 1)["status"] == "COMPLETE"
    assert world.kernels.log(name) == f"run by {client}\n"
    pushed = world.kernels("GetKernel", name)
    assert pushed["metadata"]["isPrivate"] and pushed["blob"]["kernelType"] == (
        "notebook" if client == "fastkaggle" else "script"
    )


def tells_good_from_bad(world, client, value):
    assert value == ["COMPLETE", "ERROR"]


def has_its_files(world, client, value):
    files = world.files(client, value)
    log = [b for name, b in files.items() if name.endswith(".log")]
    assert files["deep/er/a.txt"] == b"kept" and (
        client == "kagglehub" or b"it worked" in log[0]
    )  # kagglehub has no logs


def is_made(world, client, value):
    name = f"made-by-{client}"
    assert world.data.settled(name) == "READY" and {"sub/deep.txt", "table.csv"} <= set(
        world.data.names(name)
    )
    assert world.data.fetch(name, fileName="table.csv") == f"made by {client}".encode()
    facts = world.data("GetDataset", name).json()
    assert facts["currentVersionNumber"] == 1 and facts["isPrivate"] == (
        client != "fastkaggle"
    )  # which makes all public


def is_newer(world, client, value):
    name = f"there-for-{client}"
    assert world.data.settled(name) == "READY"
    facts = world.data("GetDataset", name).json()
    assert facts["currentVersionNumber"] == 2 and facts["versions"][0]["versionNotes"] == "second"
    assert world.data.fetch(name, fileName="table.csv") == f"second by {client}".encode()
    assert world.data.fetch(name, fileName="old.csv", datasetVersionNumber=1) == b"old"


def is_the_data(world, client, value):
    assert world.files(client, value) == SHARED


def is_the_net(world, client, value):
    assert world.files(client, value) == {"w.bin": b"weights"}


CHECKS = {
    "list": lists_competitions,
    "files": lists_files,
    "download": has_every_byte,
    "submit": is_scored,
    "submissions": lists_submissions,
    "leaderboard": shows_teams,
    "push": runs_there,
    "status": tells_good_from_bad,
    "output": has_its_files,
    "dataset create": is_made,
    "dataset version": is_newer,
    "dataset download": is_the_data,
    "model download": is_the_net,
}
