"""A process that has a client in it and answers one call after another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# Clients print: the answers go out by a stream of their own.
LOOP = """
import json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
names = {}
for line in sys.stdin:
    names.pop("value", None)
    try:
        exec(json.loads(line), names)
        answer = {"value": names.get("value")}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer, default=str), file=answers, flush=True)
"""


class ClientProcess:
    """Runs code in one long-lived process, so that a client is imported once."""

    def __init__(self, folder: Path, env: dict[str, str], prepare: str):
        self.folder, self.said = folder, (folder / "said.txt").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOOP],
            cwd=folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
        )
        self(prepare)

    def __call__(self, code: str) -> Any:
        """Run `code` there and return what it set `value` to."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps(code), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"error": "the process is gone"}')
        assert "error" not in answer, (
            answer["error"] + (self.folder / "said.txt").read_text()[-2000:]
        )
        return answer["value"]

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.said.close()
