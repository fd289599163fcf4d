"""The quick part of the fault matrix: each operation succeeds or raises under each fault."""

from __future__ import annotations

import pytest

from ..faultmatrix.cells import ASKS, BAD, MAKES, attempt_here, judge, make_template, spec_of


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    make_template(folder)
    return folder


@pytest.mark.parametrize("operation", ASKS)
def test_nothing_is_lost_or_doubled(template, operation, tmp_path):
    def cell(fault, clean=None, attempt=attempt_here):
        return judge(
            "ours",
            operation,
            fault,
            template=template,
            place=tmp_path / fault,
            attempt=attempt,
            clean=clean,
        )

    verdict, clean = cell("none")
    assert verdict == "ok"
    verdicts = {fault: cell(fault, clean)[0] for fault in ("drop after", "503", "429")}
    assert not set(verdicts.values()) & set(BAD), verdicts


def test_the_judge_finds_doubled_false_and_damaged_results(template, tmp_path):
    def twice(client, operation, place, box):
        for _ in range(2):
            (place / "answers.csv").write_text((place / "answers.csv").read_text() + "\n")
            attempt_here(client, operation, place, box)
        return "done", None

    def lying(*_):
        return "done", None

    def half(client, operation, place, box):
        said = attempt_here(client, operation, place, box)
        (place / "got" / "noise.bin").write_bytes(b"half")
        return said

    def seen(name, operation, attempt, clean=None):
        return judge(
            "ours",
            operation,
            "none",
            template=template,
            place=tmp_path / name,
            attempt=attempt,
            clean=clean,
            patience_s=0.1,
        )

    clean = seen("clean", "download", attempt_here)[1]
    assert seen("twice", "submit", twice)[0] == "DOUBLED"
    assert [seen(f"lying {o}", o, lying)[0] for o in MAKES] == ["silent"] * len(MAKES)
    assert (
        seen("half", "download", half, clean)[0] == "WRONG"
        and seen("nothing", "download", lying, clean)[0] == "silent"
    )


def test_impossible_combinations_have_no_cell():
    assert spec_of("submit", "one byte") is None and spec_of("push", "expired upload") is None
    assert (
        spec_of("download", "truncated") == "truncate:download"
        and spec_of("submit", "truncated") == "truncate:CreateSubmission"
    )
