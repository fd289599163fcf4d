"""Hostile archives of competitions and datasets are not unpacked, and the error says why."""

from __future__ import annotations

import io
import zipfile

import pytest

from fastkaggle_plus.exceptions import BadCredentials, KaggleError
from fastkaggle_plus.kaggle_client import (
    connect,
    get_dataset,
    mk_dataset,
    setup_comp,
    submissions,
    unzip,
)

from . import faults as f


def packed(name="a.csv", body=b"id\n1\n", *, is_link=False):
    archive, member = io.BytesIO(), zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = (0o120777 if is_link else 0o100644) << 16
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("train.csv", "id\n1\n")
        z.writestr(member, body)
    return archive.getvalue()


HOSTILE = {
    "outside": (packed("../../evil.txt"), r"leave its folder.*evil\.txt"),
    "absolute": (packed("/tmp/evil.txt"), "leave its folder"),
    "drive": (packed("C:evil.txt"), "leave its folder"),
    "backslashes": (packed("..\\evil.txt"), "leave its folder"),
    "link": (packed("data", b"/etc", is_link=True), "leave its folder.*data"),
    "bomb": (packed("zeros.csv", bytes(5_000_000)), "fill the disk"),
}


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(unzip, "MAX_BYTES", 1_000_000)


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("of", ["competition", "dataset"])
def test_nothing_is_unpacked(of, what, slug, client, api, faults, box, tmp_path, small_limit):
    archive, said = HOSTILE[what]
    if of == "dataset":
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "a.csv").write_text("1")
        mk_dataset(tmp_path / "made", "Some dataset", True, client=api, poll_s=0.05)
    faults.on("GET /", f.body_of(lambda _: archive, tell_md5=False), times=99)
    with pytest.raises(KaggleError, match=said):
        if of == "dataset":
            get_dataset(tmp_path / "a" / "data", f"{box.user}/some-dataset", client=client)
        else:
            setup_comp(slug, dest=tmp_path / "a" / "data", client=client)
    assert not list(tmp_path.rglob("*evil*")) and not (tmp_path / "a" / "data").exists()
    assert not list(tmp_path.rglob("unpacked/*"))


def test_a_well_compressed_archive_is_unpacked(tmp_path, small_limit):
    (tmp_path / "toy.zip").write_bytes(
        packed("table.csv", "".join(f"{i},0.5,cat\n" for i in range(100_000)).encode())
    )
    unzip.unzip(tmp_path / "toy.zip", tmp_path / "out")
    assert (tmp_path / "out" / "table.csv").stat().st_size > 1_300_000


def test_a_member_larger_than_announced_is_refused(tmp_path):
    honest = packed("zeros.csv", bytes(3_000_000))
    forged = honest.replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert forged != honest
    (tmp_path / "toy.zip").write_bytes(forged)
    with pytest.raises(KaggleError, match="sound zip"):
        unzip.unzip(tmp_path / "toy.zip", tmp_path / "out")
    assert (tmp_path / "out" / "zeros.csv").stat().st_size <= 10


def test_a_token_that_expires_during_a_session(box, slug, tmp_path):
    import requests

    def account(method, **fields):
        url = f"{box.url}/api/v1/users.AccountService/{method}"
        answer = requests.post(url, json=fields, auth=(box.user, box.key), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    token = account("GenerateAccessToken", refreshToken=box.token)["token"]
    client = connect(box.url, token=token)
    assert submissions(slug, client=client) == []
    account("ExpireApiToken", token=token)
    for call in (
        lambda: submissions(slug, client=client),
        lambda: setup_comp(slug, dest=tmp_path / "data", client=client),
    ):
        with pytest.raises(BadCredentials, match=r"(?i)token|credentials|key") as caught:
            call()
        assert token not in str(caught.value)
    assert not (tmp_path / "data").exists()
    with pytest.raises(BadCredentials, match="not valid, or no longer"):
        connect(box.url, token=token)
