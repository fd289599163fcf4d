"""The operations of the fault matrix, by our client and by kaggle; as a script: one of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastkaggle_plus import kaggle_client as fkp
from fastkaggle_plus.kaggle_client.competitions import list_files

OWNER, SLUG, DATASET, KERNEL = "kaggler", "coded", "kaggler/some-older-data", "kaggler/answers-all"
NEW = "Some newer data"


def ours(url: str, user: str, key: str) -> dict[str, Callable[[Path], Any]]:
    """Return each operation as a function of its folder, with a result to compare."""
    api = fkp.connect(url, user=user, key=key, timeout_s=2, deadline_s=60)
    soon: dict[str, Any] = {"client": api, "poll_s": 0.1, "timeout_s": 20}
    return {
        "list files": lambda at: sorted(list_files(SLUG, api)),
        "download": lambda at: str(fkp.setup_comp(SLUG, dest=at / "got", client=api)) and None,
        "submit": lambda at: (
            fkp.submit(at / "answers.csv", "first", "toy", journal=at / "journal", **soon) and None
        ),
        "submissions": lambda at: len(fkp.submissions("toy", client=api)),
        "leaderboard": lambda at: len(fkp.leaderboard("toy", client=api)),
        "dataset create": lambda at: (
            fkp.mk_dataset(at / "new", NEW, True, journal=at / "journal", **soon) and None
        ),
        "dataset version": lambda at: (
            fkp.push_dataset(at / "old", "next", journal=at / "journal", **soon) and None
        ),
        "dataset download": lambda at: (
            str(fkp.get_dataset(at / "got", DATASET, force=True, client=api)) and None
        ),
        "push": lambda at: (
            fkp.push_notebook(
                OWNER,
                "answers-all",
                "Answers all",
                "run.py",
                at / "kernel",
                SLUG,
                internet=False,
                run=False,
                client=api,
                poll_s=0.1,
                journal=at / "journal",
            )
            and None
        ),
        "kernel status": lambda at: fkp.kernel_status(KERNEL, client=api).status,
        "kernel output": lambda at: fkp.kernel_output(KERNEL, at / "got", client=api) and None,
        "submit code": lambda at: (
            fkp.submit_code(KERNEL, 1, "first", competition=SLUG, journal=at / "journal", **soon)
            and None
        ),
    }


def bare() -> dict[str, Callable[[Path], Any]]:
    """Return the same by kaggle, which reads server and account from the environment."""
    from kaggle.api.kaggle_api_extended import KaggleApi

    api = KaggleApi()
    api.authenticate()
    return {
        "list files": lambda at: sorted(f.name for f in api.competition_list_files(SLUG).files),
        "download": lambda at: api.competition_download_files(SLUG, path=str(at / "got")),
        "submit": lambda at: (
            api.competition_submit(str(at / "answers.csv"), "first", "toy") and None
        ),
        "submissions": lambda at: len(api.competition_submissions("toy") or []),
        "leaderboard": lambda at: len(api.competition_leaderboard_view("toy") or []),
        "dataset create": lambda at: (
            api.dataset_create_new(str(at / "new"), dir_mode="zip") and None
        ),
        "dataset version": lambda at: (
            api.dataset_create_version(str(at / "old"), "next", dir_mode="zip") and None
        ),
        "dataset download": lambda at: api.dataset_download_files(DATASET, path=str(at / "got")),
        "push": lambda at: api.kernels_push(str(at / "kernel")) and None,
        "kernel status": lambda at: api.kernels_status(KERNEL).status.name,
        "kernel output": lambda at: api.kernels_output(KERNEL, str(at / "got")) and None,
        "submit code": lambda at: (
            api.competition_submit_code("submission.csv", "first", SLUG, KERNEL, 1) and None
        ),
    }


if __name__ == "__main__":
    client, operation, place, *account = sys.argv[1:]
    said = (ours(*account) if client == "ours" else bare())[operation](Path(place))
    print("\n" + json.dumps(said))
