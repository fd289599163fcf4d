"""A failure on Kaggle, in a run or in the re-run on hidden rows, comes with advice."""

from __future__ import annotations

import zlib

import pytest

from fastkaggle_plus.exceptions import KernelFailed, SubmissionFailed
from fastkaggle_plus.kaggle_client import connect, push_notebook, submit_code, wait_kernel
from fastkaggle_plus.kaggle_client.kernels import failure_hints
from fastkaggle_plus.sandbox import Limits, running

from ..bundles import answers, make_bundle

ROWS, SEEN = 40, 4
RERUN = "import os\nis_rerun = 'KAGGLE_IS_COMPETITION_RERUN' in os.environ\n"
ANSWER = """
inputs = ("/kaggle/input", "../input")
files = [f"{folder}/competitions/coded/test.csv" for folder in inputs]
rows = open(next(f for f in files if os.path.exists(f))).readlines()[1:]
ids = [int(row.split(",")[0]) for row in rows]
def answer(ids):
    open("submission.csv", "w").write("id,y\\n" + "".join(f"{i},{i % 2}\\n" for i in ids))
answer(ids)
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A code competition with four visible rows and a limit of three seconds for re-runs."""
    folder = tmp_path_factory.mktemp("failures")
    made = make_bundle(folder / "bundles", "coded", rows=ROWS, daily=100)
    (made / "competition.toml").write_text(
        "code_competition = true\n" + (made / "competition.toml").read_text()
    )
    (made / "hidden").mkdir()
    for name in ("test.csv", "sample_submission.csv"):
        (made / "files" / name).rename(made / "hidden" / name)
        (made / "files" / name).write_text(
            "".join((made / "hidden" / name).open().readlines()[: SEEN + 1])
        )
    assert (made / "hidden/sample_submission.csv").read_bytes() == answers(ROWS, constant=0)
    with running(folder / "bundles", state=folder / "state", limits=Limits(rerun_s=3)) as box:
        yield box


@pytest.fixture
def client(box):
    return connect(box.url, user=box.user, key=box.key)


@pytest.fixture
def run(box, client, tmp_path, request):
    """Push a script as a new notebook and wait for its end."""

    def running_it(code: str, *, internet: bool = False):
        (tmp_path / "run.py").write_text(RERUN + code)
        name = f"fails {zlib.crc32(request.node.name.encode())}"
        made = push_notebook(
            box.user,
            name.replace(" ", "-"),
            name.capitalize(),
            "run.py",
            tmp_path,
            "coded",
            internet=internet,
            client=client,
        )
        return wait_kernel(made, client=client, poll_s=0.1, timeout_s=60)

    return running_it


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import not_in_the_wheels",
            [
                "No module named 'not_in_the_wheels'",
                "neither in Kaggle's image nor",
                "`fkp libs not_in_the_wheels --live`",
                "--no-index",
            ],
        ),
        (
            "from fastkaggle_plus.exceptions import MissingExtra\n"
            "raise MissingExtra('lightgbm', 'boost')",
            ["lightgbm is neither in", "`fkp libs lightgbm --live`"],
        ),
        (
            "from urllib.request import urlopen\nurlopen('http://example.com', timeout=5)",
            ["put the files into a dataset"],
        ),
    ],
    ids=["package", "extra", "network"],
)
def test_a_run_that_fails_says_what_is_missing(run, client, code, words):
    with pytest.raises(KernelFailed) as e:
        run(code)
    assert all(word in str(e.value) and word in e.value.what for word in words), str(e.value)


def test_a_model_on_this_machine_is_not_found_unless_attached(run, own_home, tmp_path, monkeypatch):
    from fastkaggle_plus.modeling.model_hub import weights_folder
    from fastkaggle_plus.modeling.text.weights import find_weights

    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))
    own = weights_folder() / "nobody--tiny-bert"
    own.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (own / name).write_text("{}")
    assert find_weights("nobody/tiny-bert").folder == own
    with pytest.raises(KernelFailed) as e:
        run(
            "from fastkaggle_plus.modeling.text.weights import fetch_weights\n"
            "fetch_weights('nobody/tiny-bert')"
        )
    assert (
        "WeightsMissing: config.json and model.safetensors of nobody/tiny-bert are not on this "
        "machine" in str(e.value)
    )
    assert (
        "attach a dataset or model called weights-tiny-bert" in str(e.value)
        and "name it in a trial" in e.value.what
    ), str(e.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import time\nif is_rerun: time.sleep(60)",
            [
                "Notebook Timeout",
                "max allowed execution duration",
                "all hidden rows",
                "Fit beforehand",
            ],
        ),
        (
            "if is_rerun: os.remove('submission.csv')",
            ["Submission CSV Not Found", "wrote nothing", "write_submission(preds, comp, path)"],
        ),
        (
            f"answer(ids[:{SEEN}])",
            [
                f"must have {ROWS} rows, and has {SEEN}",
                f"{ROWS - SEEN} ids are missing",
                "never from here",
            ],
        ),
        (
            "if is_rerun: import not_in_the_wheels",
            [
                "Notebook Threw Exception",
                "neither in Kaggle's image nor",
                "`fkp libs not_in_the_wheels --live`",
            ],
        ),
        (
            f"if len(rows) != {SEEN}: raise ValueError('other rows')",
            ["Notebook Threw Exception", "ValueError: other rows", "do not rely on the visible"],
        ),
    ],
    ids=["time", "no-file", "rows", "package", "assumed"],
)
def test_a_rerun_that_fails_says_what_to_do(run, client, code, words):
    ended = run(ANSWER + code)
    with pytest.raises(SubmissionFailed) as e:
        submit_code(
            ended.handle,
            ended.version,
            "of " + code,
            competition="coded",
            client=client,
            poll_s=0.1,
        )
    assert all(word in str(e.value) for word in words), str(e.value)
    assert "version is only sent again if you ask for it" in str(e.value)


def test_a_notebook_with_internet_is_named(run, client):
    ended = run(ANSWER, internet=True)
    with pytest.raises(SubmissionFailed, match=r"internet access.*internet=False"):
        submit_code(
            ended.handle, ended.version, "online", competition="coded", client=client, poll_s=0.1
        )


def test_kaggles_own_messages_are_understood():
    said = (
        "Your notebook generated a submission file with incorrect format. Some examples causing "
        "this are: wrong number of rows or columns"
    )
    assert "never from here" in failure_hints.after_scoring(said, "submission.csv")
    assert "Fit beforehand" in failure_hints.after_scoring(
        "Notebook Exceeded Allowed Compute", "submission.csv"
    )
    assert failure_hints.after_a_run(
        "KeyError: 'x'"
    ) == "" and "submission.csv" in failure_hints.after_scoring("no reason given", "submission.csv")
    assert "of the package scikit-learn" in failure_hints.after_a_run(
        "ModuleNotFoundError: No module named 'sklearn.nothing'"
    )
