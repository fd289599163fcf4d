"""The report in a browser: readable on a phone and in the dark, complete, in people's words."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fastkaggle_plus import Competition, Data, Table, Trial, board, ensemble
from fastkaggle_plus.data import ImageFiles
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reporting import plot_confused, plot_worst_photos, write_report

from ..making import make_predictions, make_values

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SIZES = {"phone": (390, 844), "desktop": (1200, 900)}
CLASSES = ("bacterial_leaf_blight", "blast", "<b>normal</b>")
TRIALS = (
    Trial("forest", "forest.forest_model", {}, "Many trees beat one."),
    Trial("a net with a rather long name", "tabular.tabular_model", {}, "Nets make other errors."),
    Trial("broken", "forest.forest_model", {}, "This one fails.", in_ensemble=False),
)
STANDING = {
    "public_score": 0.91,
    "private_score": 0.9,
    "public_rank": 1,
    "private_rank": 2,
    "entries": (
        {"team": "kaggler", "public_score": 0.91, "private_score": 0.9, "ours": True},
        {"team": "sample submission", "public_score": 0.5, "private_score": 0.5},
    ),
}
CHECKS = """() => ({
    width: document.documentElement.scrollWidth,
    first: document.body.innerText.trim().split('\\n')[0],
    back: getComputedStyle(document.body).backgroundColor,
    plotText: getComputedStyle(document.querySelector('svg text')).fill,
    nameless: [...document.querySelectorAll('img, svg')].filter(
        e => !(e.getAttribute('alt') || e.getAttribute('aria-label'))).length,
    pictures: [...document.images].map(e => e.naturalWidth),
    plots: [...new Set([...document.querySelectorAll('.figures svg')].map(
        e => Math.round(e.getBoundingClientRect().width)))],
    tables: [...document.querySelectorAll('.scroll')].map(e => e.scrollWidth > e.clientWidth),
    header: [...document.querySelectorAll('.trials th')].map(e => e.innerText),
    rows: [...document.querySelectorAll('.trials tbody tr')].map(
        r => [...r.cells].map(c => c.innerText)),
    cards: [...document.querySelectorAll('.cards > div')].map(e => e.innerText),
    small: [...document.querySelectorAll('body *')].filter(e => e.children.length == 0
        && !e.closest('svg') && e.textContent.trim() && e.getClientRects().length
        && parseFloat(getComputedStyle(e).fontSize) < 12).length,
})"""


def make_comp(kind="tabular", metric="accuracy", task="multiclass"):
    return Competition(
        slug="toy", title="Toy", kind=kind, task=task, metric=metric, id="id", target="y"
    )


def make_data(preds, *, texts=None, images=None) -> Data:
    """Return data with the rows of these predictions."""
    n = len(preds.ids)
    raw = pd.DataFrame({"id": preds.ids, "y": preds.targs, "age": np.arange(n) / 4, "city": "Rome"})
    if texts is not None:
        raw, texts = raw.assign(**texts), pd.DataFrame(texts)
    table = Table(
        raw[["age"]], preds.targs, (), ("age",), preds.task, preds.vocab, images=images, texts=texts
    )
    sample = pd.DataFrame({"id": preds.test_ids, "y": 0})
    return Data(table, table.take(np.arange(20)), preds.ids, preds.test_ids, sample, raw, raw)


def written(folder, members, **options):
    """Write a report of some predictions, and return its path."""
    given = dict(comp=make_comp(), ensemble=ensemble(members), trials=TRIALS, standing=STANDING)
    given |= {"rows": board(members), "members": members}
    return write_report(folder / "report.html", **given | options)


def table_of(html: str, start: str) -> str:
    """Return the texts of the first table after some words."""
    table = html[html.index(start) :].split("<tbody>")[1].split("</tbody>")[0]
    return re.sub(r"<[^>]*>", " ", table)


@pytest.fixture(scope="module")
def members():
    forest = make_predictions("forest", vocab=CLASSES, right=0.95)
    net = make_predictions("a net with a rather long name", vocab=CLASSES, right=0.8, seed=1)
    return [dataclasses.replace(forest, importances={"age": 0.7, "city": 0.3}), net]


@pytest.fixture(scope="module")
def photos(tmp_path_factory, members):
    """Images of the rows: the last one of them is no image."""
    folder, preds = tmp_path_factory.mktemp("photos"), members[0]
    for i in range(len(preds.ids)):
        Image.new("RGB", (300, 400), (i, 99, 50)).save(folder / f"{i}.jpg")
    (folder / "broken.jpg").write_text("no image")
    files = [str(folder / f"{i}.jpg") for i in range(len(preds.ids))]
    wrong = np.flatnonzero(preds.oof.argmax(1) != preds.targs)[0]
    files[wrong] = str(folder / "broken.jpg")
    return ImageFiles(tuple(files), np.arange(len(files)))


@pytest.fixture(scope="module")
def reports(tmp_path_factory, members, photos):
    """Return a report of images, one of a table, one of texts and one of a single trial."""
    folder, failed = tmp_path_factory.mktemp("reports"), {"broken": "Trace\nValueError: <oops>"}
    values = [
        make_values("forest"),
        make_values("a net with a rather long name", noise=0.7, seed=1),
    ]
    n = len(members[0].ids)
    pairs = {"anchor": ["a phrase"] * n, "target": ["a very long other phrase " * 40] * n}

    def make(name, preds, **options):
        (folder / name).mkdir()
        return written(folder / name, preds, **options)

    regression = make_comp("text", "rmse", "regression")
    return {
        "images": make(
            "images",
            members,
            comp=make_comp("images"),
            data=make_data(members[0], images=photos),
            failed=failed,
            left_out={"id": "id", "note": "not in the test file"},
        ),
        "table": make("table", members, data=make_data(members[0]), is_live=True),
        "texts": make("texts", values, comp=regression, data=make_data(values[0], texts=pairs)),
        "one": make("one", values[:1], comp=make_comp("tabular", "rmse", "regression")),
    }


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here; Debian: apt-get install chromium")
    with sync_api.sync_playwright() as p:
        yield p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(reports, browser, size, scheme):
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, is_mobile=size == "phone")
    for name, file in reports.items():
        page, asked = context.new_page(), []
        page.on("request", lambda r, asked=asked: asked.append(r.url))
        page.goto(file.as_uri())
        seen = page.evaluate(CHECKS)
        assert seen["width"] <= width, name  # nothing to scroll sideways
        assert not seen["nameless"] and not seen["small"] and all(seen["pictures"])
        assert len(seen["plots"]) == 1, seen["plots"]  # one width
        assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
        assert seen["first"].startswith("Live: " if name == "table" else "Rehearsal: ")
        assert seen["tables"][0] is (size == "phone"), name  # the table scrolls, not the page
        light, dark = "rgb(29, 37, 43)", "rgb(230, 234, 237)"
        assert seen["plotText"] == (dark if scheme == "dark" else light)
        assert (seen["back"] == "rgb(255, 255, 255)") == (scheme == "light")
        page.close()
    context.close()


@pytest.mark.slow
def test_the_trials_table_in_a_browser(reports, browser):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(reports["images"].as_uri())
    seen = page.evaluate(CHECKS)
    header = ["trial", "CV score", "verdict", "hypothesis", "to best", "± SE", "weight", "seconds"]
    assert seen["header"] == [*header, "peak MB"]
    by_name = {
        row[0]: dict(zip(seen["header"], row, strict=row[0] != "broken")) for row in seen["rows"]
    }
    assert list(by_name)[-1] == "broken"
    assert by_name["broken"]["verdict"] == "failed: ValueError: <oops>"
    assert by_name["forest"]["verdict"] == "best"
    assert by_name["forest"]["hypothesis"] == "Many trees beat one."
    assert by_name["ensemble"]["hypothesis"].startswith("The mean of the trials")
    assert by_name["ensemble"]["verdict"].endswith(")") and by_name["ensemble"]["to best"]
    assert by_name["forest"]["weight"] == "0.50"
    decimals = {len(r["CV score"].partition(".")[2]) for r in by_name.values() if r["CV score"]}
    assert decimals == {4}
    cards = re.sub(r"\s+", " ", " ".join(seen["cards"]))
    for words in (
        "CV score of the ensemble",
        "public",
        "0.9100",
        "rank 1 of 2",
        "0.0150 worse than CV",
        "private",
        "0.9000",
    ):
        assert words in cards, words
    page.close()


def test_images_show_the_worst_photographs_and_the_confused_pairs(reports):
    html = reports["images"].read_text("utf-8")
    assert html.count('<img src="data:image/jpeg') == 11 and "does not read as an image" in html
    assert 'id="confused"' in html and 'id="importances"' not in html
    assert "<b>normal</b>" not in html and "&lt;b&gt;normal" in html
    assert "note" in html and "id (id)" not in html
    assert len(html) < 500_000


def test_tables_show_the_worst_rows_and_what_the_forest_relies_on(reports):
    html = reports["table"].read_text("utf-8")
    assert 'id="importances"' in html and "What forest relies on" in html
    words = table_of(html, 'id="worst"').split()
    assert "Rome" in words and "blast" in words


def test_texts_show_the_worst_pairs(reports):
    html = reports["texts"].read_text("utf-8")
    words = table_of(html, 'id="worst"')
    assert words.count("a phrase") == 10 and "[...]" in words and len(words) < 6000
    assert 'id="residuals"' in html and 'id="confusion"' not in html


def test_one_trial_has_no_ensemble_and_no_comparison(reports):
    html = reports["one"].read_text("utf-8")
    assert "is the only trial" in html and "weight" not in table_of(html, 'id="trials"')
    assert "ensemble" not in table_of(html, 'id="trials"') and "CV score of forest" in html


def test_a_live_run_that_sent_nothing_does_not_claim_a_score(tmp_path, members):
    nothing = {"public_score": None, "private_score": None, "entries": ()}
    for standing, words in ((STANDING, "submitted and scored"), (nothing, "without a score")):
        html = written(tmp_path, members, standing=standing, is_live=True).read_text("utf-8")
        first = html.split("<body>")[1].strip().splitlines()[0]
        assert "Live: " in first and words in first and "Rehearsal" not in html
    assert ">public<" not in html and "Leaderboard" not in html


def test_the_same_report_again_keeps_its_date_and_scores(tmp_path, members):
    kept = json.loads(written(tmp_path, members).with_suffix(".json").read_text())
    again = written(tmp_path, members, **kept)
    assert json.loads(again.with_suffix(".json").read_text()) == kept
    assert kept["date"] in again.read_text("utf-8") and kept["standing"]["private_rank"] == 2


def test_a_lower_score_is_better_for_a_loss(tmp_path):
    values = [make_values("good", noise=0.2), make_values("bad", noise=900.0, seed=1)]
    both = ensemble(values, method="mean")
    html = written(tmp_path, values, comp=make_comp("tabular", "rmse", "regression"), ensemble=both)
    words = table_of(html.read_text("utf-8"), 'id="trials"')
    assert "lower is better" in html.read_text("utf-8")
    assert words.index("good") < words.index("ensemble") < words.index("bad")
    assert "is worse than the best single trial" in html.read_text("utf-8")
    assert "a negative number is worse: lower scores are better" in html.read_text("utf-8")
    assert "a weight" not in html.read_text("utf-8").partition("<h2")[0]
    alone = ensemble(values, method="greedy")
    html = written(
        tmp_path, values, comp=make_comp("tabular", "rmse", "regression"), ensemble=alone
    )
    why = "Only good has a weight: by rmse, no mix with another trial is better."
    assert why in html.read_text("utf-8")


def test_the_best_nets_have_their_curves_and_early_stops(tmp_path):
    curve = dict(fold="1/1", n_epochs=9, epochs=[1, 2], stopped=2, why="no better loss", kept=1)
    curve |= {name: [0.4, 0.3] for name in ("train_loss", "valid_loss", "score")}
    nets = [
        dataclasses.replace(make_predictions(f"net {i}", seed=i), about={"curves": [curve]})
        for i in range(5)
    ]
    html = written(tmp_path, [*nets, make_predictions("forest")], comp=make_comp()).read_text()
    assert all(f'id="curves-{i}"' in html for i in (1, 2, 3, 4)) and 'id="curves-5"' not in html
    stop = "1 of 1 fits, after epoch 2 of 9: no better loss; the weights of epoch 1 are used"
    assert f"net 0 stopped early in {stop}." in html and "forest stopped" not in html


def test_changed_data_costs_the_worst_rows_only(tmp_path, members):
    data = make_data(members[0])
    table = dataclasses.replace(data.train, targs=(data.targs + 1) % 3)
    html = written(tmp_path, members, data=dataclasses.replace(data, train=table)).read_text(
        "utf-8"
    )
    assert "different versions of the data" in html and 'id="confusion"' in html


def test_figures_for_notebooks(members, photos):
    data = make_data(members[0], images=photos)
    figure = plot_worst_photos(members[0], data, 5)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert len(titles) == 5 and all(", predicted" in t and "(0.70)" in t for t in titles)
    assert isinstance(plot_confused(members[0]), Figure)
    assert plot_confused(make_values("v")) is None
    assert plot_confused(make_predictions("p", right=1.0)) is None
    with pytest.raises(DataError, match="has no images"):
        plot_worst_photos(members[0], make_data(members[0]))
