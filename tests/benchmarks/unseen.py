"""Compare what the package recommends with three others on data that nobody tuned for.

ours      competition.toml alone: the default trials on default folds and workers, their ensemble
baseline  the cheap one: a forest; frozen features; tf-idf or overlaps (unseen_parts/baselines.py)
plain     a fast.ai student's script (unseen_parts/plain.py)
AutoGluon `medium` and `good`, with --peers, in an environment that this script makes; it takes
          tables, and texts as columns of a table. Offline it has no network for images

    python tests/benchmarks/unseen.py [--cv-only] [--peers] [--only NAME]

The data sets come from packages on PyPI. Each has a fixed hidden test, stored apart from the files
that the contenders read. Choose settings by CV alone: --cv-only prints no score of a hidden test.
Results are kept: a run that is there is not repeated; --again NAME repeats a contender's runs.
"""

import argparse
import shutil
import sys
from pathlib import Path

# A script finds only its own folder.
sys.path.insert(0, str(Path(__file__).parents[2]))

from fastkaggle_plus.environment import home
from tests.benchmarks.unseen_parts import report
from tests.benchmarks.unseen_parts.runs import PEERS, Run, make_autogluon, run
from tests.benchmarks.unseen_parts.sets import SETS, DataSet, write


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a data set")
    parser.add_argument("--cv-only", action="store_true", help="ours and the baseline by CV")
    parser.add_argument("--skip-ours", action="store_true")
    parser.add_argument("--peers", action="store_true", help="AutoGluon too")
    parser.add_argument("--limit", type=float, default=300, help="AutoGluon's seconds for one run")
    parser.add_argument("--folder", type=Path, default=home() / "unseen", help="of the data sets")
    parser.add_argument("--results", type=Path, help="default: results in the folder")
    parser.add_argument("--autogluon", type=Path, help="its environment; default: in the folder")
    parser.add_argument("--again", action="append", default=[], metavar="CONTENDER")
    asked = parser.parse_args()
    asked.folder = asked.folder.resolve()
    asked.results = (asked.results or asked.folder / "results").resolve()
    asked.autogluon = (asked.autogluon or asked.folder / "autogluon").absolute()
    if unknown := set(asked.only) - {of.name for of in SETS}:
        parser.error(f"No data set {', '.join(unknown)}. Use {', '.join(s.name for s in SETS)}.")
    return asked


def contenders(of: DataSet, asked: argparse.Namespace) -> list[str]:
    if asked.cv_only:
        return ["baseline cv", *([] if asked.skip_ours else ["ours"])]
    peers = list(PEERS) if asked.peers and of.kind != "images" else []
    return ["baseline", "plain", *peers, *([] if asked.skip_ours else ["ours"])]


def run_all(of: DataSet, asked: argparse.Namespace) -> dict[str, Run]:
    """Run the contenders on one data set, one after the other."""
    folder, found = write(of, asked.folder), {}
    for name in contenders(of, asked):
        if name in asked.again:
            shutil.rmtree(asked.results / of.name / name.replace(" ", "-"), ignore_errors=True)
        done = run(name, folder, asked.results, autogluon=asked.autogluon, limit_s=asked.limit)
        if done is None:
            print(f"{of.name}: {name} failed; see log.txt in its results", flush=True)
        else:
            found[name] = done
    return found


def main() -> None:
    asked = arguments()
    if asked.peers:
        make_autogluon(asked.autogluon)
    rows = []
    for of in SETS:
        if asked.only and of.name not in asked.only:
            continue
        runs = run_all(of, asked)
        if asked.cv_only:
            report.print_cv(of, runs)
        else:
            rows += report.scored(of, runs, asked.folder)
            report.print_rows([row for row in rows if row.of == of])
    if not asked.cv_only:
        report.print_summary(rows)


if __name__ == "__main__":
    main()
