"""A rendered notebook is complete, reproducible, and has all required cells."""

import ast
import json
import re
import subprocess
import sys

import nbformat
import pytest
from slugify import slugify
from typer.main import get_command

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import ConfigError, NotebookError, UnknownName
from fastkaggle_plus.notebooks import (
    kernel_metadata,
    quick_copy,
    quick_trials,
    render_notebook,
    rows_kept,
)
from fastkaggle_plus.notebooks.render import set_parameters
from fastkaggle_plus.sweeps.trial import Trial

from .conftest import LIBS, OWNER, WITH_NOTEBOOK


def sources(rendered, kind="code"):
    return [c.source for c in rendered.notebook.cells if c.cell_type == kind]


def written_files(rendered) -> dict[str, str]:
    """What the %%writefile cells write, by path."""
    files: dict[str, str] = {}
    for source in sources(rendered):
        if source.startswith("%%writefile "):
            head, _, body = source.partition("\n")
            *flags, path = head.split()[1:]
            files[path] = files[path] + "\n\n\n" + body if flags == ["-a"] else body
    return files


def test_the_files_of_the_folder_are_inlined_completely(comp, rendered):
    files = written_files(rendered)
    there = {p.name for p in comp.folder.iterdir()}
    for name in {"competition.toml", "data.py", "trials.py"} & there:
        original, copy = (comp.folder / name).read_text(), files[f"code/{comp.slug}/{name}"]
        if name.endswith(".py"):
            assert ast.dump(ast.parse(original)) == ast.dump(ast.parse(copy)), name
        else:
            assert original.strip() == copy.strip()


def test_every_code_cell_follows_prose_and_has_no_output(rendered):
    cells = rendered.notebook.cells
    kinds = [c.cell_type for c in cells]
    assert (
        kinds[0] == "markdown"
        and cells[0].source.startswith("# ")
        and "**Hypothesis:**" in cells[0].source
    )
    assert [i for i in range(1, len(kinds)) if kinds[i] == kinds[i - 1] == "code"] == []
    assert all(not c.outputs and c.execution_count is None for c in cells if c.cell_type == "code")
    assert not any("{{" in c.source for c in cells if not c.source.startswith("%%"))


def test_code_lines_fit_into_a_browser(rendered):
    lines = "\n".join(sources(rendered)).splitlines()
    assert len(lines) > 100 and [line for line in lines if len(line) > 110] == []


REQUIRED = (
    ("pip", "--no-index", "glob", "fastkaggle_plus-*.whl"),
    ("setup_comp(comp.slug)",),
    ('device="cuda"', "get_device_name"),
    ("if QUICK", "quick_copy", "seed=SEED"),
    ("folds.csv", "folds_for", "seed=SEED"),
    ("run_local(", 'vault=Vault("vault")'),
    ("board(",),
    ("plot_scores(",),
    ("declared_ensemble(comp",),
    ("write_submission(combined, comp, path", "check_file"),
    (".save(", "write_results("),
    ("fkp plan", "--cv REF"),
)


def test_every_notebook_has_the_required_cells(rendered):
    for words in REQUIRED:
        assert any(all(w in source for w in words) for source in sources(rendered)), words


MOST_LINES = 350  # of a template: it is read from its start to its end


def test_the_templates_are_short(comp):
    lines = (comp.folder / "notebook.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES


def test_the_commands_of_the_prose_exist(rendered):
    """Each `fkp VERB` that a cell names is a command, and its options are accepted."""
    from fastkaggle_plus.cli import app

    named = re.findall(r"`(fkp [^`]+)`", "\n".join(sources(rendered, "markdown")))
    assert len(named) >= 4
    for words in (text.split()[1:] for text in named):
        group = get_command(app)
        while words and words[0] in getattr(group, "commands", {}):
            group, words = group.commands[words[0]], words[1:]
        options = {option for parameter in group.params for option in parameter.opts}
        assert not hasattr(group, "commands"), words
        assert {word for word in words if word.startswith("--")} <= options


RENDER_ALL = """
import json, sys
from pathlib import Path
from fastkaggle_plus import load_comp
from fastkaggle_plus.notebooks import render_notebook
options = dict(owner={owner!r}, libs_dataset={libs!r}, params={{"SEED": 7}})
folders = map(Path, {folders!r})
print(json.dumps({{f.name: render_notebook(load_comp(f), **options).text for f in folders}}))
"""


@pytest.fixture(scope="session")
def rendered_elsewhere(tmp_path_factory):
    """The text of each folder's notebook, rendered in another process."""
    code = RENDER_ALL.format(owner=OWNER, libs=LIBS, folders=[str(f) for f in WITH_NOTEBOOK])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path_factory.mktemp("elsewhere"),
    )
    return json.loads(done.stdout)


