"""Records, plots and progress as a real notebook shows them."""

import io
import json

import nbclient
import nbformat
import pytest
from rich.console import Console

from fastkaggle_plus import no_progress
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import cross_validate, forest_model, tabular_model
from fastkaggle_plus.sweeps import Trial, board
from fastkaggle_plus.ui import displays, show_progress
from fastkaggle_plus.ui.displays import TextDisplay

from ..making import make_predictions
from ..modeling.pictures import make_pictures
from ..modeling.tables import make_data

CELLS = """\
from fastkaggle_plus import *
from fastkaggle_plus.modeling import cross_validate, forest_model, tabular_model
from fastkaggle_plus.reporting import plot_scores
comp = load_comp("titanic"); comp
---
with rehearsal(comp):
    data = comp.read(setup_comp(comp.slug))
data
---
folds = folds_for(comp, data, n_folds=2); folds
---
trees = cross_validate(forest_model(n_estimators=5), data, folds); trees
---
net = cross_validate(tabular_model([4], epochs=2), data, folds, verbose=True); net
---
compare(net, trees)
---
board([trees, net])
---
run_local(Sweep("titanic", (Trial("one <rule>", "forest.one_r_model"),), 2), comp,
          "runs/titanic/data", vault=Vault("v"), data=data, workers=0)
---
plot_scores([trees, net])"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The outputs of each cell, in a kernel of its own."""
    working = str(tmp_path_factory.mktemp("notebook"))
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS.split("\n---\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": working}},
        store_widget_state=False,
    )
    client.execute()
    return [cell.outputs for cell in notebook.cells]


def test_each_record_is_a_short_text_and_a_table(outputs):
    for cell in outputs[:-1]:
        shown = cell[-1].data
        assert len(shown["text/plain"]) < 1000 and len(shown["text/plain"].splitlines()) < 12
        assert "<table" in shown["text/html"] and len(shown["text/html"]) < 6000
    assert "accuracy" in outputs[3][-1].data["text/plain"]
    assert "one &lt;rule&gt;" in outputs[7][-1].data["text/html"]


def test_a_plot_is_shown_without_a_magic_command(outputs):
    assert "image/png" in outputs[-1][-1].data


def test_the_epoch_table_stays_and_the_bar_goes(outputs):
    table = outputs[4][0].data["text/html"]
    assert "train loss" in table and "valid loss" in table and table.count("2/2") == 4
    assert "<progress" not in json.dumps(outputs)
    assert all("stderr" not in json.dumps(cell) for cell in outputs)


@pytest.fixture
def piped(monkeypatch):
    """Return what is shown in a pipe, with a line for each update."""
    out = io.StringIO()
    monkeypatch.setattr(displays, "_LEAST_PAUSE_S", 0)
    monkeypatch.setattr(displays, "_PAUSE_SHARE", 0)
    monkeypatch.setattr(displays, "console", lambda **_: Console(file=out, width=140))
    return out


def test_cross_validate_shows_folds_and_epochs(piped):
    data = make_data("binary")
    folds = make_folds(data.targs, n_folds=2)
    cross_validate(tabular_model([4], epochs=2), data, folds)
    assert "tabular net: fold 2/2, epoch 1/2  75% ETA 0:0" in piped.getvalue()


def test_progress_can_be_switched_off(piped):
    data = make_data("binary")
    with no_progress():
        cross_validate(forest_model(n_estimators=2), data, make_folds(data.targs, n_folds=2))
    assert piped.getvalue() == ""


def test_a_pipe_gets_a_line_now_and_then(monkeypatch):
    times = iter(range(0, 10_000))
    monkeypatch.setattr(displays.time, "monotonic", lambda: next(times))
    out = io.StringIO()
    shown = TextDisplay(Console(file=out, width=140))
    for i in range(3600):
        shown.bar(i / 3600, "fold 1/5", None)
    assert 10 < len(out.getvalue().splitlines()) < 60


def test_inner_work_uses_the_bar_of_the_outer_work(piped):
    with show_progress("run") as run, show_progress("download") as download:
        download(0.5, "1 of 2 MB")
        run(0.6, "trial 1")
    assert [line.split("  ")[0] for line in piped.getvalue().splitlines()] == [
        "download: 1 of 2 MB",
        "run: trial 1",
    ]


def test_verbose_changes_no_prediction(piped):
    data = make_data("regression")
    folds = make_folds(data.targs, n_folds=2)
    model = tabular_model([4], epochs=2)
    quiet, loud = (cross_validate(model, data, folds, verbose=v) for v in (False, True))
    assert (quiet.oof == loud.oof).all()
    assert "train loss" in piped.getvalue()


def test_images_have_an_epoch_table(piped, tmp_path):
    from fastkaggle_plus.modeling import vision_model

    data = make_pictures(tmp_path, n=24, n_test=4)
    model = vision_model("resnet10t", 32, 32, epochs=1, pretrained=False, bs=8, n_tta=1)
    preds = cross_validate(
        model, data, make_folds(data.targs, n_folds=2), verbose=True, look_for_groups=False
    )
    rows = [line.split() for line in piped.getvalue().splitlines() if line.endswith(" s")]
    shown = [(fold, epoch) for fold in ("1/2", "2/2") for epoch in ("1/2", "2/2")]
    assert [tuple(row[:2]) for row in rows] == shown
    assert preds.validated.all() and "view 1/1" in piped.getvalue()


def test_a_board_is_a_list_and_a_table():
    rows = board([make_predictions("<b>"), make_predictions("other")])
    assert isinstance(rows, list) and [r.name for r in rows] == ["<b>", "other"]
    assert repr(rows).splitlines()[0].split()[0] == "trial"
    assert "&lt;b&gt;" in rows._repr_html_() and "<b>" not in rows._repr_html_()


def test_a_trial_reads_as_code():
    trial = Trial("forest", "forest.forest_model", {"n_estimators": 5})
    assert eval(repr(trial)) == trial and "<table" in trial._repr_html_()
