"""The episodes of a simulation competition: their list, their replays and their agents' logs."""

import json
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from .bundles import Bundle
from .rpc import Fields, Row, Service, modified, need
from .submissions import Submissions
from .transfers import Transfers


@dataclass
class EpisodeService(Service):
    """The methods of CompetitionApiService about episodes. They are files of the bundle."""

    submissions: Submissions
    transfers: Transfers

    def rpc_list_submission_episodes(self, fields: Fields) -> Row:
        ref = fields.number("submissionId")
        row = self.submissions.one(ref)
        bundle = self.submissions.bundles.get(row["slug"]) if row else None
        row, bundle = need(row, _missing(ref)), need(bundle, _missing(ref))
        played = bundle.episodes if row["status"] == "COMPLETE" else {}
        return {"episodes": [_episode(id, folder, row) for id, folder in played.items()]}

    def rpc_get_episode_replay(self, fields: Fields) -> Response:
        id = fields.number("episodeId")
        return self.transfers.redirect(fields, _replay(self._folder(id)), f"{id}.json")

    def rpc_get_episode_agent_logs(self, fields: Fields) -> Response:
        id, index = fields.number("episodeId"), fields.number("agentIndex")
        file = self._folder(id) / f"agent-{index}.json"
        found = need(file if file.is_file() else None, f"Episode {id} has no log of agent {index}.")
        return self.transfers.redirect(fields, found, f"{id}-{index}.json")

    def _folder(self, id: int) -> Path:
        bundles: list[Bundle] = list(self.submissions.bundles.values())
        found = (b.episodes[id] for b in bundles if id in b.episodes)
        return need(next(found, None), f"Episode {id} was not found.")


def _episode(id: int, folder: Path, submission: Row) -> Row:
    """Return the facts of an episode. The submission played it as agent 0."""
    replay = json.loads(_replay(folder).read_text(encoding="utf-8"))
    names = replay.get("info", {}).get("TeamNames", [])
    rewards = replay["rewards"]
    agents = [
        {"index": i, "reward": reward, "teamName": names[i] if i < len(names) else f"agent {i}"}
        for i, reward in enumerate(rewards)
    ]
    if agents:
        agents[0] |= {"submissionId": submission["ref"], "teamName": submission["team"]}
    date = modified(_replay(folder))
    return {
        "id": id,
        **dict.fromkeys(("createTime", "endTime"), date),
        "state": "COMPLETED",
        "type": "EPISODE_TYPE_PUBLIC",
        "agents": [{k: v for k, v in a.items() if v is not None} for a in agents],
    }


def _replay(folder: Path) -> Path:
    return folder / "replay.json"


def _missing(ref: int) -> str:
    return f"Submission {ref} was not found."
