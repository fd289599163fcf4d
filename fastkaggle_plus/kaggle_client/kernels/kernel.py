"""Records about notebooks on Kaggle: which one, which version, and its status."""

import re
from dataclasses import dataclass
from typing import Any

from ...exceptions import NotFound
from .. import api
from ..services import notebook_page

RUNNING = ("QUEUED", "RUNNING", "CANCEL_REQUESTED")


@dataclass(frozen=True)
class Kernel:
    """A notebook and one of its versions."""

    owner: str
    slug: str
    version: int | None = None  # None = the current one

    @property
    def handle(self) -> str:
        return f"{self.owner}/{self.slug}"

    @property
    def url(self) -> str:
        return notebook_page(self.handle)

    def __str__(self) -> str:
        return self.handle + (f" version {self.version}" if self.version else "")


@dataclass(frozen=True)
class KernelVersion:
    """One version of a notebook on Kaggle."""

    handle: str  # owner/name
    version: int
    url: str
    sent: bool = False  # by the call that returned this; False = it was there already

    @property
    def version_number(self) -> int:
        """Return the version under the name it has in Kaggle's own answer."""
        return self.version


@dataclass(frozen=True)
class KernelStatus:
    """The status of one version of a notebook."""

    handle: str  # owner/name
    version: int | None  # None = the current one
    # QUEUED | RUNNING | COMPLETE | ERROR | CANCEL_REQUESTED | CANCEL_ACKNOWLEDGED
    # | NEW_SCRIPT (never run)
    status: str
    failure_message: str = ""

    @property
    def is_done(self) -> bool:
        """Say whether its status is final."""
        return self.status not in RUNNING


def kernel_of(
    handle: Any,  # owner/name, owner/name/3, an address, your own NAME, or a record with .handle
    version: int | str | None,  # None = that of `handle`, or the current one
    client: Any,
) -> Kernel:
    """Return the notebook that `handle` and `version` name."""
    given = str(getattr(handle, "handle", handle)).strip()
    version = version or getattr(handle, "version", None)
    path = re.sub(r"^(https?://)?(www\.)?kaggle\.com/", "", given.split("?")[0])
    parts = path.strip("/").removeprefix("code/").split("/")
    if len(parts) == 1 and (user := api.user_of(client)):
        parts = [user, *parts]
    if len(parts) == 3 and parts[2].lstrip("v").isdigit():
        in_handle = parts.pop()
        version = version or in_handle
    number = str(version or 0).lstrip("v")
    is_name = len(parts) == 2 and all(re.fullmatch(r"[\w.-]+", part) for part in parts)
    if not is_name or not number.isdigit():
        raise NotFound(
            f"{given!r}{f' version {version!r}' if version else ''} names no notebook. Give "
            "OWNER/NAME as in its address on kaggle.com/code, and a version as a number."
        )
    return Kernel(parts[0], parts[1], int(number) or None)
