"""What becomes of each operation under each fault, by our client and by bare kaggle beside it."""

import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.cells import ASKS, BAD, FAULTS, attempt_apart, judge, make_template

CLIENTS = ("ours", "kaggle")


def matrix(at: Path) -> dict[tuple[str, str, str], str]:
    "Return the verdict of each (client, operation, fault); two cells at a time."
    make_template(at)
    verdicts: dict[tuple[str, str, str], str] = {}

    def row(client: str, operation: str) -> None:
        clean = None
        for i, fault in enumerate(FAULTS):
            place = at / f"{client} {operation} {i}".replace(" ", "-")
            verdicts[client, operation, fault], came = judge(client, operation, fault, template=at, place=place, attempt=attempt_apart, clean=clean)
            clean = clean or came

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(row, c, o) for o in ASKS for c in CLIENTS]:
            done.result()
    return verdicts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        verdicts = matrix(Path(folder))
    print("ours / kaggle     " + "".join(f"{f:18}" for f in FAULTS))
    for operation in ASKS:
        cells = [" / ".join(dict.fromkeys(verdicts[c, operation, f] for c in CLIENTS)) for f in FAULTS]
        print(f"{operation:18}" + "".join(f"{c:18}" for c in cells).rstrip())
    for client in CLIENTS:
        counts = Counter(v for (c, _, f), v in verdicts.items() if c == client and v != "-" and f != "none")
        print(f"{client:7} {sum(counts.values())} cells: " + ", ".join(f"{counts[v]} {v}" for v in ("ok", "told", *BAD)))
