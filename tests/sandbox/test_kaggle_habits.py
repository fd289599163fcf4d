"""Small habits of Kaggle that other projects' test suites expect."""

import csv
import io
import json
import os
import re
import time
import zipfile

import numpy as np
import pytest
import requests

from fastkaggle_plus.sandbox import Limits, running
from fastkaggle_plus.sandbox.archives import pack, remove_unused

from .conftest import Caller, make_bundles
from .other_suites import Seeder

BIG = "x,y\n" + "1,2\n" * 2000
MODELS = "models.ModelApiService"


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("habits")
    bundles = make_bundles(folder / "bundles", daily=99)
    (bundles / "toy/files/big.csv").write_text(BIG)
    limits = Limits(zip_above_bytes=5000)
    with running(bundles, state=folder / "state", limits=limits) as server:
        yield server


@pytest.fixture(scope="module")
def make(box):
    return Seeder(box)


def test_model_slugs_hold_points_and_underscores(kaggle):
    (kaggle.home / "net").mkdir()
    (kaggle.home / "net/w.bin").write_bytes(b"weights")
    code = """
import kagglehub, time, pathlib
for model in ("qwen2.5", "my_model"):
    handle = f"kaggler/{model}/pyTorch/v1.0_b"
    kagglehub.model_upload(handle, "net", license_name="Apache 2.0")
    for _ in range(100):
        try:
            print(pathlib.Path(kagglehub.model_download(handle), "w.bin").read_text())
            break
        except Exception:
            time.sleep(0.05)
"""
    done = kaggle(code, module="python")
    assert done.stdout.count("weights") == 2, done.stdout + done.stderr


def test_the_command_line_describes_a_private_model(kaggle, make):
    facts = {"ownerSlug": "kaggler", "slug": "draft", "title": "Draft", "isPrivate": True}
    make.rpc(MODELS, "CreateModel", **facts)
    (kaggle.home / "out").mkdir()
    done = kaggle("models", "get", "-p", "out", "kaggler/draft")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((kaggle.home / "out/model-metadata.json").read_text())["title"] == "Draft"


def test_a_second_model_of_one_name_is_a_conflict(make):
    fields = {"ownerSlug": "kaggler", "slug": "twice", "title": "Twice"}
    assert make.rpc(MODELS, "CreateModel", **fields)["ref"] == "kaggler/twice"
    again = make.call("CreateModel", service=MODELS, **fields).json()
    assert "already used" in again["error"] and again["errorCode"] == 409
    of = {"ownerSlug": "kaggler", "modelSlug": "twice"}
    body = {"instanceSlug": "small", "framework": "MODEL_FRAMEWORK_JAX"}
    make.rpc(MODELS, "CreateModelInstance", **of, body=body | make.upload({"a": b"x"}))
    body |= make.upload({"a": b"x"})
    again = make.call("CreateModelInstance", service=MODELS, **of, body=body).json()
    assert "already exists" in again["error"] and again["errorCode"] == 409


def test_an_unknown_license_is_refused(kaggle, make):
    (kaggle.home / "net").mkdir()
    (kaggle.home / "net/w.bin").write_bytes(b"weights")
    code = """
import kagglehub
for name in ("Invalid License", "Apache 2.0"):
    try:
        kagglehub.model_upload("kaggler/licensed/pyTorch/small", "net", license_name=name)
        print("made with", name)
    except kagglehub.exceptions.BackendError as e:
        print("refused:", e)
"""
    done = kaggle(code, module="python")
    assert "refused: The license 'Invalid License' is unknown" in done.stdout, done.stderr
    assert "made with Invalid" not in done.stdout and "made with Apache 2.0" in done.stdout
    facts = {"ownerSlug": "kaggler", "slug": "licensed", "title": "licensed"}
    service, files = "datasets.DatasetApiService", make.upload({"a.csv": b"x"})
    wrong = make.call("CreateDataset", service=service, **facts, licenseName="Mine", **files)
    assert wrong.json()["status"] == "error" and "'Mine' is unknown" in wrong.json()["error"]
    # The same upload again: the refusal has used nothing.
    make.rpc(service, "CreateDataset", **facts, licenseName="cc-by-4.0", **files)
    of = {"ownerSlug": "kaggler", "datasetSlug": "licensed"}
    settings = {"licenses": [{"name": "Mine"}]}
    changed = make.rpc(service, "UpdateDatasetMetadata", **of, settings=settings)
    assert "'Mine' is unknown" in changed["errors"][0]


