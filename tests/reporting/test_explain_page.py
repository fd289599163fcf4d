"""The page of answers: every question, its plots, and nothing from the network."""

import itertools
import re

import numpy as np
import pytest

from fastkaggle_plus.modeling import explain_model, fit_fold_models, forest_model, tree_model
from fastkaggle_plus.reporting import (
    plot_dendrogram,
    plot_dependence,
    plot_permutation,
    plot_waterfall,
    write_explanation,
)

from ..modeling.explain.planted import planted, three_folds


@pytest.fixture(scope="module")
def explained():
    data = planted("binary", n=300)
    models = fit_fold_models(forest_model(10), data, three_folds(data), metric="accuracy")
    return explain_model(models, refits=1)


def test_the_page_has_every_question(explained, tmp_path):
    file = write_explanation(
        tmp_path / "x.html", explained, title="<b>Toy</b>", again="fkp explain"
    )
    page = file.read_text("utf-8")
    found = re.findall(r'<h2 id="(\w+)">', page)
    wanted = "importance go redundant dependence row confidence domain beyond"
    assert found == wanted.split()
    assert page.count("<svg") == 3 + len(explained.curves) + 1
    assert "&lt;b&gt;Toy" in page and "<b>Toy" not in page and "Out of fold" in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page) and "fkp explain" in page
    assert page.lstrip().startswith("<!doctype html>")


def test_questions_without_an_answer_are_left_out(tmp_path):
    data = planted("binary", n=200, n_test=10)
    models = fit_fold_models(tree_model(max_leaf_nodes=6), data, three_folds(data))
    page = write_explanation(tmp_path / "x.html", explain_model(models, refits=0)).read_text(
        "utf-8"
    )
    assert 'id="confidence"' not in page and 'id="domain"' not in page
    assert "No group of columns was tried" in page


def test_importances_have_intervals_the_largest_on_top(explained):
    [axes] = plot_permutation(explained.importances).axes
    names = [label.get_text() for label in axes.get_yticklabels()][::-1]
    assert names == explained.importances["column"].tolist()


def test_a_waterfall_leads_from_the_start_to_the_prediction(explained):
    parts = explained.parts
    [axes] = plot_waterfall(parts).axes
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars[0][0] == pytest.approx(parts.start) and bars[-1][1] == pytest.approx(parts.end)
    assert all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(bars))


def test_a_dendrogram_names_each_feature_once(explained):
    [axes] = plot_dendrogram(explained.redundancy).axes
    names = sorted(label.get_text() for label in axes.get_yticklabels())
    assert names == sorted(explained.redundancy.names)


def test_a_dependence_shows_the_mean_and_single_rows(explained):
    curve = explained.curves[0]
    [axes] = plot_dependence(curve).axes
    thick = max(axes.lines, key=lambda line: line.get_linewidth())
    assert np.allclose(thick.get_ydata(), curve.mean) and len(axes.lines) > 10
    [shaded] = plot_dependence(explained.beyond).axes
    assert "shaded" in shaded.get_title("left") and len(shaded.patches) == 1
    [pair] = plot_dependence(explained.curves[-1]).axes
    assert len(pair.lines) == len(explained.curves[-1].grid[1])
