"""Downloads without progress end, web pages are recognised, damaged archives are refused."""

import io
import random
import zipfile
from types import SimpleNamespace

import pytest
import requests

from fastkaggle_plus.exceptions import DownloadCorrupt, KaggleError, KaggleUnavailable, RateLimited
from fastkaggle_plus.kaggle_client import completeness, downloads, setup_comp
from fastkaggle_plus.kaggle_client.unzip import unzip

from . import faults as f

ZIP = ".zip"


def bare(action):
    """Answer like `action`, without the headers that allow to resume."""

    def act(handler, forward):
        def stripped():
            code, headers, body = forward()
            return (
                code,
                {
                    k: v
                    for k, v in headers.items()
                    if k.lower() not in ("etag", "last-modified", "x-goog-hash")
                },
                body,
            )

        action(handler, stripped)

    return act


def test_a_transfer_that_always_restarts_ends(slug, client, faults, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda s: None)
    faults.on(ZIP, bare(f.cut(500_000)), nth=2, times=10_000)
    faults.on(ZIP, bare(f.passed))
    with pytest.raises(KaggleUnavailable):
        setup_comp(slug, dest=tmp_path / "data", client=client)
    assert faults.seen(ZIP) < 40 and not (tmp_path / "data").exists()


def test_a_login_page_is_recognised(slug, client, faults, tmp_path):
    faults.on(
        "DownloadDataFiles",
        f.status(200, headers={"Content-Type": "text/html"}, body=b"<html>please log in</html>"),
        times=99,
    )
    with pytest.raises(KaggleUnavailable, match="web page"):
        setup_comp(slug, dest=tmp_path / "data", client=client)


def test_a_retry_after_of_an_hour_is_an_error(slug, client, faults, tmp_path):
    faults.on(ZIP, f.status(429, headers={"Retry-After": "3600"}), nth=2, times=99)
    with pytest.raises(RateLimited, match="3600 s"):
        setup_comp(slug, dest=tmp_path / "data", client=client)


@pytest.mark.parametrize("asked", ["inf", "99999999999999", "nan"])
def test_an_endless_retry_after(slug, client, faults, tmp_path, asked):
    faults.on("DownloadDataFiles", f.status(429, headers={"Retry-After": asked}), times=99)
    with pytest.raises(RateLimited):
        setup_comp(slug, dest=tmp_path / "data", client=client)


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as z:
        for name, body in members:
            z.writestr(name, body)
    return packed.getvalue()


def overwritten(content, at=60):
    return content[:at] + b"?" * 40 + content[at + 40 :]


DICE = random.Random(0)
NOISE = DICE.randbytes(5000)
DAMAGED = {
    "no file": zipped(),
    "only a folder": zipped(("folder/", b"")),
    "a and a/b": zipped(("a", b"1"), ("a/b", b"2")),
    "a long name": zipped(("n" * 300, b"1")),
    "a long path": zipped(("/".join(["folder"] * 800), b"1")),
    "a bad name": zipped(("é.csv", b"1")).replace("é".encode(), b"\xff\xfe"),
    **{
        f"bad {name}": overwritten(zipped(("a", NOISE), method=method))
        for name, method in {
            "deflate": zipfile.ZIP_DEFLATED,
            "lzma": zipfile.ZIP_LZMA,
            "bzip2": zipfile.ZIP_BZIP2,
        }.items()
    },
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_archives(what, tmp_path):
    (tmp_path / "toy.zip.part").write_bytes(DAMAGED[what])
    with pytest.raises(DownloadCorrupt, match=r"toy\.zip"):
        unzip(tmp_path / "toy.zip.part", tmp_path / "out")


def test_flipped_bytes_are_found_or_harmless(tmp_path):
    # Small, so that most flips hit the structure and not the content.
    sound = zipped(("train.csv", b"id,y\n1,0\n" * 50), ("sub/test.csv", NOISE[:300]))
    for _ in range(400):
        damaged = bytearray(sound)
        for _ in range(DICE.randrange(1, 4)):
            damaged[DICE.randrange(len(damaged))] = DICE.randrange(256)
        (tmp_path / "toy.zip.part").write_bytes(damaged)
        try:
            unzip(tmp_path / "toy.zip.part", tmp_path / "out")
        except KaggleError:
            continue


def test_files_left_by_a_late_kill_are_removed(slug, client, tmp_path):
    path = setup_comp(slug, dest=tmp_path / "data", client=client)
    (tmp_path / ".data.download").mkdir()
    (tmp_path / ".data.download" / "toy.zip.part").write_bytes(b"left")
    assert setup_comp(slug, dest=path, client=client) == path
    assert (
        sorted(p.name for p in tmp_path.iterdir() if "data" in p.name) == ["data"]
        and (path / completeness.NAME).exists()
    )


def test_source_of_reads_the_headers():
    headers = requests.structures.CaseInsensitiveDict(
        {"content-length": "7", "etag": '"x"', "x-goog-hash": "crc32c=AAAA,md5=AAAA"}
    )
    assert downloads.source_of(SimpleNamespace(url="u", headers=headers)) == downloads.Source(
        "u", 7, '"x"', "000000"
    )
