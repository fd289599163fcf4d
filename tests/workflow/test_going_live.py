"""A careful user goes live: nothing leaves this machine by accident, and each write is asked about.

The steps are those of docs/going-live.md. A sandbox plays the real Kaggle.
"""

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fastkaggle_plus import kaggle_client, push_notebook, rehearsal, submit
from fastkaggle_plus.environment import rehearsed_files
from fastkaggle_plus.exceptions import SubmissionError
from fastkaggle_plus.files import HashList
from fastkaggle_plus.kaggle_client import Journal

from .live_kaggle import only_this_machine, typed
from .test_push import SHORT
from .toy import fkp, last_json, submissions

ROOT = Path(__file__).resolve().parents[2]
REHEARSE = ("run", "toy", "--bundles", "bundles", "--workers", 0, "--json")
RUN_LIVE = ("run", "toy", "--live", "--workers", 0)


def received(box) -> dict[str, int]:
    """Count the rows of every table of the sandbox that plays Kaggle."""
    counts = {}
    for file in box.folder.glob("sandbox/*.db"):
        with sqlite3.connect(file) as db:
            for (table,) in db.execute("select name from sqlite_master where type = 'table'"):
                counts[table] = db.execute(f"select count(*) from {table}").fetchone()[0]
    return counts


def write_answers(place, n=60, name="answers.csv"):
    """Write a csv for the real rows."""
    ids = range(121, 121 + n)
    pd.DataFrame({"id": ids, "y": [i % 2 for i in ids]}).to_csv(place / name, index=False)
    return name


@pytest.mark.parametrize(
    "words",
    [
        ("setup", "toy"),
        ("submit", "-c", "toy", "-f", "answers.csv", "-m", "x"),
        ("submit", "-c", "toy", "-k", "ada/x", "-m", "x"),
        ("submit", "-c", "toy", "-f", "answers.csv", "-m", "x", "--yes"),
        ("submissions", "-c", "toy"),
        ("leaderboard", "-c", "toy"),
        ("status", "ada/x"),
        ("output", "ada/x"),
        ("libs",),
    ],
    ids=lambda words: " ".join(words[:6]),
)
def test_without_live_nothing_leaves_this_machine(place, monkeypatch, words):
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    write_answers(place)
    with only_this_machine():
        done = fkp(*words, cwd=place)
    assert done.returncode == 1 and done.stdout == ""
    assert f"`fkp {words[0]}`" in done.stderr and "Add --live, or " in done.stderr
    assert "fkp run" in done.stderr or "fkp push" in done.stderr or "runs/SLUG" in done.stderr


