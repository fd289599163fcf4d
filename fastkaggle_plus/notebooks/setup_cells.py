"""The first cells of every notebook: install the library, and check that the GPU works."""

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

# A GPU that torch was not built for is "available", but fails at its first operation.
GPU_CHECK = """\
import os

try:
    import torch
except ModuleNotFoundError:
    torch = None

device = f"{os.cpu_count()} CPU cores"
if torch is not None and torch.cuda.is_available():
    device = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    try:
        ones = torch.ones(64, 64, device="cuda")
        assert float((ones @ ones).sum()) == 64**3
    except RuntimeError as e:
        raise RuntimeError(
            f"{device} does not work with this torch ({e}). Choose the accelerator GPU T4 x2 "
            "(Settings), or machine_shape NvidiaTeslaT4 in the metadata."
        ) from e
print("Running on", device)"""

CELLS = {"install": INSTALL, "gpu": GPU_CHECK}
