"""A folder with a competition, and processes whose attempts to leave this machine are recorded."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ..sandbox.client_process import ForkServer, clean_environment
from ..workflow.test_push import SHORT
from ..workflow.toy import RUN_IMPORTS, make_toy

# A real-looking account: without one, a client stops before it asks for an address.
ACCOUNT = {"KAGGLE_USERNAME": "somebody", "KAGGLE_KEY": "0123456789abcdef" * 2}

NOTEBOOK = SHORT.replace(
    "import pandas as pd",
    'from pathlib import Path\nimport pandas as pd\nPath("code", SLUG).mkdir(parents=True)',
)


class Place:
    """The folder of a user who has an account, a competition and finished trials."""

    def __init__(self, folder: Path):
        self.folder, self.attempts = folder, folder / "attempts.txt"
        (folder / "recorder").mkdir()
        recorder = Path(__file__).with_name("recorder.py")
        shutil.copyfile(recorder, folder / "recorder" / "sitecustomize.py")
        # Labelled rows next to the facts: `fkp run toy` rehearses with some of them.
        toy = make_toy(folder / "bundles") / "toy"
        shutil.copytree(toy / "files", folder / "competitions" / "toy")
        for name in ("competition.toml", "trials.py"):
            shutil.copyfile(toy / name, folder / "competitions" / "toy" / name)
        (folder / "competitions" / "toy" / "notebook.py").write_text(NOTEBOOK)
        self.env = {
            **clean_environment(),
            **ACCOUNT,
            "HOME": str(folder / "home"),
            "FKP_HOME": str(folder / "home" / "fkp"),
            "FKP_ATTEMPTS": str(self.attempts),
            "PYTHONPATH": str(folder / "recorder"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (folder / "home").mkdir()
        self.server: ForkServer | None = None

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, *arguments]
        self.attempts.write_text("")
        return subprocess.Popen(command, cwd=self.folder, env=self.env, text=True, **pipes)

    def run(self, code: str) -> SimpleNamespace:
        """Run Python code and return its status, its output and the hosts it tried."""
        process = self.start("-c", code)
        stdout, stderr = process.communicate(timeout=120)
        found = SimpleNamespace(returncode=process.returncode, stdout=stdout, stderr=stderr)
        return self._with_attempts(found)

    def fkp(self, *arguments: str) -> SimpleNamespace:
        """Run `fkp` in a process that is forked after the imports, and return the same."""
        self.attempts.write_text("")
        if self.server is None:  # its imports may try nothing either
            self.server = ForkServer(self.folder, self.env, RUN_IMPORTS)
        code = "from fastkaggle_plus.cli import main; main()"
        found = self.server(["fkp", *arguments], cwd=self.folder, env=self.env, code=code)
        return self._with_attempts(found)

    def _with_attempts(self, found: SimpleNamespace) -> SimpleNamespace:
        return SimpleNamespace(**vars(found), tried=self.attempts.read_text().splitlines())


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A place where `fkp run` has run."""
    made = Place(tmp_path_factory.mktemp("offline"))
    done = made.fkp("run", "toy", "--workers", "0")
    assert done.returncode == 0 and "public 0." in done.stdout, done.stderr
    assert done.tried == []
    yield made
    made.server.close()
