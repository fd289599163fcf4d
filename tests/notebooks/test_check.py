"""The check finds what would fail on Kaggle or leak, and says where. A correct notebook passes."""

import copy
import json
from pathlib import Path

import pytest

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import NotebookError
from fastkaggle_plus.kaggle_client.kernels.metadata import KernelMetadata
from fastkaggle_plus.notebooks import (
    check_notebook,
    dry_run,
    find_faults,
    folds_fitted,
    forecast_from_dry_run,
    forecast_s,
    lists_trained,
    render_notebook,
)
from fastkaggle_plus.notebooks.runtime_estimate import MARGIN, START_S
from fastkaggle_plus.sweeps import Trial
from fastkaggle_plus.sweeps.results_csv import measured_seconds

from .conftest import LIBS, OWNER

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="session")
def titanic():
    return load_comp("titanic")


@pytest.fixture(scope="session")
def rendered(titanic):
    return render_notebook(titanic, owner=OWNER, libs_dataset=LIBS)


@pytest.fixture(scope="session")
def code_comp(titanic):
    """Titanic as a code competition."""
    return titanic.model_copy(update={"code_competition": True})


@pytest.fixture(scope="session")
def offline(code_comp):
    return render_notebook(code_comp, owner=OWNER, libs_dataset=LIBS)


@pytest.fixture(scope="session")
def without_libs(code_comp):
    return render_notebook(code_comp, owner=OWNER)


def faults(rendered, comp, *, source=None, markdown=None, metadata=None, **options):
    """Return the findings after adding a cell or changing metadata."""
    from nbformat import v4

    notebook = copy.deepcopy(rendered.notebook)
    if source is not None:
        notebook.cells.append(v4.new_code_cell(source))
    if markdown is not None:
        notebook.cells.append(v4.new_markdown_cell(markdown))
    return find_faults(
        notebook, metadata={**rendered.metadata, **(metadata or {})}, comp=comp, **options
    )


def test_the_notebook_of_every_folder_passes(comp, tmp_path):
    rendered = render_notebook(comp, owner=OWNER, libs_dataset=LIBS, dest=tmp_path)
    assert (
        find_faults(rendered.notebook, metadata=rendered.metadata, comp=comp, forecast_s=600) == []
    )
    check_notebook(
        rendered.file,
        metadata=json.loads((tmp_path / "kernel-metadata.json").read_text()),
        comp=comp,
    )


