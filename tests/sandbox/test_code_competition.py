"""Code competitions: a submitted notebook runs again on the hidden test set and is scored."""

import pytest

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sandbox import running
from fastkaggle_plus.sandbox.bundles import read_bundle

from ..bundles import answers, make_bundle
from .conftest import Caller
from .kernel_caller import KernelCaller

ANSWER = """import csv, os
root = '../input/competitions/hidden-toy/'
test, sample = [list(csv.DictReader(open(root + f))) for f in ('test.csv', 'sample_submission.csv')]
assert len(test) == len(sample) and os.path.exists(root + 'train.csv')
print('rows', len(test), 'rerun', os.environ.get('KAGGLE_IS_COMPETITION_RERUN'))
lines = [f"{row['id']},{int(row['id']) % 2}\\n" for row in test]
open('submission.csv', 'w').write('id,y\\n' + ''.join(lines))
"""


@pytest.fixture
def bundles(tmp_path):
    folder = tmp_path / "bundles"
    made = make_bundle(folder, "hidden-toy", rows=40)
    facts = made / "competition.toml"
    facts.write_text(facts.read_text().replace("max_daily", "code_competition = true\nmax_daily"))
    (made / "hidden").mkdir()
    (made / "hidden" / "sample_submission.csv").write_bytes(answers(40, constant=0))
    (made / "hidden" / "test.csv").write_bytes((made / "files" / "test.csv").read_bytes())
    (made / "files" / "sample_submission.csv").write_bytes(answers(3, constant=0))
    (made / "files" / "test.csv").write_text("id,x\n0,1\n1,1\n2,1\n")
    make_bundle(folder, "toy")
    return folder


@pytest.fixture
def kernels(call):
    return KernelCaller(call)


def pushed(kernels, code: str = ANSWER, title: str = "Code entry", **fields) -> str:
    status, log, _ = kernels.run(
        code,
        title,
        slug="kaggler/code-entry",
        **({"competitionDataSources": ["hidden-toy"], "enableInternet": False} | fields),
    )
    assert status == "COMPLETE", log
    return log


def submit(
    call,
    version: int | None = 1,
    *,
    slug: str = "hidden-toy",
    file: str = "submission.csv",
    kernel: str = "code-entry",
):
    return call(
        "CreateCodeSubmission",
        competitionName=slug,
        kernelOwner="kaggler",
        kernelSlug=kernel,
        kernelVersion=version,
        fileName=file,
        submissionDescription="by notebook",
    )


def test_the_version_runs_again_on_the_hidden_test_set(kaggle, call, kernels, box):
    assert pushed(kernels).endswith("rows 3 rerun None\n")
    said = kaggle(
        "competitions",
        "submit",
        "hidden-toy",
        "-k",
        "kaggler/code-entry",
        "-v",
        "1",
        "-f",
        "submission.csv",
        "-m",
        "from the shell",
    )
    assert "Successfully submitted" in said.stdout, said.stdout + said.stderr
    entry = call("ListSubmissions", competitionName="hidden-toy").json()["submissions"][0]
    assert entry["status"] in ("PENDING", "COMPLETE") and entry["fileName"] == "submission.csv"
    scored = call.scored(entry["ref"])
    assert (scored["status"], scored["publicScore"], scored["privateScore"]) == (
        "COMPLETE",
        "1.00000",
        "",
    ), scored
    assert scored["totalBytes"] == len(answers(40)) and scored["description"] == "from the shell"
    assert box.private_score(entry["ref"]) == 1.0
    assert (
        "rows 3" in kernels.log("code-entry")
        and kernels.files("code-entry")["submission.csv"].count("\n") == 4
    )  # the saved version is as it was
    assert not list((box.submissions.state.folder / "kernels" / "2").glob("*"))


