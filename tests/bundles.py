"""Hand-made competitions and sandbox bundles for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FACTS = """title = "{title}"
task = "binary"
metric = "accuracy"
id = "id"
target = "y"
max_daily_submissions = {daily}
[sandbox]
rules_accepted = {accepted}
{deadline}
"""


SMALL_FACTS = (
    'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n[split]\nkind = "stratified"\n'
)


def write_competition(folder: Path, rows: pd.DataFrame, n_train: int, models: str) -> Path:
    """Write a competition with models; its first `n_train` rows are labelled. Return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows[:n_train].to_csv(folder / "train.csv", index=False)
    rows[n_train:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(SMALL_FACTS)
    (folder / "models.py").write_text(models)
    return folder


def write_bundle(folder: Path, rows: pd.DataFrame, n_train: int, models: str) -> Path:
    """Write the same as a sandbox bundle, whose test rows are all public. Return the folder."""
    (folder / "files").mkdir(parents=True)
    write_competition(folder, rows, n_train, models)
    for name in ("train.csv", "test.csv"):
        (folder / name).rename(folder / "files" / name)
    test = rows[n_train:]
    test[["id"]].assign(y=0).to_csv(folder / "files" / "sample_submission.csv", index=False)
    test[["id", "y"]].assign(Usage="Public").to_csv(folder / "solution.csv", index=False)
    return folder


def make_bundle(
    dest: Path,  # folder of bundles
    slug: str = "toy",
    *,
    rows: int = 40,  # test rows
    files: dict[str, bytes] | None = None,  # more files to serve
    rules_accepted: bool = True,
    daily: int = 5,  # submissions a day
    deadline: str = "",  # ISO 8601, UTC
) -> Path:
    """Write a bundle, return its folder. Its targets are `id % 2`; half of its rows are private."""
    folder = dest / slug
    (folder / "files").mkdir(parents=True)
    train = "id,x,y\n" + "".join(f"{i + 1000},{i * 7 % 5},{i % 2}\n" for i in range(100))
    ids = range(rows)
    test = "id,x\n" + "".join(f"{i},1\n" for i in ids)
    served = {
        "train.csv": train.encode(),
        "test.csv": test.encode(),
        "sample_submission.csv": answers(rows, constant=0),
        **(files or {}),
    }
    for name, content in served.items():
        (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / name).write_bytes(content)
    usage = np.where(np.arange(rows) % 4 < 2, "Public", "Private")
    (folder / "solution.csv").write_text(
        "id,y,Usage\n" + "".join(f"{i},{i % 2},{u}\n" for i, u in zip(ids, usage, strict=True))
    )
    facts = dict(
        title=slug.title(),
        daily=daily,
        accepted=str(rules_accepted).lower(),
        deadline=f'deadline = "{deadline}"' if deadline else "",
    )
    (folder / "competition.toml").write_text(FACTS.format(**facts))
    return folder


def answers(rows: int = 40, *, wrong: int = 0, constant: int | None = None) -> bytes:
    """Return a submission: right on all but the first `wrong` rows, or `constant` everywhere."""
    said = [constant if constant is not None else (i % 2) ^ (i < wrong) for i in range(rows)]
    return ("id,y\n" + "".join(f"{i},{a}\n" for i, a in enumerate(said))).encode()
