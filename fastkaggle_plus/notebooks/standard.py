"""The cells that every notebook opens with: install, and a GPU that really computes."""

from __future__ import annotations

# An attached dataset of wheels comes first: it needs no internet, and gives the same versions next year.
INSTALL = '''\
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("fastkaggle_plus") is None:
    mount = Path(os.environ.get("KAGGLE_CACHE_MOUNT_FOLDER", "/kaggle/input"))
    wheels = [w for depth in ("*", "*/*", "*/*/*") for w in mount.glob(f"{depth}/fastkaggle_plus-*.whl")]   # NAME, or datasets/OWNER/NAME
    tries = [["--no-index", "--find-links", str(w.parent), "fastkaggle_plus"] for w in wheels[:1]] + [["fastkaggle_plus=={{version}}"]]
    for requirement in tries:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", *requirement], capture_output=True, text=True)
        if done.returncode == 0:
            break
    else:
        raise RuntimeError("fastkaggle_plus cannot be installed. Attach the dataset of its wheels (Add Input > Datasets), "
                           f"or switch the internet on (Settings > Internet). pip said: {done.stderr[-500:]}")
    importlib.invalidate_caches()'''

# A card that torch was not built for says "available" and fails at the first operation: better here than after an hour.
GPU_CHECK = '''\
import os

try:
    import torch
except ModuleNotFoundError:
    torch = None

device = f"{os.cpu_count()} CPU cores"
if torch is not None and torch.cuda.is_available():
    device = torch.cuda.get_device_name()
    try:
        assert float((torch.ones(64, 64, device="cuda") @ torch.ones(64, 64, device="cuda")).sum()) == 64**3
    except RuntimeError as e:
        raise RuntimeError(f"{device} cannot run this torch ({e}). Choose another accelerator: Settings > Accelerator > GPU T4 x2, "
                           "or machine_shape NvidiaTeslaT4 in the notebook's metadata.") from e
print("Running on", device)'''

CELLS = {"install": INSTALL, "gpu": GPU_CHECK}
