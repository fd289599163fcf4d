"""Which two submissions to select, and what is worth sending."""

from dataclasses import replace

import numpy as np

from fastkaggle_plus.evidence.gap import Rows, Scores
from fastkaggle_plus.evidence.selection import best_pair, worth_sending

from ..benchmarks.calibration_parts.selection import regrets

ROWS = Rows(1000, 300, 700)


def scores(skill, rng, *, like=None, share=0.0):
    """A submission whose rows are as easy as those of `like` in this share of cases."""
    own = rng.random(1000) < skill
    values = own if like is None else np.where(rng.random(1000) < share, like, own)
    cv, se = values.mean(), values.std(ddof=1) / np.sqrt(1000)
    return Scores("", cv, se, cv, values=values.astype(float), units="same")


def named(*submissions):
    return [replace(s, name=f"s{i}", ref=i) for i, s in enumerate(submissions, 1)]


def test_of_equal_scores_the_different_one_complements():
    rng = np.random.default_rng(0)
    first = scores(0.8, rng)
    twin = scores(0.8, rng, like=first.values, share=0.99)
    other = scores(0.8, rng)
    level = {"cv": 0.8, "public": 0.8}
    found = best_pair(named(*(replace(s, **level) for s in (first, twin, other))), ROWS)
    assert 3 in found.refs and found.expected > found.single
    assert "complement" in found.why


def test_a_bad_submission_is_not_chosen_for_being_different():
    rng = np.random.default_rng(1)
    first = scores(0.8, rng)
    near = scores(0.8, rng, like=first.values, share=0.9)
    found = best_pair(named(first, near, scores(0.6, rng)), ROWS)
    assert set(found.refs) == {1, 2}


def test_one_or_no_submission():
    [only] = named(scores(0.8, np.random.default_rng(2)))
    assert best_pair([only], ROWS).refs == (1,)
    assert best_pair([replace(only, public=None)], ROWS) is None
    [first] = worth_sending([replace(only, public=None)], ROWS)
    assert first.against == "" and "nothing is sent yet" in first.what


def test_the_public_part_of_a_near_copy_says_nothing():
    rng = np.random.default_rng(3)
    sent = scores(0.8, rng)
    copy = scores(0.8, rng, like=sent.values, share=0.999)
    better = scores(0.86, rng, like=sent.values, share=0.3)
    first, second, trial = named(sent, copy, better)
    found = worth_sending([first, replace(second, public=None), replace(trial, public=None)], ROWS)
    assert [c.name for c in found] == ["s3", "s2"]
    assert found[0].gain > 10 * found[1].gain and found[0].explained > 0.05
    assert found[1].what.startswith("nothing: ")


def test_the_pair_loses_less_than_the_usual_ways():
    rng = np.random.default_rng(4)
    found = [regrets(rng) for _ in range(60)]
    mean = {way: np.mean([f[way] for f in found]) for way in found[0]}
    assert mean["plan"] < min(mean["best CV"], mean["best public"])
    assert mean["plan"] < min(mean["two best CV"], mean["two best public"]) + 0.02
