"""A notebook goes from its folder to a scored submission in the sandbox: the same score as the local run, nothing twice, nothing that should stay."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastkaggle_plus.competition import builtin_folder
from fastkaggle_plus.environment import rehearsing
from fastkaggle_plus.sandbox import running

from .test_run import fkp, make_toy, submissions

KEY = "0123456789abcdef" * 2
MISSING = "No module named 'not_in_the_wheels'"
SHORT = """# %% [markdown]
# # Toy

# %% tags=["parameters"]
SLUG = ""
QUICK = False
SEED = 0
N_FOLDS = 0

# %%
import pandas as pd
from fastkaggle_plus import setup_comp
path = setup_comp(SLUG)
sample = pd.read_csv(path / "sample_submission.csv")
print(len(sample), "rows to predict")

# %% inline="competition.toml"

# %% inline="trials.py"

# %%
sample.to_csv("submission.csv", index=False)
"""


@pytest.fixture(autouse=True)
def own_journal(tmp_path, monkeypatch):
    "What another test sent is not looked for here."
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "fkp_home"))


@pytest.fixture
def place(tmp_path):
    "A bundle made by hand, with a short notebook of its own, and the folder that its facts are written to."
    make_toy(tmp_path / "bundles")
    (tmp_path / "bundles/toy/notebook.py").write_text(
        '"""Short."""\n\n'
        + SHORT.replace("sample = ", 'Path("code", SLUG).mkdir(parents=True)\nsample = ').replace(
            "import pandas as pd", "from pathlib import Path\nimport pandas as pd"
        )
    )
    return tmp_path


def push(cwd, *arguments):
    return fkp("push", "toy", "--bundles", "bundles", *arguments, cwd=cwd)


def push_json(cwd, *arguments):
    done = push(cwd, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def versions(cwd) -> int:
    "How many notebook versions the sandboxes under `cwd` hold, counted in their own stores."
    count = 0
    for db in Path(cwd).rglob("sandbox/*.db"):
        with sqlite3.connect(db) as connection:
            count += connection.execute("select count(*) from kernel_versions").fetchone()[0]
    return count


@pytest.mark.slow
def test_titanic_in_a_notebook_scores_what_it_scores_here(tmp_path):
    done = fkp("push", "titanic", "--wait", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    there, told = json.loads(done.stdout.splitlines()[-1]), done.stderr
    for words in (
        "render",
        "check",
        "libs",
        "version 1 made",
        "  | ensemble: accuracy",
        "titanic-with-evidence version 1: complete",
        "submission.csv",
    ):
        assert words in told, words
    here = fkp("run", "titanic", "--json", cwd=tmp_path)
    here = json.loads(here.stdout.splitlines()[-1])
    assert there["submission"]["sha256"] == here["submission"]["sha256"]
    assert (there["public_score"], there["private_score"]) == (
        here["public_score"],
        here["private_score"],
    ) and there["public_score"] > 0.8
    assert (
        there["status"] == "COMPLETE" and there["submission"]["sent"] and submissions(tmp_path) == 2
    )


@pytest.mark.slow
def test_what_was_sent_is_not_sent_again_and_the_run_time_is_forecast(place):
    first, again = push_json(place), push_json(place)
    assert (
        first["kernel"]["sent"]
        and not again["kernel"]["sent"]
        and again["kernel"]["version"] == 1 == versions(place)
    )
    assert (
        first["submission"]["sent"] and not again["submission"]["sent"] and submissions(place) == 1
    )
    assert (
        first["submission"]["sha256"] == again["submission"]["sha256"]
        and first["public_score"] == again["public_score"] is not None
    )
    assert (
        (place / first["output"]["path"] / first["output"]["log"])
        .read_text()
        .count("200 rows to predict")
    )

    asked = push_json(place, "--again")
    assert (
        asked["submission"]["sent"]
        and submissions(place) == 2
        and not asked["kernel"]["sent"]
        and versions(place) == 1
    )

    (place / "runs/toy/results.csv").write_text(
        "trial,n_folds,seconds\ntree,5,36000\nforest,5,36000\none rule,5,36000\n"
    )
    done = push(place)
    assert (
        done.returncode == 1
        and "expected to run" in done.stderr
        and "12 h" in done.stderr
        and versions(place) == 1
    )


@pytest.mark.slow
def test_a_notebook_that_fails_shows_the_end_of_its_log(place):
    template = place / "bundles/toy/notebook.py"
    last = 'sample.to_csv("submission.csv"'
    template.write_text(
        template.read_text().replace(last, f'print("so far")\nimport not_in_the_wheels\n{last}')
    )
    done = push(place, "--try-first")
    assert (
        done.returncode == 1
        and "dry run failed in code cell 5" in done.stderr
        and MISSING in done.stderr
        and versions(place) == 0
    )
    done = push(place)
    assert (
        done.returncode == 1
        and "ended in an error" in done.stderr
        and "so far" in done.stdout
        and MISSING in done.stdout
    )
    log = place / "runs/toy/output/toy-with-evidence.log"
    assert (
        str(log.relative_to(place)) in done.stderr.splitlines()[-1]
        and MISSING in log.read_text()
        and "kaggle.com" not in done.stderr
    )
    assert (
        "neither in Kaggle's image nor among the attached wheels" in done.stderr
        and "`fkp libs not_in_the_wheels`" in done.stderr
    )
    assert done.stdout.count("  | so far\n") == 1 and "so far" not in done.stderr, (
        "the end of the log is told once"
    )
    again = push(place, "--json")
    told = json.loads(again.stdout)
    assert (
        again.returncode == 1
        and set(told) == {"slug", "error", "log"}
        and told["slug"] == "toy"
        and "ended in an error" in told["error"]
    )
    assert (place / told["log"]).is_file() and "Traceback" not in again.stderr.split("error: ")[-1]
    assert (
        versions(place) == 2
        and submissions(place) == 0
        and "Traceback (most recent call last)" not in done.stderr.split("error: ")[0]
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f'key = "{KEY}"', "secret"),
        ('open("/home/ada/x")', "path of this machine"),
        ("x = (", "SyntaxError"),
    ],
)
def test_what_should_not_leave_stays(place, line, words):
    template = place / "bundles/toy/notebook.py"
    template.write_text(template.read_text() + f"\n# %%\n{line}\n")
    done = push(place)
    assert (
        done.returncode == 1
        and words in done.stderr
        and "nothing was sent" in done.stderr
        and KEY not in done.stdout + done.stderr
    )
    assert versions(place) == 0 and not list(place.rglob("*.whl"))


READER = '''"""A model that needs a language model's folder."""

