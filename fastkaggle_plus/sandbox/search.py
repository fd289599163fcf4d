"""The search over everything that the sandbox holds: the RPC method of SearchApiService."""

from collections.abc import Callable
from dataclasses import dataclass

from .rpc import Fields, Row, Service, need, page

_DATES = {"DATE_CREATED": "createTime", "DATE_UPDATED": "updateTime", "LAST_VIEWED": "updateTime"}
_EVERYTHING = 1000  # rows that one list gives


@dataclass
class SearchService(Service):
    """The methods of SearchApiService."""

    services: dict[str, Service]  # competition, dataset, kernel, model and topic, by document type
    user: str

    def rpc_list_entities(self, fields: Fields) -> Row:
        filters = fields.inner("filters")
        kinds = filters.texts("documentTypes") or list(_SEARCHES)
        query = filters.text("query").strip()
        asked = fields.replaced(
            {
                **dict.fromkeys(("search", "searchQuery"), query),
                **{"group": "", "pageToken": "", "pageSize": _EVERYTHING},
            }
        )
        found = [row for kind in kinds for row in self._search(kind.upper(), asked)]
        if filters.text("listType") == "API_LIST_TYPE_YOUR_WORK":
            found = [r for r in found if r["ownerUser"]["userName"].lower() == self.user.lower()]
        wanted = filters.enum("privacy")
        if wanted in ("PRIVATE", "PUBLIC"):
            found = [r for r in found if r["isPrivate"] == (wanted == "PRIVATE")]
        order = fields.enum("canonicalOrderBy", "LIST_SEARCH_CONTENT_ORDER_BY_")
        if column := _DATES.get(order):
            found.sort(key=lambda r: r.get(column, ""), reverse=True)
        return {**page("documents", found, fields), "totalDocuments": len(found)}

    def _search(self, kind: str, asked: Fields) -> list[Row]:
        """Return the documents of one kind that match a query; none of an unknown kind."""
        if kind == "USER" and asked.text("search").lower() in self.user.lower():
            return [_document("USER", id=1, slug=self.user, title=self.user, owner=self.user)]
        if kind not in _SEARCHES:
            return []
        method, key, to_document = _SEARCHES[kind]
        call = need(self.services[kind].method(method), f"The sandbox has no {method}.")
        requests = [asked]
        if kind == "DATASET":
            requests = [asked.replaced({"group": "DATASET_SELECTION_GROUP_ALL"})]
        elif kind == "MODEL":  # a user's private models are listed only by their owner's name
            requests.append(asked.replaced({"owner": self.user}))
        rows = {row["id"]: row for fields in requests for row in call(fields)[key]}
        return [to_document(row) for row in rows.values()]


def _document(
    kind: str,
    *,
    id: int,
    slug: str,
    title: str,
    owner: str,
    created: str = "",
    updated: str = "",
    private: bool = False,
) -> Row:
    dates = {"createTime": created or updated, "updateTime": updated or created}
    return {
        "id": id,
        "documentType": kind,
        "slug": slug,
        "title": title,
        "votes": 0,
        "isPrivate": private,
        "ownerUser": {"id": 1, "userName": owner, "displayName": owner},
        **{name: value for name, value in dates.items() if value},
    }


def _competition(row: Row) -> Row:
    return _document(
        "COMPETITION",
        id=row["id"],
        slug=row["ref"].rpartition("/")[2],
        title=row["title"],
        owner=row["hostName"],
        created=row["dateCreated"],
    )


def _owned(kind: str, date: str) -> Callable[[Row], Row]:
    """Return the function that makes a document of a dataset, a model or a kernel."""

    def to_document(row: Row) -> Row:
        owner, _, slug = row["ref"].partition("/")
        return _document(
            kind,
            id=row["id"],
            slug=slug,
            title=row["title"],
            owner=owner,
            updated=row.get(date, ""),
            private=bool(row["isPrivate"]),
        )

    return to_document


def _topic(row: Row) -> Row:
    facts = {"slug": str(row["id"]), "owner": row["authorName"], "created": row["postDate"]}
    return _document("TOPIC", id=row["id"], title=row["title"], **facts)


# Document type -> (method that lists them, its list, function that makes a document of a row)
_SEARCHES: dict[str, tuple[str, str, Callable[[Row], Row]]] = {
    "COMPETITION": ("ListCompetitions", "competitions", _competition),
    "DATASET": ("ListDatasets", "datasets", _owned("DATASET", "lastUpdated")),
    "KERNEL": ("ListKernels", "kernels", _owned("KERNEL", "lastRunTime")),
    "MODEL": ("ListModels", "models", _owned("MODEL", "updateTime")),
    "TOPIC": ("ListTopics", "topics", _topic),
}
