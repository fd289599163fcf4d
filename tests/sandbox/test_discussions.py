"""Topics and forums, by the commands of kaggle's client."""

import csv
import io

import pytest

FORUM = "discussions.DiscussionApiService"


@pytest.fixture(autouse=True)
def topic(bundles):
    """A topic that the bundle brings."""
    (bundles / "toy/topics").mkdir()
    text = "# How I reached 0.98\n\nWith <b>care</b> and folds.\n"
    (bundles / "toy/topics/695158.md").write_text(text)


def rows(done) -> list[dict]:
    assert done.returncode == 0, done.stdout + done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_a_competition_has_a_welcome_and_the_topics_of_its_bundle(kaggle):
    listed = rows(kaggle("competitions", "topics", "list", "toy", "-v", "-q"))
    assert [t["title"] for t in listed] == ["Welcome to Toy", "How I reached 0.98"]
    shown = kaggle("competitions", "topics", "show", "toy/695158").stdout
    assert "How I reached 0.98" in shown and "With care and folds." in shown
    messages = rows(kaggle("competitions", "topic-messages", "toy", "695158", "-v"))
    assert [m["id"] for m in messages] == ["695158"]
    assert kaggle("competitions", "topics", "list", "unknown-one").returncode != 0


def test_forums(kaggle, call):
    names = {f["name"] for f in rows(kaggle("forums", "list", "-v"))}
    assert {"General", "Getting Started"} <= names
    everything = rows(kaggle("forums", "topics", "list", "-v", "-q"))
    assert len(everything) == 5  # a welcome for each of four competitions, and the bundle's topic
    assert "No topics" in kaggle("forums", "topics", "list", "getting-started").stdout
    found = rows(kaggle("forums", "topics", "list", "--search", "FOLDS", "-v", "-q"))
    assert [t["id"] for t in found] == ["695158"]
    paged = call("ListTopics", service=FORUM, pageSize=2).json()
    assert len(paged["topics"]) == 2 and paged["totalCount"] == 5 and paged["nextPageToken"]
    assert call("GetTopic", service=FORUM, id=7).status_code == 404
    assert call("ListComments", service=FORUM, topicId=695158).json()["comments"] == []


@pytest.mark.parametrize("other", ["ListDatasetTopics", "ListModelTopics", "ListKernelTopics"])
def test_topics_of_an_owner_that_does_not_exist(call, other):
    names = {f"{kind}Slug": "nothing" for kind in ("dataset", "model", "kernel")}
    answer = call(other, service=FORUM, ownerSlug="somebody", **names)
    assert answer.status_code in (403, 404)
    benchmarks = call("ListBenchmarkTopics", service=FORUM, ownerSlug="a", benchmarkSlug="b")
    assert benchmarks.json() == {"topics": [], "nextPageToken": "", "totalCount": 0}
