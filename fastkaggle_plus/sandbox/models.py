"""The model endpoints: the RPC methods of ModelApiService."""

import re
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from .licenses import license_errors
from .listing import file_rows
from .rpc import Fields, Refused, Rejected, Row, need, page, public_read
from .versioned_service import VERSION_PATTERN, VersionedService, owner_of, slug_of

MODEL = "model"  # the kind of a model, which has variations
VARIATION = "models"  # the kind of a variation, which has versions and files
_PREFIX = "MODEL_FRAMEWORK_"
_FRAMEWORKS = (
    "TENSOR_FLOW_1 TENSOR_FLOW_2 TF_LITE TF_JS PY_TORCH JAX FLAX PAX MAX_TEXT GEMMA_CPP GGML GGUF "
    "CORAL SCIKIT_LEARN MXNET ONNX KERAS TRANSFORMERS API OTHER TENSOR_RT_LLM TRITON VLLM"
).split()
# The facts of a model and of a variation, with the values of missing ones.
_MODEL_FACTS: Row = {
    **dict.fromkeys("title subtitle description publishTime provenanceSources".split(), ""),
    "isPrivate": False,
}
_VARIATION_FACTS: Row = {
    **dict.fromkeys("overview usage licenseName externalBaseModelUrl".split(), ""),
    **{"modelInstanceType": "", "baseModelInstance": "", "fineTunable": False, "trainingData": []},
}


