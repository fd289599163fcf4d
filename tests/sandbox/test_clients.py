"""The unmodified clients pass through the sandbox: kaggle's CLI and API, kagglehub, fastkaggle."""

import zipfile

import pytest

from ..bundles import answers


def test_cli_from_list_to_leaderboard(kaggle, bundles):
    assert "competitions/toy" in kaggle("competitions", "list").stdout
    assert "images/b.txt" in kaggle("competitions", "files", "toy").stdout
    assert kaggle("competitions", "download", "toy").returncode == 0
    with zipfile.ZipFile(kaggle.home / "toy.zip") as z:
        assert (
            z.read("train.csv") == (bundles / "toy/files/train.csv").read_bytes()
            and z.testzip() is None
        )
    done = kaggle("competitions", "download", "toy", "-f", "images/b.txt")
    fetched = list(kaggle.home.rglob("b.txt"))  # at the top up to 2.2.4, in its folder since 2.2.5
    assert done.returncode == 0 and len(fetched) == 1 and fetched[0].read_bytes() == b"second", (
        done.stdout,
        done.stderr,
    )
    (kaggle.home / "mine.csv").write_bytes(answers(wrong=4))
    assert (
        "Successfully submitted to Toy"
        in kaggle("competitions", "submit", "toy", "-f", "mine.csv", "-m", "from the shell").stdout
    )
    for _ in range(50):
        listed = kaggle("competitions", "submissions", "toy").stdout
        if "COMPLETE" in listed:
            break
    assert "from the shell" in listed and "0.90000" in listed  # 2 of 20 public rows are wrong
    assert "kaggler" in kaggle("competitions", "leaderboard", "toy", "-s").stdout
    assert kaggle("competitions", "leaderboard", "toy", "-d").returncode == 0
    assert "Remaining today: 4" in kaggle("competitions", "submission-limits", "toy").stdout


@pytest.mark.parametrize(
    "arguments, changed, words",
    [
        (("competitions", "files", "nope"), {}, "'competitions.get' was denied"),
        (("competitions", "download", "locked"), {}, "must accept this competition's rules"),
        (("competitions", "list"), {"KAGGLE_KEY": "wrong"}, ""),
    ],
)
def test_cli_refusals(kaggle, arguments, changed, words):
    done = kaggle(*arguments, **changed)
    assert done.returncode != 0 and words in done.stdout + done.stderr


def test_an_access_token_is_enough(kaggle, box):
    done = kaggle(
        "competitions", "list", KAGGLE_API_TOKEN=box.token, KAGGLE_USERNAME="", KAGGLE_KEY=""
    )
    assert "competitions/toy" in done.stdout, done.stderr


def test_api_subclass_with_another_endpoint(kaggle, box):
    code = f"""
from kaggle.api.kaggle_api_extended import KaggleApi
class Local(KaggleApi):
    def build_kaggle_client(self):
        client = super().build_kaggle_client()
        client.http_client()._endpoint = {box.url + "/api"!r}
        return client
api = Local(); api.authenticate()
print([f.name for f in api.competition_list_files("toy").files])
"""
    done = kaggle(code, module="python", http_proxy="", KAGGLE_API_ENVIRONMENT="")
    assert "sample_submission.csv" in done.stdout, done.stderr


def test_kagglehub(kaggle):
    code = """
import kagglehub, pathlib
print(kagglehub.whoami())
folder = pathlib.Path(kagglehub.competition_download("toy"))
print(sorted(p.name for p in folder.iterdir()))
test = kagglehub.competition_download("toy", path="test.csv", force_download=True)
print(pathlib.Path(test).read_text()[:4])
"""
    done = kaggle(code, module="python")
    assert "kaggler" in done.stdout and "train.csv" in done.stdout and "id,x" in done.stdout, (
        done.stderr
    )


def test_fastkaggle(kaggle):
    (kaggle.home / "mine.csv").write_bytes(answers())
    code = """
import fastkaggle
print(sorted(p.name for p in fastkaggle.setup_comp("toy").iterdir()))
print(fastkaggle.competition_submit("mine.csv", "from fastkaggle", "toy"))
"""
    done = kaggle(code, module="python")
    assert "train.csv" in done.stdout and "Successfully submitted" in done.stdout, done.stderr
