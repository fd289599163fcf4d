"""The inbox: uploaded files put into a folder of the user's own, as `kaggle files upload` does."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.requests import Request

from .rpc import Fields, Refused, Service
from .transfers import Transfers


@dataclass
class InboxService(Service):
    "The methods of InboxFileService, by their RPC names."

    transfers: Transfers

    def rpc_create_inbox_file(self, request: Request, f: Fields) -> Fields:
        at = PurePosixPath(f.get("virtualDirectory", "").strip("/"))
        if ".." in at.parts or "\0" in str(at):
            raise Refused(400, f"virtualDirectory = {str(at)!r} is no folder of the inbox.")
        name = self.transfers.take(f.get("blobFileToken", ""))
        if not name:
            raise Refused(400, "The upload is unknown, not complete, or was used before.")
        folder = self.transfers.state.folder / "inbox" / at
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.transfers.state.blob(f["blobFileToken"]), folder / name)
        return {}