def test_the_leaderboard_file(kaggle, make):
    make.call.scored(make.call.submit(b"id,y\n" + b"".join(b"%d,1\n" % i for i in range(40))))
    for _ in range(2):
        make.call.scored(make.call.submit(b"id,y\n" + b"".join(b"%d,0\n" % i for i in range(40))))
    assert kaggle("competitions", "leaderboard", "toy", "-d").returncode == 0
    with zipfile.ZipFile(kaggle.home / "toy.zip") as z:
        (name,) = z.namelist()
        rows = list(csv.DictReader(io.StringIO(z.read(name).decode())))
    assert re.fullmatch(r"toy-publicleaderboard-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.csv", name)
    columns = "Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames"
    assert list(rows[0]) == columns.split(",")
    ours = next(r for r in rows if r["TeamName"] == "kaggler")
    assert (ours["SubmissionCount"], ours["TeamMemberUserNames"]) == ("3", "kaggler")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", ours["LastSubmissionDate"])
    shown = make.rpc("competitions.CompetitionApiService", "GetLeaderboard", competitionName="toy")
    assert (
        str(next(r for r in shown["submissions"] if r["teamName"] == "kaggler")["teamId"])
        == (ours["TeamId"])
    )


def test_a_team_belongs_to_one_competition(make):
    answers = b"id,y\n" + b"".join(b"%d,1\n" % i for i in range(40))
    refs = {slug: make.call.submit(answers, slug) for slug in ("toy", "limited")}
    teams = {}
    for slug, ref in refs.items():
        make.call.scored(ref)
        rows = make.call("GetLeaderboard", competitionName=slug).json()["submissions"]
        teams[slug] = next(r["teamId"] for r in rows if r["teamName"] == "kaggler")
    assert teams["toy"] != teams["limited"]
    shown = make.call("ListTeamPublicSubmissions", teamId=teams["limited"]).json()
    assert [r["id"] for r in shown["submissions"]] == [refs["limited"]]


@pytest.mark.parametrize(
    "name, words",
    [("rules", "rehearsal"), ("DATA-description", "train.csv"), ("evaluation", "accuracy")],
)
def test_pages_by_name_without_case(kaggle, name, words):
    code = f"""
from kaggle import api
from kagglesdk.competitions.types.competition_api_service import ApiListCompetitionPagesRequest
with api.build_kaggle_client() as client:
    request = ApiListCompetitionPagesRequest()
    request.competition_name, request.page_name = "toy", {name!r}
    found = client.competitions.competition_api_client.list_competition_pages(request)
print(len(found.pages), found.pages[0].content)
"""
    done = kaggle(code, module="python")
    assert done.stdout.startswith("1 ") and words in done.stdout, done.stdout + done.stderr


def test_auth_revoke_ends_the_login_and_not_the_sandbox(kaggle, make, box):
    login = make.rpc("security.OAuthService", "ExchangeOAuthToken", code=box.token)
    assert login["refreshToken"] != box.token
    keys = {"refresh_token": login["refreshToken"], "access_token": "", "username": "kaggler"}
    (kaggle.home / ".kaggle").mkdir(exist_ok=True)
    (kaggle.home / ".kaggle/credentials.json").write_text(json.dumps(keys))
    by_login = {"KAGGLE_USERNAME": "", "KAGGLE_KEY": ""}
    assert "toy" in kaggle("competitions", "list", **by_login).stdout
    assert kaggle("auth", "revoke", **by_login).returncode == 0
    again = {"refreshToken": login["refreshToken"]}
    service = "users.AccountService"
    assert make.call("GenerateAccessToken", service=service, **again).status_code == 401
    own = make.call("ExpireApiToken", service=service, token=box.token)
    assert own.status_code == 400 and "own token" in own.json()["message"]
    listed = kaggle("competitions", "list", KAGGLE_API_TOKEN=box.token, **by_login)
    assert "competitions/toy" in listed.stdout, listed.stderr


