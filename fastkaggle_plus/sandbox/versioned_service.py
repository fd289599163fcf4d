"""The common part of the dataset and model endpoints: find an item, its version and its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from starlette.responses import Response

from .rpc import Fields, Refused, Row, Service
from .transfers import Transfers
from .versions import Versions

VERSION_PATTERN = r"(?:/([1-9]\d{0,9}))?"  # at the end of a handle


@dataclass
class VersionedService(Service):
    """A service whose items have versions."""

    versions: Versions
    transfers: Transfers
    user: str

    kind: ClassVar[str]  # of the items in the state
    noun: ClassVar[str]  # dataset | model
    version_field: ClassVar[str]  # the field of a request that names a version
    zips_large: ClassVar[bool] = False  # whether a large file, downloaded alone, comes in a zip

    def find(self, fields: Fields) -> Row:
        """Return the dataset or model of a request. Raises Refused, as Kaggle does."""
        owner, name = fields.text("ownerSlug"), fields.text(f"{self.noun}Slug")
        item = self.versions.item(self.kind, f"{owner}/{name}")
        if item is not None and self.is_visible(item, fields):
            return item
        if self.is_own(owner, fields):
            raise Refused(404, f"{self.noun.capitalize()} {owner}/{name} was not found.")
        raise Refused(403, f"Permission '{self.noun}s.get' was denied")

    def is_visible(self, item: Row, fields: Fields) -> bool:
        """Say whether the sender of a request may see an item: it is public, or their own."""
        return not item["facts"]["isPrivate"] or self.is_own(owner_of(item), fields)

    def is_own(self, owner: str, fields: Fields) -> bool:
        """Say whether the sender of a request is this owner."""
        return owner.lower() == self.user.lower() and not fields.is_anonymous

    def need_own(self, owner: str) -> None:
        """Refuse to create an item for somebody else."""
        if owner.lower() != self.user.lower():
            raise Refused(403, f"Permission '{self.noun}s.create' was denied")

    def files(self, item: Row, fields: Fields, *, must_exist: bool = False) -> dict[str, Path]:
        """Return the files of the version that a request names, by default the newest.

        Raises Refused for a version that is not ready and, with `must_exist`, for no ready version.
        """
        files = self.versions.files(item, self.number(item, fields))
        if must_exist and not files:
            raise Refused(404, f"{self._named(item)} has no version that is ready.")
        return files

    def number(self, item: Row, fields: Fields) -> int | None:
        """Return the version that a request names, or None for the newest. Raises Refused."""
        number = fields.number(self.version_field) or None
        if number is not None and self.versions.ready(item, number) is None:
            raise Refused(404, f"{self._named(item)} has no version {number} that is ready.")
        return number

    def download(self, item: Row, fields: Fields, *, name: str, archive: str) -> Response:
        """Answer with a redirect to the file `name`, or without a name to an archive of all files.

        The download is counted.
        """
        files = self.files(item, fields, must_exist=True)
        if name:
            answer = self.transfers.redirect_to_one(
                fields, files, name, where=item["handle"], zips_large=self.zips_large
            )
        else:
            answer = self.transfers.redirect_to_all(fields, files, archive)
        self.versions.count_download(item)
        return answer

    def _named(self, item: Row) -> str:
        return f"{self.noun.capitalize()} {item['handle']}"


def owner_of(item: Row) -> str:
    """Return the owner of an item."""
    return str(item["handle"].split("/")[0])


def slug_of(item: Row) -> str:
    """Return the second part of an item's handle."""
    return str(item["handle"].split("/")[1])
