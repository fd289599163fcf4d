"""Benchmark: each operation under each fault, by our client and by kaggle."""

import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A script finds only its own folder.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faultmatrix.cells import ASKS, BAD, FAULTS, LIMIT_S, attempt_apart, judge, make_template

CLIENTS = ("ours", "kaggle")
NOISE = Path(tempfile.gettempdir()) / "fault_matrix.stderr"


def matrix(at: Path) -> dict[tuple[str, str, str], str]:
    """Return the verdict of each (client, operation, fault); two cells at a time."""
    make_template(at)
    verdicts: dict[tuple[str, str, str], str] = {}

    def row(client: str, operation: str) -> None:
        clean = None
        for i, fault in enumerate(FAULTS):
            place = at / f"{client} {operation} {i}".replace(" ", "-")
            verdicts[client, operation, fault], answer = judge(
                client,
                operation,
                fault,
                template=at,
                place=place,
                attempt=attempt_apart,
                clean=clean,
            )
            clean = clean or answer

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(row, c, o) for o in ASKS for c in CLIENTS]:
            done.result()
    return verdicts


@contextlib.contextmanager
def stderr_in(file: Path) -> Iterator[None]:
    """Send stderr to a file: the sandbox prints a lot when a client hangs up."""
    kept = os.dup(2)
    try:
        with file.open("wb") as out:
            os.dup2(out.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


if __name__ == "__main__":
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, stderr_in(NOISE):
        verdicts = matrix(Path(folder))
    print(
        "Each cell is a call under one fault, judged by the state of server and disk after it and, "
        "if it failed, after one more call without the fault. The time limit of a call is "
        f"{LIMIT_S} s, for ours and kaggle's. Cells show ours / kaggle if they differ; "
        f"{time.monotonic() - start:.0f} s in all, stderr in {NOISE}.\n"
        f"Each fault happens once; hang is an answer after {LIMIT_S + 1} s."
    )
    print(" " * 18 + "".join(f"{f:18}" for f in FAULTS).rstrip())
    for operation in ASKS:
        cells = [
            " / ".join(dict.fromkeys(verdicts[c, operation, f] for c in CLIENTS)) for f in FAULTS
        ]
        print(f"{operation:18}" + "".join(f"{c:18}" for c in cells).rstrip())
    for client in CLIENTS:
        counts = Counter(
            v for (c, _, f), v in verdicts.items() if c == client and v != "-" and f != "none"
        )
        print(
            f"{client:7} {sum(counts.values())} cells: "
            + ", ".join(f"{counts[v]} {v}" for v in ("ok", "error", *BAD))
        )
