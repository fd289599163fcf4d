"""The first cells install the library with and without internet, and check the GPU."""

import base64
import hashlib
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from fastkaggle_plus.notebooks.setup_cells import GPU_CHECK, INSTALL

TORCH = """
class cuda:
    is_available = staticmethod(lambda: {available})
    get_device_name = staticmethod(lambda: "Tesla T4")
    device_count = staticmethod(lambda: 2)
class Ones:
    def __matmul__(self, other):
        if {broken}: raise RuntimeError("no kernel image is available for execution on the device")
        return self
    def sum(self): return 64.0 ** 3
ones = lambda *size, device: Ones()
"""


UNINSTALL = """
import subprocess, sys
pip = [sys.executable, "-m", "pip", "uninstall", "-q", "-y", "fastkaggle_plus"]
subprocess.run(pip)
"""
SHOW_COMMANDS = """
run = subprocess.run

def show_and_run(command, **options):
    print(' '.join(command))
    return run(command, **options)

subprocess.run = show_and_run
"""


def make_wheel(folder: Path, *, version="9.9") -> Path:
    """Write a wheel of an empty package with our name."""
    folder.mkdir(parents=True)
    info = f"fastkaggle_plus-{version}.dist-info"
    files = {
        "fastkaggle_plus/__init__.py": f'__version__ = "{version}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: fastkaggle_plus\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record += f"{name},sha256={digest.rstrip('=')},{len(text)}\n"
    file = folder / f"fastkaggle_plus-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as z:
        for name, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            z.writestr(name, text)
    return file


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Run code in an environment without this package and without a package index."""
    place = tmp_path_factory.mktemp("bare")
    venv.create(place, with_pip=True, symlinks=True)

    def run(code: str, mount: Path):
        kept = {
            k: v
            for k, v in os.environ.items()
            if k not in ("PYTHONPATH", "PYTHONHOME") and not k.startswith("PIP_")
        }
        env = {
            **kept,
            "KAGGLE_CACHE_MOUNT_FOLDER": str(mount),
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
        }
        return subprocess.run(
            [place / "bin/python", "-c", code], capture_output=True, text=True, env=env, cwd=place
        )

    return run


@pytest.mark.slow
def test_without_wheels_and_internet_the_error_says_what_to_do(python, tmp_path):
    done = python(INSTALL, tmp_path)
    assert (
        done.returncode == 1
        and "Attach the dataset of its wheels" in done.stderr
        and "switch the internet on" in done.stderr
    )


@pytest.mark.slow
def test_broken_wheels_do_not_fall_back_to_an_index(python, tmp_path):
    (make_wheel(tmp_path / "library-fastkaggle-plus", version="9.7")).write_bytes(b"broken")
    done = python(UNINSTALL + SHOW_COMMANDS + INSTALL, tmp_path)
    assert (
        done.returncode == 1
        and done.stdout.count("pip install") == done.stdout.count("--no-index") == 1
    ), done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "version"),
    [("library-fastkaggle-plus", "9.8"), ("datasets/ada/library-fastkaggle-plus", "9.9")],
)
def test_wheels_are_found_in_both_layouts_and_installed_once(python, tmp_path, place, version):
    make_wheel(tmp_path / place, version=version)
    done = python(
        UNINSTALL + INSTALL + "\nimport fastkaggle_plus; print(fastkaggle_plus.__version__)",
        tmp_path,
    )
    assert done.stdout.strip() == version, done.stderr
    done = python(
        "import subprocess; subprocess.run = None\n" + INSTALL + "\nprint('nothing to install')",
        tmp_path,
    )
    assert done.stdout.strip() == "nothing to install", done.stderr


def gpu(tmp_path, torch: str | None):
    """Run the check with this module as `torch`, or without torch."""
    code = (
        GPU_CHECK if torch is not None else f"import sys; sys.modules['torch'] = None\n{GPU_CHECK}"
    )
    if torch is not None:
        (tmp_path / "torch.py").write_text(torch)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )


def test_the_device_is_named_and_a_broken_gpu_is_refused(tmp_path):
    assert "CPU cores" in gpu(tmp_path, None).stdout
    assert "CPU cores" in gpu(tmp_path, TORCH.format(available=False, broken=False)).stdout
    assert (
        gpu(tmp_path, TORCH.format(available=True, broken=False)).stdout
        == "Running on 2 x Tesla T4\n"
    )
    broken = gpu(tmp_path, TORCH.format(available=True, broken=True))
    assert (
        broken.returncode == 1
        and "2 x Tesla T4 does not work with this torch" in broken.stderr
        and "NvidiaTeslaT4" in broken.stderr
    )