from fastkaggle_plus.modeling.tabular.forest import tree_model
from fastkaggle_plus.modeling.text.weights import fetch_weights

ATTACH = ("arch",)


def read_model(arch: str = ""):
    print("weights:", fetch_weights(arch).origin)
    return tree_model(max_leaf_nodes=4)
'''
READS = """from fastkaggle_plus import Trial

TRIALS = (
    Trial("by name", "readtext.read_model", {"arch": "nobody/tiny-bert"}),
    Trial("by folder", "readtext.read_model", {"arch": "./own-bert"}),
)
LARGE = (Trial("large", "readtext.read_model", {"arch": "nobody/not-here"}),)
"""
RUNS = """
# %% inline="readtext.py"

# %%
from fastkaggle_plus import load_comp
from fastkaggle_plus.modeling import find_model
comp = load_comp(code)
for trial in comp.module("trials").TRIALS:
    find_model(trial.model, comp)(**trial.params)
"""


def tiny_bert(folder: Path) -> Path:
    "Write the folder of a language model that knows a few words."
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"])
    )
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "bert",
                "vocab_size": 13,
                "hidden_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "max_position_embeddings": 32,
            }
        )
    )
    weights = np.random.default_rng(0).normal(size=(13, 16)).astype("float32")
    save_file({"embeddings.word_embeddings.weight": weights}, folder / "model.safetensors")
    return folder


@pytest.fixture
def coded(place):
    "The toy as a code competition that shows three of its rows, trials that name two language models, and a notebook that fetches them."
    toy = place / "bundles/toy"
    (toy / "competition.toml").write_text(
        (toy / "competition.toml")
        .read_text()
        .replace("max_daily", "code_competition = true\nmax_daily")
    )
    (toy / "hidden").mkdir()
    for name in ("test.csv", "sample_submission.csv"):
        (toy / "files" / name).rename(toy / "hidden" / name)
        (toy / "files" / name).write_text("".join((toy / "hidden" / name).open().readlines()[:4]))
    (toy / "readtext.py").write_text(READER)
    (toy / "trials.py").write_text(READS)
    lines = SHORT.replace(
        "import pandas as pd",
        'from pathlib import Path\nimport pandas as pd\ncode = Path("code", SLUG)\ncode.mkdir(parents=True)',
    )
    head, tail = lines.rsplit("# %%\n", 1)
    (toy / "notebook.py").write_text(f'"""Short."""\n\n{head}{RUNS}\n# %%\n{tail}')
    return place


@pytest.mark.slow
def test_a_code_competition_takes_the_notebook_with_the_models_of_its_trials(coded):
    tiny_bert(coded / "fkp_home/cache/weights/nobody--tiny-bert")
    tiny_bert(coded / "own-bert")
    done = push(coded, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    meta = json.loads((coded / "runs/toy/notebook/kernel-metadata.json").read_text())
    models = ["kaggler/weights-tiny-bert", "kaggler/weights-own-bert"]
    assert (
        meta["enable_internet"] is False
        and meta["dataset_sources"] == ["kaggler/library-fastkaggle-plus", *models]
        and told["weights_datasets"] == models
    )
    assert re.search(
        r"weights +nobody/tiny-bert as kaggler/weights-tiny-bert, version 1 made", done.stderr
    )
    assert (
        "weights: attached weights-tiny-bert" in done.stderr
        and "weights: attached weights-own-bert" in done.stderr
        and "3 rows to predict" in done.stderr
    )
    assert "runs again on the rows that it has not seen" in done.stderr
    assert (
        told["submission"]["path"] is None
        and told["submission"]["sent"]
        and told["private_score"] is not None
        and submissions(coded) == 1
    )


def test_a_notebook_whose_model_is_nowhere_stays_here(coded):
    tiny_bert(coded / "fkp_home/cache/weights/nobody--tiny-bert")
    done = push(coded)  # own-bert is not there
    assert (
        done.returncode == 1
        and "neither dataset_sources nor model_sources has one called weights-own-bert or own-bert"
        in done.stderr
    ), done.stderr
    assert (
        "nothing was sent" in done.stderr
        and "--dataset OWNER/NAME" in done.stderr
        and versions(coded) == 0
    )
    done = push(coded, "--internet", "--dataset", "kaggler/own-bert")
    assert (
        done.returncode == 1
        and "takes submissions only from notebooks without internet" in done.stderr
        and versions(coded) == 0
    )
    told = json.loads(
        fkp(
            "notebook",
            "bundles/toy",
            "--dest",
            "nb",
            "--dataset",
            "ada/own-bert",
            "--user",
            "ada",
            "--json",
            cwd=coded,
        ).stdout
    )
    assert told["metadata"]["dataset_sources"] == [
        "ada/library-fastkaggle-plus",
        "ada/own-bert",
        "ada/weights-tiny-bert",
    ]


@pytest.mark.slow
def test_status_output_libs_and_submit_as_kaggle_users_know_them(place):
    push_json(place, "--no-submit")
    assert submissions(place) == 0
    [state] = place.glob("runs/toy/bundle-*/sandbox")
    with (
        running(place / "bundles", state=state) as box,
        rehearsing(box.url, user=box.user, key=box.key, token=box.token),
    ):
        status = json.loads(
            fkp("status", "kaggler/toy-with-evidence", "--version", "1", "--json", cwd=place).stdout
        )
        assert status["status"] == "COMPLETE" and status["version"] == 1
        assert "COMPLETE" in fkp("status", "toy-with-evidence", cwd=place).stdout
        fetched = fkp(
            "output", "kaggler/toy-with-evidence", "-p", "there", cwd=place
        ).stdout.split()
        assert (
            "there/submission.csv" in fetched
            and "there/toy-with-evidence.log" in fetched
            and all((place / f).is_file() for f in fetched)
        )
        libs = json.loads(fkp("libs", "--no-deps", "--json", cwd=place).stdout)
        assert [(m["dataset"]["handle"], m["changed"]) for m in libs] == [
            ("kaggler/library-fastkaggle-plus", False)
        ]
        done = fkp(
            "submit",
            "-c",
            "toy",
            "--kernel",
            "kaggler/toy-with-evidence",
            "--version",
            "1",
            "-m",
            "by notebook",
            "--json",
            cwd=place,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "COMPLETE"
        assert (
            fkp("notebook", "bundles/toy", "--dest", "nb", cwd=place).returncode == 0
        )  # as Kaggle's own client pushes it
        pushed = subprocess.run(
            [Path(sys.executable).with_name("kaggle"), "kernels", "push", "-p", "nb"],
            cwd=place,
            capture_output=True,
            text=True,
        )
        assert (
            "Kernel version 2 successfully pushed" in pushed.stdout and "title" not in pushed.stdout
        ), pushed
        missing = fkp("status", "kaggler/toy-with-evidense", cwd=place)
        assert missing.returncode == 1 and "toy-with-evidence" in missing.stderr
    assert fkp("submit", "-c", "toy", "-m", "x", cwd=place).stderr.startswith(
        "error: Say what to submit"
    )


def test_a_refused_push_is_json_too(place):
    (place / "bundles/toy/notebook.py").write_text(SHORT + "\n# %%\nx = (\n")
    done = push(place, "--json")
    told = json.loads(done.stdout)
    assert (
        done.returncode == 1
        and "SyntaxError" in told["error"]
        and told["log"] is None
        and "SyntaxError" in done.stderr
    )


def test_after_a_rehearsal_its_kaggle_is_gone_and_that_is_said(tmp_path):
    nobody = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("KAGGLE", "FKP_")) and not k.lower().endswith("_proxy")
    }
    for command in (
        ["status", "ada/x"],
        ["output", "ada/x"],
        ["submit", "-c", "toy", "-m", "x", "--kernel", "ada/x"],
    ):
        done = fkp(*command, cwd=tmp_path, env={**nobody, "HOME": str(tmp_path)})
        assert done.returncode == 1 and "No Kaggle credentials found" in done.stderr
        assert (
            "A rehearsal's Kaggle ends with its command" in done.stderr.splitlines()[-1]
            and "runs/SLUG/output" in done.stderr
        )


def test_fkp_notebook_writes_it_checked(tmp_path):
    done = fkp(
        "notebook", "titanic", "--quick", "--user", "ada", "--seed", "7", "--json", cwd=tmp_path
    )
    told = json.loads(done.stdout)
    cells = json.loads((tmp_path / told["file"]).read_text())["cells"]
    assert (
        told["metadata"]["id"] == "ada/titanic-with-evidence" and len(cells) == told["cells"] > 40
    )
    assert any("QUICK = True" in c["source"] and "SEED = 7" in c["source"] for c in cells)
    assert told["metadata"]["dataset_sources"] == ["ada/library-fastkaggle-plus"]
    said = fkp("notebook", "titanic", "--dest", "there", "--user", "ada", cwd=tmp_path).stdout
    assert re.search(
        r"there/\S+\.ipynb is written, \d+ cells, checked\. .*ada/library-fastkaggle-plus, which `fkp libs` makes",
        said,
    )
    said = fkp("notebook", "titanic", "--dest", "there", cwd=tmp_path).stdout
    assert "checked" not in said and "cannot be pushed" in said and "KAGGLE_USERNAME" in said
    assert "Did you mean 'titanic'" in fkp("notebook", "titanik", cwd=tmp_path).stderr
    assert (builtin_folder() / "titanic/notebook.py").is_file()