@dataclass
class ModelService(VersionedService):
    """The methods of ModelApiService."""

    kind, noun, version_field = MODEL, "model", "versionNumber"

    def folder(self, handle: str) -> Path | None:
        """Return the files of owner/model/framework/variation, with or without /version at its end.

        By default the newest version that is ready; the folder is named after the version's number.
        None when there is no such version.
        """
        found = re.fullmatch(f"([^/]+/[^/]+)/([^/]+)/([^/]+){VERSION_PATTERN}", handle)
        if found is None:
            return None
        variation = f"{found[1]}/{framework_slug(found[2])}/{found[3]}"
        return self.versions.folder(VARIATION, variation, int(found[4] or 0))

    def find_folder(self, fields: Fields) -> tuple[str, Path]:
        """Return the handle of a request's variation and the folder of its version."""
        return self.version_folder(self._variation(fields), fields)

    def rejection(self, error: Rejected) -> Row:
        return {"error": str(error), "errorCode": error.code}

    @public_read
    def rpc_list_models(self, fields: Fields) -> Row:
        owner, words = fields.text("owner").lower(), fields.text("search").lower()
        found = [
            m
            for m in self.versions.items(MODEL)
            if owner in ("", owner_of(m))
            and words in f"{m['handle']} {m['facts']['title']}".lower()
            and self.is_visible(m, fields)
            and (owner or not m["facts"]["isPrivate"])
        ]
        order = fields.enum("sortBy", "LIST_MODELS_ORDER_BY_")
        if order == "CREATE_TIME":
            found.sort(key=lambda m: m["id"], reverse=True)
        elif order == "DOWNLOAD_COUNT":
            found.sort(key=lambda m: sum(i["downloads"] for i in self._variations(m)), reverse=True)
        return {
            **page("models", [self._model(m) for m in found], fields),
            "totalResults": len(found),
        }

    @public_read
    def rpc_get_model(self, fields: Fields) -> Row:
        return self._model(self.find(fields))

    def rpc_create_model(self, fields: Fields) -> Row:
        owner, slug, title = fields.text("ownerSlug"), fields.text("slug"), fields.text("title")
        self.need_own(owner)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", slug):
            allowed = "letters, digits, hyphens, dots and underscores only, 50 at most"
            raise Rejected(f"The model slug {slug!r} may hold {allowed}.")
        if not title or "INSERT_" in title:
            raise Rejected("The model needs a title.")
        if self.versions.item(MODEL, f"{owner}/{slug}"):
            raise Rejected(f"The model slug {slug!r} is already used.", 409)
        facts = {"isPrivate": False, **_given(fields, _MODEL_FACTS)}
        return _saved(self.versions.create(MODEL, f"{owner}/{slug}", facts))

    def rpc_update_model(self, fields: Fields) -> Row:
        item = self.find(fields)
        self.versions.change(item, _masked(fields, _MODEL_FACTS))
        return _saved(item)

    def rpc_delete_model(self, fields: Fields) -> Row:
        item = self.find(fields)
        for variation in self._variations(item):
            self.versions.delete(variation)
        self.versions.delete(item)
        return {}

    def rpc_create_model_instance(self, fields: Fields) -> Row:
        model, body = self.find(fields), fields.inner("body")
        slug, framework = body.text("instanceSlug"), _framework(body)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", slug):
            allowed = "letters, digits, hyphens, dots and underscores only"
            raise Rejected(f"The variation {slug!r} may hold {allowed}.")
        if errors := license_errors(body.text("licenseName")):
            raise Rejected(errors[0])
        handle = f"{model['handle']}/{framework}/{slug}"
        facts = {**_given(body, _VARIATION_FACTS), "framework": _ENUM_NAMES[framework]}
        if self.versions.item(VARIATION, handle):
            raise Rejected(f"A variation {slug!r} with this framework already exists.", 409)
        notes = body.text("versionNotes")
        return _saved(self.versions.create(VARIATION, handle, facts, files=body, notes=notes))

    def rpc_create_model_instance_version(self, fields: Fields) -> Row:
        item, body = self._variation(fields), fields.inner("body")
        number = self.versions.add(item, body, notes=body.text("versionNotes"))
        return _saved(item, number)

    @public_read
    def rpc_get_model_instance(self, fields: Fields) -> Row:
        return self._facts(self._variation(fields))

    def rpc_update_model_instance(self, fields: Fields) -> Row:
        item = self._variation(fields)
        self.versions.change(item, _masked(fields, _VARIATION_FACTS))
        return _saved(item)

    def rpc_delete_model_instance(self, fields: Fields) -> Row:
        self.versions.delete(self._variation(fields))
        return {}

    def rpc_delete_model_instance_version(self, fields: Fields) -> Row:
        item, number = self._variation(fields), fields.number("versionNumber")
        numbers = [v["number"] for v in self.versions.all(item)]
        if number not in numbers:
            raise Refused(404, f"Model {item['handle']} has no version {number}.")
        if len(numbers) == 1:
            return {"error": "This is the only version. Delete the variation instead."}
        self.versions.delete_version(item, number)
        return {}

    @public_read
    def rpc_list_model_instances(self, fields: Fields) -> Row:
        rows = [self._listed_facts(i) for i in self._variations(self.find(fields))]
        return page("instances", rows, fields)

    @public_read
    def rpc_list_model_instance_versions(self, fields: Fields) -> Row:
        model, item = self.find(fields), self._variation(fields)
        owner, name, _, slug = item["handle"].split("/")
        rows = [
            {
                "id": _version_id(item, v),
                "framework": item["facts"]["framework"],
                "url": _url(f"{item['handle']}/{v['number']}"),
                "variationSlug": slug,
                "versionNumber": v["number"],
                "modelTitle": model["facts"]["title"],
                "isPrivate": model["facts"]["isPrivate"],
                "modelId": model["id"],
                "ownerSlug": owner,
                "modelSlug": name,
                "modelInstanceId": item["id"],
            }
            for v in self.versions.all(item)
        ]
        cut = page("versions", rows, fields)
        return {"versionList": {"versions": cut["versions"]}, "nextPageToken": cut["nextPageToken"]}

    @public_read
    def rpc_list_model_instance_version_files(self, fields: Fields) -> Row:
        files = self.files(self._variation(fields), fields, must_exist=True)
        return page("files", file_rows(files, "size"), fields)

    @public_read
    def rpc_download_model_instance_version(self, fields: Fields) -> Response:
        name = fields.text("path")
        return self.download(self._variation(fields), fields, name=name, archive="archive.tar.gz")

    def rpc_upload_model_file(self, fields: Fields) -> Row:
        return self.transfers.open_upload(fields)

    def _variation(self, fields: Fields) -> Row:
        handle = f"{self.find(fields)['handle']}/{_framework(fields)}/{fields.text('instanceSlug')}"
        found = self.versions.item(VARIATION, handle)
        return need(found, f"Model variation {handle} was not found.")

    def _variations(self, model: Row) -> list[Row]:
        start = f"{model['handle']}/"
        return [i for i in self.versions.items(VARIATION) if i["handle"].startswith(start)]

    def _model(self, item: Row) -> Row:
        facts = {**_MODEL_FACTS, "publishTime": item["created"], **item["facts"]}
        if facts["isPrivate"]:  # it is not published
            facts.pop("publishTime")
        return {
            **facts,
            "id": item["id"],
            "ref": item["handle"],
            "author": owner_of(item),
            "slug": slug_of(item),
            "instances": [self._facts(i) for i in self._variations(item)],
            "tags": [],
            "url": _url(item["handle"]),
            "updateTime": item["changed"],
        }

    def _facts(self, item: Row) -> Row:
        facts = {**_VARIATION_FACTS, **item["facts"]}
        if "modelInstanceType" not in item["facts"]:  # "" is no member of the protocol's enum
            facts.pop("modelInstanceType")
        base = facts.pop("baseModelInstance").split("/")
        if len(base) == 4 and framework_slug(base[2]) in _ENUM_NAMES:
            facts["baseModelInstanceInformation"] = {
                "owner": {"slug": base[0]},
                "modelSlug": base[1],
                "framework": _ENUM_NAMES[framework_slug(base[2])],
                "instanceSlug": base[3],
            }
        current = self.versions.current(item)
        return {
            **facts,
            "id": item["id"],
            "slug": item["handle"].split("/")[3],
            "versionId": _version_id(item, current),
            "versionNumber": current["number"],
            "url": _url(item["handle"]),
            "totalUncompressedBytes": current["size"],
        }

    def _listed_facts(self, item: Row) -> Row:
        """Return the facts of a variation in a list; Kaggle's lists have more fields."""
        current = self.versions.current(item)
        return {
            **self._facts(item),
            "ownerSlug": owner_of(item),
            "modelSlug": slug_of(item),
            "versionNotes": current["notes"],
            "status": current["status"],
            "errorMessage": current["error"],
            "creationStatus": {"status": current["status"], "versionNumber": current["number"]},
        }