def test_a_careful_user_goes_live(place, real):
    # 1. Rehearse. The real Kaggle hears nothing of it.
    before = received(real)
    rehearsed = last_json(fkp(*REHEARSE, cwd=place))
    assert received(real) == before
    old = (place / "runs/toy/submission.csv").read_bytes()
    assert "Rehearsal" in first_line(place / rehearsed["report"])

    # 2. The rehearsal's file is refused, from the shell and in Python.
    send = ("submit", "--live", "-c", "toy", "-m", "tree")
    done = fkp(*send, "-f", "runs/toy/submission.csv", "--yes", cwd=place)
    assert done.returncode == 1 and "rehearsal of toy" in done.stderr, done.stderr
    assert "fkp run SLUG --live" in done.stderr and "--rehearsed" in done.stderr
    with pytest.raises(SubmissionError, match="live=True"):
        submit(place / "runs/toy/submission.csv", "by hand", "toy", poll_s=0.05)
    assert received(real) == before

    # 3. Without a terminal, and without --yes, nothing starts.
    done = fkp(*RUN_LIVE, cwd=place)
    assert done.returncode == 1 and "--yes" in done.stderr and "--dry-run" in done.stderr
    assert not (place / "runs/toy/live").exists() and received(real) == before

    # 4. The plan of the live run names all facts; "n" sends nothing and keeps the file.
    with typed("n"):
        done = fkp(*RUN_LIVE, cwd=place)
    assert done.returncode == 0, done.stderr
    for words in (
        "submit to toy, on the real Kaggle",
        "account     kaggler",
        "competition toy",
        "file        runs/toy/live/submission.csv, sha256 ",
        "rows        60",
        "message     fkp run: mean of 1 trials, 5 folds, seed 42 [",
        "left        5 submissions; 0 sent today",
        "Send it? [y/N]",
        "not submitted: runs/toy/live/submission.csv",
    ):
        assert words in done.stdout, done.stdout
    assert received(real) == before

    # 5. "y" sends it. What the rehearsal wrote is unchanged.
    with typed("y"):
        done = fkp(*RUN_LIVE, "--json", cwd=place)
    sent = last_json(done)
    assert sent["submission"]["sent"] and submissions(real.folder) == 1
    live = place / "runs/toy/live"
    for name in ("submission.csv", "results.csv", "report.html", "ensemble.lock", "vault", "data"):
        assert (live / name).exists(), name
    assert (place / "runs/toy/submission.csv").read_bytes() == old
    assert (live / "submission.csv").read_bytes() != old
    assert "Live" in first_line(live / "report.html")
    assert "submit to toy, on the real Kaggle" in done.stderr  # stdout is only JSON

    # 6. The live trials have their own board.
    for where in (["--live"], ["--dest", "runs/toy/live"]):
        board = json.loads(fkp("board", "toy", *where, "--json", cwd=place).stdout)
        assert board[0]["oof_score"] == sent["trials"][0]["oof_score"]
    assert board[0]["oof_score"] != rehearsed["trials"][0]["oof_score"]
    assert fkp("compare", "toy", "tree", "tree", "--live", cwd=place).returncode == 0

    # 7. A second call sends nothing twice, and asks nothing.
    done = fkp(*RUN_LIVE, "--yes", cwd=place)
    assert "exists already and was not sent again" in done.stdout and "Send it?" not in done.stdout
    assert submissions(real.folder) == 1
    listed = json.loads(fkp("submissions", "-c", "toy", "--live", "--json", cwd=place).stdout)
    assert len(listed) == 1 and listed[0]["public_score"] == sent["public_score"]


def first_line(report: Path) -> str:
    """Return the first text of a report's body."""
    html = report.read_text()
    return html[html.index("<body") :][:200]


def test_a_file_is_checked_shown_and_asked_about_before_it_is_sent(place, real):
    send = ("submit", "--live", "-c", "toy", "-m", "by hand", "-f")
    before = received(real)
    short = write_answers(place, 49)
    done = fkp(*send, short, "--yes", cwd=place)
    assert done.returncode == 1 and "The sample has 60 rows, the submission 49" in done.stderr
    file = write_answers(place)
    done = fkp(*send, file, cwd=place)
    assert done.returncode == 1 and "--yes" in done.stderr and "--dry-run" in done.stderr

    done = fkp(*send, file, "--dry-run", cwd=place)
    assert done.returncode == 0 and "nothing was sent" in done.stderr
    shown = done.stdout
    for words in ("account     kaggler", "rows        60", "as Kaggle's sample submission"):
        assert words in shown, shown
    plan = json.loads(fkp(*send, file, "--dry-run", "--json", cwd=place).stdout)
    assert plan["rows"] == "60" and plan["sent"] is False and plan["message"] == "by hand"
    with typed("n"):
        done = fkp(*send, file, cwd=place)
    assert done.returncode == 1 and "Nothing was sent" in done.stderr and shown[:400] in done.stdout
    assert received(real) == before, "no write reached Kaggle"

    with typed("y"):
        done = fkp(*send, file, cwd=place)
    assert done.returncode == 0 and "COMPLETE" in done.stdout and submissions(real.folder) == 1
    done = fkp(*send, file, "--yes", cwd=place)
    assert "not sent: submission " in done.stdout and "add --again" in done.stdout
    assert submissions(real.folder) == 1

    other = ("submit", "--live", "-c", "toy", "-m", "other words", "-f", file)
    with typed("n"):
        done = fkp(*other, cwd=place)
    assert "warning" in done.stdout and "with the message 'by hand'" in done.stdout
    assert "left        4 submissions; 1 sent today" in done.stdout, done.stdout
    assert submissions(real.folder) == 1
    assert fkp(*send, file, "--again", "--yes", cwd=place).returncode == 0
    assert submissions(real.folder) == 2