@pytest.mark.parametrize(
    ("source", "rule", "line"),
    [
        ("x = 1\ny = )", "syntax", 2),
        ("%%writefile code/titanic/x.py\ndef f(:\n    pass", "syntax", 2),
        ("%%writefile code/titanic/x.toml\na = 1\nb = = 1", "syntax", 3),
        ("%%time\nfor x in range(3)\n    pass", "syntax", 2),
        (f"import os\nKEY = '{KEY}'", "secret", 2),
        ("x = 1\ntoken = 'KGAT_" + KEY + "'", "secret", 2),
        ("from pathlib import Path\nPath('/home/ada/titanic')", "path", 2),
        ("p = r'C:\\Users\\ada\\data'", "path", 1),
        (f"x = 0\np = '{Path.cwd()}/train.csv'", "path", 2),
        ("import pandas as pd\npd.read_csv('/kaggle/input/other-data/x.csv')", "input", 2),
        ("open('../input/datasets/bob/words/list.txt')", "input", 1),
        ("path = setup_comp('spaceship-titanic')", "input", 1),
        ("import kagglehub\nkagglehub.dataset_download('bob/words')", "input", 2),
        *[
            (f"x = 0\ntrain = pd.read_csv('{path}')", "path", 2)
            for path in (
                "/data/titanic/train.csv",
                "/mnt/d/train.csv",
                "/content/drive/MyDrive/train.csv",
                "/media/ada/usb",
                "/Volumes/disk/x",
                "/workspace/x",
                "/data",
                "/workspaces/x/y",
                "/srv/x",
                "/scratch/ada/x",
                "file:///data/x",
                "~/titanic/train.csv",
            )
        ],
        ("x = 0\n!cp /data/train.csv .", "path", 2),
        ("!ls ~/titanic", "path", 1),
        ("home = Path.home() / 'titanic'", "path", 1),
        ("p = os.path.expanduser(folder)", "path", 1),
        ("p = Path(folder).expanduser()", "path", 1),
        ("x = 0\nfolder = Path('/kaggle/input') / 'other-data'", "input", 2),
        ("os.path.join('/kaggle/input', 'other-data', name)", "input", 1),
        ("Path('../input', 'other-data', 'x.csv')", "input", 1),
        ("Path('/kaggle/input') / 'datasets' / 'bob' / 'words' / name", "input", 1),
        ("INPUT = Path('/kaggle/input')\npd.read_csv(INPUT / 'other-data' / 'x.csv')", "input", 2),
        ("INPUT = '/kaggle/input'\npd.read_csv(f'{INPUT}/other-data/{name}')", "input", 2),
        ("x = 1\npip install timm", "syntax", 2),
    ],
)
def test_a_bad_cell_is_found_with_its_line(rendered, titanic, source, rule, line):
    found = faults(rendered, titanic, source=source)
    assert [(f.rule, f.cell, f.line) for f in found] == [
        (rule, len(rendered.notebook.cells) + 1, line)
    ], found
    assert KEY not in str(found[0])


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!ls -l\nfiles = !ls\nx = %env HOME\nprint(files)",
        "%%bash\nif true; then echo hi; fi",
        "%%html\n<b>bold</b>",
        "%%capture out\nprint(1)",
        "train?\nlen??",
        "if True:\n    %time x = 1\n    !ls",
        "text = '''\n%d of !them\n'''",
        "await something()",
        "",
        "url = 'https://www.kaggle.com/home/ada'",
        "pd.read_csv('/kaggle/input/competitions/titanic/train.csv')",
        "pd.read_csv('../input/titanic/train.csv')",
        "w = '/kaggle/input/datasets/ada/fkp-libs/x.whl'",
        "w = '/kaggle/input/fkp-libs/x.whl'",
        "Path('/kaggle/working/x'); Path('/tmp/x')",
        "setup_comp(comp.slug)",
        "ratio = a % b\nx = a !=b",
        "pip install timm",
        "\npip install -q timm fastai\n",
        "ls",
        "cd x",
        "ls -la /kaggle/working",
        "mkdir -p models",
        "whos",
        "rm -rf models",
        "cd = 3",
        "Path('/kaggle/input') / comp.slug",
        "Path('/kaggle/input') / 'titanic' / 'train.csv'",
        "os.path.join('/kaggle/input', 'datasets', 'ada', 'fkp-libs')",
        "sorted(Path('/kaggle/input').glob('*/*.whl'))",
        "INPUT = Path('/kaggle/input')\nINPUT / 'competitions' / 'titanic'",
        "pd.read_csv('/kaggle/input/' + name + '/train.csv')",
        "p = f'/kaggle/input/competitions/{name}/'\npd.read_csv(p + 'train.csv')",
        "root = Path('/kaggle/input') / name\nroot / 'train.csv'",
        "x = n / data / 2",
        "u = 'https://example.com/data/x'",
        "open('/tmp/data/x'); open('/usr/share/x'); open('/proc/cpuinfo')",
        "open('data/x'); open('./home/x')",
        "x = ~mask",
        "app.get('/api/v1')",
        "!pip install timm",
        "requests.get('https://example.com')",
    ],
)
def test_correct_cells_pass(rendered, titanic, source):
    assert faults(rendered, titanic, source=source) == []


def test_secrets_are_found_in_prose_and_by_known_value(rendered, titanic):
    assert [
        f.rule
        for f in faults(
            rendered, titanic, markdown='My key is {"key": "' + KEY + '"}, at /home/ada.'
        )
    ] == ["secret", "path"]
    assert [
        f.rule
        for f in faults(
            rendered, titanic, source="login('correct horse')", known_secrets=["correct horse"]
        )
    ] == ["secret"]


