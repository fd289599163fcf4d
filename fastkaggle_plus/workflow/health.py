"""HealthCheck: one finding of `fkp doctor`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class HealthCheck:
    """The result of one check."""

    what: str
    detail: str
    status: Status = "ok"
    advice: str = ""  # what to do about a warning or a problem

    @property
    def ok(self) -> bool:
        """Say whether there is nothing to do."""
        return self.status == "ok"

    def as_json(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return {**asdict(self), "ok": self.ok}
