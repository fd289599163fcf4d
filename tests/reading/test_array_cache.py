"""Kept arrays: one maker among processes, no half made file, no full disk found out too late, and no litter."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading.array_cache import cached_array, stamps

ONE = """
import sys, time
from pathlib import Path
from fastkaggle_plus.reading.array_cache import cached_array
folder, log = Path(sys.argv[1]), Path(sys.argv[2])

def fill(array):
    with log.open("a") as f:
        f.write("made\\n")
    time.sleep(0.6)   # long enough for the other to come and wait
    array[:] = 7
    return {"by": "one of us"}

print("ready", flush=True)
sys.stdin.readline()
array, beside = cached_array("sevens", "them", fill, shape=(1000, 3), dtype="float64", folder=folder)
print(int(array.sum()), beside["by"])
"""


def sevens(array):
    array[:] = 7
    return {"made": True}


def keep(folder, what="them", fill=sevens, **options):
    return cached_array("sevens", what, fill, **{"shape": (10, 3), "dtype": "float64", "folder": folder, **options})


def test_of_two_processes_that_ask_at_once_one_makes_it(tmp_path):
    command = [sys.executable, "-c", ONE, str(tmp_path / "kept"), str(tmp_path / "log")]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for one in both:
        assert one.stdout.readline() == "ready\n"
    for one in both:
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [one.communicate(timeout=30)[0] for one in both] == ["21000 one of us\n"] * 2
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_maker_that_fails_leaves_no_entry_and_the_next_one_makes_it(tmp_path):
    def fails(array):
        array[:] = 3
        raise KeyError("half way")

    with pytest.raises(KeyError):
        keep(tmp_path, fill=fails)
    assert not [f for f in tmp_path.iterdir() if f.suffix != ".lock"]
    array, beside = keep(tmp_path)
    assert (array == 7).all() and beside == {"made": True} and not array.flags.writeable
    assert (keep(tmp_path, fill=fails)[0] == 7).all()   # there already
    with pytest.raises(KeyError):
        keep(tmp_path, "others", fill=fails)


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path):
    much = shutil.disk_usage(tmp_path).free // 8
    with pytest.raises(DataError, match=r"needs [\d,]+ MB for sevens of shape .* and its disk has [\d,]+ MB free\. Free some space, give another `folder`"):
        keep(tmp_path, shape=(much,))
    assert not [f for f in tmp_path.iterdir() if f.suffix != ".lock"]


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot write .*file.*Give another `folder`"):
        keep(tmp_path / "file" / "below")


def test_what_nobody_used_for_a_month_goes_and_what_is_used_stays(tmp_path):
    for what in ("old", "used"):
        keep(tmp_path, what)
    long_ago = time.time() - 40 * 24 * 3600
    for file in tmp_path.iterdir():
        os.utime(file, (long_ago, long_ago))
    keep(tmp_path, "used")
    used = {f.name for f in tmp_path.glob("*.json") if f.stat().st_mtime > long_ago + 60}
    assert len(used) == 1
    keep(tmp_path, "new")
    left = {f.name for f in tmp_path.glob("*.json")}
    assert len(left) == 2 and used < left and {Path(n).stem for n in left} == {f.stem for f in tmp_path.glob("*.npy")}


def test_stamps_tell_files_apart_by_place_size_and_time(tmp_path):
    (tmp_path / "a").write_text("12")
    before = list(stamps([str(tmp_path / "a"), "", str(tmp_path / "none")]))
    assert before[0][:2] == (os.path.realpath(tmp_path / "a"), 2) and before[1] == ("", 0, 0) and before[2][1:] == (0, 0)
    (tmp_path / "a").write_text("123")
    assert [*stamps([str(tmp_path / "a")])] != before[:1]
