"""The dataset endpoints: the RPC methods of DatasetApiService."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from .licenses import license_errors
from .listing import count_by_extension, file_rows, list_folder
from .rpc import Fields, Rejected, Row, need, page, public_read
from .versioned_service import VERSION_PATTERN, VersionedService, owner_of, slug_of

KIND = "datasets"
# The values of isPrivate in each group. Groups of other people's datasets are empty here.
_GROUPS = {
    **dict.fromkeys(("PUBLIC", "MY_PUBLIC"), (False,)),
    **dict.fromkeys(("MY", "USER", "ALL"), (False, True)),
    "MY_PRIVATE": (True,),
}
_ORDERS = {"PUBLISHED": "id", "DOWNLOAD_COUNT": "downloadCount"}
_FILE_TYPES = {
    "CSV": (".csv", ".tsv"),
    "SQLITE": (".sqlite", ".db"),
    "JSON": (".json", ".jsonl"),
    "PARQUET": (".parquet",),
}
_LICENSES = {"CC": ("cc",), "GPL": ("gpl", "lgpl", "agpl"), "ODB": ("odb", "dbcl")}
_TAKEN = 'The requested title "{}" is already in use by a dataset. Please choose another title.'
_SHOWN_FACTS = ("title", "subtitle", "description", "licenseName", "isPrivate")
_SETTINGS = (
    "title subtitle description keywords licenses collaborators data expectedUpdateFrequency "
    "userSpecifiedSources"
).split()


@dataclass
class DatasetService(VersionedService):
    """The methods of DatasetApiService."""

    kind, noun, version_field = KIND, "dataset", "datasetVersionNumber"
    zips_large = True

    def folder(self, handle: str) -> Path | None:
        """Return the folder of owner/slug or owner/slug/version; None if it is not ready."""
        found = re.fullmatch(f"([^/]+/[^/]+){VERSION_PATTERN}", handle)
        return self.versions.folder(KIND, found[1], int(found[2] or 0)) if found else None

    def rejection(self, error: Rejected) -> Row:
        return {"status": "error", "error": str(error), "invalidTags": []}

    @public_read
    def rpc_list_datasets(self, fields: Fields) -> Row:
        group = fields.enum("group", "DATASET_SELECTION_GROUP_") or "PUBLIC"
        shown = _GROUPS.get(group, ())
        found = [
            d
            for d in self.versions.items(KIND)
            if d["facts"]["isPrivate"] in shown and self.is_visible(d, fields)
        ]
        if group.startswith("MY"):
            found = [d for d in found if self.is_own(owner_of(d), fields)]
        rows = [self._facts(d) for d in found if self._matches(d, fields)]
        low, high = fields.number("minSize"), fields.number("maxSize")
        rows = [r for r in rows if low <= r["totalBytes"] <= (high or r["totalBytes"])]
        if column := _ORDERS.get(fields.enum("sortBy", "DATASET_SORT_BY_")):
            rows.sort(key=lambda r: r[column], reverse=True)
        return page("datasets", rows, fields)

    @public_read
    def rpc_get_dataset(self, fields: Fields) -> Row:
        item = self.find(fields)
        versions = [
            {
                "versionNumber": v["number"],
                "creationDate": v["date"],
                **dict.fromkeys(("creatorName", "creatorRef"), owner_of(item)),
                "versionNotes": v["notes"],
                "status": v["status"],
            }
            for v in self.versions.all(item)
        ]
        facts = {**self._facts(item), "files": self._files(item), "versions": versions}
        if image := item["facts"].get("image"):
            file = self.versions.state.blob(image)
            facts["thumbnailImageUrl"] = self.transfers.link(fields, file, "thumbnail")
        return facts

    @public_read
    def rpc_list_dataset_files(self, fields: Fields) -> Row:
        item = self.find(fields)
        number, current = self.number(item, fields), self.versions.current(item)
        if current["status"] == "FAILED":
            return {"datasetFiles": [], "errorMessage": current["error"], "nextPageToken": ""}
        return page("datasetFiles", self._files(item, number), fields)

    @public_read
    def rpc_list_tree_dataset_files(self, fields: Fields) -> Row:
        item = self.find(fields)
        return list_folder(self.files(item, fields), fields, must_exist=item["handle"])

    @public_read
    def rpc_get_dataset_files_summary(self, fields: Fields) -> Row:
        return count_by_extension(self.files(self.find(fields), fields))

    @public_read
    def rpc_get_dataset_metadata(self, fields: Fields) -> Row:
        item = self.find(fields)
        facts = item["facts"]
        described = [
            {k: r[k] for k in ("name", "description", "totalBytes") if r[k]}
            for r in self._files(item)
            if r["description"]
        ]
        info = {
            "datasetId": item["id"],
            "datasetSlug": slug_of(item),
            "ownerUser": owner_of(item),
            "isPrivate": facts["isPrivate"],
            "usabilityRating": 0.0,
            "totalDownloads": item["downloads"],
            **{"keywords": [], "collaborators": [], "subtitle": "", "description": ""},
            "data": described,
            "licenses": [{"name": facts.get("licenseName") or "unknown"}],
        }
        return {"info": info | {name: facts[name] for name in _SETTINGS if name in facts}}

    def rpc_update_dataset_metadata(self, fields: Fields) -> Row:
        item, settings = self.find(fields), fields.inner("settings")
        title, licenses = settings.text("title"), settings.get("licenses") or []
        errors = _name_errors("title", title) if title else []
        errors += _subtitle_errors(settings)
        if len(licenses) > 1:
            errors.append("Please specify exactly one license.")
        elif licenses:
            errors += license_errors(Fields(licenses[0]).text("name"))
        errors = errors or self._taken_errors(title, id=item["id"])
        image = settings.inner("image").text("token")
        if image and not self.transfers.use_upload(image):
            errors.append("The image's upload is unknown, not complete, or was used before.")
        if errors:
            return {"errors": errors}
        facts = {name: settings[name] for name in _SETTINGS if name in settings}
        if not title:
            facts.pop("title", None)
        if "keywords" in settings:
            facts["keywords"] = settings.texts("keywords")
        if licenses:
            facts["licenseName"] = Fields(licenses[0]).text("name")
        if image:
            facts["image"] = image
        self.versions.change(item, {**facts, "isPrivate": bool(settings.get("isPrivate", False))})
        return {"errors": []}

    @public_read
    def rpc_download_dataset(self, fields: Fields) -> Response:
        name = fields.text("fileName")
        return self.download(self.find(fields), fields, name=name, archive="archive.zip")

    rpc_download_dataset_raw = rpc_download_dataset

    def rpc_upload_dataset_file(self, fields: Fields) -> Row:
        return self.transfers.open_upload(fields)

    def rpc_create_dataset(self, fields: Fields) -> Row:
        owner = fields.text("ownerSlug") or self.user
        title = fields.text("title")
        slug = fields.text("slug") or re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        self.need_own(owner)
        handle = f"{owner}/{slug}".lower()
        errors = _name_errors("slug", slug) + _name_errors("title", title)
        errors += _subtitle_errors(fields) + license_errors(fields.text("licenseName"))
        if errors := errors or self._taken_errors(title, handle=handle):
            raise Rejected(" ".join(errors))
        facts = {
            "title": title,
            "isPrivate": bool(fields.get("isPrivate", False)),
            "licenseName": fields.text("licenseName", "unknown"),
            **_description(fields),
        }
        notes = "Initial release"
        return _saved(self.versions.create(KIND, handle, facts, files=fields, notes=notes))

    def rpc_create_dataset_version(self, fields: Fields) -> Row:
        return self._add_version(self.find(fields), fields.inner("body"))

    def rpc_create_dataset_version_by_id(self, fields: Fields) -> Row:
        id = fields.number("id")
        item = need(self.versions.item_by_id(KIND, id), f"Dataset {id} was not found.")
        return self._add_version(item, fields.inner("body"))

    @public_read
    def rpc_get_dataset_status(self, fields: Fields) -> Row:
        return {"status": self.versions.all(self.find(fields))[0]["status"]}

    def rpc_delete_dataset(self, fields: Fields) -> Row:
        self.versions.delete(self.find(fields))
        return {}

    def _add_version(self, item: Row, body: Fields) -> Row:
        facts = _description(body)
        if errors := _subtitle_errors(body):
            raise Rejected(" ".join(errors))
        changed = {k: v for k, v in facts.items() if v}
        replaces_all, notes = bool(body.get("deleteOldVersions")), body.text("versionNotes")
        self.versions.add(item, body, notes=notes, replaces_all=replaces_all, facts=changed)
        return _saved(item)

    def _taken_errors(self, title: str, *, handle: str = "", id: int = 0) -> list[str]:
        """Return an error if a dataset other than number `id` has this title or handle."""
        for other in self.versions.items(KIND):
            is_same = other["handle"] == handle or other["facts"]["title"].lower() == title.lower()
            if is_same and other["id"] != id:
                return [_TAKEN.format(title)]
        return []

    def _matches(self, item: Row, fields: Fields) -> bool:
        """Say whether a dataset fits the filters of a ListDatasets request."""
        facts = item["facts"]
        searched = f"{item['handle']} {facts['title']} {facts.get('subtitle', '')}".lower()
        tags = {t for t in fields.text("tagIds").split(",") if t}
        suffixes = _FILE_TYPES.get(fields.enum("fileType", "DATASET_FILE_TYPE_GROUP_"))
        licenses = _LICENSES.get(fields.enum("license", "DATASET_LICENSE_GROUP_"), ("",))
        return (
            fields.text("user").lower() in ("", owner_of(item))
            and fields.text("search").lower() in searched
            and tags <= set(facts.get("keywords", []))
            and facts.get("licenseName", "").lower().startswith(licenses)
            and (
                not suffixes or any(n.lower().endswith(suffixes) for n in self.versions.files(item))
            )
        )

    def _files(self, item: Row, number: int | None = None) -> list[Row]:
        version = self.versions.ready(item, number)
        known = {e["path"]: e for e in json.loads(version["plan"])} if version else {}
        return [
            {
                **row,
                "ref": row["name"],
                "datasetRef": item["handle"],
                "ownerRef": owner_of(item),
                "fileType": Path(row["name"]).suffix,
                "description": known.get(row["name"], {}).get("description", ""),
                "columns": known.get(row["name"], {}).get("columns", []),
            }
            for row in file_rows(self.versions.files(item, number))
        ]

    def _facts(self, item: Row) -> Row:
        facts, owner, current = item["facts"], owner_of(item), self.versions.current(item)
        return {
            **{name: facts.get(name, "") for name in _SHOWN_FACTS},
            **dict.fromkeys(("creatorName", "ownerName", "ownerRef"), owner),
            "id": item["id"],
            "ref": item["handle"],
            "creatorUrl": f"https://www.kaggle.com/{owner}",
            "totalBytes": current["size"],
            "url": _url(item),
            "lastUpdated": item["changed"],
            "downloadCount": item["downloads"],
            "currentVersionNumber": current["number"],
            "tags": [{"ref": t, "name": t} for t in facts.get("keywords", [])],
        }


def _url(item: Row) -> str:
    return f"https://www.kaggle.com/datasets/{item['handle']}"


def _saved(item: Row) -> Row:
    return {"ref": item["handle"], "url": _url(item), "status": "ok", "invalidTags": []}


def _description(fields: Fields) -> Row:
    """Return the facts that a new version can change."""
    return {
        "subtitle": fields.text("subtitle"),
        "description": fields.text("description"),
        "keywords": fields.texts("categoryIds"),
    }


def _name_errors(what: str, name: str) -> list[str]:
    """Check the slug or the title of a dataset."""
    if what == "title" and "INSERT_" in name:
        return ["Default title detected, please change values before uploading."]
    if what == "slug" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", name):
        return [f"The dataset slug {name!r} may hold letters, digits and hyphens only."]
    is_fine = 6 <= len(name) <= 50
    return [] if is_fine else [f"The dataset {what} must be between 6 and 50 characters."]


def _subtitle_errors(fields: Fields) -> list[str]:
    if not (subtitle := fields.text("subtitle")) or 20 <= len(subtitle) <= 80:
        return []
    return ["Subtitle length must be between 20 and 80 characters."]