def test_outputs_are_found(rendered, titanic):
    notebook = copy.deepcopy(rendered.notebook)
    assert notebook.cells[2].cell_type == "code"
    notebook.cells[2]["execution_count"] = 1
    assert [
        (f.rule, f.cell) for f in find_faults(notebook, metadata=rendered.metadata, comp=titanic)
    ] == [("output", 3)]
    notebook.cells[2]["execution_count"] = 0
    assert [
        (f.rule, f.cell) for f in find_faults(notebook, metadata=rendered.metadata, comp=titanic)
    ] == [("output", 3)]
    notebook.cells[2]["execution_count"] = None
    notebook.cells[0]["attachments"] = {"image.png": {"image/png": "aGVsbG8="}}
    assert [
        (f.rule, f.cell) for f in find_faults(notebook, metadata=rendered.metadata, comp=titanic)
    ] == [("output", 1)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "Another title"}, "Use id='another-title'"),
        ({"title": "abc"}, "3 characters"),
        ({"id": "titanic-with-evidence"}, "expected OWNER/NAME"),
        ({"enable_gpu": True}, "P100"),
        ({"enable_gpu": True, "machine_shape": "NvidiaTeslaP100"}, "retired"),
        ({"machine_shape": "NvidiaTeslaT4"}, "enable_gpu is off"),
        ({"competition_sources": ["competitions/titanic"]}, "bare slug"),
        ({"competition_sources": []}, "would have no data"),
        ({"dataset_sources": ["fkp-libs"]}, "OWNER/NAME"),
        ({"language": "r"}, "language"),
        ({"enable_gpu": True, "machine_shape": "NvidiaTeslaT44"}, "Did you mean 'NvidiaTeslaT4'"),
        ({"machine_shape": "big"}, "'big' is unknown. Everybody"),
        ({"id": "your-user-name/titanic-with-evidence"}, "without a real owner"),
    ],
)
def test_a_mistake_in_the_metadata_is_found(rendered, titanic, change, words):
    found = faults(rendered, titanic, metadata=change)
    assert any(f.rule == "metadata" and words in f.message for f in found), found


def test_a_code_competition_needs_attached_libraries_and_no_internet(
    code_comp, rendered, offline, without_libs
):
    assert [f.rule for f in faults(rendered, code_comp)] == ["metadata"]
    assert offline.metadata["enable_internet"] is False and faults(offline, code_comp) == []
    [found] = faults(without_libs, code_comp)
    assert found.rule == "internet" and found.line and "fkp libs" in found.message
    [found] = faults(offline, code_comp, source="x = 1\n!pip install timm")
    assert (found.rule, found.line) == ("internet", 2)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("subprocess.run([sys.executable,'-m','pip','install','x'])", [1]),
        ('subprocess.run([\n"-m",\n"pip","install","x"])', [3]),
        ("pip install timm", [1]),
        ("!pip install --no-index --find-links /kaggle/input/fkp-libs a\n!pip install b", [2]),
        ("!pip install -q b \\\n    --no-index -f .", []),
        ("x = 1\n!wget https://example.com/x", [2]),
        ("!curl -LO https://example.com/x", [1]),
        ("files = !curl https://example.com/x", [1]),
        ("!git clone https://example.com/x", [1]),
        ("%%bash\necho x\ngit clone https://example.com/x", [3]),
        ("os.system('wget https://example.com/x')", [1]),
        ("subprocess.run(['git', 'clone', url])", [1]),
        ("import requests\nr = requests.get('https://example.com/x')", [2]),
        ("from urllib.request import urlopen\nurlopen('http://example.com')", [2]),
        ("pd.read_csv('https://example.com/x.csv')", [1]),
        ("# pip install x\nx = 1  # !wget y", []),
        ("requests.get('http://127.0.0.1:5000/x')", []),
        ("curl = field.curl(wget)", []),
        ("d.get('x')", []),
    ],
)
def test_downloads_are_found_if_the_internet_is_off(code_comp, offline, source, lines):
    found = faults(offline, code_comp, source=source)
    assert [(f.rule, f.line) for f in found] == [("internet", line) for line in lines], found


