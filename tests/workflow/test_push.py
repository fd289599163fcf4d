"""`fkp push` in the sandbox: nothing is sent twice, no secret is sent, failures are explained."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastkaggle_plus.competition import builtin_folder
from fastkaggle_plus.environment import rehearsing
from fastkaggle_plus.sandbox import running

from .toy import (
    count_rows,
    fkp,
    fkp_process,
    last_json,
    make_code_competition,
    make_toy,
    submissions,
)

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
    """Keep the journal of each test apart."""
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "fkp_home"))


@pytest.fixture
def place(tmp_path):
    """The toy with a short notebook, and a folder for the files that the notebook inlines."""
    make_toy(tmp_path / "bundles")
    source = SHORT.replace(
        "import pandas as pd",
        "from pathlib import Path\nimport pandas as pd\nPath('code', SLUG).mkdir(parents=True)",
    )
    (tmp_path / "bundles/toy/notebook.py").write_text(f'"""Short."""\n\n{source}')
    return tmp_path


def push(cwd, *arguments):
    return fkp("push", "toy", "--bundles", "bundles", *arguments, cwd=cwd)


def push_json(cwd, *arguments):
    return last_json(push(cwd, "--json", *arguments))


def versions(cwd) -> int:
    """Count the notebook versions in the sandboxes under a folder."""
    return count_rows(cwd, "select count(*) from kernel_versions")


@pytest.mark.slow
def test_nothing_is_sent_twice_and_the_run_time_is_forecast(place):
    first, again = push_json(place), push_json(place)
    assert first["kernel"]["sent"] and not again["kernel"]["sent"]
    assert again["kernel"]["version"] == 1 == versions(place)
    assert first["submission"]["sent"] and not again["submission"]["sent"]
    assert submissions(place) == 1
    assert first["submission"]["sha256"] == again["submission"]["sha256"]
    assert first["public_score"] == again["public_score"] is not None
    log = (place / first["output"]["path"] / first["output"]["log"]).read_text()
    assert log.count("200 rows to predict") == 1

    repeated = push_json(place, "--again")
    assert repeated["submission"]["sent"] and submissions(place) == 2
    assert not repeated["kernel"]["sent"] and versions(place) == 1

    (place / "runs/toy/results.csv").write_text(
        "trial,n_folds,seconds\ntree,5,36000\nforest,5,36000\none rule,5,36000\n"
    )
    done = push(place)
    assert done.returncode == 1 and "expected to run" in done.stderr and "12 h" in done.stderr
    assert versions(place) == 1


@pytest.mark.slow
def test_a_notebook_that_fails_shows_the_end_of_its_log(place):
    template = place / "bundles/toy/notebook.py"
    last = 'sample.to_csv("submission.csv"'
    broken = f'print("so far")\nimport not_in_the_wheels\n{last}'
    template.write_text(template.read_text().replace(last, broken))
    done = push(place, "--try-first")
    assert done.returncode == 1 and "notebook failed in code cell 5" in done.stderr
    assert MISSING in done.stderr and versions(place) == 0
    done = push(place)
    assert done.returncode == 1 and "ended in an error" in done.stderr
    assert "so far" in done.stdout and MISSING in done.stdout
    log = place / "runs/toy/output/toy-with-evidence.log"
    assert str(log.relative_to(place)) in done.stderr.splitlines()[-1]
    assert MISSING in log.read_text() and "kaggle.com" not in done.stderr
    assert "neither in Kaggle's image nor among the attached wheels" in done.stderr
    assert "`fkp libs not_in_the_wheels --live`" in done.stderr
    assert done.stdout.count("  | so far\n") == 1 and "so far" not in done.stderr, (
        "the end of the log is shown once"
    )
    again = push(place, "--json")
    answer = json.loads(again.stdout)
    assert again.returncode == 1 and set(answer) == {"slug", "error", "log"}
    assert answer["slug"] == "toy" and "ended in an error" in answer["error"]
    assert (place / answer["log"]).is_file()
    assert "Traceback" not in again.stderr.split("error: ")[-1]
    assert "Traceback (most recent call last)" not in done.stderr.split("error: ")[0]
    assert versions(place) == 2 and submissions(place) == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f'key = "{KEY}"', "secret"),
        ('open("/home/ada/x")', "path of this machine"),
        ("x = (", "SyntaxError"),
    ],
)
def test_a_notebook_that_fails_the_check_is_not_sent(place, line, words):
    template = place / "bundles/toy/notebook.py"
    template.write_text(template.read_text() + f"\n# %%\n{line}\n")
    done = push(place)
    assert done.returncode == 1 and words in done.stderr and "nothing was sent" in done.stderr
    assert KEY not in done.stdout + done.stderr
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
    """Write the folder of a language model that knows a few words."""
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
def code_place(place):
    """The toy as a code competition, with trials that name two language models."""
    toy = place / "bundles/toy"
    make_code_competition(place)
    (toy / "readtext.py").write_text(READER)
    (toy / "trials.py").write_text(READS)
    lines = SHORT.replace(
        "import pandas as pd",
        "from pathlib import Path\nimport pandas as pd\n"
        'code = Path("code", SLUG)\ncode.mkdir(parents=True)',
    )
    head, tail = lines.rsplit("# %%\n", 1)
    (toy / "notebook.py").write_text(f'"""Short."""\n\n{head}{RUNS}\n# %%\n{tail}')
    return place


@pytest.mark.slow
def test_a_code_competition_gets_the_notebook_with_the_models_of_its_trials(code_place):
    tiny_bert(code_place / "fkp_home/cache/weights/nobody--tiny-bert")
    tiny_bert(code_place / "own-bert")
    done = push(code_place, "--json")
    pushed = last_json(done)
    meta = json.loads((code_place / "runs/toy/notebook/kernel-metadata.json").read_text())
    models = ["kaggler/weights-tiny-bert", "kaggler/weights-own-bert"]
    assert meta["enable_internet"] is False
    assert meta["dataset_sources"] == ["kaggler/library-fastkaggle-plus", *models]
    assert pushed["weights_datasets"] == models
    made = r"weights +nobody/tiny-bert as kaggler/weights-tiny-bert, version 1 made"
    assert re.search(made, done.stderr)
    assert "weights: attached weights-tiny-bert" in done.stderr
    assert "weights: attached weights-own-bert" in done.stderr
    assert "3 rows to predict" in done.stderr
    assert "runs again on the hidden rows" in done.stderr
    assert pushed["submission"]["path"] is None and pushed["submission"]["sent"]
    assert pushed["private_score"] is not None and submissions(code_place) == 1


def test_a_notebook_with_a_missing_model_is_not_sent(code_place):
    tiny_bert(code_place / "fkp_home/cache/weights/nobody--tiny-bert")
    done = push(code_place)  # own-bert does not exist
    missing = "has one called weights-own-bert or own-bert"
    assert done.returncode == 1 and missing in done.stderr, done.stderr
    assert "nothing was sent" in done.stderr and "--dataset OWNER/NAME" in done.stderr
    assert versions(code_place) == 0
    done = push(code_place, "--internet", "--dataset", "kaggler/own-bert")
    assert done.returncode == 1 and versions(code_place) == 0
    assert "takes submissions only from notebooks without internet" in done.stderr
    command = ("notebook", "bundles/toy", "--dest", "nb", "--user", "ada", "--json")
    written = json.loads(fkp(*command, "--dataset", "ada/own-bert", cwd=code_place).stdout)
    assert written["metadata"]["dataset_sources"] == [
        "ada/library-fastkaggle-plus",
        "ada/own-bert",
        "ada/weights-tiny-bert",
    ]


@pytest.mark.slow
def test_status_output_libs_and_submit_work_as_in_kaggles_client(place):
    push_json(place, "--no-submit")
    assert submissions(place) == 0
    handle = "kaggler/toy-with-evidence"
    [state] = place.glob("runs/toy/bundle-*/sandbox")
    with (
        running(place / "bundles", state=state) as box,
        rehearsing(box.url, user=box.user, key=box.key, token=box.token),
    ):
        command = ("status", handle, "--version", "1", "--json")
        status = json.loads(fkp(*command, cwd=place).stdout)
        assert status["status"] == "COMPLETE" and status["version"] == 1
        assert "COMPLETE" in fkp("status", "toy-with-evidence", cwd=place).stdout
        fetched = fkp("output", handle, "-p", "there", cwd=place).stdout.split()
        assert {"there/submission.csv", "there/toy-with-evidence.log"} <= set(fetched)
        assert all((place / f).is_file() for f in fetched)
        libs = json.loads(fkp("libs", "--no-deps", "--json", cwd=place).stdout)
        datasets = [(m["dataset"]["handle"], m["changed"]) for m in libs]
        assert datasets == [("kaggler/library-fastkaggle-plus", False)]
        notebook = ("--kernel", handle, "--version", "1", "-m", "by notebook")
        done = fkp("submit", "-c", "toy", *notebook, "--json", cwd=place)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "COMPLETE"
        # Kaggle's own client pushes the notebook that `fkp notebook` writes.
        assert fkp("notebook", "bundles/toy", "--dest", "nb", cwd=place).returncode == 0
        pushed = subprocess.run(
            [Path(sys.executable).with_name("kaggle"), "kernels", "push", "-p", "nb"],
            cwd=place,
            capture_output=True,
            text=True,
        )
        assert "Kernel version 2 successfully pushed" in pushed.stdout, pushed
        assert "title" not in pushed.stdout, pushed
        missing = fkp("status", "kaggler/toy-with-evidense", cwd=place)
        assert missing.returncode == 1 and "toy-with-evidence" in missing.stderr
    refused = fkp("submit", "-c", "toy", "-m", "x", cwd=place)
    assert refused.stderr.startswith("error: Say what to submit")


def test_a_refused_push_is_json_too(place):
    (place / "bundles/toy/notebook.py").write_text(SHORT + "\n# %%\nx = (\n")
    done = push(place, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and "SyntaxError" in answer["error"] and answer["log"] is None
    assert "SyntaxError" in done.stderr


def test_after_a_rehearsal_commands_say_where_its_files_are(tmp_path):
    without_account = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("KAGGLE", "FKP_")) and not k.lower().endswith("_proxy")
    }
    env = {**without_account, "HOME": str(tmp_path)}
    for verb in ("status", "output"):
        done = fkp(verb, "ada/x", cwd=tmp_path)
        assert done.returncode == 1 and "runs/SLUG/output" in done.stderr.splitlines()[-1]
    done = fkp_process("status", "ada/x", "--live", cwd=tmp_path, env=env)
    assert done.returncode == 1 and "No Kaggle credentials found" in done.stderr


def test_fkp_notebook_writes_a_checked_notebook(tmp_path):
    command = ("notebook", "titanic", "--quick", "--user", "ada", "--seed", "7", "--json")
    written = json.loads(fkp(*command, cwd=tmp_path).stdout)
    cells = json.loads((tmp_path / written["file"]).read_text())["cells"]
    assert written["metadata"]["id"] == "ada/titanic-with-evidence-quick"
    assert len(cells) == written["cells"] > 40
    assert any("QUICK = True" in c["source"] and "SEED = 7" in c["source"] for c in cells)
    assert written["metadata"]["dataset_sources"] == ["ada/library-fastkaggle-plus"]
    command = ("notebook", "titanic", "--dest", "there")
    text = fkp(*command, "--user", "ada", cwd=tmp_path).stdout
    assert re.search(
        r"there/\S+\.ipynb is written, \d+ cells, checked\. "
        r".*ada/library-fastkaggle-plus, which `fkp libs` makes",
        text,
    )
    text = fkp(*command, cwd=tmp_path).stdout
    assert "checked" not in text and "cannot be pushed" in text and "KAGGLE_USERNAME" in text
    assert "Did you mean 'titanic'" in fkp("notebook", "titanik", cwd=tmp_path).stderr
    assert (builtin_folder() / "titanic/notebook.py").is_file()
