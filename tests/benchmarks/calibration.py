"""Measure how often the evidence is wrong, by simulation: false positives, power, coverage, bias.

    python tests/benchmarks/calibration.py [--only PART] [--full] [--seed 0]

Each file of calibration_parts/ is a part. It has the function
`tables(scale: float, rng: numpy.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]`
that yields the title and the rows of each of its tables. scale 1, the default, is the effort for at
most 3 minutes on one core; --full is 20 times as much. Rates have 95% intervals. A part has its own
random numbers, so --only PART prints the same numbers as a run of all parts.
"""

import argparse
import importlib
import sys
import time
import zlib
from pathlib import Path

import numpy as np

# A script finds only its own folder.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.calibration_parts.rates import aligned

FOLDER = Path(__file__).with_name("calibration_parts")
PARTS = sorted(f.stem for f in FOLDER.glob("*.py") if "def tables(" in f.read_text())
FULL = 20


def run(part: str, scale: float, seed: int) -> None:
    """Print the tables of one part, each with the seconds that it took."""
    module = importlib.import_module(f"tests.benchmarks.calibration_parts.{part}")
    rng = np.random.default_rng([seed, zlib.crc32(part.encode())])
    started = time.perf_counter()
    for title, rows in module.tables(scale, rng):
        took_s = time.perf_counter() - started
        print(f"\n{part}: {title} ({took_s:.0f} s)\n\n{aligned(rows)}", flush=True)
        started = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--full", action="store_true", help="20 times the effort")
    parser.add_argument("--scale", type=float, default=1.0, help="effort; 0.1 is a quick look")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for part in args.only or PARTS:
        run(part, FULL if args.full else args.scale, args.seed)


if __name__ == "__main__":
    main()