def test_a_missing_library_hides_no_other_finding(code_comp, without_libs):
    found = faults(
        without_libs,
        code_comp,
        source="import fastkaggle_plus\n!wget https://example.com/x\n!pip install timm",
    )
    assert [f.rule for f in found] == ["internet"] * 3 and [
        "fkp libs" in f.message for f in found
    ] == [True, False, False]


def test_a_placeholder_owner_stops_only_a_push(rendered, titanic):
    unowned = {**rendered.metadata, "id": "your-user-name/titanic-with-evidence"}
    assert find_faults(rendered.notebook, metadata=unowned, comp=titanic, for_push=False) == []
    with pytest.raises(NotebookError, match="KAGGLE_USERNAME"):
        check_notebook(rendered.notebook, metadata=unowned, comp=titanic)


@pytest.mark.parametrize(
    ("source", "is_written"),
    [
        ("FILE = 'submission.csv'; sub.to_csv(FILE)", True),
        ("sub.to_csv(Path('submission.csv'))", True),
        ("sub.to_csv(f'{out}/submission.csv')", True),
        ("Path('submission.csv').write_text(t)", True),
        ("shutil.copy('a.csv', 'submission.csv')", True),
        ("%%writefile submission.csv\na,b", True),
        ("!cp a.csv submission.csv", True),
        ("write_submission(preds, comp, path)", True),
        ("%%bash\n# copy\ncp a.csv submission.csv", True),
        ("x = 1  # submission.csv", False),
        ("# write_submission(preds, comp, path)", False),
        ("sub.to_csv('sample_submission.csv')", False),
        ("%%writefile code/x.py\n# to_csv('submission.csv')\nx = 1", False),
    ],
)
def test_any_code_that_names_the_submission_passes(rendered, titanic, source, is_written):
    notebook = copy.deepcopy(rendered.notebook)
    notebook.cells = [
        c for c in notebook.cells if "submission" not in c.source or c.source.startswith("from ")
    ]
    notebook.cells[-1] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    assert [f.rule for f in find_faults(notebook, metadata=rendered.metadata, comp=titanic)] == (
        [] if is_written else ["submission"]
    )


def test_a_notebook_without_a_submission_is_found(rendered, titanic):
    notebook = copy.deepcopy(rendered.notebook)
    notebook.cells = [c for c in notebook.cells if "write_submission(" not in c.source]
    assert [f.rule for f in find_faults(notebook, metadata=rendered.metadata, comp=titanic)] == [
        "submission"
    ]
    notebook.cells[-1] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": ["sub.to_csv(\n", "'submission.csv')"],
    }
    assert find_faults(notebook, metadata=rendered.metadata, comp=titanic) == []


def test_the_run_time_is_forecast_from_measured_trials(rendered, titanic, code_comp, tmp_path):
    file = tmp_path / "results.csv"
    file.write_text("trial,n_folds,seconds\nnet,5,3600\nforest,5,7200\n")
    measured = measured_seconds(file)
    short, long = (
        forecast_s(measured, ["forest"], n_folds=5),
        forecast_s(measured, ["net", "forest", "new"], n_folds=10),
    )
    assert short is not None and long is not None and 7200 < short < 4 * 3600 and long > 2 * short
    assert forecast_s(measured, ["new"]) is None and measured_seconds(tmp_path / "none.csv") == {}
    [found] = faults(rendered, titanic, forecast_s=13 * 3600)
    assert found.rule == "runtime" and "13.0 h" in found.message and "12 h" in found.message
    assert "runtime" in [f.rule for f in faults(rendered, code_comp, forecast_s=10 * 3600)]
    assert "runtime" in [
        f.rule
        for f in faults(rendered, titanic, metadata={"session_timeout_seconds": 60}, forecast_s=61)
    ]


