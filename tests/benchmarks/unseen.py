"""Compare what the package recommends with three others on data that it was not tuned for.

ours      from competition.toml alone: default trials, folds and workers, and their ensemble
baseline  without tuning: a forest; frozen features; tf-idf or overlaps (unseen_parts/baselines.py)
plain     the script of a fast.ai student (unseen_parts/plain.py)
AutoGluon medium and good, with --peers: a separate environment is made. It reads tables, and
          texts as columns of tables; for images it has no pretrained network offline

    python tests/benchmarks/unseen.py [--cv-only] [--peers] [--only NAME]

The data sets come from packages on PyPI. Each has a fixed hidden test, stored apart from the files
that the contenders read. Choose settings by CV: --cv-only prints no score of a hidden test.
Results are kept, and a run that is there is not repeated: --again NAME repeats a contender's runs.
"""

import argparse
import shutil
import sys
from pathlib import Path

# A script finds only its own folder.
sys.path.insert(0, str(Path(__file__).parents[2]))

from fastkaggle_plus.environment import home
from tests.benchmarks.unseen_parts import report
from tests.benchmarks.unseen_parts.runs import PEERS, Run, make_autogluon, output, run
from tests.benchmarks.unseen_parts.sets import SETS, DataSet, write


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [of.name for of in SETS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="a data set")
    parser.add_argument("--cv-only", action="store_true", help="ours and the baseline by CV")
    parser.add_argument("--skip-ours", action="store_true")
    parser.add_argument("--peers", action="store_true", help="AutoGluon too")
    parser.add_argument("--limit", type=float, default=300, help="AutoGluon's seconds for one run")
    parser.add_argument("--folder", type=Path, default=home() / "unseen", help="of the data sets")
    parser.add_argument("--results", type=Path, help="default: results in the folder")
    parser.add_argument("--autogluon", type=Path, help="its environment; default: in the folder")
    parser.add_argument("--stored", action="store_true", help="print results and run nothing")
    parser.add_argument("--again", action="append", default=[], metavar="CONTENDER")
    asked = parser.parse_args()
    asked.folder = asked.folder.absolute()
    asked.results = (asked.results or asked.folder / "results").absolute()
    asked.autogluon = (asked.autogluon or asked.folder / "autogluon").absolute()
    return asked


def run_all(of: DataSet, asked: argparse.Namespace) -> dict[str, Run]:
    """Run the contenders on one data set, one after the other."""
    peers = PEERS if asked.peers and of.kind != "images" else ()
    names = ["baseline_cv"] if asked.cv_only else ["baseline", "plain", *peers]
    folder, found = write(of, asked.folder), {}
    for name in names + [report.OURS] * (not asked.skip_ours):
        out = output(name, folder, asked.results)
        if asked.stored and not (out / "seconds.json").exists():
            continue
        if name in asked.again:
            shutil.rmtree(out, ignore_errors=True)
        options = dict(autogluon=asked.autogluon, limit_s=asked.limit)
        if done := run(name, folder, asked.results, **options):
            found[name] = done
        else:
            print(f"\n{of.name}: {name} failed, see its log.txt in {asked.results}", flush=True)
    return found


def main() -> None:
    asked = parsed()
    if asked.peers and not asked.stored:
        make_autogluon(asked.autogluon)
    rows: list[report.Row] = []
    for of in SETS:
        if asked.only and of.name not in asked.only:
            continue
        runs = run_all(of, asked)
        if asked.cv_only:
            report.print_cv(of, runs)
            continue
        new = report.score_all(of, runs, asked.folder)
        report.print_scores(new)
        rows += new
    if rows:
        report.print_summary(rows)


if __name__ == "__main__":
    main()