def framework_slug(name: str) -> str:
    """Return a framework as handles write it: pytorch for MODEL_FRAMEWORK_PY_TORCH and PyTorch."""
    return re.sub(r"[^a-z0-9]", "", name.upper().removeprefix(_PREFIX).lower())


_ENUM_NAMES = {framework_slug(name): _PREFIX + name for name in _FRAMEWORKS}


def _framework(fields: Fields) -> str:
    """Return the framework of a request as handles write it."""
    slug = framework_slug(fields.text("framework"))
    if slug not in _ENUM_NAMES:
        known = ", ".join(_ENUM_NAMES)
        given = fields.text("framework")
        raise Refused(400, f"framework = {given!r} is not a framework. Known: {known}.")
    return slug


def _given(fields: Fields, known: Row) -> Row:
    """Return the known facts of a request."""
    return {name: fields[name] for name in known if name in fields}


def _masked(fields: Fields, known: Row) -> Row:
    """Return the facts in an update's mask; a field that is missing gets its default value."""
    mask = fields.text("updateMask").split(",")
    names = [re.sub(r"_(\w)", lambda m: m[1].upper(), n) for n in mask]
    return {n: fields.get(n, known[n]) for n in names if n in known}


def _version_id(item: Row, version: Row) -> int:
    return int(item["id"]) * 1000 + int(version["number"])


def _saved(item: Row, number: int | None = None) -> Row:
    ref = item["handle"] + (f"/{number}" if number else "")
    return {"id": item["id"], "ref": ref, "url": _url(ref)}


def _url(ref: str) -> str:
    return f"https://www.kaggle.com/models/{ref}"