def test_a_dry_run_gives_no_forecast_for_replaced_networks():
    forest, net = (
        Trial("forest", "forest.forest_model", {"n_estimators": 300}),
        Trial("net", "vision.vision_model", {"arch": "resnet26d"}),
    )
    forecast = forecast_from_dry_run(10, [forest], rows=600)
    assert forecast > 10 * 10 * 2
    assert forecast_from_dry_run(10, [forest], rows=600, kept=600) < forecast
    # QUICK trains a language model too
    words = Trial("words", "text.text_model", {"arch": "microsoft/deberta-v3-small", "epochs": 4})
    assert forecast_from_dry_run(10, [words], rows=600, kept=600) > 4 * 10
    assert (
        forecast_from_dry_run(10, [forest, net], rows=600) is None
        and forecast_from_dry_run(10, [], rows=600) is None
    )
    assert (
        forecast_from_dry_run(
            10, [Trial("bag", "bagging.bag_model", {"params": {"arch": "x"}})], rows=600
        )
        is None
    )
    reader = Trial("reader", "text.text_model", {"arch": "x"})
    assert forecast_from_dry_run(10, [reader], rows=600) is not None


def test_the_lists_the_folds_and_the_repeats_of_a_notebook_are_found():
    made = {
        slug: render_notebook(slug, params=params).notebook
        for slug, params in (
            ("titanic", {"N_FOLDS": 3, "REPEATS": 2}),
            ("paddy-disease-classification", {}),
            ("us-patent-phrase-to-phrase-matching", {"LIST": "COURSE"}),
        )
    }
    paddy = ("PART_1", "PART_2", "PART_3", "PART_4")
    assert [set(lists_trained(n)) for n in made.values()] == [{"TRIALS"}, set(paddy), {"COURSE"}]
    assert [folds_fitted(n) for n in made.values()][:2] == [6, 1]  # one holdout


def test_the_forecast_counts_gpus_at_work_at_the_same_time():
    measured = {**{f"net{i}": (3600.0, 5) for i in range(8)}, "forest": (1800.0, 5)}
    nets = [name for name in measured if name != "forest"]

    def hours(*sweeps, **machine):
        return (forecast_s(measured, *sweeps, on_gpu=nets, **machine) - START_S) / MARGIN / 3600

    assert hours(nets, n_gpus=1) == pytest.approx(8) and hours(nets, n_gpus=2) == pytest.approx(4)
    assert hours([*nets, "forest"], n_gpus=2) == pytest.approx(4)  # on the cores, at the same time
    assert hours(nets[:3], n_gpus=2) == pytest.approx(2)  # the third waits for one of the two
    assert hours(nets[:1], nets[1:2], n_gpus=2) == pytest.approx(2)  # one sweep after the other
    assert hours(nets, n_gpus=0, workers=4) == pytest.approx(2)  # no GPU: on the cores
    machines = (("NvidiaTeslaT4", True), ("NvidiaTeslaA100", True), ("", False))
    found = [KernelMetadata(machine_shape=m, enable_gpu=gpu).n_gpus for m, gpu in machines]
    assert found == [2, 1, 0]


def test_the_error_names_the_first_finding_and_the_others(rendered, titanic):
    notebook = copy.deepcopy(rendered.notebook)
    notebook.cells[2]["source"] += "\nx = '/home/ada'"
    with pytest.raises(
        NotebookError,
        match=r"2 findings; .* In cell 3, line \d+ \(path\): /home/ada .* The others: metadata",
    ):
        check_notebook(
            notebook, metadata={**rendered.metadata, "title": "Another title"}, comp=titanic
        )
    with pytest.raises(NotebookError, match="Cannot read"):
        find_faults("no-such-file.ipynb", metadata={}, comp=titanic)
    with pytest.raises(NotebookError, match="not a notebook"):
        find_faults({"a": 1}, metadata={}, comp=titanic)


def test_a_dry_run_is_timed_and_names_the_failed_cell(tmp_path):
    from nbformat import v4

    notebook = v4.new_notebook(
        cells=[
            v4.new_code_cell("open('out.txt', 'w').write('1')"),
            v4.new_markdown_cell("x"),
            v4.new_code_cell("1 / 0"),
        ]
    )
    with pytest.raises(NotebookError, match=r"code cell 2: ZeroDivisionError"):
        dry_run(notebook, folder=tmp_path)
    assert (tmp_path / "out.txt").read_text() == "1" and all(
        not c.outputs for c in notebook.cells if c.cell_type == "code"
    )
    del notebook.cells[2]
    assert dry_run(notebook, folder=tmp_path) > 0