def test_an_unknown_endpoint_is_named(make, box):
    for path in ("competitions.CompetitionApiService/NoSuchThing", "no.Service/Thing"):
        service, method = path.split("/")
        answer = make.call(method, service=service)
        assert answer.status_code == 501 and answer.json()["code"] == 501
        assert f"no endpoint {path}" in answer.json()["message"]
    answer = requests.get(f"{box.url}/api/v1/no/such/route", timeout=20)
    assert answer.status_code == 501 and "/api/v1/no/such/route" in answer.json()["message"]
    assert requests.get(f"{box.url}/no-page", timeout=20).status_code == 404


def test_a_large_file_arrives_in_a_zip_and_clients_unpack_it(kaggle, make):
    arrays = io.BytesIO()
    np.savez(arrays, x=np.zeros(2000))  # a zip by nature
    files = {"in/big.csv": BIG.encode(), "small.csv": b"x\n1\n", "arrays.npz": arrays.getvalue()}
    make.dataset("large-files", files)
    done = kaggle("competitions", "download", "toy", "-f", "big.csv")
    with zipfile.ZipFile(kaggle.home / "big.csv.zip") as z:
        assert done.returncode == 0 and z.read("big.csv").decode() == BIG
    assert kaggle("competitions", "download", "toy", "-f", "train.csv").returncode == 0
    assert (kaggle.home / "train.csv").read_text().startswith("id,x,y")
    code = """
import kagglehub, pathlib, numpy
from kaggle import api
from fastkaggle_plus.kaggle_client.datasets.fetch import fetch_file
for file in (
    kagglehub.competition_download("toy", path="big.csv"),
    kagglehub.dataset_download("kaggler/large-files", path="in/big.csv"),
    fetch_file(api, "kaggler/large-files", "in/big.csv", pathlib.Path("work")),
):
    print(pathlib.Path(file).read_text() == "x,y\\n" + "1,2\\n" * 2000)
for name in ("small.csv", "arrays.npz"):
    print(fetch_file(api, "kaggler/large-files", name, pathlib.Path("work")))
print(numpy.load("work/arrays.npz")["x"].shape)
"""
    (kaggle.home / "work").mkdir()
    done = kaggle(code, module="python")
    shown = [*["True"] * 3, "work/small.csv", "work/arrays.npz", "(2000,)"]
    assert done.stdout.splitlines()[-6:] == shown, done.stdout + done.stderr


def test_a_large_weight_file_of_a_model_arrives_as_it_is(make):
    make.model("large/KERAS/main", {"w.txt": b"w" * 9000, "v.txt": b"v"})
    of = {"ownerSlug": "kaggler", "modelSlug": "large", "framework": "MODEL_FRAMEWORK_KERAS"}
    moved = make.call(
        "DownloadModelInstanceVersion", service=MODELS, **of, instanceSlug="main", path="w.txt"
    )
    assert requests.get(moved.headers["location"], timeout=20).content == b"w" * 9000


def test_archives_that_no_link_leads_to_are_removed(tmp_path):
    source, cache = tmp_path / "a.csv", tmp_path / "zips"
    source.write_text("x")
    os.utime(source, (1e9, 1e9))
    first = pack(cache, {"a.csv": source}, "archive.zip")
    # The date in the answer is the data's: a client does not fetch an equal archive again.
    assert first.stat().st_mtime == 1e9 and pack(cache, {"a.csv": source}, "archive.zip") == first
    other = pack(cache, {"b.csv": source}, "archive.zip")
    assert first.exists() and other.exists()
    old = time.time() - 86_400
    os.utime(first.parent, (old, old))
    last = pack(cache, {"c.csv": source}, "archive.zip")
    assert not first.parent.exists() and other.exists() and last.exists()
    remove_unused(cache, after_s=-1)
    assert not list(cache.iterdir())
    assert pack(cache, {"a.csv": source}, "archive.zip").stat().st_mtime == 1e9


def test_a_start_cleans_the_archives(tmp_path):
    old = tmp_path / "state/zips/abc/archive.zip"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    os.utime(old.parent, (1e9, 1e9))
    with running(make_bundles(tmp_path / "bundles"), state=tmp_path / "state") as server:
        assert not old.exists()
        moved = Caller(server)("DownloadDataFiles", competitionName="toy").headers["location"]
        assert requests.get(moved, timeout=20).status_code == 200


def test_the_accelerator_hours_are_kaggles(kaggle):
    shown = kaggle("quota").stdout
    assert "30.00h" in shown and "20.00h" in shown, shown