def test_reasons_of_failed_submissions(call, kernels):
    break_when_scored = (
        "import os\nopen('submission.csv', 'w').write('id,y')\n"
        "if 'KAGGLE_IS_COMPETITION_RERUN' in os.environ: raise ValueError('other data')"
    )
    expected = [
        (dict(enableInternet=True), ANSWER, "submission.csv", "internet"),
        (
            {},
            break_when_scored,
            "submission.csv",
            "Notebook Threw Exception: Exit status 1: ValueError: other data",
        ),
        ({}, ANSWER, "other.csv", "Submission CSV Not Found"),
        ({}, "open('submission.csv', 'w').write('id,z\\n0,1')", "submission.csv", "columns"),
    ]
    for version, (fields, code, file, words) in enumerate(expected, 1):
        pushed(kernels, code, **fields)
        scored = call.scored(submit(call, version, file=file).json()["ref"])
        assert scored["status"] == "ERROR" and words in scored["errorDescription"], scored
    assert call("GetSubmissionLimits", competitionName="hidden-toy").json()["numToday"] == 0


def test_refusals(call, kernels):
    assert submit(call).status_code == 404
    kernels.push("raise SystemExit(1)", "Code entry")
    kernels.wait("code-entry")
    refused = submit(call)
    assert refused.status_code == 400 and "ERROR" in refused.json()["message"]
    assert submit(call, 7).status_code == 404
    opened = call(
        "StartSubmissionUpload", competitionName="hidden-toy", fileName="a.csv", contentLength=0
    ).json()
    by_file = call("CreateSubmission", competitionName="hidden-toy", blobFileTokens=opened["token"])
    assert by_file.status_code == 400 and "code competition" in by_file.json()["message"]
    assert call("ListSubmissions", competitionName="hidden-toy").json()["submissions"] == []


def test_the_daily_limit_counts(call, kernels):
    pushed(kernels)
    refs = [submit(call).json()["ref"] for _ in range(5)]
    sixth = submit(call, None)
    assert sixth.status_code == 400 and "daily limit of 5" in sixth.json()["message"]
    assert {call.scored(ref)["status"] for ref in refs} == {"COMPLETE"}


def test_a_notebook_may_also_enter_a_competition_that_takes_files(call, kernels):
    kernels.run(
        "open('a.csv', 'w').write('id,y\\n' + ''.join(f'{i},{i % 2}\\n' for i in range(40)))",
        "Plain entry",
    )
    scored = call.scored(submit(call, slug="toy", file="a.csv", kernel="plain-entry").json()["ref"])
    assert (scored["status"], scored["publicScore"]) == ("COMPLETE", "1.00000")


def test_an_interrupted_rerun_starts_again(bundles, tmp_path):
    wait = ANSWER + (
        "import time\nif 'KAGGLE_IS_COMPETITION_RERUN' in os.environ and not "
        "os.path.exists('../input/competitions/hidden-toy/go'): time.sleep(600)"
    )
    with running(bundles, state=tmp_path / "state") as box:
        call = Caller(box)
        pushed(KernelCaller(call), wait)
        ref = submit(call).json()["ref"]
    (bundles / "hidden-toy" / "hidden" / "go").touch()
    with running(bundles, state=tmp_path / "state") as box:
        assert Caller(box).scored(ref)["publicScore"] == "1.00000"


def test_the_hidden_sample_has_the_ids_of_the_solution(bundles):
    bundle = read_bundle(bundles / "hidden-toy")
    assert (
        len(bundle.sample) == 40
        and bundle.references["sample submission"].parent.name == "hidden"
        and "go" not in bundle.files
    )
    (bundle.folder / "hidden" / "sample_submission.csv").unlink()
    with pytest.raises(
        ConfigError, match=r"other ids.* all rows, also the hidden ones, into .*hidden"
    ):
        read_bundle(bundle.folder)


def test_data_attached_by_code_has_the_hidden_rows_when_it_is_scored(kernels, call):
    code = ANSWER.replace("root = ", "import kagglehub\nroot = ", 1).replace(
        "'../input/competitions/hidden-toy/'", "kagglehub.competition_download('hidden-toy') + '/'"
    )
    assert "rows 3 rerun None" in pushed(kernels, code, competitionDataSources=[])
    found = call.scored(submit(call).json()["ref"])
    assert found["status"] == "COMPLETE" and float(found["publicScore"]) == 1.0, found
