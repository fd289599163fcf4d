"""The inbox endpoint: `kaggle files upload` puts files into a folder of the user."""

import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath

from .rpc import Fields, Refused, Row, Service
from .transfers import Transfers


@dataclass
class InboxService(Service):
    """The methods of InboxFileService."""

    transfers: Transfers

    def rpc_create_inbox_file(self, fields: Fields) -> Row:
        at = PurePosixPath(fields.text("virtualDirectory").strip("/"))
        if ".." in at.parts or "\0" in str(at):
            raise Refused(400, f"virtualDirectory = {str(at)!r} is no folder of the inbox.")
        token = fields.text("blobFileToken")
        name = self.transfers.use_upload(token)
        if not name:
            raise Refused(400, "The upload is unknown, not complete, or was used before.")
        folder = self.transfers.state.folder / "inbox" / at
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.transfers.state.blob(token), folder / name)
        return {}
