"""Apps of saved models: a browser and Gradio's client ask them, and nothing leaves this machine."""

import contextlib
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from PIL import Image
from sklearn.datasets import load_digits

from fastkaggle_plus import load_comp, make_folds, new_comp, write_app
from fastkaggle_plus.exceptions import ConfigError, DataError, MissingExtra
from fastkaggle_plus.modeling import (
    cross_validate,
    fit_final,
    forest_model,
    load_model,
    overlap_model,
    probe_model,
)
from fastkaggle_plus.workflow.serve_app import check_host

from .toy import fkp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
RECORDER = Path(__file__).parents[1] / "offline" / "recorder.py"
pytest.importorskip("gradio", reason="pip install 'fastkaggle_plus[app]'")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A model of digits in class folders, and a new photograph."""
    home = tmp_path_factory.mktemp("photos")
    pixels, digits = load_digits(n_class=2, return_X_y=True)
    for i in range(34):
        label = ("zero", "one")[digits[i]] if i < 30 else "test"
        file = home / "digits" / label / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((pixels[i].reshape(8, 8) * 15).astype("uint8"))
        grey.resize((40, 40)).convert("RGB").save(file)
    comp = load_comp(new_comp("digits", kind="images", dest=home / "comp", data=home / "digits"))
    data = comp.read(home / "digits")
    model = probe_model("squeezenet1_1", size=64, flip=False)
    preds = cross_validate(model, data, make_folds(data.targs, n_folds=2))
    fit_final(model, data, predictions=preds, comp=comp).save(home / "model")
    shutil.copyfile(next((home / "digits/test").iterdir()), home / "new.png")
    shutil.rmtree(home / "digits")  # the app needs none of them
    return home


def frame_of(folder, rows, **facts):
    """Write a competition of a table and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows[:80].to_csv(folder / "train.csv", index=False)
    rows[80:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    rows[80:][["id", "y"]].to_csv(folder / "sample_submission.csv", index=False)
    facts = dict(id="id", target="y") | facts
    comp = load_comp(new_comp("rows", dest=folder / "comp", data=folder, **facts))
    return comp, comp.read(folder)


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A model of a table with numbers, categories and missing values."""
    home, rng = tmp_path_factory.mktemp("houses"), np.random.default_rng(0)
    rows = pd.DataFrame({"id": range(90), "size": rng.normal(100, 20, 90).round(1)})
    rows["color"] = rng.choice(["red", 'a "blue"', None], 90)
    rows["y"] = rows["size"] * 2 + (rows["color"] == "red") * 50
    comp, data = frame_of(home, rows, task="regression", metric="rmse")
    fit_final(forest_model(n_estimators=10), data, comp=comp).save(home / "model")
    return home


@contextlib.contextmanager
def asking(app, monkeypatch):
    """Serve an app in this process and yield Gradio's client for it."""
    from gradio_client import Client

    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    demo = runpy.run_path(str(app / "app.py"))["demo"]
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        yield Client(url, verbose=False, analytics_enabled=False)
    finally:
        demo.close()


@pytest.fixture(scope="module")
def served(photos):
    """`fkp app --serve` in its own process: its address and its attempts to leave this machine."""
    (photos / "recorder").mkdir()
    shutil.copyfile(RECORDER, photos / "recorder" / "sitecustomize.py")
    attempts = photos / "attempts.txt"
    attempts.touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-um", "fastkaggle_plus", "app", "model", "--serve"]
    variables = {"PYTHONPATH": str(photos / "recorder"), "FKP_ATTEMPTS": str(attempts)}
    variables |= {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SHARE": "True"}  # a user's leftovers
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=photos,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | variables,
    )
    try:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if "Running on local URL" in line:
                break
        else:
            pytest.fail("".join(lines))
        assert f"http://127.0.0.1:{port}" in lines[-1]
        yield f"http://127.0.0.1:{port}", attempts
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_a_photograph_is_uploaded_in_a_browser_and_its_label_read(photos, served):
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here; Debian: apt-get install chromium")
    [chances] = load_model(photos / "model").label_probabilities(photos / "new.png")
    label, asked = max(chances, key=chances.get), []
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(served[0])
        page.set_input_files("input[type=file]", photos / "new.png")
        page.get_by_label("Remove").or_(page.get_by_label("Clear")).first.wait_for()
        page.get_by_role("button", name="Submit").click()
        value = page.get_by_test_id("label-output-value")
        value.wait_for()
        assert value.inner_text().strip() == label
        assert f"{chances[label]:.0%}" in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390  # a phone
        assert len(page.locator(".gallery img, .gallery-item img").all()) == 3  # the examples
        browser.close()
    assert asked and all(url.startswith((served[0], "data:", "blob:")) for url in asked)


@pytest.mark.slow
def test_the_served_model_gets_the_file_unchanged_and_nothing_leaves(photos, served):
    from gradio_client import Client, handle_file

    client = Client(served[0], verbose=False, analytics_enabled=False)
    answer = client.predict(handle_file(photos / "new.png"), api_name="/predict")
    got = {c["label"]: c["confidence"] for c in answer["confidences"]}
    [chances] = load_model(photos / "model").label_probabilities(photos / "new.png")
    assert got == pytest.approx(chances, abs=1e-6)
    assert not client.config["analytics_enabled"] and not client.config.get("share_url")
    for file in (photos / "model" / "model.json", photos / "model-app" / "app.py"):
        assert requests.get(f"{served[0]}/gradio_api/file={file}", timeout=20).status_code == 403
    (photos / "broken.png").write_bytes(b"no picture")
    with pytest.raises(Exception, match=r"identify|decode|read"):
        client.predict(handle_file(photos / "broken.png"), api_name="/predict")
    assert served[1].read_text() == ""


def test_a_row_of_a_table_is_asked(houses, monkeypatch):
    app, model = write_app(houses / "model"), load_model(houses / "model")
    with asking(app, monkeypatch) as client:
        for size, color in ((90.0, "red"), (150, 'a "blue"'), (120.5, None), (None, "unseen")):
            row = {"size": size, "color": color}
            [[expected]] = model.predict(pd.DataFrame([row]))
            values = [row[column] for column in model.card.columns]
            assert client.predict(*values, api_name="/predict") == pytest.approx(expected)
        fields = [c["props"] for c in client.config["components"] if c["type"] == "dropdown"]
        assert {choice[0] for choice in fields[0]["choices"]} == {"red", 'a "blue"'}
        assert len(client.config["components"]) > 3


def test_a_pair_of_texts_is_asked(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    words = np.array(["gear", "lens", "valve", "cable", "pump"])
    pairs = [(rng.choice(words, 3), rng.choice(words, 3)) for _ in range(90)]
    rows = pd.DataFrame({"id": range(90), "a": [" ".join(a) for a, _ in pairs]})
    rows["b"] = [" ".join(b) for _, b in pairs]
    rows["y"] = [len({*a} & {*b}) / 3 for a, b in pairs]
    text = {"columns": ["a", "b"]}
    comp, data = frame_of(tmp_path, rows, kind="text", task="regression", metric="rmse", text=text)
    fit_final(overlap_model(), data, comp=comp).save(tmp_path / "model")
    [[expected]] = load_model(tmp_path / "model").predict(("gear lens", "lens gear"))
    with asking(write_app(tmp_path / "model", tmp_path / "page"), monkeypatch) as client:
        got = client.predict("gear lens", "lens gear", api_name="/predict")
        assert got == pytest.approx(expected)


def test_the_folder_is_a_space(houses):
    from huggingface_hub import SpaceCard

    app = write_app(houses / "model")
    card = SpaceCard.load(app / "README.md").data
    assert (card.sdk, card.app_file, card.title) == ("gradio", "app.py", "Rows")
    assert card.sdk_version == version("gradio")
    pins = dict(line.split("==") for line in (app / "requirements.txt").read_text().split())
    assert {"gradio", "numpy", "pandas", "safetensors", "scikit-learn", "skops"} <= set(pins)
    assert not {"pip", "python", "fastkaggle_plus"} & set(pins)
    assert all(re.fullmatch(r"[\w.]+", number) for number in pins.values())
    for name, number in pins.items():
        assert version(name).partition("+")[0] == number
    for file in (houses / "model").rglob("*"):
        copy = app / "model" / file.relative_to(houses / "model")
        assert file.is_dir() or copy.read_bytes() == file.read_bytes()


def test_it_runs_where_this_library_is_not_installed(houses):
    app = write_app(houses / "model")
    code = "import fastkaggle_plus.modeling as m; print(m.__file__); m.load_model('model')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(app.resolve())


def test_an_app_with_changes_is_kept(houses):
    app = write_app(houses / "model")
    (app / "app.py").write_text("mine")
    try:
        assert write_app(houses / "model") == app
        assert (app / "app.py").read_text() == "mine"
        (app / "model" / "model.json").write_text("{}")
        with pytest.raises(ConfigError, match="an app of another model"):
            write_app(houses / "model")
    finally:
        shutil.rmtree(app)


def test_what_cannot_be_written_is_explained(houses, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="inside the model"):
        write_app(houses / "model", houses / "model" / "app")
    with pytest.raises(DataError, match=r"no model\.json"):
        write_app(tmp_path)

    def missing(name):
        raise PackageNotFoundError("gradio")

    monkeypatch.setattr("fastkaggle_plus.workflow.write_app.version", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'fastkaggle_plus\[app\]'"):
        write_app(houses / "model", tmp_path / "app")
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "::", ""])
def test_other_machines_are_served_only_if_asked(host, tmp_path):
    done = fkp("app", "model", "--serve", "--host", host, cwd=tmp_path)
    assert done.returncode == 1
    assert "Add --public" in done.stderr and not list(tmp_path.iterdir())
    check_host(host, public=True)


def test_this_machine_is_served():
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        check_host(host, public=False)


def test_the_command_writes_and_says_what_is_next(houses, tmp_path):
    done = fkp("app", houses / "model", "--to", "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("page is written. To try it: fkp app")
    assert (tmp_path / "page" / "app.py").exists()
