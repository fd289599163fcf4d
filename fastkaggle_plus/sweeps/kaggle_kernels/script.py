"""Write the script that a kernel runs: install the library, write the folder, run the shard."""

import base64
import pprint
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ... import __version__
from ...competition import COMPETITION_FILE, Competition, builtin_folder
from ...data import CLEANING_FILE
from ...exceptions import ConfigError
from ...kaggle_client.wheels.install_code import INSTALL
from ...modeling.code_files import data_files
from ..execution import SweepExecution
from ..resume import run_parts
from .shards import Shard

_MOST_BYTES = 1_000_000  # Kaggle takes sources of about 1 MiB

_SCRIPT = '''\
"""{title}

Made by fastkaggle_plus. Each finished trial is a file in results/, for the machine that sent it.
{trials}
"""

import time

STARTED = time.time()

{install}

# The competition's own files; without any it is a built-in one.
FILES = {{
{files}}}

SHARD = {shard}

from fastkaggle_plus.sweeps.kaggle_kernels.in_kernel import run_shard  # installed above

run_shard(SHARD, FILES, started=STARTED)
'''


def write_script(
    execution: SweepExecution,
    shard: Shard,
    *,
    longest_s: float,  # expected of its longest trial
    start_s: float,  # expected until its first trial starts
    left_s: float,  # until the sweep's budget lets no further trial start
) -> str:
    """Return the code of a shard's kernel. Raises ConfigError if the folder is too large."""
    sweep, comp = execution.sweep, execution.comp
    by_name = {trial.name: trial for trial in sweep.trials}
    parts = run_parts(sweep, comp, execution.data, execution.splits, versions=False)
    facts = {
        "competition": comp.slug,
        "sweep": {name: value for name, value in asdict(sweep).items() if name != "trials"},
        "trials": [asdict(by_name[name]) for name in shard.trials],
        "keys": {name: execution.keys[name] for name in shard.trials},
        "parts": {name: parts[name] for name in shard.trials},
        "deadline_s": round(shard.deadline_s, 1),  # of the script; then it ends itself
        "stop_after_s": round(min(shard.deadline_s - longest_s, left_s), 1),  # then none starts
        "start_s": start_s,
    }
    files = folder_files(comp)
    n = len(shard.trials)
    code = _SCRIPT.format(
        title=f"{n} {'trial' if n == 1 else 'trials'} of a sweep on {comp.slug}.",
        trials=f"About {shard.expected_s / 60:.0f} minutes: {_words(shard.trials)}.",
        install=INSTALL.replace("{{version}}", __version__),
        files="".join(f"    {name!r}: {_literal(body)},\n" for name, body in files.items()),
        shard=pprint.pformat(facts, width=96, sort_dicts=False),
    )
    if len(code.encode()) > _MOST_BYTES:
        largest = max(files, key=lambda name: len(files[name]), default="")
        raise ConfigError(
            f"The kernel's script has {len(code.encode())} bytes; Kaggle takes {_MOST_BYTES}. "
            f"The largest file of {comp.folder} is {largest}: move it into a dataset."
        )
    return code


def folder_files(comp: Competition) -> Mapping[str, str | bytes]:
    """Return the files of a competition's folder that its trials can use; none if it is built in.

    Data files that are no text are in base64, as bytes.
    """
    folder = comp.folder
    if folder is None or folder.is_relative_to(builtin_folder().resolve()):
        return {}
    code = sorted(folder.rglob("*.py"))
    facts = [folder / name for name in (COMPETITION_FILE, CLEANING_FILE)]
    used = [file for file in (*facts, *code, *data_files(comp, code)) if file.is_file()]
    return {file.relative_to(folder).as_posix(): _content(file) for file in used}


def _words(trials: tuple[str, ...]) -> str:
    text = ", ".join(trials).replace("\\", "/").replace('"', "'")
    return text if len(text) < 500 else f"{text[:500]} ..."


def _content(file: Path) -> str | bytes:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        return base64.b64encode(file.read_bytes())


def _literal(content: str | bytes) -> str:
    """Return Python code for a text that stays readable."""
    if isinstance(content, bytes) or "\r" in content or "\0" in content:
        return repr(content)
    escaped = content.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\\\n{escaped}"""' if not escaped.endswith('"') else repr(content)
