"""Every command: its help, its example, how it names a competition; version and completion."""

import os
import re
import shlex
import subprocess
import sys

import pytest

import fastkaggle_plus

from ..offline.test_no_network import VERBS
from ..workflow.toy import fkp, make_toy, run_json

WITH_SLUG = sorted(n for n, c in VERBS.items() if any(p.name == "slug" for p in c.params))


def help_of(name: str, cwd, columns: int) -> str:
    env = {**os.environ, "COLUMNS": str(columns), "TERMINAL_WIDTH": ""}
    command = [sys.executable, "-m", "fastkaggle_plus", *name.split(), "--help"]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_help_has_examples_that_parse(name, tmp_path):
    shown = fkp(*name.split(), "--help", cwd=tmp_path).stdout
    lines = re.split(r"^Examples?:\n", shown, flags=re.M)[1].splitlines()
    assert lines
    for line in lines:
        assert len(line) <= 80
        program, *words = shlex.split(line)
        assert program == "fkp" and words[: len(name.split())] == name.split()
        VERBS[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("columns", [80, 140])
def test_no_summary_is_cut_off(columns, tmp_path):
    shown = help_of("", tmp_path, columns)
    assert "..." not in shown.replace("[ARGS]...", "")
    assert max(map(len, shown.splitlines())) <= columns
    together = " ".join(shown.split())
    for name, command in VERBS.items():
        if " " not in name:
            assert " ".join(command.help.split("\n\n")[0].split()) in together


def test_the_version_has_one_source(tmp_path):
    done = fkp("--version", cwd=tmp_path)
    assert done.stdout == f"fkp {fastkaggle_plus.__version__}\n" and done.returncode == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+", fastkaggle_plus.__version__)


@pytest.mark.parametrize("name", WITH_SLUG)
@pytest.mark.parametrize("alias", [["-c", "toy"], ["--competition=toy"]], ids=" ".join)
def test_a_competition_is_named_by_position_or_by_option(name, alias):
    others = {"compare": ["a", "b"], "submit": ["-m", "text"]}.get(name, [])
    others += ["a"] * (name in ("ensemble", "explain", "export"))
    for words in (["toy", *others], [*others, *alias], [*alias, *others]):
        assert VERBS[name].make_context(name, list(words)).params["slug"] == "toy"


def test_commands_that_take_a_competition():
    expected = "new setup run plan sweep search board compare ensemble report notebook push log"
    expected += " clean probe doctor explain export"
    others = {"submit", "submissions", "leaderboard", "vault check", "vault gc", "kernels fetch"}
    assert {*expected.split(), *others} == set(WITH_SLUG)


def test_a_competition_named_twice_is_refused(tmp_path):
    done = fkp("board", "titanic", "-c", "titanic", cwd=tmp_path)
    assert done.returncode == 2 and "unexpected extra argument" in done.stderr


def complete(words: str, cwd) -> list[str]:
    """Return what the shell offers after `words`."""
    env = {
        **os.environ,
        "_FKP_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-X", "importtime", "-m", "fastkaggle_plus"]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    loaded = set(re.findall(r"\| +(\w+)$", done.stderr, re.M))
    assert not loaded & {"torch", "pandas", "sklearn", "kaggle", "matplotlib"}
    return done.stdout.split("\n")[:-1] if done.stdout.endswith("\n") else done.stdout.split("\n")


def test_the_shell_completes_competitions_and_trials(tmp_path):
    make_toy(tmp_path / "bundles")
    make_toy(tmp_path / "competitions")
    run_json(tmp_path)
    assert complete("fkp run ti", tmp_path) == ["titanic"]
    assert complete("fkp push -c to", tmp_path) == ["toy"]
    trials = tmp_path / "competitions/toy/trials.py"
    named = 'experiment("more", base=T, change={"max_leaf_nodes": 9}, name="larger tree")'
    trials.write_text(f"{trials.read_text()}T = TRIALS[1]\nMORE = ({named},)\n")
    declared = {"one rule", "tree", "forest", "larger tree"}
    assert set(complete("fkp sweep toy --trials ", tmp_path)) == declared
    assert complete("fkp log to", tmp_path) == ["toy"]
    assert complete("fkp compare toy tr", tmp_path) == ["tree"]
    assert complete("fkp sweep toy --on lo", tmp_path) == ["local"]
    assert complete("fkp compare nothing tr", tmp_path) in ([], [""])
    assert "--live" in complete("fkp run --li", tmp_path)
