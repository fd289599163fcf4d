"""The model endpoints: what each RPC method of ModelApiService answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .rpc import Fields, Refused, Service, changed, page, text
from .transfers import Transfers
from .versions import NotMade, Versions, split_version

KIND, MODEL = "models", "model"  # a variation with its versions; the model it belongs to
_PREFIX = "MODEL_FRAMEWORK_"
_FRAMEWORKS = (
    "TENSOR_FLOW_1",
    "TENSOR_FLOW_2",
    "TF_LITE",
    "TF_JS",
    "PY_TORCH",
    "JAX",
    "FLAX",
    "PAX",
    "MAX_TEXT",
    "GEMMA_CPP",
    "GGML",
    "GGUF",
    "CORAL",
    "SCIKIT_LEARN",
    "MXNET",
    "ONNX",
    "KERAS",
    "TRANSFORMERS",
    "API",
    "OTHER",
    "TENSOR_RT_LLM",
    "TRITON",
    "VLLM",
)
_MODEL_FACTS = ("title", "subtitle", "isPrivate", "description", "publishTime", "provenanceSources")
_FACTS = (
    "overview",
    "usage",
    "fineTunable",
    "trainingData",
    "licenseName",
    "modelInstanceType",
    "baseModelInstance",
    "externalBaseModelUrl",
)


@dataclass
class ModelService(Service):
    "The methods, by their RPC names."

    versions: Versions
    transfers: Transfers
    user: str

    def folder(self, handle: str, version: int | None = None) -> Path | None:
        """Return the files of owner/model/framework/variation, or of that and /version; None where there is none.

        By default they are those of the newest version that is ready; the folder has the version's number as its name.
        """
        parts, number = split_version(handle, 4)
        return self.versions.folder(
            KIND,
            "/".join([*parts[:2], *map(framework_slug, parts[2:3]), *parts[3:]]),
            version or number,
        )

    def rpc_list_models(self, request: Request, f: Fields) -> Fields:
        owner, words = f.get("owner", "").lower(), f.get("search", "").lower()
        found = [
            m
            for m in self.versions.items(MODEL)
            if owner in ("", _owner(m))
            and words in f"{m['handle']} {m['facts']['title']}".lower()
            and (owner == self.user.lower() or not m["facts"]["isPrivate"])
        ]  # your private ones, when you ask for yours
        order = f.get("sortBy", "").upper().removeprefix("LIST_MODELS_ORDER_BY_")
        if order in ("CREATE_TIME", "DOWNLOAD_COUNT"):
            found.sort(
                key=lambda m: m["id"] if order == "CREATE_TIME" else self._downloads(m),
                reverse=True,
            )
        return {**page("models", [self._model(m) for m in found], f), "totalResults": len(found)}

    def rpc_get_model(self, request: Request, f: Fields) -> Fields:
        return self._model(self._item(f))

    def rpc_create_model(self, request: Request, f: Fields) -> Fields:
        owner, slug, title = text(f, "ownerSlug"), text(f, "slug"), text(f, "title")
        if owner.lower() != self.user.lower():
            raise Refused(403, "Permission 'models.create' was denied")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", slug) or len(slug) > 50:
            return _refused(
                f"The model slug {slug!r} may hold letters, digits and hyphens only, 50 at most."
            )
        if not title or "INSERT_" in title:
            return _refused("The model needs a title.")
        facts = {"isPrivate": False, **{k: f[k] for k in _MODEL_FACTS if k in f}}
        try:
            return self._made(self.versions.create(MODEL, f"{owner}/{slug}", facts))
        except NotMade as e:
            return _refused(str(e), 409)

    def rpc_update_model(self, request: Request, f: Fields) -> Fields:
        item = self._item(f)
        self.versions.change(item, _masked(f, _MODEL_FACTS))
        return self._made(item)

    def rpc_delete_model(self, request: Request, f: Fields) -> Fields:
        item = self._item(f)
        for instance in self._instances(item):
            self.versions.delete(instance)
        self.versions.delete(item)
        return {}

    def rpc_create_model_instance(self, request: Request, f: Fields) -> Fields:
        model, body = self._item(f), f.get("body") or {}
        slug = text(body, "instanceSlug")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", slug):
            return _refused(
                f"The variation {slug!r} may hold letters, digits, hyphens, points and underscores only."
            )
        handle = f"{model['handle']}/{_framework(body)}/{slug}"
        facts = {"framework": _FULL[_framework(body)], **{k: body[k] for k in _FACTS if k in body}}
        if self.versions.item(KIND, handle):
            return _refused(f"A variation {slug!r} with this framework exists already.", 409)
        try:
            return self._made(
                self.versions.create(
                    KIND, handle, facts, files=body, notes=text(body, "versionNotes")
                )
            )
        except NotMade as e:
            return _refused(str(e))

    def rpc_create_model_instance_version(self, request: Request, f: Fields) -> Fields:
        item, body = self._instance(f), f.get("body") or {}
        try:
            number = self.versions.add(item, body, notes=text(body, "versionNotes"))
        except NotMade as e:
            return _refused(str(e))
        return self._made(item, number)

    def rpc_get_model_instance(self, request: Request, f: Fields) -> Fields:
        return self._facts(self._instance(f))

    def rpc_update_model_instance(self, request: Request, f: Fields) -> Fields:
        item = self._instance(f)
        self.versions.change(item, _masked(f, _FACTS))
        return self._made(item)

    def rpc_delete_model_instance(self, request: Request, f: Fields) -> Fields:
        self.versions.delete(self._instance(f))
        return {}

    def rpc_delete_model_instance_version(self, request: Request, f: Fields) -> Fields:
        item, number = self._instance(f), int(f.get("versionNumber") or 0)
        if number not in [v["number"] for v in self.versions.all(item)]:
            raise Refused(404, f"Model {item['handle']} has no version {number}.")
        if len(self.versions.all(item)) == 1:
            return {"error": "This is the only version. Delete the variation instead."}
        self.versions.delete(item, number)
        return {}

    def rpc_list_model_instances(self, request: Request, f: Fields) -> Fields:
        return page(
            "instances", [self._facts(i, listed=True) for i in self._instances(self._item(f))], f
        )

    def rpc_list_model_instance_versions(self, request: Request, f: Fields) -> Fields:
        model, item = self._item(f), self._instance(f)
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
        cut = page("versions", rows, f)
        return {"versionList": {"versions": cut["versions"]}, "nextPageToken": cut["nextPageToken"]}

    def rpc_list_model_instance_version_files(self, request: Request, f: Fields) -> Fields:
        files = self._files(self._instance(f), f)
        return page(
            "files",
            [
                {"name": n, "size": p.stat().st_size, "creationDate": changed(p)}
                for n, p in files.items()
            ],
            f,
        )

    def rpc_download_model_instance_version(self, request: Request, f: Fields) -> Response:
        item = self._instance(f)
        files, name = self._files(item, f), f.get("path", "")
        if name and name not in files:
            raise Refused(404, f"File {name!r} was not found in {item['handle']}.")
        self.versions.count_download(item)
        file = files[name] if name else self.transfers.packed(files, "archive.tar.gz")
        return RedirectResponse(
            self.transfers.link(request, file, Path(name).name or "archive.tar.gz"), 302
        )

    def rpc_upload_model_file(self, request: Request, f: Fields) -> Fields:
        return self.transfers.upload(request, f.get("fileName", ""), int(f.get("contentLength", 0)))

    def _item(self, f: Fields) -> Fields:
        "The model asked for."
        return self.versions.asked(
            MODEL, "model", f.get("ownerSlug", ""), f.get("modelSlug", ""), user=self.user
        )

    def _instance(self, f: Fields) -> Fields:
        handle = f"{self._item(f)['handle']}/{_framework(f)}/{f.get('instanceSlug', '')}"
        item = self.versions.item(KIND, handle)
        if item is None:
            raise Refused(404, f"Model variation {handle} was not found.")
        return item

    def _instances(self, model: Fields) -> list[Fields]:
        return [
            i for i in self.versions.items(KIND) if i["handle"].startswith(f"{model['handle']}/")
        ]

    def _files(self, item: Fields, f: Fields) -> dict[str, Path]:
        number = int(f.get("versionNumber") or 0) or None
        if self.versions.ready(item, number) is None:
            raise Refused(
                404,
                f"Model {item['handle']} has no version{f' {number}' if number else ''} that is ready.",
            )
        return self.versions.files(KIND, item["handle"], number)

    def _downloads(self, model: Fields) -> int:
        return sum(i["downloads"] for i in self._instances(model))

    def _made(self, item: Fields, number: int | None = None) -> Fields:
        ref = item["handle"] + (f"/{number}" if number else "")
        return {"id": item["id"], "ref": ref, "url": _url(ref)}

    def _model(self, item: Fields) -> Fields:
        facts = item["facts"]
        return {
            "subtitle": "",
            "description": "",
            "publishTime": item["created"],
            "provenanceSources": "",
            **facts,
            "id": item["id"],
            "ref": item["handle"],
            "author": _owner(item),
            "slug": item["handle"].split("/")[1],
            "instances": [self._facts(i) for i in self._instances(item)],
            "tags": [],
            "url": _url(item["handle"]),
            "updateTime": item["changed"],
        }

    def _facts(self, item: Fields, *, listed: bool = False) -> Fields:
        "A variation as Kaggle shows it; in its lists it has more fields."
        owner, model, _, slug = item["handle"].split("/")
        facts = {
            "overview": "",
            "usage": "",
            "fineTunable": False,
            "trainingData": [],
            "licenseName": "",
            "externalBaseModelUrl": "",
            **item["facts"],
        }
        base = facts.pop("baseModelInstance", "").split("/")
        current = self.versions.ready(item) or self.versions.all(item)[0]
        if len(base) == 4 and framework_slug(base[2]) in _FULL:
            facts["baseModelInstanceInformation"] = {
                "owner": {"slug": base[0]},
                "modelSlug": base[1],
                "framework": _FULL[framework_slug(base[2])],
                "instanceSlug": base[3],
            }
        shown = {
            **facts,
            "id": item["id"],
            "slug": slug,
            "versionId": _version_id(item, current),
            "versionNumber": current["number"],
            "url": _url(item["handle"]),
            "totalUncompressedBytes": current["size"],
        }
        if listed:
            shown |= {
                "ownerSlug": owner,
                "modelSlug": model,
                "versionNotes": current["notes"],
                "status": current["status"],
                "errorMessage": current["error"],
                "creationStatus": {"status": current["status"], "versionNumber": current["number"]},
            }
        return shown


def framework_slug(name: str) -> str:
    "Return a framework as handles and folders write it, from its enum name or any spelling: MODEL_FRAMEWORK_PY_TORCH, PyTorch -> pytorch."
    return re.sub(r"[^a-z0-9]", "", name.upper().removeprefix(_PREFIX).lower())


_FULL = {framework_slug(name): _PREFIX + name for name in _FRAMEWORKS}


def _framework(f: Fields) -> str:
    "The framework a request names, as a folder name."
    slug = framework_slug(f.get("framework", ""))
    if slug not in _FULL:
        raise Refused(
            400,
            f"framework = {f.get('framework', '')!r} is not a framework. Known: {', '.join(_FULL)}.",
        )
    return slug


def _masked(f: Fields, known: tuple[str, ...]) -> Fields:
    "The facts an update names; a field left out has its default."
    names = [
        re.sub(r"_(\w)", lambda m: m[1].upper(), n) for n in f.get("updateMask", "").split(",") if n
    ]
    defaults = {"isPrivate": False, "fineTunable": False, "trainingData": []}
    return {n: f.get(n, defaults.get(n, "")) for n in names if n in known}


def _version_id(item: Fields, version: Fields) -> int:
    return int(item["id"]) * 1000 + int(version["number"])


def _owner(item: Fields) -> str:
    return str(item["handle"].split("/")[0])


def _url(ref: str) -> str:
    return f"https://www.kaggle.com/models/{ref}"


def _refused(error: str, code: int = 400) -> Fields:
    return {"error": error, "errorCode": code}
