"""The episodes of a simulation competition, by the commands of kaggle's client."""

import json

import pytest

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sandbox.bundles import read_bundle

from ..bundles import answers

REPLAY = {
    "info": {"TeamNames": ["someone", "the rival"]},
    "rewards": [1.0, None],
    "statuses": ["DONE", "ERROR"],
    "steps": [[{"action": 1}, {"action": 2}]],
}
LOG = [[{"duration": 0.1, "stdout": "moved", "stderr": ""}]]


@pytest.fixture(autouse=True)
def episode(bundles):
    folder = bundles / "toy/episodes/4711"
    folder.mkdir(parents=True)
    (folder / "replay.json").write_text(json.dumps(REPLAY))
    (folder / "agent-0.json").write_text(json.dumps(LOG))


def test_the_client_lists_and_fetches_them(kaggle, call):
    ref = call.submit(answers())
    call.scored(ref)
    listed = kaggle("competitions", "episodes", str(ref)).stdout
    assert "4711" in listed and "COMPLETED" in listed
    assert kaggle("competitions", "replay", "4711").returncode == 0
    assert json.loads((kaggle.home / "episode-4711-replay.json").read_text()) == REPLAY
    assert kaggle("competitions", "logs", "4711", "0", "-p", "logs").returncode == 0
    assert json.loads((kaggle.home / "logs/episode-4711-agent-0-logs.json").read_text()) == LOG
    (found,) = call("ListSubmissionEpisodes", submissionId=ref).json()["episodes"]
    us, rival = found["agents"]
    assert us == {"index": 0, "reward": 1.0, "teamName": "kaggler", "submissionId": ref}
    assert rival == {"index": 1, "teamName": "the rival"}


def test_what_does_not_exist(call):
    other = call.submit(answers(), "limited")
    call.scored(other)
    assert call("ListSubmissionEpisodes", submissionId=other).json() == {"episodes": []}
    wrong = call.submit(b"nonsense")
    assert call.scored(wrong)["status"] == "ERROR"
    assert call("ListSubmissionEpisodes", submissionId=wrong).json() == {"episodes": []}
    assert call("ListSubmissionEpisodes", submissionId=999).status_code == 404
    assert call("GetEpisodeReplay", episodeId=1).status_code == 404
    assert call("GetEpisodeAgentLogs", episodeId=4711, agentIndex=1).status_code == 404


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"rewards": 1}', b"\xff"])
def test_a_broken_replay_is_an_error_of_the_bundle(bundles, content):
    (bundles / "toy/episodes/4711/replay.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"replay\.json cannot be read; expected a replay"):
        read_bundle(bundles / "toy")