def test_the_same_input_gives_the_same_bytes_in_another_process(
    comp, rendered, rendered_elsewhere, tmp_path
):
    here = render_notebook(comp, owner=OWNER, libs_dataset=LIBS, params={"SEED": 7}, dest=tmp_path)
    assert here.text == rendered_elsewhere[comp.slug] == here.file.read_text()
    assert json.loads((tmp_path / "kernel-metadata.json").read_text()) == here.metadata
    nbformat.validate(nbformat.read(here.file, as_version=4))
    assert len({c.id for c in here.notebook.cells}) == len(here.notebook.cells)
    assert rendered.text != here.text  # another seed


def test_parameters_change_in_their_cell_and_comments_stay():
    cell = 'SLUG = "x"\nQUICK = False   # a dry run\nN = 5'
    assert (
        set_parameters(cell, {"QUICK": True, "N": 3})
        == 'SLUG = "x"\nQUICK = True   # a dry run\nN = 3'
    )
    with pytest.raises(UnknownName, match="QUICK"):
        set_parameters(cell, {"QUIK": True})
    with pytest.raises(ConfigError, match="plain data"):
        set_parameters(cell, {"N": object()})


def test_quick_and_slug_reach_the_parameters(comp):
    [cell] = [s for s in sources(render_notebook(comp, quick=True)) if s.startswith("SLUG = ")]
    assert f'SLUG = "{comp.slug}"' in cell and "QUICK = True" in cell and "SEED = 42" in cell


def test_models_of_the_folder_are_inlined_also_a_bagged_one(folder):
    (folder / "trials.py").write_text(
        (folder / "trials.py").read_text().replace('    Trial("mine", "mine.guess_model"),\n', "")
    )
    rendered = render_notebook(load_comp(folder))
    assert "guess_model" in written_files(rendered)["code/some-comp/mine.py"]
    assert any("Guess the mean." in text for text in sources(rendered, "markdown"))


def test_a_table_that_data_py_reads_is_written_before_it(folder):
    (folder / "data.py").write_text(
        (folder / "data.py").read_text()
        + '\nTABLE = Path(__file__).with_name("table.csv"), "results.csv", "train.csv"\n'
    )
    (folder / "table.csv").write_text("a,b\n1,2\n")
    cells = sources(render_notebook(load_comp(folder)))
    [table] = [
        i
        for i, c in enumerate(cells)
        if c.startswith("%%writefile") and c.splitlines()[0].endswith("table.csv")
    ]
    assert cells[table].endswith("a,b\n1,2") and "/data.py" in cells[table + 1].splitlines()[0]
    assert not any(
        c.splitlines()[0].endswith(("results.csv", "train.csv"))
        for c in cells
        if c.startswith("%%writefile")
    )


def test_the_changes_of_cleaning_csv_are_written_before_the_data_is_read(folder):
    cleaning = "file,action,label\n12,remove,\n15,relabel,1"
    (folder / "cleaning.csv").write_text(cleaning + "\n")
    rendered = render_notebook(load_comp(folder))
    assert written_files(rendered)["code/some-comp/cleaning.csv"] == cleaning
    paths = [c.split()[1] for c in sources(rendered) if c.startswith("%%writefile")]
    assert paths.index("code/some-comp/cleaning.csv") < paths.index("code/some-comp/data.py")


def test_competition_toml_alone_is_enough(folder):
    for name in ("data.py", "trials.py", "notebook.py"):
        (folder / name).unlink()
    rendered = render_notebook(load_comp(folder))
    assert set(written_files(rendered)) == {"code/some-comp/competition.toml"}
    assert not any("## Features" in text for text in sources(rendered, "markdown"))


def test_a_template_that_omits_a_file_is_refused(folder):
    template = folder / "notebook.py"
    template.write_text(template.read_text().replace('# %% inline="data.py" when="data.py"', ""))
    with pytest.raises(NotebookError, match=r"never inlines data\.py"):
        render_notebook(load_comp(folder))
    template.write_text("x = 1\n")
    with pytest.raises(NotebookError, match="no cells"):
        render_notebook(load_comp(folder))
    template.write_text(
        '# %% inline="nothing.py"\n\n# %% tags=["parameters"]\nSLUG = ""\nQUICK = False\n'
    )
    with pytest.raises(NotebookError, match=r"has no nothing\.py"):
        render_notebook(load_comp(folder))
    template.write_text('# %% inline="data.py" until="raed"\n')
    with pytest.raises(UnknownName, match="Did you mean 'read'"):
        render_notebook(load_comp(folder))


