"""The cells that every notebook opens with: install, and a GPU that really computes."""

from __future__ import annotations

# Attached wheels are what was reviewed and need no internet: with them no index is asked, where a name may be anybody's.
INSTALL = """\
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("fastkaggle_plus") is None:
    mount = Path(os.environ.get("KAGGLE_CACHE_MOUNT_FOLDER", "/kaggle/input"))
    # mounted as NAME, or as datasets/OWNER/NAME
    wheels = [w for depth in ("*", "*/*", "*/*/*") for w in mount.glob(f"{depth}/fastkaggle_plus-*.whl")]
    offline = ["--no-index", "--find-links", str(wheels[0].parent), "fastkaggle_plus"] if wheels else []
    # an index is asked only where no wheels are attached
    pip = [sys.executable, "-m", "pip", "install", "-q", *(offline or ["fastkaggle_plus=={{version}}"])]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("fastkaggle_plus cannot be installed. Attach the dataset of its wheels "
                           "(Add Input), or switch the internet on (Settings). "
                           f"pip said: {done.stderr[-500:]}")
    importlib.invalidate_caches()"""

# A card that torch was not built for says "available" and fails at the first operation: better here than after an hour.
GPU_CHECK = """\
import os

try:
    import torch
except ModuleNotFoundError:
    torch = None

device = f"{os.cpu_count()} CPU cores"
if torch is not None and torch.cuda.is_available():
    device = torch.cuda.get_device_name()
    try:
        ones = torch.ones(64, 64, device="cuda")
        assert float((ones @ ones).sum()) == 64**3
    except RuntimeError as e:
        raise RuntimeError(f"{device} cannot run this torch ({e}). Choose the accelerator "
                           "GPU T4 x2 (Settings), or machine_shape NvidiaTeslaT4 in the metadata.") from e
print("Running on", device)"""

CELLS = {"install": INSTALL, "gpu": GPU_CHECK}
