"""The code that installs the library where a notebook runs: its first cell."""

# With attached wheels, pip uses no package index: they need no internet and were reviewed.
INSTALL = """\
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("fastkaggle_plus") is None:
    mount = Path(os.environ.get("KAGGLE_CACHE_MOUNT_FOLDER", "/kaggle/input"))
    # Kaggle mounts a dataset as NAME, or as datasets/OWNER/NAME
    depths = ("*", "*/*", "*/*/*")
    wheels = [w for d in depths for w in mount.glob(f"{d}/fastkaggle_plus-*.whl")]
    source = ["fastkaggle_plus=={{version}}"]
    if wheels:  # install from the attached wheels, without the internet
        source = ["--no-index", "--find-links", str(wheels[0].parent), "fastkaggle_plus"]
    pip = [sys.executable, "-m", "pip", "install", "-q", *source]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(
            "Cannot install fastkaggle_plus. Attach the dataset of its wheels (Add Input), "
            f"or switch the internet on (Settings). pip failed with: {done.stderr[-500:]}"
        )
    importlib.invalidate_caches()"""
