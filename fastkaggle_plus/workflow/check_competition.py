"""Check the split of a competition against its files: `fkp doctor SLUG`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition, load_comp
from ..data import Data
from ..exceptions import ConfigError
from ..folds import Folds
from ..modeling.split_checks import Finding, check_split, split_advice
from ..sweeps.splits import folds_for
from ..ui.records import Records
from .callbacks import RunCallbacks
from .measure import check_plan, download
from .run_progress import RunProgress, with_progress
from .workspace import open_workspace


@dataclass(frozen=True)
class SplitCheck:
    """The findings on the split of a competition."""

    comp: Competition
    folds: Folds
    n_test: int  # test rows
    findings: Records[Finding]  # severe ones first

    @property
    def advice(self) -> str:
        """The [split] section that mimics train -> test; "" if the declared one is right."""
        return split_advice(self.findings)

    @property
    def is_severe(self) -> bool:
        """Say whether something makes scores too good."""
        return any(f.severity == "severe" for f in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp doctor SLUG --json`."""
        return {
            "slug": self.comp.slug,
            "train_rows": len(self.folds),
            "test_rows": self.n_test,
            "split": self.folds.kind,
            "n_folds": self.folds.n_folds,
            "findings": [f.as_json() for f in self.findings],
            "advice": self.advice,
        }


@with_progress(RunProgress)
def check_competition(
    slug: str,
    *,
    data: str | Path | None = None,  # folder with the competition's files, with its own test rows
    bundles: str | Path | None = None,  # or: these sandbox bundles
    dest: str | Path | None = None,  # output folder, default runs/<slug>
    live: bool = False,  # download the files from the real Kaggle, unless they are there
    seed: int = 42,  # of the folds
    n_folds: int = 5,
    callbacks: RunCallbacks | None = None,  # default: show the progress
) -> SplitCheck:
    """Check the declared split against the competition's training and test rows.

    Without `data`, `bundles` and `live`, the files in the competition's folder are read, else those
    of its rehearsal, whose test rows were held out. Raises FastkaggleError.
    """
    check_plan(n_folds, "auto")
    if data and (bundles or live):
        raise ConfigError("data, bundles and live are three ways to get the files. Give one.")
    comp = load_comp(slug, bundles=bundles)
    folder = Path(data) if data else comp.folder
    if data or (not (bundles or live) and folder and _has_files(comp, folder)):
        assert folder is not None
        return _check(comp, comp.read(folder), n_folds, seed)
    with open_workspace(
        slug,
        dest,
        seed,
        bundles=bundles,
        data=None,
        live=live,
        callbacks=callbacks or RunCallbacks(),
        as_files=True,
    ) as work:
        return _check(work.comp, download(work)[1], n_folds, seed)


def _has_files(comp: Competition, folder: Path) -> bool:
    return all((folder / name).exists() for name in (comp.train, comp.test))


def _check(comp: Competition, data: Data, n_folds: int, seed: int) -> SplitCheck:
    folds = folds_for(comp, data, n_folds=n_folds, seed=seed)
    return SplitCheck(comp, folds, len(data.test), check_split(data, folds, metric=comp.scoring))
