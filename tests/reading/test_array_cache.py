"""The array cache: one maker among processes, no partial entry, no full disk, no unused files."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError, UnreadableImage
from fastkaggle_plus.reading.array_cache import cached_array, stamps

ONE = """
import sys, time
from pathlib import Path
import numpy as np
from fastkaggle_plus.reading.array_cache import cached_array
folder, log = Path(sys.argv[1]), Path(sys.argv[2])

def make(file):
    with log.open("a") as f:
        f.write("made\\n")
    time.sleep(0.3)   # long enough for the other process to start waiting
    return np.full(3, 7.0)

print("ready", flush=True)
sys.stdin.readline()
options = dict(recipe="", row=(3,), dtype="float64", folder=folder)
array, problems = cached_array("sevens", [sys.argv[0]], make, **options)
print(int(array.sum()), problems)
"""


def sevens(file):
    return np.full(3, 7.0)


def keep(folder, files=("a", "", "b"), make=sevens, **options):
    return cached_array(
        "sevens",
        files,
        make,
        **{"recipe": 1, "row": (3,), "dtype": "float64", "folder": folder, **options},
    )


def test_only_one_of_two_processes_makes_the_entry(tmp_path):
    command = [sys.executable, "-c", ONE, str(tmp_path / "kept"), str(tmp_path / "log")]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for one in both:
        assert one.stdout.readline() == "ready\n"
    for one in both:
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [one.communicate(timeout=30)[0] for one in both] == ["21 {}\n"] * 2
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_failed_maker_leaves_no_entry(tmp_path):
    def fails(file):
        raise KeyError("half way")

    with pytest.raises(KeyError):
        keep(tmp_path, make=fails)
    assert not [f for f in tmp_path.iterdir() if f.suffix != ".lock"]
    array, problems = keep(tmp_path)
    assert (
        array.tolist() == [[7] * 3, [0] * 3, [7] * 3]
        and problems == {}
        and not array.flags.writeable
    )
    assert (keep(tmp_path, make=fails)[0] == array).all()  # there already
    for other in ({"files": ("a",)}, {"recipe": 2}, {"blank": 1}):
        with pytest.raises(KeyError):
            keep(tmp_path, make=fails, **other)


def test_unreadable_files_are_blank_and_only_they_are_tried_again(tmp_path):
    asked, broken = [], {"b"}

    def picky(file):
        asked.append(file)
        if file in broken:
            raise UnreadableImage(file, "the disk says no")
        return np.full(3, 7.0)

    for _ in range(2):
        array, problems = keep(tmp_path, make=picky, blank=np.nan)
        assert (
            problems == {"b": "the disk says no"}
            and np.isnan(array[1:]).all()
            and (array[0] == 7).all()
        )
    assert asked.count("a") == 1
    broken.clear()
    array, problems = keep(tmp_path, make=picky, blank=np.nan)
    assert (
        not problems
        and np.isnan(array[1]).all()
        and (array[[0, 2]] == 7).all()
        and asked.count("a") == 2
    )


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path):
    much = shutil.disk_usage(tmp_path).free // 16
    with pytest.raises(
        DataError,
        match=r"needs [\d,]+ MB for sevens of shape .*has [\d,]+ MB free\. Free some space",
    ):
        keep(tmp_path, row=(much,))
    assert not [f for f in tmp_path.iterdir() if f.suffix != ".lock"]


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot write .*file.*Give another `folder`"):
        keep(tmp_path / "file" / "below")


def test_entries_unused_for_a_month_are_removed(tmp_path):
    (tmp_path / "there").write_text("")
    folder, files = tmp_path / "kept", [str(tmp_path / "there")]
    for recipe in ("old", "used"):
        keep(folder, files, recipe=recipe)
    long_ago = time.time() - 40 * 24 * 3600
    for file in folder.iterdir():
        os.utime(file, (long_ago, long_ago))
    keep(folder, files, recipe="used")
    used = {f.name for f in folder.glob("*.json") if f.stat().st_mtime > long_ago + 60}
    assert len(used) == 1
    keep(folder, files, recipe="new")
    left = {f.name for f in folder.glob("*.json")}
    assert (
        len(left) == 2
        and used < left
        and {Path(n).stem for n in left} == {f.stem for f in folder.glob("*.npy")}
    )


def test_entries_of_deleted_files_are_removed(tmp_path):
    for name in ("rehearsal", "real"):
        (tmp_path / name).write_text("")
        keep(tmp_path / "kept", [str(tmp_path / name)])
    strangers = [
        tmp_path / "kept" / name
        for name in ("mine.npy", "mine.json", "sevens-old.npy", "mine.part")
    ]
    for file in strangers:
        file.write_text("")
    orphan = tmp_path / "kept" / f"sevens-{'0' * 32}.npy"  # the last step is missing
    orphan.write_text("")
    (tmp_path / "rehearsal").unlink()
    keep(tmp_path / "kept", [str(tmp_path / "real")], recipe=2)
    left = {f for f in (tmp_path / "kept").iterdir() if f.suffix != ".lock"} - set(strangers)
    assert all(file.exists() for file in strangers) and orphan not in left
    assert sorted(f.suffix for f in left) == [".json"] * 2 + [".npy"] * 2
    assert {json.loads(f.read_text())["source"] for f in left if f.suffix == ".json"} == {
        os.path.realpath(tmp_path / "real")
    }


def test_stamps_depend_on_path_size_and_time(tmp_path):
    (tmp_path / "a").write_text("12")
    before = list(stamps([str(tmp_path / "a"), "", str(tmp_path / "none")]))
    assert (
        before[0][:2] == (os.path.realpath(tmp_path / "a"), 2)
        and before[1] == ("", 0, 0)
        and before[2][1:] == (0, 0)
    )
    (tmp_path / "a").write_text("123")
    assert [*stamps([str(tmp_path / "a")])] != before[:1]
