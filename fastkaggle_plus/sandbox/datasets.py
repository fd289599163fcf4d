"""The dataset endpoints: what each RPC method of DatasetApiService answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .listing import below, summary, tree
from .rpc import Fields, Refused, Service, changed, page, text, texts
from .transfers import Transfers
from .versions import NotMade, Versions, split_version

KIND = "datasets"
_GROUPS = {
    "PUBLIC": (False,),
    "MY": (False, True),
    "USER": (False, True),
    "ALL": (False, True),
    "MY_PRIVATE": (True,),
    "MY_PUBLIC": (False,),
}
_TYPES = {
    "CSV": (".csv", ".tsv"),
    "SQLITE": (".sqlite", ".db"),
    "JSON": (".json", ".jsonl"),
    "PARQUET": (".parquet",),
}
_LICENSES = {"CC": ("cc",), "GPL": ("gpl", "lgpl", "agpl"), "ODB": ("odb", "dbcl")}
_SETTINGS = (
    "title",
    "subtitle",
    "description",
    "keywords",
    "licenses",
    "collaborators",
    "data",
    "expectedUpdateFrequency",
    "userSpecifiedSources",
)


@dataclass
class DatasetService(Service):
    "The methods, by their RPC names."

    versions: Versions
    transfers: Transfers
    user: str

    def folder(self, handle: str, version: int | None = None) -> Path | None:
        "Return the files of owner/slug or owner/slug/version, by default of the newest version that is ready; None where there is none."
        parts, number = split_version(handle, 2)
        return self.versions.folder(KIND, "/".join(parts), version or number)

    def rpc_list_datasets(self, request: Request, f: Fields) -> Fields:
        group = f.get("group", "").upper().removeprefix("DATASET_SELECTION_GROUP_") or "PUBLIC"
        shown = _GROUPS.get(
            group, ()
        )  # private or not; none of the shared, bookmarked, upvoted: there is nobody else here
        found = [d for d in self.versions.items(KIND) if d["facts"]["isPrivate"] in shown]
        if owner := f.get("user"):
            found = [d for d in found if _owner(d) == owner.lower()]
        words, tags = f.get("search", "").lower(), {t for t in f.get("tagIds", "").split(",") if t}
        found = [
            d
            for d in found
            if words
            in " ".join([d["handle"], d["facts"]["title"], d["facts"].get("subtitle", "")]).lower()
            and tags <= set(d["facts"].get("keywords", []))
        ]
        if kinds := _TYPES.get(
            f.get("fileType", "").upper().removeprefix("DATASET_FILE_TYPE_GROUP_")
        ):
            found = [
                d
                for d in found
                if any(n.lower().endswith(kinds) for n in self.versions.files(KIND, d["handle"]))
            ]
        if starts := _LICENSES.get(
            f.get("license", "").upper().removeprefix("DATASET_LICENSE_GROUP_")
        ):
            found = [
                d for d in found if d["facts"].get("licenseName", "").lower().startswith(starts)
            ]
        rows = [self._facts(d) for d in found]
        rows = [
            r
            for r in rows
            if int(f.get("minSize") or 0)
            <= r["totalBytes"]
            <= int(f.get("maxSize") or r["totalBytes"])
        ]
        order = f.get("sortBy", "").upper().removeprefix("DATASET_SORT_BY_")
        if order in ("PUBLISHED", "DOWNLOAD_COUNT"):
            rows.sort(
                key=lambda r: r["id"] if order == "PUBLISHED" else r["downloadCount"], reverse=True
            )
        return page("datasets", rows, f)

    def rpc_get_dataset(self, request: Request, f: Fields) -> Fields:
        item = self._item(f)
        facts = self._facts(item, whole=True)
        if image := item["facts"].get("image"):
            facts["thumbnailImageUrl"] = self.transfers.link(
                request, self.versions.state.blob(image), "thumbnail"
            )
        return facts

    def rpc_list_dataset_files(self, request: Request, f: Fields) -> Fields:
        item, number = self._version(f)
        newest = self.versions.all(item)[0]
        if newest["status"] == "FAILED" and self.versions.ready(item) is None:
            return {"datasetFiles": [], "errorMessage": newest["error"], "nextPageToken": ""}
        return page("datasetFiles", self._files(item, number), f)

    def rpc_list_tree_dataset_files(self, request: Request, f: Fields) -> Fields:
        item, number = self._version(f)
        at, files = f.get("path", "").strip("/"), self.versions.files(KIND, item["handle"], number)
        inside = below(files, at)
        if at and not inside:
            raise Refused(404, f"Folder {at!r} was not found in {item['handle']}.")
        return tree(inside, at, f)

    def rpc_get_dataset_files_summary(self, request: Request, f: Fields) -> Fields:
        item, number = self._version(f)
        return summary(self.versions.files(KIND, item["handle"], number))

    def rpc_get_dataset_metadata(self, request: Request, f: Fields) -> Fields:
        item = self._item(f)
        facts = item["facts"]
        kept = {name: facts[name] for name in _SETTINGS if name in facts}
        described = [
            {
                k: v
                for k, v in (
                    ("name", r["name"]),
                    ("description", r["description"]),
                    ("totalBytes", r["totalBytes"]),
                )
                if v
            }
            for r in self._files(item, None)
            if r["description"]
        ]
        return {
            "info": {
                "datasetId": item["id"],
                "datasetSlug": _slug(item),
                "ownerUser": _owner(item),
                "isPrivate": facts["isPrivate"],
                "usabilityRating": 0.0,
                "totalDownloads": item["downloads"],
                "keywords": [],
                "collaborators": [],
                "data": described,
                "subtitle": "",
                "description": "",
                "licenses": [{"name": facts.get("licenseName") or "unknown"}],
                **kept,
            }
        }

    def rpc_update_dataset_metadata(self, request: Request, f: Fields) -> Fields:
        item, said = self._item(f), f.get("settings") or {}
        title, licenses = text(said, "title"), said.get("licenses") or []
        errors = [
            *(_title_errors(title) if title else []),
            *_subtitle_errors(text(said, "subtitle")),
        ]
        if len(licenses) > 1:
            errors.append("Please specify exactly one license.")
        if not errors and title and (other := self._titled(title)) and other["id"] != item["id"]:
            errors.append(_taken(title))
        image = (said.get("image") or {}).get("token", "")
        if image and not self.transfers.take(image):
            errors.append("The image's upload is unknown, not complete, or was used before.")
        if not errors:
            facts = {
                name: said[name]
                for name in _SETTINGS
                if name in said and (title or name != "title")
            }
            facts |= {"keywords": texts(said, "keywords")} if "keywords" in said else {}
            facts |= {"licenseName": text(licenses[0], "name")} if licenses else {}
            self.versions.change(
                item,
                {
                    **facts,
                    "isPrivate": bool(said.get("isPrivate", False)),
                    **({"image": image} if image else {}),
                },
            )
        return {"errors": errors}

    def rpc_download_dataset(self, request: Request, f: Fields) -> Response:
        item, number = self._version(f)
        files, name = self.versions.files(KIND, item["handle"], number), f.get("fileName", "")
        if not files:
            raise Refused(404, f"Dataset {item['handle']} has no version that is ready.")
        if name and name not in files:
            raise Refused(404, f"File {name!r} was not found in {item['handle']}.")
        self.versions.count_download(item)
        file = files[name] if name else self.transfers.packed(files, "archive.zip")
        return RedirectResponse(
            self.transfers.link(request, file, Path(name).name or "archive.zip"), 302
        )

    def rpc_download_dataset_raw(self, request: Request, f: Fields) -> Response:
        return self.rpc_download_dataset(request, f)

    def rpc_upload_dataset_file(self, request: Request, f: Fields) -> Fields:
        return self.transfers.upload(request, f.get("fileName", ""), int(f.get("contentLength", 0)))

    def rpc_create_dataset(self, request: Request, f: Fields) -> Fields:
        owner, title = text(f, "ownerSlug") or self.user, text(f, "title")
        slug = text(f, "slug") or re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        if owner.lower() != self.user.lower():
            raise Refused(403, "Permission 'datasets.create' was denied")
        handle = f"{owner}/{slug}".lower()
        errors = [
            *_slug_errors(slug),
            *_title_errors(title),
            *_subtitle_errors(text(f, "subtitle")),
        ]
        if not errors and (self.versions.item(KIND, handle) or self._titled(title)):
            errors.append(_taken(title))
        if errors:
            return _refused(" ".join(errors))
        facts = {
            "title": title,
            "isPrivate": bool(f.get("isPrivate", False)),
            "licenseName": text(f, "licenseName", "unknown"),
            "subtitle": text(f, "subtitle"),
            "description": text(f, "description"),
            "keywords": texts(f, "categoryIds"),
        }
        try:
            return _made(
                self.versions.create(KIND, handle, facts, files=f, notes="Initial release")
            )
        except NotMade as e:
            return _refused(str(e))

    def rpc_create_dataset_version(self, request: Request, f: Fields) -> Fields:
        return self._add(self._item(f), f.get("body") or {})

    def rpc_create_dataset_version_by_id(self, request: Request, f: Fields) -> Fields:
        item = self.versions.numbered(KIND, f.get("id", 0))
        if item is None:
            raise Refused(404, f"Dataset {f.get('id', 0)} was not found.")
        return self._add(item, f.get("body") or {})

    def rpc_get_dataset_status(self, request: Request, f: Fields) -> Fields:
        return {"status": self.versions.all(self._item(f))[0]["status"]}

    def rpc_delete_dataset(self, request: Request, f: Fields) -> Fields:
        self.versions.delete(self._item(f))
        return {}

    def _add(self, item: Fields, body: Fields) -> Fields:
        if errors := _subtitle_errors(text(body, "subtitle")):
            return _refused(" ".join(errors))
        said = {
            "subtitle": text(body, "subtitle"),
            "description": text(body, "description"),
            "keywords": texts(body, "categoryIds"),
        }
        facts = {k: v for k, v in said.items() if v}
        try:
            self.versions.add(
                item,
                body,
                notes=text(body, "versionNotes"),
                replaces_all=bool(body.get("deleteOldVersions")),
                facts=facts,
            )
        except NotMade as e:
            return _refused(str(e))
        return _made(item)

    def _item(self, f: Fields) -> Fields:
        "The dataset asked for."
        return self.versions.asked(
            KIND, "dataset", f.get("ownerSlug", ""), f.get("datasetSlug", ""), user=self.user
        )

    def _version(self, f: Fields) -> tuple[Fields, int | None]:
        "The dataset and version asked for: None means the newest that is ready."
        item, number = self._item(f), int(f.get("datasetVersionNumber") or 0) or None
        if number is not None and self.versions.ready(item, number) is None:
            raise Refused(404, f"Dataset {item['handle']} has no version {number} that is ready.")
        return item, number

    def _titled(self, title: str) -> Fields | None:
        return next(
            (d for d in self.versions.items(KIND) if d["facts"]["title"].lower() == title.lower()),
            None,
        )

    def _files(self, item: Fields, number: int | None) -> list[Fields]:
        version = self.versions.ready(item, number)
        known = {e["path"]: e for e in json.loads(version["plan"])} if version else {}
        return [
            {
                "ref": n,
                "name": n,
                "datasetRef": item["handle"],
                "ownerRef": _owner(item),
                "totalBytes": p.stat().st_size,
                "creationDate": changed(p),
                "fileType": p.suffix,
                "description": known.get(n, {}).get("description", ""),
                "columns": known.get(n, {}).get("columns", []),
            }
            for n, p in self.versions.files(KIND, item["handle"], number).items()
        ]

    def _facts(self, item: Fields, *, whole: bool = False) -> Fields:
        facts, versions, owner = item["facts"], self.versions.all(item), _owner(item)
        current = (
            self.versions.ready(item) or versions[0]
        )  # a version that is being processed is not shown yet
        return {
            "id": item["id"],
            "ref": item["handle"],
            "title": facts["title"],
            "subtitle": facts.get("subtitle", ""),
            "creatorName": owner,
            "creatorUrl": f"https://www.kaggle.com/{owner}",
            "totalBytes": current["size"],
            "url": _url(item),
            "lastUpdated": item["changed"],
            "downloadCount": item["downloads"],
            "isPrivate": facts["isPrivate"],
            "licenseName": facts.get("licenseName", ""),
            "description": facts.get("description", ""),
            "ownerName": owner,
            "ownerRef": owner,
            "currentVersionNumber": current["number"],
            "tags": [{"ref": t, "name": t} for t in facts.get("keywords", [])],
            **(
                {
                    "files": self._files(item, None),
                    "versions": [
                        {
                            "versionNumber": v["number"],
                            "creationDate": v["date"],
                            "creatorName": owner,
                            "creatorRef": owner,
                            "versionNotes": v["notes"],
                            "status": v["status"],
                        }
                        for v in versions
                    ],
                }
                if whole
                else {}
            ),
        }


def _owner(item: Fields) -> str:
    return str(item["handle"].split("/")[0])


def _slug(item: Fields) -> str:
    return str(item["handle"].split("/")[1])


def _url(item: Fields) -> str:
    return f"https://www.kaggle.com/datasets/{item['handle']}"


def _made(item: Fields) -> Fields:
    return {"ref": item["handle"], "url": _url(item), "status": "ok", "invalidTags": []}


def _refused(error: str) -> Fields:
    return {"status": "error", "error": error, "invalidTags": []}


def _taken(title: str) -> str:
    return f'The requested title "{title}" is already in use by a dataset. Please choose another title.'


def _slug_errors(slug: str) -> list[str]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", slug) or "INSERT_" in slug:
        return [f"The dataset slug {slug!r} may hold letters, digits and hyphens only."]
    return [] if 6 <= len(slug) <= 50 else ["The dataset slug must be between 6 and 50 characters."]


def _title_errors(title: str) -> list[str]:
    if "INSERT_" in title:
        return ["Default title detected, please change values before uploading."]
    return (
        [] if 6 <= len(title) <= 50 else ["The dataset title must be between 6 and 50 characters."]
    )


def _subtitle_errors(subtitle: str) -> list[str]:
    return (
        []
        if not subtitle or 20 <= len(subtitle) <= 80
        else ["Subtitle length must be between 20 and 80 characters."]
    )