def test_without_a_competition_folder_the_ids_are_checked(place, real):
    shutil.rmtree(place / "competitions")
    send = ("submit", "--live", "-c", "toy", "-m", "x", "--dry-run", "-f")
    done = fkp(*send, write_answers(place, 49), cwd=place)
    assert done.returncode == 1 and "the submission 49" in done.stderr
    done = fkp(*send, write_answers(place), cwd=place)
    assert "only ids and columns" in done.stdout
    done = fkp(*send, write_answers(place, 49), "--no-check", cwd=place)
    assert done.returncode == 0 and "skipped: --no-check" in done.stdout
    (place / "toy").mkdir()  # `fkp setup` wrote it here
    assert fkp("setup", "toy", "--live", "--dest", "toy", cwd=place).returncode == 0
    shutil.copytree(place / "bundles/toy", place / "competitions/toy")
    done = fkp(*send, write_answers(place), cwd=place)
    assert "as the sample submission in toy" in done.stdout


def test_python_prints_account_and_target_and_refuses_a_rehearsals_file(
    place, real, capsys, monkeypatch
):
    monkeypatch.chdir(place)
    write_answers(place)
    sent = submit("answers.csv", "from Python", "toy", poll_s=0.05)
    said = capsys.readouterr().err
    assert sent.sent and said == "Kaggle account kaggler: submit answers.csv to toy\n"
    assert not submit("answers.csv", "from Python", "toy", poll_s=0.05).sent
    assert capsys.readouterr().err == "", "nothing is announced that is not sent"
    with pytest.warns(UserWarning, match="as number 2, with the message 'from Python'"):
        submit("answers.csv", "again", "toy", poll_s=0.05)
    capsys.readouterr()

    with rehearsal("toy", bundles="bundles"):
        (place / "tried.csv").write_text(Path("answers.csv").read_text().replace("121,1", "121,0"))
        assert submit("tried.csv", "a try", "toy", poll_s=0.05).sent
        assert capsys.readouterr().err == "", "a rehearsal announces nothing"
    with pytest.raises(SubmissionError, match="submitted in a rehearsal of toy"):
        submit("tried.csv", "for real", "toy", poll_s=0.05)
    shutil.copy("tried.csv", "renamed.csv")
    with pytest.raises(SubmissionError, match="--rehearsed"):
        submit("renamed.csv", "for real", "toy", poll_s=0.05)
    assert submit("tried.csv", "for real", "toy", poll_s=0.05, live=True).sent
    assert submissions(real.folder) == 3
    send = ("submit", "--live", "-c", "toy", "-m", "from the shell", "-f", "tried.csv", "--yes")
    assert fkp(*send, cwd=place).returncode == 1
    assert fkp(*send, "--rehearsed", cwd=place).returncode == 0


def test_python_announces_a_push_once(place, real, capsys):
    (place / "hello.py").write_text("print('hello')\n")
    first = ("kaggler", "my-first-script", "My first script", "hello.py", place)
    assert push_notebook(*first, run=False).sent
    assert capsys.readouterr().err == (
        "Kaggle account kaggler: push hello.py as kaggler/my-first-script\n"
    )
    assert not push_notebook(*first, run=False).sent
    assert capsys.readouterr().err == ""


def test_an_unanswered_question_sends_nothing(place, real):
    before = received(real)
    send = ("submit", "--live", "-c", "toy", "-m", "x", "-f", write_answers(place))
    with typed():  # Ctrl-D
        assert fkp(*send, cwd=place).returncode == 1
    with typed(""):  # only Enter
        assert fkp(*send, cwd=place).returncode == 1
    assert received(real) == before


