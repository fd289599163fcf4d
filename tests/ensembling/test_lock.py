"""A lock file makes the same ensemble again, byte by byte, or says why it cannot."""

import dataclasses
import json

import numpy as np
import pytest

from fastkaggle_plus import Vault, rebuild_ensemble
from fastkaggle_plus.ensembling import ensemble, rebuild, write_lock
from fastkaggle_plus.exceptions import DataError

from ..making import make_predictions


def members():
    return [make_predictions(f"m{i}", seed=i, metric="log_loss", right=0.6) for i in range(4)]


def bytes_of(preds):
    return preds.oof.tobytes() + preds.test.tobytes() + preds.ids.tobytes()


@pytest.mark.parametrize(
    "options",
    [
        dict(method="mean"),
        dict(method="auto"),
        dict(method="stack"),
        dict(weights={"m0": 0.123456789012, "m3": 2 / 3}),
        dict(method="greedy", rounds=40, negative=True, max_members=3, name="mine"),
    ],
    ids=str,
)
def test_the_same_bytes_are_made_again(options, tmp_path):
    ms = members()
    made = ensemble(ms, **options)
    lock = write_lock(made, ms[::-1], tmp_path / "ensemble.lock")
    changed = dataclasses.replace(ms[1], oof=ms[1].oof[::-1])
    again = rebuild(lock, [changed, *ms[::-1], make_predictions("other")])
    assert bytes_of(again) == bytes_of(made)
    assert again.about == made.about and again.name == made.name


def test_a_vault_with_other_versions_makes_them_too(tmp_path):
    ms, vault = members(), Vault(tmp_path / "vault")
    made = ensemble(ms, method="auto")
    lock = write_lock(made, ms, tmp_path / "ensemble.lock")
    for i, m in enumerate(ms):
        vault.put(f"key{i}", "toy", m)
    vault.put("new", "toy", dataclasses.replace(ms[0], oof=ms[0].oof[::-1]))  # trained again
    assert bytes_of(rebuild_ensemble(lock, vault)) == bytes_of(made)


def test_a_lock_that_cannot_be_used_says_why(tmp_path):
    ms = members()
    lock = write_lock(ensemble(ms), ms, tmp_path / "ensemble.lock")
    changed = dataclasses.replace(ms[2], test=ms[2].test + 1e-12)
    with pytest.raises(DataError, match=r"name and hash m2 \w{16}\. Run these trials"):
        rebuild(lock, [*ms[:2], changed, ms[3]])
    with pytest.raises(DataError, match=r"name and hash m3"):
        rebuild(lock, ms[:3])
    facts = json.loads(lock.read_text())
    lock.write_text(json.dumps({**facts, "options": {"method": "rank"}}))
    with pytest.raises(DataError, match=r"The same members gave other bytes .*numpy"):
        rebuild(lock, ms)
    del facts["options"]
    lock.write_text(json.dumps(facts))
    with pytest.raises(DataError, match="has no options, so it does not say how"):
        rebuild(lock, ms)
    lock.write_text("[1, 2")
    with pytest.raises(DataError, match="does not read as a lock"):
        rebuild(lock, ms)


def test_options_of_numpy_can_be_written(tmp_path):
    ms = members()
    made = ensemble(ms, weights=list(np.arange(1, 5.0)))
    assert bytes_of(rebuild(write_lock(made, ms, tmp_path / "a.lock"), ms)) == bytes_of(made)
