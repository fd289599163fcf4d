"""Competitions to render: the real folders, and a small one whose files a test may change."""

import pytest

from fastkaggle_plus.competition import builtin_folder, load_comp
from fastkaggle_plus.workflow.new_competition import new_comp

OWNER, LIBS = "ada", "ada/fkp-libs"
WITH_NOTEBOOK = sorted(p.parent for p in builtin_folder().glob("*/notebook.py"))


@pytest.fixture(params=WITH_NOTEBOOK, ids=lambda f: f.name)
def comp(request):
    return load_comp(request.param)


@pytest.fixture
def folder(tmp_path):
    "A new competition's folder, with a model of its own."
    folder = new_comp("some-comp", dest=tmp_path / "some-comp", title="Some comp")
    (folder / "mine.py").write_text(
        '"""Guess the mean."""\n\nfrom fastkaggle_plus.modeling import forest_model as guess_model\n\n__all__ = ["guess_model"]\n'
    )
    (folder / "trials.py").write_text(
        '"""Two trials."""\n\nfrom fastkaggle_plus import Trial\n\nTRIALS = (\n    Trial("mine", "mine.guess_model"),\n'
        '    Trial("bag", "bagging.bag_model", {"model": "mine.guess_model", "n": 2}),\n)\n'
    )
    return folder