@pytest.mark.slow
def test_a_push_is_shown_first_and_a_quick_one_is_never_submitted(place, real, monkeypatch):
    (place / "competitions/toy/notebook.py").write_text(
        SHORT.replace(
            "import pandas as pd",
            "from pathlib import Path\nimport pandas as pd\nPath('code', SLUG).mkdir(parents=True)",
        )
    )
    publish = kaggle_client.create_libs_datasets  # without dependencies: no package index
    no_deps = {"deps": False}
    monkeypatch.setattr(
        kaggle_client, "create_libs_datasets", lambda *a, **k: publish(*a, **{**k, **no_deps})
    )
    before = received(real)
    push = ("push", "toy", "--live", "--wait")
    done = fkp(*push, "--dry-run", cwd=place)
    assert done.returncode == 0 and "nothing was sent" in done.stderr, done.stderr
    for words in (
        "push kaggler/toy-with-evidence, on the real Kaggle",
        "account     kaggler",
        "CPU, internet on",
        "datasets    kaggler/library-fastkaggle-plus",
        "then        its output is submitted to toy",
        "left        5 submissions; 0 sent today",
    ):
        assert words in done.stdout, done.stdout
    with typed("n"):
        assert fkp(*push, cwd=place).returncode == 1
    assert fkp(*push, cwd=place).returncode == 1  # no terminal
    done = fkp("push", "toy", "--bundles", "bundles", "--dry-run", cwd=place)
    assert done.returncode == 0 and "in the sandbox" in done.stdout
    done = fkp("libs", "--live", "--dry-run", cwd=place)
    assert done.returncode == 0 and "kaggler/library-fastkaggle-plus" in done.stdout
    assert received(real) == before, "no write reached Kaggle"

    done = fkp(*push, "--quick", "--yes", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "a QUICK dry run: its output is not submitted" in done.stdout
    assert "QUICK     a dry run: its output is not submitted" in done.stdout
    assert submissions(real.folder) == 0 and received(real)["kernel_versions"] == 1
    kernel = "kaggler/toy-with-evidence-quick"
    [pushed] = [e for e in Journal().entries() if e.kind == "kernel" and e.state == "sent"]
    assert (pushed.slug, pushed.description) == (kernel, "Toy with evidence QUICK")
    file = "runs/toy/live/output/submission.csv"
    done = fkp("submit", "--live", "-c", "toy", "-m", "x", "-f", file, "--yes", cwd=place)
    assert done.returncode == 1 and "an output of the QUICK dry run" in done.stderr

    by_name = ("submit", "--live", "-c", "toy", "-m", "x", "-k", kernel, "-v", "1", "--dry-run")
    done = fkp(*by_name, cwd=place)
    assert done.returncode == 0 and "Kaggle runs the notebook again" in done.stdout, done.stderr
    assert submissions(real.folder) == 0


def test_a_terminal_is_asked_in_a_real_process(place, real):
    """The question and the refusal, through a pseudo-terminal."""
    file = write_answers(place)
    words = ["submit", "--live", "-c", "toy", "-m", "typed", "-f", file]
    command = [sys.executable, "-m", "tests.workflow.live_kaggle", real.url, real.user, real.key]
    main, terminal = pty.openpty()
    os.write(main, b"y\n")
    done = subprocess.run(
        [*command, *words],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=terminal,
        capture_output=True,
        text=True,
    )
    os.close(main)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert "Send it? [y/N]" in done.stdout and "COMPLETE" in done.stdout
    assert submissions(real.folder) == 1


def test_the_list_of_rehearsed_files_survives_kills_and_other_processes(place):
    known, new = place / "known.csv", place / "new.csv"
    known.write_text("a")
    new.write_text("b")
    rehearsed = HashList(rehearsed_files())
    rehearsed.add(known, "the file of a rehearsal")
    with open(rehearsed.path, "ab") as f:
        f.write(b'{"sha256": "cut sh')  # a kill cut this line short
    code = (
        "import sys; from pathlib import Path; from fastkaggle_plus.files import HashList\n"
        "for i in range(40):\n"
        "    file = Path(f'{sys.argv[1]}{i}'); file.write_text(str(file))\n"
        f"    HashList(Path({str(rehearsed.path)!r})).add(file, 'note')"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, place / name]) for name in "xy"]
    assert [p.wait() for p in both] == [0, 0]
    rehearsed.add(new, "another")
    assert rehearsed.note_of(known) == "the file of a rehearsal"
    assert rehearsed.note_of(new) == "another"
    assert all(rehearsed.note_of(place / f"{name}{i}") for name in "xy" for i in range(40))
    new.write_text("c")
    assert rehearsed.note_of(new) == "", "the content counts, not the name"


def test_files_without_lines_are_not_taken_for_one_another(place):
    empty, blank = place / "empty.csv", place / "blank.csv"
    empty.write_text("")
    blank.write_text("\n\n")
    rehearsed = HashList(rehearsed_files())
    rehearsed.add(empty, "the file of a rehearsal")
    assert rehearsed.note_of(empty) and not rehearsed.note_of(blank)
