"""The discussion endpoints: forums, topics and messages. Only a bundle can add to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .bundles import Bundle
from .leaderboard_file import number_of
from .rpc import Fields, Row, Service, modified, need, page

_FORUMS = ("General", "Getting Started", "Product Feedback", "Questions & Answers")
_WELCOME = (
    "This competition runs in a sandbox on your own machine. Try everything: "
    "nothing that you send here reaches Kaggle."
)
_ALL = ("", "UNSPECIFIED", "ALL")


@dataclass(frozen=True)
class Topic:
    """A topic of a competition: the welcome of the sandbox, or a file in the bundle."""

    id: int
    slug: str  # of the competition
    title: str
    content: str
    date: str

    @property
    def url(self) -> str:
        """The address that the topic would have on Kaggle."""
        return f"https://www.kaggle.com/competitions/{self.slug}/discussion/{self.id}"


@dataclass
class DiscussionService(Service):
    """The methods of DiscussionApiService, and those of CompetitionApiService about topics."""

    bundles: dict[str, Bundle]
    # raise Refused unless the dataset, model or kernel of a request exists
    owners: dict[str, Callable[[Fields], object]] = field(default_factory=dict)

    def rpc_list_forums(self, fields: Fields) -> Row:
        url = "https://www.kaggle.com/discussions"
        return {
            "forums": [
                {"id": i, "name": name, "url": f"{url}/{_slug(name)}", "subtitle": ""}
                for i, name in enumerate(_FORUMS, 1)
            ]
        }

    def rpc_list_topics(self, fields: Fields) -> Row:
        forum = fields.text("forumSlug")
        if forum in map(_slug, _FORUMS):
            return self._empty(fields)
        topics = self._topics(need_bundle(self.bundles, forum)) if forum else self._all()
        is_here = fields.enum("category", "TOPIC_LIST_CATEGORY_") in (*_ALL, "COMPETITIONS")
        if not is_here or fields.enum("group", "TOPIC_LIST_GROUP_") not in _ALL:
            return self._empty(fields)
        words = fields.text("searchQuery").lower()
        found = [t for t in topics if words in f"{t.title} {t.content} {t.slug}".lower()]
        rows = [_topic_row(t) for t in _sorted(found, fields)]
        return {**page("topics", rows, fields), "totalCount": len(rows)}

    def rpc_list_dataset_topics(self, fields: Fields) -> Row:
        return self._empty(fields, of="dataset")

    def rpc_list_kernel_topics(self, fields: Fields) -> Row:
        return self._empty(fields, of="kernel")

    def rpc_list_model_topics(self, fields: Fields) -> Row:
        return self._empty(fields, of="model")

    def rpc_list_benchmark_topics(self, fields: Fields) -> Row:
        return self._empty(fields)

    def rpc_get_topic(self, fields: Fields) -> Row:
        return {"topic": _topic_row(self._topic(fields.number("id")))}

    def rpc_list_comments(self, fields: Fields) -> Row:
        self._topic(fields.number("topicId"))
        return page("comments", [], fields)

    def rpc_list_competition_topics(self, fields: Fields) -> Row:
        topics = self._topics(need_bundle(self.bundles, fields.text("competitionName")))
        rows = [
            {
                "id": t.id,
                "title": t.title,
                "topicUrl": t.url,
                "authorName": "sandbox",
                **dict.fromkeys(("postDate", "lastCommentPostDate"), t.date),
            }
            for t in _sorted(topics, fields)
        ]
        return {"topics": page("topics", rows, fields)["topics"], "totalCount": len(rows)}

    def rpc_list_topic_messages(self, fields: Fields) -> Row:
        topic, slug = self._topic(fields.number("topicId")), fields.text("competitionName")
        found = topic if topic.slug == slug else None
        topic = need(found, f"Topic {topic.id} was not found in {slug}.")
        text = dict.fromkeys(("content", "rawMarkdown"), topic.content)
        message = {"id": topic.id, "postDate": topic.date, "authorName": "sandbox", **text}
        return {"messages": [message]}

    def _empty(self, fields: Fields, *, of: str = "") -> Row:
        """Return no topics, for a forum or for an owner that exists."""
        if of:
            self.owners[of](fields)
        return {**page("topics", [], fields), "totalCount": 0}

    def _topic(self, id: int) -> Topic:
        return need(
            next((t for t in self._all() if t.id == id), None), f"Topic {id} was not found."
        )

    def _all(self) -> list[Topic]:
        return [t for bundle in self.bundles.values() for t in self._topics(bundle)]

    def _topics(self, bundle: Bundle) -> list[Topic]:
        title = f"Welcome to {bundle.comp.title or bundle.slug}"
        date = modified(bundle.folder / "competition.toml")
        written = [_read_topic(bundle.slug, file) for file in bundle.topics]
        return [Topic(number_of(bundle.slug), bundle.slug, title, _WELCOME, date), *written]


def need_bundle(bundles: dict[str, Bundle], slug: str) -> Bundle:
    """Return a competition; an unknown one is forbidden, as on Kaggle. Raises Refused."""
    return need(bundles.get(slug), "Permission 'competitions.get' was denied", status=403)


def _read_topic(slug: str, file: Path) -> Topic:
    """Read a file: its name is the topic's number, its first line the title."""
    title, _, content = file.read_text(encoding="utf-8").partition("\n")
    return Topic(int(file.stem), slug, title.lstrip("# "), content.strip(), modified(file))


def _sorted(topics: Sequence[Topic], fields: Fields) -> list[Topic]:
    """Return topics in the order of a request: the newest first, or as they are."""
    is_by_date = fields.enum("sortBy", "TOPIC_LIST_SORT_BY_") in ("NEW", "RECENT", "ACTIVE")
    return sorted(topics, key=lambda t: t.date, reverse=True) if is_by_date else list(topics)


def _topic_row(topic: Topic) -> Row:
    return {
        "id": topic.id,
        "title": topic.title,
        "url": topic.url,
        "authorName": "sandbox",
        "authorUrl": "https://www.kaggle.com/sandbox",
        "forumName": topic.slug,
        "content": topic.content,
        **dict.fromkeys(("postDate", "lastCommentDate"), topic.date),
    }


def _slug(name: str) -> str:
    return name.lower().replace(" & ", "-and-").replace(" ", "-")
