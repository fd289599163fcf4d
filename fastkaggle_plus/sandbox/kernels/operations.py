"""Long-running operations: start a kernel's session by the API, and ask for its state."""

import re
from dataclasses import dataclass

from ..rpc import Fields, Rejected, Row, Service, need
from .save_kernel import DENIED, strict
from .sessions import KernelSessions
from .store import ACTIVE

_CHOICES = {"dockerImage": "", "machineShape": "", "enableInternet": False}


@dataclass
class KernelOperations(Service):
    """CreateKernelSession of KernelsApiService, and GetOperation of OperationsService."""

    sessions: KernelSessions
    user: str

    def rpc_create_kernel_session(self, fields: Fields) -> Row:
        """Save the kernel's newest code as a version with the wanted machine, and run it."""
        owner, _, slug = fields.text("slug").rpartition("/")
        store = self.sessions.store
        found = store.find_version(f"{owner or self.user}/{slug}")
        newest = need(found if not owner or owner == self.user else None, DENIED, status=403)
        chosen = {n: strict(fields, n, value) for n, value in _CHOICES.items() if n in fields}
        kept = {**newest.fields, **chosen, "kernelExecutionType": "INTER_ACTIVE"}
        try:
            with store.state.writing():
                _, session = self.sessions.add(newest.kernel, kept, newest.code)
        except Rejected as e:
            return {"name": "", "done": True, "error": {"code": 429, "message": str(e)}}
        if session is not None:
            self.sessions.start(session)
        return self._operation(need(session, DENIED))

    def rpc_get_operation(self, fields: Fields) -> Row:
        name = fields.text("name")
        number = re.fullmatch(r"operations/kernel-session-(\d{1,9})", name)
        row = self.sessions.store.session(int(number[1])) if number else None
        return self._operation(need(row, f"Operation {name!r} was not found.")["id"])

    def _operation(self, session: int) -> Row:
        row = need(self.sessions.store.session(session), f"Session {session} was not found.")
        operation: Row = {
            "name": f"operations/kernel-session-{session}",
            "metadata": {"kernelSessionId": session, "status": row["status"]},
            "done": row["status"] not in ACTIVE,
        }
        if not operation["done"]:
            return operation
        if row["status"] == "COMPLETE":
            return {**operation, "response": operation["metadata"]}
        code = 499 if row["status"] == "CANCEL_ACKNOWLEDGED" else 500
        return {**operation, "error": {"code": code, "message": row["failure"]}}
