"""Fixtures: the real competition folders, their notebooks, and a new folder to change."""

import pytest

from fastkaggle_plus.competition import builtin_folder, load_comp
from fastkaggle_plus.notebooks import render_notebook
from fastkaggle_plus.workflow.new_competition import new_comp

OWNER, LIBS = "ada", "ada/fkp-libs"
WITH_NOTEBOOK = sorted(p.parent for p in builtin_folder().glob("*/notebook.py"))


@pytest.fixture(scope="session", params=WITH_NOTEBOOK, ids=lambda f: f.name)
def comp(request):
    return load_comp(request.param)


@pytest.fixture(scope="session")
def rendered(comp):
    """The competition's notebook. Do not change it."""
    return render_notebook(comp, owner=OWNER, libs_dataset=LIBS)


@pytest.fixture
def folder(tmp_path):
    """The folder of a new competition with its own model."""
    folder = new_comp("some-comp", dest=tmp_path / "some-comp", title="Some comp")
    (folder / "mine.py").write_text(
        '"""Guess the mean."""\n\n'
        "from fastkaggle_plus.modeling import forest_model as guess_model\n\n"
        '__all__ = ["guess_model"]\n'
    )
    (folder / "trials.py").write_text(
        '"""Two trials."""\n\nfrom fastkaggle_plus import Trial\n\n'
        'TRIALS = (\n    Trial("mine", "mine.guess_model"),\n'
        '    Trial("bag", "bagging.bag_model", {"model": "mine.guess_model", "n": 2}),\n)\n'
    )
    return folder