def test_metadata_of_a_table_of_images_and_of_a_code_competition():
    plain = kernel_metadata(load_comp("titanic"), owner=OWNER, libs_dataset=LIBS)
    assert (
        plain["id"] == f"{OWNER}/{slugify(plain['title'])}"
        and plain["competition_sources"] == ["titanic"]
        and plain["dataset_sources"] == [LIBS]
    )
    assert (
        plain["enable_gpu"],
        plain["machine_shape"],
        plain["enable_internet"],
        plain["is_private"],
    ) == (False, "", True, True)
    images = kernel_metadata(load_comp("paddy-disease-classification"), owner=OWNER)
    assert (images["enable_gpu"], images["machine_shape"]) == (True, "NvidiaTeslaT4")
    code = kernel_metadata(load_comp("us-patent-phrase-to-phrase-matching"), owner=OWNER)
    assert code["enable_internet"] is False and 5 <= len(code["title"]) <= 50
    with pytest.raises(ConfigError, match="4 characters"):
        kernel_metadata(load_comp("titanic"), title="Four")


def test_quick_trials_are_small_and_quick_rows_keep_every_class(folder, tmp_path):
    [small] = quick_trials(
        [
            Trial(
                "bag",
                "bagging.bag_model",
                {"model": "tabular.tabular_model", "n": 5, "params": {"epochs": 16, "lr": 0.1}},
            )
        ]
    )
    assert small.params == {
        "model": "tabular.tabular_model",
        "n": 2,
        "params": {"epochs": 1, "lr": 0.1},
    }
    comp = load_comp(folder)
    files = comp.module("rehearsal").make(tmp_path / "bundles", seed=1) / "files"
    path = quick_copy(comp, files, tmp_path / "quick", rows=60)
    data, whole = comp.read(path), comp.read(files)
    assert (
        55 <= len(data.train) <= 70
        and data.vocab == whole.vocab
        and (data.test_ids == whole.test_ids).all()
    )
    assert quick_copy(comp, files, tmp_path / "quick", rows=60) == path


def test_quick_networks_are_tiny_ones_of_their_family_that_need_no_download():
    def small(_model="vision.vision_model", **params):
        return quick_trials([Trial("one", _model, params)])[0].params

    convnext = small(
        arch="convnext_small_in22k",
        item=[640, 480],
        batch=[288, 224],
        method="pad",
        epochs=12,
        accum=2,
    )
    assert convnext == {
        "arch": "test_convnext",
        "item": [64, 48],
        "batch": [48, 32],
        "method": "pad",
        "epochs": 1,
        "accum": 2,
        "pretrained": False,
        "head": "fastai",
        "freeze_epochs": 0,
        "n_tta": 2,
        "bs": 32,
    }
    named = {
        "resnet26d": "test_resnet",
        "vit_small_patch16_224": "test_vit",
        "tf_efficientnet_lite0": "test_efficientnet",
        "squeezenet1_1": "test_resnet",
        "swinv2_base_window12_192_22k": "test_mambaout",
    }
    assert {arch: small(arch=arch)["arch"] for arch in named} == named
    assert (
        small(arch="resnet26d", item=480, batch=32)["item"] == 64
        and small(arch="resnet26d", batch=32)["batch"] == 32
    )
    bagged = small(
        "bagging.bag_model",
        model="vision.vision_model",
        n=5,
        params={"arch": "resnet26d", "epochs": 3},
    )
    assert (
        bagged["n"] == 2
        and bagged["params"]["arch"] == "test_resnet"
        and bagged["params"]["pretrained"] is False
        and "bs" not in bagged
    )
    # A user's model may not accept other parameters, so none are added.
    own = small("mine.mine_model", arch="resnet26d", epochs=3)
    assert own == {"arch": "test_resnet", "epochs": 1}
    # A language model stays the same: its weights are attached or on this machine.
    text = small("text.text_model", arch="resnet26d", epochs=3)
    assert text == {"arch": "resnet26d", "epochs": 1, "max_len": 24}


def test_quick_keeps_fewer_images_than_table_rows():
    assert rows_kept(load_comp("paddy-disease-classification")) < rows_kept(load_comp("titanic"))


def test_own_models_and_the_files_they_import_are_inlined_once_and_in_order(tmp_path):
    """A model named without its file, and a helper that it imports, must reach Kaggle."""
    comp = load_comp("titanic")
    for name in ("competition.toml", "data.py"):
        (tmp_path / name).write_text((comp.folder / name).read_text())
    (tmp_path / "near.py").write_text(
        "from shared import N\n"
        "def near_model():\n    return lambda table: (lambda rows: N * rows.x.Age)\n"
    )
    (tmp_path / "shared.py").write_text("N = 0\n")
    (tmp_path / "trials.py").write_text(
        'from fastkaggle_plus import Trial\nTRIALS = (Trial("near", "near_model"),)\n'
    )
    cells = render_notebook(load_comp(tmp_path)).notebook.cells
    written = [c.source.split()[1].rpartition("/")[2] for c in cells if "%%writefile" in c.source]
    assert [n for n in written if n in ("shared.py", "near.py", "trials.py")] == [
        "shared.py", "near.py", "trials.py"
    ]  # fmt: skip
